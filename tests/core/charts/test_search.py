import numpy as np
import pandas as pd
import pytest

from core.charts.search import history, parallel

TRIALS = pd.DataFrame(
    {
        "trial": [0, 1, 2, 3],
        "status": ["done", "failed", "pruned", "done"],
        "value": [0.5, np.nan, 0.9, 0.7],
    }
)


def test_the_best_so_far_counts_only_trials_that_finished():
    lines = {line.name: line for line in history(TRIALS).data}
    assert list(lines["finished"].x) == [0, 3]
    assert list(lines["given up early"].y) == [0.9]
    best = lines["best so far"].y
    assert [best[0], best[2], best[3]] == [0.5, pytest.approx(np.nan, nan_ok=True), 0.7]


def test_settings_of_several_magnitudes_are_spread_by_magnitude():
    settings = pd.DataFrame({"learning rate": [1e-4, 1e-3, 1e-2], "layers": [2, 3, 2]})
    rate, layers, value = parallel(settings, pd.Series([0.1, 0.2, 0.3])).data[0].dimensions
    assert list(rate["values"]) == pytest.approx([-4, -3, -2])
    assert list(rate["ticktext"]) == ["0.0001", "0.001", "0.01"]
    assert list(layers["tickvals"]) == [2, 3]
    assert list(value["values"]) == [0.1, 0.2, 0.3]


def test_a_single_value_is_an_axis_too():
    figure = parallel(pd.DataFrame({"layers": [2, 2]}), pd.Series([0.1, 0.2]))
    assert list(figure.data[0].dimensions[0]["ticktext"]) == ["2"]
