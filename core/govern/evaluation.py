"""How good a model is on a data set's labelled units, beside what a user would take instead."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from core.batch import Batch
from core.errors import BadInput
from core.govern.early import early_detection
from core.govern.log import Log, read_log, split_of
from core.govern.schemes import judge_schemes
from core.logs.fact import numeric_columns
from core.logs.facts import profile_facts
from core.logs.mapping import extra_columns
from core.model.baselines import Baseline, baselines
from core.model.encoder import POSITIVE
from core.model.metrics import REVIEW_SHARE, Judgement, difference, judge
from core.model.units import Bags, repeats
from core.schema import Column
from core.scoring.engine import Scorer
from core.store import models
from core.store.home import Home
from core.tokens import Tokenizer

Score = Callable[[Batch], npt.NDArray[np.float32]]


def evaluate(
    home: Home,
    model_id: str,
    dataset_id: str,
    *,
    split: str = "test",
    capacity: float = REVIEW_SHARE,
) -> dict[str, Any]:
    """Return a model's metrics on the labelled units of `split`, beside every baseline.

    `capacity` is the share (below 1) or number of units that can be reviewed. The units are split
    as the model's training did.

    Raises
    ------
    BadInput
        If the data set has no verdicts or labels, or `split` holds none.
    """
    with home.engine.connect() as con:
        model = models.get(con, model_id)
        threshold = models.threshold(con, model_id)
    log = read_log(home, dataset_id, split_by=split_of(home, model_id))
    if log.bags is None:
        raise BadInput(f"'{dataset_id}' has no verdicts or labels to evaluate against.")
    if not len(log.bags.of(split)):
        raise BadInput(f"No labelled unit of '{dataset_id}' is in the split '{split}'.")
    scorer = _scorer(home, model_id, log)
    found = compare(
        log,
        scorer.encoder.tokenizer,
        _score_of(scorer),
        threshold,
        split=split,
        capacity=capacity,
        probability=model.kind == "probability",
    )
    metrics = found.pop("metrics")
    named = ("positives", "negatives", "threshold", "capacity")
    counts = {name: metrics.pop(name) for name in named}
    if schemes := judge_schemes(log, scorer, threshold, split=split):
        found["schemes"] = schemes
    return {"metrics": metrics, **found, **counts, "unit": log.bags.unit}


def compare(
    log: Log,
    tokenizer: Tokenizer,
    score: Score,
    threshold: float,
    *,
    split: str = "test",
    capacity: float = REVIEW_SHARE,
    probability: bool = True,
) -> dict[str, Any]:
    """Judge a model and every baseline on exactly the same units of a labelled log.

    Returns
    -------
    ``metrics`` and ``baselines.NAME`` (see `core.model.metrics.judge`), ``differences.NAME``: by
    how much the model is ahead of each baseline on every metric, with a paired interval;
    ``early_detection`` and ``repeats``.
    """
    assert log.bags is not None
    held_out = log.bags.of(split)
    scored = score(log.encode(tokenizer, held_out.rows))
    ours = _judge(log, held_out, held_out.maximum(scored), threshold, capacity, probability)
    rivals = judged(log, baselines_of(log, split), split=split, capacity=capacity)
    return {
        "metrics": ours.report,
        "baselines": {name: _described(*rival) for name, rival in rivals.items()},
        "differences": {name: difference(ours, rival) for name, (_, rival) in rivals.items()},
        "early_detection": early_detection(log, tokenizer, score, held_out, scored, threshold),
        "repeats": repeats(log.bags, log.content, split),
    }


def baselines_of(log: Log, split: str = "test") -> dict[str, Baseline]:
    """Return the scores of every baseline for the labelled units of `split`."""
    assert log.bags is not None
    words = {fact.name: fact.words for fact in profile_facts(log.mapping, log.actions)}
    extras = extra_columns(log.mapping)
    symbols = [
        Column.ACTION,
        *(["gap"] if log.mapping.roles.time else []),
        *numeric_columns(log.mapping),
        *(name for name, kind in extras.items() if kind == "categorical"),
    ]
    events = log.events(columns=symbols)
    return baselines(log.sequences, events, log.bags, split=split, words=words, symbols=symbols)


def judged(
    log: Log,
    found: dict[str, Baseline],
    *,
    split: str = "test",
    capacity: float = REVIEW_SHARE,
) -> dict[str, tuple[Baseline, Judgement]]:
    """Judge baselines on the labelled units of `split` they were asked to score."""
    assert log.bags is not None
    units = log.bags.of(split)
    return {
        name: (one, _judge(log, units, one.score, one.threshold, capacity, one.probability))
        for name, one in found.items()
    }


def active_on(home: Home, log: Log, test: Bags) -> dict[str, Any] | None:
    """Report the active model on the same held-out units, if it can read this log."""
    with home.engine.connect() as con:
        active = models.active(con)
        threshold = None if active is None else models.threshold(con, active.id)
    if active is None or threshold is None:
        return None
    try:
        scorer = _scorer(home, active.id, log)
    except BadInput as error:
        return {"model": active.id, "refused": str(error)}
    own = test.maximum(_score_of(scorer)(log.encode(scorer.encoder.tokenizer, test.rows)))
    probability = active.kind == "probability"
    judged = _judge(log, test, own, threshold, REVIEW_SHARE, probability)
    return {"model": active.id, **judged.report}


def _judge(
    log: Log,
    bags: Bags,
    score: npt.NDArray[Any],
    threshold: float,
    capacity: float,
    probability: bool,
) -> Judgement:
    actors = log.sequences[Column.ACTOR].to_numpy()[bags.first]
    return judge(
        bags.label, score, threshold, groups=actors, capacity=capacity, probability=probability
    )


def _described(rival: Baseline, judged: Judgement) -> dict[str, Any]:
    return {**judged.report, "supervised": rival.supervised, "note": rival.note}


def _scorer(home: Home, model_id: str, log: Log) -> Scorer:
    """Return a stored model that knows the log's tokens."""
    scorer = Scorer.load(home.model_dir(model_id))
    log.check_known(scorer.encoder.tokenizer, model_id)
    return scorer


def _score_of(scorer: Scorer) -> Score:
    return lambda batch: scorer.predict_proba(batch)[:, POSITIVE]
