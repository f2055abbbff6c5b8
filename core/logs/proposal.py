"""Propose a mapping for a log by the names and the content of its columns."""

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from core.errors import BadInput
from core.logs.engine import connect, lent, quoted, scratch_folder
from core.logs.events import create_events
from core.logs.frames import to_frame
from core.logs.guessing import SURE, Guess, guess_kinds
from core.logs.imputing import impute
from core.logs.lengths import whole_lengths
from core.logs.mapping import ROLES, Format, Mapping, Roles, TimeRule, make_mapping
from core.logs.measuring import load_part
from core.logs.numbers import decimal_comma
from core.logs.privacy import create_masks
from core.logs.profiling import Profile, profile_columns, take_sample
from core.logs.quality import Quality, complete_quality, measure_quality
from core.logs.reader import Source, open_log
from core.logs.repeats import CONTENT, find_repeats
from core.logs.roles import SPREADSHEET, counted_in, guess_roles
from core.logs.sequencing import WHOLE, Cut, Loaded, cut_sequences
from core.logs.times import START, day_first, leads_with_day_or_month, says_when
from core.logs.vocabulary import CLOCKS, OTHER_TIMES, words_of
from core.schema import Column

_SAMPLE_CHARACTERS = 16_000_000
_PREVIEW_EVENTS = 10
_CLOCKED = 0.95  # share of a column's values that are a time of day
_MOST_SLOTS = 48  # different ones where no name says when


@dataclass(frozen=True)
class Inspection:
    """What a look at a log shows; nothing is stored."""

    format: Format
    columns: pd.DataFrame  # name, type, example, missing, distinct, role_or_kind, reason,
    # confidence
    mapping: Mapping
    preview: pd.DataFrame  # the first canonical events
    quality: dict[str, Any]  # of what was looked at, its `rows`: the "first" ones or the "whole" of
    # the log; only `problem` where it cannot be imported like this
    lengths: dict[int, int]  # events of a whole sequence -> sequences, before `max_events` cuts
    notes: list[str]  # on what was proposed


def inspect_log(path: Path | str, *, mapping: Mapping | None = None) -> Inspection:
    """Look at the beginning of a log and propose how to import it.

    Parameters
    ----------
    mapping
        What is decided already; the rest is proposed.

    Raises
    ------
    BadInput
        If the file cannot be read as a log, or the mapping names what is not there.
    """
    with scratch_folder() as scratch, connect(scratch) as con:
        source = open_log(
            con, Path(path), scratch, format=given_format(mapping), limit=_SAMPLE_CHARACTERS
        )
        proposal = _propose(con, source, mapping)
        lengths: dict[int, int] = {}
        create_masks(con, secrets.token_bytes())  # a look has no home, so no key to keep to
        try:
            _check(con, source, proposal.mapping)
            preview, quality, lengths = _preview(con, proposal.mapping, is_whole=source.is_whole)
        except BadInput as error:
            preview, quality = pd.DataFrame(), {"problem": str(error)}
    return Inspection(
        format=source.format,
        columns=_describe(proposal),
        mapping=proposal.mapping,
        preview=preview,
        quality=quality,
        lengths=lengths,
        notes=proposal.notes,
    )


def given_format(mapping: Mapping | None) -> Format | None:
    """Return the format a mapping fixes, or None where it is to be found out."""
    return mapping.format if mapping and "format" in mapping.model_fields_set else None


def complete(con: duckdb.DuckDBPyConnection, source: Source, mapping: Mapping | None) -> Mapping:
    """Return `mapping` with all it does not mention as proposed.

    Raises
    ------
    BadInput
        If it names columns that are not there, or the log has no actor or no order.
    """
    proposed = _propose(con, source, mapping).mapping
    _check(con, source, proposed)
    return proposed


@dataclass(frozen=True)
class _Proposal:
    mapping: Mapping
    profiles: list[Profile]
    guesses: dict[str, Guess]  # by column; of columns that the analyst did not decide
    notes: list[str]


