"""Runs on a Ray cluster of two workers, which really runs: processes, sockets, kills."""

import re
import sys
from collections.abc import Iterator

import pandas as pd
import psutil
import pytest
from typer.testing import CliRunner

from core.__main__ import app
from core.errors import BadInput, Cancelled
from core.logs import building
from core.logs.frames import partitions
from core.logs.importing import import_log
from core.scoring import cluster
from core.scoring.cases import read_scores
from core.scoring.cluster import Worker, on_ray
from core.scoring.engine import Scorer
from core.scoring.known import Known
from core.scoring.runs import score_dataset
from core.store.home import Home, remove
from tests.conftest import small_log


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a cluster with room for two workers."""
    from ray.cluster_utils import Cluster

    started = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False}
    )
    yield started.address
    started.shutdown()


@pytest.fixture
def parted(seeded_home: Home, monkeypatch: pytest.MonkeyPatch) -> str:
    """A log of which the events lie in eight partitions."""
    monkeypatch.setattr(building, "EVENTS_PER_PART", 100)
    small_log(actors=120, seed=1).to_csv(seeded_home.path / "parted.csv", index=False)
    dataset = import_log(seeded_home, seeded_home.path / "parted.csv", name="parted")
    assert partitions(seeded_home, dataset.id) >= 8
    return dataset.id


@pytest.fixture
def scorer(seeded_home: Home) -> Scorer:
    return Scorer.load(seeded_home.model_dir("finetuned"))


@pytest.fixture
def on_the_cluster(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)


def workers() -> list[psutil.Process]:
    """Return the processes of the cluster's actors."""
    started = psutil.Process().children(recursive=True)
    return [one for one in started if (one.cmdline() or [""])[0].startswith("ray::Worker")]


def here(home: Home, scorer: Scorer, dataset_id: str) -> pd.DataFrame:
    """Return the scores that this process computes, knowing none."""
    for run in (home.path / "runs").glob("*.parquet"):
        remove(run)
    return read_scores(home, score_dataset(home, scorer, dataset_id).id)


@pytest.mark.usefixtures("on_the_cluster")
def test_a_run_on_the_cluster_gives_the_scores_of_a_run_here(
    seeded_home: Home, scorer: Scorer, parted: str
) -> None:
    told = CliRunner().invoke(app, ["score", "finetuned", parted, "--engine", "ray"])
    assert told.exit_code == 0, told.output
    assert "sequences: 120" in told.output
    run_id = told.output.splitlines()[0].removeprefix("run: ")
    scores = read_scores(seeded_home, run_id)
    pd.testing.assert_frame_equal(scores, here(seeded_home, scorer, parted), atol=1e-5)


@pytest.mark.usefixtures("on_the_cluster")
def test_the_partition_of_a_killed_worker_is_done_again_and_is_in_the_result_once(
    seeded_home: Home, scorer: Scorer, parted: str
) -> None:
    told: list[str] = []
    stopped: list[psutil.Process] = []

    def kill_one(share: float, text: str) -> None:
        told.append(text)
        if share > 0 and not stopped:  # it holds a partition, or gets one, and cannot finish it
            stopped.append(workers()[0])
            stopped[0].suspend()
        elif share > 0.5 and stopped[0].is_running():
            stopped[0].kill()
            stopped[0].wait()

    run = score_dataset(seeded_home, scorer, parted, progress=kill_one, spread=on_ray)
    assert not stopped[0].is_running()
    scores = read_scores(seeded_home, run.id)
    assert scores["sequence_id"].is_unique
    assert len(scores) == run.sequences == 120
    pd.testing.assert_frame_equal(scores, here(seeded_home, scorer, parted), atol=1e-5)
    assert told[0] == "waiting for workers of the cluster"
    assert re.fullmatch(r"scored \d+ of 120, .* left", told[1])
    assert told[-1] == "scored 120 of 120"
    assert len(told) == 1 + partitions(seeded_home, parted)


@pytest.mark.usefixtures("on_the_cluster")
def test_a_run_stopped_here_goes_on_there_and_a_damaged_partition_is_named(
    seeded_home: Home, scorer: Scorer, parted: str
) -> None:
    def stop(share: float, text: str) -> None:
        if share > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        score_dataset(seeded_home, scorer, parted, progress=stop)
    kept = seeded_home.scoring_dir("finetuned", parted) / "part-00000.parquet"
    marked = pd.read_parquet(kept).assign(score=0.125)  # computed again, it would be another
    marked.to_parquet(kept, index=False)
    last = sorted((seeded_home.dataset_dir(parted) / "events").glob("part-*"))[-1]
    whole = last.read_bytes()
    last.write_bytes(whole[: len(whole) // 2])
    number = partitions(seeded_home, parted)
    expected = rf"{number - 1} of {number} partitions were scored. Partition {number - 1}: "
    with pytest.raises(BadInput, match=expected):
        score_dataset(seeded_home, scorer, parted, spread=on_ray)
    last.write_bytes(whole)
    scores = read_scores(seeded_home, score_dataset(seeded_home, scorer, parted).id)
    assert scores["sequence_id"].is_unique
    assert len(scores) == 120
    again = scores.loc[scores["score"] == 0.125, "sequence_id"]
    assert set(again) == set(marked["sequence_id"])


def test_a_cluster_that_does_not_answer_is_said_before_anything_is_scored(
    seeded_home: Home, scorer: Scorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(BadInput, match=r"No Ray cluster answers at RAY_ADDRESS=127.0.0.1:1"):
        score_dataset(seeded_home, scorer, "small", spread=on_ray)
    monkeypatch.setenv("RAY_ADDRESS", "nowhere")
    with pytest.raises(BadInput, match=r"no way into the cluster RAY_ADDRESS=nowhere: "):
        score_dataset(seeded_home, scorer, "small", spread=on_ray)


def test_without_ray_it_is_said_how_to_install_it(
    seeded_home: Home, scorer: Scorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(BadInput, match=r"pip install -r requirements-cluster.txt"):
        score_dataset(seeded_home, scorer, "small", spread=on_ray)


def test_a_gpu_that_the_cluster_lacks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPOOR_DEVICE", "cuda")
    with pytest.raises(BadInput, match="the cluster has no GPU"):
        cluster._device(0)
    assert cluster._device(2) == "cuda"


def test_a_machine_that_sees_another_model_at_the_same_path_takes_no_part(
    seeded_home: Home, parted: str
) -> None:
    known = Known.of(seeded_home, "finetuned", parted, seeded_home.checkpoints)
    with pytest.raises(BadInput, match="must lie on a disk that all machines share"):
        Worker().load(
            seeded_home.path, "finetuned", "cpu", dataset_id=parted, model=b"other", known=known
        )
