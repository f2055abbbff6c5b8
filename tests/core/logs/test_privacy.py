import hashlib
import hmac
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from core.errors import BadInput
from core.logs.engine import connect, scratch_folder
from core.logs.frames import read_events, read_rejected
from core.logs.importing import import_log
from core.logs.mapping import Mapping, Roles
from core.logs.privacy import create_masks, home_key
from core.logs.proposal import inspect_log
from core.store.home import Home, open_home

LOG = """user;at;email;comment
u1;2026-01-01;ann@shop.example;write to ann.b+c@mail.example.org or +49 (0)30 1234-5678
u1;2026-01-02;ann@shop.example;card 4111 1111 1111 1111, id 11010519491231002X, order 1234567
u2;soon;bob@shop.example;nothing
u2;2026-01-03;;
"""
MAPPING = Mapping(
    roles=Roles(actor="user", time="at"),
    columns={"email": "personal", "comment": "text"},
    mask=["comment"],
)


def test_a_pseudonym_is_the_keyed_hash_of_the_value(home: Home, write: Any) -> None:
    dataset = import_log(home, write(LOG), mapping=MAPPING)
    events = read_events(home, dataset.id)
    digest = hmac.new(home_key(home.path), b"ann@shop.example", hashlib.sha256).hexdigest()
    assert events["email"].tolist()[:2] == [digest[:16]] * 2
    assert events["email"].isna().tolist() == [False, False, True]


def test_pseudonyms_agree_within_a_home_and_differ_between_homes(
    home: Home, tmp_path: Path, write: Any
) -> None:
    path = write(LOG)
    one, again = (import_log(home, path, mapping=MAPPING) for _ in range(2))
    other_home = open_home(tmp_path / "other")
    other = import_log(other_home, path, mapping=MAPPING)
    first, second = (read_events(home, found.id)["email"][0] for found in (one, again))
    assert first == second != read_events(other_home, other.id)["email"][0]
    assert (home.path / "pseudonym.key").stat().st_mode & 0o077 == 0


def test_contacts_and_numbers_in_free_text_are_masked_and_counted(home: Home, write: Any) -> None:
    dataset = import_log(home, write(LOG), mapping=MAPPING)
    assert read_events(home, dataset.id)["comment"].tolist()[:2] == [
        "write to [mail] or [phone]",
        "card [card], id [id], order 1234567",
    ]
    counted = {"mail": 1, "id": 1, "card": 1, "phone": 1}
    assert dataset.quality["masked"] == {"comment": counted}
    assert any("1 card" in note for note in dataset.quality["notes"])


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("from 192.168.100.17, 10.0.0.1 and 203.0.113.250.", None),
        ("on 2024-05-20 04:11:12 and 2024/05/20 04h", None),
        ("06.12.34.56.78", "[phone]"),
        ("415.555.2671 or 192.168.1.1", "[phone] or 192.168.1.1"),
        ("call +49 (0)30 1234-5678", "call [phone]"),
        ("1.2.3.4.5.6.7.8.9", "[phone]"),
        ("ip 255.255.255.255 tel 13812345678", "ip 255.255.255.255 tel [phone]"),
        ("2024-05-20 13812345678", "2024-05-20 [phone]"),
    ],
)
def test_addresses_of_networks_and_dates_are_no_phone_numbers(text: str, left: str | None) -> None:
    with scratch_folder() as scratch, connect(scratch) as con:
        create_masks(con, bytes(32))
        assert con.execute("SELECT mask(?)", [text]).fetchone() == (left or text,)


def test_nothing_that_is_stored_holds_a_personal_value(home: Home, write: Any) -> None:
    dataset = import_log(home, write(LOG), mapping=MAPPING)
    rejected = read_rejected(home, dataset.id)["raw"].tolist()
    digest = hmac.new(home_key(home.path), b"bob@shop.example", hashlib.sha256).hexdigest()
    assert rejected == [f"u2;soon;{digest[:16]};nothing"]
    for file in home.dataset_dir(dataset.id).rglob("*.parquet"):
        assert "shop.example" not in pd.read_parquet(file).to_csv()
    assert "shop.example" not in str(dataset.quality)


