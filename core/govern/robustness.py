"""How far a score moves when behaviour changes a little, and when abuse hides among normal events.

The evasion of a sequence model by inserted events follows Fursov et al., "Adversarial attacks on
deep models for financial transaction records" (KDD 2021); here it needs no access to the model.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import BadInput
from core.govern.card import write_card
from core.govern.log import Log, read_log, split_of
from core.govern.perturbing import Perturb, Perturbations, changed, each, encoded, normal_events
from core.govern.wording import robustness
from core.logs.frames import read_events
from core.model.bootstrap import resamples
from core.model.encoder import POSITIVE
from core.model.files import read_json, write_json
from core.model.metrics import INTERVAL
from core.model.units import Bags
from core.schema import Column
from core.scoring.engine import Scorer
from core.seeds import check_seed
from core.store import models
from core.store.home import Home, writing

Floats = npt.NDArray[np.float64]

UNITS: Final = 200  # of each class, drawn at random from the held-out ones
MOST_EVENTS: Final = 40_000  # of the actors looked at


def measure_robustness(
    home: Home,
    model_id: str,
    dataset_id: str,
    *,
    perturbations: Sequence[str] | None = None,
    seed: int = 0,
    progress: Callable[[float, str], None] = lambda share, message: None,
) -> dict[str, Any]:
    """Perturb held-out units, score them again, and store the report with the model.

    Returns
    -------
    ``perturbations.NAME``: mean, median and 95 % quantile of the absolute change of the score,
    share of decisions ``flipped`` at the threshold in force, on the ``units`` that it can change,
    weighted to the held-out ones; ``recall`` left. ``camouflage``: the same by ``share`` of normal
    events, abuse only. ``missing``: what does not fit the log; ``weakest`` and ``summary``.

    Parameters
    ----------
    perturbations
        Only these of the small ones (default: all that fit).

    Raises
    ------
    BadInput
        If there is no such perturbation or seed, the data set has no labels or none of both
        classes held out, or the model cannot read the log.
    """
    check_seed(seed)
    with home.engine.connect() as con:
        models.get(con, model_id)
        threshold = models.threshold(con, model_id)
    log = read_log(home, dataset_id, split_by=split_of(home, model_id))
    bags = _held_out(log, dataset_id, seed)
    scorer = Scorer.load(home.model_dir(model_id))
    log.check_known(scorer.encoder.tokenizer, model_id)
    # Held out: what hides abuse is nothing that training has seen to be normal.
    normal = normal_events(home, log, split="test", seed=seed)
    found = Perturbations.of(log.mapping, normal, perturbations)
    study = _Study.of(home, log, bags, scorer, threshold)
    report = study.report(found, np.random.default_rng(seed), progress)
    report |= {"dataset": dataset_id, "unit": bags.unit, "threshold": threshold}
    report |= robustness(report)
    _store(home, model_id, report)
    return report


@dataclass(frozen=True)
class _Study:
    """Units, their actors' events and their scores before anything is changed."""

    log: Log
    bags: Bags
    scorer: Scorer
    threshold: float
    events: pd.DataFrame  # of the units' actors, all of them
    sequences: pd.DataFrame  # of these, with their rows in the log as index
    before: Floats  # (B,)
    weight: Floats  # (B,), how many held-out units each stands for

    @classmethod
    def of(cls, home: Home, log: Log, bags: Bags, scorer: Scorer, threshold: float) -> "_Study":
        """Read and score `bags`."""
        actors = log.sequences[Column.ACTOR].iloc[bags.rows].unique()
        sequences = log.sequences[log.sequences[Column.ACTOR].isin(actors)]
        events = read_events(home, log.dataset_id, actors=list(actors))
        batch = scorer.encoder.tokenizer.encode(events, sequences)
        score = pd.Series(scorer.predict_proba(batch)[:, POSITIVE], index=sequences.index)
        assert log.bags is not None
        everybody = np.bincount(log.bags.of("test").label, minlength=2)
        weight = (everybody / np.bincount(bags.label, minlength=2))[bags.label]
        before = _of_bags(bags, score)
        return cls(log, bags, scorer, threshold, events, sequences, before, weight)

    def report(
        self,
        found: Perturbations,
        rng: np.random.Generator,
        progress: Callable[[float, str], None],
    ) -> dict[str, Any]:
        """Return what each perturbation does."""
        abuse = self.bags.label == 1
        counts = {"positives": int(abuse.sum()), "negatives": int((~abuse).sum())}
        recall = self._rate(self.before >= self.threshold, abuse)
        small: dict[str, Any] = {}
        camouflage = []
        missing = dict(found.missing)
        todo = list(each(found))
        for number, (name, share, perturb) in enumerate(todo):
            progress(number / len(todo), f"{name.replace('_', ' ')}: changing and scoring again")
            one = self._measured(perturb, rng, abuse if share is not None else abuse | True)
            if not one["units"]:
                missing[name] = "it changes nothing in the units looked at"
            elif share is not None:
                camouflage.append({"share": share, **one})
            else:
                small[name] = one
        return {
            **counts,
            "recall": recall,
            "perturbations": small,
            "camouflage": camouflage,
            "missing": missing,
            "harmless": found.harmless,
        }

    def _measured(
        self, perturb: Perturb, rng: np.random.Generator, whom: npt.NDArray[np.bool_]
    ) -> dict[str, Any]:
        events = perturb(self.events, rng)
        batch, rows = encoded(
            events, self.sequences, self.log.mapping, self.log.actions,
            self.scorer.encoder.tokenizer,
        )  # fmt: skip
        scored = pd.Series(self.scorer.predict_proba(batch)[:, POSITIVE])
        after = _of_bags(self.bags, scored.groupby(rows).max())
        ids = self.log.sequences[Column.SEQUENCE]
        touched = ids.isin(changed(self.events, events)).to_numpy()[self.bags.rows]
        whom = whom & np.logical_or.reduceat(touched, self.bags.offsets[:-1])
        if not whom.any():
            return {"units": 0}
        change, weight = np.abs(after - self.before)[whom], self.weight[whom]
        half, most = np.quantile(change, [0.5, 0.95], weights=weight, method="inverted_cdf")
        flipped = (after >= self.threshold) != (self.before >= self.threshold)
        return {
            "units": int(whom.sum()),
            "mean": float(np.average(change, weights=weight)),
            "median": float(half),
            "p95": float(most),
            "flipped": self._rate(flipped, whom),
            "recall": self._rate(after >= self.threshold, self.bags.label == 1),
        }

    def _rate(self, hit: npt.NDArray[np.bool_], whom: npt.NDArray[np.bool_]) -> dict[str, float]:
        """Return the weighted share of `whom` that is hit, with its bootstrap interval."""
        actors = self.log.sequences[Column.ACTOR].to_numpy()[self.bags.first[whom]]
        drawn = []
        for counts in resamples(actors):
            weights = counts * self.weight[whom, None]
            drawn.append(weights.T @ hit[whom] / weights.sum(axis=0))
        low, high = np.percentile(np.concatenate(drawn), INTERVAL)
        value = float(np.average(hit[whom], weights=self.weight[whom]))
        return {"value": value, "low": float(low), "high": float(high)}


