"""From scores to cases: which actors are put before an analyst, and with what probability.

Torch is not needed for that, so a page may import this module at its top.
"""

import math

import numpy as np
import pandas as pd

from core.errors import NotFound
from core.logs.frames import read_sequences
from core.schema import Column
from core.scoring.known import DIGEST
from core.store import cases, models, runs
from core.store.home import Home, now
from core.store.runs import Run

MOST_CASES = 3000  # nobody reviews more before the next scoring run
MOST_RANDOM = 200


def read_scores(home: Home, run_id: str) -> pd.DataFrame:
    """Return a run's scores: sequence_id, actor_id, score.

    Where the model tells schemes apart, also likely_scheme and likely_share, see `cases`.
    """
    file = home.run_file(run_id)
    if not file.exists():
        raise NotFound(f"The scores of run '{run_id}' are gone: score the data set again.")
    return pd.read_parquet(file).drop(columns=DIGEST, errors="ignore")


def renew_queue(home: Home, run: Run) -> int:
    """Put the actors above the threshold in force, and a random slice, into the queue.

    Returns the number of cases added; nothing changes if another run decides (by now).
    """
    needed = [Column.ACTOR, Column.EVENTS, Column.AMOUNT, Column.LAST]
    scores = read_scores(home, run.id)
    sequences = read_sequences(home, run.dataset_id, columns=needed)
    with home.engine.connect() as con:
        threshold = models.threshold(con, run.model_id)
        while runs.deciding(con, run.dataset_id) == run:
            picked = build_cases(
                scores,
                sequences,
                threshold=threshold,
                run_id=run.id,
                dataset_id=run.dataset_id,
                rng=np.random.default_rng(0),
            )
            con.rollback()  # else what others decided meanwhile would not be seen
            added = cases.replace_open(con, run.dataset_id, picked)
            drawn, threshold = threshold, models.threshold(con, run.model_id)
            if drawn == threshold and runs.deciding(con, run.dataset_id) == run:
                con.commit()
                return added
            con.rollback()
    return 0


def build_cases(
    scores: pd.DataFrame,
    sequences: pd.DataFrame,
    *,
    threshold: float,
    run_id: str,
    dataset_id: str,
    rng: np.random.Generator,
    random_share: float = 0.01,
) -> pd.DataFrame:
    """Return the cases of a run, ready for `cases.replace_open`.

    A case is an actor, its score the maximum over its sequences. Actors at or above `threshold`
    are cases for certain; of the others a random slice is, so that what the model misses can be
    estimated.

    Parameters
    ----------
    scores
        sequence_id, actor_id, score of every sequence.
    sequences
        The data set's sequences: sequence_id, actor_id, events, amount, last_ts.
    """
    actors = cases_of_actors(scores, sequences, threshold)
    above = actors[actors[Column.SCORE] >= threshold].head(MOST_CASES)
    below = actors[actors[Column.SCORE] < threshold]
    size = min(math.ceil(len(below) * random_share), MOST_RANDOM)
    drawn = below.iloc[np.sort(rng.choice(len(below), size=size, replace=False))]
    picked = pd.concat(
        [
            above.assign(source="score", propensity=1.0),
            drawn.assign(source="random", propensity=size / max(len(below), 1)),
        ],
        ignore_index=True,
    )
    return picked.assign(run_id=run_id, dataset_id=dataset_id, created_at=now())


def cases_of_actors(
    scores: pd.DataFrame, sequences: pd.DataFrame, threshold: float
) -> pd.DataFrame:
    """One row per actor, highest score first, with the sequences at or above `threshold`."""
    ranked = scores.sort_values(
        [Column.SCORE, Column.SEQUENCE], ascending=[False, True], kind="stable"
    )
    shown = [Column.ACTOR, Column.SEQUENCE, Column.SCORE]
    shown += [Column.LIKELY_SCHEME, Column.LIKELY_SHARE]  # empty where schemes are not told apart
    top = ranked.drop_duplicates(Column.ACTOR).reindex(columns=shown)
    top = top.astype({Column.SCORE: float, Column.LIKELY_SHARE: float})
    hits = ranked[ranked[Column.SCORE] >= threshold]
    flagged = hits.groupby(Column.ACTOR, sort=False)[Column.SEQUENCE].agg(list).rename("flagged")
    of_actor = sequences.groupby(Column.ACTOR)
    totals = of_actor.agg(events=(Column.EVENTS, "sum"), last_ts=(Column.LAST, "max"))
    totals["amount"] = of_actor[Column.AMOUNT].sum(min_count=1)
    joined = top.join(totals, on=Column.ACTOR).join(flagged, on=Column.ACTOR)
    joined["flagged"] = [ids if isinstance(ids, list) else [] for ids in joined["flagged"]]
    joined["events"] = joined["events"].astype(int)
    if isinstance(joined["last_ts"].dtype, pd.DatetimeTZDtype):
        joined["last_ts"] = joined["last_ts"].dt.tz_convert("UTC").dt.tz_localize(None)
    return joined
