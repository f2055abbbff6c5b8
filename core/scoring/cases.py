"""From scores to cases: which actors are put before an analyst, and with what probability.

Torch is not needed for that, so a page may import this module at its top.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from core.errors import NotFound
from core.logs.engine import file_literal
from core.logs.frames import query, read_sequences
from core.schema import Column
from core.scoring.known import DIGEST
from core.store import cases, models, runs
from core.store.home import Home, now
from core.store.runs import Run

MOST_CASES = 3000  # nobody reviews more before the next scoring run
MOST_RANDOM = 200


def read_scores(home: Home, run_id: str, *, actors: Sequence[str] | None = None) -> pd.DataFrame:
    """Return a run's scores, of all or of some actors: sequence_id, actor_id, score.

    Where the model tells schemes apart, also likely_scheme and likely_share, see `cases`.
    """
    file = _file(home, run_id)
    if actors is None:
        return pd.read_parquet(file).drop(columns=DIGEST, errors="ignore")
    return query(
        f"""SELECT COLUMNS(lambda name: name <> '{DIGEST}') FROM read_parquet({file_literal(file)})
        WHERE actor_id IN (SELECT unnest($actors))""",
        {"actors": list(actors)},
    )


def actor_scores(home: Home, run_id: str) -> "pd.Series[float]":
    """Return the maximum score of each actor: actor -> score, in no order."""
    file = file_literal(_file(home, run_id))
    found = query(
        f"SELECT actor_id, max(score)::DOUBLE AS score FROM read_parquet({file}) GROUP BY 1"
    )
    return found.set_index(Column.ACTOR)[Column.SCORE]


def renew_queue(home: Home, run: Run) -> int:
    """Put the actors above the threshold in force, and a random slice, into the queue.

    Returns the number of cases added; nothing changes if another run decides (by now).
    """
    with home.engine.connect() as con:
        threshold = models.threshold(con, run.model_id)
        while runs.deciding(con, run.dataset_id) == run:
            picked = build_cases(home, run, threshold)
            con.rollback()  # else what others decided meanwhile would not be seen
            added = cases.replace_open(con, run.dataset_id, picked)
            drawn, threshold = threshold, models.threshold(con, run.model_id)
            if drawn == threshold and runs.deciding(con, run.dataset_id) == run:
                con.commit()
                return added
            con.rollback()
    return 0


def build_cases(
    home: Home, run: Run, threshold: float, *, random_share: float = 0.01
) -> pd.DataFrame:
    """Return the cases of a run, ready for `cases.replace_open`.

    A case is an actor, its score the maximum over its sequences. Actors at or above `threshold`
    are cases for certain; of the others a random slice is, so that what the model misses can be
    estimated. Only what is picked is read into memory.
    """
    picked = _pick(home, run, threshold, random_share)
    actors = picked[Column.ACTOR].tolist()
    columns = [Column.ACTOR, Column.EVENTS, Column.AMOUNT, Column.LAST]
    sequences = read_sequences(home, run.dataset_id, actors=actors, columns=columns)
    scores = read_scores(home, run.id, actors=actors)
    found = cases_of_actors(scores, sequences, threshold).merge(picked, on=Column.ACTOR)
    return found.assign(run_id=run.id, dataset_id=run.dataset_id, created_at=now())


def _pick(home: Home, run: Run, threshold: float, random_share: float) -> pd.DataFrame:
    """Return who becomes a case: actor_id, source and propensity."""
    return query(
        f"""WITH actors AS MATERIALIZED (
            SELECT actor_id, max(score)::DOUBLE AS score
            FROM read_parquet({file_literal(_file(home, run.id))}) GROUP BY actor_id),
        above AS (SELECT actor_id FROM actors WHERE score >= $threshold
            ORDER BY score DESC, actor_id LIMIT {MOST_CASES}),
        rest AS (SELECT count(*) AS actors, least(ceil(count(*) * $share), {MOST_RANDOM}) AS size
            FROM actors WHERE score < $threshold),
        drawn AS (SELECT actor_id FROM actors WHERE score < $threshold
            ORDER BY hash(actor_id, $run), actor_id LIMIT (SELECT size::BIGINT FROM rest))
        SELECT actor_id, 'score' AS source, 1.0::DOUBLE AS propensity FROM above
        UNION ALL SELECT actor_id, 'random', size / rest.actors FROM drawn, rest""",
        {"threshold": threshold, "share": random_share, "run": run.id},
    )


def _file(home: Home, run_id: str) -> Path:
    file = home.run_file(run_id)
    if not file.exists():
        raise NotFound(f"The scores of run '{run_id}' are gone: score the data set again.")
    return file


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
