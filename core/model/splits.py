"""Which actors train, which validate, which test: an actor never stands on two sides."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

SIDES = ("train", "validation", "test")
VALIDATION_FROM, TEST_FROM = 0.7, 0.85  # of the hash, or of the units by time: 70 / 15 / 15
INNER_VALIDATION_FROM = 0.85  # validation is a part of given training rows
DEALT_SHARE = 0.15

Sides = npt.NDArray[np.object_]
Shares = npt.NDArray[np.float64]


def assign(
    actors: list[str],
    label: npt.NDArray[np.int64],
    given: dict[str, str],
    *,
    alike: Mapping[str, str] | None = None,
    last: npt.NDArray[Any] | None = None,
) -> Sides:
    """Return train, validation or test for each labelled unit, by its actor.

    A given split holds; whoever has none then trains or validates. Without one, the hash of the
    actor decides or, where `last` is given, the time. With few labels that can leave a side without
    one of the classes: then each class is dealt out in the same order.

    Parameters
    ----------
    alike
        Actor -> an actor that did just the same, on whose side it then stands.
    last
        Times of the units' last events, (N,): who was seen last tests. So nothing that trains
        happened after the cut.
    """
    classes = pd.Series(label, index=actors).groupby(level=0).max()
    leaders = classes.index if alike is None else classes.index.map(lambda a: alike.get(a, a))
    share = leaders.map(_hash_share).to_numpy(dtype=np.float64)
    if given:
        side = np.array([given.get(actor, "train") for actor in classes.index], dtype=object)
        if "validation" not in given.values():
            side = _with_validation(side, share, classes.to_numpy())
    else:
        if last is not None:
            seen = pd.Series(last, index=actors).groupby(level=0).max()
            share = (seen.rank(method="first") - 1).to_numpy() / len(seen)
        side = _by_share(share, classes.to_numpy())
    of_actor = dict(zip(classes.index, side, strict=True))
    return np.array([of_actor[actor] for actor in actors], dtype=object)


def set_repeats_aside(side: Sides, content: npt.NDArray[np.uint64]) -> Sides:
    """Return the sides with ``repeat`` for held-out units that say what an earlier side says.

    An actor of several labelled sequences can repeat some of another's: no choice of sides keeps
    these apart, so they judge nothing.
    """
    side = side.copy()
    earlier = content[side == SIDES[0]]
    for name in SIDES[1:]:
        here = side == name
        side[here & np.isin(content, earlier)] = "repeat"
        earlier = np.concatenate([earlier, content[here]])
    return side


def has_both(label: npt.ArrayLike) -> bool:
    """Say whether both classes occur."""
    return set(np.asarray(label)) == {0, 1}


def _by_share(share: Shares, label: npt.NDArray[np.int64]) -> Sides:
    """Cut at fixed shares or, where a side then lacks a class, deal each class out."""
    bounds = [share < VALIDATION_FROM, share < TEST_FROM]
    side: Sides = np.select(bounds, ["train", "validation"], "test").astype(object)
    if _complete(side, label):
        return side
    # Equal shares are of actors alike: they are dealt together, as long as that leaves enough.
    groups, member = np.unique(share, return_inverse=True)
    of_group = np.zeros(len(groups), dtype=np.int64)
    np.maximum.at(of_group, member, label)
    side = _dealt(groups, of_group, ("test", "validation"))[member]
    return side if _complete(side, label) else _dealt(share, label, ("test", "validation"))


def _complete(side: Sides, label: npt.NDArray[np.int64]) -> bool:
    return all(has_both(label[side == name]) for name in SIDES)


def _with_validation(side: Sides, share: Shares, label: npt.NDArray[np.int64]) -> Sides:
    """Set a part of the training actors aside for validation."""
    inner = np.flatnonzero(side == "train")
    aside = share[inner] >= INNER_VALIDATION_FROM
    side = side.copy()
    if has_both(label[inner][aside]) and has_both(label[inner][~aside]):
        side[inner[aside]] = "validation"
    else:
        side[inner] = _dealt(share[inner], label[inner], ("validation",))
    return side


def _dealt(share: Shares, label: npt.NDArray[np.int64], sides: tuple[str, ...]) -> Sides:
    """Give each side its part of each class, the highest shares first as the plain rule does."""
    dealt = np.full(len(share), "train", dtype=object)
    for value in (0, 1):
        rows = np.flatnonzero(label == value)
        rows = rows[np.argsort(-share[rows], kind="stable")]
        part = max(1, round(DEALT_SHARE * len(rows)))
        for number, name in enumerate(sides):
            dealt[rows[number * part : (number + 1) * part]] = name
    return dealt


def _hash_share(key: str) -> float:
    """Return a number in [0, 1) that depends on `key` only."""
    return int.from_bytes(hashlib.blake2b(str(key).encode(), digest_size=6).digest()) / 2**48
