"""Impressions are kept like verdicts: one stands, undoing keeps the row, each is in the audit."""

import pandas as pd
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import inspect, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateIndex, CreateTable

from core.errors import Conflict, NotFound
from core.store import audit, cases, datasets, impressions, queues, verdicts
from core.store.home import MIGRATIONS, Home, open_home
from core.store.impressions import Impression
from core.store.tables import blind_queues
from core.store.tables import impressions as table
from core.store.verdicts import Verdict
from tests.core.store.conftest import add_runs, case_rows

SCORES = {"ann": 0.9, "bob": 0.8, "cy": 0.7}
SEQUENCES = {"ann": "c3", "bob": "a1", "cy": "b2"}


@pytest.fixture
def waiting(home: Home) -> Home:
    """A home with a queue of ann, bob and cy, highest score first."""
    with home.engine.begin() as con:
        add_runs(con, "run")
        cases.replace_open(con, "log", case_rows("run", SCORES, SEQUENCES))
    return home


def ids(con: object) -> dict[str, int]:
    queue = cases.queue(con, "log")
    return dict(zip(queue["actor_id"], queue["id"], strict=True))


def test_an_impression_stands_once_for_each_analyst_and_stage(waiting: Home) -> None:
    with waiting.engine.begin() as con:
        ann = ids(con)["ann"]
        impressions.add(con, Impression(ann, "eva", "events", "unclear", 12.5))
        impressions.add(con, Impression(ann, "max", "events", "confirmed"))
        with pytest.raises(Conflict, match="eva has decided that stage"):
            impressions.add(con, Impression(ann, "eva", "events", "confirmed"))
        assert impressions.given(con, ann, "eva") == {"events"}
        kept = impressions.of_dataset(con, "log")
    columns = ["actor_id", "analyst", "stage", "decision"]
    assert kept[columns].to_numpy().tolist() == [
        ["ann", "eva", "events", "unclear"],
        ["ann", "max", "events", "confirmed"],
    ]
    assert kept["seconds"][0] == 12.5
    assert pd.isna(kept["seconds"][1])


@pytest.mark.parametrize(
    "wrong",
    [{"stage": "guess"}, {"decision": "maybe"}, {"seconds": -1.0}],
    ids=str,
)
def test_what_is_no_impression_is_not_stored(waiting: Home, wrong: dict[str, object]) -> None:
    with waiting.engine.begin() as con:
        right = {"case_id": ids(con)["ann"], "stage": "events", "decision": "unclear"}
        with pytest.raises(IntegrityError):
            impressions.add(con, Impression(**{"analyst": "eva", **right, **wrong}))


def test_of_a_case_that_is_gone_there_is_no_impression(waiting: Home) -> None:
    with waiting.engine.begin() as con, pytest.raises(NotFound, match="no case 99"):
        impressions.add(con, Impression(99, "eva", "events", "unclear"))


def test_the_audit_tells_of_every_change(waiting: Home) -> None:
    with waiting.engine.begin() as con:
        ann = ids(con)["ann"]
        queues.set_blind(con, "log", True, "lea")
        queues.set_blind(con, "log", True, "max")  # it is so already
        impressions.add(con, Impression(ann, "eva", "events", "unclear"))
        impressions.undo_last(con, "eva")
        queues.set_blind(con, "log", False, "lea")
        lines = audit.newest(con)[["analyst", "action", "subject"]].to_numpy().tolist()
    assert lines[::-1] == [
        ["lea", "blind", "log"],
        ["eva", "impression", f"case {ann}"],
        ["eva", "undo impression", f"case {ann}"],
        ["lea", "not blind", "log"],
    ]


def test_undo_takes_back_impressions_newer_than_the_last_verdict_only(waiting: Home) -> None:
    with waiting.engine.begin() as con:
        queues.set_blind(con, "log", True, "lea")
        ann, bob, cy = ids(con)["ann"], ids(con)["bob"], ids(con)["cy"]
        impressions.add(con, Impression(ann, "eva", "events", "unclear"))
        verdicts.add(con, Verdict(bob, "eva", "confirmed", [], 0.8))
        assert impressions.undo_last(con, "eva") is None
        impressions.add(con, Impression(ann, "eva", "score", "confirmed"))
        impressions.add(con, Impression(cy, "max", "events", "confirmed"))
        assert impressions.undo_last(con, "eva") == ann
        assert impressions.given(con, ann, "eva") == {"events"}
        assert impressions.given(con, cy, "max") == {"events"}
        assert impressions.undo_last(con, "eva") is None