def test_a_rejected_row_shows_nobody(home: Home, write: Any) -> None:
    log = """user,at,full name,ip,comment,note
u1,2026-01-01,Ann Lee,10.0.0.1,fine,n1
u1,2026-01-02,Ann Lee,10.0.0.1,fine,n2
u2,notatime,Bob Ray,10.0.0.2,call +49 (0)30 1234-5678,n3
u3,2026-01-03,Eve, Oh,10.0.0.3,fine,n4
,2026-01-03,Eve Oh,10.0.0.3,fine,n5
"""
    mapping = Mapping.model_validate(
        {
            "roles": {"actor": "user", "time": "at"},
            "columns": {"full name": "personal", "ip": "personal", "comment": "text",
                        "note": "ignore"},
        }
    )  # fmt: skip
    path = write(log)
    dataset = import_log(home, path, mapping=mapping)
    name, ip = (
        hmac.new(home_key(home.path), value, hashlib.sha256).hexdigest()[:16]
        for value in (b"Bob Ray", b"10.0.0.2")
    )
    rejected = read_rejected(home, dataset.id)
    assert rejected["reason"].tolist() == [
        "time cannot be read", "7 fields instead of 6", "no actor",
    ]  # fmt: skip
    assert rejected["raw"][0].startswith(f"u2,notatime,{name},{ip},call [phone],")
    assert rejected["raw"][1].startswith("left out, it may hold what is personal: ")
    shown = (
        str(dataset.quality) + rejected.to_csv() + str(inspect_log(path, mapping=mapping).quality)
    )
    assert not [word for word in ("Bob", "Eve", "10.0.0.") if word in shown]
    assert import_log(home, path, into=dataset.id) == dataset  # its rejected rows are known
    other = log.replace("Eve, Oh", "Eva, Oh").replace(",n3", ",n9")
    grown = import_log(home, write(other, "other.csv"), into=dataset.id)
    assert (grown.rejected, grown.accepted) == (5, 2)  # two more that cannot be used, no repeats


def test_a_look_shows_pseudonyms_too(write: Any) -> None:
    preview = inspect_log(write(LOG), mapping=MAPPING).preview
    assert preview["email"].str.fullmatch("[0-9a-f]{16}").tolist()[:2] == [True, True]


def test_a_column_that_is_to_be_masked_is_text_and_must_exist(home: Home, write: Any) -> None:
    path = write(LOG)
    implied = inspect_log(path, mapping=Mapping(mask=["comment"]))
    assert implied.mapping.columns["comment"] == "text"
    with pytest.raises(BadInput, match="'phone', which the file does not have"):
        import_log(home, path, mapping=Mapping(mask=["phone"]))
    with pytest.raises(BadInput, match="column 'user' is the actor; accepted there: text"):
        import_log(home, path, mapping=Mapping(mask=["user"]))


def test_a_pseudonym_of_digits_only_is_no_number_of_a_card(home: Home, write: Any) -> None:
    def pseudonym(value: str) -> str:
        return hmac.new(home_key(home.path), value.encode(), hashlib.sha256).hexdigest()[:16]

    name = next(name for name in map(str, count()) if pseudonym(f"Bob {name}").isdigit())
    rows = f"u1,2026-01-01,Bob {name}\nu2,notatime,Bob {name}\n"
    mapping = Mapping.model_validate(
        {"roles": {"actor": "user", "time": "at"}, "columns": {"full name": "personal"}}
    )
    dataset = import_log(home, write(f"user,at,full name\n{rows}"), mapping=mapping)
    kept = read_rejected(home, dataset.id)["raw"][0]
    assert kept == f"u2,notatime,{pseudonym(f'Bob {name}')}"
