"""Scoring beside what else runs the same weights, in turns, and beside a bare matrix product.

    python -m benchmarks.scoring                    2,000 sequences, three rounds
    python -m benchmarks.scoring --sequences 500 --text MINILM_DIRECTORY

The sequences are events of the demonstration log, put together to log-normal lengths (median 64
events, sigma .7, from 10 to 200). The stock loop is Hugging Face's own sequence classifier with its
default attention: padded, in the order given, 32 at a time. All rivals get the same sums of
embeddings, made the same way. ONNX Runtime takes part where it is installed (with onnx and
onnxscript, for the export).
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from transformers import BertForSequenceClassification

from core.batch import Batch
from core.demo import MAPPING, STARTER
from core.logs.frames import read_events, read_mapping, read_sequences
from core.logs.importing import import_log
from core.model.backbone import create_encoder
from core.model.batching import by_length
from core.model.encoder import Encoder, Size
from core.model.inference import probabilities
from core.model.linear import linear
from core.scoring.engine import Scorer
from core.simulate.demo import write_demonstration
from core.store.home import open_home

WIDE = Size(width=256, heads=8)
TEXTS = 32  # the text back-bone is slow: of the log's own sequences
BATCH = 32  # sequences of the stock loop

Loop = Callable[[Batch], np.ndarray]


def demonstration(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, Any]:
    """Import the demonstration log; return its events, its sequences and its mapping."""
    home = open_home(folder / "home")
    dataset = import_log(home, write_demonstration(folder)[0], mapping=MAPPING, name="demo").id
    return read_events(home, dataset), read_sequences(home, dataset), read_mapping(home, dataset)


def mixed(log: Batch, sequences: int) -> Batch:
    """Put the log's events together to sequences of log-normal lengths, each under a profile."""
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.lognormal(np.log(64), 0.7, sequences), 10, 200).astype(int)
    starts = np.flatnonzero(np.diff(log.group, prepend=-1))
    ends = np.append(starts[1:], len(log.ids))
    profiles, events = (
        np.flatnonzero(kind) for kind in (log.event[starts] == 0, log.event[starts] > 0)
    )
    chosen = np.resize(events, lengths.sum())
    before = np.cumsum(lengths) - lengths
    groups = np.insert(chosen, before, rng.choice(profiles, sequences))
    position = np.arange(len(groups)) - np.repeat(before + np.arange(sequences), lengths + 1)
    sizes = (ends - starts)[groups]
    offset = np.cumsum(sizes) - sizes
    tokens = np.arange(sizes.sum()) + np.repeat(starts[groups] - offset, sizes)
    event = np.repeat(position, sizes).astype(np.int16)
    bounds = np.append(offset[position == 0], sizes.sum())
    return Batch(log.ids[tokens], log.field[tokens], event, bounds)


def padded_loop(encoder: Encoder, model: Any, *, in_order: bool) -> Loop:
    """Return a loop over padded batches: 32 in the order given, or sorted by length."""

    def loop(batch: Batch) -> np.ndarray:
        cuts = range(BATCH, len(batch), BATCH)
        given = np.array_split(np.arange(len(batch)), cuts)
        rows = given if in_order else by_length(encoder.cost(batch))
        found = np.empty(len(batch), np.float32)
        for some in rows:
            inputs, _ = encoder._inputs(batch.take(some))
            found[some] = 1 - model(**inputs).logits.softmax(-1)[:, 0].numpy()  # of any abuse
        return found

    return loop


def onnx_model(encoder: Encoder, batch: Batch, folder: Path) -> Any:
    """Export the stock model and return it as ONNX Runtime runs it; None where that is missing."""
    try:
        import onnxruntime
        import onnxscript  # noqa: F401 - the exporter needs it
    except ImportError:
        return None
    inputs, _ = encoder._inputs(batch.take([0, 1]))
    dynamic = {name: {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC} for name in inputs}
    file = folder / "model.onnx"
    program = torch.onnx.export(encoder.bert, kwargs=inputs, dynamic_shapes=dynamic, dynamo=True)
    program.save(file)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]

    def run(**given: torch.Tensor) -> Any:
        (logits,) = session.run(None, {name: given[name].numpy() for name in names})
        return type("Output", (), {"logits": torch.from_numpy(logits)})

    return run


def seconds(work: Callable[[], Any]) -> float:
    """Return how long `work` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def ceilings() -> np.ndarray:
    """Return FLOP/s of the matrix product that the encoder's width asks for.

    By PyTorch (MKL), and by oneDNN, which Spoor's linear layers use.
    """
    left, right = torch.randn(4096, 256), nn.Linear(256, 1024, bias=False)
    ways = (lambda: left @ right.weight.T, lambda: linear(right, left))
    taken = [statistics.median(seconds(way) for _ in range(15)) for way in ways]
    return 2 * 4096 * 256 * 1024 / np.array(taken)


def executed(encoder: Encoder, batch: Batch) -> float:
    """Return the multiplications and additions of the packed encoder's products, in FLOP."""
    width, layers = encoder.bert.config.hidden_size, encoder.bert.config.num_hidden_layers
    positions = batch.positions.astype(float)
    whole = 24 * width**2 * positions + 4 * width * positions**2
    last = 4 * width**2 * positions + 20 * width**2 + 4 * width * positions
    return float(((layers - 1) * whole + last).sum())


