"""Unusualness: how far a sequence stands out from the training data, before any label exists.

Three kinds of evidence, all on the same tokens: the strangest event, the strangest fact of the
profile (both as a surprise of the pre-trained model), and the rarity of the pattern of counts. Each
becomes the share of the training data that is at least as strange. Of the two surprises the
stranger counts, and the logarithm of its share only by its own logarithm, for far out the tail of a
surprise is a guess; with the pattern it adds up as Fisher combines p-values (Statistical Methods
for Research Workers, 1925). The score is the percentile of that among the training data, which do
not count themselves, as new ones cannot: never a probability. Where many of them are alike it is
steep, and rounding of a surprise can show in its fourth digit.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from core.batch import Batch
from core.errors import BadInput
from core.model.batching import Parts
from core.model.encoder import Encoder
from core.model.files import read_json, write_json
from core.model.inference import Evaluate, by_batch, in_turn
from core.model.patterns import Patterns
from core.model.surprise import strangest

FILE = "unusualness.json"
VERSION = 2  # of how the evidence is combined: what was fitted with another says nothing
# Beyond it a curve is fitted to the few that are there.
BODY = np.append(np.linspace(0, 0.99, 991), [0.9925, 0.995, 0.9975, 0.999])
LEAST_SCALE = 0.1  # nats
DIGITS = 2  # of a nat: what differs less is alike, whatever rounding does to it

Floats = npt.NDArray[np.float64]
Progress = Callable[[float], None]


@dataclass(frozen=True)
class Reference:
    """How one kind of evidence is spread over the training data."""

    values: list[float]  # distinct, rising
    below: list[float]  # share of the training data under each of them
    scale: float  # mean excess over the highest of `values`

    @classmethod
    def fit(cls, evidence: Floats) -> "Reference":
        """Describe the spread of the training data's `evidence`, (N,)."""
        quantiles = np.round(np.quantile(evidence, BODY), DIGITS)
        values, first = np.unique(quantiles, return_index=True)
        beyond = evidence[evidence > values[-1]] - values[-1]
        scale = max(float(beyond.mean()) if len(beyond) else 0.0, LEAST_SCALE)
        return cls(values.tolist(), BODY[first].tolist(), scale)

    def log_share(self, evidence: Floats, *, heavy: bool = False) -> Floats:
        """Return the log of the share of the training data that is at least as strange, (N,).

        Beyond the body the tail is exponential, the limit of the peaks over a threshold (Pickands
        1975), or `heavy`, a Pareto's of shape 1.
        """
        body = np.log1p(-np.interp(evidence, self.values, self.below))
        excess = np.maximum(evidence - self.values[-1], 0) / self.scale
        tail = -np.log1p(excess) if heavy else -excess
        return np.asarray(body + tail)


@dataclass(frozen=True)
class Unusualness:
    """What turns a pre-trained model's surprise into a score; stored beside the weights."""

    patterns: Patterns
    parts: tuple[Reference, Reference, Reference]
    combined: Reference

    @classmethod
    def fit(cls, encoder: Encoder, parts: Parts) -> "Unusualness":
        """Learn what is usual from the training data."""
        patterns = Patterns.fit(encoder.tokenizer, parts)
        found = np.concatenate([_evidence(encoder, patterns, part, itself=True) for part in parts])
        first, second, third = (Reference.fit(column) for column in found.T)
        references = (first, second, third)
        return cls(patterns, references, Reference.fit(_combined(references, found)))

    def score(
        self,
        encoder: Encoder,
        batch: Batch,
        *,
        progress: Progress | None = None,
        evaluate: Evaluate = in_turn,
    ) -> npt.NDArray[np.float32]:
        """Return each sequence's unusualness, (N,), in [0, 1)."""
        found = _evidence(encoder, self.patterns, batch, progress=progress, evaluate=evaluate)
        share = self.combined.log_share(_combined(self.parts, found), heavy=True)
        # Single precision would round the far end of a light tail to 1, and its order be lost.
        return (-np.expm1(share)).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write ``unusualness.json`` and the patterns."""
        self.patterns.save(folder)
        described = {
            "version": VERSION,
            "parts": [asdict(part) for part in self.parts],
            "combined": asdict(self.combined),
        }
        write_json(folder / FILE, described)

    @classmethod
    def load(cls, folder: Path) -> "Unusualness":
        """Read what `save` wrote; `BadInput` if it is missing, damaged or of another version."""
        described = read_json(folder / FILE)
        if described.get("version") != VERSION:
            raise BadInput(
                f"{folder / FILE} is not of this version of Spoor, which measures unusualness "
                "otherwise: train the model again."
            )
        try:
            first, second, third = (Reference(**part) for part in described["parts"])
            combined = Reference(**described["combined"])
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(f"{folder / FILE} is damaged: {error}.") from error
        return cls(Patterns.load(folder), (first, second, third), combined)


def _evidence(
    encoder: Encoder,
    patterns: Patterns,
    batch: Batch,
    *,
    itself: bool = False,
    progress: Progress | None = None,
    evaluate: Evaluate = in_turn,
) -> Floats:
    """Return the strangest event, the strangest fact and the rarity of the pattern, (N, 3)."""
    surprise = by_batch(encoder, batch, strangest, width=2, progress=progress, evaluate=evaluate)
    rarity = patterns.rarity(batch, itself=itself)
    return np.column_stack([surprise.astype(np.float64), rarity])


def _combined(references: tuple[Reference, Reference, Reference], found: Floats) -> Floats:
    pairs = zip(references, found.T, strict=True)
    event, fact, pattern = (-reference.log_share(column) for reference, column in pairs)
    return np.asarray(np.log1p(np.maximum(event, fact)) + pattern)
