"""Planting abuse into a log: who takes part, when they meet, and what covers it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.errors import BadInput
from core.schema import Column
from core.simulate.host import Host, Rows, Seconds, read_host
from core.simulate.schemes import (
    SCHEMES,
    Plot,
    Scheme,
    Step,
    Turn,
    coupon_orders,
    extreme_reviews,
    targets,
)
from core.simulate.telling import HALF_HOUR, Planting, again, harvest, pauses, tell

APART = 3600.0  # seconds between visits of the same actor
WIDER = 3.0  # windows that full camouflage adds to the length of a round
PUBLIC = 4  # actors; what more of them share (a campus, a carrier) a newcomer may share too


@dataclass(frozen=True)
class Abuser:
    """One who takes part, under cover of an honest actor's habits."""

    name: str
    visits: list[Rows]  # the honest visits that it bends or tells again
    own: dict[tuple[str, str], str]  # (column, value of the honest actor): own value
    victim: bool = False  # the visits are its own and give way


@dataclass(frozen=True)
class Ring:
    """Those who carry out a scheme together."""

    scheme: Scheme
    plot: Plot
    members: list[Abuser]
    camouflage: float


def inject(
    events: pd.DataFrame, scheme: str, *, rng: np.random.Generator, size: int, camouflage: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Plant one scheme of abuse into canonical events.

    Parameters
    ----------
    events
        Canonical events: actor_id, ts and action; session_id, item, amount and any further
        columns are used where they are. Columns that an import computes of its events
        (sequence_id, row, position) are left out of the result: import it again.
    scheme
        One of `SCHEMES`.
    size
        Number of abusive actors: new ones, or for account_takeover existing ones.
    camouflage
        Share of normal-looking behaviour mixed in, from 0 to 1; something abusive always remains.

    Returns
    -------
    events, truth
        The events by time (UTC) and, apart from them, actor_id and scheme of the abusive actors.
    """
    planting = Planting(read_host(events), rng)
    plant(planting, scheme, size=size, camouflage=camouflage)
    return harvest(planting)


def plant(planting: Planting, scheme: str, *, size: int, camouflage: float) -> None:
    """Add one scheme to what is planted in a host."""
    _check(planting, scheme, size, camouflage)
    least, most = SCHEMES[scheme].ring
    abusers = _abusers(planting, scheme, size)
    planting.truth |= dict.fromkeys((a.name for a in abusers), scheme)
    while abusers:
        number = int(planting.rng.integers(least, most + 1))
        members, abusers = abusers[:number], abusers[number:]
        plot = _plot(planting, scheme, len(members))
        _carry_out(planting, Ring(SCHEMES[scheme], plot, members, camouflage))


def _check(planting: Planting, scheme: str, size: int, camouflage: float) -> None:
    if scheme not in SCHEMES:
        raise BadInput(f"Scheme {scheme!r} is not known; accepted are {', '.join(SCHEMES)}.")
    if not 0 <= camouflage <= 1:
        raise BadInput(f"Camouflage {camouflage} is not accepted; it is a share from 0 to 1.")
    most, kind = len(planting.host.visits_of), "actors"
    if scheme == "account_takeover":
        most, kind = len(_victims(planting)), "actors with enough of a past to be taken over"
    if not 1 <= size <= most:
        raise BadInput(
            f"Size {size} is not accepted; the log has {most} {kind}, "
            "and from 1 up to that many can be abusive."
        )


def _victims(planting: Planting) -> list[str]:
    """Actors with at least two visits, or one of four events, that are not abusive already."""
    host = planting.host
    return [
        actor
        for actor, visits in host.visits_of.items()
        if actor not in planting.truth and (len(visits) > 1 or len(host.visits[visits[0]]) > 3)
    ]


def _abusers(planting: Planting, scheme: str, size: int) -> list[Abuser]:
    if scheme == "account_takeover":
        victims = _victims(planting)
        chosen = planting.rng.choice(len(victims), size=size, replace=False)
        return [_taken_over(planting, victims[n]) for n in chosen]
    donors = planting.host.busy
    drawn = planting.rng.integers(len(donors), size=size)
    names = planting.fresh(Column.ACTOR, size)
    return [_newcomer(planting, n, donors[d]) for n, d in zip(names, drawn, strict=True)]


def _taken_over(planting: Planting, victim: str) -> Abuser:
    """Take the victim's visits after some point; of a single visit, its later half."""
    visits = [planting.host.visits[v] for v in planting.host.visits_of[victim]]
    if len(visits) == 1:
        return Abuser(victim, [visits[0][len(visits[0]) // 2 :]], {}, victim=True)
    return Abuser(victim, visits[int(planting.rng.integers(1, len(visits))) :], {}, victim=True)


def _newcomer(planting: Planting, name: str, donor: str) -> Abuser:
    """Make a new actor who comes as often and as long as some honest one."""
    host, own = planting.host, {}
    visits = [host.visits[v] for v in host.visits_of[donor]]
    for column in host.extras.personal:
        for value in host.frame[column].iloc[np.concatenate(visits)].dropna().unique():
            public = host.sharers[column][str(value)] > PUBLIC
            own[column, str(value)] = str(value) if public else planting.fresh(column)[0]
    return Abuser(name, visits, own)


def _plot(planting: Planting, scheme: str, members: int) -> Plot:
    host, rng = planting.host, planting.rng
    places = max(1, round(members / 2.5))
    fresh = {column: planting.fresh(column, places) for column in host.extras.personal}
    return Plot(
        items=targets(host, scheme, rng),
        rounds=rng.choice(host.starts, size=8).tolist(),
        places=[{column: values[n] for column, values in fresh.items()} for n in range(places)],
        extreme=extreme_reviews(host, rng),
        coupon=coupon_orders(host, rng),
        drift=float(rng.choice([0.93, 1.07])),
    )


def _carry_out(planting: Planting, ring: Ring) -> None:
    """Tell the abusive visits of all members, then the visits that cover them."""
    turns = 0
    for place, abuser in enumerate(ring.members):
        visits = abuser.visits
        number = max(1, round((1 - ring.camouflage) * len(visits)))
        abusive = planting.rng.choice(len(visits), size=number, replace=False)
        busy = []
        for nth, n in enumerate(sorted(abusive)):
            at = _meeting(planting, ring, abuser, nth, place)
            busy.append(float(planting.host.seconds[visits[n][0]]) if abuser.victim else at)
            _abuse(planting, ring, abuser, Turn(turns, nth, len(visits[n])), visits[n], busy[-1])
            turns += 1
        if not abuser.victim:
            _cover(planting, abuser, [v for n, v in enumerate(visits) if n not in abusive], busy)


def _meeting(planting: Planting, ring: Ring, abuser: Abuser, nth: int, place: int) -> float:
    """When a member comes to a round of the ring."""
    window = min(ring.scheme.window * (1 + WIDER * ring.camouflage), planting.host.seconds[-1] / 8)
    late = planting.rng.random()
    if ring.scheme.follows:
        late = (place + 0.5 * late) / len(ring.members)
    return float(ring.plot.rounds[nth % len(ring.plot.rounds)] + window * late)


def _abuse(
    planting: Planting, ring: Ring, abuser: Abuser, turn: Turn, rows: Rows, at: float
) -> None:
    """Tell one abusive visit, with part of an honest one before and after as cover."""
    host, rng = planting.host, planting.rng
    share = 1 - ring.camouflage
    length = round(share * turn.length * (1 + share * (ring.scheme.effort - 1)))
    script = ring.scheme.script(host, ring.plot, turn._replace(length=length), rng)
    steps = _playable(host, script, ring.scheme.main)
    cover = again(host, rows)[: max(0, turn.length - len(steps))] if ring.camouflage else []
    split = int(rng.integers(len(cover) + 1))
    gaps = pauses(host, rows, rng)[: len(cover)]
    own = _tempo(host, ring, len(steps), rng)
    tell(
        planting,
        abuser.name,
        [*cover[:split], *steps, *cover[split:]],
        np.concatenate([gaps[:split], own, gaps[split:]]),
        at,
        _place(planting, ring, abuser, rows),
    )
    if abuser.victim:
        planting.removed += rows.tolist()


def _playable(host: Host, steps: list[Step], main: str) -> list[Step]:
    """Keep the steps the log has words for; the main one is told in the nearest words."""
    return [step for step in steps if step.family in host.families or step.family == main]


def _tempo(host: Host, ring: Ring, number: int, rng: np.random.Generator) -> Seconds:
    """Pauses of the scheme, some of them replaced by those of honest people."""
    scheme = ring.scheme
    own = scheme.pause * rng.lognormal(0, scheme.spread, number) * rng.lognormal(0, 0.3)
    borrowed = np.minimum(rng.choice(host.gaps, size=number), HALF_HOUR)
    return np.where(rng.random(number) < ring.camouflage, borrowed, own)


def _place(planting: Planting, ring: Ring, abuser: Abuser, rows: Rows) -> dict[str, str]:
    """Choose a place of the ring, or one of its own; for an account taken over, a new one."""
    rng, places = planting.rng, ring.plot.places
    habits = _habits(planting.host, rows)
    if rng.random() < ring.scheme.sharing * (1 - 0.5 * ring.camouflage):
        return habits | places[int(rng.integers(len(places)))]
    if abuser.victim:
        return habits | {c: planting.fresh(c)[0] for c in planting.host.extras.personal}
    return _home(planting.host, abuser, rows)


def _home(host: Host, abuser: Abuser, rows: Rows) -> dict[str, str]:
    used = [(column, str(host.frame[column].iloc[rows[0]])) for column in host.extras.personal]
    own = {pair[0]: abuser.own[pair] for pair in used if pair in abuser.own}
    return _habits(host, rows) | own


def _habits(host: Host, rows: Rows) -> dict[str, str]:
    """Keep what is steady within the visit that gives the cover."""
    values = {column: host.frame[column].iloc[rows[0]] for column in host.extras.habitual}
    return {column: str(value) for column, value in values.items() if not pd.isna(value)}


def _cover(planting: Planting, abuser: Abuser, visits: list[Rows], busy: list[float]) -> None:
    """Tell honest visits again, at times when the abuser is not busy."""
    host = planting.host
    for rows in visits:
        at = _free(planting, busy)
        busy.append(at)
        place = _home(host, abuser, rows)
        tell(planting, abuser.name, again(host, rows), pauses(host, rows, planting.rng), at, place)


def _free(planting: Planting, busy: list[float]) -> float:
    """Find a time at which somebody came, apart from the others if there is one."""
    apart = min(APART, planting.host.seconds[-1] / 20)
    starts = planting.rng.choice(planting.host.starts, size=10)
    times = [float(at) for at in starts + planting.rng.uniform(0, apart / 6, size=10)]
    return next((t for t in times if all(abs(t - b) > apart for b in busy)), times[0])
