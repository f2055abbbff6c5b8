"""Similar cases: those whose sequences lie nearest to one in the model's embedding."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.logs.frames import drop_recut, read_events, read_sequences
from core.schema import Column
from core.scoring.engine import Scorer
from core.store import cases, labels
from core.store.home import Home, writing
from core.store.runs import Run

MOST = 8
MOST_CASES = 3000  # compared with: as many as a queue holds

Floats = npt.NDArray[np.float32]


def similar_cases(
    home: Home, scorer: Scorer, run: Run, sequence_id: str, *, actor_id: str
) -> pd.DataFrame:
    """Return the cases of other actors most like a sequence, the nearest first.

    Each case stands for its highest-scoring sequence; where a log that has grown no longer has it,
    the case is left out. `similarity` is the cosine of the vectors
    that the model's head reads; `decision` and `scheme` are of the standing verdict, `label` what
    outside labels say of the actor or the sequence, where they say anything.
    """
    from sklearn.neighbors import NearestNeighbors  # a second that only this view should wait for

    with home.engine.connect() as con:
        decided = cases.queue(con, run.dataset_id, decided=True)
        waiting = cases.queue(con, run.dataset_id)
        outside = labels.of_dataset(con, run.dataset_id)
    # Decided ones first: of very many cases those that teach something are kept.
    known = pd.concat([decided, waiting], ignore_index=True)
    others = known[known[Column.ACTOR] != actor_id]
    known = drop_recut(home, run.dataset_id, others).head(MOST_CASES)
    if known.empty:
        return pd.DataFrame(columns=[*known.columns, "similarity", "label"])
    vectors = embed_sequences(home, scorer, run, [sequence_id, *known[Column.SEQUENCE]])
    nearest = NearestNeighbors(n_neighbors=min(MOST, len(known)), metric="cosine")
    distance, rows = nearest.fit(vectors[1:]).kneighbors(vectors[:1])
    found: pd.DataFrame = (
        known.iloc[rows[0]].assign(similarity=1 - distance[0]).reset_index(drop=True)
    )
    found["label"] = _labels(found, outside)
    return found


def embed_sequences(home: Home, scorer: Scorer, run: Run, wanted: Sequence[str]) -> Floats:
    """Return the embeddings of sequences of a run's data set, (N, H), in the order of `wanted`.

    They are kept beside the run's scores; only what is not there yet is computed.
    """
    file = home.embeddings_file(run.id)
    known = pd.read_parquet(file) if file.exists() else pd.DataFrame(index=pd.Index([], dtype=str))
    missing = sorted(set(wanted) - set(known.index))
    if missing:
        known = pd.concat([known, _embed(home, scorer, run.dataset_id, missing)])
        with writing(file) as target:
            known.to_parquet(target)
    return known.loc[list(wanted)].to_numpy(dtype=np.float32)


def _embed(home: Home, scorer: Scorer, dataset_id: str, wanted: list[str]) -> pd.DataFrame:
    rows = read_sequences(home, dataset_id, sequences=wanted)
    events = read_events(home, dataset_id, sequences=wanted)
    vectors = scorer.embed(scorer.encoder.tokenizer.encode(events, rows))
    return pd.DataFrame(
        vectors,
        index=pd.Index(rows[Column.SEQUENCE]),
        columns=[str(number) for number in range(vectors.shape[1])],
    )


def _labels(found: pd.DataFrame, outside: pd.DataFrame) -> list[bool | None]:
    """Return what outside labels say of each case's sequence, else of its actor."""
    said = {
        (unit, key): bool(label)
        for unit, key, label in zip(outside["unit"], outside["key"], outside["label"], strict=True)
    }
    pairs = zip(found[Column.SEQUENCE], found[Column.ACTOR], strict=True)
    return [said.get(("sequence", name), said.get(("actor", actor))) for name, actor in pairs]
