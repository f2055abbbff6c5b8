"""Sub-words: how free text becomes tokens."""

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import tokenizers
from tokenizers import models, normalizers, pre_tokenizers, trainers

from core.fields import Ids

VOCABULARY: Final = 1000
CAP: Final = 8  # sub-words of one text of one event


def train(column: pd.Series) -> tokenizers.Tokenizer:
    """Learn sub-words, the same of the same texts.

    The library numbers the letters that continue a word in the random order of a hash map, and
    that number decides between equally frequent pairs (huggingface/tokenizers, issue 1794). Told
    as special tokens they have fixed numbers; the model returned treats none of them specially.
    """
    texts = column.dropna().astype(str)
    learner = _word_pieces()
    spaced = set(learner.normalizer.normalize_str(" ".join(texts.unique())).split())
    words = {word for run in spaced for word, _ in learner.pre_tokenizer.pre_tokenize_str(run)}
    continuing = {letter for word in words for letter in word[1:]}
    trainer = trainers.WordPieceTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["[UNK]", *(f"##{letter}" for letter in sorted(continuing))],
        show_progress=False,
    )
    learner.train_from_iterator(texts, trainer)
    return _word_pieces(learner.get_vocab())


def _word_pieces(vocabulary: dict[str, int] | None = None) -> tokenizers.Tokenizer:
    text = tokenizers.Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    text.normalizer = normalizers.BertNormalizer()
    text.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return text


def read(file: Path) -> tokenizers.Tokenizer:
    """Read what was saved; raise ValueError where it is damaged."""
    try:
        return tokenizers.Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises nothing narrower
        raise ValueError(f"{file.name}: {error}") from error


def vocabulary_of(text: tokenizers.Tokenizer) -> tuple[str, ...]:
    """Return the sub-words, in the order of their ids."""
    vocabulary: dict[str, int] = text.get_vocab()
    return tuple(sorted(vocabulary, key=vocabulary.__getitem__))


def encode(text: tokenizers.Tokenizer, column: pd.Series) -> Ids:
    """Return sub-word ids + 1, (rows, CAP); 0 in front is `missing`, -1 is no token."""
    codes, distinct = pd.factorize(column)
    grid = np.full((len(distinct) + 1, CAP), -1, dtype=np.int32)
    grid[-1, 0] = 0  # code -1 picks the last row: missing
    for row, encoding in enumerate(text.encode_batch([str(value) for value in distinct])):
        ids = encoding.ids[:CAP]
        grid[row, : len(ids)] = np.asarray(ids, dtype=np.int32) + 1
        grid[row, 0] = max(grid[row, 0], 0)  # a text without words counts as missing
    return grid[codes]
