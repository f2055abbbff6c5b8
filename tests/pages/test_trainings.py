from contextlib import suppress

import pytest

from core.errors import Cancelled
from core.govern.tracking import tracked
from core.store import jobs

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_worker_here")]


def stopped_training(home):
    point = {"phase": "pre-training", "epoch": 1, "loss": 3.0, "progress": 0.1}
    settings = {"seed": 7, "finetune": {"epochs": 2}}

    def stop(point):
        raise Cancelled

    with (
        suppress(Cancelled),
        tracked(home, "small", settings, analyst="eva", told=stop) as one,
    ):
        one.point(point)


def test_trainings_lie_over_each_other_the_stopped_one_too(open_page, seeded_home):
    stopped_training(seeded_home)
    app = open_page("train", dataset="small")
    assert not app.exception
    compared = next(one for one in app.multiselect if one.label == "Compare")
    assert len(compared.options) == len(compared.value) == 3
    assert compared.options[0].endswith("stopped by hand")
    table = app.dataframe[0].value
    assert table["ended"].tolist() == ["stopped by hand", "done", "done"]
    assert table["model"].tolist()[1:] == ["finetuned", "pretrained"]
    assert table["validation AP"].notna().tolist() == [False, True, False]
    assert table["seed"].tolist() == [7, 0, 0]
    assert len(app.get("plotly_chart")) == 1


def test_another_curve_can_be_chosen(open_page, seeded_home):
    app = open_page("train", dataset="small")
    app.session_state["measure"] = "Pre-training loss"
    assert not app.run().exception
    compared = next(one for one in app.multiselect if one.label == "Compare")
    assert not compared.set_value([]).run().exception
    assert not app.get("plotly_chart")


def test_a_back_bone_can_be_named(open_page, seeded_home):
    app = open_page("train", dataset="small")
    next(one for one in app.selectbox if one.label == "Back-bone").set_value("behaviour-base")
    next(one for one in app.button if one.label == "Train a candidate").click().run()
    with seeded_home.engine.connect() as con:
        asked = jobs.newest(con).iloc[0]["arguments"]
    assert asked["backbone"] == "behaviour-base"
