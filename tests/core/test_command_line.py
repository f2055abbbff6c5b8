"""The command line, in process: importing torch takes too long for one process per test."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from core.__main__ import app
from core.store import jobs, models
from core.store.home import Home
from core.store.tables import labels as labels_table
from tests.conftest import small_log

RUNNER = CliRunner()


def run(*arguments: object, code: int = 0) -> dict[str, Any]:
    """Run a verb with --json; return what it printed."""
    result = RUNNER.invoke(app, [*map(str, arguments), "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout) if code == 0 else {"error": result.stderr}


def refused(*arguments: object) -> str:
    error: str = run(*arguments, code=1)["error"]
    assert error.startswith("spoor: ")
    assert error.count("\n") == 1  # one clear line
    return error


def test_a_look_at_a_log_writes_nothing_and_names_what_fits(tmp_path: Path) -> None:
    small_log().to_csv(tmp_path / "log.csv", index=False)
    folder = tmp_path / "home"
    found = run("inspect", tmp_path / "log.csv", "--home", folder)
    assert not folder.exists()
    assert found["templates"] == []
    assert found["columns"][0]["reason"] == "named like 'user', and its values come back"
    assert found["columns"][0]["confidence"] == 0.95
    (folder / "templates").mkdir(parents=True)
    (folder / "templates" / "shop.json").write_text('{"roles": {"actor": "user_id"}}')
    assert run("inspect", tmp_path / "log.csv", "--home", folder)["templates"] == ["shop"]


def test_the_whole_path_from_a_log_to_a_promoted_model(home: Home, tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    small_log().to_csv(log, index=False)
    inspected = run("inspect", log)
    assert inspected["mapping"]["roles"]["actor"] == "user_id"
    assert set(inspected) >= {"format", "mapping", "quality"}
    imported = run("import", log, "--name", "Shop")
    assert imported["dataset"] == "shop"
    assert imported["accepted"] == imported["read"] == len(small_log())

    first = run("train", "shop", "--epochs", 1)
    assert first["kind"] == "unusualness"
    run("score", first["model"], "shop")
    with home.engine.connect() as con:  # whoever opens the page has the cases explained
        assert jobs.unfinished(con)["kind"].tolist() == ["explain"]
    queue = run("queue", "shop")["cases"]
    assert queue[0]["score"] == max(case["score"] for case in queue)
    explained = run("explain", first["model"], "shop", queue[0]["sequence_id"])
    parts = [explained["profile"], *explained["events"]]
    total = explained["base_value"] + sum(part["value"] for part in parts)
    assert total == pytest.approx(explained["score"], abs=1e-5)

    labels = tmp_path / "labels.csv"
    users = small_log()["user_id"].drop_duplicates()
    labels.write_text(
        "who,bad\n" + "\n".join(f"{user},{int(int(user[1:]) % 3 == 0)}" for user in users)
    )
    attached = run("labels", "shop", labels, "--key", "who", "--label", "bad")
    assert attached == {"attached": 60, "unmatched": 0, "on": "actor"}
    second = run("train", "shop", "--from", first["model"], "--epochs", 3)
    assert second["kind"] == "probability"
    told = run("trainings", "shop")["trainings"]
    assert [one["model_id"] for one in told] == [second["model"], first["model"]]
    assert [one["status"] for one in told] == ["done", "done"]
    judged = run("evaluate", second["model"], "shop")
    assert judged["unit"] == "actor"
    assert set(judged["metrics"]["roc_auc"]) == {"value", "low", "high"}
    assert judged["positives"] + judged["negatives"] > 0
    assert "gradient_boosting_counts" in judged["baselines"]

    out = tmp_path / "scores.csv"
    scored = run("score", second["model"], "shop", "--out", out)
    assert out.read_text().startswith("sequence_id,actor_id,score")
    assert len(out.read_text().splitlines()) == scored["sequences"] + 1
    assert run("promote", first["model"]) == {"active": first["model"]}
    assert run("promote", second["model"]) == {"active": second["model"]}
    assert run("rollback") == {"active": first["model"]}


def test_a_verdict_is_given_undone_and_exported(seeded_home: Home, tmp_path: Path) -> None:
    first, second = (case["id"] for case in run("queue", "small")["cases"][:2])
    said = run("verdict", first, "confirmed", "--scheme", "fake_orders", "--analyst", "ann")
    assert said["next"] == second
    assert run("undo", "--analyst", "ann") == {"case": first}
    run("verdict", first, "legitimate", "--confidence", "0.4", "--analyst", "ann")
    out = tmp_path / "verdicts.parquet"
    assert run("export", "small", out)["rows"] == 1
    assert pd.read_parquet(out)["confidence"].tolist() == [0.4]


def test_deleting_a_data_set_takes_all_that_hangs_on_it(seeded_home: Home) -> None:
    runs = seeded_home.path / "runs"
    assert list(runs.iterdir())
    run("delete", "small")
    assert run("datasets") == {"datasets": []}
    assert list(runs.iterdir()) == []
    assert not seeded_home.dataset_dir("small").exists()
    assert {model["id"] for model in run("models")["models"]} == {"pretrained", "finetuned"}


def test_what_is_missing_is_null_in_json(seeded_home: Home) -> None:
    with seeded_home.engine.begin() as con:
        parent = models.get(con, "finetuned")
        models.add(con, replace(parent, id="child", parent_id="finetuned", status="candidate"))
    parents = {model["id"]: model["parent_id"] for model in run("models")["models"]}
    assert parents == {"pretrained": None, "finetuned": None, "child": "finetuned"}


def test_doctor_names_what_it_found(seeded_home: Home) -> None:
    found = run("doctor")
    assert found["active"] == "finetuned"
    assert found["database"] == "sqlite"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"a,b\n1,2\n3,4\n", "actor"),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x4b\x4c", ""),
        (bytes(range(256)) * 20, ""),
    ],
)
def test_a_log_that_cannot_be_used_is_refused(
    home: Home, tmp_path: Path, content: bytes, said: str
) -> None:
    log = tmp_path / "log.csv"
    log.write_bytes(content)
    assert said in refused("import", log).lower()
    assert run("datasets") == {"datasets": []}
    assert not (home.path / "datasets").exists() or not list((home.path / "datasets").iterdir())


def test_what_is_not_there_is_refused_with_what_is(seeded_home: Home, tmp_path: Path) -> None:
    assert "Models: " in refused("score", "nope", "small")
    assert "Data sets: small" in refused("train", "nope")
    assert "no sequence 'nope'" in refused("explain", "finetuned", "small", "nope")
    assert "absent.csv" in refused("import", tmp_path / "absent.csv")
    assert "accepted are .csv and .parquet" in refused("export", "small", tmp_path / "v.xls")


@pytest.mark.parametrize("seed", [-1, 2**31])
@pytest.mark.parametrize(
    "verb",
    [("train", "small"), ("tune", "small", "--trials", 1), ("robustness", "finetuned", "small"),
     ("ask", "small")],
)  # fmt: skip
def test_a_seed_that_none_takes_is_refused_before_anything_is_done(
    seeded_home: Home, verb: tuple[object, ...], seed: int
) -> None:
    assert f"{seed} is no seed" in refused(*verb, "--seed", seed)


def test_labels_of_one_class_only_are_refused(home: Home, tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    small_log().to_csv(log, index=False)
    run("import", log, "--name", "shop")
    labels = tmp_path / "labels.csv"
    users = small_log()["user_id"].drop_duplicates()
    labels.write_text("who,bad\n" + "\n".join(f"{user},1" for user in users))
    run("labels", "shop", labels, "--key", "who", "--label", "bad", "--positive", "1")
    assert "0 verdicts or labels say legitimate" in refused("train", "shop")
    assert run("models") == {"models": []}


def test_a_corrupt_model_directory_is_refused(seeded_home: Home) -> None:
    (seeded_home.model_dir("finetuned") / "model.safetensors").write_bytes(b"not weights")
    assert "finetuned" in refused("score", "finetuned", "small")


def test_the_same_file_again_adds_what_is_new(seeded_home: Home, tmp_path: Path) -> None:
    log = tmp_path / "grows.csv"
    log.write_text("user,item\nu1,a\nu1,b\n")
    first = run("import", log)
    assert first["added"] == 2
    assert run("import", log) == {**first, "added": 0}
    log.write_text("user,item\nu1,a\nu1,b\nu2,a\n")
    grown = run("import", log)
    assert (grown["dataset"], grown["added"], grown["accepted"]) == (first["dataset"], 1, 3)
    assert run("import", log, "--name", "other")["dataset"] == "other"
    other = tmp_path / "tuesday.csv"
    other.write_text("user,item\nu3,a\n")
    assert run("import", other, "--into", first["dataset"])["accepted"] == 4
    assert "takes its mapping" in refused("import", other, "--into", "other", "--name", "x")


def test_wrong_usage_exits_with_2() -> None:
    assert RUNNER.invoke(app, ["import"]).exit_code == 2
    assert RUNNER.invoke(app, ["nonsense"]).exit_code == 2


def test_asking_for_labels_names_whom_and_why(seeded_home: Home) -> None:
    with seeded_home.engine.begin() as con:
        con.execute(labels_table.delete())
    asked = run("ask", "small", "--size", 6)
    assert asked["added"] == len(asked["cases"]) == 6
    assert {case["source"] for case in asked["cases"]} == {"outlier", "random"}
    assert "no way to choose 'best'" in refused("ask", "small", "--strategy", "best")


def test_a_search_of_settings_ends_in_a_candidate(seeded_home: Home) -> None:
    found = run("tune", "small", "--trials", 1, "--sampler", "random", "--epochs", 1, "--seed", 2)
    assert found["trials"] == {"done": 1, "pruned": 0, "failed": 0}
    assert set(found["best"]) == {"trial", "settings", "validation_ap"}
    assert found["model"] in [one["id"] for one in run("models")["models"]]
    assert "at least one trial" in refused("tune", "small", "--trials", 0)
    run("tune", "small", "--trials", 1, "--sampler", "magic", code=2)


def test_methods_of_explaining_are_compared_for_the_model_in_force(seeded_home: Home) -> None:
    found = run("faithfulness", "small", "--cases", 2)
    assert (found["model"], found["cases"]) == ("finetuned", 2)
    assert {"gain", "deletion", "insertion", "agreement", "seconds"} <= set(found["methods"][0])
    assert found["summary"].startswith("Too few cases")
    assert "accepted are 1 to 50" in refused("faithfulness", "small", "--cases", 0)
    assert "no model 'magic'" in refused("faithfulness", "small", "--model", "magic")
    assert "'nope'" in refused("faithfulness", "nope")


def test_a_back_bone_that_does_not_exist_is_refused(seeded_home: Home) -> None:
    assert "Back-bones: behaviour-small" in refused("train", "small", "--backbone", "magic")


def test_a_what_if_says_what_edits_do_and_a_counterfactual_which_would_clear(
    seeded_home: Home, tmp_path: Path
) -> None:
    first = run("queue", "small")["cases"][0]
    case = ("finetuned", "small", first["sequence_id"])
    edits = tmp_path / "edits.json"
    edits.write_text("{}")
    unchanged = run("whatif", *case, "--edits", edits)
    assert unchanged["score"] == unchanged["before"] == pytest.approx(first["score"], abs=1e-6)
    assert unchanged["difference"] == 0
    found = run("counterfactual", *case)
    assert found["score"] == unchanged["before"]
    if found["without"]["events"]:
        edits.write_text(json.dumps({"delete": found["without"]["events"]}))
        cleared = run("whatif", *case, "--edits", edits)
        assert cleared["score"] < found["threshold"]
        assert cleared["reasons"]
    edits.write_text('{"remove": [1]}')
    assert "remove" in refused("whatif", *case, "--edits", edits)
    assert "cannot be read" in refused("whatif", *case, "--edits", tmp_path / "absent.json")
    assert "no sequence 'nope'" in refused("counterfactual", "finetuned", "small", "nope")


def test_a_queue_is_reviewed_blind_and_says_whether_explanations_help(seeded_home: Home) -> None:
    by_score = [case["id"] for case in run("queue", "small")["cases"]]
    assert run("blind", "small")["blind"] is False
    assert run("blind", "small", "--on", "--analyst", "lea")["blind"] is True
    first, *others = (case["id"] for case in run("queue", "small")["cases"])
    assert sorted([first, *others]) == sorted(by_score)
    given = run("impression", first, "events", "unclear", "--seconds", 12, "--analyst", "ann")
    assert given["next"] == "score"
    assert "ann has decided that stage" in refused(
        "impression", first, "events", "unclear", "--analyst", "ann"
    )
    assert run("impression", first, "score", "confirmed", "--analyst", "ann")["next"] == (
        "explanation"
    )
    assert run("verdict", first, "confirmed", "--analyst", "ann")["next"] == others[0]
    found = run("blind", "small")
    assert (found["cases"], found["through_all_stages"]) == (1, 1)
    assert found["stages"][0]["by_label"]["cases"] == 1  # the log came with labels
    assert found["conclusion"].startswith("There are too few cases")
    assert run("undo", "--analyst", "ann") == {"case": first}
    assert run("undo", "--analyst", "ann") == {"case": first}
    assert run("blind", "small", "--off")["taken_back"] == 1
    assert [case["id"] for case in run("queue", "small")["cases"]] == by_score
    assert "Data sets: small" in refused("blind", "nope")
    run("impression", first, "explanation", "confirmed", code=2)
