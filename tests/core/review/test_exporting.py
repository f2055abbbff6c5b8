import io

import pandas as pd
import pytest

from core.errors import NotFound
from core.review.deciding import decide
from core.review.exporting import scores_of, to_csv, to_parquet, verdicts_of
from core.store import cases


def test_no_cell_of_a_csv_file_can_act_as_a_formula():
    cells = ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "a=b", None]
    written = to_csv(pd.DataFrame({"text": cells, "number": range(-3, 5)}))
    read = pd.read_csv(io.BytesIO(written), lineterminator="\n")
    assert read["text"].tolist()[:7] == ["'=1+1", "'+1", "'-1", "'@x", "'\t=1", "'\r=1", "a=b"]
    assert read["text"].isna().tolist()[-1]
    assert read["number"].tolist() == [-3, -2, -1, 0, 1, 2, 3, 4]


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


def test_doubts_about_a_sequence_leave_with_its_score(reviewed):
    file = reviewed.dataset_dir("log") / "sequences.parquet"
    sequences = pd.read_parquet(file)
    sequences.assign(late_events=[0, 2, 0, 1], was_cut=[False, True, False, False]).to_parquet(file)
    scores = scores_of(reviewed, "log").set_index("sequence_id")
    assert scores["late_events"].to_dict() == {"s1": 0, "s2": 2, "s3": 0, "s4": 1}
    assert scores["was_cut"].to_dict() == {"s1": False, "s2": True, "s3": False, "s4": False}
    assert scores["score"].to_dict() == {"s1": 0.9, "s2": 0.7, "s3": 0.8, "s4": 0.6}


def test_scores_that_do_not_exist_are_refused(reviewed):
    with pytest.raises(NotFound, match="elsewhere"):
        scores_of(reviewed, "elsewhere")
