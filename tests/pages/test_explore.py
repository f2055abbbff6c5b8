import gzip
import os

import pandas as pd
import pytest

from core.logs.engine import connect, scratch_folder
from core.logs.importing import import_log
from core.logs.reader import open_log
from core.store import datasets, jobs
from pages._format import describe_format
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


@pytest.mark.usefixtures("no_worker")
def test_the_files_of_a_pattern_are_one_log(open_page, home, log_file):
    small_log(actors=6, seed=1).to_csv(log_file.with_name("another.csv"), index=False)
    pattern = log_file.parent / "*.csv"
    app = open_page("import_log", file=str(pattern))
    assert not app.error
    assert next(m.value for m in app.metric if m.label == "Actors") == "6"
    _press(app, "Import")
    arguments = _jobs(home).iloc[0]["arguments"]
    assert (arguments["path"], arguments["name"]) == (str(pattern), log_file.parent.name)


@pytest.mark.usefixtures("no_worker")
def test_how_long_a_log_lasted_is_said_in_hours_and_minutes(open_page, tmp_path):
    log = tmp_path / "morning.csv"
    log.write_text("time,user_id\n2026-01-01 08:00,u1\n2026-01-01 10:50,u1\n")
    app = open_page("import_log", file=str(log))
    said = "2026-01-01 10:50 UTC, 2 h 50 min."
    assert any(said in caption.value.replace("\\", "") for caption in app.caption)


@pytest.mark.usefixtures("no_worker")
def test_a_file_of_a_folder_that_changed_is_looked_at_again(open_page, log_file):
    other = log_file.with_name("another.csv")
    small_log(actors=6).to_csv(other, index=False)
    app = open_page("import_log", file=str(log_file.parent))
    assert next(m.value for m in app.metric if m.label == "Actors") == "6"
    folder = log_file.parent.stat().st_mtime
    small_log(actors=9).to_csv(other, index=False)
    os.utime(log_file.parent, (folder, folder))
    app.run()
    assert next(m.value for m in app.metric if m.label == "Actors") == "9"


@pytest.mark.usefixtures("no_worker")
def test_a_path_that_the_disk_refuses_is_refused_in_words(open_page):
    app = open_page("import_log", file="/x" * 5000)
    assert not app.exception
    assert "File name too long" in app.error[0].value


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("user,item\nu1,1\nu1,2\n", "text with columns separated by commas, utf-8"),
        ("user item\nu1 1\nu1 2\n", "text with columns separated by spaces, utf-8"),
        ('{"user": "u1"}\n{"user": "u1"}\n', "a JSON object per line, utf-8"),
        (
            "October\nuser;item\nu1;1\nu1;2\n",
            "text with columns separated by semicolons, utf-8, the first row is left out",
        ),
        (
            "u1|view|1\nu1|view|2\n",
            "text with columns separated by bars, utf-8, no row names the columns",
        ),
    ],
)
def test_how_a_file_is_written_is_said_in_words(content, words):
    format = open_format(content)
    assert describe_format(format) == words


def open_format(content):
    with scratch_folder() as scratch, connect(scratch) as con:
        (scratch / "log").write_text(content)
        return open_log(con, scratch / "log", scratch).format


@pytest.mark.usefixtures("no_worker")
def test_where_the_table_begins_is_said_and_can_be_changed(open_page, home, tmp_path):
    file = tmp_path / "log.csv"
    small_log(actors=6).to_csv(file, index=False)
    file.write_text("October\nmade by,the shop,for,all,who,ask\n" + file.read_text())
    app = open_page("import_log", file=str(file))
    app.number_input(key=f"skip-{file}").set_value(2).run()
    assert not app.exception
    assert any("the first 2 rows are left out" in said.value for said in app.markdown)
    _press(app, "Import")
    mapping = _jobs(home).iloc[0]["arguments"]["mapping"]
    assert (mapping["format"]["skip"], mapping["roles"]["actor"]) == (2, "user_id")


@pytest.fixture
def flawed_log(tmp_path):
    log = small_log(actors=6).astype({"price": object, "event_time": object})
    log.loc[2, "price"] = ""
    log.loc[3, "event_time"] = "=never"
    file = tmp_path / "flawed.csv"
    pd.concat([log, log.tail(1)]).to_csv(file, index=False)
    return file


@pytest.mark.usefixtures("no_worker")
def test_what_is_wrong_with_a_log_is_said_before_it_is_imported(open_page, flawed_log):
    app = open_page("import_log", file=str(flawed_log))
    assert not app.exception
    said = app.info[0].value.replace("\\", "")
    rows = len(flawed_log.read_text().splitlines()) - 1
    assert f"In all {rows} rows:" in said
    assert f"Rows that cannot be used: 1 of {rows}" in said
    assert "Events equal to an earlier one in every column: 1 of" in said
    rejected = next(frame.value for frame in app.dataframe if "raw" in frame.value)
    assert rejected[["line", "reason"]].to_numpy().tolist() == [[5, "time cannot be read"]]


