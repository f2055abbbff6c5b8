"""Many threads, one engine: every request is answered, a person's first, and models come and go."""

import fcntl
import gc
import os
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.batch import Batch, joined
from core.errors import BadInput
from core.logs.frames import read_events, read_sequences
from core.model.encoder import Encoder
from core.model.inference import Function, by_batch
from core.scoring.engine import Scorer
from core.scoring.resident import Engine, Priority, engine_on
from core.scoring.turns import let_persons_first, person_waits
from core.store.home import Home

CPU = torch.device("cpu")


@pytest.fixture
def scorer(seeded_home: Home) -> Scorer:
    return Scorer.load(seeded_home.model_dir("finetuned"), CPU)


@pytest.fixture
def batch(seeded_home: Home, scorer: Scorer) -> Batch:
    events, sequences = read_events(seeded_home, "small"), read_sequences(seeded_home, "small")
    return scorer.encoder.tokenizer.encode(events, sequences)


def test_requests_of_many_threads_get_their_own_answers(scorer: Scorer, batch: Batch) -> None:
    expected = scorer.predict_proba(batch)[:, 1]
    rng = np.random.default_rng(0)
    asked = [rng.choice(len(batch), rng.integers(1, 9), replace=False) for _ in range(40)]

    def ask(rows: np.ndarray) -> np.ndarray:
        return scorer.at(Priority(len(rows) % 3)).predict_proba(batch.take(rows))[:, 1]

    with ThreadPoolExecutor(8) as pool:
        for rows, answer in zip(asked, pool.map(ask, asked), strict=True):
            np.testing.assert_allclose(answer, expected[rows], atol=1e-5)


class Stopped(BaseException):
    """As Streamlit's own when a session runs its page again: no Exception."""


@pytest.mark.parametrize("priority", [Priority.CLICK, Priority.RUN])
def test_who_asks_can_stop_after_a_batch_and_leaves_nothing_behind(
    scorer: Scorer, batch: Batch, priority: Priority
) -> None:
    heard: list[int] = []

    def stop() -> None:
        heard.append(engine_on(CPU).status().waiting)
        if len(heard) == 2:
            raise Stopped

    asked = replace(scorer, priority=priority, after_batch=stop)
    many = joined([batch] * 20)
    with pytest.raises(Stopped) as raised:  # held: so the frames of who asked live on
        asked.predict_proba(many)
    assert len(heard) == 2
    began = time.monotonic()
    let_persons_first()
    assert time.monotonic() - began < 1
    assert scorer.predict_proba(batch.take([0])).shape == (1, 2)
    assert engine_on(CPU).status().waiting == 0
    del raised


def counting(sizes: list[int], busy: threading.Event, go: threading.Event) -> Function:
    def function(encoder: Encoder, batch: Batch) -> torch.Tensor:
        busy.set()
        go.wait(10)
        sizes.append(len(batch))
        return torch.zeros((len(batch), 1))

    return function


def test_what_waits_is_merged_and_a_person_goes_first(scorer: Scorer, batch: Batch) -> None:
    engine, busy, go, served = Engine(CPU), threading.Event(), threading.Event(), []
    function = counting(served, busy, go)

    def ask(rows: list[int], priority: Priority) -> None:
        part = batch.take(rows)
        by_batch(scorer.encoder, part, function, width=1, evaluate=engine.evaluate(priority))

    with ThreadPoolExecutor(8) as pool:
        pool.submit(ask, [0], Priority.RUN)
        assert busy.wait(10)
        for rows in ([1, 2, 3, 4], [5, 6, 7]):
            pool.submit(ask, rows, Priority.EXPLANATION)
        until(lambda: engine.status().waiting == 2)
        pool.submit(ask, [8, 9], Priority.CLICK)
        until(lambda: engine.status().waiting == 3)
        go.set()
    assert served == [1, 2, 7]


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    for _ in range(int(seconds / 0.01)):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never came to be")


