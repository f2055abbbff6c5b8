"""What a simulated shop consists of: its catalogue with prices over time, and its customers."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]  # positions in the catalogue
Texts = npt.NDArray[np.object_]

CATEGORIES: Final = {  # name: (median price, words people search for)
    "electronics.phone": (310.0, ("phone", "smartphone", "dual sim phone", "phone case")),
    "electronics.audio": (75.0, ("headphones", "earbuds", "bluetooth speaker", "soundbar")),
    "computers.notebook": (640.0, ("laptop", "notebook 14 inch", "ultrabook", "laptop sleeve")),
    "computers.peripherals": (42.0, ("mouse", "mechanical keyboard", "webcam", "usb hub")),
    "home.kitchen": (38.0, ("pan", "knife set", "kettle", "coffee grinder")),
    "home.decoration": (27.0, ("lamp", "rug", "curtains", "picture frame")),
    "beauty.care": (16.0, ("face cream", "shampoo", "sun lotion", "serum")),
    "sport.outdoor": (58.0, ("tent", "running shoes", "backpack", "water bottle")),
    "fashion.shoes": (66.0, ("sneakers", "boots", "sandals", "white trainers")),
    "fashion.clothes": (34.0, ("jacket", "t-shirt", "jeans", "dress")),
    "toys.games": (24.0, ("board game", "puzzle", "building blocks", "card game")),
    "books.fiction": (13.0, ("crime novel", "fantasy series", "paperback", "poems")),
}
ADJECTIVES: Final = ("", "", "", "cheap ", "best ", "new ", "small ", "black ", "gift ")
COUPONS: Final = (
    "WELCOME5", "SPRING10", "APP10", "FREESHIP", "NEWS5", "FRIEND15", "HOME7", "PHONE20",
    "THANKS10", "BDAY15", "SORRY10", "MARCH8",
)  # fmt: skip
HOURS: Final = np.array(  # visits by hour of the day, UTC
    [8, 5, 3, 2, 2, 3, 7, 15, 24, 29, 31, 33, 37, 34, 30, 29, 31, 37, 46, 56, 62, 56, 37, 18.0]
)
WEEK: Final = np.array([1.0, 0.95, 0.95, 1.0, 1.1, 1.35, 1.45])  # Monday to Sunday


@dataclass(frozen=True)
class Kind:
    """A way to shop: shares are probabilities, `copies` and `length` are means."""

    share: float
    visits: float  # mean visits in two weeks
    length: float  # median events of a visit
    login: float
    searches: float
    carts: float
    buys: float  # an order, once something was put into the basket
    coupons: float
    reviews: float
    copies: float = 0.0  # further orders of the same item
    leafs: float = 0.05  # goes on to the neighbouring item
    hurry: float = 1.0  # pauses relative to others
    deals: float = 0.05  # a visit is for a deal


KINDS: Final = (
    Kind(0.64, 2.4, 11, 0.35, 0.20, 0.10, 0.50, 0.16, 0.40),  # ordinary
    Kind(0.10, 3.0, 11, 0.60, 0.12, 0.17, 0.60, 0.65, 0.45, deals=0.5, hurry=0.7),  # hunter
    Kind(0.06, 3.2, 8, 0.85, 0.10, 0.33, 0.80, 0.30, 0.15, copies=0.8, hurry=0.45),  # reseller
    Kind(0.09, 2.6, 24, 0.25, 0.10, 0.03, 0.35, 0.08, 0.30, leafs=0.45, hurry=0.5),  # researcher
    Kind(0.06, 3.2, 9, 0.80, 0.15, 0.20, 0.65, 0.18, 0.95),  # reviewer
    Kind(0.05, 2.2, 7, 0.75, 0.25, 0.32, 0.85, 0.22, 0.30, hurry=0.55),  # knows what it wants
)


@dataclass(frozen=True)
class Catalogue:
    """Items with their category, popularity and hourly price; and the shop's campaigns."""

    item: Texts  # (I,)
    category: Places  # (I,)
    category_name: Texts  # (I,)
    quality: Numbers  # (I,) pulls the ratings up or down
    hourly: Numbers  # (I, H) price of an item in an hour
    shelves: list[Places]  # items of a category
    reach: list[Numbers]  # their cumulative popularity
    deals: list[tuple[float, int]]  # (start in seconds, item)
    codes: Numbers  # how often a coupon is used

    def draw(self, rng: np.random.Generator, category: int) -> int:
        place = int(np.searchsorted(self.reach[category], rng.random()))
        return int(self.shelves[category][place])

    def next_on_the_shelf(self, item: int) -> int:
        shelf = self.shelves[int(self.category[item])]
        return int(shelf[(np.searchsorted(shelf, item) + 1) % len(shelf)])

    def price(self, items: Places, seconds: Numbers) -> Numbers:
        hours = np.minimum((seconds // 3600).astype(np.int64), self.hourly.shape[1] - 1)
        return np.asarray(self.hourly[items, hours])


def catalogue(rng: np.random.Generator, days: int, items: int = 480) -> Catalogue:
    """Make a catalogue with lognormal prices and a long tail of popularity."""
    names = np.array(list(CATEGORIES), dtype=object)
    category = np.sort(rng.choice(len(names), size=items, p=_zipf(len(names), 0.5)))
    medians = np.array([CATEGORIES[name][0] for name in names])
    base = medians[category] * rng.lognormal(0, 0.55, items)
    popularity = rng.permutation(_zipf(items, 0.95))
    shelves = [np.flatnonzero(category == c) for c in range(len(names))]
    shelves = [shelf if len(shelf) else np.arange(items) for shelf in shelves]
    reach = [np.cumsum(popularity[shelf] / popularity[shelf].sum()) for shelf in shelves]
    hourly, deals = _prices(rng, base, popularity, days)
    numbers = np.sort(rng.choice(90_000, size=items, replace=False)) + 10_000
    return Catalogue(
        item=np.array([f"p{n}" for n in numbers], dtype=object),
        category=category,
        category_name=names[category],
        quality=rng.normal(0.1, 0.35, items),
        hourly=hourly,
        shelves=shelves,
        reach=reach,
        deals=deals,
        codes=_zipf(len(COUPONS), 0.8),
    )


def _zipf(n: int, exponent: float) -> Numbers:
    weights = 1.0 / np.arange(1, n + 1) ** exponent
    return np.asarray(weights / weights.sum())


def _prices(
    rng: np.random.Generator, base: Numbers, popularity: Numbers, days: int
) -> tuple[Numbers, list[tuple[float, int]]]:
    """Hourly prices: lasting changes up and down, promotions of days, and deals of hours."""
    hours = days * 24
    factor = np.ones((len(base), hours))
    for item in np.flatnonzero(rng.random(len(base)) < 0.30):
        factor[item, int(rng.integers(hours)) :] *= rng.uniform(0.82, 1.25)
    for item in np.flatnonzero(rng.random(len(base)) < 0.30):
        start = int(rng.integers(hours))
        factor[item, start : start + int(rng.integers(24, 96))] *= rng.uniform(0.62, 0.93)
    deals: list[tuple[float, int]] = []
    for day in range(days):
        for item in rng.choice(len(base), size=2, replace=False, p=popularity):
            hour = day * 24 + int(rng.choice([9, 12, 17, 19, 20]))
            factor[item, hour : hour + 5] *= rng.uniform(0.55, 0.8)
            deals.append((hour * 3600.0, int(item)))
    return np.floor(base[:, None] * factor) + 0.99, deals


def query_for(rng: np.random.Generator, goods: Catalogue, category: int) -> str:
    """Words somebody types who looks for something of this category."""
    words = list(CATEGORIES.values())[category][1]
    adjective = ADJECTIVES[int(rng.integers(len(ADJECTIVES)))]
    return adjective + words[min(int(rng.geometric(0.45)) - 1, len(words) - 1)]


@dataclass(frozen=True)
class Customers:
    """Who shops, and from where."""

    name: Texts  # (N,)
    kind: list[Kind]
    tastes: list[list[int]]  # categories, the favourite first
    pace: Numbers  # (N,) pauses relative to the median customer
    unevenness: Numbers  # (N,) spread of the pauses
    devices: list[list[str]]
    ips: list[list[str]]
    changes: Numbers  # (N,) share of the time after which the newest device is the main one

    def whereabouts(
        self, rng: np.random.Generator, visits: list[tuple[int, float]]
    ) -> tuple[Texts, Texts]:
        """Device and address of each visit (customer, share of the time gone)."""
        devices, ips = [], []
        for who, gone in visits:
            main = -1 if gone > self.changes[who] else 0
            devices.append(_one_of(rng, self.devices[who], main))
            ips.append(_one_of(rng, self.ips[who], 0))
        return np.array(devices, dtype=object), np.array(ips, dtype=object)


def _one_of(rng: np.random.Generator, values: list[str], main: int) -> str:
    return values[main] if rng.random() < 0.72 else values[int(rng.integers(len(values)))]


def customers(rng: np.random.Generator, actors: int, goods: Catalogue) -> Customers:
    """Make customers in households, some on a campus or behind a carrier's shared address."""
    shares = np.array([kind.share for kind in KINDS])
    kind = [KINDS[k] for k in rng.choice(len(KINDS), size=actors, p=shares / shares.sum())]
    households = rng.integers(0, max(1, int(actors * 0.62)), size=actors)
    numbers = rng.choice(900_000, size=actors, replace=False) + 100_000
    weights = _zipf(len(goods.shelves), 0.5)
    hurry = np.array([k.hurry for k in kind])
    return Customers(
        name=np.array([f"c{n}" for n in numbers], dtype=object),
        kind=kind,
        tastes=[
            [int(c) for c in rng.choice(len(weights), size=n, replace=False, p=weights)]
            for n in rng.integers(1, 5, size=actors)
        ],
        pace=hurry * rng.lognormal(0, 0.35, actors),
        unevenness=rng.uniform(0.35, 1.1, actors),
        devices=_devices(rng, households),
        ips=_ips(rng, households),
        changes=np.where(rng.random(actors) < 0.12, rng.random(actors), 1.0),
    )


def _devices(rng: np.random.Generator, households: Places) -> list[list[str]]:
    """One to three own devices; perhaps the family's tablet or a public computer."""
    tokens = rng.choice(16**8, size=5 * len(households) + 8, replace=False)
    fresh = iter([f"d{t:08x}" for t in tokens])
    public = [next(fresh) for _ in range(8)]
    tablets = {int(h): next(fresh) for h in np.unique(households)}
    devices = []
    for household in households:
        own = [next(fresh) for _ in range(int(rng.choice([1, 2, 3], p=[0.5, 0.38, 0.12])))]
        if rng.random() < 0.30:
            own.insert(int(rng.integers(0, 2)), tablets[int(household)])
        if rng.random() < 0.07:
            own.append(public[int(rng.integers(len(public)))])
        devices.append(own)
    return devices


def _ips(rng: np.random.Generator, households: Places) -> list[list[str]]:
    """Addresses: the household's, some of a mobile carrier, perhaps a campus'."""

    def address() -> str:
        return ".".join(str(n) for n in [*rng.integers(20, 220, size=2), *rng.integers(1, 255, 2)])

    homes = {int(h): address() for h in np.unique(households)}
    carrier = [address() for _ in range(max(3, len(households) // 20))]
    campus = [address() for _ in range(max(2, len(households) // 120))]
    ips = []
    for household in households:
        own = [homes[int(household)]]
        own += [carrier[int(n)] for n in rng.integers(len(carrier), size=int(rng.integers(0, 3)))]
        if rng.random() < 0.12:
            own.insert(int(rng.integers(0, 2)), campus[int(rng.integers(len(campus)))])
        ips.append(own)
    return ips


def coming(
    rng: np.random.Generator, people: Customers, goods: Catalogue, who: int, days: int
) -> list[tuple[float, int]]:
    """When a customer comes (seconds) and for which deal (-1: none), by time.

    Visits of the same customer are at least an hour apart.
    """
    kind = people.kind[who]
    mean = kind.visits * days / 14
    number = 1 + int(rng.negative_binomial(1.3, 1.3 / (1.3 + max(mean - 1, 0.05))))
    weights = np.tile(WEEK, days // 7 + 1)[:days]
    starts = []
    for _ in range(min(number, 30)):
        if rng.random() < kind.deals:
            at, deal = goods.deals[int(rng.integers(len(goods.deals)))]
            starts.append((at + rng.exponential(2400), deal))
        else:
            day = rng.choice(days, p=weights / weights.sum())
            hour = rng.choice(24, p=HOURS / HOURS.sum())
            starts.append(((day * 24 + hour + rng.random()) * 3600, -1))
    starts.sort()
    return [s for n, s in enumerate(starts) if n == 0 or s[0] - starts[n - 1][0] > 3600]
