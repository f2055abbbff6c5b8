"""Training in several processes: the main one leads, all compute gradients.

``torchrun`` starts the processes, here or on several machines, and tells each which it is. Only the
main one reads the log, draws batches, masks and augmentations, goes down the gradient, judges,
keeps checkpoints and writes. At each step it sends the others the weights and their share of the
batch, and the gradients of all are added up. So nothing in a training depends on how many
processes take part, but for three things: rounding (losses and weights agree within 1e-5 after
some steps), which units dropout spares, for each process draws its own (none without dropout), and
which windows of a long text are drawn.

This is data parallelism with synchronous steps, as in Accelerate or DistributedDataParallel (Li et
al., VLDB 2020), but neither of them: both average what the processes found, although these saw
different numbers of hidden tokens, and both watch a model's `forward`, while pre-training asks for
`masked`. Weights out and gradients back are together as many numbers as their all-reduce moves.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from datetime import timedelta
from functools import partial
from types import FrameType
from typing import Any, Final, Protocol, Self

import torch
import torch.distributed as dist
from torch import Tensor, nn

from core.errors import BadInput
from core.model.encoder import Encoder
from core.model.inference import enough_memory

PATIENCE: Final = timedelta(days=7)  # the others wait while the main process reads and judges
LOST: Final = (
    "Another process of this training ended, or torchrun was stopped, so the training stops; no "
    "model was registered. Was one killed, perhaps for want of memory? The same command goes on "
    "from the last checkpoint."
)


class Step(Protocol):
    """What one step learns from: a mean over its sequences, tokens or units."""

    def share(self, number: int, processes: int) -> Self | None:
        """Return the part of process `number`; None if there is too little for all."""

    def loss(self, encoder: Encoder) -> Tensor:
        """Return the loss, (); the losses of all shares add up to that of the whole."""


# Adds the gradient of a step's loss, divided by the last argument, to that of the encoder, and
# returns the loss. The second argument is the seed of the dropout.
Add = Callable[[Step, int, int], Tensor]


@contextmanager
def processes(find_device: Callable[[], torch.device]) -> Iterator[bool]:
    """Join the processes that torchrun started; give whether this is the main one.

    The others compute shares of gradients, until the main one has left the block, and only then
    enter it themselves. Without torchrun there is the main one only.

    Parameters
    ----------
    find_device
        Says what this process computes on; each of several takes a GPU of its own.

    Raises
    ------
    BadInput
        If there are too few GPUs, or another process ended before its time.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield True
        return
    device = _own(find_device())
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    with _peers():
        dist.init_process_group(backend, timeout=PATIENCE)
    rank = dist.get_rank()
    try:
        with _ended_by_torchrun():
            if rank > 0:
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process hears it
                _follow(device)
            yield rank == 0
    except BadInput as error:
        if rank > 1:  # the second says it too, for the main one may be what was killed
            raise SystemExit(1) from error
        raise
    finally:
        if rank == 0 and dist.is_initialized():
            _broadcast(None)
        _leave()


@contextmanager
def shared(encoder: Encoder) -> Iterator[Add]:
    """Let all processes of this training compute gradients of `encoder`; give what adds them.

    Raises
    ------
    BadInput
        While steps are added: if one does not fit the device's memory, or another process ended
        before its time.
    """
    if not dist.is_initialized():
        yield partial(_alone, encoder)
        return
    _broadcast(deepcopy(encoder).cpu())
    try:
        yield partial(_together, encoder)
    finally:
        if dist.is_initialized():
            _scatter([None] * dist.get_world_size())


def _alone(encoder: Encoder, step: Step, seed: int, accumulate: int) -> Tensor:
    torch.manual_seed(seed)
    with enough_memory(encoder.device):
        loss = step.loss(encoder)
        (loss / accumulate).backward()  # type: ignore[no-untyped-call]
    return loss.detach()


