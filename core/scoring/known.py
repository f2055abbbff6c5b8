"""Scores that need not be computed again: a score depends on the weights and the tokens alone.

So each score is kept with a digest of both. A run that was killed, and a run over a data set that
has grown, look up what is there and compute the rest.
"""

from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from core.batch import Batch
from core.schema import Column
from core.store import runs
from core.store.home import Home

DIGEST = "digest"
VERSION: Final = b"2"  # of how a score is computed from weights and tokens

Digests = npt.NDArray[np.uint64]


def fingerprint(folder: Path) -> bytes:
    """Return what tells the model in `folder` from any other: its weights and all that is set."""
    digest = blake2b(VERSION, digest_size=16)
    for file in sorted([*folder.glob("*.safetensors"), *folder.glob("*.json")]):
        digest.update(file.name.encode())
        with file.open("rb") as content:
            while chunk := content.read(1 << 20):
                digest.update(chunk)
    return digest.digest()


def digests(batch: Batch, sequence_ids: pd.Series, model: bytes) -> Digests:
    """Return a digest of each sequence's id and tokens, and of the model's `fingerprint`, (N,)."""
    found = bytearray()
    for sequence_id, start, end in zip(
        sequence_ids, batch.offsets[:-1], batch.offsets[1:], strict=True
    ):
        digest = blake2b(str(sequence_id).encode(), digest_size=8, key=model)
        digest.update(batch.ids[start:end].tobytes())
        digest.update(batch.event[start:end].tobytes())
        found += digest.digest()
    return np.frombuffer(found, dtype=np.uint64)


@dataclass(frozen=True)
class Known:
    """What is known of sequences, by digest: the score and whatever else a run's file holds."""

    digests: Digests  # rising
    rows: pd.DataFrame

    @classmethod
    def of(cls, home: Home, model_id: str, dataset_id: str, parts: Path) -> "Known":
        """Collect what the model's last run over the data set and the files in `parts` hold."""
        with home.engine.connect() as con:
            last = runs.newest(con, dataset_id, model_id)
        files = sorted(parts.glob("part-*.parquet"))
        if last is not None:
            files.append(home.run_file(last.id))
        frames = [frame for frame in map(_read, files) if frame is not None]
        if not frames:
            return cls(np.empty(0, np.uint64), pd.DataFrame())
        rows = pd.concat(frames).drop_duplicates(DIGEST).sort_values(DIGEST)
        return cls(rows.pop(DIGEST).to_numpy(), rows)

    def look_up(self, wanted: Digests) -> tuple[pd.DataFrame, npt.NDArray[np.int64]]:
        """Return what is known, indexed by row of `wanted`, and the rows of which nothing is."""
        place = np.searchsorted(self.digests, wanted)
        there = np.append(self.digests, np.uint64(0))[place] == wanted
        found = self.rows.iloc[place[there]].set_axis(np.flatnonzero(there))
        return found, np.flatnonzero(~there)


def _read(file: Path) -> pd.DataFrame | None:
    """Return a file of scores without the ids; None if it is gone, damaged, or has no digests."""
    try:
        frame = pd.read_parquet(file).drop(columns=[Column.SEQUENCE, Column.ACTOR])
    except (OSError, ValueError, KeyError, pa.ArrowException):
        return None
    return frame if DIGEST in frame else None
