"""Explanations: how near a sample comes to all coalitions, and how long it takes.

    python -m core demo --home HOME
    python -m benchmarks.explain --home HOME                           every part, some minutes each
    python -m benchmarks.explain --home HOME --parts exact speed       only these
    python -m benchmarks.explain --home HOME --parts long --permutations 400

On the demonstration log with the starter model, whose size is that of the default model.
`exact`: the sampling path against all coalitions of 12 players. `long`: at 50 and 100 events,
against many permutations (and what these are worth: the correlation of two halves of them).
`reasons`: how far values of tokens, and reasons, depend on the orders that are drawn.
`rivals`: ways to estimate from equally many evaluations. `speed`: seconds until the first estimate,
all events and all tokens are there. `queue`: evaluations per second across cases, case by case, and
one coalition at a time, interleaved. `whatif`: milliseconds until an edited sequence has its score.
`text`: MiniLM beside shap's explainers on the Hugging Face pipeline, see `benchmarks.explain_text`.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from benchmarks.explain_text import measure_text
from core.batch import Batch, joined
from core.demo import NAME
from core.explain.coalitions import draw, every_coalition, exact_values, fitted_values
from core.explain.dividing import by_token
from core.explain.edits import Edits
from core.explain.explaining import read_each
from core.explain.players import Players, players_of
from core.explain.profiled import Profiled
from core.explain.reasons import reasons
from core.explain.sampling import PER_PLAYER, alike, by_player, sampled
from core.explain.shapley import attribute, attribute_many
from core.explain.surrogate import sampled_values
from core.explain.whatif import Experiment
from core.logs.frames import read_sequences
from core.model.encoder import POSITIVE
from core.model.files import read_json
from core.scoring.cases import read_scores
from core.scoring.engine import Scorer
from core.store import runs
from core.store.home import Home, open_home

PLAYERS = 12
NEAR = 0.02  # of the top event's value: events that are as good as equal

Floats = npt.NDArray[np.float64]
Coalitions = npt.NDArray[np.bool_]
Found = TypeVar("Found")


@dataclass(frozen=True)
class Game:
    """One sequence as a game of its profile and events."""

    scorer: Scorer
    batch: Batch
    players: Players
    base_value: float
    score: float

    @classmethod
    def of(cls, scorer: Scorer, batch: Batch) -> "Game":
        reads = scorer.encoder.reads(batch)
        ends = joined([batch.hidden(reads), batch])
        base_value, score = scorer.predict_proba(ends)[:, POSITIVE].astype(np.float64).tolist()
        players = play(players_of(batch, reads, 1, base_value, score), lambda hidden: hidden[:, 0])
        return cls(scorer, batch, players, base_value, score)

    def hidden(self, hidden: Coalitions) -> Floats:
        """Return the scores where these tokens are hidden."""
        parts = [self.batch.hidden_in_turn(some) for some in _pieces(hidden)]
        found = [self.scorer.predict_proba(part)[:, POSITIVE] for part in parts]
        return np.concatenate(found).astype(np.float64)

    def coalitions(self, present: Coalitions) -> Floats:
        """Return the scores of coalitions of players."""
        group = self.players.levels[0]
        some = [self.hidden((group >= 0) & ~piece[:, group]) for piece in _pieces(present)]
        return np.concatenate(some)


def _pieces(rows: Coalitions, size: int = 512) -> list[Coalitions]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def play(
    steps: Generator[Coalitions, Floats, Found], score: Callable[[Coalitions], Floats]
) -> Found:
    """Answer what a generator of hidden tokens asks."""
    try:
        hidden = next(steps)
        while True:
            hidden = steps.send(score(hidden))
    except StopIteration as ended:
        return ended.value


def highest(home: Home, events: tuple[int, int], count: int) -> list[str]:
    """Return the ids of the `count` highest scored sequences with so many events."""
    with home.engine.connect() as con:
        run = runs.newest(con, NAME)
    if run is None:
        raise SystemExit("There is no demonstration in this home: python -m core demo --home HOME")
    known = read_sequences(home, NAME)
    score = read_scores(home, run.id).set_index("sequence_id")["score"]
    some = known[known["events"].between(*events)]
    scored = some.assign(score=some["sequence_id"].map(score))
    ids: list[str] = scored.nlargest(count, "score")["sequence_id"].tolist()
    return ids


def sequences(home: Home, scorer: Scorer, events: tuple[int, int], count: int) -> list[Profiled]:
    """Return these sequences as tokens."""
    return read_each(home, scorer, NAME, highest(home, events, count))


def exact_scores(home: Home, scorer: Scorer, count: int) -> list[tuple[Game, Floats]]:
    """Return games of 12 players with the scores of all of their coalitions."""
    batches = sequences(home, scorer, (PLAYERS - 1, PLAYERS - 1), count)
    games = [Game.of(scorer, batch) for batch in batches]
    every = every_coalition(PLAYERS)
    return [(game, game.coalitions(every)) for game in games]


def code(present: Coalitions) -> npt.NDArray[np.int64]:
    """Return each coalition's row among all coalitions."""
    return present @ (1 << np.arange(present.shape[1]))


