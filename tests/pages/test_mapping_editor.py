"""What the analyst sees and decides about the mapping of a new log."""

import json

import pytest

from core.logs.mapping import Mapping, TimeRule
from core.logs.templates import read_templates, save_template
from core.store import jobs
from tests.conftest import small_log

pytestmark = pytest.mark.usefixtures("no_worker")


@pytest.fixture
def log_file(home, tmp_path):
    file = tmp_path / "shop.csv"
    log = small_log(actors=6)
    log = log.assign(event_time=log["event_time"].dt.strftime("%d/%m/%Y %H:%M"), grade=3)
    log.loc[0, "grade"] = 4
    log.to_csv(file, index=False)
    return file


def _press(app, label):
    return next(button for button in app.button if button.label == label).click().run()


def _imported(home):
    with home.engine.connect() as con:
        return jobs.newest(con).iloc[0]["arguments"]["mapping"]


def _said(app):
    parts = [*app.caption, *app.info, *app.error]
    return " ".join(part.value for part in parts).replace("\\", "")


def test_a_proposal_says_why_and_a_guess_to_check_is_marked_in_words(open_page, log_file):
    app = open_page("import_log", file=str(log_file))
    assert not app.exception
    assert "sure, 95 %: named like 'user', and its values come back" in _said(app)
    assert "PLEASE CHECK 1 unsure guess: grade" in _said(app)
    app.selectbox(key=f"role-actor-{log_file}").select_index(0).run()
    assert "named like 'user'" not in _said(app)  # a reason is for the proposal only


def test_the_zone_of_the_times_is_stated_and_can_be_changed(open_page, home, log_file):
    app = open_page("import_log", file=str(log_file))
    before = app.dataframe[-1].value["ts"].iloc[0]
    zone = app.selectbox(key=f"zone-{log_file}")
    assert (zone.label, zone.value) == ("Times without a zone are taken as", "UTC")
    zone.select("Asia/Shanghai").run()
    assert (before - app.dataframe[-1].value["ts"].iloc[0]).total_seconds() == 8 * 3600
    _press(app, "Import")
    assert _imported(home)["time"]["zone"] == "Asia/Shanghai"


def test_dates_that_can_be_read_in_two_ways_are_the_analysts_to_decide(open_page, home, tmp_path):
    file = tmp_path / "days.csv"
    file.write_text("user,date,action\n" + "u1,03/04/2019,buy\nu2,05/06/2019,buy\n" * 4)
    app = open_page("import_log", file=str(file))
    assert "PLEASE CHECK: Dates of 'date' such as 03/04/2019" in _said(app)
    toggle = app.toggle(key=f"day-{file}")
    assert not toggle.disabled
    assert app.dataframe[-1].value["ts"].iloc[0].month == 3
    toggle.set_value(True).run()
    assert app.dataframe[-1].value["ts"].iloc[0].month == 4


def test_a_time_of_day_in_a_column_of_its_own_is_read_until_the_analyst_says_no(
    open_page, home, tmp_path
):
    file = tmp_path / "till.csv"
    file.write_text("user,date,clock\n" + "u1,2019-04-03,10:30\nu2,2019-04-03,11:45\n" * 4)
    app = open_page("import_log", file=str(file))
    clock = app.selectbox(key=f"clock-{file}")
    assert (clock.label, clock.value) == ("The time of day, read together with 'date'", "clock")
    assert app.dataframe[-1].value["ts"].iloc[0].hour == 10
    clock.select_index(0).run()
    assert app.dataframe[-1].value["ts"].iloc[0].hour == 0
    _press(app, "Import")
    assert _imported(home)["time"]["clock"] is None


def test_of_numbers_chosen_as_the_time_the_analyst_says_what_they_count(open_page, home, tmp_path):
    file = tmp_path / "steps.csv"
    file.write_text("user,step\n" + "".join(f"u{n % 2},{n}\n" for n in range(8)))
    app = open_page("import_log", file=str(file))
    app.selectbox(key=f"role-time-{file}").select("step").run()
    app.selectbox(key=f"counts-{file}-step").select("hours").run()
    first, second = app.dataframe[-1].value["ts"].iloc[:2]
    assert (second - first).total_seconds() == 2 * 3600
    _press(app, "Import")
    assert _imported(home)["time"]["counts"] == "hours"


def test_without_a_time_the_order_of_the_rows_is_said(open_page, log_file):
    app = open_page("import_log", file=str(log_file))
    app.selectbox(key=f"role-time-{log_file}").select_index(0).run()
    assert "in the order of the file" in _said(app)
    assert app.selectbox(key=f"zone-{log_file}").disabled


