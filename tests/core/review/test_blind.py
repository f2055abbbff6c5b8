import pytest

from core.errors import BadInput, Conflict, NotFound
from core.review.blind import give_impression, next_stage, stage_of, switch
from core.review.deciding import decide, undo
from core.store import cases, impressions
from core.store.home import Home


def _case_of(home: Home, actor: str) -> int:
    with home.engine.connect() as con:
        queue = cases.queue(con, "log")
    return int(queue.loc[queue["actor_id"] == actor, "id"].item())


def _stage(home: Home, case_id: int, analyst: str = "eva") -> str | None:
    with home.engine.connect() as con:
        return stage_of(con, cases.get(con, case_id), analyst)


@pytest.fixture
def blind(reviewed: Home) -> Home:
    switch(reviewed, "log", True, "lea")
    return reviewed


@pytest.mark.parametrize(
    ("given", "following"),
    [
        (set(), "events"),
        ({"events"}, "score"),
        ({"events", "score"}, "explanation"),
        ({"events", "score", "explanation"}, "explanation"),
    ],
)
def test_each_stage_follows_the_one_before(given, following):
    assert next_stage(given) == following


def test_an_ordinary_queue_shows_everything_at_once(reviewed):
    assert _stage(reviewed, _case_of(reviewed, "ann")) is None


def test_a_case_goes_through_the_stages_to_its_verdict(blind):
    ann = _case_of(blind, "ann")
    assert _stage(blind, ann) == "events"
    assert give_impression(blind, ann, "events", "unclear", analyst="eva", seconds=9.0) == "score"
    assert _stage(blind, ann) == "score"
    assert _stage(blind, ann, "max") == "events"  # who has not seen the score is asked first
    assert give_impression(blind, ann, "score", "confirmed", analyst="eva") == "explanation"
    assert _stage(blind, ann) == "explanation"
    decide(blind, ann, "confirmed", analyst="eva", seconds=4.0)
    assert _stage(blind, ann) is None
    with blind.engine.connect() as con:
        kept = impressions.of_dataset(con, "log")[["stage", "decision"]].to_numpy().tolist()
    assert kept == [["events", "unclear"], ["score", "confirmed"], ["explanation", "confirmed"]]


def test_the_second_of_two_quick_clicks_does_not_answer_for_the_next_stage(blind):
    ann = _case_of(blind, "ann")
    give_impression(blind, ann, "events", "unclear", analyst="eva")
    with pytest.raises(Conflict, match="eva has decided that stage"):
        give_impression(blind, ann, "events", "unclear", analyst="eva")
    assert _stage(blind, ann) == "score"


def test_undo_goes_back_one_stage_at_a_time(blind):
    ann = _case_of(blind, "ann")
    give_impression(blind, ann, "events", "unclear", analyst="eva")
    give_impression(blind, ann, "score", "unclear", analyst="eva")
    decide(blind, ann, "legitimate", analyst="eva")
    for stage in ("explanation", "score", "events"):
        assert undo(blind, "eva") == ann
        assert _stage(blind, ann) == stage
    with pytest.raises(Conflict, match="eva has no verdict to undo"):
        undo(blind, "eva")


def test_switched_off_and_on_again_a_case_goes_on_where_it_was(blind):
    ann = _case_of(blind, "ann")
    give_impression(blind, ann, "events", "unclear", analyst="eva")
    switch(blind, "log", False, "lea")
    assert _stage(blind, ann) is None
    give_impression(blind, ann, "score", "unclear", analyst="eva")  # a page opened before
    switch(blind, "log", True, "lea")
    assert _stage(blind, ann) == "explanation"


def test_nobodys_first_impression_of_a_decided_case_is_asked_for(blind):
    ann = _case_of(blind, "ann")
    decide(blind, ann, "confirmed", analyst="max")
    assert _stage(blind, ann) is None
    with pytest.raises(Conflict, match="is decided already"):
        give_impression(blind, ann, "events", "unclear", analyst="eva")


def test_the_last_stage_is_the_verdict(blind):
    with pytest.raises(BadInput, match="give the verdict"):
        give_impression(blind, _case_of(blind, "ann"), "explanation", "unclear", analyst="eva")


def test_what_is_not_there_cannot_be_reviewed_blind(blind):
    with pytest.raises(NotFound, match="no data set 'other'"):
        switch(blind, "other", True, "lea")
    with pytest.raises(NotFound, match="no case 99"):
        give_impression(blind, 99, "events", "unclear", analyst="eva")
