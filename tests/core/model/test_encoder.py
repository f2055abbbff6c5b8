import numpy as np
import pytest
import torch

from core.batch import Batch
from core.errors import BadInput
from core.logs.frames import actions, read_events, read_mapping, read_sequences
from core.model.encoder import Encoder, Layout, Size
from core.model.surprise import token_surprise
from core.store.home import Home
from core.tokens import Tokenizer


def read(home: Home) -> tuple[Tokenizer, Batch]:
    events, sequences = read_events(home, "small"), read_sequences(home, "small")
    mapping, names = read_mapping(home, "small"), actions(home, "small")
    tokenizer = Tokenizer.fit(mapping, names, [events], sequences)
    return tokenizer, tokenizer.encode(events, sequences)


def create(tokenizer: Tokenizer, layout: Layout) -> Encoder:
    size = Size(layers=2, width=32, heads=2)
    return Encoder.create(tokenizer, layout=layout, max_events=64, size=size, seed=0).eval()


@pytest.fixture(params=["summed", "inline"])
def encoder_and_batch(request: pytest.FixtureRequest, seeded_home: Home) -> tuple[Encoder, Batch]:
    tokenizer, batch = read(seeded_home)
    return create(tokenizer, request.param), batch


def test_padding_changes_no_score(encoder_and_batch: tuple[Encoder, Batch]) -> None:
    encoder, batch = encoder_and_batch
    encoder = encoder.with_classifier(0).eval()
    with torch.inference_mode():
        together = encoder(batch.take([0, 1, 2, 3])).numpy()
        alone = np.concatenate([encoder(batch.take([row])).numpy() for row in range(4)])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_surprise_is_that_of_the_hidden_token_among_its_own_field(
    encoder_and_batch: tuple[Encoder, Batch],
) -> None:
    """With a head that predicts nothing, every token of a field is as likely as the next."""
    encoder, batch = encoder_and_batch
    with torch.no_grad():
        for weight in encoder.bert.cls.parameters():
            weight.zero_()
    chosen = batch.field == 3
    losses = encoder.masked(batch, chosen)
    size = encoder.tokenizer.ends[2] - encoder.tokenizer.starts[2]
    assert losses.shape == (int(chosen.sum()),)
    np.testing.assert_allclose(losses.detach().numpy(), np.log(size), rtol=1e-4)


def test_a_hidden_token_is_not_seen(encoder_and_batch: tuple[Encoder, Batch]) -> None:
    """Whichever token stands at a hidden place, the likelihoods over its field still sum to 1."""
    encoder, batch = encoder_and_batch
    one = batch.take([0])
    place = int(np.flatnonzero(one.field == 3)[0])
    chosen = np.arange(len(one.ids)) == place
    total = 0.0
    with torch.inference_mode():
        for token in range(encoder.tokenizer.starts[2], encoder.tokenizer.ends[2]):
            ids = np.where(chosen, token, one.ids).astype(np.int32)
            other = Batch(ids, one.field, one.event, one.offsets)
            total += float(torch.exp(-encoder.masked(other, chosen))[0])
    assert total == pytest.approx(1, abs=1e-4)


def test_a_saved_encoder_says_the_same(
    encoder_and_batch: tuple[Encoder, Batch], seeded_home: Home
) -> None:
    encoder, batch = encoder_and_batch
    folder = seeded_home.path / "encoder"
    folder.mkdir()
    encoder.save(folder)
    again = Encoder.load(folder)
    assert again.layout == encoder.layout
    torch.testing.assert_close(token_surprise(again, batch), token_surprise(encoder, batch))


def test_a_summed_sequence_takes_a_position_per_event(seeded_home: Home) -> None:
    tokenizer, batch = read(seeded_home)
    assert create(tokenizer, "summed").cost(batch).sum() == batch.positions.sum()
    assert create(tokenizer, "inline").cost(batch).sum() == len(batch.ids)


def test_a_sequence_longer_than_the_model_reads_is_refused(seeded_home: Home) -> None:
    tokenizer, batch = read(seeded_home)
    size = Size(layers=1, width=16, heads=2)
    encoder = Encoder.create(tokenizer, layout="summed", max_events=3, size=size, seed=0)
    with pytest.raises(BadInput, match="this model reads at most 3"):
        token_surprise(encoder, batch)