def measure_exact(known: list[tuple[Game, Floats]], seed: int) -> None:
    """Print how near the sampling path comes to all coalitions."""
    correlation, top, near, asked = [], [], [], []
    for game, scores in known:
        group = game.players.levels[0]
        place = [int(np.flatnonzero(group == number)[0]) for number in range(PLAYERS)]
        counts: list[int] = []

        def answer(
            hidden: Coalitions, place: list[int] = place, scores: Floats = scores,
            counts: list[int] = counts,
        ) -> Floats:  # fmt: skip
            counts.append(len(hidden))
            return scores[code(~hidden[:, place])]

        cost = int(game.batch.positions[0])
        sample = sampled(game.players, cost, scores[0], scores[-1], seed=seed)
        found = play(sample, answer).values
        truth = exact_values(scores)
        correlation.append(np.corrcoef(found, truth)[0, 1])
        strength, picked = np.abs(truth[1:]), np.abs(found[1:]).argmax()
        top.append(picked == strength.argmax())
        near.append(strength[picked] >= (1 - NEAR) * strength.max())
        asked.append(sum(counts))
    print(
        f"12 players, {len(known)} sequences, seed {seed}: correlation "
        f"{np.median(correlation):.4f} median, {min(correlation):.3f} lowest; "
        f"same top event {np.mean(top):.1%} "
        f"(or one within {NEAR:.0%} of it: {np.mean(near):.1%}); "
        f"{np.median(asked):.0f} evaluations instead of {2**PLAYERS}"
    )