def _propose(con: duckdb.DuckDBPyConnection, source: Source, mapping: Mapping | None) -> _Proposal:
    given = mapping or Mapping()
    _check_names(given, source)
    take_sample(con, source.columns)
    profiles = profile_columns(con, source.columns)
    if not profiles[0].rows:
        raise BadInput(
            f"The log holds no row below its header that has its {len(source.columns)} fields "
            f"({_listed(source.columns)}). Accepted: at least one event."
        )
    guesses = _guess_open_roles(given, profiles, named=source.format.header)
    mentioned = {role: getattr(given.roles, role) for role in given.roles.model_fields_set}
    roles = Roles(**{**{guess.what: column for column, guess in guesses.items()}, **mentioned})
    guesses |= guess_kinds(con, [p for p in profiles if p.name not in roles.taken()])
    clock = _clock(given, profiles, roles)
    if clock is not None:
        guesses[clock] = Guess(
            "ignore", f"the time of day, read together with '{roles.time}'", SURE
        )
    implied = dict.fromkeys(given.mask, "text") | dict.fromkeys(given.impute, "numeric")
    kinds = {
        column: {**implied, **given.columns}.get(column, guesses[column].what)
        for column in source.columns
        if column not in roles.taken()
    }
    time, notes = _time_rule(
        con, given.time, next((p for p in profiles if p.name == roles.time), None)
    )
    time = time.model_copy(update={"clock": clock})
    numbers = [column for column, kind in kinds.items() if kind == "numeric"]
    numbers += [roles.amount] if roles.amount else []
    parts = {"sequence", "impute", "mask", "duplicates", "facts", "decimal_comma"}
    decided = given.model_dump(exclude_unset=True, include=parts)
    if "decimal_comma" not in decided:
        decided["decimal_comma"] = [name for name in numbers if decimal_comma(con, name)]
    proposed = make_mapping(
        {"roles": roles, "columns": kinds, "format": source.format, "time": time, **decided}
    )
    if clock is not None:
        _read_together(con, str(roles.time), clock)
    undecided = {name: one for name, one in guesses.items() if name not in given.columns}
    return _Proposal(proposed, profiles, undecided, notes)


def _guess_open_roles(given: Mapping, profiles: list[Profile], *, named: bool) -> dict[str, Guess]:
    """Guess the roles that the mapping does not mention, from the columns it does not use."""
    used = {*given.columns, *given.roles.taken()}
    open_roles = [role for role in ROLES if role not in given.roles.model_fields_set]
    return guess_roles([p for p in profiles if p.name not in used], open_roles, named=named)


def _clock(given: Mapping, profiles: list[Profile], roles: Roles) -> str | None:
    """Return the column that holds the time of day, where the one with the role has the date only.

    A column that the analyst keeps for something else is none.
    """
    if "clock" in given.time.model_fields_set:
        return given.time.clock
    date = next((p for p in profiles if p.name == roles.time), None)
    if date is None or ":" in (date.example or "") or any(map(says_when, date.formats)):
        return None
    free = [p for p in profiles if given.columns.get(p.name, "ignore") == "ignore"]
    found = (p.name for p in free if p.name not in roles.taken() and _is_clock(p))
    return next(found, None)


def _is_clock(profile: Profile) -> bool:
    """Tell the time of an event from a slot in which something is to be delivered."""
    words = set(words_of(profile.name))
    told = CLOCKS & words or profile.distinct > _MOST_SLOTS
    return profile.clock > _CLOCKED and bool(told) and not OTHER_TIMES & words


def _read_together(con: duckdb.DuckDBPyConnection, date: str, clock: str) -> None:
    """Put the time of day behind the date, in the column of the date."""
    name = quoted(date)
    con.execute(
        f"""ALTER VIEW source RENAME TO apart;
        CREATE VIEW source AS SELECT * REPLACE (CASE WHEN {name} IS NOT NULL
            THEN concat_ws(' ', {name}, {quoted(clock)}) END AS {name}) FROM apart"""
    )


def _time_rule(
    con: duckdb.DuckDBPyConnection, given: TimeRule, profile: Profile | None
) -> tuple[TimeRule, list[str]]:
    """Propose what numbers count that are too small for a time, and whether the day comes first.

    That is told by dates that can be read in one way only.
    """
    if profile is not None and not profile.formats and "counts" not in given.model_fields_set:
        unit = counted_in(profile)
        if unit is None:
            return given, []
        start = f"a start that the log does not say: taken for {unit}, told as if from {START}"
        if unit == SPREADSHEET:
            start = "1900, in days: so spreadsheets write dates"
        note = f"'{profile.name}' counts the time from {start}."
        return given.model_copy(update={"counts": unit}), [note]
    decided = "day_first" in given.model_fields_set
    if decided or profile is None or not any(map(leads_with_day_or_month, profile.formats)):
        return given, []
    first = day_first(con, profile.name, "sample")
    if first is None:
        first = day_first(con, profile.name)
    if first is not None:
        return TimeRule(zone=given.zone, day_first=first), []
    with_dots = profile.formats[0].startswith("%1.")  # as where the day is written first
    which = "first" if with_dots else "second"
    note = (
        f"Dates of '{profile.name}' such as {profile.example} can be read in two ways: "
        f"the {which} number is taken as the day."
    )
    return TimeRule(zone=given.zone, day_first=with_dots), [note]


