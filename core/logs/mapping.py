"""What the analyst says about a log: which column plays which part, and how to cut sequences."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal
from zoneinfo import available_timezones

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from core.errors import BadInput
from core.schema import Column

Kind = Literal["categorical", "numeric", "text", "entity", "personal", "ignore"]

Count = Literal["seconds", "minutes", "hours", "days", "days since 1900"]

ROLES: Final = ("actor", "session", "time", "action", "item", "amount", "event_id")

# Attention needs the square of it, and each event has a position of its own in the model.
MOST_EVENTS: Final = 4096

# Endings of the facts that are computed per entity or numeric column (core.logs.facts).
FACT_ENDINGS: Final = (
    "_1h",
    "_distinct_1h",
    "_ratio_1h",
    "_actors",
    "_seen",
    "_own",
    "_vs_item",
)
_TAKEN: Final = frozenset(
    {
        *(value for name, value in vars(Column).items() if name.isupper()),
        *("actor", "items", "actions", "pattern"),
        *("rowid", "file_row_number"),  # which DuckDB gives columns of its own
        *("gap", "burst_10s", "burst_1m", "nth", "hour", "repeat_action", "same_item"),
        *(f"{role}{end}" for role in ("actor", "item", "items", "amount") for end in FACT_ENDINGS),
    }
)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Roles(_Strict):
    """Which column plays which part; None where no column does."""

    actor: str | None = None
    session: str | None = None
    time: str | None = None
    action: str | None = None
    item: str | None = None
    amount: str | None = None
    event_id: str | None = None

    def taken(self) -> dict[str, str]:
        """Return the columns that have a role: column -> role."""
        return {column: role for role in ROLES if (column := getattr(self, role)) is not None}


class Format(_Strict):
    """How the file is written.

    A space as delimiter means any run of white space. Quotes mean something only beside a delimiter
    of one character.
    """

    kind: Literal["csv", "fixed", "jsonl", "json", "access_log", "excel", "parquet"] = "csv"
    header: bool = True
    delimiter: str | None = Field(default=None, pattern=r"^[^\n\r\"]+$")
    encoding: str = "utf-8"
    sheet: str | None = None  # of a workbook; None: the first that has rows
    skip: int = Field(default=0, ge=0)  # rows above the header or the first event, but blank ones
    each: str | None = None  # JSON, Parquet: the list in each row whose elements are the events


class SequenceRule(_Strict):
    """How an actor's events are cut into sequences; longer ones continue in a further window."""

    by: Literal["session", "gap", "actor", "window"] = "actor"
    gap_minutes: float = Field(default=30, gt=0)
    max_events: int = Field(default=256, ge=1, le=MOST_EVENTS)

    @model_validator(mode="after")
    def _windows_are_short(self) -> "SequenceRule":
        if self.by == "window" and "max_events" not in self.model_fields_set:
            self.max_events = 64
        return self


class TimeRule(_Strict):
    """How times are written that do not say it themselves."""

    zone: str = "UTC"  # IANA name, of times without a zone
    day_first: bool = False  # 03/04/2019 is the third of April
    clock: str | None = None  # column with the time of day, where the role's has the date only
    counts: Count | None = None  # of numbers: from a start that the log does not say, or 1900

    @field_validator("zone")
    @classmethod
    def _is_a_zone(cls, zone: str) -> str:
        if zone not in available_timezones():
            raise ValueError(f"'{zone}' is no time zone; accepted: a name like Asia/Shanghai")
        return zone


