import os
import time
from io import BytesIO

import pytest

from core.store import jobs
from core.store.home import Home
from pages import _uploads


class Upload(BytesIO):
    name = "../log.csv"


@pytest.fixture(autouse=True)
def _in_this_home(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_uploads, "home", lambda: home)


def test_uploads_of_one_name_do_not_replace_each_other(home: Home) -> None:
    first, second = _uploads.keep_upload(Upload(b"one")), _uploads.keep_upload(Upload(b"two"))
    assert [path.read_bytes() for path in (first, second)] == [b"one", b"two"]
    assert {path.name for path in (first, second)} == {"log.csv"}
    assert {path.parents[1] for path in (first, second)} == {home.uploads}


def test_an_upload_that_nobody_imports_is_deleted_after_a_day(home: Home) -> None:
    forgotten, waited_for, of_today = (_uploads.keep_upload(Upload(b"a log")) for _ in range(3))
    with home.engine.begin() as con:
        jobs.enqueue(con, "import", {"path": str(waited_for)}, "ann")
        jobs.enqueue(con, "demo", {}, "ann")
    yesterday = time.time() - 25 * 3600
    for path in (forgotten, waited_for):
        os.utime(path.parent, (yesterday, yesterday))
    new = _uploads.keep_upload(Upload(b"another"))
    assert set(home.uploads.iterdir()) == {path.parent for path in (waited_for, of_today, new)}


def test_an_upload_that_is_gone_is_said_to_be(open_page, home: Home) -> None:
    app = open_page("import_log", file=str(home.uploads / "1f" / "log.csv"))
    assert not app.exception
    assert "'log.csv' is gone: an upload is deleted once it is imported" in app.error[
        0
    ].value.replace("\\", "")
