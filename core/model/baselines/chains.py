"""Baselines that see a sequence as a string: Markov chains and what normal sequences never do."""

import logging
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from hmmlearn.hmm import CategoricalHMM

from core.model.baselines.symbols import Ids, Strings

Floats = npt.NDArray[np.float64]

SMOOTHING = 0.5  # added to each count (Jeffreys' prior)
GRAM = 3
STATES = 6
HMM_EVENTS = 50_000  # events a hidden Markov model is fitted on
HMM_ROUNDS = 15
HMM_SMOOTHING = 1e-3  # more of it and what was never seen is told by a state that nothing uses


def markov_ratio(abuse: Strings, normal: Strings, other: Strings) -> Floats:
    """Return how much likelier each sequence is by a chain of abuse than of normal, in nats, (S,).

    First-order chains with a start, one per class (a log-likelihood ratio; Durbin et al.,
    "Biological Sequence Analysis", 1998, chapter 3).
    """
    return _likelihood(abuse, other)[0] - _likelihood(normal, other)[0]


def markov_surprise(normal: Strings, other: Strings) -> Floats:
    """Return each sequence's mean surprise per event by a first-order chain of normal, (S,)."""
    total, events = _likelihood(normal, other)
    return -total / events


def _likelihood(fitted: Strings, other: Strings) -> tuple[Floats, Ids]:
    size = fitted.size
    pairs, _ = _pairs(fitted)
    count = np.bincount(pairs, minlength=(size + 1) * size).reshape(size + 1, size) + SMOOTHING
    log = np.log(count / count.sum(axis=1, keepdims=True)).ravel()
    pairs, owner = _pairs(other)
    total = np.bincount(owner, log[pairs], len(other)).astype(np.float64)
    return total, np.diff(other.offsets)


def _pairs(strings: Strings) -> tuple[Ids, Ids]:
    """Return each event with the one before (or the start) as one number, and its sequence."""
    before = np.concatenate([[strings.size], strings.codes[:-1]])
    before[strings.offsets[:-1]] = strings.size
    owner = np.repeat(np.arange(len(strings)), np.diff(strings.offsets))
    return before * strings.size + strings.codes, owner


def hidden_markov_surprise(normal: Strings, other: Strings) -> Floats:
    """Return each sequence's mean surprise per event by a hidden Markov model of normal, (S,).

    Rabiner, Proceedings of the IEEE 77 (1989); fitted by expectation maximisation on the first
    50,000 events.
    """
    within = normal.take(np.arange(np.searchsorted(normal.offsets, HMM_EVENTS, "right") - 1 or 1))
    logging.getLogger("hmmlearn").setLevel(logging.ERROR)  # fifteen rounds need not converge
    model = CategoricalHMM(
        STATES,
        emissionprob_prior=1 + HMM_SMOOTHING,
        transmat_prior=1 + HMM_SMOOTHING,
        startprob_prior=1 + HMM_SMOOTHING,
        n_iter=HMM_ROUNDS,
        random_state=0,
        n_features=normal.size,
    )
    model.fit(within.codes[:, None], np.diff(within.offsets))
    return _by_distinct(other, lambda codes: -model.score(codes[:, None]) / len(codes))


def unseen_counts(normal: Strings, other: Strings) -> Floats:
    """Return 1 for sequences whose counts by symbol no normal sequence has, else 0, (S,)."""
    known = {np.sort(codes).tobytes() for codes in normal.split()}
    return np.array([np.sort(codes).tobytes() not in known for codes in other.split()], dtype=float)


def unseen_grams(normal: Strings, other: Strings) -> Floats:
    """Return the share of each sequence's runs of three that no normal sequence has, (S,).

    After Forrest et al., "A Sense of Self for Unix Processes" (IEEE S&P 1996); start and end count
    as symbols.
    """
    known, _ = _grams(normal)
    grams, owner = _grams(other)
    new = ~np.isin(grams, np.unique(known))
    return np.bincount(owner, new, len(other)) / np.bincount(owner, minlength=len(other))


def _grams(strings: Strings) -> tuple[Ids, Ids]:
    """Return each run of `GRAM` symbols as one number, and its sequence."""
    pad = strings.size  # stands once before and once after each sequence
    lengths = np.diff(strings.offsets) + 2
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    padded = np.full(offsets[-1], pad, dtype=np.int64)
    place = np.arange(len(strings.codes)) + 2 * np.repeat(np.arange(len(strings)), lengths - 2) + 1
    padded[place] = strings.codes
    owner = np.repeat(np.arange(len(strings)), lengths)
    runs = np.lib.stride_tricks.sliding_window_view(padded, GRAM)
    inside = owner[: len(runs)] == owner[GRAM - 1 :]  # at least one per sequence: it is not empty
    powers = (strings.size + 1) ** np.arange(GRAM)
    return (runs @ powers)[inside], owner[: len(runs)][inside]


def _by_distinct(strings: Strings, score: Callable[[Ids], float]) -> Floats:
    """Score every different sequence once: many are the same."""
    known: dict[bytes, float] = {}
    found = []
    for codes in strings.split():
        key = codes.tobytes()
        if key not in known:
            known[key] = score(codes)
        found.append(known[key])
    return np.array(found)