def test_the_lengths_of_sequences_follow_the_rule(open_page, log_file):
    app = open_page("import_log", file=str(log_file))
    longest = int(small_log(actors=6).groupby("user_id").size().max())
    assert f"the longest {longest}. None is split." in _said(app)
    next(box for box in app.number_input if box.label == "Longest, events").set_value(3).run()
    assert "6 of 6 (100.0 %) are longer than 3 and are split" in _said(app)


def test_a_mapping_is_kept_and_proposed_for_the_next_file(open_page, home, log_file, tmp_path):
    app = open_page("import_log", file=str(log_file))
    app.selectbox(key=f"role-actor-{log_file}").select("product_id").run()
    app.selectbox(key=f"role-item-{log_file}").select("user_id").run()
    app.selectbox(key=f"zone-{log_file}").select("Asia/Shanghai").run()
    next(box for box in app.text_input if box.label == "Name of the template").set_value(
        "市场"
    ).run()
    _press(app, "Keep")
    assert [one.name for one in read_templates(home.path / "templates")[0]] == ["市场"]

    following = tmp_path / "next.csv"
    small_log(actors=6, seed=1).assign(grade=3, new="x").to_csv(following, sep=";", index=False)
    app = open_page("import_log", file=str(following))
    assert "all 6 columns of the template '市场'" in _said(app)
    actor = app.selectbox(key=f"role-actor-{following}#市场")
    assert actor.value == "product_id"
    _press(app, "Import")
    mapping = _imported(home)
    assert mapping["roles"]["item"] == "user_id"
    assert mapping["time"]["zone"] == "Asia/Shanghai"
    assert mapping["format"]["delimiter"] == ";"


def test_the_plain_proposal_is_one_choice_away(open_page, home, log_file):
    swapped = {"roles": {"actor": "product_id"}, "columns": {"user_id": "ignore"}}
    save_template(home.path / "templates", "mine", Mapping.model_validate(swapped))
    app = open_page("import_log", file=str(log_file))
    choice = next(box for box in app.selectbox if box.label == "Mapping")
    assert choice.value == "mine"
    choice.select_index(1).run()
    assert app.selectbox(key=f"role-actor-{log_file}").value == "user_id"
    assert "template 'mine'" not in _said(app)


def test_a_taken_name_is_replaced_only_on_purpose(open_page, home, log_file):
    folder = home.path / "templates"
    first = Mapping.model_validate({"roles": {"actor": "nobody"}})
    save_template(folder, "mine", first)
    app = open_page("import_log", file=str(log_file))
    next(box for box in app.text_input if box.label == "Name of the template").set_value(
        "mine"
    ).run()
    _press(app, "Keep")
    assert "There is a template 'mine' already" in _said(app)
    assert read_templates(folder)[0][0].mapping == first
    next(box for box in app.checkbox if box.label.startswith("Replace")).check().run()
    _press(app, "Keep")
    assert read_templates(folder)[0][0].mapping.roles.actor == "user_id"


def test_a_mapping_file_is_used_as_sent(open_page, log_file):
    app = open_page("import_log", file=str(log_file))
    given = Mapping.model_validate({"roles": {"actor": "product_id", "item": None}})
    given.time = TimeRule(zone="Asia/Tokyo")
    content = given.model_dump_json().encode()
    app.file_uploader(key="mapping").set_value(("theirs.json", content, "application/json")).run()
    assert not app.exception
    assert app.selectbox(key=f"role-actor-{log_file}#theirs").value == "product_id"
    assert app.selectbox(key=f"zone-{log_file}#theirs").value == "Asia/Tokyo"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "Invalid JSON"),
        (b"\xff\xfe\x00", "is not text"),
        (json.dumps({"roles": {"actor": "nobody"}}).encode(), "'nobody'"),
    ],
)
def test_a_mapping_file_that_cannot_be_used_says_why(open_page, log_file, content, message):
    app = open_page("import_log", file=str(log_file))
    app.file_uploader(key="mapping").set_value(("theirs.json", content, "application/json")).run()
    assert not app.exception
    assert message in _said(app)


def test_a_broken_template_is_a_note_and_no_crash(open_page, home, log_file):
    (home.path / "templates").mkdir()
    (home.path / "templates" / "old.json").write_text("{")
    app = open_page("import_log", file=str(log_file))
    assert not app.exception
    assert "The template 'old' is left out" in _said(app)
