from datetime import timedelta

import pytest
from sqlalchemy import update

from core.errors import Conflict
from core.store import jobs
from core.store.home import Home, now
from core.store.tables import jobs as table


def enqueue(home: Home, kind: str = "score") -> int:
    with home.engine.begin() as con:
        return jobs.enqueue(con, kind, {}, "ann")


def claim(home: Home, worker: str = "w1") -> jobs.Job | None:
    with home.engine.begin() as con:
        return jobs.claim(con, worker)


def fall_silent(home: Home, job_id: int) -> None:
    long_ago = now() - jobs.LOST_AFTER - timedelta(seconds=1)
    with home.engine.begin() as con:
        con.execute(update(table).where(table.c.id == job_id).values(heartbeat_at=long_ago))


def test_a_job_is_claimed_once_and_the_oldest_first(home: Home) -> None:
    first, second = enqueue(home), enqueue(home)
    assert [job.id if (job := claim(home)) else None for _ in range(3)] == [first, second, None]


def test_a_job_whose_worker_went_silent_is_taken_over(home: Home) -> None:
    job_id = enqueue(home)
    claim(home)
    assert claim(home, "w2") is None
    fall_silent(home, job_id)
    again = claim(home, "w2")
    assert again is not None
    assert (again.id, again.worker, again.attempts) == (job_id, "w2", 2)


def test_a_worker_that_wakes_up_leaves_alone_what_another_took_over(home: Home) -> None:
    job_id = enqueue(home)
    claim(home, "w1")
    fall_silent(home, job_id)
    claim(home, "w2")
    with home.engine.begin() as con:
        assert jobs.heartbeat(con, job_id, "w1", progress=0.9) is False
        assert jobs.finish(con, job_id, "w1", "failed", "woke up late") is False
        job = jobs.get(con, job_id)
        assert (job.status, job.worker, job.progress) == ("running", "w2", 0.0)
        assert jobs.heartbeat(con, job_id, "w2", progress=0.2) is True
        assert jobs.finish(con, job_id, "w2", "done", "done") is True
        assert jobs.heartbeat(con, job_id, "w2") is False


def test_a_job_that_kills_its_workers_is_given_up(home: Home) -> None:
    job_id = enqueue(home)
    for _ in range(jobs.MAX_ATTEMPTS):
        assert claim(home) is not None
        fall_silent(home, job_id)
    assert claim(home) is None
    with home.engine.begin() as con:
        jobs.give_up_lost(con)
        assert jobs.get(con, job_id).status == "failed"


def test_cancelling_ends_a_waiting_job_at_once_and_a_running_one_at_its_next_beat(
    home: Home,
) -> None:
    running, waiting = enqueue(home), enqueue(home)
    claim(home)
    with home.engine.begin() as con:
        jobs.cancel(con, running)
        jobs.cancel(con, waiting)
        assert jobs.get(con, waiting).status == "cancelled"
        assert jobs.heartbeat(con, running, "w1", progress=0.5) is False
        jobs.finish(con, running, "w1", "cancelled", "cancelled")
        with pytest.raises(Conflict, match="cancelled already"):
            jobs.cancel(con, running)


def test_jobs_without_a_sign_of_life_are_neglected(home: Home) -> None:
    long_ago = now() - 2 * jobs.LOST_AFTER
    with home.engine.begin() as con:
        assert not jobs.neglected(jobs.unfinished(con))
        first = jobs.enqueue(con, "train", {}, "ann")
        assert not jobs.neglected(jobs.unfinished(con))  # a worker may be on its way
        con.execute(update(table).values(created_at=long_ago))
        assert jobs.neglected(jobs.unfinished(con))
        jobs.enqueue(con, "train", {}, "ann")
        con.execute(update(table).values(created_at=long_ago))
        jobs.claim(con, "w1")
        assert not jobs.neglected(jobs.unfinished(con))  # a worker is busy with another
        con.execute(update(table).where(table.c.id == first).values(heartbeat_at=long_ago))
        assert jobs.neglected(jobs.unfinished(con))
