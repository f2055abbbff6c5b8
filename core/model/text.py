"""The text back-bone: events as sentences, read by any Hugging Face sequence classifier.

Every token of a `Batch` has a fixed phrase (``amount~20-50`` is "amount 20-50"), an event is the
sentence of its tokens' phrases, and the profile opens the text. So each sub-word comes from one
token of one event. A hidden token is the checkpoint's own mask, or left out where it has none. What
is missing is not said, nor are most facts about single events: the profile sums them up, and texts
are short.

A text longer than the checkpoint reads is cut between events into windows that all open with the
profile; the window with the highest score speaks for the sequence, as the highest of its sequences
does for an actor.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt
import torch
import transformers
from torch import Tensor
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from core.batch import MASK, Batch
from core.errors import BadInput
from core.fields import MISSING
from core.model.batching import by_length
from core.model.encoder import ID2LABEL, POSITIVE, Encoder
from core.model.loading import read_parts, read_weights
from core.model.packed import packed_states
from core.model.schemes import binary
from core.model.windows import Ids, drawn, packed, phrase
from core.tokens import Tokenizer

LAYOUT: Final = "text"
SUBWORDS: Final = "subwords"  # folder of the checkpoint's own tokenizer: both have a vocab.json
PROFILE_SHARE: Final = 0.5  # of a window at most
MOST_SUBWORDS: Final = 4096  # of a window


class TextEncoder(Encoder):
    """A sequence classifier over text, with the interface of the behaviour encoder."""

    has_counters = False  # they would count tokens of which the text says nothing

    def __init__(
        self, bert: PreTrainedModel, tokenizer: Tokenizer, subwords: PreTrainedTokenizerBase
    ) -> None:
        super().__init__(bert, tokenizer)
        self.subwords = subwords
        self.limit = _limit(bert, subwords)
        self.said = np.array([False, *(f.name in bert.config.said for f in tokenizer.fields)])
        self.phrases = self._phrases()

    @classmethod
    def of_checkpoint(
        cls, name: str, tokenizer: Tokenizer, *, said: Sequence[str], max_events: int, seed: int
    ) -> "TextEncoder":
        """Return a checkpoint with a new head.

        Parameters
        ----------
        name
            Directory of the checkpoint, or its name on the Hugging Face hub.
        said
            Names of the fields whose tokens are said.

        Raises
        ------
        BadInput
            If there is no such checkpoint, it cannot be reached, or it is no encoder of text.
        """
        torch.manual_seed(seed)  # of the head
        settings: dict[str, Any] = {
            "id2label": ID2LABEL,
            "label2id": {label: number for number, label in ID2LABEL.items()},
            "ignore_mismatched_sizes": True,  # a checkpoint may have had a head of other classes
        }
        local = Path(name).is_dir()
        try:
            with _quiet():  # a new head is what is wanted here
                subwords = AutoTokenizer.from_pretrained(name, local_files_only=local)
                bert = AutoModelForSequenceClassification.from_pretrained(
                    name, local_files_only=local, **settings
                )
        except Exception as error:  # what the hub's client raises has no common base
            raise BadInput(_unreachable(name, error)) from error
        _check_subwords(name, subwords)
        bert.config.pad_token_id = subwords.pad_token_id
        added = {
            "layout": LAYOUT,
            "max_events": max_events,
            "said": list(said),
            "vocabulary_digest": tokenizer.digest,
        }
        for key, value in added.items():
            setattr(bert.config, key, value)
        return cls(bert, tokenizer, subwords)

    @classmethod
    def load(cls, folder: Path) -> "TextEncoder":
        """Read an encoder that `save` wrote.

        Raises
        ------
        BadInput
            If a file is missing or damaged, or the parts do not belong together.
        """
        _, tokenizer = read_parts(folder)
        bert = read_weights(AutoModelForSequenceClassification, folder)
        try:
            subwords = AutoTokenizer.from_pretrained(folder / SUBWORDS, local_files_only=True)
        except Exception as error:  # the libraries raise nothing narrower
            raise BadInput(f"The tokenizer in {folder / SUBWORDS} cannot be read.") from error
        if len(subwords) > bert.config.vocab_size:
            raise BadInput(f"The weights in {folder} were made with other sub-words.")
        return cls(bert, tokenizer, subwords).eval()

    def save(self, folder: Path) -> None:
        """Write the stock model's files, the tokenizer's, and those of the sub-words."""
        super().save(folder)
        self.subwords.save_pretrained(folder / SUBWORDS)

    @property
    def classifies(self) -> bool:
        """Always: a checkpoint is fine-tuned on labels, never pre-trained on the log."""
        return True

    def with_classifier(self, seed: int) -> "TextEncoder":
        """Return this encoder: it has its head."""
        return self

    def reads(self, batch: Batch) -> npt.NDArray[np.bool_]:
        """Return which of the batch's tokens are said, (T,)."""
        has_words = np.array([len(phrase) > 0 for phrase in self.phrases])
        said: npt.NDArray[np.bool_] = self.said[batch.field] & has_words[batch.ids]
        return said

    def cost(self, batch: Batch) -> Ids:
        """Return the sub-words each sequence takes, in all of its windows, (N,)."""
        total = np.zeros(len(batch), dtype=np.int64)
        for row, window in self._windows(batch):
            total[row] += len(window)
        return total

    def render(self, batch: Batch) -> list[str]:
        """Return the text of each sequence, as the checkpoint reads it; windows on lines."""
        texts: list[list[str]] = [[] for _ in range(len(batch))]
        for row, window in self._windows(batch):
            texts[row].append(cast(str, self.subwords.decode(window)))
        return ["\n".join(windows) for windows in texts]

    def overlong(self, batch: Batch) -> tuple[int, int]:
        """Count the sequences read in several windows, and those of which words are cut off."""
        windows = np.bincount([row for row, _ in self._windows(batch)], minlength=len(batch))
        room = self.limit - 2
        share = int(PROFILE_SHARE * room)
        cut = sum(
            len(profile) > share
            or max(map(len, events), default=0) > room - min(len(profile), share)
            for profile, *events in self._sentences(batch)
        )
        return int((windows > 1).sum()), cut

    def forward(self, batch: Batch) -> Tensor:
        """Return the logits of the classes, (N, K): those of the window with the highest score."""
        return self._highest(batch)[:, : self.bert.config.num_labels]

    def embed(self, batch: Batch) -> Tensor:
        """Return the last state of the first sub-word of the window with the highest score."""
        return self._highest(batch)[:, self.bert.config.num_labels :]

    def _highest(self, batch: Batch) -> Tensor:
        """Return what `_read` says of the window with the highest score, (N, K + H)."""
        found = list(self._windows(batch))
        if self.training:
            found = drawn(found)
        owner = np.array([row for row, _ in found])
        lengths = np.array([len(window) for _, window in found])
        batches = by_length(lengths)
        parts = [self._read([found[i][1] for i in index]) for index in batches]
        order = torch.from_numpy(np.argsort(np.concatenate(batches))).to(self.device)
        read = torch.cat(parts)[order]  # (W, K + H)
        both = binary(read[:, : self.bert.config.num_labels].detach().float())
        margin = (both[:, POSITIVE] - both[:, 0]).cpu().numpy()
        by_score = np.lexsort([margin, owner])
        highest = by_score[np.append(np.diff(owner[by_score]) > 0, True)]  # one per sequence
        return read[torch.from_numpy(highest).to(self.device)]

    def masked(self, *_: Any, **__: Any) -> Tensor:
        """Refuse: a text back-bone predicts no tokens."""
        raise BadInput("A text back-bone is not pre-trained on a log; use a behaviour back-bone.")

    def _read(self, windows: list[Ids]) -> Tensor:
        """Return logits and the last state of the first sub-word of each window, (W, K + H)."""
        if isinstance(self.bert, BertForSequenceClassification) and not self.training:
            return self._read_packed(windows)
        longest = max(len(window) for window in windows)
        ids = np.full((len(windows), longest), self.subwords.pad_token_id, dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, window in enumerate(windows):
            ids[row, : len(window)] = window
            mask[row, : len(window)] = 1
        inputs = {"input_ids": ids, "attention_mask": mask}
        given = {name: torch.from_numpy(part).to(self.device) for name, part in inputs.items()}
        read = self.bert(**given, output_hidden_states=True)
        return torch.cat([read.logits, read.hidden_states[-1][:, 0]], dim=1)

    def _read_packed(self, windows: list[Ids]) -> Tensor:
        """Return the same from a BERT, without padding, and less of the last layer."""
        bert, lengths = self.bert.bert, np.array([len(window) for window in windows])
        place = np.concatenate([np.arange(length) for length in lengths])
        ids, at = (
            torch.from_numpy(part).to(self.device) for part in (np.concatenate(windows), place)
        )
        embedded = bert.embeddings(input_ids=ids[None], position_ids=at[None])[0]
        opening = packed_states(bert, embedded, lengths, opening=True)
        return torch.cat([self.bert.classifier(bert.pooler(opening[:, None])), opening], dim=1)

    def _phrases(self) -> list[Ids]:
        """Return the sub-words of every token of the vocabulary; of some there are none."""
        words = [""] * len(self.tokenizer)
        for number, field in enumerate(self.tokenizer.fields):
            start, end = self.tokenizer.starts[number], self.tokenizer.ends[number]
            if field.name not in self.bert.config.said:
                continue
            for token in range(start, end):
                if token - start != MISSING:
                    words[token] = phrase(field.name, self.tokenizer.tokens[token])
        # With a space in front, as inside a sentence: byte-pair vocabularies tell the two apart.
        encoded = self.subwords([f" {one}" for one in words], add_special_tokens=False)
        found = [
            np.asarray(ids if word else [], dtype=np.int64)
            for ids, word in zip(encoded["input_ids"], words, strict=True)
        ]
        hidden = self.subwords.mask_token_id  # a checkpoint without it reads on without the words
        found[MASK] = np.array([] if hidden is None else [hidden], dtype=np.int64)
        return found

    def _sentences(self, batch: Batch) -> Iterator[list[Ids]]:
        """Give the sentences of each sequence: its profile's, then those of its events."""
        stop = np.asarray(self.subwords(".", add_special_tokens=False)["input_ids"], dtype=np.int64)
        said = self.said[batch.field]
        for row in range(len(batch)):
            part = slice(batch.offsets[row], batch.offsets[row + 1])
            sentences: list[list[Ids]] = [[] for _ in range(int(batch.positions[row]))]
            for token, event, is_said in zip(
                batch.ids[part], batch.event[part], said[part], strict=True
            ):
                if is_said:
                    sentences[event].append(self.phrases[token])
            yield [np.concatenate([*phrases, stop]) for phrases in sentences]

    def _windows(self, batch: Batch) -> Iterator[tuple[int, Ids]]:
        """Give the windows of each sequence, in order, with its row."""
        opening = np.array([self.subwords.cls_token_id], dtype=np.int64)
        closing = np.array([self.subwords.sep_token_id], dtype=np.int64)
        room = self.limit - 2
        for row, (profile, *events) in enumerate(self._sentences(batch)):
            for window in packed(profile[: int(PROFILE_SHARE * room)], events, room):
                yield row, np.concatenate([opening, window, closing])


@contextmanager
def _quiet() -> Iterator[None]:
    before = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        transformers.logging.set_verbosity(before)


def _limit(bert: PreTrainedModel, subwords: PreTrainedTokenizerBase) -> int:
    """Return the sub-words the checkpoint reads at once, at most `MOST_SUBWORDS`."""
    positions = getattr(bert.config, "max_position_embeddings", MOST_SUBWORDS)
    return int(min(subwords.model_max_length, positions, MOST_SUBWORDS))


def _check_subwords(name: str, subwords: PreTrainedTokenizerBase) -> None:
    needed = ("pad_token", "cls_token", "sep_token")
    lacking = [one for one in needed if getattr(subwords, one, None) is None]
    if lacking:
        raise BadInput(
            f"'{name}' cannot be a text back-bone: its tokenizer has no {', no '.join(lacking)}. "
            "Encoders such as BERT, MiniLM, RoBERTa and ModernBERT have them."
        )


def _unreachable(name: str, error: Exception) -> str:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if Path(name).is_dir():
        return f"The folder {name} holds no checkpoint of a sequence classifier: {reason}"
    return (
        f"The back-bone '{name}' is no folder here, and was not reached on the Hugging Face hub "
        f"({reason}). Give the folder of a downloaded checkpoint: text:DIRECTORY."
    )
