import numpy as np
import pytest

from core.explain.prefixes import MOST, PrefixScores, _tipping, prefix_scores, spread
from core.logs.frames import read_events, read_sequences
from core.scoring.engine import Scorer
from core.store.home import Home


@pytest.fixture(params=["finetuned", "pretrained"])
def scorer(request: pytest.FixtureRequest, seeded_home: Home) -> Scorer:
    return Scorer.load(seeded_home.model_dir(request.param))


def _ids(home: Home) -> list[str]:
    return read_sequences(home, "small")["sequence_id"].tolist()


def test_each_event_has_a_score_and_the_tipping_event_is_the_first_to_reach_the_threshold(
    seeded_home: Home, scorer: Scorer
) -> None:
    name = _ids(seeded_home)[0]
    events = len(read_events(seeded_home, "small", sequences=[name]))
    found = prefix_scores(seeded_home, scorer, "small", name, 0.0)
    assert found.events == list(range(1, events + 1))
    assert found.tipping == 1
    for threshold in found.score:
        again = prefix_scores(seeded_home, scorer, "small", name, threshold)
        assert again.tipping == 1 + int(np.argmax(np.array(found.score) >= threshold))
    assert prefix_scores(seeded_home, scorer, "small", name, 1.1).tipping is None


def test_a_prefix_has_the_score_it_would_have_if_the_log_ended_there(seeded_home: Home) -> None:
    """Scores of prefixes are those of prefixes of prefixes."""
    from core.explain.prefixes import encode_prefixes, prefixes
    from core.logs.frames import actions, read_mapping

    scorer = Scorer.load(seeded_home.model_dir("finetuned"))
    name = _ids(seeded_home)[0]
    whole = prefix_scores(seeded_home, scorer, "small", name, 0.5)
    events = read_events(seeded_home, "small", sequences=[name]).head(3)
    short = encode_prefixes(
        prefixes(events, [1, 2, 3]),
        scorer.encoder.tokenizer,
        read_mapping(seeded_home, "small"),
        actions(seeded_home, "small"),
    )
    expected = scorer.predict_proba(short)[:, 1]
    np.testing.assert_allclose(whole.score[:3], expected, atol=1e-6)


@pytest.mark.parametrize("tips_at", [1, 2, 7, 450, 899, 900])
def test_the_tipping_event_of_a_long_sequence_is_exact_where_scores_rise(tips_at: int) -> None:
    asked = []

    def score(lengths: list[int]) -> dict[int, float]:
        asked.append(lengths)
        return {length: float(length >= tips_at) for length in lengths}

    found = _tipping(score, 900, 0.5)
    assert found.tipping == tips_at
    assert found.events == sorted(found.events)
    assert found.events[-1] == 900
    assert sum(map(len, asked)) <= MOST + 900 / MOST + 1


def test_one_event_is_its_own_prefix() -> None:
    assert spread(1, MOST) == [1]
    assert _tipping(lambda lengths: dict.fromkeys(lengths, 0.2), 1, 0.5) == PrefixScores(
        [1], [0.2], 0.5, None
    )
