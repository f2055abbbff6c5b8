import pytest

from core.charts import look
from core.charts.trainings import MEASURES, measured, overlay


def point(phase: str, epoch: int, loss: float, ap: float | None = None) -> dict:
    judged = {} if ap is None else {"validation_ap": ap, "validation_loss": 1 - ap}
    return {"phase": phase, "epoch": epoch, "loss": loss, "progress": 0.1, **judged}


FIRST = [
    point("pre-training", 1, 3.0),
    point("pre-training", 2, 2.0),
    point("fine-tuning", 1, 0.7, 0.5),
    point("fine-tuning", 2, 0.4, 0.9),
]
KILLED = [point("pre-training", 1, 2.5)]


def test_curves_lie_over_each_other_by_round():
    figure = overlay({"one": FIRST, "<two>": FIRST[:3]}, "Validation average precision")
    lines = {line.name: (list(line.x), list(line.y)) for line in figure.data}
    assert lines == {"one": ([1, 2], [0.5, 0.9]), "&lt;two&gt;": ([1], [0.5])}
    assert "higher is better" in figure.layout.yaxis.title.text


def test_a_training_that_got_nowhere_is_left_out_and_colours_stay():
    figure = overlay({"killed": KILLED, "one": FIRST}, "Fine-tuning loss")
    assert [line.name for line in figure.data] == ["one"]
    assert figure.data[0].line.color == look.SERIES[1]


@pytest.mark.parametrize(
    ("curves", "names"),
    [([], []), ([KILLED], ["Pre-training loss"]), ([KILLED, FIRST], list(MEASURES))],
)
def test_only_what_was_measured_is_offered(curves, names):
    assert measured(curves) == names
