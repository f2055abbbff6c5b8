from io import BytesIO

import pytest

from core.store.home import Home
from pages import _uploads


class Upload(BytesIO):
    name = "../log.csv"

    def __init__(self, content: bytes, file_id: str) -> None:
        super().__init__(content)
        self.file_id = file_id


@pytest.fixture(autouse=True)
def _in_this_home(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_uploads, "home", lambda: home)


def test_uploads_of_one_name_do_not_replace_each_other(home: Home) -> None:
    first, second = (_uploads.keep_upload(Upload(sent, sent.decode())) for sent in (b"a", b"b"))
    assert [path.read_bytes() for path in (first, second)] == [b"a", b"b"]
    assert {path.name for path in (first, second)} == {"log.csv"}
    assert {path.parents[1] for path in (first, second)} == {home.uploads}


def test_an_upload_is_written_once_however_often_the_page_runs(home: Home) -> None:
    first, again = (_uploads.keep_upload(Upload(b"a log", "1f")) for _ in range(2))
    assert first == again
    assert list(home.uploads.rglob("*.csv")) == [first]


def test_an_upload_that_is_gone_is_said_to_be(open_page, home: Home) -> None:
    app = open_page("import_log", file=str(home.uploads / "1f" / "log.csv"))
    assert not app.exception
    assert "'log.csv' is gone: an upload is deleted once it is imported" in app.error[
        0
    ].value.replace("\\", "")