@pytest.mark.usefixtures("no_worker")
def test_missing_numbers_are_filled_in_when_the_analyst_says_so(open_page, home, flawed_log):
    app = open_page("import_log", file=str(flawed_log))
    assert "price" not in _filled_in(app)
    (offer,) = [group for group in app.segmented_control if group.key.startswith("impute-")]
    assert offer.options == ["leave missing", "the median", "the item's median"]
    app = offer.set_value("item_median").run()
    assert "1 missing value of price by the item's median" in _filled_in(app)
    _press(app, "Import")
    mapping = _jobs(home).iloc[0]["arguments"]["mapping"]
    assert mapping["impute"] == {"price": "item_median"}


def _filled_in(app):
    return " ".join(
        line for line in app.info[0].value.replace("\\", "").splitlines() if "Filled in" in line
    )


@pytest.mark.usefixtures("no_worker")
def test_the_outcome_of_an_import_shows_its_quality_and_the_rejected_rows(
    open_page, home, flawed_log
):
    dataset = import_log(home, flawed_log, name="flawed")
    with home.engine.begin() as con:
        job = jobs.enqueue(con, "import", {"path": str(flawed_log)}, "analyst")
        jobs.claim(con, "worker")
        jobs.finish(con, job, "worker", "done", "", {"dataset": dataset.id})
    for app in (open_page("import_log", job=str(job)), open_page("data_sets", dataset="flawed")):
        assert not app.exception
        assert "Rows that cannot be used" in app.info[0].value
        assert next(m.value for m in app.metric if m.label == "Rejected") == "1"
        assert "=never" in next(f.value for f in app.dataframe if "raw" in f.value)["raw"][0]
        (download,) = app.get("download_button")
        assert download.label == "All of them as CSV"
        assert len(app.get("plotly_chart")) >= 4


@pytest.mark.usefixtures("no_worker")
@pytest.mark.parametrize(
    ("status", "words"), [("failed", "The disk is full"), ("cancelled", "Nothing was imported")]
)
def test_an_import_that_came_to_nothing_is_tried_again_as_it_was_corrected(
    open_page, home, log_file, status, words
):
    mapping = {"roles": {"actor": "product_id", "item": None}, "duplicates": "drop"}
    with home.engine.begin() as con:
        job = jobs.enqueue(con, "import", {"path": str(log_file), "mapping": mapping}, "analyst")
        jobs.claim(con, "worker")
        jobs.finish(con, job, "worker", status, "The disk is full")
    app = open_page("import_log", job=str(job))
    assert words in (app.error if status == "failed" else app.warning)[0].value
    _press(app, "Open its file again")
    assert not app.exception
    assert not any(button.label == "Open its file again" for button in app.button)
    _press(app, "Import")
    assert _jobs(home).iloc[0]["id"] != job
    asked = _jobs(home).iloc[0]["arguments"]["mapping"]
    assert (asked["roles"]["actor"], asked["roles"]["item"]) == ("product_id", None)
    assert asked["duplicates"] == "drop"


@pytest.mark.usefixtures("no_worker")
def test_home_leads_back_to_the_file_of_an_import_that_failed(open_page, home, log_file):
    with home.engine.begin() as con:
        job = jobs.enqueue(con, "import", {"path": str(log_file)}, "analyst")
        jobs.claim(con, "worker")
        jobs.finish(con, job, "worker", "failed", "The disk is full")
    links = {link.proto.label: link.proto for link in open_page("home").get("page_link")}
    assert f"job={job}&file=" in links["Open its file again"].query_string


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.csv", b""),
        ("picture.csv", bytes(range(256)) * 20),
        (
            "cut.csv.gz",
            gzip.compress(b"user_id,event_time\n" + b"a,2026-01-01\n" * 9999, mtime=0)[:60],
        ),
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
    app.file_uploader(key="labels-0").set_value(
        ("labels.csv", (tmp_path / "labels.csv").read_bytes(), "text/csv")
    ).run()
    app.run()
    assert len(list(seeded_home.uploads.rglob("labels.csv"))) == 1
    _press(app, "Attach")
    assert "60 labels attached to actors" in app.success[0].value
    with seeded_home.engine.connect() as con:
        assert labels.counts(con, "small") == {True: 20, False: 40}
    app.run()
    assert not app.exception
    assert list(seeded_home.uploads.iterdir()) == []
