import pandas as pd
import pytest
from sqlalchemy import update

from core.batch import Batch
from core.errors import NotFound
from core.explain.explaining import Explanation, explain_queue, explain_sequence
from core.logs.frames import read_events, read_sequences
from core.scoring.engine import Scorer
from core.store import cases, datasets, explanations
from core.store.home import Home
from tests.conftest import add_event


@pytest.fixture(params=["finetuned", "pretrained"])
def scorer(request: pytest.FixtureRequest, seeded_home: Home) -> Scorer:
    return Scorer.load(seeded_home.model_dir(request.param))


def first_batch(home: Home, scorer: Scorer, row: int = 0) -> tuple[str, Batch]:
    one = read_sequences(home, "small").iloc[[row]]
    sequence_id = one["sequence_id"].iloc[0]
    events = read_events(home, "small", sequences=[sequence_id])
    return sequence_id, scorer.encoder.tokenizer.encode(events, one)


def test_the_shares_add_up_to_the_score(seeded_home: Home, scorer: Scorer) -> None:
    sequence_id, batch = first_batch(seeded_home, scorer)
    found = explain_sequence(seeded_home, scorer, "small", sequence_id)
    total = found.base_value + found.profile.value + sum(event.value for event in found.events)
    assert total == pytest.approx(found.score, abs=1e-5)
    for part in [found.profile, *found.events]:
        assert sum(token.value for token in part.tokens) == pytest.approx(part.value, abs=1e-5)
    assert found.score == pytest.approx(float(scorer.predict_proba(batch)[0, 1]), abs=1e-6)
    assert len(found.events) == batch.positions[0] - 1


def test_an_explanation_is_computed_once_and_reads_back_the_same(seeded_home: Home) -> None:
    scorer = Scorer.load(seeded_home.model_dir("finetuned"))
    sequence_id, _ = first_batch(seeded_home, scorer)
    first = explain_sequence(seeded_home, scorer, "small", sequence_id)
    assert Explanation.from_dict(first.to_dict()) == first
    assert explain_sequence(seeded_home, scorer, "small", sequence_id) == first


def test_the_first_cases_of_the_queue_are_explained_in_advance(seeded_home: Home) -> None:
    scorer = Scorer.load(seeded_home.model_dir("finetuned"))
    shares: list[float] = []
    explain_queue(
        seeded_home, scorer, "small", first=3, progress=lambda share, _: shares.append(share)
    )
    assert shares[-1] == 1.0
    with seeded_home.engine.connect() as con:
        ids = cases.queue(con, "small")["sequence_id"]
        stored = [explanations.get(con, "finetuned", "small", one) for one in ids.head(4)]
    assert [found is not None for found in stored] == [True, True, True, False]
    for sequence_id, found in zip(ids.head(3), stored, strict=False):
        assert found is not None
        assert found["error"] <= 1e-5
        events = read_events(seeded_home, "small", sequences=[sequence_id])
        assert len(found["events"]) == len(events)


def test_an_explanation_told_in_older_words_is_computed_anew(seeded_home: Home) -> None:
    scorer = Scorer.load(seeded_home.model_dir("finetuned"))
    sequence_id, _ = first_batch(seeded_home, scorer)
    key = ("finetuned", "small", sequence_id)
    with seeded_home.engine.begin() as con:
        accepted = datasets.get(con, "small").accepted
        explanations.put(con, *key, {"reasons": []}, accepted=accepted)
        older = {"version": 1, "accepted": accepted}
        con.execute(update(explanations.explanations).values(explanation=older))
    assert explain_sequence(seeded_home, scorer, "small", sequence_id).reasons


def test_of_a_log_that_has_grown_everything_is_explained_anew(seeded_home: Home) -> None:
    scorer = Scorer.load(seeded_home.model_dir("finetuned"))
    one, other = read_sequences(seeded_home, "small").head(2).to_dict("records")
    key = ("finetuned", "small", one["sequence_id"])
    before = explain_sequence(seeded_home, scorer, *key[1:])
    explain_sequence(seeded_home, scorer, "small", other["sequence_id"])
    add_event(seeded_home, "small", one["actor_id"])
    with seeded_home.engine.connect() as con:  # what others did is told of, too
        assert explanations.get(con, "finetuned", "small", other["sequence_id"]) is None
    after = explain_sequence(seeded_home, scorer, *key[1:])
    assert len(after.events) == len(before.events) + 1
    with seeded_home.engine.begin() as con:
        assert explanations.get(con, *key) is not None
        # An explanation that was on its way while the log grew comes too late.
        smaller = datasets.get(con, "small").accepted - 1
        explanations.put(con, *key, before.to_dict(), accepted=smaller)
        assert explanations.get(con, *key) is None


def test_a_case_cut_differently_is_not_explained_in_advance(seeded_home: Home) -> None:
    scorer = Scorer.load(seeded_home.model_dir("finetuned"))
    with seeded_home.engine.connect() as con:
        gone, kept = cases.queue(con, "small")["sequence_id"].head(2)
    file = seeded_home.dataset_dir("small") / "sequences.parquet"
    there = pd.read_parquet(file)
    there[there["sequence_id"] != gone].to_parquet(file, index=False)
    explain_queue(seeded_home, scorer, "small", first=1, progress=lambda *_: None)
    with seeded_home.engine.connect() as con:
        assert explanations.get(con, "finetuned", "small", kept) is not None


def test_a_queue_of_another_model_is_not_explained_in_advance(seeded_home: Home) -> None:
    scorer = Scorer.load(seeded_home.model_dir("pretrained"))
    assert explain_queue(seeded_home, scorer, "small", progress=lambda *_: None)
    with seeded_home.engine.connect() as con:
        for one in cases.queue(con, "small")["sequence_id"]:
            assert explanations.get(con, "pretrained", "small", one) is None


def test_reasons_are_short_sentences_ordered_by_strength(seeded_home: Home) -> None:
    scorer = Scorer.load(seeded_home.model_dir("finetuned"))
    sequence_id, _ = first_batch(seeded_home, scorer)
    reasons = explain_sequence(seeded_home, scorer, "small", sequence_id).reasons
    strength = [abs(reason.value) for reason in reasons]
    assert strength == sorted(strength, reverse=True)
    assert reasons
    for reason in reasons:
        assert " sequence" in reason.text  # what is usual
        assert len(reason.text.split()) <= 20
        assert reason.direction == ("raises" if reason.value > 0 else "lowers")
        assert reason.token not in reason.text


def test_an_unknown_sequence_is_refused(seeded_home: Home) -> None:
    scorer = Scorer.load(seeded_home.model_dir("finetuned"))
    with pytest.raises(NotFound, match="no sequence 'nope'"):
        explain_sequence(seeded_home, scorer, "small", "nope")
