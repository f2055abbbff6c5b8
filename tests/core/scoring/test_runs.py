import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from filelock import FileLock

from core.batch import Batch
from core.errors import BadInput, Conflict, NotFound
from core.logs import building
from core.logs.frames import partitions, read_sequences
from core.logs.importing import import_log
from core.scoring.cases import read_scores
from core.scoring.engine import Scorer
from core.scoring.runs import score_dataset
from core.store import datasets
from core.store.home import Home
from tests.conftest import add_event, small_log

ROOT = Path(__file__).parents[3]


@pytest.fixture
def scorer(seeded_home: Home) -> Scorer:
    return Scorer.load(seeded_home.model_dir("finetuned"))


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collect how many sequences the model is asked about; it answers as ever."""
    asked: list[int] = []
    predict = Scorer.predict_proba

    def counted(scorer: Scorer, batch: Batch, **named: Any) -> Any:
        asked.append(len(batch))
        return predict(scorer, batch, **named)

    monkeypatch.setattr(Scorer, "predict_proba", counted)
    return asked


@pytest.fixture
def parted(seeded_home: Home, monkeypatch: pytest.MonkeyPatch) -> str:
    """A log of which the events lie in several partitions."""
    monkeypatch.setattr(building, "EVENTS_PER_PART", 100)
    small_log(actors=120, seed=1).to_csv(seeded_home.path / "parted.csv", index=False)
    dataset = import_log(seeded_home, seeded_home.path / "parted.csv", name="parted")
    assert partitions(seeded_home, dataset.id) > 3
    return dataset.id


def parts(home: Home) -> list[Path]:
    return sorted(home.checkpoints.glob("scoring-*/part-*"))


def test_scores_of_a_data_set_deleted_meanwhile_leave_no_file(
    seeded_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run in (seeded_home.path / "runs").iterdir():
        run.unlink()  # what is known would not be asked again
    predict = Scorer.predict_proba

    def while_somebody_deletes(*given: Any, **named: Any) -> Any:
        datasets.delete_dataset(seeded_home, "small")
        return predict(*given, **named)

    scorer = Scorer.load(seeded_home.model_dir("finetuned"))
    monkeypatch.setattr(Scorer, "predict_proba", while_somebody_deletes)
    with pytest.raises(NotFound, match=r"'small'.* was deleted while it was being scored"):
        score_dataset(seeded_home, scorer, "small")
    assert list((seeded_home.path / "runs").iterdir()) == []


def test_scores_of_a_data_set_that_grew_meanwhile_are_kept_for_the_next_run_and_not_shown(
    seeded_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict = Scorer.predict_proba
    before = sorted((seeded_home.path / "runs").iterdir())

    def while_it_grows(*given: Any, **named: Any) -> Any:
        monkeypatch.setattr(Scorer, "predict_proba", predict)
        add_event(seeded_home, "small", "u001")
        return predict(*given, **named)

    add_event(seeded_home, "small", "u000")
    scorer = Scorer.load(seeded_home.model_dir("finetuned"))
    monkeypatch.setattr(Scorer, "predict_proba", while_it_grows)
    with pytest.raises(Conflict, match="'small' has grown meanwhile: score it again"):
        score_dataset(seeded_home, scorer, "small")
    assert sorted((seeded_home.path / "runs").iterdir()) == before
    assert len(parts(seeded_home)) == 1
    run = score_dataset(seeded_home, scorer, "small")
    assert run.sequences == len(read_sequences(seeded_home, "small"))
    assert parts(seeded_home) == []


def test_a_run_over_partitions_scores_each_sequence_once_and_tells_how_long_it_takes(
    seeded_home: Home, scorer: Scorer, parted: str, scored: list[int]
) -> None:
    told: list[str] = []
    run = score_dataset(seeded_home, scorer, parted, progress=lambda _, text: told.append(text))
    scores = read_scores(seeded_home, run.id)
    assert scores["sequence_id"].is_unique
    assert len(scores) == run.sequences == sum(scored) == 120
    assert len(scored) == partitions(seeded_home, parted)
    assert "less than a minute left" in told[0]
    assert told[-1] == "scored 120 of 120"
    assert parts(seeded_home) == []


def test_the_same_log_again_is_not_scored_again(
    seeded_home: Home, scorer: Scorer, parted: str, scored: list[int]
) -> None:
    first = score_dataset(seeded_home, scorer, parted)
    scored.clear()
    again = score_dataset(seeded_home, scorer, parted)
    assert scored == []
    pd.testing.assert_frame_equal(
        read_scores(seeded_home, first.id), read_scores(seeded_home, again.id)
    )


def test_of_a_grown_log_only_what_is_new_is_scored(
    seeded_home: Home, scorer: Scorer, parted: str, scored: list[int]
) -> None:
    before = score_dataset(seeded_home, scorer, parted)
    more = small_log(actors=15, seed=2)
    more["user_id"] = "new-" + more["user_id"]
    more["event_time"] += pd.Timedelta(days=30)
    more.to_csv(seeded_home.path / "more.csv", index=False)
    import_log(seeded_home, seeded_home.path / "more.csv", into=parted)
    scored.clear()
    after = score_dataset(seeded_home, scorer, parted)
    assert after.sequences == before.sequences + 15
    assert 15 <= sum(scored) < 60  # of the old, those whose facts the new events changed
    fresh = _without_runs(seeded_home, scorer, parted)
    pd.testing.assert_frame_equal(read_scores(seeded_home, after.id), fresh, atol=1e-5)


def _without_runs(home: Home, scorer: Scorer, dataset_id: str) -> pd.DataFrame:
    for run in (home.path / "runs").glob("*.parquet"):
        run.rename(run.with_suffix(".aside"))
    found = read_scores(home, score_dataset(home, scorer, dataset_id).id)
    for run in (home.path / "runs").glob("*.aside"):
        run.rename(run.with_suffix(".parquet"))
    return found


def test_another_model_of_the_same_name_trusts_no_score_of_the_first(
    seeded_home: Home, scorer: Scorer, scored: list[int]
) -> None:
    score_dataset(seeded_home, scorer, "small")
    assert sum(scored) == 0
    scorer.encoder.bert.classifier.bias.data += 1
    scorer.encoder.save(seeded_home.model_dir("finetuned"))
    changed = Scorer.load(seeded_home.model_dir("finetuned"))
    score_dataset(seeded_home, changed, "small")
    assert sum(scored) == 60


KILLED = """
import os, signal, sys
from core.scoring.engine import Scorer
from core.scoring.runs import score_dataset
from core.store.home import open_home
home = open_home(sys.argv[1])
def told(share, text):
    if share > 0.5:
        os.kill(os.getpid(), signal.SIGKILL)