def _held_out(log: Log, dataset_id: str, seed: int) -> Bags:
    """Return some held-out units of each class, fewer where their actors have many events."""
    if log.bags is None:
        raise BadInput(
            f"'{dataset_id}' has no verdicts or labels: attach some, to see which decisions on "
            "abuse would change."
        )
    test = log.bags.of("test")
    if not test.has_both("test"):
        raise BadInput(
            f"The held-out part of '{dataset_id}' lacks abuse or legitimate units: review or "
            "label more."
        )
    rng = np.random.default_rng(seed)
    of_actor = log.sequences.groupby(Column.ACTOR)[Column.EVENTS].sum()
    events = of_actor.loc[log.sequences[Column.ACTOR].iloc[test.first]].to_numpy()
    drawn = []
    for value in (0, 1):
        units = rng.permutation(np.flatnonzero(test.label == value))[:UNITS]
        fits = np.cumsum(events[units]) <= MOST_EVENTS / 2
        drawn.append(units[: max(1, int(fits.sum()))])
    return test.take(np.sort(np.concatenate(drawn)))


def _of_bags(bags: Bags, score: "pd.Series[float]") -> Floats:
    """Return each bag's highest score; `score` is by row of the log."""
    return bags.maximum(score.loc[bags.rows.tolist()].to_numpy(np.float32)).astype(np.float64)


def _store(home: Home, model_id: str, report: dict[str, Any]) -> None:
    """Keep the report in the model's metrics and its card."""
    with home.engine.begin() as con:
        model = models.add_metric(con, model_id, "robustness", report)
    folder = home.model_dir(model_id)
    with writing(folder / "metrics.json") as file:
        write_json(file, model.metrics)
    write_card(folder, model, read_json(folder / "training.json"))
