"""Deletion and insertion on real, tiny models, and the comparison over a queue."""

import json

import numpy as np
import pytest

from core.batch import Batch
from core.errors import BadInput, Cancelled
from core.explain.comparing import SHARES
from core.explain.faithfulness import RANDOM, curves, measure, measure_faithfulness
from core.explain.methods import METHODS
from core.logs.frames import read_events, read_sequences
from core.scoring.engine import Scorer
from core.store import cases, jobs
from core.store.home import Home
from core.worker import run_worker


@pytest.fixture
def scorer(seeded_home: Home) -> Scorer:
    return Scorer.load(seeded_home.model_dir("finetuned"))


@pytest.fixture
def batch(seeded_home: Home, scorer: Scorer) -> Batch:
    sequences = read_sequences(seeded_home, "small")
    one = sequences[sequences["actor_id"] == "u003"]
    return scorer.encoder.tokenizer.encode(read_events(seeded_home, "small", actors=["u003"]), one)


def test_each_point_of_a_curve_is_the_score_with_these_events_hidden(
    scorer: Scorer, batch: Batch
) -> None:
    order = np.random.default_rng(3).permutation(int(batch.positions[0]))
    found = curves(scorer, batch, order[None])

    def score(hidden: np.ndarray) -> float:
        chosen = np.isin(batch.event, hidden) & (batch.field > 0)
        return float(scorer.predict_proba(batch.hidden(chosen))[0, 1])

    count = len(order)
    assert found.shares == pytest.approx(np.arange(count + 1) / count)
    assert found.deletion[0] == pytest.approx([score(order[:n]) for n in range(count + 1)])
    assert found.insertion[0] == pytest.approx([score(order[n:]) for n in range(count + 1)])


def test_the_area_under_a_curve_is_the_mean_score_on_the_way(scorer: Scorer, batch: Batch) -> None:
    order = np.arange(int(batch.positions[0]))
    found = curves(scorer, batch, order[None])
    deletion, _ = found.areas()
    between = (found.deletion[0][1:] + found.deletion[0][:-1]) / 2
    assert deletion[0] == pytest.approx(between.mean())


def test_shapley_values_order_events_better_than_chance_and_than_their_reverse(
    scorer: Scorer, batch: Batch
) -> None:
    values = METHODS["shap"](scorer, batch).by_event(batch)
    order = np.argsort(-values)
    deletion, insertion = curves(scorer, batch, np.stack([order, order[::-1]])).areas()
    assert deletion[0] < deletion[1]
    assert insertion[0] > insertion[1]
    found = measure(scorer, batch, ["shap"])
    assert found.areas["shap"] == pytest.approx((deletion[0], insertion[0]))
    assert found.areas["random"][0] > deletion[0]


def test_a_long_case_is_hidden_several_events_at_a_time(scorer: Scorer, batch: Batch) -> None:
    pieces = [np.flatnonzero(batch.event == number) for number in [0, *[1, 2, 3] * 2]] * 5
    index = np.concatenate(pieces)
    event = np.repeat(np.arange(len(pieces)), [len(piece) for piece in pieces])
    many = Batch(
        batch.ids[index], batch.field[index], event.astype(np.int16), np.array([0, len(index)])
    )
    found = curves(scorer, many, np.arange(len(pieces))[None])
    assert len(found.shares) == len(SHARES)
    assert found.shares[[0, -1]].tolist() == [0, 1]


def test_all_methods_are_compared_on_the_flagged_cases(seeded_home: Home, scorer: Scorer) -> None:
    told: list[float] = []
    found = measure_faithfulness(
        seeded_home, scorer, "small", cases=5, progress=lambda share, _: told.append(share)
    )
    assert told == sorted(told)
    assert told[-1] < 1
    assert {one["method"] for one in found["methods"]} == set(METHODS)
    assert (found["cases"], found["missing"]) == (5, {})
    assert set(found["trust"]) <= set(METHODS)
    gains = [one["gain"]["value"] for one in found["methods"]]
    assert gains == sorted(gains, reverse=True)
    for one in [*found["methods"], found["random"]]:
        ends = [one["curves"][kind][place] for kind, place in (("deletion", 0), ("insertion", -1))]
        assert ends[0] == pytest.approx(ends[1])  # the whole case, in any order
        assert len(one["curves"]["deletion"]) == len(found["shares"])
    assert found["agreement"]["shap"]["lime"] == found["agreement"]["lime"]["shap"]
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_model_without_labels_is_compared_by_what_is_defined(seeded_home: Home) -> None:
    unlabelled = Scorer.load(seeded_home.model_dir("pretrained"))
    found = measure_faithfulness(seeded_home, unlabelled, "small", cases=1)
    assert set(found["missing"]) == {"integrated_gradients", "attention_rollout"}
    assert {one["method"] for one in found["methods"]} == {"shap", "occlusion", "lime"}


def test_the_work_can_be_stopped_between_two_methods(seeded_home: Home, scorer: Scorer) -> None:
    told: list[str] = []

    def stop(share: float, message: str) -> None:
        told.append(message)
        if len(told) == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        measure_faithfulness(seeded_home, scorer, "small", progress=stop)
    assert told[0].startswith("case 1 of ")


def test_what_cannot_be_compared_is_refused(seeded_home: Home, scorer: Scorer) -> None:
    with pytest.raises(BadInput, match="accepted are 1 to 50"):
        measure_faithfulness(seeded_home, scorer, "small", cases=0)
    with seeded_home.engine.begin() as con:
        cases.replace_open(con, "small", cases.queue(con, "small").iloc[:0])
    with pytest.raises(BadInput, match="No flagged case of 'small' waits"):
        measure_faithfulness(seeded_home, scorer, "small")


def test_a_worker_compares_and_keeps_the_result(seeded_home: Home) -> None:
    asked = {"model": "finetuned", "dataset": "small", "cases": 2}
    with seeded_home.engine.begin() as con:
        job_id = jobs.enqueue(con, "faithfulness", asked, "ann")
    run_worker(seeded_home, idle=0)
    with seeded_home.engine.connect() as con:
        job = jobs.get(con, job_id)
    assert (job.status, job.message) == ("done", "done")
    assert job.result is not None
    assert job.result["cases"] == 2
    assert RANDOM > 1
