"""What small changes of behaviour do to scores, and what hiding abuse does."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from core.__main__ import app
from core.errors import BadInput
from core.govern.log import read_log
from core.govern.perturbing import CAMOUFLAGE, SMALL, Perturbations, encoded, remeasured
from core.govern.robustness import measure_robustness
from core.govern.wording import robustness
from core.logs.mapping import Mapping
from core.scoring.engine import Scorer
from core.store import models
from core.store.home import Home, open_home
from core.store.tables import labels as labels_table
from tests.conftest import as_split_by_time

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def measured_home(seeded: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A seeded home whose model was measured once."""
    folder = tmp_path_factory.mktemp("measured")
    shutil.copytree(seeded, folder, dirs_exist_ok=True)
    home = open_home(folder / "home")
    measure_robustness(home, "finetuned", "small")
    return home


@pytest.fixture
def report(measured_home: Home) -> dict:
    with measured_home.engine.connect() as con:
        return models.get(con, "finetuned").metrics["robustness"]


def test_what_is_not_perturbed_keeps_every_fact_and_score(seeded_home: Home) -> None:
    log = read_log(seeded_home, "small")
    scorer = Scorer.load(seeded_home.model_dir("finetuned"))
    tokenizer = scorer.encoder.tokenizer
    batch, rows = encoded(log.events(), log.sequences, log.mapping, log.actions, tokenizer)
    assert rows.tolist() == list(range(len(log.sequences)))
    np.testing.assert_array_equal(batch.ids, log.encode(tokenizer).ids)


def test_facts_follow_what_is_perturbed(seeded_home: Home) -> None:
    log = read_log(seeded_home, "small")
    found = Perturbations.of(log.mapping, log.events())
    rng = np.random.default_rng(0)
    events = found.small["drop_event"](log.events(), rng)
    measured, sequences = remeasured(events, log.sequences, log.mapping, log.actions)
    assert (sequences["events"] == log.sequences["events"] - 1).all()
    assert (
        measured.groupby("sequence_id")["nth"].max() == measured.groupby("sequence_id").size()
    ).all()
    events = found.camouflage(0.5)(log.events(), rng)
    measured, sequences = remeasured(events, log.sequences, log.mapping, log.actions)
    assert (sequences["events"] == 2 * log.sequences["events"]).all()
    assert measured.groupby("actor_id")["ts"].is_monotonic_increasing.all()
    gaps = measured.groupby("actor_id")["ts"].diff().dt.total_seconds()
    np.testing.assert_allclose(measured["gap"], gaps, atol=1e-6)


def test_a_sequence_grown_too_long_goes_on_in_a_further_one(seeded_home: Home) -> None:
    log = read_log(seeded_home, "small")
    short = log.mapping.model_copy(
        update={"sequence": log.mapping.sequence.model_copy(update={"max_events": 6})}
    )
    _, sequences = remeasured(log.events(), log.sequences, short, log.actions)
    assert sequences["events"].max() == 6
    assert sequences.groupby(level=0)["events"].sum().tolist() == log.sequences["events"].tolist()


def test_every_perturbation_is_reported_with_its_uncertainty(report: dict) -> None:
    assert {*report["perturbations"], *report["missing"]} == set(SMALL)
    assert [one["share"] for one in report["camouflage"]] == list(CAMOUFLAGE)
    for one in [*report["perturbations"].values(), *report["camouflage"]]:
        assert 0 <= one["median"] <= one["p95"] <= 1
        for rate in (one["flipped"], one["recall"]):
            assert 0 <= rate["low"] <= rate["value"] <= rate["high"] <= 1
    json.dumps(report, allow_nan=False)


def test_the_more_normal_events_hide_abuse_the_lower_it_scores_and_the_less_is_found(
    seeded_home: Home, report: dict
) -> None:
    moved = [one["mean"] for one in report["camouflage"]]
    assert moved == sorted(moved)
    assert moved[-1] > 0.2
    with seeded_home.engine.begin() as con:
        models.set_threshold(con, "finetuned", 0.8, "eva")
    strict = measure_robustness(seeded_home, "finetuned", "small", perturbations=["drop_event"])
    assert strict["recall"]["value"] == 1
    assert strict["camouflage"][-1]["recall"]["value"] < 0.5


