"""Which method of explaining to trust: the score must follow what a method calls important.

Deletion hides a case's parts (its events, and the profile) in the order of their values, the
highest first; insertion shows them in that order, beginning with everything hidden (Petsiuk et al.,
"RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018). The area under
the curve is the mean score on the way: low for a good order in deletion, high in insertion. Random
orders say what no knowledge gives.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from core.batch import Batch
from core.errors import BadInput
from core.explain.coalitions import Floats
from core.explain.comparing import SHARES, STAGES, Measured, compare
from core.explain.explaining import read_each
from core.explain.methods import INSIDE, METHODS, Hiding, check_defined
from core.explain.naming import METHOD_WORDS
from core.explain.profiled import Profiled
from core.logs.frames import drop_recut
from core.schema import Column
from core.scoring.engine import Scorer
from core.store import cases as stored_cases
from core.store.home import Home

CASES: Final = 10
MOST_CASES: Final = 50
RANDOM: Final = 10  # orders of each case

Orders = npt.NDArray[np.int64]  # (R, parts)


@dataclass(frozen=True)
class Curves:
    """The scores while parts are hidden and while they are shown, for R orders."""

    shares: Floats  # (S,), of the parts, from 0 to 1
    deletion: Floats  # (R, S)
    insertion: Floats  # (R, S)

    def areas(self) -> tuple[Floats, Floats]:
        """Return the areas under the curves of deletion and of insertion, (R,) each."""
        deletion, insertion = (
            np.asarray(np.trapezoid(scores, self.shares))
            for scores in (self.deletion, self.insertion)
        )
        return deletion, insertion

    def evenly(self) -> Floats:
        """Return both curves at `SHARES`, (R, 2, STAGES + 1)."""
        rows = zip(self.deletion, self.insertion, strict=True)
        return np.array(
            [[np.interp(SHARES, self.shares, curve) for curve in pair] for pair in rows]
        )


def measure_faithfulness(
    home: Home,
    scorer: Scorer,
    dataset_id: str,
    *,
    cases: int = CASES,
    progress: Callable[[float, str], None] = lambda share, message: None,
) -> dict[str, Any]:
    """Compare the methods on flagged cases of a data set, drawn at random from those that wait.

    Returns
    -------
    ``methods``, the best first: ``deletion`` and ``insertion`` (mean areas), ``gain`` (insertion
    less deletion, beyond a random order's, with its interval over the cases), ``agreement`` with
    SHAP values (``rank`` correlation and ``top`` parts shared), ``seconds`` per case, ``curves``;
    ``random``: the same of random orders; ``agreement`` of every two methods; ``missing``: which
    method says nothing about this model, and why; ``of_transformer``: which see the transformer
    alone, of a model whose score counters share in; ``trust`` (names) and ``summary`` (a sentence).

    Raises
    ------
    BadInput
        If `cases` is out of range, none is flagged, or the model cannot read the log.
    """
    if not 1 <= cases <= MOST_CASES:
        raise BadInput(f"{cases} cases cannot be compared on: accepted are 1 to {MOST_CASES}.")
    names, missing = _defined(scorer)
    batches = _flagged(home, scorer, dataset_id, cases)
    steps = len(batches) * (len(names) + 1)
    found = []
    for number, batch in enumerate(batches):

        def told(done: int, what: str, number: int = number) -> None:
            share = (number * (len(names) + 1) + done) / steps
            progress(share, f"case {number + 1} of {len(batches)}: {what}")

        found.append(measure(scorer, batch, names, seed=number, told=told))
    report = compare(found)
    return {
        "model": scorer.model_id,
        "dataset": dataset_id,
        "cases": len(found),
        **report,
        "missing": missing,
        "of_transformer": list(INSIDE) if scorer.encoder.counters is not None else [],
    }


def measure(
    scorer: Scorer,
    batch: Batch,
    names: Sequence[str],
    *,
    seed: int = 0,
    told: Callable[[int, str], None] = lambda done, what: None,
) -> Measured:
    """Explain the one sequence in `batch` by each method and draw the curves of their orders."""
    parts = np.unique(batch.event[scorer.encoder.reads(batch)])
    values, seconds = {}, {}
    for done, name in enumerate(names):
        told(done, METHOD_WORDS[name])
        began = perf_counter()
        values[name] = METHODS[name](scorer, batch).by_event(batch)[parts]
        seconds[name] = perf_counter() - began
    told(len(names), "hiding and showing its events")
    rng = np.random.default_rng(seed)
    drawn = rng.permuted(np.tile(np.arange(len(parts)), (RANDOM, 1)), axis=1)
    own = [np.argsort(-value, kind="stable") for value in values.values()]
    found = curves(scorer, batch, np.concatenate([np.stack(own), drawn]))
    evenly, (deletion, insertion) = found.evenly(), found.areas()
    rows = {name: np.array([row]) for row, name in enumerate(names)}
    rows["random"] = np.arange(len(names), len(evenly))
    return Measured(
        values,
        seconds,
        {name: evenly[some].mean(axis=0) for name, some in rows.items()},
        {
            name: (float(deletion[some].mean()), float(insertion[some].mean()))
            for name, some in rows.items()
        },
    )


def curves(scorer: Scorer, batch: Batch, orders: Orders) -> Curves:
    """Score one sequence while its parts are hidden, and while they are shown, in each order.

    Parameters
    ----------
    orders
        Of the profile and the events that the model reads, as numbers from 0, (R, parts).
    """
    reads = scorer.encoder.reads(batch)
    parts, place = np.unique(batch.event[reads], return_inverse=True)
    group = np.full(len(batch.ids), len(parts))  # what is not read is never hidden
    group[reads] = place
    counts = np.unique(np.linspace(0, len(parts), min(len(parts), STAGES) + 1).round())
    rank = np.argsort(orders, axis=1)
    first = rank[:, None] < counts[:, None]  # (R, S, parts): those that come first
    both = np.concatenate([first, ~first])
    asked, where = np.unique(both.reshape(-1, len(parts)), axis=0, return_inverse=True)
    hidden = np.pad(asked, ((0, 0), (0, 1)))[:, group]
    scores = Hiding(scorer, batch).scores(hidden)[where].reshape(both.shape[:2])
    return Curves(counts / len(parts), scores[: len(orders)], scores[len(orders) :])


def _defined(scorer: Scorer) -> tuple[list[str], dict[str, str]]:
    """Return the methods that say something about the model, and why others do not."""
    names, missing = [], {}
    for name in METHODS:
        try:
            check_defined(name, scorer)
            names.append(name)
        except BadInput as why:
            missing[name] = str(why)
    return names, missing


def _flagged(home: Home, scorer: Scorer, dataset_id: str, cases: int) -> list[Profiled]:
    """Return the sequences of some flagged cases that wait, one by one."""
    with home.engine.connect() as con:
        queue = drop_recut(home, dataset_id, stored_cases.queue(con, dataset_id))
    flagged = queue.loc[queue["source"] == "score", Column.SEQUENCE].to_numpy()
    if not len(flagged):
        raise BadInput(
            f"No flagged case of '{dataset_id}' waits: score it, or lower the threshold."
        )
    chosen = np.random.default_rng(0).permutation(flagged)[:cases].tolist()
    return read_each(home, scorer, dataset_id, chosen)