def test_in_an_ordinary_queue_undo_leaves_impressions_alone(waiting: Home) -> None:
    with waiting.engine.begin() as con:
        ann = ids(con)["ann"]
        impressions.add(con, Impression(ann, "eva", "events", "unclear"))
        assert impressions.undo_last(con, "eva") is None
        assert impressions.given(con, ann, "eva") == {"events"}


def test_a_verdict_that_is_undone_takes_its_impression_with_it(waiting: Home) -> None:
    with waiting.engine.begin() as con:
        ann = ids(con)["ann"]
        for stage in impressions.STAGES:
            impressions.add(con, Impression(ann, "eva", stage, "confirmed"))
        verdicts.add(con, Verdict(ann, "eva", "confirmed", [], 0.9))
        verdicts.undo_last(con, "eva")
        assert impressions.given(con, ann, "eva") == {"events", "score"}


def test_a_case_of_which_there_is_an_impression_outlives_a_new_scoring(waiting: Home) -> None:
    with waiting.engine.begin() as con:
        before = ids(con)
        impressions.add(con, Impression(before["bob"], "eva", "events", "unclear"))
        cases.replace_open(con, "log", case_rows("run", {"ann": 0.2, "bob": 0.1}, SEQUENCES))
        after = ids(con)
        assert set(after) == {"ann", "bob"}
        assert after["bob"] == before["bob"]
        assert cases.get(con, after["bob"]).score == 0.1
        assert impressions.given(con, after["bob"], "eva") == {"events"}


def test_the_order_of_a_blind_queue_and_the_numbers_of_cases_tell_nothing_of_scores(
    waiting: Home,
) -> None:
    by_sequence = sorted(SEQUENCES, key=SEQUENCES.__getitem__)
    with waiting.engine.begin() as con:
        first = ids(con)
        assert list(first) == ["ann", "bob", "cy"]
        assert sorted(first, key=first.__getitem__) == by_sequence
        queues.set_blind(con, "log", True, "lea")
        assert list(ids(con)) == by_sequence
        assert cases.next_open(con, "log", skipping=[]) == first["bob"]
        queues.set_blind(con, "log", False, "lea")
        assert cases.next_open(con, "log", skipping=[]) == first["ann"]


def test_what_hangs_on_a_data_set_goes_with_it(waiting: Home) -> None:
    with waiting.engine.begin() as con:
        queues.set_blind(con, "log", True, "lea")
        impressions.add(con, Impression(ids(con)["ann"], "eva", "events", "unclear"))
    datasets.delete_dataset(waiting, "log")
    with waiting.engine.connect() as con:
        assert con.execute(select(table.c.id)).all() == []
        assert con.execute(select(blind_queues.c.dataset_id)).all() == []


def test_a_home_of_before_keeps_its_verdicts_and_gains_the_tables(waiting: Home) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with waiting.engine.begin() as con:
        verdicts.add(con, Verdict(ids(con)["ann"], "eva", "confirmed", [], 0.9))
        config.attributes["connection"] = con
        command.downgrade(config, "0004")
        assert not {"impressions", "blind_queues"} & set(inspect(con).get_table_names())
    with open_home(waiting.path).engine.begin() as con:
        assert verdicts.of_dataset(con, "log")["analyst"].tolist() == ["eva"]
        impressions.add(con, Impression(ids(con)["bob"], "eva", "events", "unclear"))


def test_postgresql_gets_the_same_constraints() -> None:
    dialect = postgresql.dialect()
    (index,) = table.indexes
    made = str(CreateTable(table).compile(dialect=dialect))
    assert "CHECK (stage IN ('events', 'score', 'explanation'))" in made
    assert "WHERE undone_at IS NULL" in str(CreateIndex(index).compile(dialect=dialect))
