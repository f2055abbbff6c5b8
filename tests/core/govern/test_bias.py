import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from core.__main__ import app
from core.errors import BadInput
from core.explain.cohort import ALL, cohort
from core.explain.groups import MOST_GROUPS, NOT_GIVEN, OTHER, group_actors
from core.govern.bias import EVERYBODY, bias
from core.govern.config import TrainConfig
from core.govern.log import read_log
from core.govern.training import train
from core.logs.importing import import_log
from core.logs.labels import attach_labels
from core.scoring.cases import read_scores
from core.scoring.engine import Scorer
from core.scoring.runs import score_dataset
from core.store import models, runs
from core.store.home import Home, open_home
from tests.conftest import small_log
from tests.tiny import TINY

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def grouped(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A labelled log whose actors come by one of ten channels, some by none, and a tiny model."""
    folder = tmp_path_factory.mktemp("grouped")
    log = small_log(actors=90)
    number = log["user_id"].str[1:].astype(int)
    log["channel"] = [f"ch{n % 20 % 10}" if n % 7 else None for n in number]
    log.to_csv(folder / "log.csv", index=False)
    truth = pd.DataFrame({"user_id": log["user_id"].unique()})
    truth["abuse"] = [int(user[1:]) % 3 == 0 for user in truth["user_id"]]
    truth.to_csv(folder / "labels.csv", index=False)
    home = open_home(folder / "home")
    import_log(home, folder / "log.csv", name="grouped")
    attach_labels(home, "grouped", folder / "labels.csv", key="user_id", label="abuse", on="actor")
    model = train(home, "grouped", config=TINY, model_id="tiny")
    with home.engine.begin() as con:
        models.promote(con, model.id, "analyst")
    scores = score_dataset(home, Scorer.load(home.model_dir("tiny")), "grouped")
    with home.engine.begin() as con:
        models.set_threshold(con, "tiny", float(np.median(_actor_scores(home, scores.id))), "eva")
    return home


def _actor_scores(home: Home, run_id: str) -> pd.Series:
    return read_scores(home, run_id).groupby("actor_id")["score"].max()


def test_actors_are_in_the_group_of_their_value_and_small_groups_are_joined(grouped: Home) -> None:
    groups = group_actors(grouped, "grouped", "channel")
    assert len(groups) == 90
    assert groups["u000"] == NOT_GIVEN
    assert OTHER in set(groups)
    assert groups["u001"] in ("ch1", OTHER)
    assert groups.nunique() == MOST_GROUPS


def test_rates_of_each_group_are_those_counted_by_hand(grouped: Home) -> None:
    found = bias(grouped, "tiny", "grouped", "channel")
    with grouped.engine.connect() as con:
        run = runs.newest(con, "grouped", "tiny")
        threshold = models.threshold(con, "tiny")
    assert run is not None
    scores = _actor_scores(grouped, run.id)
    groups = group_actors(grouped, "grouped", "channel")
    bags = read_log(grouped, "grouped").bags
    assert bags is not None
    log = read_log(grouped, "grouped").sequences["actor_id"].to_numpy()
    held_out = log[bags.of("test").first]
    assert found["groups"][0]["group"] == EVERYBODY
    assert sum(one["actors"] for one in found["groups"][1:]) == len(scores)
    for one in found["groups"]:
        inside = groups.index if one["group"] == EVERYBODY else groups[groups == one["group"]].index
        flagged = scores[inside] >= threshold
        assert one["actors"] == len(inside)
        assert one["flagged"]["value"] == pytest.approx(flagged.mean())
        assert one["flagged"]["low"] <= flagged.mean() <= one["flagged"]["high"]
        known = [actor for actor in held_out if actor in inside]
        abusive = [actor for actor in known if int(actor[1:]) % 3 == 0]
        innocent = [actor for actor in known if actor not in abusive]
        assert (one["labelled"], one["abuse"]) == (len(known), len(abusive))
        for rate, members, hit in (("missed", abusive, False), ("false_alarms", innocent, True)):
            if members:
                expected = np.mean([flagged[actor] == hit for actor in members])
                assert one[rate]["value"] == pytest.approx(expected)
                # Few units never make sure, also where all of them agree.
                assert one[rate]["high"] - one[rate]["low"] > 0
            else:
                assert one[rate] is None


def test_errors_are_counted_on_the_units_the_training_held_out(grouped: Home) -> None:
    config = TrainConfig(TINY.layout, TINY.size, TINY.pretrain, TINY.finetune, split_by="time")
    train(grouped, "grouped", config=config, model_id="by-time")
    score_dataset(grouped, Scorer.load(grouped.model_dir("by-time")), "grouped")
    everybody = bias(grouped, "by-time", "grouped", "channel")["groups"][0]
    bags = {by: read_log(grouped, "grouped", split_by=by).bags for by in ("time", "actor")}
    last, drawn = (bags[by].of("test") for by in ("time", "actor"))
    assert set(last.first) != set(drawn.first)
    counted = (everybody["labelled"], everybody["abuse"])
    assert counted == (len(last), last.label.sum()) != (len(drawn), drawn.label.sum())


def test_a_column_that_makes_no_groups_and_a_log_not_scored_are_refused(
    grouped: Home,
) -> None:
    with pytest.raises(BadInput, match="Accepted: channel"):
        bias(grouped, "tiny", "grouped", "price")
    with pytest.raises(BadInput, match="Accepted: waiting, decision, scheme, channel"):
        cohort(grouped, "tiny", "grouped", "nope")


def test_what_the_model_leans_on_is_the_mean_of_what_the_explanations_say(grouped: Home) -> None:
    before = cohort(grouped, "tiny", "grouped", "channel")
    assert {one["explained"] for one in before["groups"]} == {0}
    answered = CliRunner().invoke(
        app, ["cohort", "tiny", "grouped", "--by", ALL, "--home", str(grouped.path), "--json"]
    )
    assert answered.exit_code == 0, answered.output
    (group,) = json.loads(answered.stdout)["groups"]
    assert group["explained"] == group["cases"] > 1
    assert sum(fact["share"] for fact in group["facts"]) == pytest.approx(1)
    assert [fact["moved"] for fact in group["facts"]] == sorted(
        (fact["moved"] for fact in group["facts"]), reverse=True
    )
    for fact in group["facts"]:
        assert abs(fact["direction"]) <= fact["moved"] + 1e-9
        assert 1 <= fact["seen_in"] <= group["cases"]
    after = cohort(grouped, "tiny", "grouped", "channel")
    assert sum(one["explained"] for one in after["groups"]) == group["cases"]
    moved = sum(
        one["explained"] * sum(fact["moved"] for fact in one["facts"]) for one in after["groups"]
    )
    whole = group["cases"] * sum(fact["moved"] for fact in group["facts"])
    assert moved == pytest.approx(whole)


def test_the_command_line_compares_groups(grouped: Home, tmp_path: Path) -> None:
    asked = ["bias", "tiny", "grouped", "channel", "--home", str(grouped.path), "--json"]
    answered = CliRunner().invoke(app, asked)
    assert answered.exit_code == 0, answered.output
    assert len(json.loads(answered.stdout)["groups"]) == MOST_GROUPS + 1
