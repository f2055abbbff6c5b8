"""Explanations are worked out behind the page: it stands at once, and what nobody wants is left."""

import time

import pytest

from core.scoring.engine import Scorer
from core.store import cases, explanations
from pages import _working
from pages._working import PATIENCE, Work
from tests.pages.conftest import settled

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_worker_here")]


@pytest.fixture
def work(seeded_home):
    with seeded_home.engine.connect() as con:
        sequence_id = str(cases.queue(con, "small")["sequence_id"].iloc[0])
    return Work("finetuned", "small", sequence_id, threshold=0.5)


def _wait(work):
    work._thread.join(60)
    assert not work._thread.is_alive()


def test_estimates_come_first_then_the_explanation_then_the_prefixes(work, seeded_home):
    work.go_on(seeded_home, Scorer.load(seeded_home.model_dir("finetuned")))
    _wait(work)
    assert work.error is None
    assert work.steps >= 3
    values = [part["value"] for part in work.why["events"]]
    assert work.estimate == pytest.approx(values, abs=1e-6)
    assert work.prefixes["events"][-1] == len(values)
    with seeded_home.engine.connect() as con:
        assert explanations.get(con, "finetuned", "small", work.sequence_id) is not None


def test_what_nobody_looks_at_is_left_and_can_be_taken_up_again(work, seeded_home, monkeypatch):
    scorer = Scorer.load(seeded_home.model_dir("finetuned"))
    looked = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: looked() - 2 * PATIENCE)  # long ago
    work.go_on(seeded_home, scorer)
    monkeypatch.undo()
    _wait(work)
    assert not work.done
    assert work.why is None
    work.go_on(seeded_home, scorer)
    _wait(work)
    assert work.done


def test_what_went_wrong_is_said_and_tried_again_later(open_page, seeded_home, monkeypatch):
    with seeded_home.engine.connect() as con:
        case = cases.get(con, int(cases.queue(con, "small")["id"].iloc[0]))
    file = seeded_home.model_dir("finetuned") / "usual.json"
    kept = file.read_text()
    file.write_text("no JSON")
    app = open_page("case", case=str(case.id))
    assert [one.value.split(": ")[0] for one in app.warning] == ["No explanation"]
    file.write_text(kept)
    assert app.run().warning
    monkeypatch.setattr(_working, "RETRY", 0)
    settled(app.run())
    assert not app.warning
    assert any(one.value.startswith("Base value") for one in app.markdown)
