import numpy as np
import pytest

from core.explain.aligning import align, alike


def test_equal_events_stand_opposite_each_other_and_what_is_extra_stands_alone():
    left, right = ["login", "view", "cart", "order"], ["login", "cart", "order", "refund"]
    assert align(left, right) == [(0, 0), (1, None), (2, 1), (3, 2), (None, 3)]
    assert alike(align(left, right), left, right) == 3


def test_events_that_differ_between_equal_ones_stand_opposite_each_other():
    left, right = ["login", "view", "order"], ["login", "cart", "order"]
    assert align(left, right) == [(0, 0), (1, 1), (2, 2)]
    assert alike(align(left, right), left, right) == 2


@pytest.mark.parametrize("sizes", [(1, 1), (0, 3), (900, 900), (3, 900)])
def test_every_event_stands_in_one_pair(sizes):
    rng = np.random.default_rng(0)
    left, right = (rng.choice(["view", "cart", "order"], size).tolist() for size in sizes)
    pairs = align(left, right)
    assert [own for own, _ in pairs if own is not None] == list(range(sizes[0]))
    assert [other for _, other in pairs if other is not None] == list(range(sizes[1]))
