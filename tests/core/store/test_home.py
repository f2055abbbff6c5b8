import multiprocessing
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from filelock import FileLock
from sqlalchemy import Engine, create_engine, event, inspect, make_url, select
from sqlalchemy.exc import OperationalError

from core.errors import BadInput
from core.store import audit
from core.store.home import ABANDONED, HEAD, MIGRATIONS, Home, open_home, sweep, writing
from core.store.tables import audit as audit_table
from core.store.tables import metadata


def test_the_migrations_make_exactly_the_tables_that_are_declared(home: Home) -> None:
    with home.engine.connect() as con:
        assert compare_metadata(MigrationContext.configure(con), metadata) == []


def test_there_is_one_migration_head() -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_heads() == [HEAD]


def test_a_home_of_an_older_version_keeps_what_it_holds(home: Home) -> None:
    with home.engine.begin() as con:
        audit.record(con, "eva", "promote", "model", {})
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = con
        command.downgrade(config, "0001")
    assert "trainings" not in tables(home.path / "spoor.db")
    again = open_home(home.path)
    assert "trainings" in tables(home.path / "spoor.db")
    with again.engine.connect() as con:
        assert con.execute(select(audit_table.c.analyst)).scalars().all() == ["eva"]


def judge_a_case_at(home: Home, version: str) -> None:
    """Take `home` back to an older version of the tables, with a verdict in it."""
    created = "'2026-01-01 00:00:00'"
    with home.engine.begin() as con:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = con
        command.downgrade(config, version)
        for row in (
            f"datasets VALUES ('log', 'log', '', '{{}}', '{{}}', 0, 0, 0, 0, 0, 0, {created})",
            "models VALUES ('m', 'anomaly', 'probability', 'active', 'log', NULL, .5, '{}', "
            f"{created}, NULL)",
            f"runs VALUES ('run', 'm', 'log', 1, 1.0, {created})",
            "cases VALUES (7, 'log', 'ann', 'run', 's1', '[]', .9, 3, NULL, NULL, 'score', 1.0, "
            f"{created})",
            "verdicts VALUES (1, 7, 'eva', 'confirmed', NULL, '', '[]', '[]', '[]', 1.0, .9, "
            f"{created}, NULL)",
        ):
            con.exec_driver_sql(f"INSERT INTO {row}")
        con.exec_driver_sql("UPDATE sqlite_sequence SET seq = 9 WHERE name = 'cases'")


def test_a_migration_that_replaces_a_table_keeps_the_verdicts_on_its_rows(home: Home) -> None:
    """SQLite deletes what refers to a table that is dropped, unless it is told not to."""
    judge_a_case_at(home, "0002")
    again = open_home(home.path)
    with again.engine.begin() as con:
        assert con.exec_driver_sql("SELECT case_id, analyst FROM verdicts").all() == [(7, "eva")]
        assert con.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        # a freed number would send a stale click to another actor
        assert (
            con.exec_driver_sql(
                "INSERT INTO cases SELECT NULL, dataset_id, 'bob', run_id, sequence_id, flagged, "
                "score, events, amount, last_ts, 'margin', propensity, created_at, NULL, NULL "
                "FROM cases RETURNING id"
            ).scalar()
            == 10
        )


@pytest.mark.parametrize("room", [0, 1, 2], ids="{} pages left".format)
def test_a_migration_that_a_full_disk_stops_is_done_when_there_is_room_again(
    home: Home, room: int
) -> None:
    judge_a_case_at(home, "0003")
    with home.engine.connect() as con:
        con.exec_driver_sql("VACUUM")
        pages = con.exec_driver_sql("PRAGMA page_count").scalar()

    def fill(connection: Any, _record: Any) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages + room}").close()

    event.listen(Engine, "connect", fill)
    try:
        with pytest.raises(BadInput, match="disk is full"):
            open_home(home.path)
    finally:
        event.remove(Engine, "connect", fill)
    with open_home(home.path).engine.connect() as con:
        assert compare_metadata(MigrationContext.configure(con), metadata) == []
        assert con.exec_driver_sql("SELECT case_id, analyst FROM verdicts").all() == [(7, "eva")]


