import numpy as np
import pytest

from core.review.intervals import matched_difference, median, median_difference, share


def test_a_share_has_wilsons_interval():
    # Newcombe (Statistics in Medicine 1998, "Two-sided confidence intervals for the single
    # proportion"), table I, method 3
    found = share(15, 148)
    assert found["value"] == pytest.approx(0.1014, abs=5e-5)
    assert (found["low"], found["high"]) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert share(0, 20)["low"] == 0
    assert share(0, 20)["high"] == pytest.approx(0.1611, abs=5e-5)
    assert share(0, 0) == {"value": None, "low": None, "high": None}


def test_a_matched_difference_keeps_its_width_where_nothing_changes():
    found = matched_difference(0, 0, 50)
    half = 1.959964 * np.sqrt(1 / 52 / 52)
    assert found["value"] == 0
    assert (found["low"], found["high"]) == pytest.approx((-half, half))
    assert matched_difference(0, 0, 0)["low"] is None


def test_a_matched_difference_covers_the_truth_nearly_always():
    rng = np.random.default_rng(0)
    cells = rng.multinomial(40, [0.25, 0.10, 0.65], size=2000)  # won, lost, unchanged
    found = [matched_difference(int(won), int(lost), 40) for won, lost, _ in cells]
    covered = np.mean([one["low"] <= 0.15 <= one["high"] for one in found])
    assert 0.93 <= covered <= 0.98


def test_medians_of_few_have_no_interval():
    assert median(np.array([])) == {"cases": 0, "value": None, "low": None, "high": None}
    assert median(np.array([3.0])) == {"cases": 1, "value": 3.0, "low": None, "high": None}
    assert median_difference(np.array([3.0]), np.array([1.0, 2.0]))["low"] is None


def test_a_difference_of_medians_is_told_from_none():
    rng = np.random.default_rng(1)
    slow, fast = rng.exponential(40, 200), rng.exponential(15, 200)
    assert median_difference(slow, fast)["low"] > 0
    assert median_difference(fast, slow)["high"] < 0
    same = median_difference(rng.exponential(15, 200), fast)
    assert same["low"] < 0 < same["high"]
    inside = median(slow)
    assert inside["low"] < inside["value"] < inside["high"]
