"""Training on perturbed copies: only training units are copied, with what they are."""

from dataclasses import replace

import numpy as np
import pytest

from core.govern.adversarial import with_perturbed
from core.govern.log import read_log
from core.govern.replay import lesson
from core.govern.training import train
from core.model.files import read_json
from core.store.home import Home
from tests.tiny import TINY

pytestmark = pytest.mark.slow


def test_each_training_unit_is_copied_once_and_no_other(seeded_home: Home) -> None:
    log = read_log(seeded_home, "small")
    assert log.bags is not None
    tokenizer = log.fit_tokenizer()
    alone = lesson(log, tokenizer)
    learned = with_perturbed(seeded_home, log, alone, tokenizer, seed=0)
    batch, both, bags = alone.batch, learned.batch, learned.bags
    train_bags = alone.bags.of("train")
    assert len(bags) == len(alone.bags) + len(train_bags)
    assert len(learned.confidence) == len(both)
    for split in ("validation", "test"):
        assert (bags.of(split).rows == alone.bags.of(split).rows).all()
    copies = bags.take(np.arange(len(alone.bags), len(bags)))
    assert (copies.label == train_bags.label).all()
    assert set(copies.split) == {"train"}
    assert sorted(copies.rows) == list(range(len(batch), len(both)))
    np.testing.assert_array_equal(both.take(range(len(batch))).ids, batch.ids)
    lengths = both.tokens[copies.first] - batch.tokens[train_bags.first]
    assert (lengths < 0).any()  # an event left out
    assert (lengths > 0).any()  # padded


def test_a_model_says_whether_it_was_trained_on_perturbed_copies(seeded_home: Home) -> None:
    model = train(seeded_home, "small", config=replace(TINY, adversarial=True))
    told = read_json(seeded_home.model_dir(model.id) / "training.json")
    assert told["adversarial"] is True
    assert told["sequences"] == 60  # copies do not count
