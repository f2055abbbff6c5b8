import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from core import worker
from core.errors import Conflict
from core.runners import Reporter
from core.store import cases, explanations, jobs
from core.store.home import ABANDONED, UNUSED, Home, now
from core.store.jobs import Job
from core.store.tables import jobs as table
from core.worker import ROOT, ensure_worker, run_job, run_worker


def do(home: Home, kind: str, **arguments: object) -> Job:
    """Ask for a job and let a worker of this process do it."""
    with home.engine.begin() as con:
        job_id = jobs.enqueue(con, kind, dict(arguments), "ann")
    run_worker(home, idle=0)
    with home.engine.connect() as con:
        return jobs.get(con, job_id)


def test_an_import_job_ends_with_its_data_set(home: Home) -> None:
    log = home.path / "log.csv"
    rows = [f"2026-01-01 00:00:{n:02},u{n % 3},view" for n in range(30)]
    log.write_text("\n".join(["time,user_id,action", *rows]))
    job = do(home, "import", path=str(log), name="Small log", mapping=None)
    assert (job.status, job.progress, job.result) == ("done", 1.0, {"dataset": "small-log"})


def test_a_refused_job_says_why_in_one_line(home: Home) -> None:
    job = do(home, "import", path=str(home.path / "absent.csv"))
    assert job.status == "failed"
    assert "absent.csv" in job.message
    assert "\n" not in job.message


def test_a_broken_job_does_not_take_the_worker_with_it(home: Home) -> None:
    with home.engine.begin() as con:
        jobs.enqueue(con, "no such kind", {}, "ann")
    job = do(home, "import", path="absent.csv")
    assert job.status == "failed"
    with home.engine.connect() as con:
        assert jobs.newest(con)["status"].tolist() == ["failed", "failed"]


def test_training_and_scoring_run_as_jobs_with_a_curve(seeded_home: Home) -> None:
    trained = do(seeded_home, "train", dataset="small", parent="finetuned", seed=1, epochs=2)
    assert trained.status == "done", trained.message
    assert [point["epoch"] for point in trained.curve] == [1, 2]
    assert trained.result is not None
    assert trained.result["metrics"]["active"]["model"] == "finetuned"
    scored = do(seeded_home, "score", model=trained.result["model"], dataset="small")
    assert scored.result is not None
    assert scored.result["sequences"] == 60


