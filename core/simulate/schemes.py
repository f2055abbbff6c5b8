"""The seven schemes: what an abuser does in one visit, as steps that a host log can tell.

Each follows published descriptions of the abuse:

- fake orders: Xu, Liu, Wang & Stavrou 2015, "E-commerce reputation manipulation: the emergence of
  reputation-escalation-as-a-service": ordered after little browsing, paid, praised.
- click farm: Beutel et al. 2013, "CopyCatch": the same items in lockstep by many accounts.
- scraper: Stassopoulou & Dikaiakos 2009, "Web robot detection": a steady walk over the catalogue.
- review spam: Mukherjee, Liu & Glance 2012, "Spotting fake reviewer groups": a group, the same
  items, extreme ratings within a short time, nothing bought.
- coupon abuse: OWASP OAT-019 "account creation": many accounts, few devices, one code.
- price manipulation: Cao et al. 2016, "Detecting wash trade in financial market": orders within a
  circle that move the price step by step.
- account takeover: Bursztein et al. 2014, "Handcrafted fraud and extortion": a new device, a
  purposeful short visit, gone.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from pandas.api.types import is_numeric_dtype

from core.simulate.host import Host, Rows


class Step(NamedTuple):
    """One event to be told: an action on an item, like one of the host's rows."""

    family: str
    item: str | None = None
    among: Rows | None = None  # rows to take after, if not any of the family
    scale: float = 1.0  # amount relative to what the item costs then


@dataclass(frozen=True)
class Plot:
    """What the members of a ring have agreed on."""

    items: list[str]
    rounds: list[float]  # when they meet, in seconds
    places: list[dict[str, str]]  # devices, addresses ... they share
    extreme: Rows | None  # reviews with the rating they give
    coupon: Rows | None  # orders with the code they use
    drift: float  # factor on the price from one order to the next


class Turn(NamedTuple):
    """One abusive visit within what its ring does."""

    number: int  # abusive visits of the ring before this one
    nth: int  # abusive visits of the member before this one
    length: int  # events to fill


Script = Callable[[Host, Plot, Turn, np.random.Generator], list[Step]]


@dataclass(frozen=True)
class Scheme:
    """How a kind of abuse is carried out."""

    script: Script
    main: str  # family of actions without which it would not be this scheme
    ring: tuple[int, int]  # members: least, most
    items: int  # that a ring targets
    rank: tuple[float, float]  # where they stand among the items by popularity (or price)
    pause: float  # median seconds between two steps
    spread: float  # of the logarithm of the pauses
    window: float  # seconds within which a ring carries out a round
    sharing: float  # share of visits from a place of the ring
    effort: float  # length of a visit relative to an honest one, without camouflage
    follows: bool = False  # members come one after another instead of at random in the window


def fake_orders(host: Host, plot: Plot, turn: Turn, rng: np.random.Generator) -> list[Step]:
    praise = turn.nth > 0 and rng.random() < 0.7  # of what the ring bought in the round before
    steps = [Step("review", _pick(plot.items, rng), plot.extreme)] if praise else []
    while len(steps) < 4 or len(steps) + 5 <= turn.length:
        item = _pick(plot.items, rng)
        steps += [Step("search", item)] if rng.random() < 0.4 else []
        steps += [Step("view", item)] * int(rng.integers(1, 3))
        steps += [Step("cart", item), Step("order", item), Step("pay", item)]
        steps += [Step("review", item, plot.extreme)] if rng.random() < 0.2 else []
    return steps


def click_farm(host: Host, plot: Plot, turn: Turn, rng: np.random.Generator) -> list[Step]:
    steps: list[Step] = []
    place = turn.number
    while len(steps) < max(3, turn.length):
        item = plot.items[place % len(plot.items)] if plot.items else None
        steps += [Step("search", item)] if rng.random() < 0.15 else []
        steps.append(Step("view", item))
        steps += [Step("cart", item)] if rng.random() < 0.06 else []
        place += 1
    return steps


def scraper(host: Host, plot: Plot, turn: Turn, rng: np.random.Generator) -> list[Step]:
    length = max(4, turn.length)
    shelf: list[str | None] = [*plot.items] or [None]
    first = turn.number * length
    steps = [Step("view", shelf[(first + n) % len(shelf)]) for n in range(length)]
    return [Step("search", steps[0].item), *steps[1:]] if rng.random() < 0.6 else steps


