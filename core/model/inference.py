"""What an encoder says about many sequences, batch by batch."""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress

import numpy as np
import numpy.typing as npt
import torch

from core.batch import Batch
from core.errors import BadInput
from core.model.batching import Rows, by_length
from core.model.encoder import POSITIVE, Encoder
from core.model.schemes import binary

Floats = npt.NDArray[np.float32]
Function = Callable[[Encoder, Batch], torch.Tensor]
# Gives rows of the batch, each row once, with what the function says of them.
Answers = Generator[tuple[Rows, torch.Tensor], None, None]
Evaluate = Callable[[Encoder, Batch, Function], Answers]


def in_turn(encoder: Encoder, batch: Batch, function: Function) -> Answers:
    """Evaluate batch after batch in this thread."""
    for rows in by_length(encoder.cost(batch)):
        yield rows, in_memory(encoder, batch.take(rows), function)


@torch.inference_mode()
def by_batch(
    encoder: Encoder,
    batch: Batch,
    function: Function,
    *,
    width: int,
    progress: Callable[[float], None] | None = None,
    evaluate: Evaluate = in_turn,
) -> Floats:
    """Return what `function` says of each sequence, (N, width) float32, whatever their order."""
    encoder.eval()
    rows, parts, done = [], [], 0
    for some, part in evaluate(encoder, batch, function):
        rows.append(some)
        parts.append(part)
        done += len(some)
        if progress is not None:
            progress(done / len(batch))
    found = np.zeros((len(batch), width), dtype=np.float32)
    if rows:
        # One copy at the end: a copy per batch would make the GPU wait each time.
        found[np.concatenate(rows)] = torch.cat(parts).float().cpu().numpy()
    return found


def in_memory(encoder: Encoder, batch: Batch, function: Function) -> torch.Tensor:
    """Return what `function` says of `batch`, in halves where it does not fit a GPU's memory.

    Raises
    ------
    BadInput
        If not even one sequence fits.
    """
    with suppress(torch.OutOfMemoryError):
        return function(encoder, batch)
    torch.cuda.empty_cache()
    if len(batch) == 1:
        raise BadInput(
            f"A sequence of {int(batch.positions[0]):,} events does not fit the free memory of "
            f"{encoder.device}: end what else uses it, or set SPOOR_DEVICE=cpu."
        )
    halves = np.array_split(np.arange(len(batch)), 2)
    return torch.cat([in_memory(encoder, batch.take(half), function) for half in halves])


@contextmanager
def enough_memory(device: torch.device) -> Iterator[None]:
    """Say it in words where a training does not fit the memory of `device`.

    Raises
    ------
    BadInput
        If it does not.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise BadInput(
            f"Training needs more memory than {device} has free: end what else uses it, take a "
            "smaller back-bone, or set SPOOR_DEVICE=cpu."
        ) from error


def probabilities(
    encoder: Encoder,
    batch: Batch,
    *,
    progress: Callable[[float], None] | None = None,
    evaluate: Evaluate = in_turn,
) -> Floats:
    """Return the probability of abuse, (N,) float32."""
    found = by_batch(encoder, batch, _probability, width=1, progress=progress, evaluate=evaluate)
    return found[:, 0]


def embeddings(encoder: Encoder, batch: Batch, *, evaluate: Evaluate = in_turn) -> Floats:
    """Return the vector each sequence is judged by, (N, H) float32."""
    width = int(encoder.bert.config.hidden_size)
    return by_batch(encoder, batch, _embedding, width=width, evaluate=evaluate)


def probabilities_by_kind(
    encoder: Encoder,
    batch: Batch,
    *,
    progress: Callable[[float], None] | None = None,
    evaluate: Evaluate = in_turn,
) -> tuple[Floats, Floats]:
    """Return the probability of abuse, (N,), and of each kind in case it is abuse, (N, K).

    Kinds are those of `core.model.schemes.kinds_of`; the rows of their probabilities sum to 1.
    """
    width = len(encoder.bert.config.id2label)
    found = by_batch(encoder, batch, _by_kind, width=width, progress=progress, evaluate=evaluate)
    return found[:, 0], found[:, 1:]


def judged(encoder: Encoder, batch: Batch) -> torch.Tensor:
    """Return the logits of the classes, (N, K); those of abuse know the counters, too.

    Of the log-odds of transformer, linear model and trees the mean counts. Which kind of abuse the
    transformer says alone.
    """
    logits: torch.Tensor = encoder(batch).float()
    if encoder.counters is None:
        return logits
    both = binary(logits)
    own = both[:, [POSITIVE]] - both[:, [0]]
    mean = torch.cat([own, encoder.counters(batch)], dim=1).mean(1, keepdim=True)
    return torch.cat([logits[:, :POSITIVE], logits[:, POSITIVE:] + mean - own], dim=1)


def _embedding(encoder: Encoder, batch: Batch) -> torch.Tensor:
    return encoder.embed(batch)


def _probability(encoder: Encoder, batch: Batch) -> torch.Tensor:
    return of_abuse(encoder, judged(encoder, batch))


def _by_kind(encoder: Encoder, batch: Batch) -> torch.Tensor:
    logits = judged(encoder, batch)
    temperature = getattr(encoder.bert.config, "scheme_temperature", 1.0)
    kinds = (logits[:, POSITIVE:] / temperature).softmax(-1)
    return torch.cat([of_abuse(encoder, logits), kinds], dim=1)


def of_abuse(encoder: Encoder, logits: torch.Tensor) -> torch.Tensor:
    """Return the probability of abuse, (N, 1), that logits, (N, K), stand for."""
    temperature = getattr(encoder.bert.config, "calibration_temperature", 1.0)
    return (binary(logits) / temperature).softmax(-1)[:, [POSITIVE]]
