"""Which actors train, which validate, which test: an actor never stands on two sides."""

import hashlib

import numpy as np
import numpy.typing as npt
import pandas as pd

VALIDATION_FROM, TEST_FROM = 0.7, 0.85  # of the hash: 70 / 15 / 15
INNER_VALIDATION_FROM = 0.85  # validation is a part of given training rows
DEALT_SHARE = 0.15

Sides = npt.NDArray[np.object_]


def assign(actors: list[str], label: npt.NDArray[np.int64], given: dict[str, str]) -> Sides:
    """Return train, validation or test for each labelled unit, by its actor.

    A given split holds; whoever has none then trains or validates. Without one, the hash of the
    actor decides. With few labels the hash can leave a side without one of the classes: then each
    class is dealt out in the order of the hash.
    """
    classes = pd.Series(label, index=actors).groupby(level=0).max()
    share = classes.index.map(_hash_share).to_numpy()
    if given:
        side = np.array([given.get(actor, "train") for actor in classes.index], dtype=object)
        if "validation" not in given.values():
            side = _with_validation(side, share, classes.to_numpy())
    else:
        bounds = [share < VALIDATION_FROM, share < TEST_FROM]
        side = np.select(bounds, ["train", "validation"], "test").astype(object)
        if not all(_both(classes[side == name]) for name in ("train", "validation", "test")):
            side = _dealt(share, classes.to_numpy(), ("test", "validation"))
    of_actor = dict(zip(classes.index, side, strict=True))
    return np.array([of_actor[actor] for actor in actors], dtype=object)


def _with_validation(
    side: Sides, share: npt.NDArray[np.float64], label: npt.NDArray[np.int64]
) -> Sides:
    """Set a part of the training actors aside for validation."""
    inner = np.flatnonzero(side == "train")
    aside = share[inner] >= INNER_VALIDATION_FROM
    side = side.copy()
    if _both(label[inner][aside]) and _both(label[inner][~aside]):
        side[inner[aside]] = "validation"
    else:
        side[inner] = _dealt(share[inner], label[inner], ("validation",))
    return side


def _dealt(
    share: npt.NDArray[np.float64], label: npt.NDArray[np.int64], sides: tuple[str, ...]
) -> Sides:
    """Give each side its part of each class, the highest hashes first as the plain rule does."""
    dealt = np.full(len(share), "train", dtype=object)
    for value in (0, 1):
        rows = np.flatnonzero(label == value)
        rows = rows[np.argsort(-share[rows])]
        part = max(1, round(DEALT_SHARE * len(rows)))
        for number, name in enumerate(sides):
            dealt[rows[number * part : (number + 1) * part]] = name
    return dealt


def _both(label: npt.ArrayLike) -> bool:
    return set(np.asarray(label)) == {0, 1}


def _hash_share(key: str) -> float:
    """Return a number in [0, 1) that depends on `key` only."""
    return int.from_bytes(hashlib.blake2b(str(key).encode(), digest_size=6).digest()) / 2**48
