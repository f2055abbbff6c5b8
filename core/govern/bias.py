"""How a model treats groups of actors: scores, and errors where the truth is known, by group."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import binomtest

from core.errors import BadInput
from core.explain.groups import OTHER, group_actors
from core.govern.log import read_content, read_units, split_of
from core.logs.frames import read_sequences
from core.model.bootstrap import resamples
from core.model.metrics import INTERVAL
from core.schema import Column
from core.scoring.cases import actor_scores, read_scores
from core.store import models, runs
from core.store.home import Home
from core.store.runs import Run

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
EVERYBODY = "everybody"

Mask = npt.NDArray[np.bool_]


def bias(home: Home, model_id: str, dataset_id: str, column: str) -> dict[str, Any]:
    """Return scores and error rates of the groups of actors that `column` makes.

    Rates have the exact 95 % interval of Clopper & Pearson (1934); where actors have several units,
    which are no independent witnesses, the percentile interval of a bootstrap over actors. Errors
    are counted on the labelled units the model was not trained on; None where a group has none of
    the class.

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
    actors = actor_scores(home, run.id)
    units = _labelled(home, run)
    of_actors = groups.reindex(actors.index)
    sizes = of_actors.value_counts().index
    names = sorted(sizes, key=lambda name: bool(name == OTHER))  # stable: the joined ones last
    members = _members(of_actors, names)
    scores = actors.to_numpy()
    flagged = _rates(members, scores >= threshold, np.ones(len(scores), dtype=bool), actors.index)
    errors = _errors(units, groups, names, threshold)
    found = []
    for number, name in enumerate([EVERYBODY, *names]):
        found.append(
            {
                "group": name,
                "actors": int(members[number].sum()),
                "quantiles": np.quantile(scores[members[number]], QUANTILES).tolist(),
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


def _labelled(home: Home, run: Run) -> pd.DataFrame:
    """Return actor, label and score of the labelled units that were held out; maybe none."""
    dataset_id, split = run.dataset_id, split_of(home, run.model_id)
    bags = read_units(home, dataset_id, lambda: read_content(home, dataset_id), split_by=split)
    empty = pd.DataFrame({Column.ACTOR: [], "label": [], Column.SCORE: []})
    if bags is None or not len(held_out := bags.of("test")):
        return empty
    sequences = read_sequences(home, dataset_id, columns=[Column.SEQUENCE, Column.ACTOR])
    score = read_scores(home, run.id).set_index(Column.SEQUENCE)[Column.SCORE]
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
    actors = pd.Index(units[Column.ACTOR])
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
    members: Mask, counted: Mask, among: Mask, actors: pd.Index
) -> list[dict[str, float] | None]:
    """Return the share of `counted` among `among` for each row of `members`, with its interval."""
    total, hits = members & among, members & among & counted  # (G, N)
    drawn = [np.zeros((len(members), 0))]
    if not actors.is_unique:
        for weights in resamples(actors.to_numpy()):
            with np.errstate(divide="ignore", invalid="ignore"):
                drawn.append((hits @ weights) / (total @ weights))  # (G, R)
    resampled = np.concatenate(drawn, axis=1)
    found: list[dict[str, float] | None] = []
    for row in range(len(members)):
        if not total[row].any():
            found.append(None)
            continue
        value = float(hits[row].sum() / total[row].sum())
        if actors.is_unique or value in (0, 1):  # where all agree no resample doubts
            size = actors[total[row]].nunique()
            low, high = binomtest(round(value * size), size).proportion_ci()
        else:
            low, high = np.nanpercentile(resampled[row], INTERVAL)
        found.append({"value": value, "low": float(low), "high": float(high)})
    return found
