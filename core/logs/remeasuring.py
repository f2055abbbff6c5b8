"""Facts of changed events, asked for again and again: while an analyst edits, while one searches.

Planning the queries takes several times as long as running them on the events of one actor, so
they are planned once, on a connection that stays open, for tables that are filled and undone.
"""

from collections.abc import Sequence
from threading import Lock

import duckdb
import pandas as pd

from core.logs.engine import undone
from core.logs.frames import to_frame
from core.logs.mapping import Mapping
from core.logs.measuring import naive, own_facts, own_facts_steps, profile_query
from core.logs.ordering import Table
from core.schema import Column


class Remeasuring:
    """Measures changed events of a log; several threads may share one.

    Parameters
    ----------
    events
        Any of the log: what columns there are.
    """

    def __init__(self, events: pd.DataFrame, mapping: Mapping, actions: Sequence[str]) -> None:
        self._own = own_facts(mapping)
        self._given = [name for name in events if name not in self._own]
        self._lock = Lock()
        self._con = duckdb.connect(":memory:", config={"threads": "1"})
        self._con.register("example", self._as_given(events.iloc[:0]))
        self._con.execute("CREATE TABLE edited AS FROM example")
        steps, query = own_facts_steps(mapping, "edited", "_order")
        self._steps = [*steps, Table("own", query)]
        for step in self._steps:
            step.make(self._con)
            step.prepare(self._con)
        self._con.unregister("example")
        profiles = profile_query(mapping, actions, "measured")
        self._con.execute(
            f"""PREPARE profiles AS WITH measured AS (
                FROM edited JOIN own USING (_order) WHERE sequence_id IS NOT NULL) {profiles}"""
        )

    def measure(self, events: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return events of whole actors with their facts, and the profiles of their sequences.

        Facts of scope `log` stay as they are in `events`. Events without a ``sequence_id`` are an
        actor's history: they count for the facts of others and are not returned.

        Returns
        -------
        The events in their order, and a row per sequence: sequence_id and the facts of scope
        `sequence`.
        """
        with self._lock, undone(self._con):
            self._con.append("edited", self._as_given(events), by_name=True)
            for step in self._steps:
                step.fill(self._con)
            own = to_frame(self._con.execute("FROM own ORDER BY _order"))
            profiles = self._con.execute("EXECUTE profiles").df()
        measured = events.assign(**{name: own[name].to_numpy() for name in self._own})
        return measured[measured[Column.SEQUENCE].notna()].reset_index(drop=True), profiles

    def _as_given(self, events: pd.DataFrame) -> pd.DataFrame:
        times = naive(events[Column.TIME])
        return events[self._given].assign(**{Column.TIME: times}, _order=range(len(events)))
