import pytest
from sqlalchemy.exc import IntegrityError

from core.errors import BadInput, Conflict
from core.review.deciding import class_counts, covered_sequences, decide, undo
from core.store import audit, cases, verdicts
from core.store.home import Home


def _case_of(home: Home, actor: str) -> int:
    with home.engine.connect() as con:
        queue = cases.queue(con, "log")
    return int(queue.loc[queue["actor_id"] == actor, "id"].item())


def test_a_verdict_covers_the_flagged_sequences_and_leads_to_the_next_case(reviewed):
    ann = _case_of(reviewed, "ann")
    following = decide(reviewed, ann, "confirmed", analyst="eva", scheme="scraper", note="at night")
    assert following == _case_of(reviewed, "bob")
    with reviewed.engine.connect() as con:
        stored = verdicts.of_dataset(con, "log").iloc[0]
    assert stored[["analyst", "decision", "scheme", "note", "score"]].tolist() == [
        "eva",
        "confirmed",
        "scraper",
        "at night",
        0.9,
    ]
    assert stored["sequences"] == ["s1", "s2"]


@pytest.mark.parametrize("confidence", [0, -0.1, 1.1, float("nan")])
def test_how_sure_somebody_is_lies_between_nothing_and_all(reviewed, confidence):
    with pytest.raises(BadInput, match="above 0 and at most 1"):
        decide(reviewed, _case_of(reviewed, "ann"), "confirmed", analyst="eva",
               confidence=confidence)  # fmt: skip
    decide(reviewed, _case_of(reviewed, "ann"), "confirmed", analyst="eva", confidence=0.4)
    with reviewed.engine.connect() as con:
        assert verdicts.of_dataset(con, "log")["confidence"].tolist() == [0.4]


def test_only_abuse_has_a_scheme(reviewed):
    ann = _case_of(reviewed, "ann")
    decide(reviewed, ann, "legitimate", analyst="eva", scheme="scraper")
    with reviewed.engine.connect() as con:
        assert verdicts.of_dataset(con, "log")["scheme"].isna().all()


def test_a_skipped_case_is_not_the_next_one(reviewed):
    ann, bob = _case_of(reviewed, "ann"), _case_of(reviewed, "bob")
    assert decide(reviewed, ann, "unclear", analyst="eva", skipping=[bob]) == _case_of(
        reviewed, "=cy"
    )


def test_after_the_last_case_there_is_none(reviewed):
    for actor in ("ann", "bob"):
        decide(reviewed, _case_of(reviewed, actor), "unclear", analyst="eva")
    assert decide(reviewed, _case_of(reviewed, "=cy"), "unclear", analyst="eva") is None


def test_undo_brings_the_case_back(reviewed):
    ann = _case_of(reviewed, "ann")
    decide(reviewed, ann, "confirmed", analyst="eva")
    assert class_counts(reviewed, "log") == {"confirmed": 1, "legitimate": 0, "unclear": 0}
    assert undo(reviewed, "eva") == ann
    assert class_counts(reviewed, "log") == {"confirmed": 0, "legitimate": 0, "unclear": 0}
    assert _case_of(reviewed, "ann") == ann


def test_a_verdict_its_impression_and_its_line_of_the_audit_are_stored_together_or_not_at_all(
    reviewed,
):
    """What comes after the verdict fails here, as it would on a full disk."""
    ann = _case_of(reviewed, "ann")
    with reviewed.engine.begin() as con:
        con.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON impressions BEGIN SELECT raise(FAIL, 'full'); END"
        )
        lines = len(audit.newest(con))
    with pytest.raises(IntegrityError):
        decide(reviewed, ann, "confirmed", analyst="eva")
    with reviewed.engine.begin() as con:
        con.exec_driver_sql("DROP TRIGGER full")
        assert verdicts.of_case(con, ann).empty
        assert len(audit.newest(con)) == lines
    decide(reviewed, ann, "confirmed", analyst="eva")


def test_the_same_case_is_decided_once(reviewed):
    ann = _case_of(reviewed, "ann")
    decide(reviewed, ann, "confirmed", analyst="eva")
    with pytest.raises(Conflict, match="is decided already, by eva"):
        decide(reviewed, ann, "legitimate", analyst="max")


def test_the_sequence_with_the_highest_score_is_looked_at_first(reviewed):
    with reviewed.engine.connect() as con:
        assert covered_sequences(cases.get(con, _case_of(reviewed, "ann"))) == ["s1", "s2"]
