"""A plausible shop without abuse: customers with tastes and habits on a catalogue with prices.

Its honest customers are varied on purpose: resellers order the same item again and again, hunters
rush to a deal within the hour and use every coupon, researchers open page after page, households
and campuses share addresses. So no single count or column tells an abuser.

The shapes are the usual ones of web shops: long-tailed popularity, lognormal prices and visit
lengths, evening and weekend peaks, J-shaped ratings (Hu, Zhang & Pavlou 2009, "Overcoming the
J-shaped distribution of product reviews").
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from core.errors import BadInput
from core.schema import Column
from core.simulate.market import (
    COUPONS,
    Catalogue,
    Customers,
    catalogue,
    coming,
    customers,
    query_for,
)

START: Final = pd.Timestamp("2025-03-03", tz="UTC")  # a Monday
DAY: Final = 86_400.0  # seconds
EXTRAS: Final = ("category", "device", "ip", "coupon", "rating", "query")

PAUSE: Final = {  # median seconds before the next event
    "login": 9.0, "search": 9.0, "view": 21.0, "cart": 11.0, "order": 24.0, "pay": 20.0,
    "review": 50.0,
}  # fmt: skip
STARS: Final = np.array([0.10, 0.04, 0.08, 0.20, 0.58])  # share of 1 to 5 stars


class Happening(NamedTuple):
    """One event of a visit before it is written as a row."""

    at: float  # seconds since the start of the log
    action: str
    item: int  # position in the catalogue, -1: none
    coupon: str | None = None
    rating: float = np.nan
    query: str | None = None


@dataclass
class Visit:
    """One customer's visit while it goes on."""

    who: int
    at: float
    length: int
    category: int
    deal: int  # item the customer came for, -1: none
    events: list[Happening] = field(default_factory=list)
    basket: list[int] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)


def simulate_shop(*, seed: int, actors: int = 930, days: int = 14) -> pd.DataFrame:
    """Return canonical events of an honest shop, by time.

    Columns: actor_id, session_id, ts (UTC), action, item, amount and the extras category, device,
    ip, coupon, rating and query. The same arguments give the same frame.
    """
    if actors < 1 or days < 1:
        raise BadInput(f"{actors} actors over {days} days: at least 1 of each is accepted.")
    rng = np.random.default_rng(seed)
    goods = catalogue(rng, days)
    people = customers(rng, actors, goods)
    visits = [
        visit
        for who in range(actors)
        for visit in _life(rng, goods, people, who, coming(rng, people, goods, who, days))
    ]
    return _frame(rng, goods, people, visits, days)


def _life(
    rng: np.random.Generator,
    goods: Catalogue,
    people: Customers,
    who: int,
    starts: list[tuple[float, int]],
) -> list[Visit]:
    """All visits of one customer: what was bought may be reviewed at a later visit."""
    visits: list[Visit] = []
    bought = _before(rng, goods, people, who)
    for at, deal in starts:
        visit = _begin(rng, goods, people, who, at, deal)
        due = [item for paid, item in bought if at - paid > 0.7 * DAY]
        bought = [pair for pair in bought if pair[1] not in due]
        _review(rng, goods, people, visit, due)
        _browse(rng, goods, people, visit)
        visits.append(visit)
        bought += [(e.at, e.item) for e in visit.events if e.action == "order"]
    return visits


def _before(
    rng: np.random.Generator, goods: Catalogue, people: Customers, who: int
) -> list[tuple[float, int]]:
    """Draw what was bought before the log begins, and may be reviewed in it."""
    number = int(rng.poisson(0.35))
    return [(-DAY, goods.draw(rng, people.tastes[who][0])) for _ in range(number)]


def _begin(
    rng: np.random.Generator, goods: Catalogue, people: Customers, who: int, at: float, deal: int
) -> Visit:
    kind = people.kind[who]
    length = int(np.clip(rng.lognormal(np.log(kind.length), 0.75), 2, 90))
    taste = people.tastes[who]
    category = taste[min(int(rng.geometric(0.6)) - 1, len(taste) - 1)]
    if deal >= 0:
        category = int(goods.category[deal])
    visit = Visit(who, at, length, category, deal)
    if rng.random() < kind.login:
        _login(rng, people, visit)
    return visit


def _login(rng: np.random.Generator, people: Customers, visit: Visit) -> None:
    """Log in, now and then at the second attempt."""
    _do(rng, people, visit, "login")
    if rng.random() < 0.12:
        _do(rng, people, visit, "login")


def _do(
    rng: np.random.Generator,
    people: Customers,
    visit: Visit,
    action: str,
    item: int = -1,
    *,
    coupon: str | None = None,
    rating: float = np.nan,
    query: str | None = None,
) -> None:
    visit.events.append(Happening(visit.at, action, item, coupon, rating, query))
    if action == "view" and rng.random() < 0.13:  # several tabs opened at once
        visit.at += float(rng.integers(0, 3))
    elif rng.random() < 0.015:  # the kettle, the telephone
        visit.at += float(rng.uniform(180, 1200))
    else:
        pause = PAUSE[action] * people.pace[visit.who]
        visit.at += min(1 + float(rng.lognormal(np.log(pause), people.unevenness[visit.who])), 1700)


