"""Edited sequences: their facts are what an import would compute, their score moves with them."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from core.errors import BadInput, NotFound
from core.explain.edits import ORIGIN, Edits, apply, editable_columns, parse_edits
from core.explain.explaining import explain_sequence
from core.explain.reasons import Reason
from core.explain.whatif import ChangedReason, Experiment, changed_reasons, explain, frozen_facts
from core.logs.facts import event_facts
from core.logs.frames import read_events, read_mapping, read_sequences
from core.logs.importing import import_log
from core.logs.mapping import Mapping, make_mapping
from core.logs.measuring import measure_actor, measure_sequences, own_facts
from core.scoring.cases import read_scores
from core.scoring.engine import Scorer
from core.store import models, runs
from core.store.home import Home, open_home
from tests.conftest import small_log

# Each example scores or imports; shrinking a failure would take minutes.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
OF_SMALL_LOG = ["ts", "action", "item", "amount"]


@pytest.fixture(scope="module")
def opened(seeded: Path) -> Home:
    """The seeded home, for reading only."""
    return open_home(seeded / "home")


@pytest.fixture(scope="module")
def scorer(opened: Home) -> Scorer:
    return Scorer.load(opened.model_dir("finetuned"))


@pytest.fixture(scope="module")
def experiment(opened: Home, scorer: Scorer) -> Experiment:
    """The first sequence, of an actor who orders one item again and again within seconds."""
    return Experiment.read(opened, scorer, "small", sequence_of(opened, "u000"))


@pytest.fixture(scope="module")
def harmless(opened: Home, scorer: Scorer) -> Experiment:
    return Experiment.read(opened, scorer, "small", sequence_of(opened, "u001"))


def sequence_of(home: Home, actor: str) -> str:
    sequences = read_sequences(home, "small").set_index("actor_id")
    return str(sequences.loc[actor, "sequence_id"])


def test_without_edits_every_token_and_the_stored_score_stay(opened: Home, scorer: Scorer) -> None:
    with opened.engine.connect() as con:
        assert models.active(con) is not None
        run = runs.newest(con, "small", scorer.model_id)
    assert run is not None
    stored = read_scores(opened, run.id).set_index("sequence_id")["score"]
    sequences = read_sequences(opened, "small")
    for row in range(0, len(sequences), 7):
        one = sequences.iloc[[row]]
        sequence_id = str(one["sequence_id"].iloc[0])
        experiment = Experiment.read(opened, scorer, "small", sequence_id)
        found = experiment.run(Edits())
        unchanged = scorer.encoder.tokenizer.encode(experiment.own, one)
        np.testing.assert_array_equal(found.batch.ids, unchanged.ids)
        assert found.score == found.before == pytest.approx(stored[sequence_id], abs=1e-6)
        assert found.warnings == []


VALUES = {
    "ts": st.datetimes(
        pd.Timestamp("2026-01-01").to_pydatetime(), pd.Timestamp("2026-01-10").to_pydatetime()
    ).map(lambda moment: moment.replace(microsecond=0).isoformat()),
    "action": st.sampled_from(["view", "cart", "order", "refund", "fly"]),
    "item": st.sampled_from(["i0", "i3", "i999", None]),
    "amount": st.sampled_from([1, 20.5, -3, None]),
    "position": st.floats(-2, 9).map(lambda place: round(place, 1)),
}


@st.composite
def some_edits(draw: st.DrawFn, events: int) -> Edits:
    delete = draw(st.lists(st.integers(0, events - 1), max_size=events - 1, unique=True))
    values = st.fixed_dictionaries({}, optional=VALUES)
    change = draw(st.dictionaries(st.integers(0, events - 1), values, max_size=3))
    optional = {name: value for name, value in VALUES.items() if name != "action"}
    added = st.fixed_dictionaries({"action": VALUES["action"]}, optional=optional)
    return Edits(delete=delete, change=change, insert=draw(st.lists(added, max_size=3)))


@settings(max_examples=20, deadline=None, phases=PHASES)
@given(data=st.data())
def test_edits_leave_the_original_as_it_was(experiment: Experiment, data: st.DataObject) -> None:
    """Whatever was tried, going back to no edits gives the same tokens and score again."""
    edits = data.draw(some_edits(len(experiment.own)))
    found = experiment.run(edits)
    assert 0 <= found.score <= 1
    assert len(found.events) == (len(experiment.own) - len(edits.delete) + len(edits.insert))
    assert found.events["ts"].is_monotonic_increasing
    assert found.events["position"].tolist() == list(range(len(found.events)))
    back = experiment.run(Edits())
    assert back.score == experiment.before
    assert back.events[ORIGIN].tolist() == list(range(len(experiment.own)))
    assert parse_edits(edits.model_dump_json()) == edits


TIMED = make_mapping(
    {
        "roles": {"actor": "user_id", "time": "event_time", "action": "event_type",
                  "item": "product_id", "amount": "price"},
        "columns": {"device": "entity"},
        "sequence": {"by": "actor"},
    }
)  # fmt: skip
TIMELESS = make_mapping(
    {
        "roles": {"actor": "user_id", "action": "event_type", "item": "product_id"},
        "columns": {"device": "entity", "event_time": "ignore", "price": "numeric"},
        "sequence": {"by": "actor"},
    }
)


@settings(max_examples=5, deadline=None, phases=PHASES)
@given(data=st.data(), mapping=st.sampled_from([TIMED, TIMELESS]))
def test_deleting_events_gives_the_facts_an_import_without_them_gives(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, mapping: Mapping
) -> None:
    folder = tmp_path_factory.mktemp("deleted")
    home = open_home(folder / "home")
    log = small_log(actors=4, seed=data.draw(st.integers(0, 50)))
    log["device"] = "d" + (np.arange(len(log)) % 3).astype(str)
    whole = imported(home, folder, log, "whole", mapping)
    theirs = np.flatnonzero(log["user_id"] == "u001")
    positions = st.lists(
        st.integers(0, len(theirs) - 1), min_size=1, max_size=len(theirs) - 1, unique=True
    )
    gone = data.draw(positions)
    rest = imported(home, folder, log.drop(index=theirs[gone]), "rest", mapping)
    sequence_id = str(whole["sequence_id"].iloc[0])
    edited = apply(Edits(delete=gone), whole, sequence_id, mapping)
    measured, profile = remeasured(edited, mapping)
    facts = own_facts(mapping)
    pd.testing.assert_frame_equal(measured[facts], rest[facts])
    imported_profile = read_sequences(home, "rest").set_index("actor_id").loc["u001"]
    frozen = {fact.name for fact in event_facts(mapping) if fact.scope == "log"}
    for name, value in profile.iloc[0].drop("sequence_id").items():
        if name in imported_profile and not any(
            part in str(name) for part in ("seen", "vs_item", "most_actors")
        ):
            assert value == pytest.approx(imported_profile[name], nan_ok=True), name
    kept = whole.drop(index=gone)[sorted(frozen)].reset_index(drop=True)
    pd.testing.assert_frame_equal(measured[sorted(frozen)], kept)


def imported(
    home: Home, folder: Path, log: pd.DataFrame, name: str, mapping: Mapping
) -> pd.DataFrame:
    """Import a log; return the events of its second actor."""
    log.to_csv(folder / f"{name}.csv", index=False)
    import_log(home, folder / f"{name}.csv", name=name, mapping=mapping)
    return read_events(home, name, actors=["u001"])


def remeasured(edited: pd.DataFrame, mapping: Mapping) -> tuple[pd.DataFrame, pd.DataFrame]:
    measured = measure_actor(edited, mapping)
    measured = measured[measured["sequence_id"].notna()].reset_index(drop=True)
    return measured, measure_sequences(measured, mapping, ["view", "order", "cart"])


def test_slowing_down_and_varying_items_brings_the_score_of_abuse_down(
    experiment: Experiment,
) -> None:
    start = experiment.own["ts"].iloc[0]
    change = {
        place: {
            "ts": str(start + pd.Timedelta(minutes=11 * place)),
            "item": f"i{place + 1}",
            "action": "view",
        }
        for place in range(len(experiment.own))
    }
    found = experiment.run(Edits(change=change))
    assert found.score < found.before - 0.2
    assert found.difference == found.score - found.before
    assert found.events["gap"].iloc[1:].tolist() == [660.0] * (len(change) - 1)


def test_an_event_moved_or_added_by_position_stands_and_happens_between_its_neighbours(
    harmless: Experiment,
) -> None:
    own = harmless.own
    edits = Edits(
        change={3: {"position": 0.5}},
        insert=[{"position": 1.5, "action": "view"}, {"action": "cart"}],
    )
    events = harmless.run(edits).events
    origin = events[ORIGIN]
    assert origin.head(4).fillna(-1).tolist() == [0, 3, 1, -1]
    assert own["ts"][0] < events["ts"][1] < own["ts"][1] < events["ts"][3] < own["ts"][2]
    assert events["action"].iloc[-1] == "cart"  # added at the end, a usual gap later
    gaps = own["ts"].diff().dt.total_seconds()
    assert events["gap"].iloc[-1] == pytest.approx(gaps.median(), abs=1)


def test_a_log_s_own_column_named_origin_keeps_its_values(tmp_path: Path) -> None:
    log = small_log(actors=4).assign(origin="web", event="click")
    log.to_csv(tmp_path / "log.csv", index=False)
    home = open_home(tmp_path / "home")
    roles = {"actor": "user_id", "time": "event_time", "action": "event_type"}
    kinds = {"origin": "categorical", "event": "categorical"}
    mapping = make_mapping({"roles": roles, "columns": kinds})
    data = import_log(home, tmp_path / "log.csv", mapping=mapping)
    sequence = read_sequences(home, data.id)["sequence_id"][0]
    events = read_events(home, data.id, sequences=[sequence])
    edits = Edits(delete=[0], change={1: {"origin": "app"}})
    after = apply(edits, events, sequence, read_mapping(home, data.id))
    assert after["origin"].tolist() == ["app", *["web"] * (len(events) - 2)]
    assert set(after["event"]) == {"click"}
    assert after[ORIGIN].tolist() == list(range(1, len(events)))


def test_what_is_new_in_an_event_brings_the_facts_about_it_from_the_log(
    harmless: Experiment, opened: Home
) -> None:
    known = set(harmless.own["item"])
    other = next(f"i{number}" for number in range(12) if f"i{number}" not in known)
    changed = harmless.run(Edits(change={0: {"item": other}}))
    everybody = read_events(opened, "small")
    seen = everybody[everybody["item"] == other]["item_seen"]
    assert changed.events["item_seen"].iloc[0] in set(seen)
    assert changed.warnings == []
    unknown = harmless.run(Edits(change={0: {"item": "never"}}))
    assert pd.isna(unknown.events["item_seen"].iloc[0])
    assert unknown.warnings == [
        "The log knows no item 'never': what others did with it counts as missing."
    ]


def test_what_cannot_happen_in_a_shop_is_warned_of(harmless: Experiment) -> None:
    def said(**parts: object) -> str:
        return " ".join(harmless.run(Edits(**parts)).warnings)  # type: ignore[arg-type]

    first = {"position": -0.5, "action": "refund", "item": "i3"}
    assert "The added refund: refund, but nothing was paid before it." in said(insert=[first])
    late = str(harmless.own["ts"].iloc[-1] + pd.Timedelta(days=1))
    assert "Event 1 now happens after event" in said(change={0: {"ts": late}})
    assert "never learned the action 'fly'" in said(change={0: {"action": "fly"}})
    assert "Event 2 has a negative amount" in said(change={1: {"amount": -4}})
    orders = [{"action": "order", "item": "i3"}, {"action": "refund", "item": "i3"}]
    assert "nothing was paid" not in said(insert=orders)


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        ({"delete": list(range(100))}, "There is no event"),
        ({"change": {77: {"amount": 1}}}, "There is no event 77"),
        ({"change": {0: {"colour": "red"}}}, "no 'colour' to edit. Accepted: position, ts, action"),
        ({"change": {0: {"amount": "much"}}}, "'much' is no number"),
        ({"change": {0: {"amount": float("inf")}}}, "amount cannot be inf"),
        ({"change": {0: {"ts": "yesterday?"}}}, "is no time. Accepted"),
        ({"change": {0: {"ts": None}}}, "needs a time"),
        ({"change": {0: {"position": "first"}}}, "is no position"),
        ({"insert": [{"item": "i1"}]}, "needs an action"),
        ({"insert": [{"action": "view"}] * 300}, "at most 256; an import would cut it"),
    ],
)
def test_edits_that_cannot_be_done_are_refused(
    experiment: Experiment, edits: dict, said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        experiment.run(Edits(**edits))


def test_edits_that_leave_nothing_are_refused(experiment: Experiment) -> None:
    with pytest.raises(BadInput, match="leave no event"):
        experiment.run(Edits(delete=list(range(len(experiment.own)))))


@pytest.mark.parametrize("text", ["", "[]", '{"remove": [1]}', '{"delete": ["x"]}', "{"])
def test_edits_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(BadInput, match="The edits cannot be used"):
        parse_edits(text)


def test_a_sequence_that_is_not_there_is_refused(opened: Home, scorer: Scorer) -> None:
    with pytest.raises(NotFound, match="no sequence 'nope'"):
        Experiment.read(opened, scorer, "small", "nope")


def test_a_sequence_of_one_event_can_be_edited(opened: Home, scorer: Scorer) -> None:
    experiment = Experiment.read(opened, scorer, "small", sequence_of(opened, "u004"))
    alone = experiment.run(Edits(delete=list(range(1, len(experiment.own)))))
    assert len(alone.events) == 1
    assert pd.isna(alone.events["gap"].iloc[0])
    assert 0 <= alone.score <= 1


def test_an_explanation_of_an_edited_sequence_adds_up(experiment: Experiment) -> None:
    found = experiment.run(Edits(delete=[0, 2]))
    why = explain(experiment, found)
    parts = [why.profile, *why.events]
    total = why.base_value + sum(part.value for part in parts)
    assert total == pytest.approx(found.score, abs=1e-5)
    assert len(why.events) == len(found.events)


def test_reasons_are_compared_by_what_they_are_about(seeded_home: Home, scorer: Scorer) -> None:
    def reason(token: str, value: float) -> Reason:
        return Reason(f"about {token}", value, None, token)

    before = [reason("a", 0.5), reason("b", 0.2)]
    after = [reason("c", 0.3), reason("a", 0.4)]
    assert changed_reasons(before, after) == [
        ChangedReason("about c", None, 0.3),
        ChangedReason("about b", 0.2, None),
        ChangedReason("about a", 0.5, 0.4),
    ]
    sequence_id = sequence_of(seeded_home, "u000")
    reasons = explain_sequence(seeded_home, scorer, "small", sequence_id).reasons
    assert {one.before for one in changed_reasons(reasons, reasons)} == {
        one.value for one in reasons
    }


def test_what_can_be_edited_and_what_stays_is_said(experiment: Experiment) -> None:
    assert editable_columns(experiment.mapping) == OF_SMALL_LOG
    assert "earlier events of others on the item" in frozen_facts(
        experiment.mapping, experiment.actions
    )
    assert json.loads(json.dumps(experiment.run(Edits(delete=[1])).to_dict()))["events"][:2] == [
        0,
        2,
    ]