def test_a_bad_request_fails_alone(scorer: Scorer, batch: Batch) -> None:
    engine, busy, go = Engine(CPU), threading.Event(), threading.Event()
    long = Batch(batch.ids, batch.field, (batch.event * 60).astype(np.int16), batch.offsets)

    def function(encoder: Encoder, part: Batch) -> torch.Tensor:
        busy.set()
        go.wait(10)
        return encoder(part)

    def ask(part: Batch) -> np.ndarray:
        evaluate = engine.evaluate(Priority.CLICK)
        return by_batch(scorer.encoder, part, function, width=2, evaluate=evaluate)

    with ThreadPoolExecutor(3) as pool:
        pool.submit(ask, batch.take([0]))
        assert busy.wait(10)
        bad, good = pool.submit(ask, long.take([0])), pool.submit(ask, batch.take([1]))
        until(lambda: engine.status().waiting == 2)
        go.set()
        assert good.result().shape == (1, 2)
        with pytest.raises(BadInput, match="reads at most"):
            bad.result()


def test_no_memory_to_merge_requests_leaves_an_engine_that_answers_each(
    scorer: Scorer, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, busy, go, served = Engine(CPU), threading.Event(), threading.Event(), []
    function = counting(served, busy, go)

    def only_one(parts: list[Batch]) -> Batch:
        if len(parts) > 1:
            raise MemoryError
        return joined(parts)

    def ask(rows: list[int]) -> np.ndarray:
        evaluate = engine.evaluate(Priority.CLICK)
        return by_batch(scorer.encoder, batch.take(rows), function, width=1, evaluate=evaluate)

    monkeypatch.setattr("core.scoring.resident.joined", only_one)
    with ThreadPoolExecutor(3) as pool:
        pool.submit(ask, [0])
        assert busy.wait(10)
        waiting = [pool.submit(ask, rows) for rows in ([1], [2, 3])]
        until(lambda: engine.status().waiting == 2)
        go.set()
        assert [len(future.result(timeout=10)) for future in waiting] == [1, 2]


def test_a_new_model_takes_over_without_a_lost_request_and_the_old_one_s_memory_is_freed(
    seeded_home: Home, batch: Batch
) -> None:
    held = {"model": Scorer.load(seeded_home.model_dir("finetuned"), CPU)}
    old = weakref.ref(held["model"].encoder)
    stop = threading.Event()

    def ask() -> int:
        answered = 0
        while not stop.is_set():
            answered += len(held["model"].at(Priority.CLICK).predict_proba(batch.take([0, 1])))
        return answered

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        time.sleep(0.1)
        held["model"] = Scorer.load(seeded_home.model_dir("pretrained"), CPU)
        time.sleep(0.1)
        stop.set()
        assert all(future.result() > 0 for future in asking)
    gc.collect()
    assert old() is None


def test_too_little_memory_halves_the_batch(scorer: Scorer, batch: Batch) -> None:
    sizes: list[int] = []

    def function(encoder: Encoder, part: Batch) -> torch.Tensor:
        sizes.append(len(part))
        if len(part) > 4:
            raise torch.OutOfMemoryError
        return encoder(part)

    evaluate = Engine(CPU).evaluate(Priority.RUN)
    some = batch.take(np.arange(10))
    found = by_batch(scorer.encoder, some, function, width=2, evaluate=evaluate)
    assert max(sizes) == 10
    assert sorted(size for size in sizes if size <= 4) == [2, 2, 3, 3]
    with torch.inference_mode():
        np.testing.assert_allclose(found, scorer.encoder(some).numpy(), atol=1e-5)

    def never(encoder: Encoder, part: Batch) -> torch.Tensor:
        raise torch.OutOfMemoryError

    with pytest.raises(BadInput, match="does not fit"):
        by_batch(scorer.encoder, some, never, width=2, evaluate=evaluate)


def test_an_engine_tells_what_it_does(scorer: Scorer, batch: Batch) -> None:
    engine = Engine(CPU)
    assert engine.status().sequences_per_second == 0

    def function(encoder: Encoder, part: Batch) -> torch.Tensor:
        return encoder(part)

    many = joined([batch] * 3)
    by_batch(scorer.encoder, many, function, width=2, evaluate=engine.evaluate(Priority.RUN))
    status = engine.status()
    assert status.device == "cpu"
    assert status.memory == sum(4 * weight.numel() for weight in scorer.encoder.parameters())
    assert status.sequences_per_second > 0
    assert status.waiting == 0


RUN = """
import sys, time
from core.scoring.turns import let_persons_first
while True:
    let_persons_first()
    print(time.monotonic(), flush=True)
    time.sleep(0.002)
"""


def test_the_runs_of_other_processes_pause_while_a_person_waits() -> None:
    root = Path(__file__).parents[3]
    run = subprocess.Popen([sys.executable, "-c", RUN], cwd=root, stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    try:
        run.stdout.readline()
        with person_waits():
            began = time.monotonic()
            time.sleep(0.3)
            ended = time.monotonic()
        steps = [float(run.stdout.readline())]
        while steps[-1] < ended:
            steps.append(float(run.stdout.readline()))
    finally:
        run.kill()
        run.wait()
    assert not [step for step in steps if began + 0.05 < step < ended]


def test_a_run_goes_on_in_the_end_however_many_persons_wait() -> None:
    with person_waits():
        began = time.monotonic()
        let_persons_first()
    assert 1 < time.monotonic() - began < 10


def test_a_killed_process_keeps_nobody_waiting() -> None:
    holding = (
        "from core.scoring.turns import person_waits\n"
        "with person_waits(): print(1, flush=True); input()"
    )
    root = Path(__file__).parents[3]
    other = subprocess.Popen(
        [sys.executable, "-c", holding],
        cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert other.stdout is not None
    other.stdout.readline()
    other.kill()
    other.wait()
    began = time.monotonic()
    let_persons_first()
    assert time.monotonic() - began < 1


@pytest.fixture
def turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the locks, not made yet and no other process's."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / f"spoor-{os.getuid()}"


def test_nobody_else_can_enter_the_folder_of_the_locks(turns: Path) -> None:
    let_persons_first()
    assert turns.stat().st_mode & 0o777 == 0o700
    assert (turns / "turns").stat().st_mode & 0o777 == 0o600


def test_a_lock_that_is_never_given_back_does_not_stop_a_click(
    scorer: Scorer, batch: Batch, turns: Path
) -> None:
    let_persons_first()
    with (turns / "turns").open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        began = time.monotonic()
        assert len(scorer.at(Priority.CLICK).predict_proba(batch.take([0]))) == 1
    assert 1 < time.monotonic() - began < 10


def test_a_folder_that_cannot_be_made_stops_no_score(
    scorer: Scorer, batch: Batch, turns: Path
) -> None:
    turns.write_text("in its place")
    for priority in Priority:
        assert len(scorer.at(priority).predict_proba(batch.take([0]))) == 1


def test_a_folder_of_another_user_is_not_used(turns: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = os.getuid() + 1  # asks as somebody else for what is this user's
    folder = turns.with_name(f"spoor-{other}")
    folder.mkdir()
    monkeypatch.setattr(os, "getuid", lambda: other)
    with person_waits():
        let_persons_first()
    assert list(folder.iterdir()) == []


def test_a_weight_that_is_no_number_is_refused(seeded_home: Home, scorer: Scorer) -> None:
    folder = seeded_home.model_dir("finetuned")
    with torch.no_grad():
        scorer.encoder.bert.classifier.weight[0, 0] = torch.nan
    scorer.encoder.bert.save_pretrained(folder)
    with pytest.raises(BadInput, match=r"classifier\.weight holds what is no number"):
        Scorer.load(folder)


@pytest.mark.parametrize("asked", ["cuda:99", "gpu", "meta"])
def test_a_device_that_is_not_there_is_refused(
    seeded_home: Home, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    monkeypatch.setenv("SPOOR_DEVICE", asked)
    with pytest.raises(BadInput, match=f"SPOOR_DEVICE={asked}.*Accepted: cpu, cuda"):
        Scorer.load(seeded_home.model_dir("finetuned"))
