"""How good a model is on a data set's labelled units, beside what a user would take instead."""

from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import BadInput
from core.govern.log import Log, read_log
from core.model.baselines import baselines
from core.model.encoder import POSITIVE
from core.model.metrics import report
from core.model.units import Bags
from core.scoring.engine import Scorer
from core.store import models
from core.store.home import Home


def evaluate(home: Home, model_id: str, dataset_id: str, *, split: str = "test") -> dict[str, Any]:
    """Return a model's metrics on the labelled units of `split`, beside every baseline.

    Raises
    ------
    BadInput
        If the data set has no verdicts or labels, or `split` holds none.
    """
    with home.engine.connect() as con:
        models.get(con, model_id)
        threshold = models.threshold(con, model_id)
    log = read_log(home, dataset_id)
    if log.bags is None:
        raise BadInput(f"'{dataset_id}' has no verdicts or labels to evaluate against.")
    held_out = log.bags.of(split)
    if not len(held_out):
        raise BadInput(f"No labelled unit of '{dataset_id}' is in the split '{split}'.")
    metrics = report(held_out.label, _scores(home, model_id, log, held_out), threshold)
    counts = {name: metrics.pop(name) for name in ("positives", "negatives", "threshold")}
    rivals = baselines(log.sequences, log.bags, split)
    return {"metrics": metrics, "baselines": rivals, **counts, "unit": log.bags.unit}


def active_on(home: Home, log: Log, test: Bags) -> dict[str, Any] | None:
    """Report the active model on the same held-out units, if it can read this log."""
    with home.engine.connect() as con:
        active = models.active(con)
        threshold = None if active is None else models.threshold(con, active.id)
    if active is None or threshold is None:
        return None
    try:
        score = _scores(home, active.id, log, test)
    except BadInput as error:
        return {"model": active.id, "refused": str(error)}
    return {"model": active.id, **report(test.label, score, threshold)}


def _scores(home: Home, model_id: str, log: Log, bags: Bags) -> npt.NDArray[np.float32]:
    """Return a model's score of each bag, (B,)."""
    scorer = Scorer.load(home.model_dir(model_id))
    log.check_known(scorer.encoder.tokenizer, model_id)
    batch = log.encode(scorer.encoder.tokenizer, bags.rows)
    return bags.maximum(scorer.predict_proba(batch)[:, POSITIVE])