def _together(encoder: Encoder, step: Step, seed: int, accumulate: int) -> Tensor:
    """Do what `_alone` does, with all processes."""
    size = dist.get_world_size()
    torch.manual_seed(seed)
    seeds = torch.randint(2**62, (size,)).tolist()
    shares = [step.share(number, size) for number in range(size)]
    try:
        own = _scatter(list(zip(shares, seeds, [accumulate] * size, strict=True)))
        _broadcast_weights(encoder)
        return _add_share(encoder, *own)
    except BaseException:
        _leave()  # the others are amid this step, and cannot be told otherwise
        raise


def _follow(device: torch.device) -> None:
    """Compute shares of one training phase after the other, until the main process has done all."""
    while (encoder := _broadcast(None)) is not None:
        encoder.to(device).train()
        while (told := _scatter(None)) is not None:
            _broadcast_weights(encoder)
            encoder.zero_grad()
            _add_share(encoder, *told)


def _add_share(encoder: Encoder, share: Step | None, seed: int, accumulate: int) -> Tensor:
    """Add the gradient of a share; in the main process those of the others too.

    What was added there before is in the sum once, for the others come without.
    """
    weights = _trained(encoder)
    loss = torch.zeros((), device=encoder.device)
    if share is not None:
        loss = _alone(encoder, share, seed, accumulate)
    used = torch.tensor([float(one.grad is not None) for one in weights], device=encoder.device)
    found = [torch.zeros_like(one) if one.grad is None else one.grad for one in weights]
    summed = torch.cat([loss.float()[None], used, *(one.flatten() for one in found)])
    with _peers():
        dist.reduce(summed, dst=0)
    if dist.get_rank() == 0:
        sizes = [1, len(weights), *(one.numel() for one in weights)]
        loss, used, *found = torch.split(summed, sizes)
        for one, gradient, anywhere in zip(weights, found, used.tolist(), strict=True):
            one.grad = gradient.view_as(one) if anywhere else None
    return loss.squeeze()


def _broadcast_weights(encoder: Encoder) -> None:
    weights = _trained(encoder)
    told = nn.utils.parameters_to_vector(weights).detach()
    with _peers():
        dist.broadcast(told, src=0)
    if dist.get_rank() > 0:
        nn.utils.vector_to_parameters(told, weights)


def _trained(encoder: Encoder) -> list[nn.Parameter]:
    return [one for one in encoder.parameters() if one.requires_grad]


def _broadcast(told: Any) -> Any:
    """Return what the main process gives."""
    held = [told]
    with _peers():
        dist.broadcast_object_list(held, src=0)
    return held[0]


def _scatter(told: list[Any] | None) -> Any:
    """Return this process's part of what the main process gives, one for each."""
    held = [None]
    with _peers():
        dist.scatter_object_list(held, told, src=0)
    return held[0]


@contextmanager
def _peers() -> Iterator[None]:
    """Say clearly what it means when the others cannot be reached; never leave half a message."""
    try:
        yield
    except BaseException as error:
        if isinstance(error, RuntimeError):
            _end_undisturbed()
        _leave()
        if isinstance(error, RuntimeError):
            raise BadInput(LOST) from error
        raise


@contextmanager
def _ended_by_torchrun() -> Iterator[None]:
    """Let the signal by which torchrun ends all processes, once one has died, end this clearly."""

    def end(number: int, frame: FrameType | None) -> None:
        _end_undisturbed()
        raise BadInput(LOST)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except BaseException:
        _end_undisturbed()
        raise
    signal.signal(signal.SIGTERM, before)


def _end_undisturbed() -> None:
    """Let no signal of torchrun interrupt what this process still writes and says of its end."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


def _own(device: torch.device) -> torch.device:
    """Return the device of this one of several processes."""
    if device.type != "cuda":
        return device
    found, needed = torch.cuda.device_count(), int(os.environ["LOCAL_WORLD_SIZE"])
    if str(device) != "cuda" or needed > found:
        raise BadInput(
            f"{needed} processes train here, each on a GPU of its own, and this machine has "
            f"{found}: start as many as there are GPUs, and leave SPOOR_DEVICE out, or set it to "
            "cpu."
        )
    own = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    torch.cuda.set_device(own)
    return own