def _check_names(mapping: Mapping, source: Source) -> None:
    named = [*mapping.roles.taken(), *mapping.columns, *mapping.impute, *mapping.mask]
    named += [*mapping.decimal_comma, *filter(None, [mapping.time.clock])]
    if unknown := [name for name in named if name not in source.columns]:
        raise BadInput(
            f"The mapping names the column '{unknown[0]}', which the file does not have. "
            f"Its columns: {_listed(source.columns)}."
        )


def _check(con: duckdb.DuckDBPyConnection, source: Source, mapping: Mapping) -> None:
    roles, rule = mapping.roles, mapping.sequence
    if roles.actor is None:
        raise BadInput(
            "No column says who acts (a user, buyer, ip or shop whose events form a sequence). "
            f"Columns: {_listed(source.columns)}. Name one as the role 'actor' of the mapping."
        )
    if rule.by == "session" and roles.session is None:
        raise BadInput(
            "Sequences by session need a column with the role 'session'. "
            "Map one, or cut by gap, actor or window."
        )
    if rule.by == "gap" and roles.time is None:
        raise BadInput(
            "Sequences by gap need a column with the role 'time'. "
            "Map one, or cut by session, actor or window."
        )
    if roles.time is None:
        _check_order(con, roles.actor)


def _check_order(con: duckdb.DuckDBPyConnection, actor: str) -> None:
    (profile,) = profile_columns(con, [actor])
    if profile.filled > 1 and profile.distinct == profile.filled:
        raise BadInput(
            f"The log has no order: no column holds a time, and every row has another '{actor}'. "
            "Accepted: a column with times (role 'time'), or several rows for the same actor."
        )


def _preview(
    con: duckdb.DuckDBPyConnection, mapping: Mapping, *, is_whole: bool
) -> tuple[pd.DataFrame, Quality, dict[int, int]]:
    counts = create_events(con, mapping)
    quality = measure_quality(con, mapping, counts, impute(con, mapping, "accepted"))
    loaded = load_part(con, mapping.model_copy(update={"facts": "actor"}), WHOLE)
    cut = cut_sequences(con, loaded, mapping, "preview")
    actors = loaded.table[Column.ACTOR].take(cut.first)
    with lent(con, pieces=pa.table({"actor_id": actors, "events": cut.sizes})):
        quality = complete_quality(
            con,
            mapping,
            quality,
            find_repeats(loaded.table)[1],
            "pieces",
            rows="whole" if is_whole else "first",
        )
    lengths = whole_lengths(cut, mapping.sequence.max_events)
    return _first_events(con, loaded, cut), quality, lengths


def _first_events(con: duckdb.DuckDBPyConnection, loaded: Loaded, cut: Cut) -> pd.DataFrame:
    """Return some events: those of the sequences that begin first in the file."""
    number = np.repeat(np.arange(len(cut.sizes)), cut.sizes)  # of the events in sequences
    begun = loaded.table[Column.ROW].to_numpy()[cut.first]
    shown = np.argsort(begun[number], kind="stable")[:_PREVIEW_EVENTS]
    place = cut.place[shown]
    events = loaded.table.take(place).drop_columns([CONTENT])
    events = events.add_column(0, Column.SEQUENCE, cut.ids.take(number[shown]))
    events = events.append_column(Column.POSITION, pa.array(loaded.events[Column.POSITION][place]))
    with lent(con, shown=events):
        return to_frame(con.execute("FROM shown"))


def _describe(proposal: _Proposal) -> pd.DataFrame:
    roles = proposal.mapping.roles.taken()
    given = Guess("", "as the mapping says", 1.0)
    rows = []
    for profile in proposal.profiles:
        guess = proposal.guesses.get(profile.name, given)
        rows.append(
            {
                "name": profile.name,
                "type": _type_of(profile),
                "example": profile.example,
                "missing": round(profile.missing, 4),
                "distinct": profile.distinct,
                "role_or_kind": roles.get(profile.name) or proposal.mapping.columns[profile.name],
                "reason": guess.reason,
                "confidence": guess.confidence,
            }
        )
    return pd.DataFrame(rows)


def _type_of(profile: Profile) -> str:
    if profile.filled == 0:
        return "empty"
    if profile.is_number:
        return "whole number" if profile.whole > 0.98 else "number"
    return "time" if profile.timed > 0.9 else "text"


def _listed(columns: list[str]) -> str:
    shown = ", ".join(columns[:40])
    return shown + (f" and {len(columns) - 40} more" if len(columns) > 40 else "")