score_dataset(home, Scorer.load(home.model_dir("finetuned")), sys.argv[2], progress=told)
"""


def kill_halfway(home: Home, dataset_id: str) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(home.path), dataset_id], cwd=ROOT, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert parts(home)


def test_a_killed_run_goes_on_from_its_last_partition(
    seeded_home: Home, scorer: Scorer, parted: str, scored: list[int]
) -> None:
    kill_halfway(seeded_home, parted)
    kept = sum(len(pd.read_parquet(part)) for part in parts(seeded_home))
    assert kept > 0
    run = score_dataset(seeded_home, scorer, parted)
    assert sum(scored) == 120 - kept
    fresh = _without_runs(seeded_home, scorer, parted)
    pd.testing.assert_frame_equal(read_scores(seeded_home, run.id), fresh, atol=1e-5)


def test_what_a_killed_run_left_of_a_log_that_was_cut_elsewhere_is_not_taken_for_scores(
    seeded_home: Home, scorer: Scorer, parted: str
) -> None:
    score_dataset(seeded_home, scorer, parted)
    kill_halfway(seeded_home, parted)
    more = small_log(actors=15, seed=2)
    more["user_id"] = "0-" + more["user_id"]  # before all others, which move along
    more["event_time"] += pd.Timedelta(days=30)
    more.to_csv(seeded_home.path / "more.csv", index=False)
    import_log(seeded_home, seeded_home.path / "more.csv", into=parted)
    found = read_scores(seeded_home, score_dataset(seeded_home, scorer, parted).id)
    assert found["sequence_id"].is_unique
    fresh = _without_runs(seeded_home, scorer, parted)
    pd.testing.assert_frame_equal(found, fresh, atol=1e-5)


def test_a_deleted_data_set_leaves_nothing_to_go_on_from(seeded_home: Home, parted: str) -> None:
    kill_halfway(seeded_home, parted)
    datasets.delete_dataset(seeded_home, parted)
    assert list(seeded_home.checkpoints.iterdir()) == []


def test_a_damaged_partition_is_named_and_the_others_stay_scored(
    seeded_home: Home, scorer: Scorer, parted: str, scored: list[int]
) -> None:
    file = sorted((seeded_home.dataset_dir(parted) / "events").glob("part-*"))[1]
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    number = partitions(seeded_home, parted)
    with pytest.raises(BadInput, match=rf"{number - 1} of {number} partitions .* Partition 1: .*"):
        score_dataset(seeded_home, scorer, parted)
    others = sum(scored)
    assert 0 < others < 120
    file.write_bytes(whole)
    run = score_dataset(seeded_home, scorer, parted)
    assert sum(scored) == run.sequences == 120


FULL = """
import resource, sys
from core.errors import BadInput
from core.scoring.engine import Scorer
from core.scoring.runs import score_dataset
from core.store.home import open_home
home = open_home(sys.argv[1])
scorer = Scorer.load(home.model_dir("finetuned"))
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, resource.RLIM_INFINITY))
try:
    score_dataset(home, scorer, sys.argv[2])
except BadInput as error:
    print(error)
"""


def test_a_full_disk_is_said_and_leaves_nothing_half_written(
    seeded_home: Home, parted: str, scorer: Scorer
) -> None:
    """A limit on the size of files stands for the disk: the system refuses the same writes."""
    before = sorted((seeded_home.path / "runs").iterdir())
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FULL, str(seeded_home.path), parted],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "no room" in done.stdout, done.stderr
    assert sorted((seeded_home.path / "runs").iterdir()) == before
    assert score_dataset(seeded_home, scorer, parted).sequences == 120


def test_the_same_is_not_scored_twice_at_a_time(
    seeded_home: Home, scorer: Scorer, parted: str
) -> None:
    folder = seeded_home.checkpoints / f"scoring-finetuned-{parted}"
    folder.mkdir(parents=True)
    with FileLock(folder / "lock"), pytest.raises(Conflict, match="scoring this data set already"):
        score_dataset(seeded_home, scorer, parted)
