"""The resident engine: one per process and device, shared by every thread of the process.

Requests wait in one queue, a person's before an explanation's before a run's; those of one model
and one priority are merged into packed batches. A batch takes some hundredths of a second at most,
so nobody waits long for somebody else's. A model lives as long as somebody holds it: after a
promotion requests to the old one are still answered, then its memory is free.
"""

import heapq
import itertools
import threading
import time
from collections import deque
from concurrent.futures import Future
from contextlib import nullcontext
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final
from weakref import WeakKeyDictionary

import torch

from core.batch import Batch, joined
from core.model.batching import Rows, by_length
from core.model.encoder import Encoder
from core.model.inference import Answers, Evaluate, Function, in_memory
from core.scoring.turns import let_persons_first, person_waits

STEP: Final = 0.05  # seconds of one batch on a CPU at most: so long a click waits for a run's
LEAST, FIRST, MOST = 256, 1024, 16_384  # positions of a batch on a CPU; `FIRST` until measured
ON_GPU: Final = 65_536  # positions of a batch on a GPU
AHEAD: Final = 2  # batches that a request has in the queue
REMEMBERED: Final = 100  # batches that the speed is told from


class Priority(IntEnum):
    """Who is served first."""

    CLICK = 0
    EXPLANATION = 1
    RUN = 2


@dataclass(frozen=True)
class Status:
    """What an engine is doing."""

    device: str
    memory: int  # bytes of the models held
    sequences_per_second: float  # while it worked, of late
    waiting: int  # batches in the queue


@dataclass(order=True)
class _Request:
    priority: Priority
    number: int
    encoder: Encoder = field(compare=False)
    function: Function = field(compare=False)
    batch: Batch = field(compare=False)
    cost: int = field(compare=False)
    answer: "Future[torch.Tensor]" = field(compare=False, default_factory=Future)

    def joins(self, other: "_Request") -> bool:
        return (self.priority, self.encoder, self.function) == (
            other.priority,
            other.encoder,
            other.function,
        )


class Engine:
    """Evaluates models on one device, in a thread of its own."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._queue: list[_Request] = []
        self._numbers = itertools.count()
        self._arrived = threading.Condition()
        self._pace: WeakKeyDictionary[Encoder, float] = WeakKeyDictionary()  # seconds a position
        self._done: deque[tuple[int, float]] = deque(maxlen=REMEMBERED)  # sequences, seconds
        self._launched: torch.cuda.Event | None = None
        threading.Thread(target=self._work, name=f"engine on {device}", daemon=True).start()

    def evaluate(self, priority: Priority) -> Evaluate:
        """Return what evaluates a batch through this engine, for `core.model.inference`."""

        def evaluate(encoder: Encoder, batch: Batch, function: Function) -> Answers:
            cost = encoder.cost(batch)
            ahead: deque[tuple[Rows, Future[torch.Tensor]]] = deque()
            try:
                with nullcontext() if priority is Priority.RUN else person_waits():
                    for rows in by_length(cost, self._budget(encoder)):
                        if priority is Priority.RUN:
                            let_persons_first()
                        part, positions = batch.take(rows), int(cost[rows].sum())
                        ahead.append(
                            (rows, self._ask(priority, encoder, function, part, positions))
                        )
                        if len(ahead) == AHEAD:
                            rows, answer = ahead.popleft()
                            yield rows, answer.result()
                    while ahead:
                        rows, answer = ahead.popleft()
                        yield rows, answer.result()
            finally:
                for _, answer in ahead:
                    answer.cancel()

        return evaluate

    def status(self) -> Status:
        """Say what the engine is doing."""
        with self._arrived:
            held, done, waiting = list(self._pace), list(self._done), len(self._queue)
        memory = sum(w.numel() * w.element_size() for one in held for w in one.parameters())
        seconds = sum(taken for _, taken in done)
        speed = sum(count for count, _ in done) / seconds if seconds else 0.0
        return Status(str(self.device), memory, speed, waiting)

    def _ask(
        self, priority: Priority, encoder: Encoder, function: Function, batch: Batch, cost: int
    ) -> "Future[torch.Tensor]":
        with self._arrived:
            request = _Request(priority, next(self._numbers), encoder, function, batch, cost)
            heapq.heappush(self._queue, request)
            self._arrived.notify()
        return request.answer

    def _budget(self, encoder: Encoder) -> int:
        """Return how many positions a batch may have."""
        if self.device.type == "cuda":
            return ON_GPU
        pace = self._pace.get(encoder)
        return FIRST if pace is None else int(min(max(STEP / pace, LEAST), MOST))

    @torch.inference_mode()
    def _work(self) -> None:
        while True:
            self._answer(self._next())  # keeps no request: it would keep a retired model alive

    def _next(self) -> list[_Request]:
        """Wait for requests; return the first with those that can join it."""
        with self._arrived:
            while True:
                while not self._queue:
                    self._arrived.wait()
                first = heapq.heappop(self._queue)
                if first.answer.set_running_or_notify_cancel():
                    break
            chosen, room = [first], self._budget(first.encoder) - first.cost
            while self._queue and self._queue[0].joins(first) and self._queue[0].cost <= room:
                other = heapq.heappop(self._queue)
                if other.answer.set_running_or_notify_cancel():
                    chosen.append(other)
                    room -= other.cost
            return chosen

    def _answer(self, requests: list[_Request]) -> None:
        first = requests[0]
        started = time.perf_counter()
        try:
            batch = joined([request.batch for request in requests])
            found = in_memory(first.encoder, batch, first.function)
            self._wait_for_gpu()
        except Exception as error:
            if len(requests) == 1:
                first.answer.set_exception(error)
            else:  # what is wrong with one must not fail the others
                for request in requests:
                    self._answer([request])
            return
        taken = time.perf_counter() - started
        self._remember(first.encoder, len(batch), taken, sum(one.cost for one in requests))
        sizes = [len(request.batch) for request in requests]
        for request, part in zip(requests, torch.split(found, sizes), strict=True):
            request.answer.set_result(part)

    def _wait_for_gpu(self) -> None:
        """Let the GPU be one batch behind: its work would pile up before the next click."""
        if self.device.type == "cuda":
            before = self._launched
            self._launched = torch.cuda.current_stream(self.device).record_event()
            if before is not None:
                before.synchronize()

    def _remember(self, encoder: Encoder, sequences: int, taken: float, cost: int) -> None:
        with self._arrived:
            known = self._pace.get(encoder, taken / cost)
            self._pace[encoder] = 0.8 * known + 0.2 * taken / cost
            self._done.append((sequences, taken))


_engines: dict[torch.device, Engine] = {}
_opening = threading.Lock()


def engine_on(device: torch.device) -> Engine:
    """Return this process's engine of a device, started when it is asked for first."""
    with _opening:
        if device not in _engines:
            _engines[device] = Engine(device)
        return _engines[device]


def statuses() -> list[Status]:
    """Say what each engine of this process is doing."""
    with _opening:
        running = list(_engines.values())
    return [engine.status() for engine in running]
