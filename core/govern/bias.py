"""How a model treats groups of actors: scores, and errors where the truth is known, by group."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import BadInput
from core.explain.groups import OTHER, group_actors
from core.govern.log import read_log, split_of
from core.logs.frames import read_sequences
from core.model.bootstrap import resamples
from core.model.metrics import INTERVAL
from core.schema import Column
from core.scoring.cases import read_scores
from core.store import models, runs
from core.store.home import Home

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
EVERYBODY = "everybody"

Mask = npt.NDArray[np.bool_]


def bias(home: Home, model_id: str, dataset_id: str, column: str) -> dict[str, Any]:
    """Return scores and error rates of the groups of actors that `column` makes.

    Rates have the 95 % percentile interval of a bootstrap over actors; where all units agree, which
    no resample can doubt, the exact one of Clopper & Pearson (1934). Errors are counted on the
    labelled units the model was not trained on; None where a group has none of the class.

    Returns
    -------
    ``groups`` (the first is everybody): ``group``, ``actors``, ``quantiles`` of the actors' scores,
    ``flagged``: the share at or above the threshold; ``labelled``, ``abuse``, and of these units
    ``false_alarms``: the share of the legitimate flagged, ``missed``: of abuse not flagged.

    Raises
    ------
    BadInput
        If the model has not scored the data set, or `column` is no category of it.
    """
    with home.engine.connect() as con:
        models.get(con, model_id)
        run = runs.newest(con, dataset_id, model_id)
        threshold = models.threshold(con, model_id)
    if run is None:
        raise BadInput(f"'{model_id}' has not scored '{dataset_id}' yet: score it first.")
    groups = group_actors(home, dataset_id, column)
    scores = read_scores(home, run.id)
    actors = scores.groupby(Column.ACTOR)[Column.SCORE].max()
    units = _labelled(home, model_id, dataset_id, scores)
    sizes = groups.loc[actors.index].value_counts().index
    names = sorted(sizes, key=lambda name: bool(name == OTHER))  # stable: the joined ones last
    flagged = _rates(
        _members(groups.loc[actors.index], names),
        (actors >= threshold).to_numpy(),
        np.ones(len(actors), dtype=bool),
        actors.index.to_numpy(),
    )
    errors = _errors(units, groups, names, threshold)
    found = []
    for number, name in enumerate([EVERYBODY, *names]):
        of = actors if number == 0 else actors[(groups.loc[actors.index] == name).to_numpy()]
        found.append(
            {
                "group": name,
                "actors": len(of),
                "quantiles": np.quantile(of, QUANTILES).tolist(),
                "flagged": flagged[number],
                **{key: values[number] for key, values in errors.items()},
            }
        )
    return {
        "model": model_id,
        "dataset": dataset_id,
        "column": column,
        "threshold": threshold,
        "groups": found,
    }


def _labelled(home: Home, model_id: str, dataset_id: str, scores: pd.DataFrame) -> pd.DataFrame:
    """Return actor, label and score of the labelled units that were held out; maybe none."""
    bags = read_log(home, dataset_id, split_by=split_of(home, model_id)).bags
    empty = pd.DataFrame({Column.ACTOR: [], "label": [], Column.SCORE: []})
    if bags is None or not len(held_out := bags.of("test")):
        return empty
    sequences = read_sequences(home, dataset_id)
    score = scores.set_index(Column.SEQUENCE)[Column.SCORE]
    of_rows = score.reindex(sequences[Column.SEQUENCE].iloc[held_out.rows]).to_numpy(np.float32)
    return pd.DataFrame(
        {
            Column.ACTOR: sequences[Column.ACTOR].to_numpy()[held_out.first],
            "label": held_out.label,
            Column.SCORE: held_out.maximum(of_rows),
        }
    ).dropna()  # what was added to the log since has no score


def _errors(
    units: pd.DataFrame, groups: pd.Series, names: list[str], threshold: float
) -> dict[str, list[Any]]:
    """Return counts and error rates of labelled units, everybody's first."""
    members = _members(groups.reindex(units[Column.ACTOR]), names)
    abuse = (units["label"] == 1).to_numpy()
    hit = (units[Column.SCORE] >= threshold).to_numpy()
    actors = units[Column.ACTOR].to_numpy()
    return {
        "labelled": members.sum(axis=1).tolist(),
        "abuse": (members & abuse).sum(axis=1).tolist(),
        "false_alarms": _rates(members, hit, ~abuse, actors),
        "missed": _rates(members, ~hit, abuse, actors),
    }


def _members(groups: pd.Series, names: list[str]) -> Mask:
    """Return which units belong to everybody and to each group, (1 + G, N)."""
    everybody = np.ones(len(groups), dtype=bool)
    return np.array([everybody, *((groups == name).to_numpy() for name in names)])


def _rates(
    members: Mask, counted: Mask, among: Mask, actors: npt.NDArray[Any]
) -> list[dict[str, float] | None]:
    """Return the share of `counted` among `among` for each row of `members`, with its interval."""
    total = (members & among).astype(np.float64)  # (G, N)
    hits = (members & among & counted).astype(np.float64)
    drawn = []
    for weights in resamples(actors):
        with np.errstate(divide="ignore", invalid="ignore"):
            drawn.append((hits @ weights) / (total @ weights))  # (G, R)
    found: list[dict[str, float] | None] = []
    for row in range(len(members)):
        if not total[row].any():
            found.append(None)
            continue
        value = float(hits[row].sum() / total[row].sum())
        if 0 < value < 1:
            low, high = np.nanpercentile(np.concatenate([part[row] for part in drawn]), INTERVAL)
        else:
            size = len(np.unique(actors[total[row] > 0]))
            reach = 1 - (INTERVAL[0] / 100) ** (1 / size)
            low, high = (0.0, reach) if value == 0 else (1 - reach, 1.0)
        found.append({"value": value, "low": float(low), "high": float(high)})
    return found
