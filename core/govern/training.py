"""Training from end to end: a data set in, a registered candidate out."""

import platform
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import transformers
from sqlalchemy.exc import IntegrityError

from core.batch import usual_share
from core.errors import BadInput, NotFound
from core.govern.adversarial import with_perturbed
from core.govern.card import write_card
from core.govern.config import TrainConfig
from core.govern.evaluation import active_on, compare
from core.govern.log import Log, read_log
from core.govern.replay import Lesson, earlier, forgetting, lesson, precision_on, with_replay
from core.govern.resuming import finetuning_file, pretraining_file
from core.govern.schemes import judge_schemes
from core.govern.tracking import Tracker, tracked
from core.model.backbone import SIZES, create_encoder, load_encoder
from core.model.batching import Parts, Report
from core.model.checkpoint import Checkpoint
from core.model.encoder import Encoder
from core.model.files import write_json
from core.model.finetune import finetune
from core.model.inference import enough_memory, probabilities
from core.model.metrics import stable_threshold
from core.model.pretrain import WITHOUT_LABELS, pretrain
from core.model.schemes import schemes_of
from core.model.text import TextEncoder
from core.model.units import Bags, check_distinct, count_schemes
from core.model.unusualness import Unusualness
from core.scoring.device import best_device
from core.scoring.engine import Scorer
from core.store import audit, models
from core.store.home import Home, now, remove, writing
from core.store.models import Model

CONTINUED = 1 / 3  # of the learning rate, where training goes on from a model
UNUSUAL_SHARE = 0.02  # of the training data lie above the first threshold of an unlabelled model


def train(
    home: Home,
    dataset_id: str,
    *,
    parent_id: str | None = None,
    config: TrainConfig | None = None,
    analyst: str = "analyst",
    model_id: str | None = None,
    note: str = "",
    told: Report = lambda point: None,
) -> Model:
    """Train a candidate on a data set and register it.

    Without verdicts or labels the model is pre-trained only. With `parent_id` training goes on
    from that model, otherwise from scratch. `told` hears every point of the curve and may raise to
    stop. However it ends, the training is tracked, see `core.govern.tracking`.

    Raises
    ------
    BadInput
        If a class has fewer than five verdicts or labels, all labelled sequences look the same,
        the parent does not know the log's tokens, or there is nothing to learn from.
    """
    config = config or TrainConfig()
    if parent_id is not None:
        config = config.going_on_from(home, parent_id, dataset_id)
    settings = {**asdict(config), "parent": parent_id}
    with tracked(home, dataset_id, settings, analyst=analyst, told=told) as tracker:
        model = _train(home, dataset_id, tracker, parent_id, config, model_id or tracker.id, note)
        _register(home, model, analyst)
        tracker.made(model)
    return model


@dataclass(frozen=True)
class Fitted:
    """A trained encoder and what it was trained on."""

    encoder: Encoder
    parts: Parts  # every sequence of the log, as it reads them
    taught: Lesson | None  # None without verdicts and labels
    replayed: list[dict[str, Any]]  # how it fares on what its parent had learned
    checkpoints: tuple[Checkpoint, ...]  # of each phase


def fit(
    home: Home,
    log: Log,
    config: TrainConfig,
    *,
    parent_id: str | None = None,
    told: Report,
    resumable: bool = True,
) -> Fitted:
    """Train an encoder on a log.

    A `resumable` one leaves its checkpoints, until what became of it is stored.

    Raises
    ------
    BadInput
        As `train` does, or if the device has too little memory.
    """
    if log.bags is not None:
        log.bags.check_trainable()
    encoder = _start(home, log, parent_id, config)
    taught = None if log.bags is None else lesson(log, encoder.tokenizer)
    if taught is not None:
        check_distinct(taught.batch, taught.bags)
    device = best_device()
    with enough_memory(device):
        encoder.to(device)
        parts = log.parts(encoder.tokenizer)
        checkpoint = Checkpoint(pretraining_file(log, encoder, config) if resumable else None)
        if parent_id is None and not encoder.classifies:
            settings = config.pretrain
            if taught is None:
                settings = replace(settings, **WITHOUT_LABELS)
            pretrain(encoder, parts, settings, seed=config.seed, report=told, checkpoint=checkpoint)
        before = Fitted(encoder, parts, taught, [], (checkpoint,))
        return before if taught is None else _learn(home, log, before, parent_id, config, told)


def _train(
    home: Home,
    dataset_id: str,
    tracker: Tracker,
    parent_id: str | None,
    config: TrainConfig,
    model_id: str,
    note: str,
) -> Model:
    """Train a model and write its directory."""
    log = read_log(home, dataset_id, split_by=config.split_by)
    fitted = fit(home, log, config, parent_id=parent_id, told=tracker.point)
    encoder = fitted.encoder
    tracker.point({"phase": "evaluating", "progress": 1.0})
    threshold = 1 - UNUSUAL_SHARE
    metrics: dict[str, Any] = {"sequences": len(log.sequences)}
    if fitted.taught is not None:
        threshold, metrics = _judge(home, log, encoder, fitted.taught)
        metrics |= {"replayed": fitted.replayed} if fitted.replayed else {}
    kind = "probability" if encoder.classifies else "unusualness"
    model = Model(
        model_id, "anomaly", kind, "candidate", dataset_id, parent_id, threshold, metrics, now()
    )
    described = {
        "model": model_id,
        "dataset": dataset_id,
        "sequences": len(log.sequences),
        "note": " ".join(filter(None, [note, _reading(encoder, fitted.parts)])),
        **asdict(config),
        "layout": encoder.layout,  # of the parent, where there is one
        **_versions(),
    }
    with writing(home.model_dir(model_id)) as folder:
        folder.mkdir(parents=True)
        _save(folder, encoder, fitted.parts, model, described)
    for checkpoint in fitted.checkpoints:
        checkpoint.drop()
    return model


