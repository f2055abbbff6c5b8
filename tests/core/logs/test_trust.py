from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from core.logs.facts import profile_facts
from core.logs.frames import actions, read_mapping, read_sequences
from core.logs.importing import import_log
from core.logs.mapping import Mapping
from core.logs.trust import low_trust
from core.schema import Trust
from core.store.home import Home

Write = Callable[..., Path]
HEADER = "time,user,item,price\n"
USUAL = [f"2024-01-{day:02},calm,a,{10 + day % 5}\n" for day in range(1, 31)] * 4
USUAL = [row.replace("calm", f"calm{number}") for number, row in enumerate(sorted(USUAL))]
ROLES = {"actor": "user", "time": "time", "item": "item", "amount": "price"}


def trusted(home: Home, path: Path, **given: Any) -> pd.DataFrame:
    mapping = Mapping.model_validate({"roles": ROLES, **given})
    dataset = import_log(home, path, mapping=mapping)
    sequences = read_sequences(home, dataset.id)
    facts = {fact.name for fact in profile_facts(mapping, actions(home, dataset.id))}
    assert not facts & set(Trust.COLUMNS)
    assert read_mapping(home, dataset.id).impute == mapping.impute
    return sequences.set_index("actor_id")


def said(sequences: pd.DataFrame, actor: str) -> list[str]:
    return low_trust(sequences.loc[actor])


def test_each_doubt_counts_its_events_in_the_sequence_that_has_them(
    home: Home, write: Write
) -> None:
    rows = [
        *USUAL,
        "2024-02-01,odd,a,12\n",
        "2024-02-01,odd,a,12\n",  # repeats
        "2024-02-02,odd,,12\n",  # lacks the item
        "2024-02-03,odd,a,\n",  # lacks the price
        "2024-02-04,odd,a,99999\n",  # an outlier
        "2024-01-20,odd,a,12\n",  # older than rows above it
    ]
    sequences = trusted(home, write(HEADER + "".join(rows)))
    assert sequences.loc["odd", list(Trust.COLUMNS)].to_dict() == {
        Trust.MISSING: 2,
        Trust.LATE: 1,
        Trust.REPEATED: 1,
        Trust.OUTLIERS: 1,
        Trust.CUT: False,
    }
    assert said(sequences, "odd") == [
        "1 of 6 events equals an earlier one in every column",
        "2 of 6 events lack a value that the log nearly always has",
        "1 of 6 events holds a number far outside the usual",
        "1 of 6 events stands in the file after newer ones",
    ]
    assert (sequences.drop(index="odd")[list(Trust.COLUMNS)] == 0).all(axis=None)


def test_a_sequence_in_order_without_a_flaw_has_nothing_to_say(home: Home, write: Write) -> None:
    rows = [*USUAL, "2024-02-01,neat,a,12\n", "2024-02-02,neat,a,13\n"]
    sequences = trusted(home, write(HEADER + "".join(rows)))
    assert said(sequences, "neat") == []
    assert said(sequences, "calm0") == ["it has a single event"]


def test_a_column_that_is_often_empty_is_no_doubt(home: Home, write: Write) -> None:
    rows = [row.rsplit(",", 1)[0] + ",\n" if n % 5 == 0 else row for n, row in enumerate(USUAL)]
    sequences = trusted(home, write(HEADER + "".join(rows)))
    assert (sequences[Trust.MISSING] == 0).all()


def test_a_file_in_another_order_is_no_doubt_about_its_sequences(home: Home, write: Write) -> None:
    sequences = trusted(home, write(HEADER + "".join(USUAL[::-1])))
    assert (sequences[Trust.LATE] == 0).all()


def test_a_number_filled_in_counts_as_missing(home: Home, write: Write) -> None:
    rows = [*USUAL, "2024-02-01,odd,a,\n", "2024-02-02,odd,a,12\n"]
    sequences = trusted(home, write(HEADER + "".join(rows)), impute={"price": "median"})
    assert sequences.loc["odd", Trust.MISSING] == 1


TIMES = ["2024-02-01 10:00", "2024-02-01 10:05", "2024-02-01 10:10", "2024-02-01 23:00"]


@pytest.mark.parametrize(
    ("rule", "cut"),
    [
        ({"by": "actor", "max_events": 4}, [False]),
        ({"by": "actor", "max_events": 3}, [True, True]),
        ({"by": "gap", "max_events": 3}, [False, False]),
        ({"by": "gap", "max_events": 2}, [True, True, False]),
        ({"by": "session", "max_events": 2}, [True, True]),
        ({"by": "session", "max_events": 4}, [False]),
    ],
)
def test_a_sequence_is_cut_only_if_it_goes_on(
    home: Home, write: Write, rule: dict[str, Any], cut: list[bool]
) -> None:
    rows = [
        *(f"{time},u,v\n" for time in TIMES),
        "2024-02-01 10:06,other,v\n2024-02-01 10:07,other,v\n",
    ]
    path = write("time,user,visit\n" + "".join(rows))
    mapping = Mapping.model_validate(
        {"roles": {"actor": "user", "time": "time", "session": "visit"}, "sequence": rule}
    )
    every = read_sequences(home, import_log(home, path, mapping=mapping).id)
    assert not every[every["actor_id"] == "other"][Trust.CUT].any()
    sequences = every[every["actor_id"] == "u"]
    assert sequences[Trust.CUT].tolist() == cut
    assert ("it is one part of a longer sequence" in low_trust(sequences.iloc[0])) == cut[0]


def test_sequences_of_an_older_data_set_have_nothing_to_say() -> None:
    assert low_trust(pd.Series({"events": 12})) == []
