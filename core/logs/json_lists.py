"""Objects that hold a list of events, such as a session or an order: a row per event."""

import json
from collections.abc import Iterator
from typing import Any

import duckdb

from core.errors import BadInput
from core.logs.engine import literal, one_row
from core.logs.json_records import first_elements
from core.logs.times import format_of
from core.logs.vocabulary import LISTS_OF_EVENTS, TIMES, words_of

_LOOKED_AT = 200  # objects


def guess_events(head: str) -> str | None:
    """Return the key of the list that holds the events; None where each object is an event.

    The objects of such a list have a time. Where what holds it has one, too, its name must say
    that it is meant: a paid order may list when it was packed.
    """
    objects = list(_objects(head))
    timed = any(_has_time(one) for one in objects)
    for key in dict.fromkeys(key for one in objects for key in one):
        lists = [one[key] for one in objects if isinstance(one.get(key), list)]
        inner = [element for elements in lists for element in elements]
        told = sum(isinstance(element, dict) and _has_time(element) for element in inner)
        if 2 * told > len(inner) and (not timed or LISTS_OF_EVENTS & set(words_of(key))):
            return key
    return None


def _objects(head: str) -> Iterator[dict[str, Any]]:
    for text in first_elements(head)[:_LOOKED_AT]:
        try:
            found = json.loads(text, strict=False)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            yield found


def _has_time(one: dict[str, Any]) -> bool:
    return any(_is_time(key, value) for key, value in one.items())


def _is_time(key: str, value: object) -> bool:
    if isinstance(value, dict | list | bool) or format_of(text := str(value)) is None:
        return False
    return not text.replace(".", "").isdigit() or bool(set(TIMES) & set(words_of(key)))


def part_events(con: duckdb.DuckDBPyConnection, key: str) -> None:
    """Part each object of the table `lines`: a row per element of its list `key`, in its place.

    What holds no such list stays as it is, and what holds an empty one is a row without an event.

    Raises
    ------
    BadInput
        If no object has such a list.
    """
    name = literal(key)
    path = literal('$."' + key.replace("\\", "\\\\").replace('"', '\\"') + '"[*]')
    con.execute(
        f"""CREATE TABLE holders AS SELECT *, CASE WHEN json_valid(sound)
            THEN json_extract(sound, {path}) END AS elements
        FROM (SELECT *, CASE WHEN "@refused" IS NULL THEN "@text" END AS sound FROM lines)"""
    )
    if not one_row(con, "SELECT count(*) FILTER (len(elements) > 0) FROM holders")[0]:
        raise BadInput(
            f"The mapping takes the elements of the list '{key}' for events, but no object has "
            "such a list. Accepted: the key of a list of objects, or none."
        )
    con.execute(
        f"""CREATE OR REPLACE TABLE lines AS
        SELECT row_number() OVER (ORDER BY "@row", place) AS "@row", "@file", "@line",
            CASE WHEN elements IS NULL THEN "@text" ELSE CAST(json_merge_patch(
                json_merge_patch(sound, json_object({name}, NULL)),
                json_object({name}, element)) AS VARCHAR) END AS "@text", "@refused"
        FROM (SELECT *, unnest(CASE WHEN len(elements) > 0 THEN elements ELSE [NULL] END)
                AS element, unnest(range(greatest(len(elements), 1))) AS place FROM holders)"""
    )
    con.execute("DROP TABLE holders")
