"""How far few labels go: average precision on the given test units by the number of labels asked.

    python -m benchmarks.labels                       a forest on the profile facts, 5 seeds
    python -m benchmarks.labels --transformer 3       the transformer too, on 10 %, 3 seeds

The pool is the training units of `amazon_reviewers` with all labels hidden. Each strategy asks for
a few more in every round, given the scores of a model fitted on those it has; then the test units
are scored. The transformer is pre-trained once on the whole log, which takes no label, and
fine-tuned in every round; a part of the labels asked serves as its validation.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.metrics import average_precision_score
from sklearn.model_selection import train_test_split

from benchmarks.learning import load
from core.batch import Batch
from core.govern.config import TrainConfig
from core.govern.log import Log, read_log
from core.govern.wording import interval
from core.model.baselines import features, tables
from core.model.checkpoint import Checkpoint
from core.model.encoder import Encoder
from core.model.finetune import FinetuneConfig, finetune
from core.model.inference import probabilities
from core.model.metrics import judge
from core.model.pretrain import pretrain
from core.model.splits import INNER_VALIDATION_FROM
from core.model.units import Bags
from core.review.sampling import STRATEGIES, UNKNOWN, Pool, choose
from core.store.home import open_home

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
Learner = Callable[[Rows, int], Floats]  # bags whose labels are known, seed -> score of every bag

DATASET = "amazon-reviewers"
SHARES = (0.01, 0.02, 0.05, 0.1, 0.2)  # of the pool
FEW_LABELS = 0.1
ROUND = 0.01  # share of the pool asked for at a time
VALIDATION = 1 - INNER_VALIDATION_FROM  # of the labels asked, as where labels bring no split


def forest(bags: Bags, X: Floats) -> Learner:
    """Return a learner of profile facts."""

    def fitted(known: Rows, seed: int) -> Floats:
        model = RandomForestClassifier(200, min_samples_leaf=2, random_state=seed)
        return np.asarray(model.fit(X[known], bags.label[known]).predict_proba(X)[:, 1])

    return fitted


def transformer(bags: Bags, batch: Batch, pretrained: Encoder) -> Learner:
    """Return a learner that fine-tunes a pre-trained encoder."""

    def fitted(known: Rows, seed: int) -> Floats:
        train, validation = train_test_split(
            known, test_size=VALIDATION, stratify=bags.label[known], random_state=seed
        )
        split = bags.split.copy()
        split[:] = "unknown"
        split[train], split[validation] = "train", "validation"
        encoder = deepcopy(pretrained).with_classifier(seed)
        told = replace(bags, split=split)
        finetune(encoder, batch, told, FinetuneConfig(), seed=seed, report=lambda point: None)
        return bags.maximum(probabilities(encoder, batch.take(bags.rows))).astype(np.float64)

    return fitted


def asked(
    strategy: str, learner: Learner, bags: Bags, pool: Rows, unusual: Floats, *,
    step: int, most: int, seed: int,
) -> Rows:  # fmt: skip
    """Return the bags of `pool` in the order in which a strategy asks for their labels."""
    rng = np.random.default_rng(seed)
    label = np.full(len(pool), UNKNOWN)
    order: list[int] = []
    while len(order) < most:
        counts = np.bincount(label[label != UNKNOWN], minlength=2)
        probability = None
        if strategy != "random" and counts.min() >= 5:
            probability = learner(pool[order], seed)[pool]
        known = Pool(label, unusual[pool], probability)
        order += choose(strategy, known, min(step, most - len(order)), rng)["row"].tolist()
        label[order] = bags.label[pool[order]]
    return pool[order]


def curve(name: str, learner: Learner, bags: Bags, unusual: Floats, seeds: int) -> None:
    """Print average precision by strategy and share of labels, median and range over seeds."""
    pool = np.flatnonzero(np.isin(bags.split, ["train", "validation"]))
    test = np.flatnonzero(bags.split == "test")
    shares = SHARES if name == "forest" else (FEW_LABELS,)
    step, most = round(ROUND * len(pool)), round(max(shares) * len(pool))
    whole = learner(pool, 0)[test]
    judged = judge(bags.label[test], whole, 0.5).report["average_precision"]
    print(f"{name}, all {len(pool)} labels: {interval(judged)}", flush=True)
    for strategy in STRATEGIES:
        started = time.perf_counter()
        found = []
        for seed in range(seeds):
            order = asked(
                strategy, learner, bags, pool, unusual, step=step, most=most, seed=seed
            )  # fmt: skip
            scored = [learner(order[: round(share * len(pool))], seed)[test] for share in shares]
            found.append([average_precision_score(bags.label[test], score) for score in scored])
        told = [
            f"{share:.0%}: {np.median(one):.3f} ({min(one):.3f}-{max(one):.3f})"
            for share, one in zip(shares, np.transpose(found), strict=True)
        ]
        kept = np.median(np.transpose(found)[shares.index(FEW_LABELS)]) / judged["value"]
        seconds = time.perf_counter() - started
        print(
            f"  {strategy:<20} {'  '.join(told)}  at 10 %: {kept:.1%} of all ({seconds:.0f} s)",
            flush=True,
        )


def pretrained_on(log: Log, encoder: Encoder, config: TrainConfig) -> Encoder:
    """Return `encoder` after pre-training on every sequence."""
    started = time.perf_counter()
    parts = log.parts(encoder.tokenizer)
    checkpoint = Checkpoint(log.home.checkpoints / "labels.pt")
    pretrain(
        encoder,
        parts,
        config.pretrain,
        seed=0,
        report=lambda point: None,
        checkpoint=checkpoint,
    )
    checkpoint.drop()
    print(f"pre-trained in {time.perf_counter() - started:.0f} s", flush=True)
    return encoder


def main() -> None:
    """Print the curves of the forest and, if asked for, the transformer at 10 %."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--transformer", type=int, default=0, metavar="SEEDS")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        load(Path(name), "amazon_reviewers")
        log = read_log(open_home(Path(name)), DATASET)
        assert log.bags is not None
        values = features.facts(log.sequences, log.bags, {}).values
        X = SimpleImputer().fit_transform(values[:, np.isfinite(values).any(axis=0)])
        unusual = tables.isolation_forest(X, X)
        if wanted.seeds:
            curve("forest", forest(log.bags, X), log.bags, unusual, wanted.seeds)
        if wanted.transformer:
            config, tokenizer = TrainConfig(), log.fit_tokenizer()
            batch = log.encode(tokenizer)
            encoder = Encoder.create(
                tokenizer, layout=config.layout, max_events=log.mapping.sequence.max_events,
                size=config.size, seed=0,
            )  # fmt: skip
            learner = transformer(log.bags, batch, pretrained_on(log, encoder, config))
            curve("transformer", learner, log.bags, unusual, wanted.transformer)


if __name__ == "__main__":
    main()