def test_a_home_opened_twice_is_the_same(home: Home) -> None:
    assert open_home(home.path).path == home.path


def test_a_home_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot be created"):
        open_home(tmp_path / "file" / "home")


def tables(database: Path) -> list[str]:
    engine = create_engine(f"sqlite:///{database}")
    found = inspect(engine).get_table_names()
    engine.dispose()
    return found


def test_a_fresh_home_is_migrated_by_one_process_at_a_time(tmp_path: Path) -> None:
    with FileLock(tmp_path / "migrate.lock"):
        other = multiprocessing.get_context("spawn").Process(target=open_home, args=(tmp_path,))
        other.start()
        other.join(timeout=4)
        assert tables(tmp_path / "spoor.db") == []
    other.join(timeout=60)
    assert other.exitcode == 0
    assert "cases" in tables(tmp_path / "spoor.db")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql+pg8000://ann:secret@localhost/x", "pip install pg8000"),
        ("postgresql://ann:secret@localhost:port/x", "Accepted: a URL"),
        ("ann:secret", "Accepted: a URL"),
    ],
)
def test_a_database_that_cannot_be_used_is_refused_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, said: str
) -> None:
    monkeypatch.setenv("SPOOR_DATABASE_URL", url)
    with pytest.raises(BadInput, match=said) as refused:
        open_home(tmp_path)
    assert "secret" not in str(refused.value)


def test_a_database_that_does_not_answer_is_named_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable() -> None:
        raise OperationalError("SELECT 1", {}, Exception("connection refused"))

    def engine_of(url: str) -> SimpleNamespace:
        dialect = SimpleNamespace(name="postgresql")
        return SimpleNamespace(url=make_url(url), dialect=dialect, connect=unreachable)

    monkeypatch.setattr("core.store.home.create_engine", engine_of)  # no such driver is installed
    monkeypatch.setenv("SPOOR_DATABASE_URL", "postgresql://ann:secret@localhost/x")
    with pytest.raises(
        BadInput, match=r"ann:\*\*\*@localhost/x cannot be opened.*refused"
    ) as refused:
        open_home(tmp_path)
    assert "secret" not in str(refused.value)


def test_a_home_that_cannot_be_locked_is_refused(tmp_path: Path) -> None:
    (tmp_path / "migrate.lock").mkdir()
    with pytest.raises(BadInput, match="cannot be opened"):
        open_home(tmp_path)


def test_what_killed_processes_left_is_swept_but_not_what_is_being_written(home: Home) -> None:
    long_ago = time.time() - ABANDONED - 60
    names = ["models/.m.1.tmp", "datasets/.d.1.tmp", "runs/.r.1.tmp", "scratch/spoor-1"]
    for name in names:
        (home.path / name).mkdir(parents=True)
        (home.path / name / "part").write_text("half")
        os.utime(home.path / name / "part", (long_ago, long_ago))
        os.utime(home.path / name, (long_ago, long_ago))
    kept = ["runs/.live.2.tmp", "scratch/spoor-2", "models/m", "runs/r.parquet"]
    for name in kept:
        (home.path / name).mkdir()
    for name in ("models/m", "runs/r.parquet"):
        os.utime(home.path / name, (long_ago, long_ago))
    sweep(home)
    assert not [name for name in names if (home.path / name).exists()]
    assert [name for name in kept if (home.path / name).exists()] == kept


def test_a_failed_write_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "kept.txt"
    target.write_text("before")

    def fail_halfway() -> None:
        with writing(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    for content in ("old", "new"):
        with writing(tmp_path / "folder") as folder:
            folder.mkdir()
            (folder / content).write_text(content)
    assert [file.name for file in (tmp_path / "folder").iterdir()] == ["new"]