def _learn(
    home: Home,
    log: Log,
    fitted: Fitted,
    parent_id: str | None,
    config: TrainConfig,
    told: Report,
) -> Fitted:
    """Fine-tune on the log's labels and, going on from a model, on what that had learned."""
    assert fitted.taught is not None
    encoder = fitted.encoder.with_classifier(config.seed)
    old = [] if parent_id is None else earlier(home, parent_id, log.dataset_id, encoder)
    before = [precision_on(encoder, one) for one in old]
    learned = _lessons(home, log, encoder, fitted.taught, old, config)
    settings = config.finetune
    if parent_id is not None:
        settings = replace(settings, learning_rate=settings.learning_rate * CONTINUED)
    file = finetuning_file(log, encoder, learned, settings, config.seed)
    checkpoint = Checkpoint(file if fitted.checkpoints[0].file is not None else None)
    finetune(
        encoder,
        learned.batch,
        learned.bags,
        settings,
        seed=config.seed,
        report=told,
        confidence=learned.confidence,
        checkpoint=checkpoint,
    )
    replayed = forgetting(before, [precision_on(encoder, one) for one in old], old)
    checkpoints = (*fitted.checkpoints, checkpoint)
    return replace(fitted, encoder=encoder, replayed=replayed, checkpoints=checkpoints)


def _lessons(
    home: Home, log: Log, encoder: Encoder, new: Lesson, old: list[Lesson], config: TrainConfig
) -> Lesson:
    """Return all there is to learn: the log's labels and, beside them, copies and old lessons."""
    if config.adversarial:
        new = with_perturbed(home, log, new, encoder.tokenizer, config.seed)
    return with_replay(new, old, np.random.default_rng(config.seed))


def _register(home: Home, model: Model, analyst: str) -> None:
    try:
        with home.engine.begin() as con:
            models.add(con, model)
            audit.record(con, analyst, "train", model.id, {"dataset": model.dataset_id})
    except IntegrityError as error:
        remove(home.model_dir(model.id))
        raise NotFound(f"'{model.dataset_id}' was deleted while training on it.") from error


def _start(home: Home, log: Log, parent_id: str | None, config: TrainConfig) -> Encoder:
    if parent_id is None:
        if log.bags is None and config.backbone not in SIZES:
            raise BadInput(
                "A text back-bone learns from verdicts or labels, and there are none yet. "
                "Pre-train a behaviour back-bone first: its unusualness fills the queue."
            )
        return create_encoder(
            config.backbone, log.fit_tokenizer(), log.mapping,
            layout=config.layout, size=config.size, seed=config.seed,
        )  # fmt: skip
    if log.bags is None:
        raise BadInput("There are no verdicts or labels yet, so there is nothing to learn from.")
    encoder = load_encoder(home.model_dir(parent_id))
    log.check_known(encoder.tokenizer, parent_id)
    return encoder


def _save(
    folder: Path, encoder: Encoder, parts: Parts, model: Model, described: dict[str, Any]
) -> None:
    """Write the whole directory of a model: Hugging Face files, metrics, settings and card."""
    encoder.bert.config.threshold = model.threshold
    encoder.save(folder)
    if model.kind == "unusualness":
        Unusualness.fit(encoder, parts).save(folder)
    usual = usual_share(parts, len(encoder.tokenizer))
    write_json(folder / "usual.json", {"share": usual.round(4).tolist()})
    write_json(folder / "metrics.json", model.metrics)
    write_json(folder / "training.json", described)
    write_card(folder, model, described)


def _judge(home: Home, log: Log, encoder: Encoder, learned: Lesson) -> tuple[float, dict[str, Any]]:
    """Return the threshold best on validation, and the metrics on the held-out units."""
    bags = learned.bags
    validation = bags.of("validation")
    on_validation = probabilities(encoder, learned.batch.take(validation.rows))
    threshold = stable_threshold(validation.label, validation.maximum(on_validation))
    found = compare(log, encoder.tokenizer, lambda part: probabilities(encoder, part), threshold)
    whole = cast(Bags, log.bags)
    metrics = {
        "unit": bags.unit,
        "test": found.pop("metrics"),
        **found,
        "labels": {side: len(bags.of(side)) for side in ("train", "validation", "test")},
    }
    if named := count_schemes(whole):
        metrics["scheme_labels"] = {"told_apart": schemes_of(encoder), "train": named}
        metrics["schemes"] = judge_schemes(log, Scorer("", encoder, None), threshold)
    before = active_on(home, log, whole.of("test"))
    return threshold, metrics if before is None else {**metrics, "active": before}


def _reading(encoder: Encoder, parts: Parts) -> str:
    """Say on the card what a text back-bone could not read at once."""
    if not isinstance(encoder, TextEncoder):
        return ""
    windows, cut = np.sum([encoder.overlong(part) for part in parts], axis=0)
    return (
        f"It reads events as text, {encoder.limit} sub-words at once. Of {sum(parts.sizes):,} "
        f"sequences, {windows:,} are longer and are read in windows, of which the highest counts; "
        f"of {cut:,}, a profile or an event is too long by itself and is cut."
    )


def _versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
