import numpy as np
import pytest

from core.explain.comparing import SHARES, Measured, compare, rank_correlation, shared_top


def _cases(count: int, **areas: float) -> list[Measured]:
    """Cases in which insertion is on average so much above deletion; `random` has none of it."""
    rng = np.random.default_rng(0)
    cases = []
    for case in range(count):
        noisy = {
            name: area + 0.05 * (-1) ** (case + place)
            for place, (name, area) in enumerate(areas.items())
        }
        values = {name: rng.permutation(6).astype(float) for name in areas}
        curves = {name: np.tile([[0.6], [0.4]], len(SHARES)) for name in (*areas, "random")}
        pairs = {name: (0.5 - area / 2, 0.5 + area / 2) for name, area in noisy.items()}
        seconds = dict.fromkeys(areas, 0.5)
        cases.append(Measured(values, seconds, curves, pairs | {"random": (0.5, 0.5)}))
    return cases


def test_the_best_comes_first_and_is_trusted_alone_if_it_is_surely_better():
    found = compare(_cases(10, shap=0.4, occlusion=0.2, lime=0.0))
    assert [one["method"] for one in found["methods"]] == ["shap", "occlusion", "lime"]
    assert found["trust"] == ["shap"]
    assert found["summary"] == (
        "Trust SHAP values: on these 10 cases no other method surely finds what the score rests "
        "on as well."
    )
    gain = found["methods"][0]["gain"]
    assert gain["low"] < gain["value"] < gain["high"]
    assert gain["value"] == pytest.approx(0.4, abs=0.03)
    assert found["methods"][0]["curves"]["deletion"] == pytest.approx([0.6] * len(SHARES))


def test_methods_that_cannot_be_told_from_the_best_are_named_beside_it():
    found = compare(_cases(10, shap=0.3, occlusion=0.3, integrated_gradients=0.3, lime=0.1))
    assert set(found["trust"]) == {"shap", "occlusion", "integrated_gradients"}
    assert found["summary"].endswith("not clearly worse.")
    assert "LIME" not in found["summary"]


def test_a_difference_that_is_sure_but_small_does_not_count():
    sure = compare(_cases(10, shap=0.31, occlusion=0.0, lime=0.3))  # the same in every case
    assert sure["trust"] == ["shap", "lime"]
    assert sure["summary"].endswith("LIME is not clearly worse.")


def test_no_better_than_chance_is_not_trusted():
    found = compare(_cases(10, shap=0.0, lime=-0.2))
    assert found["trust"] == []
    assert "no method finds what the score rests on better than chance" in found["summary"]


def test_few_cases_decide_nothing():
    found = compare(_cases(4, shap=0.4, lime=0.0))
    assert found["trust"] == []
    assert found["summary"].startswith("Too few cases")


def test_agreement_is_that_of_orders_and_of_the_top_three():
    rising = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    assert rank_correlation(rising, rising**3) == pytest.approx(1.0)
    assert rank_correlation(rising, -rising) == pytest.approx(-1.0)
    assert rank_correlation(rising, np.zeros(5)) == 0.0
    assert shared_top(rising, rising) == 1.0
    assert shared_top(rising, -rising) == pytest.approx(1 / 3)
    assert shared_top(rising[:2], -rising[:2]) == 1.0
