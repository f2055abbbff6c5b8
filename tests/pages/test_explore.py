import gzip

import pytest

from core.store import datasets, jobs
from tests.conftest import small_log


@pytest.fixture
def log_file(home, tmp_path):
    file = tmp_path / "shop log.csv"
    small_log(actors=6).to_csv(file, index=False)
    return file


def _jobs(home):
    with home.engine.connect() as con:
        return jobs.newest(con)


def _press(app, label):
    return next(button for button in app.button if button.label == label).click().run()


@pytest.mark.usefixtures("no_worker")
def test_a_log_is_mapped_by_itself_and_imported_as_a_job(open_page, home, log_file):
    app = open_page("import_log", file=str(log_file))
    chosen = {box.label: box.value for box in app.selectbox}
    assert chosen == {
        "Who acts": "user_id",
        "Session": None,
        "When": "event_time",
        "What is done": "event_type",
        "To which item": "product_id",
        "For how much": "price",
        "Id of the event": None,
        "Times without a zone are taken as": "UTC",
    }
    assert len(app.dataframe[-1].value) == 10
    _press(app, "Import")
    job = _jobs(home).iloc[0]
    assert job["kind"] == "import"
    assert job["arguments"]["path"] == str(log_file)
    assert job["arguments"]["name"] == "shop log"
    assert job["arguments"]["mapping"]["roles"]["actor"] == "user_id"


@pytest.mark.usefixtures("no_worker")
def test_a_corrected_mapping_is_shown_at_once_and_used(open_page, home, log_file):
    app = open_page("import_log", file=str(log_file))
    app.selectbox(key=f"role-actor-{log_file}").select("product_id").run()
    assert "more than one role" in app.error[0].value
    app.selectbox(key=f"role-item-{log_file}").select_index(0).run()
    assert [error.value for error in app.error] == []
    items = small_log(actors=6)["product_id"].nunique()
    assert next(m.value for m in app.metric if m.label == "Actors") == str(items)
    _press(app, "Import")
    assert _jobs(home).iloc[0]["arguments"]["mapping"]["roles"]["actor"] == "product_id"


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.csv", b""),
        ("picture.csv", bytes(range(256)) * 20),
        ("cut.csv.gz", gzip.compress(b"user_id,event_time\n" + b"a,2026-01-01\n" * 9999)[:60]),
    ],
)
def test_what_is_no_log_is_refused_in_words(open_page, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    app = open_page("import_log", file=str(tmp_path / name))
    assert not app.exception
    assert name in app.error[0].value.replace("\\", "")


@pytest.mark.slow
def test_a_data_set_is_deleted_only_by_its_name(open_page, seeded_home):
    app = open_page("data_sets")
    delete = next(button for button in app.button if button.label == "Delete for good")
    assert delete.disabled
    app.text_input(key="typed").set_value("small").run()
    _press(app, "Delete for good")
    with seeded_home.engine.connect() as con:
        assert datasets.all_datasets(con).empty
    assert not seeded_home.dataset_dir("small").exists()


@pytest.mark.slow
def test_outside_labels_are_attached_from_a_file(open_page, seeded_home, tmp_path):
    from core.store import labels

    with seeded_home.engine.begin() as con:
        labels.replace_labels(con, "small", "actor", small_log().head(0).assign(key=[], label=[]))
        assert labels.counts(con, "small") == {}
    app = open_page("data_sets")
    app.file_uploader(key="labels").set_value(
        ("labels.csv", (tmp_path / "labels.csv").read_bytes(), "text/csv")
    ).run()
    _press(app, "Attach")
    assert "60 labels attached to actors" in app.success[0].value
    with seeded_home.engine.connect() as con:
        assert labels.counts(con, "small") == {True: 20, False: 40}
