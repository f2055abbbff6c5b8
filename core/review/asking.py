"""Put actors into the queue because their labels would teach much."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy.exc import IntegrityError

from core.errors import BadInput, Conflict
from core.logs.frames import read_sequences
from core.model.baselines.tables import isolation_forest
from core.model.units import label_actors
from core.review.sampling import UNKNOWN, Pool, choose
from core.schema import Column, Trust
from core.scoring.cases import cases_of_actors, read_scores
from core.seeds import check_seed
from core.store import cases, datasets, labels, models, runs, verdicts
from core.store.home import Home, now
from core.store.runs import Run


def ask(home: Home, dataset_id: str, strategy: str, size: int, *, seed: int = 0) -> pd.DataFrame:
    """Add up to `size` actors to the queue of a data set, chosen by `strategy`.

    Whoever has a case, a verdict or a label is not asked about again. The cases' source says why
    each was chosen: `margin` and `outlier` for certain, `random` with its propensity. Those of the
    first two come before the rest of the queue, those by chance stand among it by their score, so
    that nothing tells them apart. The next scoring run renews the queue, undecided ones leave it
    then.

    Returns
    -------
    One row per case added: actor_id, sequence_id, score, source and propensity.

    Raises
    ------
    BadInput
        If there is no such strategy or seed, the data set was not scored, or nobody is
        left to ask about.
    Conflict
        If the queue changed meanwhile.
    """
    check_seed(seed)
    with home.engine.connect() as con:
        datasets.get(con, dataset_id)
        run = runs.deciding(con, dataset_id)
        if run is None:
            raise BadInput(f"'{dataset_id}' has no scores yet: score it first.")
        threshold = models.threshold(con, run.model_id)
    sequences = read_sequences(home, dataset_id)
    actors = cases_of_actors(read_scores(home, run.id), sequences, threshold)
    pool = _pool(home, run, sequences, actors)
    picked = choose(strategy, pool, size, np.random.default_rng(seed))
    chosen = actors.iloc[picked["row"]].reset_index(drop=True)
    frame = chosen.assign(
        source=picked["source"],
        propensity=picked["propensity"],
        run_id=run.id,
        dataset_id=dataset_id,
        created_at=now(),
    )
    try:
        with home.engine.begin() as con:
            cases.add(con, frame)
    except IntegrityError as error:
        raise Conflict("The queue changed while cases were chosen: ask again.") from error
    return frame[[Column.ACTOR, Column.SEQUENCE, Column.SCORE, "source", "propensity"]]


def _pool(home: Home, run: Run, sequences: pd.DataFrame, actors: pd.DataFrame) -> Pool:
    """Say what is known of the actors scored."""
    with home.engine.connect() as con:
        probable = models.get(con, run.model_id).kind == "probability"
        outside = labels.of_dataset(con, run.dataset_id)
        decided = verdicts.of_dataset(con, run.dataset_id)
        both = [cases.queue(con, run.dataset_id, decided=known) for known in (False, True)]
    names = actors[Column.ACTOR]
    label = names.map(label_actors(sequences, outside, decided)).fillna(UNKNOWN).astype(np.int64)
    has_case = names.isin(pd.concat([frame[Column.ACTOR] for frame in both]))
    score = actors[Column.SCORE].to_numpy()
    return Pool(
        np.asarray(label),
        _unusualness(sequences, actors[Column.SEQUENCE]) if probable else score,
        score if probable else None,
        ((label != UNKNOWN) | has_case).to_numpy(),
    )


def _unusualness(sequences: pd.DataFrame, ids: "pd.Series[str]") -> npt.NDArray[np.float64]:
    """Return how easily each sequence of `ids` is told apart by its facts, (N,)."""
    left_out = [Column.PARTITION, *Trust.COLUMNS]
    facts = sequences.set_index(Column.SEQUENCE).drop(columns=left_out, errors="ignore")
    X = facts.select_dtypes("number").loc[ids.tolist()].to_numpy(dtype=np.float64, na_value=np.nan)
    X = X[:, np.isfinite(X).any(axis=0)]
    return isolation_forest(X, X)
