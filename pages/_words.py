"""How pages say things: scores, times, shares, and words that come from a log."""

import re
from datetime import datetime

import pandas as pd

from core.schema import scheme_words
from core.store.home import now
from core.store.models import Model
from core.wording import duration, percent

FAIRLY_SURE = 0.5  # of what a case is most like: a guess among seven kinds would mislead


def score_word(model: Model) -> str:
    """Say what a model's number is: without labels it is no probability."""
    return "unusualness" if model.kind == "unusualness" else "probability of abuse"


def most_like(scheme: str | None, share: float | None) -> str:
    """Say which kind of abuse a case is most like; nothing unless the model is fairly sure."""
    if scheme is None or pd.isna(scheme) or share is None or not share >= FAIRLY_SURE:
        return ""
    return f"{scheme_words(scheme).lower()} ({percent(share)})"


def ago(moment: datetime | pd.Timestamp | None) -> str:
    """Say how long ago a moment of the workbench's clock was."""
    if moment is None or pd.isna(moment):
        return "never"
    seconds = (now() - pd.Timestamp(moment).to_pydatetime()).total_seconds()
    return "just now" if seconds < 60 else f"{duration(seconds)} ago"


def text(words: str) -> str:
    """Return words from a log so that Markdown shows them as they are."""
    return re.sub(r"([\\`*_{}\[\]<>#$~|:])", r"\\\1", words)
