from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from core.errors import BadInput
from core.store.home import MIGRATIONS, Home, open_home, writing
from core.store.tables import metadata


def test_the_migrations_make_exactly_the_tables_that_are_declared(home: Home) -> None:
    with home.engine.connect() as con:
        assert compare_metadata(MigrationContext.configure(con), metadata) == []


def test_there_is_one_migration_head() -> None:
    assert len(ScriptDirectory(str(MIGRATIONS)).get_heads()) == 1


def test_a_home_opened_twice_is_the_same(home: Home) -> None:
    assert open_home(home.path).path == home.path


def test_a_home_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot be created"):
        open_home(tmp_path / "file" / "home")


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