def compare(loops: dict[str, Loop], batch: Batch, rounds: int) -> None:
    """Run the loops in turns; print sequences per second and how far the probabilities differ."""
    times: dict[str, list[float]] = {name: [] for name in loops}
    expected = loops["stock"](batch)
    for _ in range(rounds):
        for name, loop in loops.items():
            started = time.perf_counter()
            found = loop(batch)
            times[name].append(time.perf_counter() - started)
            assert np.abs(found - expected).max() < 1e-5, name
    for name, taken in times.items():
        ratios = [stock / own for stock, own in zip(times["stock"], taken, strict=True)]
        speed = len(batch) / statistics.median(taken)
        print(f"{name:<22}{speed:8.0f} sequences/s  {statistics.median(ratios):5.2f} times stock")
    print(f"spread of the probabilities {expected.std():.3f}; all within 1e-5 of the stock loop's")


def share_of_ceiling(encoder: Encoder, batch: Batch, rounds: int) -> None:
    """Print the share of the matrix products' rates that the packed encoder reaches."""
    shares = []
    for _ in range(rounds):
        before = ceilings()
        taken = seconds(lambda: probabilities(encoder, batch))
        shares.append(executed(encoder, batch) / taken / ((before + ceilings()) / 2))
    width = encoder.bert.config.hidden_size
    usual, own = np.median(shares, axis=0)
    print(f"width {width}: {usual:.2f} of PyTorch's matrix product, {own:.2f} of oneDNN's")


def one_by_one(scorer: Scorer, events: pd.DataFrame, sequences: pd.DataFrame) -> None:
    """Print how long one warm sequence takes, from its events to its probability."""
    ends = np.cumsum(sequences["events"])

    def score(row: int) -> None:
        own = events.iloc[ends.iloc[row] - sequences["events"].iloc[row] : ends.iloc[row]]
        scorer.predict_proba(scorer.encoder.tokenizer.encode(own, sequences.iloc[[row]]))

    longest = np.argsort(-sequences["events"].to_numpy(), kind="stable")[:60]
    taken = [seconds(lambda row=row: score(row)) for row in [*longest[:10], *longest]][10:]
    lengths = sequences["events"].iloc[longest]
    print(
        f"one sequence of {lengths.min()} to {lengths.max()} events: median "
        f"{1e3 * statistics.median(taken):.1f} ms, 95 % under {1e3 * np.quantile(taken, 0.95):.1f}"
    )


def beside_counters(encoder: Encoder, batch: Batch, rounds: int) -> None:
    """Print what the counters that judge beside the transformer add to the time."""
    assert encoder.counters is not None
    shares = []
    for _ in range(rounds):
        both = seconds(lambda: probabilities(encoder, batch))
        counters, encoder.counters = encoder.counters, None
        shares.append(both / seconds(lambda: probabilities(encoder, batch)))
        encoder.counters = counters
    print(f"with its counters it takes {statistics.median(shares):.2f} times as long")


def beside_text(checkpoint: str, native: Encoder, log: Batch, mapping: Any, rounds: int) -> None:
    """Print how many times faster the native tokens are than a text back-bone on the same log."""
    texts = create_encoder(
        f"text:{checkpoint}", native.tokenizer, mapping, layout="summed", size=WIDE, seed=0
    ).eval()
    some = log.take(np.random.default_rng(0).choice(len(log), TEXTS, replace=False))
    ratios = []
    for _ in range(rounds):
        slow = seconds(lambda: probabilities(texts, some)) / len(some)
        fast = seconds(lambda: probabilities(native, log)) / len(log)
        ratios.append(slow / fast)
    print(f"native tokens: {statistics.median(ratios):.0f} times the text back-bone's sequences/s")


def rivals(encoder: Encoder, batch: Batch, folder: Path) -> Iterator[tuple[str, Loop]]:
    """Give the loops to compare, each with its name."""
    eager = BertForSequenceClassification.from_pretrained(STARTER, attn_implementation="eager")
    yield "stock", padded_loop(encoder, encoder.bert, in_order=True)
    yield "stock, eager", padded_loop(encoder, eager.eval(), in_order=True)
    yield "stock, sorted", padded_loop(encoder, encoder.bert, in_order=False)
    onnx = onnx_model(encoder, batch, folder)
    if onnx is None:
        print("ONNX Runtime is not installed")
    else:
        yield "ONNX Runtime", padded_loop(encoder, onnx, in_order=True)
        yield "ONNX Runtime, sorted", padded_loop(encoder, onnx, in_order=False)
    yield "Spoor", lambda given: probabilities(encoder, given)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sequences", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--text", help="directory of a text checkpoint such as MiniLM")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, torch.inference_mode():
        events, sequences, mapping = demonstration(Path(name))
        scorer = Scorer.load(STARTER, torch.device("cpu"))
        encoder = scorer.encoder
        encoder.bert.config.calibration_temperature = 1.0  # the stock loop knows of none
        counters, encoder.counters = encoder.counters, None  # nor of these
        log = encoder.tokenizer.encode(events, sequences)
        batch = mixed(log, given.sequences)
        print(
            f"{torch.get_num_threads()} threads; {batch.positions.mean():.0f} positions a sequence"
        )
        compare(dict(rivals(encoder, batch, Path(name))), batch, given.rounds)
        wide = Encoder.create(encoder.tokenizer, layout="summed", max_events=256, size=WIDE, seed=0)
        for one in (encoder, wide.with_classifier(0).eval()):
            share_of_ceiling(one, batch, given.rounds)
        encoder.counters = counters
        beside_counters(encoder, batch, given.rounds)
        one_by_one(scorer, events, sequences)
        if given.text:
            beside_text(given.text, encoder, log, mapping, given.rounds)


if __name__ == "__main__":
    main()