def _review(
    rng: np.random.Generator, goods: Catalogue, people: Customers, visit: Visit, due: list[int]
) -> None:
    for item in due:
        if rng.random() > people.kind[visit.who].reviews:
            continue
        if rng.random() < 0.7:
            _do(rng, people, visit, "view", item)
        stars = STARS * np.exp(goods.quality[item] * np.arange(-2, 3))
        rating = float(rng.choice(5, p=stars / stars.sum()) + 1)
        _do(rng, people, visit, "review", item, rating=rating)


def _browse(rng: np.random.Generator, goods: Catalogue, people: Customers, visit: Visit) -> None:
    kind = people.kind[visit.who]
    while len(visit.events) < visit.length:
        if rng.random() < kind.searches:
            _do(rng, people, visit, "search", query=query_for(rng, goods, visit.category))
        item = _next_item(rng, goods, people, visit)
        _do(rng, people, visit, "view", item)
        visit.seen.append(item)
        keen = 3.0 if item == visit.deal else 1.0
        if rng.random() < keen * kind.carts:
            _do(rng, people, visit, "cart", item)
            visit.basket.append(item)
            if rng.random() < kind.buys:
                _order(rng, goods, people, visit)


def _next_item(rng: np.random.Generator, goods: Catalogue, people: Customers, visit: Visit) -> int:
    if visit.deal >= 0 and visit.deal not in visit.seen:
        return visit.deal
    roll = rng.random()
    if visit.seen and roll < 0.2:
        return visit.seen[int(rng.integers(len(visit.seen)))]
    if roll < 0.3:
        taste = people.tastes[visit.who]
        visit.category = taste[int(rng.integers(len(taste)))]
    if visit.seen and 0.3 <= roll < 0.3 + people.kind[visit.who].leafs:
        return goods.next_on_the_shelf(visit.seen[-1])
    return goods.draw(rng, visit.category)


def _order(rng: np.random.Generator, goods: Catalogue, people: Customers, visit: Visit) -> None:
    """Order and pay what is in the basket; a reseller takes the same item several times."""
    kind = people.kind[visit.who]
    coupon = None
    if rng.random() < kind.coupons:
        codes = goods.codes
        coupon = COUPONS[int(rng.choice(len(codes), p=codes))]
    if rng.random() < 0.3 and all(e.action != "login" for e in visit.events):
        _login(rng, people, visit)
    copies = 1 + int(rng.poisson(kind.copies))
    for item in visit.basket:
        for _ in range(copies):
            _do(rng, people, visit, "order", item, coupon=coupon)
    if rng.random() < 0.92:
        _do(rng, people, visit, "pay", visit.basket[-1], coupon=coupon)
    visit.basket.clear()


def _frame(
    rng: np.random.Generator,
    goods: Catalogue,
    people: Customers,
    visits: list[Visit],
    days: int,
) -> pd.DataFrame:
    """Write the visits as rows; those after the end of the log are not part of it."""
    rows = [(number, visit.who, *e) for number, visit in enumerate(visits) for e in visit.events]
    names = ["number", "who", "at", "action", "place", "coupon", "rating", "query"]
    frame = pd.DataFrame(rows, columns=names)
    frame = frame[frame["at"] < days * DAY].reset_index(drop=True)
    number, place = frame["number"].to_numpy(), frame["place"].to_numpy()
    devices, ips = people.whereabouts(rng, [(v.who, v.at / (days * DAY)) for v in visits])
    sessions = rng.choice(16**10, size=len(visits), replace=False)
    there = place >= 0
    seconds = np.floor(frame["at"].to_numpy())
    amount = goods.price(place, seconds)
    amount[~there | (frame["action"] == "review").to_numpy()] = np.nan
    events = pd.DataFrame(
        {
            Column.ACTOR: people.name[frame["who"].to_numpy()],
            Column.SESSION: np.array([f"s{s:010x}" for s in sessions])[number],
            Column.TIME: START + pd.to_timedelta(seconds, unit="s"),
            Column.ACTION: frame["action"],
            Column.ITEM: np.where(there, goods.item[place], None),
            Column.AMOUNT: amount,
            "category": np.where(there, goods.category_name[place], None),
            "device": devices[number],
            "ip": ips[number],
            "coupon": frame["coupon"],
            "rating": frame["rating"].astype(float),
            "query": frame["query"],
        }
    )
    text = [c for c in events if c not in (Column.TIME, Column.AMOUNT, "rating")]
    events = events.astype(dict.fromkeys(text, "str"))
    return events.sort_values(Column.TIME, kind="stable", ignore_index=True)
