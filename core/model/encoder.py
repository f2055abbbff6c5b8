"""The encoder: stock Hugging Face BERT over a `Batch`. Only this module knows the layout.

``inline`` gives every token a position of its own; ``summed`` gives one to every event, whose input
is the sum of the stock word and type embeddings of its tokens. Neither adds parameters, so
``AutoModelForSequenceClassification`` and ``AutoModelForMaskedLM`` load both.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    PreTrainedModel,
)

from core.batch import PAD, Batch
from core.errors import BadInput
from core.model.counters import Counters
from core.model.likelihood import Measure, by_field, surprise
from core.model.loading import read_parts, read_weights
from core.model.packed import packed_states, rolled_out
from core.tokens import Tokenizer

Layout = Literal["inline", "summed"]
POSITIVE: Final = 1
ID2LABEL: Final = {0: "normal", 1: "abuse"}


@dataclass(frozen=True)
class Size:
    """Width and depth of the encoder."""

    layers: int = 3
    width: int = 128
    heads: int = 4
    dropout: float = 0.1


class Encoder(nn.Module):
    """A BERT with the tokenizer it belongs to.

    `masked` predicts masked tokens (pre-training, unusualness); `forward` classifies sequences.
    """

    has_counters: ClassVar[bool] = True  # when it learns from labels
    bert: Any  # the stock classes type their parts as Tensor | Module
    counters: Counters | None  # what judges beside a classifier, see `core.model.inference.judged`

    def __init__(self, bert: PreTrainedModel, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.bert = bert
        self.tokenizer = tokenizer
        self.counters = None
        self.layout: Layout = bert.config.layout

    @classmethod
    def create(
        cls, tokenizer: Tokenizer, *, layout: Layout, max_events: int, size: Size, seed: int
    ) -> "Encoder":
        """Return an untrained encoder with a masked-token head."""
        torch.manual_seed(seed)
        settings: dict[str, Any] = {
            "vocab_size": len(tokenizer),
            "type_vocab_size": len(tokenizer.fields) + 1,
            "max_position_embeddings": max_events + 1,
            "hidden_size": size.width,
            "num_hidden_layers": size.layers,
            "num_attention_heads": size.heads,
            "intermediate_size": 4 * size.width,
            "hidden_dropout_prob": size.dropout,
            "attention_probs_dropout_prob": size.dropout,
            "pad_token_id": PAD,
            "id2label": ID2LABEL,
            "label2id": {name: number for number, name in ID2LABEL.items()},
            "layout": layout,
            "max_events": max_events,
            "vocabulary_digest": tokenizer.digest,
        }
        config = BertConfig(**settings)
        return cls(BertForMaskedLM(config), tokenizer)

    @classmethod
    def load(cls, folder: Path) -> "Encoder":
        """Read an encoder that `save` wrote.

        Raises
        ------
        BadInput
            If a file is missing or damaged, or weights and vocabulary do not belong together.
        """
        config, tokenizer = read_parts(folder)
        architecture = (config.get("architectures") or [""])[0]
        kinds = {"BertForMaskedLM": BertForMaskedLM}
        kind: Any = kinds.get(architecture, BertForSequenceClassification)
        encoder = cls(read_weights(kind, folder), tokenizer)
        encoder.counters = Counters.load(folder, tokenizer, config.get("counters"))
        return encoder.eval()

    def save(self, folder: Path) -> None:
        """Write ``config.json``, ``model.safetensors``, the tokenizer's files and any counters."""
        self.bert.config.counters = None if self.counters is None else self.counters.save(folder)
        self.bert.save_pretrained(folder)
        self.tokenizer.save(folder)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return torch.device(self.bert.device)

    @property
    def classifies(self) -> bool:
        """Whether the encoder has been given a classification head."""
        return isinstance(self.bert, BertForSequenceClassification)

    def with_classifier(self, seed: int) -> "Encoder":
        """Return this encoder with a classification head (a new one, unless it has one)."""
        if self.classifies:
            return self
        torch.manual_seed(seed)
        classifier = BertForSequenceClassification(self.bert.config)
        classifier.bert.load_state_dict(self.bert.bert.state_dict(), strict=False)
        return Encoder(classifier, self.tokenizer).to(self.device)

    def reads(self, batch: Batch) -> npt.NDArray[np.bool_]:
        """Return which of the batch's tokens can move the output, (T,): all but [CLS]."""
        return batch.field > 0

    def cost(self, batch: Batch) -> npt.NDArray[np.int64]:
        """Return the positions each sequence takes in the encoder, (N,)."""
        return batch.tokens if self.layout == "inline" else batch.positions

    def forward(self, batch: Batch) -> Tensor:
        """Return the logits of the classes, (N, K), in the order of `id2label`."""
        if self.training:
            inputs, _ = self._inputs(batch)
            return cast(Tensor, self.bert(**inputs).logits)
        return self._classified(batch, self._embedded(batch))

    def words(self, batch: Batch) -> Tensor:
        """Return the word embedding of each token, (T, H)."""
        (ids,) = self._on_device(batch.ids)
        return cast(Tensor, self.bert.bert.embeddings.word_embeddings(ids))

    def read_words(self, batch: Batch, words: Tensor) -> Tensor:
        """Return the logits, (N, K), with `words`, (T, H), for the tokens' word embeddings."""
        return self._classified(batch, self._embedded(batch, words))

    def attended(self, batch: Batch) -> Tensor:
        """Return the roll-out of attention to each token of one sequence, (T,), at least 0.

        Tokens that share a position share what it gets; see `core.model.packed.rolled_out`.
        """
        reads = self.reads(batch)
        place = np.arange(len(batch.ids)) if self.layout == "inline" else batch.group
        each = np.maximum(np.bincount(place, weights=reads), 1)
        share = torch.from_numpy(reads / each[place]).to(self.device)
        (at,) = self._on_device(place)
        return rolled_out(self.bert.bert, self._embedded(batch)).float()[at] * share

    def embed(self, batch: Batch) -> Tensor:
        """Return the vector each sequence is judged by, (N, H): what the classifier's head reads.

        Without a head it is the mean over the sequence's positions.
        """
        bert, lengths = self.bert.bert, self.cost(batch)
        states = packed_states(bert, self._embedded(batch), lengths, opening=self.classifies)
        if self.classifies:
            return cast(Tensor, bert.pooler(states[:, None]))
        (owner,) = self._on_device(np.repeat(np.arange(len(batch)), lengths))
        (counts,) = self._on_device(lengths)
        summed = states.new_zeros(len(batch), states.shape[1]).index_add(0, owner, states)
        return summed / counts[:, None]

    def masked(
        self,
        batch: Batch,
        hidden: npt.NDArray[np.bool_],
        *,
        measured: npt.NDArray[np.bool_] | None = None,
        measure: Measure = surprise,
    ) -> Tensor:
        """Return the surprise at the `measured` tokens (default: all hidden), (M,), in nats.

        All of the `hidden` are hidden together. Each token competes with those of its field only.
        """
        index = np.flatnonzero(hidden if measured is None else measured)
        if self.training:
            inputs, flat = self._inputs(batch.hidden(hidden))
            states = self.bert.bert(**inputs).last_hidden_state.flatten(0, 1)  # (N * L, H)
            places = flat[torch.from_numpy(index).to(self.device)]
        else:
            embedded = self._embedded(batch.hidden(hidden))
            states = packed_states(self.bert.bert, embedded, self.cost(batch), opening=False)
            flat_index = index if self.layout == "inline" else batch.group[index]
            places = torch.from_numpy(flat_index).to(self.device)
        states = states[places]  # (M, H)
        head = self.bert.cls.predictions
        states = head.transform(states)
        return by_field(
            head.decoder, self.tokenizer, states, batch.ids[index], batch.field[index], measure
        )

    def _inputs(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """Return the stock model's inputs and each token's place in the flattened positions."""
        self._check_length(batch)
        longest = int(batch.positions.max())
        row = batch.owner
        if self.layout == "inline":
            place = np.arange(len(batch.ids)) - batch.offsets[row]
            inputs = {name: value.to(self.device) for name, value in batch.padded().items()}
            flat = row * inputs["input_ids"].shape[1] + place
            return inputs, torch.from_numpy(flat).to(self.device)
        flat_places = torch.from_numpy(row * longest + batch.event).to(self.device)
        mask = np.arange(longest) < batch.positions[:, None]
        summed = self._summed(batch)
        padded = summed.new_zeros(len(batch) * longest, summed.shape[1])
        places = torch.from_numpy(np.flatnonzero(mask)).to(self.device)
        padded = padded.index_copy(0, places, summed).view(len(batch), longest, -1)
        return {
            "inputs_embeds": padded,
            "attention_mask": torch.from_numpy(mask.astype(np.int64)).to(self.device),
        }, flat_places

    def _classified(self, batch: Batch, embedded: Tensor) -> Tensor:
        opening = packed_states(self.bert.bert, embedded, self.cost(batch), opening=True)
        return cast(Tensor, self.bert.classifier(self.bert.bert.pooler(opening[:, None])))

    def _embedded(self, batch: Batch, words: Tensor | None = None) -> Tensor:
        """Return the input of the first layer, sequence after sequence, (positions, H).

        With `words`, (T, H), these stand for the word embeddings of the tokens.
        """
        self._check_length(batch)
        embeddings = self.bert.bert.embeddings
        types = embeddings.token_type_embeddings
        if self.layout == "inline":
            ids, field, place = self._on_device(batch.ids, batch.field, batch.event)
            words = embeddings.word_embeddings(ids) if words is None else words
            tokens = words + types(field)
        else:
            before = np.cumsum(batch.positions) - batch.positions
            event = np.arange(batch.positions.sum()) - np.repeat(before, batch.positions)
            (place,) = self._on_device(event)
            tokens = (
                self._summed(batch, words) + types.weight[0]
            )  # as the stock model adds to any input
        return cast(Tensor, embeddings.LayerNorm(tokens + embeddings.position_embeddings(place)))

    def _on_device(self, *parts: npt.NDArray[Any]) -> Iterator[Tensor]:
        """Give each array as a tensor of indices; a GPU need not be waited for."""
        for part in parts:
            index = torch.from_numpy(part.astype(np.int64))
            if self.device.type == "cuda":
                index = index.pin_memory()
            yield index.to(self.device, non_blocking=True)

    def _check_length(self, batch: Batch) -> None:
        longest = int(batch.positions.max())
        if longest > self.bert.config.max_position_embeddings:
            raise BadInput(
                f"A sequence has {longest - 1} events; this model reads at most "
                f"{self.bert.config.max_events}. Import the log with shorter sequences "
                "(max_events), or train a model on it."
            )

    def _summed(self, batch: Batch, words: Tensor | None = None) -> Tensor:
        """Return the sum of the word and type embeddings of each event's tokens, (positions, H)."""
        embeddings = self.bert.bert.embeddings
        starts = np.searchsorted(batch.group, np.arange(batch.positions.sum()))
        ids, field, bags = (
            torch.from_numpy(part.astype(np.int64)).to(self.device)
            for part in (batch.ids, batch.field, starts)
        )
        # In bags, for the embeddings of all tokens one by one would take more time than the layers.
        if words is None:
            rows, table = ids, embeddings.word_embeddings.weight
        else:
            rows, table = torch.arange(len(words), device=self.device), words
        summed = nn.functional.embedding_bag(rows, table, bags, mode="sum")
        types = nn.functional.embedding_bag(
            field, embeddings.token_type_embeddings.weight, bags, mode="sum"
        )
        return summed + types