def test_the_report_stays_with_the_model_and_its_card(measured_home: Home, report: dict) -> None:
    with measured_home.engine.connect() as con:
        metrics = models.get(con, "finetuned").metrics
    assert metrics["test"]["f1"]  # nothing else was lost
    folder = measured_home.model_dir("finetuned")
    assert json.loads((folder / "metrics.json").read_text()) == metrics
    for sentence in report["summary"]:
        assert sentence in (folder / "README.md").read_text()


def test_the_same_seed_measures_the_same(seeded_home: Home, report: dict) -> None:
    assert measure_robustness(seeded_home, "finetuned", "small") == report


def test_a_model_split_by_time_is_measured_on_other_units(seeded_home: Home) -> None:
    def measured() -> dict:
        found = measure_robustness(seeded_home, "finetuned", "small", perturbations=["drop_event"])
        return found["perturbations"]

    drawn = measured()
    as_split_by_time(seeded_home, "finetuned")
    assert measured() != drawn


def test_a_model_without_labels_can_be_measured_once_the_log_has_some(seeded_home: Home) -> None:
    found = measure_robustness(seeded_home, "pretrained", "small")
    assert found["camouflage"]


def test_what_does_not_fit_a_log_is_named_with_the_reason(seeded_home: Home) -> None:
    events = read_log(seeded_home, "small").events()
    bare = Mapping.model_validate({"roles": {"actor": "user_id"}})
    found = Perturbations.of(bare, events)
    assert set(found.small) == {"drop_event", "pad_views"}
    assert found.missing == {
        "jitter_gaps": "the log has no times",
        "swap_items": "the log has no items with prices or other numbers",
    }
    assert found.harmless == "view"
    assert Perturbations.of(bare, events.assign(action="pay")).harmless == "pay"


def test_bad_requests_are_refused_in_plain_words(seeded_home: Home) -> None:
    def refused(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["robustness", *arguments])
        assert result.exit_code == 1
        return result.stderr

    assert "no perturbation 'shuffle'. Accepted: drop_event, jitter_gaps" in refused(
        "finetuned", "small", "--perturbation", "shuffle"
    )
    assert "There is no model 'nope'" in refused("nope", "small")
    with seeded_home.engine.begin() as con:
        con.execute(labels_table.delete())
    assert "'small' has no verdicts or labels" in refused("finetuned", "small")


def test_a_model_that_cannot_read_the_log_is_refused(seeded_home: Home, tmp_path) -> None:
    from core.logs.importing import import_log
    from core.logs.labels import attach_labels

    rows = [f"2026-01-01 00:{n % 60:02}:00,u{n % 40},{'abcd'[n % 4]},{n % 7}" for n in range(400)]
    (tmp_path / "other.csv").write_text("\n".join(["time,user_id,colour,weight", *rows]))
    (tmp_path / "truth.csv").write_text(
        "\n".join(["user,bad", *(f"u{n},{n % 2}" for n in range(40))])
    )
    other = import_log(seeded_home, tmp_path / "other.csv", name="other")
    attach_labels(
        seeded_home, other.id, tmp_path / "truth.csv", key="user", label="bad", on="actor"
    )
    with pytest.raises(BadInput, match="finetuned"):
        measure_robustness(seeded_home, "finetuned", "other")


def test_the_weakest_is_the_one_that_flips_most() -> None:
    def measured(flipped: float, mean: float) -> dict:
        rate = {"value": flipped, "low": flipped / 2, "high": 2 * flipped}
        return {"flipped": rate, "mean": mean, "p95": 0.5}

    def said(**small: dict) -> dict:
        return robustness(
            {"perturbations": small, "camouflage": [], "missing": {}, "harmless": "view"}
        )

    weak = said(drop_event=measured(0.02, 0.3), jitter_gaps=measured(0.1, 0.01))
    assert weak["weakest"] == "jitter_gaps"
    assert weak["summary"] == [
        "Weakest against changing the times between events by about a tenth: it flips 10.0 % of "
        "decisions (5.0 % to 20.0 %) and moves scores by 0.010 on average, 0.500 or more for one "
        "in twenty."
    ]
    firm = said(drop_event=measured(0.0, 0.3), jitter_gaps=measured(0.0, 0.01))
    assert firm["weakest"] == "drop_event"
    assert firm["summary"][0].startswith("No small change flips a decision; leaving out one event")
