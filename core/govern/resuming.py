"""Which file a killed training goes on from: only the same training of the same data finds it."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from core.govern.config import TrainConfig
from core.govern.log import Log
from core.govern.replay import Lesson
from core.model.encoder import Encoder
from core.model.finetune import FinetuneConfig


def pretraining_file(log: Log, encoder: Encoder, config: TrainConfig) -> Path:
    """Return the checkpoint of pre-training: told apart by import, vocabulary and settings."""
    folder = log.home.dataset_dir(log.dataset_id)
    told = [str(folder.stat().st_ctime_ns), encoder.tokenizer.digest, json.dumps(asdict(config))]
    return _file(log, hashlib.sha256("\n".join(told).encode()).hexdigest())


def finetuning_file(
    log: Log, encoder: Encoder, learned: Lesson, settings: FinetuneConfig, seed: int
) -> Path:
    """Return the checkpoint of fine-tuning: told apart by weights, lessons and settings."""
    digest = hashlib.sha256(json.dumps([asdict(settings), seed]).encode())
    for weight in encoder.state_dict().values():
        digest.update(weight.cpu().numpy().tobytes())
    batch, bags = learned.batch, learned.bags
    told = (batch.ids, batch.event, batch.offsets, bags.rows, bags.offsets, bags.label)
    for part in (*told, bags.split.astype(str), bags.scheme.astype(str), learned.confidence):
        digest.update(np.ascontiguousarray(part).tobytes())
    return _file(log, digest.hexdigest())


def _file(log: Log, digest: str) -> Path:
    return log.home.checkpoints / f"{log.dataset_id}-{digest[:16]}.pt"
