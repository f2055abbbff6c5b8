"""Facts of an actor's company: who shares its items, and whether they share them with each other.

Organised abuse shows in pairs: actors hired for the same campaigns meet on the same items, which
chance hardly brings about twice (Mukherjee, Liu & Glance, "Spotting Fake Reviewer Groups in
Consumer Reviews", WWW 2012). Two actors are companions who share at least two items. Everybody
meets on what is popular, and that takes as many pairs as its visitors squared: so only items with
few actors count, as many of them as give about one pair per event.
"""

from typing import Final

import duckdb

from core.logs.engine import in_parallel, one_row
from core.logs.fact import Bucketing, Fact
from core.logs.mapping import Mapping
from core.logs.sequencing import Part, parts_of

_EVENTS_PER_PART = 1_000_000  # their rows are short here
_PAIRS = 2_000_000  # that are compared in any log, even of fewer events: they take about a second


_NONE: Final = ("companions", "close_companions", "most_shared_items", "companion_overlap_share")


def companion_facts(mapping: Mapping) -> list[Fact]:
    """Return the facts of the profile that are columns of the table `companions`."""
    if mapping.roles.item is None or mapping.facts != "all":
        return []
    return [
        _of_company("companions", "count",
                    "{value} other actors with two or more rarer items in common"),
        _of_company("close_companions", "count",
                    "{value} other actors with three or more rarer items in common"),
        _of_company("most_shared_items", "count",
                    "up to {value} rarer items in common with a companion"),
        _of_company("companion_overlap_share", "ratio",
                    "{value} of rarer items in common with the closest companion"),
        _of_company("companions_of_companions", "number",
                    "companions have {value} companions on average"),
        _of_company("companions_of_others", "number",
                    "others on its rarer items have {value} companions on average"),
    ]  # fmt: skip


def _of_company(name: str, bucketing: Bucketing, words: str) -> Fact:
    return Fact(name, None, "log", bucketing, words)


def company_sql(fact: str) -> str:
    """Return SQL of a fact of an actor that `companions` may not hold: it has no company."""
    return f"CAST({f'coalesce({fact}, 0)' if fact in _NONE else fact} AS DOUBLE) AS {fact}"


def find_companions(con: duckdb.DuckDBPyConnection, mapping: Mapping) -> None:
    """Create `companions` of `accepted`: for each `actor`, as a hash, its `companion_facts`."""
    if not companion_facts(mapping):
        con.execute("CREATE TABLE companions (actor UBIGINT)")
        return
    _create_visits(con)
    _create_pairs(con)
    con.execute(
        """CREATE TABLE companions AS
        WITH owned AS (SELECT actor, count(*) AS items FROM visits GROUP BY actor),
        own AS (SELECT pairs.actor, count(*) AS companions,
                count(*) FILTER (shared > 2) AS close_companions, max(shared) AS most_shared_items,
                max(shared / (mine.items + theirs.items - shared)) AS companion_overlap_share
            FROM pairs JOIN owned AS mine ON mine.actor = pairs.actor
                JOIN owned AS theirs ON theirs.actor = other
            GROUP BY pairs.actor),
        circle AS (SELECT pairs.actor, avg(companions) AS companions_of_companions
            FROM pairs JOIN own ON own.actor = other GROUP BY pairs.actor),
        visited AS (SELECT visits.*, coalesce(companions, 0) AS companions
            FROM visits LEFT JOIN own USING (actor)),
        company AS (SELECT item, sum(companions) AS total FROM visited GROUP BY item),
        met AS (SELECT actor, -- rounded: threads add in any order
                round(avg((total - companions) / (actors - 1)), 6) AS companions_of_others
            FROM visited JOIN company USING (item) GROUP BY actor)
        FROM met LEFT JOIN own USING (actor) LEFT JOIN circle USING (actor)"""
    )
    for table in ("visits", "pairs"):
        con.execute(f"DROP TABLE {table}")


def _create_visits(con: duckdb.DuckDBPyConnection) -> None:
    """Create `visits`: actor, item and how many actors the item has, for the items that count."""
    con.execute("CREATE TABLE seen (actor UBIGINT, item UBIGINT)")

    def see(own: duckdb.DuckDBPyConnection, part: Part) -> None:
        own.execute(
            f"""INSERT INTO seen SELECT DISTINCT hash(actor_id), hash(item) FROM accepted
            WHERE item IS NOT NULL AND {part.condition}"""
        )

    in_parallel(con, see, parts_of(con, "accepted", _EVENTS_PER_PART))
    con.execute(
        """CREATE TABLE sizes AS SELECT item, count(*) AS actors FROM seen GROUP BY item
        HAVING count(*) > 1"""
    )
    (events,) = one_row(con, "SELECT count(*) FROM accepted")
    (most,) = one_row(
        con,
        f"""SELECT coalesce(max(actors), 0) FROM (
            SELECT actors, sum(count(*) * actors * (actors - 1) / 2) OVER (ORDER BY actors) AS pairs
            FROM sizes GROUP BY actors) WHERE pairs <= {max(_PAIRS, events)}""",
    )
    con.execute(
        f"""CREATE TABLE visits AS SELECT actor, item, actors FROM seen JOIN sizes USING (item)
        WHERE actors <= {most}"""
    )
    for table in ("seen", "sizes"):
        con.execute(f"DROP TABLE {table}")


def _create_pairs(con: duckdb.DuckDBPyConnection) -> None:
    """Create `pairs`: each actor and each of its companions (`other`), and the items they share."""
    con.execute(
        """CREATE TABLE pairs AS
        WITH regular AS (FROM visits SEMI JOIN (
            SELECT actor FROM visits GROUP BY actor HAVING count(*) > 1) USING (actor)),
        met AS (SELECT one.actor, two.actor AS other, count(*) AS shared
            FROM regular AS one JOIN regular AS two
                ON one.item = two.item AND one.actor < two.actor
            GROUP BY one.actor, two.actor HAVING count(*) > 1)
        FROM met UNION ALL SELECT other, actor, shared FROM met"""
    )