def review_spam(host: Host, plot: Plot, turn: Turn, rng: np.random.Generator) -> list[Step]:
    steps = [Step("login")] if rng.random() < 0.6 else []
    for item in _some(plot.items, max(1, min(4, turn.length // 3)), rng):
        steps += [Step("search", item)] if rng.random() < 0.2 else []
        steps += [Step("view", item)] * int(rng.integers(0, 4))
        steps.append(Step("review", item, plot.extreme))
    return steps


def coupon_abuse(host: Host, plot: Plot, turn: Turn, rng: np.random.Generator) -> list[Step]:
    item = _pick(plot.items, rng)
    steps = [Step("login")] if rng.random() < 0.8 else []
    steps += [Step("search", item)] if rng.random() < 0.4 else []
    steps += [Step("view", item)] * int(rng.integers(1, 3))
    steps += [Step("cart", item), Step("order", item, plot.coupon)]
    paying = plot.coupon if plot.coupon is None else _same_code(host, plot.coupon)
    return [*steps, Step("pay", item, paying)]


def price_manipulation(host: Host, plot: Plot, turn: Turn, rng: np.random.Generator) -> list[Step]:
    item = _pick(plot.items, rng)
    scale = plot.drift ** (1 + turn.number % 6)
    steps: list[Step] = []
    while not steps or len(steps) + 5 <= min(turn.length, 14):
        steps += [Step("view", item, scale=scale)] * int(rng.integers(1, 4))
        steps.append(Step("cart", item, scale=scale))
        if rng.random() < 0.7:
            steps += [Step("order", item, scale=scale), Step("pay", item, scale=scale)]
    return steps


def account_takeover(host: Host, plot: Plot, turn: Turn, rng: np.random.Generator) -> list[Step]:
    steps = [Step("login")] * int(rng.integers(1, 3))
    while not steps or len(steps) + 4 <= max(6, min(turn.length, 16)):
        item = _pick(plot.items, rng)
        steps += [Step("search", item)] if rng.random() < 0.3 else []
        steps += [Step("view", item)] * int(rng.integers(1, 3))
        steps += [Step("cart", item), Step("order", item), Step("pay", item)]
    return steps


SCHEMES: Final[dict[str, Scheme]] = {
    "fake_orders": Scheme(fake_orders, "order", (5, 9), 3, (0.2, 0.9), 9, 0.35, 1800, 0.5, 1.6),
    "click_farm": Scheme(click_farm, "view", (5, 9), 6, (0.2, 0.9), 7, 0.12, 1200, 0.6, 2.0),
    "scraper": Scheme(scraper, "view", (2, 4), 400, (0.0, 1.0), 5, 0.12, 3600, 0.5, 3.0),
    "review_spam": Scheme(review_spam, "review", (5, 9), 4, (0.2, 0.9), 16, 0.3, 2400, 0.5, 1.3),
    "coupon_abuse": Scheme(
        coupon_abuse, "order", (5, 9), 12, (0.1, 0.8), 8, 0.35, 3600, 0.85, 1.0, follows=True
    ),
    "price_manipulation": Scheme(
        price_manipulation, "order", (4, 7), 2, (0.2, 0.9), 11, 0.4, 7200, 0.35, 1.6, follows=True
    ),
    "account_takeover": Scheme(
        account_takeover, "order", (2, 4), 25, (0.75, 1.0), 8, 0.35, 7200, 0.9, 1.3
    ),
}


def targets(host: Host, name: str, rng: np.random.Generator) -> list[str]:
    """Items a ring agrees on: neighbours by popularity; by price or by name where that matters."""
    scheme = SCHEMES[name]
    items = host.popular()
    if name == "account_takeover":
        items = host.by_price()
    elif name == "scraper":
        items = host.by_shelf()
    if not items:
        return []
    low, high = (int(rank * len(items)) for rank in scheme.rank)
    number = min(scheme.items, max(1, high - low))
    if name == "scraper":
        first = int(rng.integers(len(items)))
        return [items[(first + n) % len(items)] for n in range(number)]
    picked = items[min(len(items) - 1, low + int(rng.integers(max(1, high - low))))]
    kin = [i for i in items[low:high] if host.shelf[i] == host.shelf[picked] and i != picked]
    order = rng.permutation(len(kin))[: number - 1]
    return [picked, *(kin[int(n)] for n in order)]


def extreme_reviews(host: Host, rng: np.random.Generator) -> Rows | None:
    """Reviews with the best rating (or, for one ring in four, the worst) of a numeric column."""
    rows = host.family("review")
    for name in host.frame.columns:
        values = host.frame[name].iloc[rows]
        rated = re.search(r"rat(e|ing)|star|score", str(name).lower()) is not None
        if rated and is_numeric_dtype(values) and values.min() < values.max():
            wanted = values.max() if rng.random() < 0.75 else values.min()
            return np.asarray(rows[(values == wanted).to_numpy()])
    return None


def coupon_orders(host: Host, rng: np.random.Generator) -> Rows | None:
    """Orders with one code that honest people use too."""
    name = _code_column(host)
    orders = host.families.get("order")
    if name is None or orders is None or not host.frame[name].iloc[orders].notna().any():
        return None
    codes = host.frame[name].iloc[orders]
    common = codes.value_counts().index[:5]
    return np.asarray(orders[(codes == common[int(rng.integers(len(common)))]).to_numpy()])


def _same_code(host: Host, coupon: Rows) -> Rows | None:
    name = _code_column(host)
    paid = host.families.get("pay")
    if name is None or paid is None:
        return None
    rows = paid[(host.frame[name].iloc[paid] == host.frame[name].iloc[coupon[0]]).to_numpy()]
    return rows if len(rows) else None


def _code_column(host: Host) -> str | None:
    for name in host.frame.columns:
        if any(word in str(name).lower() for word in ("coupon", "promo", "voucher", "discount")):
            return str(name)
    return None


def _pick(items: list[str], rng: np.random.Generator) -> str | None:
    return items[int(rng.integers(len(items)))] if items else None


def _some(items: list[str], number: int, rng: np.random.Generator) -> list[str | None]:
    if not items:
        return [None] * number
    order = rng.permutation(len(items))[:number]
    return [items[int(n)] for n in order]
