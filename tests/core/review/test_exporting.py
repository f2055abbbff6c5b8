import io

import pandas as pd
import pytest

from core.errors import NotFound
from core.review.deciding import decide
from core.review.exporting import scores_of, to_csv, to_parquet, verdicts_of
from core.store import cases


def test_no_cell_of_a_csv_file_can_act_as_a_formula():
    cells = ["=1+1", "+1", "-1", "@x", "\t=1", "a=b", None]
    written = to_csv(pd.DataFrame({"text": cells, "number": range(-3, 4)}))
    read = pd.read_csv(io.BytesIO(written))
    assert read["text"].tolist()[:6] == ["'=1+1", "'+1", "'-1", "'@x", "'\t=1", "a=b"]
    assert read["text"].isna().tolist()[-1]
    assert read["number"].tolist() == [-3, -2, -1, 0, 1, 2, 3]


def test_parquet_keeps_values_as_they_are():
    frame = pd.DataFrame({"text": ["=1+1"], "number": [0.1]})
    assert pd.read_parquet(io.BytesIO(to_parquet(frame))).equals(frame)


def test_verdicts_and_scores_survive_both_formats(reviewed):
    with reviewed.engine.connect() as con:
        first = cases.next_open(con, "log", skipping=[])
    decide(reviewed, first, "confirmed", analyst="eva", scheme="scraper", note="=HYPERLINK()")
    frame = verdicts_of(reviewed, "log")
    assert frame[["actor_id", "decision", "sequences"]].to_numpy().tolist() == [
        ["ann", "confirmed", '["s1", "s2"]']
    ]
    assert pd.read_csv(io.BytesIO(to_csv(frame)))["note"].tolist() == ["'=HYPERLINK()"]
    assert pd.read_parquet(io.BytesIO(to_parquet(frame)))["note"].tolist() == ["=HYPERLINK()"]
    scores = scores_of(reviewed, "log")
    assert list(scores.columns) == ["sequence_id", "actor_id", "score", "model"]
    assert len(scores) == 4


def test_scores_that_do_not_exist_are_refused(reviewed):
    with pytest.raises(NotFound, match="elsewhere"):
        scores_of(reviewed, "elsewhere")