class Mapping(_Strict):
    """The whole of it, saved with the data set and reused for the next file."""

    roles: Roles = Roles()
    columns: dict[str, Kind] = {}
    format: Format = Format()
    time: TimeRule = TimeRule()
    sequence: SequenceRule = SequenceRule()
    impute: dict[str, Literal["median", "item_median"]] = {}  # numeric columns, or the amount's
    mask: list[str] = []  # text columns in which mails, phones, card and id numbers are masked
    decimal_comma: list[str] = []  # columns that write 12,50 for twelve and a half
    duplicates: Literal["keep", "drop"] = "keep"
    facts: Literal["all", "actor"] = "all"  # those about others take a third of an import

    @model_validator(mode="before")
    @classmethod
    def _names_as_read(cls, data: Any) -> Any:
        """Write column names as the reader does, so that `..ip` finds `ip`."""
        if not isinstance(data, dict):
            return data
        data = dict(data)
        for part in ("columns", "impute"):
            if isinstance(data.get(part), dict):
                data[part] = {tidy(name): kind for name, kind in data[part].items()}
        for part in ("mask", "decimal_comma"):
            if isinstance(data.get(part), list):
                data[part] = [tidy(name) if isinstance(name, str) else name for name in data[part]]
        if isinstance(data.get("time"), dict) and isinstance(data["time"].get("clock"), str):
            data["time"] = {**data["time"], "clock": tidy(data["time"]["clock"])}
        if isinstance(data.get("roles"), dict):
            data["roles"] = {
                role: tidy(name) if isinstance(name, str) else name
                for role, name in data["roles"].items()
            }
        return data

    @model_validator(mode="after")
    def _fits_together(self) -> "Mapping":
        taken = self.roles.taken()
        named = [column for role in ROLES if (column := getattr(self.roles, role)) is not None]
        if twice := sorted({column for column in named if named.count(column) > 1}):
            raise ValueError(f"column '{twice[0]}' has more than one role; give it one")
        if both := sorted(set(taken) & set(self.columns)):
            raise ValueError(
                f"column '{both[0]}' has the role {taken[both[0]]} and is also in columns; "
                "give it one of the two"
            )
        clock = self.time.clock
        if clock is not None and (self.roles.time is None or clock in taken):
            has = f"has the role {taken[clock]}" if clock in taken else "needs a column of dates"
            raise ValueError(f"the clock '{clock}' {has}; accepted: a column beside the role time")
        self._fit_kinds()
        if "sequence" not in self.model_fields_set:
            self.sequence = SequenceRule(by="session" if self.roles.session else "actor")
            self.model_fields_set.discard("sequence")  # a default, not the analyst's word
        return self

    def _fit_kinds(self) -> None:
        """Refuse what is asked of columns of another kind; a kind not given yet is proposed."""
        roles = self.roles.taken()
        for asked, kind in ((self.impute, "numeric"), (self.mask, "text")):
            for column in asked:
                role = roles.get(column)
                as_role = "numeric" if role == "amount" else f"the {role}"
                given = as_role if role else self.columns.get(column, kind)
                if given != kind:
                    raise ValueError(f"column '{column}' is {given}; accepted there: {kind}")
        if "item_median" in self.impute.values() and self.roles.item is None:
            raise ValueError("imputing by item needs a column with the role item")


def tidy(name: str) -> str:
    """Drop what surrounds a column's name in odd headers: byte marks, dots, spaces."""
    return re.sub(r"^\W+|\s+$", "", name.strip().strip('"')) or name.strip()


def parse_mapping(text: str) -> Mapping:
    """Read a mapping from JSON.

    Raises
    ------
    BadInput
        Says which part is wrong and what is accepted there.
    """
    with _refusing():
        return Mapping.model_validate_json(text)


def make_mapping(parts: dict[str, Any]) -> Mapping:
    """Put a mapping together; raises `BadInput` as `parse_mapping` does."""
    with _refusing():
        return Mapping.model_validate(parts)


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) + ": " if first["loc"] else ""
        what = first["msg"].removeprefix("Value error, ")
        raise BadInput(
            f"The mapping cannot be used: {place}{what}. Accepted: a JSON object with "
            f"roles ({', '.join(ROLES)}), columns, format, time, sequence, impute, mask, "
            "decimal_comma, duplicates and facts."
        ) from error


def safe_name(name: str) -> str:
    """Return `name` in lower snake case; Latin and Chinese letters and digits only."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[^0-9a-z\u4e00-\u9fff]+", "_", spaced.lower()).strip("_") or "column"


def canonical_names(mapping: Mapping) -> dict[str, str]:
    """Return the names of the extra columns kept in the events: source -> canonical."""
    kept = [name for name, kind in mapping.columns.items() if kind != "ignore"]
    bases = {safe_name(name) for name in kept}
    names: dict[str, str] = {}
    for source in kept:
        name = safe_name(source)
        while name in _TAKEN or name in names.values() or _is_a_fact(name, bases):
            name += "_"
        names[source] = name
    return names


def _is_a_fact(name: str, bases: set[str]) -> bool:
    return any(name.endswith(end) and name.removesuffix(end) in bases for end in FACT_ENDINGS)


def extra_columns(mapping: Mapping) -> dict[str, Kind]:
    """Return the extra columns kept in the events: canonical name -> kind."""
    return {name: mapping.columns[source] for source, name in canonical_names(mapping).items()}


def event_columns(mapping: Mapping) -> dict[str, str]:
    """Return the columns of the file whose values the events keep, but the actor's.

    Source -> canonical.
    """
    roles = {"time": Column.TIME, "session": Column.SESSION}
    taken = {column: roles.get(role, role) for column, role in mapping.roles.taken().items()}
    taken.pop(mapping.roles.actor or "", None)
    return taken | canonical_names(mapping)
