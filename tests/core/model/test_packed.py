"""What the stock model says with padding, and what the packed one says without, are the same."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.batch import MASK, Batch
from core.errors import BadInput
from core.model.encoder import Encoder, Layout, Size
from core.model.inference import probabilities
from core.store.home import Home

from .test_encoder import read


@pytest.fixture(params=["summed", "inline"])
def encoder_and_batch(request: pytest.FixtureRequest, seeded_home: Home) -> tuple[Encoder, Batch]:
    tokenizer, batch = read(seeded_home)
    layout: Layout = request.param
    size = Size(layers=3, width=32, heads=2, dropout=0.0)
    encoder = Encoder.create(tokenizer, layout=layout, max_events=64, size=size, seed=0)
    with torch.no_grad():  # as far apart as a trained model's; a new one says the same of all
        for weight in encoder.bert.parameters():
            weight.mul_(3)
    return encoder, batch


def test_logits_are_the_stock_model_s(encoder_and_batch: tuple[Encoder, Batch]) -> None:
    encoder, batch = encoder_and_batch
    encoder = encoder.with_classifier(0)
    with torch.no_grad():
        encoder.bert.classifier.weight.mul_(20)
    assert len(set(batch.positions.tolist())) > 3
    with torch.inference_mode():
        padded = encoder.train()(batch)
        packed = encoder.eval()(batch)
    assert padded.std(0).min() > 1e-3
    torch.testing.assert_close(packed, padded, atol=1e-5, rtol=1e-5)


def test_surprise_is_the_stock_model_s(encoder_and_batch: tuple[Encoder, Batch]) -> None:
    encoder, batch = encoder_and_batch
    hidden = np.random.default_rng(0).random(len(batch.ids)) < 0.3
    with torch.inference_mode():
        padded = encoder.train().masked(batch, hidden)
        packed = encoder.eval().masked(batch, hidden)
    torch.testing.assert_close(packed, padded, atol=1e-4, rtol=1e-5)


def test_sequences_do_not_see_each_other(encoder_and_batch: tuple[Encoder, Batch]) -> None:
    encoder, batch = encoder_and_batch
    encoder = encoder.with_classifier(0).eval()
    others = np.where(batch.owner == 0, batch.ids, MASK).astype(np.int32)
    before, after = (probabilities(encoder, one) for one in (batch, replace(batch, ids=others)))
    assert before[0] == pytest.approx(after[0], abs=1e-6)
    assert (np.abs(before[1:] - after[1:]) > 1e-6).any()


def test_a_sequence_longer_than_the_model_reads_is_refused(
    encoder_and_batch: tuple[Encoder, Batch],
) -> None:
    encoder, batch = encoder_and_batch
    encoder = encoder.with_classifier(0).eval()
    too_long = replace(batch, event=(batch.event * 30).astype(np.int16))
    with pytest.raises(BadInput, match="reads at most 64"):
        encoder(too_long)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_says_the_same_in_half_precision(encoder_and_batch: tuple[Encoder, Batch]) -> None:
    encoder, batch = encoder_and_batch
    encoder = encoder.with_classifier(0).eval()
    expected = probabilities(encoder, batch)
    found = probabilities(encoder.to("cuda", torch.bfloat16), batch)
    np.testing.assert_allclose(found, expected, atol=0.02)
