import numpy as np
import pandas as pd
import pytest
import torch

from core.explain.similar import MOST, embed_sequences, similar_cases
from core.logs.frames import read_events, read_sequences
from core.model.inference import embeddings
from core.review.deciding import decide
from core.scoring.engine import Scorer
from core.store import cases, datasets, runs
from core.store.home import Home
from core.store.runs import Run

pytestmark = pytest.mark.slow


@pytest.fixture
def scorer(seeded_home: Home) -> Scorer:
    return Scorer.load(seeded_home.model_dir("finetuned"))


@pytest.fixture
def run(seeded_home: Home) -> Run:
    with seeded_home.engine.connect() as con:
        found = runs.newest(con, "small")
    assert found is not None
    return found


def test_the_nearest_are_other_actors_in_order_and_carry_what_was_found(
    seeded_home: Home, scorer: Scorer, run: Run
) -> None:
    with seeded_home.engine.connect() as con:
        waiting = cases.queue(con, "small")
    one, other = waiting.iloc[0], waiting.iloc[1]
    decide(seeded_home, int(other["id"]), "confirmed", analyst="eva", scheme="fake_orders")
    found = similar_cases(seeded_home, scorer, run, one["sequence_id"], actor_id=one["actor_id"])
    assert len(found) == min(MOST, len(waiting) - 1)
    assert one["actor_id"] not in set(found["actor_id"])
    assert found["similarity"].is_monotonic_decreasing
    assert found["similarity"].between(-1, 1 + 1e-6).all()
    verdict = found.set_index("actor_id").loc[other["actor_id"]]
    assert (verdict["decision"], verdict["scheme"]) == ("confirmed", "fake_orders")
    labelled = {actor: int(actor[1:]) % 3 == 0 for actor in found["actor_id"]}
    assert found.set_index("actor_id")["label"].to_dict() == labelled


def test_similarity_is_the_cosine_of_the_vectors_the_head_reads(
    seeded_home: Home, scorer: Scorer, run: Run
) -> None:
    first = read_sequences(seeded_home, "small").head(3)
    names = first["sequence_id"].tolist()
    vectors = embed_sequences(seeded_home, scorer, run, names)
    head = scorer.encoder.bert.classifier
    logits = vectors @ head.weight.detach().numpy().T + head.bias.detach().numpy()
    events = read_events(seeded_home, "small", sequences=names)
    with torch.inference_mode():
        expected = scorer.encoder(scorer.encoder.tokenizer.encode(events, first))
    np.testing.assert_allclose(logits, expected, atol=1e-5)


def test_embeddings_are_kept_beside_the_run_and_go_with_the_data_set(
    seeded_home: Home, scorer: Scorer, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = read_sequences(seeded_home, "small")["sequence_id"].tolist()
    first = embed_sequences(seeded_home, scorer, run, names[:5])
    again = embed_sequences(seeded_home, scorer, run, names[4:8])
    np.testing.assert_array_equal(first[4], again[0])

    def refuse(*_: object) -> None:
        raise AssertionError("computed twice")

    monkeypatch.setattr(Scorer, "embed", refuse)
    kept = embed_sequences(seeded_home, scorer, run, names[7::-1])
    np.testing.assert_array_equal(kept[::-1][:5], first)
    file = seeded_home.embeddings_file(run.id)
    assert file.exists()
    datasets.delete_dataset(seeded_home, "small")
    assert not file.exists()


def test_a_model_without_labels_has_embeddings_too(seeded_home: Home, run: Run) -> None:
    scorer = Scorer.load(seeded_home.model_dir("pretrained"))
    sequences = read_sequences(seeded_home, "small")
    from core.logs.frames import read_events

    events = read_events(seeded_home, "small")
    batch = scorer.encoder.tokenizer.encode(events, sequences)
    whole = embeddings(scorer.encoder, batch)
    assert whole.shape == (len(sequences), 32)
    # Padding and neighbours in a batch do not change a vector.
    np.testing.assert_allclose(embeddings(scorer.encoder, batch.take([3]))[0], whole[3], atol=1e-5)


def test_a_case_whose_sequence_is_cut_differently_now_is_left_out(
    seeded_home: Home, scorer: Scorer, run: Run
) -> None:
    with seeded_home.engine.connect() as con:
        waiting = cases.queue(con, "small")
    one, gone = waiting.iloc[0], waiting.iloc[1]
    file = seeded_home.dataset_dir("small") / "sequences.parquet"
    there = pd.read_parquet(file)
    there[there["sequence_id"] != gone["sequence_id"]].to_parquet(file, index=False)
    found = similar_cases(seeded_home, scorer, run, one["sequence_id"], actor_id=one["actor_id"])
    assert len(found) == min(MOST, len(waiting) - 2)
    assert gone["actor_id"] not in set(found["actor_id"])


def test_without_other_cases_there_is_nothing_similar(
    seeded_home: Home, scorer: Scorer, run: Run
) -> None:
    with seeded_home.engine.begin() as con:
        one = cases.queue(con, "small").iloc[0]
        cases.replace_open(con, "small", cases.queue(con, "small").head(0))
    found = similar_cases(seeded_home, scorer, run, one["sequence_id"], actor_id=one["actor_id"])
    assert found.empty
    assert {"similarity", "label"} <= set(found.columns)