def by_permutations(game_scores: Callable[[Coalitions], Floats], n: int, ends: tuple[float, float],
                    count: int, rng: np.random.Generator) -> Floats:  # fmt: skip
    """Return the mean gain of each player over `count` orders, every second the reverse."""
    orders, rows = [], []
    for _ in range(max(1, count // 2)):
        order = rng.permutation(n)
        for one in (order, order[::-1]):
            present = np.zeros((n - 1, n), dtype=bool)
            for place in range(1, n):
                present[place - 1, one[:place]] = True
            orders.append(one)
            rows.append(present)
    scores = game_scores(np.concatenate(rows)).reshape(len(orders), n - 1)
    steps = np.diff(np.pad(scores, ((0, 0), (1, 1)), constant_values=(ends,)), axis=1)
    values = np.zeros(n)
    for order, gains in zip(orders, steps, strict=True):
        values[order] += gains / len(orders)
    return values


def measure_rivals(known: list[tuple[Game, Floats]]) -> None:
    """Print the error of several estimators at equal evaluations."""
    import shap

    for size in (96, 192, 384, 768):
        errors: dict[str, list[float]] = {}
        for number, (_, scores) in enumerate(known):
            truth, rng = exact_values(scores), np.random.default_rng(number)
            coalitions, weights = draw(PLAYERS, size, rng)
            ends = {"empty": float(scores[0]), "full": float(scores[-1])}
            given = (coalitions, weights, scores[code(coalitions)])
            np.random.seed(number)  # noqa: NPY002  (shap draws from the global generator)
            kernel = shap.KernelExplainer(
                lambda z, scores=scores: scores[code(z > 0.5)], np.zeros((1, PLAYERS))
            )
            found = {
                "permutations": by_permutations(
                    lambda present, scores=scores: scores[code(present)], PLAYERS,
                    (ends["empty"], ends["full"]), size // (PLAYERS - 1), rng,
                ),
                "shap.KernelExplainer": kernel.shap_values(
                    np.ones((1, PLAYERS)), nsamples=size, l1_reg=False, silent=True
                ).ravel(),
                "kernel SHAP, by size": fitted_values(*given, **ends),
                "with surrogate": sampled_values(*given, **ends),
            }  # fmt: skip
            for name, values in found.items():
                error = np.linalg.norm(values - truth) / max(np.linalg.norm(truth), 1e-9)
                errors.setdefault(name, []).append(float(error))
        shown = ", ".join(f"{name} {np.median(some):.3f}" for name, some in errors.items())
        print(f"relative error from {size} evaluations: {shown}")


def measure_long(home: Home, scorer: Scorer, count: int, permutations: int) -> None:
    """Print how near the sample comes to many permutations, by budget."""
    for events in (50, 100):
        found: dict[str, list[float]] = {}
        for number, batch in enumerate(sequences(home, scorer, (events - 4, events + 4), count)):
            game = Game.of(scorer, batch)
            n, ends = game.players.count, (game.base_value, game.score)
            halves = [
                by_permutations(game.coalitions, n, ends, permutations // 2,
                                np.random.default_rng((number, seed)))
                for seed in (0, 1)
            ]  # fmt: skip
            truth = (halves[0] + halves[1]) / 2
            found.setdefault("reference, half against half", []).append(
                float(np.corrcoef(*halves)[0, 1])
            )
            cost = int(batch.positions[0])
            default = play(sampled(game.players, cost, *ends), game.hidden)
            found.setdefault("default budget", []).append(
                float(np.corrcoef(default.values, truth)[0, 1])
            )
            for each in (PER_PLAYER, 16, 32, 64):
                coalitions, weights = draw(n, each * n, np.random.default_rng(number))
                scores = game.coalitions(coalitions)
                values = sampled_values(coalitions, weights, scores, empty=ends[0], full=ends[1])
                found.setdefault(f"{each} a player", []).append(
                    float(np.corrcoef(values, truth)[0, 1])
                )
        shown = ", ".join(f"{name} {np.median(some):.4f}" for name, some in found.items())
        print(f"{events} events, {count} sequences, {permutations} permutations: {shown}")


def measure_speed(home: Home, scorer: Scorer, count: int, rounds: int) -> None:
    """Print seconds to the first estimate, to all events and to all tokens of 50 events."""
    batches = sequences(home, scorer, (46, 54), count)
    attribute(scorer, batches[0])  # what is loaded once is no case's time
    first, events, tokens, stability, evaluations = [], [], [], [], []
    for _ in range(rounds):
        for batch in batches:
            started, told = time.perf_counter(), []
            found = attribute(
                scorer, batch, told=lambda _, a=told, s=started: a.append(time.perf_counter() - s)
            )
            tokens.append(time.perf_counter() - started)
            first.append(told[0])
            events.append(told[-1])
            stability.append(found.stability)
            evaluations.append(found.evaluations)
    print(
        f"about 50 events: first estimate {statistics.median(first):.2f} s, all events "
        f"{statistics.median(events):.2f} s (stability {statistics.median(stability):.3f}), all "
        f"tokens {statistics.median(tokens):.2f} s; {statistics.median(evaluations):.0f} "
        f"evaluations; medians of {len(tokens)}"
    )


def measure_whatif(home: Home, scorer: Scorer, count: int, rounds: int) -> None:
    """Print how long a sequence of about 50 events takes to be scored without one of them."""
    taken = []
    for sequence_id in highest(home, (46, 54), count):
        experiment = Experiment.read(home, scorer, NAME, sequence_id)
        experiment.run(Edits(delete=[0]))  # what is made once is no edit's time
        for event in range(1, 1 + 5 * rounds):
            started = time.perf_counter()
            experiment.run(Edits(delete=[event]))
            taken.append(1000 * (time.perf_counter() - started))
    print(
        f"what-if: an event less is scored in {statistics.median(taken):.0f} ms (fastest "
        f"{min(taken):.0f}, 95 % within {np.quantile(taken, 0.95):.0f}); {len(taken)} edits"
    )


def measure_seeds(home: Home, scorer: Scorer, count: int) -> None:
    """Print the rank correlation of two seeds at the default budget, at about 50 events."""
    found = []
    for batch in sequences(home, scorer, (46, 54), count):
        game = Game.of(scorer, batch)
        cost, ends = int(batch.positions[0]), (game.base_value, game.score)
        one, other = (
            play(sampled(game.players, cost, *ends, seed=seed), game.hidden) for seed in (1, 2)
        )
        halves = alike(one.values, other.values)  # of whole samples: undo the formula for halves
        found.append((halves / (2 - halves), one.stability))
    ranks, told = np.median(np.array(found), axis=0)
    print(f"rank correlation of two seeds {ranks:.3f}, told by one of them {told:.3f}")


def measure_reasons(home: Home, scorer: Scorer, count: int) -> None:
    """Print how far values of tokens, and so reasons, depend on which orders are drawn."""
    tokenizer = scorer.encoder.tokenizer
    usual = np.asarray(read_json(home.model_dir(scorer.model_id) / "usual.json")["share"])
    found = []
    for batch in sequences(home, scorer, (5, 30), count):
        game = Game.of(scorer, batch)
        cost, ends = int(batch.positions[0]), (game.base_value, game.score)
        values = play(by_player(game.players, cost, *ends), game.hidden).values
        none = np.zeros(len(batch.ids), dtype=bool)
        one, other = (
            play(by_token(game.players, values, cost, none, seed=seed), game.hidden)
            for seed in (1, 2)
        )
        sums = [np.bincount(batch.ids, weights=some) for some in (one, other)]
        held = np.unique(batch.ids[batch.field > 0])
        said = [
            {why.token for why in reasons(batch, some, tokenizer, usual)} for some in (one, other)
        ]
        found.append(
            (np.corrcoef(sums[0][held], sums[1][held])[0, 1], len(said[0] & said[1]), len(said[0]))
        )
    correlation, shared, of = np.mean(found, axis=0)
    print(
        f"{count} cases of 5 to 30 events, two seeds: values of tokens, added over events, "
        f"correlate by {correlation:.3f}; {shared:.1f} of {of:.1f} reasons are the same"
    )


def measure_queue(home: Home, scorer: Scorer, count: int, rounds: int) -> None:
    """Print evaluations per second across cases, case by case and one coalition at a time."""
    batches = sequences(home, scorer, (2, 20), count)
    rates: dict[str, list[float]] = {"across": [], "one by one": [], "unbatched": []}
    for _ in range(rounds):
        for name in rates:
            started = time.perf_counter()
            if name == "across":
                done = sum(found.evaluations for found in attribute_many(scorer, batches))
            elif name == "one by one":
                done = sum(attribute(scorer, batch).evaluations for batch in batches)
            else:
                some = [batch for batch in batches for _ in range(400 // len(batches) + 1)]
                done = len(some)
                for batch in some:
                    scorer.predict_proba(batch)
            rates[name].append(done / (time.perf_counter() - started))
    across, single, unbatched = (statistics.median(some) for some in rates.values())
    print(
        f"{count} cases: {across:.0f} evaluations/s across cases = {across / single:.2f} times one "
        f"by one, {across / unbatched:.1f} times unbatched; medians of {rounds}"
    )


def main() -> None:
    """Print the parts that were asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = ("exact", "rivals", "long", "seeds", "reasons", "speed", "queue", "whatif", "text")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--parts", nargs="+", default=list(known), choices=known)
    parser.add_argument("--sequences", type=int, default=100, help="of 12 players; of reasons")
    parser.add_argument("--long", type=int, default=5, help="sequences of 50, and of 100 events")
    parser.add_argument("--permutations", type=int, default=20_000)
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument(
        "--rounds",
        type=int,
        default=3,
        help="of speed, queue and edits; seeds against exact values",
    )
    asked = parser.parse_args()
    home = open_home(asked.home)
    scorer = Scorer.load(home.model_dir("starter"))
    if {"exact", "rivals"} & set(asked.parts):
        games = exact_scores(home, scorer, asked.sequences)
        if "exact" in asked.parts:
            for seed in range(asked.rounds):
                measure_exact(games, seed)
        if "rivals" in asked.parts:
            measure_rivals(games)
    parts = {
        "long": lambda: measure_long(home, scorer, asked.long, asked.permutations),
        "seeds": lambda: measure_seeds(home, scorer, asked.long),
        "reasons": lambda: measure_reasons(home, scorer, asked.sequences),
        "speed": lambda: measure_speed(home, scorer, asked.long, asked.rounds),
        "queue": lambda: measure_queue(home, scorer, asked.cases, asked.rounds),
        "whatif": lambda: measure_whatif(home, scorer, asked.long, asked.rounds),
        "text": lambda: measure_text(asked.long, asked.rounds),
    }
    for name, measure in parts.items():
        if name in asked.parts:
            measure()


if __name__ == "__main__":
    main()
