from io import BytesIO

from core.store.home import Home
from pages import _common


class Upload(BytesIO):
    name = "../log.csv"


def test_uploads_of_one_name_do_not_replace_each_other(home: Home, monkeypatch) -> None:
    monkeypatch.setattr(_common, "home", lambda: home)
    first, second = _common.keep_upload(Upload(b"one")), _common.keep_upload(Upload(b"two"))
    assert [path.read_bytes() for path in (first, second)] == [b"one", b"two"]
    assert {path.name for path in (first, second)} == {"log.csv"}
    assert {path.parents[1] for path in (first, second)} == {home.uploads}