def test_a_training_whose_worker_was_killed_is_ended_by_the_next_one(seeded_home: Home) -> None:
    with seeded_home.engine.begin() as con:
        job_id = jobs.enqueue(con, "train", {"dataset": "small", "epochs": 12}, "ann")
    command = [sys.executable, "-m", "core", "worker", "--home", str(seeded_home.path)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 300
    phases: list[str] = []
    while "fine-tuning" not in phases:
        assert time.monotonic() < deadline
        time.sleep(0.05)
        with seeded_home.engine.connect() as con:
            phases = [point["phase"] for point in jobs.get(con, job_id).curve]
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with seeded_home.engine.begin() as con:
        assert jobs.get(con, job_id).status == "running"
        con.execute(update(table).values(heartbeat_at=now() - 2 * jobs.LOST_AFTER))
    run_worker(seeded_home, idle=0)
    with seeded_home.engine.connect() as con:
        job = jobs.get(con, job_id)
    assert job.status == "done", job.message
    known = [(point["phase"], point["epoch"]) for point in job.curve]
    assert len(known) == len(set(known))
    assert [epoch for phase, epoch in known if phase == "pre-training"] == list(range(1, 13))
    assert not list(seeded_home.checkpoints.iterdir())


def test_explaining_a_queue_gives_way_and_is_taken_up_again(
    seeded_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.explain.explaining.TOGETHER", 2)
    asked = {"model": "finetuned", "dataset": "small"}
    with seeded_home.engine.begin() as con:
        waiting = cases.queue(con, "small")["sequence_id"].tolist()
        jobs.enqueue(con, "explain", asked, "ann")
        jobs.enqueue(con, "import", {"path": "absent.csv"}, "eva")
    assert len(waiting) > 2
    run_worker(seeded_home, idle=0)
    with seeded_home.engine.connect() as con:
        done = jobs.newest(con).sort_values("id")
        assert done["kind"].tolist() == ["explain", "import", "explain"]
        assert done["status"].tolist() == ["done", "failed", "done"]
        for one in waiting:
            assert explanations.get(con, "finetuned", "small", one) is not None


def test_a_cancelled_job_stops_at_its_next_report(seeded_home: Home) -> None:
    with seeded_home.engine.begin() as con:
        job_id = jobs.enqueue(con, "score", {"model": "finetuned", "dataset": "small"}, "ann")
        job = jobs.claim(con, "me")
        jobs.cancel(con, job_id)
    assert job is not None
    run_job(seeded_home, job)
    with seeded_home.engine.connect() as con:
        assert jobs.get(con, job_id).status == "cancelled"
    assert list((seeded_home.path / "runs").glob(".*")) == []


def test_progress_is_kept_between_0_and_1(home: Home) -> None:
    with home.engine.begin() as con:
        jobs.enqueue(con, "demo", {}, "ann")
        job = jobs.claim(con, "me")
    assert job is not None
    Reporter(home, job).progress(1.7, "past the end")
    with home.engine.connect() as con:
        job = jobs.get(con, job.id)
    assert (job.progress, job.message) == (1.0, "past the end")


def test_a_busy_database_does_not_end_the_signs_of_life(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    beats: list[int] = []

    def busy_at_first(con: object, job_id: int, name: str | None) -> bool:
        beats.append(job_id)
        if len(beats) == 1:
            raise OperationalError("UPDATE", {}, Exception("database is locked"))
        return True

    def wait_for_beats(*given: object) -> dict[str, int]:
        deadline = time.monotonic() + 10
        while len(beats) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        return {"beats": min(len(beats), 3)}

    monkeypatch.setattr(worker, "BEAT", 0.01)
    monkeypatch.setattr(jobs, "heartbeat", busy_at_first)
    monkeypatch.setitem(worker.RUNNERS, "demo", wait_for_beats)
    assert do(home, "demo").result == {"beats": 3}


def test_a_worker_whose_job_was_taken_over_stops_and_leaves_it(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def suspended(home: Home, job: Job, reporter: Reporter) -> dict[str, object]:
        with home.engine.begin() as con:
            con.execute(update(table).values(worker="another"))
        reporter.progress(0.5, "awake again")
        raise AssertionError("went on with a job of another worker")

    monkeypatch.setitem(worker.RUNNERS, "demo", suspended)
    job = do(home, "demo")
    assert (job.status, job.worker, job.progress) == ("running", "another", 0.0)


def test_an_upload_is_gone_after_its_import_and_no_other_log(home: Home) -> None:
    upload, log = home.uploads / "1f" / "log.csv", home.path / "logs" / "log.csv"
    for path in (upload, log):
        path.parent.mkdir()
        path.write_text("user_id,action\nu1,view\nu1,cart\nu2,view\n")
        assert do(home, "import", path=str(path)).status == "done"
    beside = home.uploads / "beside.csv"
    beside.write_text("")
    assert do(home, "import", path=str(beside)).status == "failed"
    assert list(home.uploads.iterdir()) == [beside]
    assert log.exists()


def test_a_worker_begins_by_sweeping(home: Home) -> None:
    leftover = home.path / "runs" / ".run.parquet.1.tmp"
    leftover.parent.mkdir()
    leftover.write_text("half")
    os.utime(leftover, (time.time() - ABANDONED - 60,) * 2)
    run_worker(home, idle=0)
    assert not leftover.exists()


def test_an_upload_stays_for_another_try_when_its_import_fails(home: Home) -> None:
    upload = home.uploads / "1f" / "log.csv"
    upload.parent.mkdir()
    upload.write_text("user_id,action\nu1,view\nu1,cart\nu2,view\n")
    wrong: dict[str, object] = {"roles": {"actor": "shop_id"}}
    assert do(home, "import", path=str(upload), mapping=wrong).status == "failed"
    assert do(home, "import", path=str(upload)).status == "done"
    assert not upload.exists()


def test_an_upload_that_nobody_imports_is_swept_after_a_day(home: Home) -> None:
    forgotten, waited_for, of_today = (home.uploads / name / "log.csv" for name in "abc")
    for path in (forgotten, waited_for, of_today):
        path.parent.mkdir()
        path.write_text("a log")
    for path in (forgotten, waited_for):
        for each in (path, path.parent):
            os.utime(each, (time.time() - UNUSED - 60,) * 2)
    with home.engine.begin() as con:
        jobs.enqueue(con, "import", {"path": str(waited_for)}, "ann")
        jobs.claim(con, "another worker")
    do(home, "no such kind")
    assert sorted(home.uploads.iterdir()) == [waited_for.parent, of_today.parent]


def test_a_home_has_one_worker(home: Home, no_worker: None) -> None:
    with pytest.raises(Conflict, match="running already"):
        run_worker(home, idle=0)
    ensure_worker(home)
    assert not (home.path / "worker.log").exists()


def test_a_page_starts_a_worker_that_does_the_waiting_job(home: Home) -> None:
    with home.engine.begin() as con:
        job_id = jobs.enqueue(con, "import", {"path": "absent.csv"}, "ann")
    ensure_worker(home)
    deadline = time.monotonic() + 60
    status = "queued"
    while status in ("queued", "running") and time.monotonic() < deadline:
        time.sleep(0.2)
        with home.engine.connect() as con:
            status = jobs.get(con, job_id).status
    assert status == "failed"
    with home.engine.connect() as con:
        started = jobs.get(con, job_id).worker
    assert started is not None
    os.kill(int(started.split(":")[1]), signal.SIGTERM)


def test_the_command_line_starts_as_a_process(home: Home) -> None:
    command = [sys.executable, "-m", "core", "models", "--home", str(home.path), "--json"]
    done = subprocess.run(command, cwd=Path(ROOT), capture_output=True, text=True, check=True)
    assert done.stdout == '{"models": []}\n'
    assert done.stderr == ""


def test_robustness_is_measured_as_a_job(seeded_home: Home) -> None:
    job = do(seeded_home, "robustness", model="finetuned", dataset="small")
    assert job.status == "done", job.message
    assert job.result is not None
    assert job.result["model"] == "finetuned"
    refused = do(seeded_home, "robustness", model="nope", dataset="small")
    assert (refused.status, "no model 'nope'" in refused.message) == ("failed", True)
