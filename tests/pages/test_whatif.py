import pytest

from core.explain.edit_table import PLACE
from core.explain.edits import Edits
from core.explain.whatif import Experiment
from core.scoring.engine import Scorer
from core.store import cases, scenarios

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_worker_here")]


def first_case(home):
    with home.engine.connect() as con:
        return cases.get(con, int(cases.queue(con)["id"][0]))


def opened(open_page, case):
    """Open the case and its what-if."""
    app = open_page("case", case=str(case.id))
    button(app, f"whatif-{case.id}").click().run()
    return app


def metric(app, label):
    return next((one.value for one in app.metric if one.label == label), None)


def button(app, key):
    return next(one for one in app.button if one.key and one.key.startswith(key))


def edit(app, **delta):
    """Edit the table as the browser reports it."""
    (table,) = app.data_editor
    state = {"edited_rows": {}, "added_rows": [], "deleted_rows": []}
    app.session_state[table.key] = state | delta
    return app.run()


def rescored(home, case, edits):
    scorer = Scorer.load(home.model_dir("finetuned"))
    return Experiment.read(home, scorer, case.dataset_id, case.sequence_id).run(edits).score


def test_an_untouched_table_scores_nothing(open_page, seeded_home):
    case = first_case(seeded_home)
    app = opened(open_page, case)
    assert metric(app, "Score now") == metric(app, "Before") == f"{case.score:.3f}"
    assert button(app, "whatif-undo").disabled
    assert button(app, "whatif-redo").disabled


def test_edits_show_the_new_score_and_are_undone_and_done_again(open_page, seeded_home):
    case = first_case(seeded_home)
    app = opened(open_page, case)
    edit(app, deleted_rows=[0], edited_rows={1: {"action": "view"}})
    assert not app.exception
    edits = Edits(delete=[0], change={1: {"action": "view"}})
    assert metric(app, "Score now") == f"{rescored(seeded_home, case, edits):.3f}"
    assert metric(app, "Before") == f"{case.score:.3f}"
    button(app, "whatif-undo").click().run()
    assert metric(app, "Score now") == f"{case.score:.3f}"
    assert len(app.data_editor[0].value) == len(events_of(seeded_home, case))
    button(app, "whatif-redo").click().run()
    assert metric(app, "Score now") == f"{rescored(seeded_home, case, edits):.3f}"
    assert len(app.data_editor[0].value) == len(events_of(seeded_home, case)) - 1
    button(app, "whatif-reset").click().run()
    assert metric(app, "Score now") == f"{case.score:.3f}"
    assert not app.exception


def events_of(home, case):
    from core.logs.frames import read_events

    return read_events(home, case.dataset_id, sequences=[case.sequence_id])


def test_an_added_event_counts_and_an_odd_one_is_warned_of(open_page, seeded_home):
    case = first_case(seeded_home)
    app = opened(open_page, case)
    edit(app, added_rows=[{PLACE: 1.5, "action": "refund", "item": "i0"}])
    said = " ".join(one.value for one in app.warning)
    assert "never learned the action 'refund'" in said
    edits = Edits(insert=[{"position": 0.5, "action": "refund", "item": "i0"}])
    assert metric(app, "Score now") == f"{rescored(seeded_home, case, edits):.3f}"


def test_edits_outlive_a_look_at_another_tab(open_page, seeded_home):
    case = first_case(seeded_home)
    app = opened(open_page, case)
    edit(app, deleted_rows=list(range(1, len(events_of(seeded_home, case)))))
    score = metric(app, "Score now")
    assert score != f"{case.score:.3f}"
    app.session_state[f"tabs-{case.id}"] = "Why"
    app.run()
    assert not app.data_editor
    app.session_state[f"tabs-{case.id}"] = "What-if"
    app.run()
    assert metric(app, "Score now") == score
    assert len(app.data_editor[0].value) == 1
    button(app, "whatif-undo").click().run()  # the look was no step
    assert button(app, "whatif-undo").disabled
    assert metric(app, "Score now") == f"{case.score:.3f}"


def test_a_table_without_events_is_refused_in_words(open_page, seeded_home):
    case = first_case(seeded_home)
    app = opened(open_page, case)
    edit(app, deleted_rows=list(range(len(events_of(seeded_home, case)))))
    assert not app.exception
    assert "leave no event" in app.warning[0].value
    button(app, "whatif-undo").click().run()
    assert not app.warning


def test_a_saved_scenario_opens_by_its_link(open_page, seeded_home):
    case = first_case(seeded_home)
    app = opened(open_page, case)
    app.text_input(key="analyst").input("eva").run()
    edit(app, deleted_rows=[1])
    next(one for one in app.text_input if one.label == "Name").input("one less")
    next(one for one in app.button if one.label == "Save scenario").click().run()
    assert not app.exception
    number = app.query_params["scenario"]
    with seeded_home.engine.connect() as con:
        (kept,) = scenarios.of_sequence(con, case.dataset_id, case.sequence_id)
    assert (str(kept.id), kept.name, kept.analyst) == (number, "one less", "eva")
    again = open_page("case", case=str(case.id), scenario=number)
    assert len(again.data_editor[0].value) == len(events_of(seeded_home, case)) - 1
    expected = rescored(seeded_home, case, Edits(delete=[1]))
    assert metric(again, "Score now") == f"{expected:.3f}"
    button(again, f"scenario-delete-{number}").click().run()
    with seeded_home.engine.connect() as con:
        assert scenarios.of_sequence(con, case.dataset_id, case.sequence_id) == []


def test_a_link_to_a_scenario_that_is_gone_opens_the_case(open_page, seeded_home):
    app = open_page("case", case=str(first_case(seeded_home).id), scenario="77")
    assert not app.exception
    assert "no scenario 77" in app.toast[0].value
    assert metric(app, "Score now") is None


@pytest.mark.parametrize("number", ["9" * 23, "²", "٣", "-1", "1.5"])
def test_a_link_with_what_is_no_number_opens_a_case(open_page, seeded_home, number):
    case = first_case(seeded_home)
    app = open_page("case", case=str(case.id), scenario=number)
    assert not app.exception
    assert metric(app, "Score now") is None
    assert not open_page("case", case=number).exception


def test_what_would_clear_the_case_is_found_and_tried(open_page, seeded_home):
    case = first_case(seeded_home)
    app = opened(open_page, case)
    button(app, "whatif-search").click().run()
    assert not app.exception
    said = [one.value for one in app.markdown if "flagged" in one.value or "pass" in one.value]
    assert said
    tries = [one for one in app.button if one.label == "Try it"]
    assert tries
    tries[0].click().run()
    assert not app.exception
    assert float(metric(app, "Score now")) != float(metric(app, "Before"))
