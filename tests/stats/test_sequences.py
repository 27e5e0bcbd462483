"""Confidence sequences: they hold at all times, agree with the tests, and end on the truth of a finite set."""

from __future__ import annotations

import numpy as np
import pytest

from suffice.stats.betting import BettingTest
from suffice.stats.clusters import cluster_score
from suffice.stats.exact import Null
from suffice.stats.sequences import cluster_sequence, confidence_sequence


@pytest.mark.parametrize("n", [60, None])
def test_the_mean_is_covered_at_all_times_at_once(n):
    runs, level, rng = 120, 0.8, np.random.default_rng(1)
    missed = 0
    for _ in range(runs):
        bounds = confidence_sequence(rng.beta(0.9, 0.3, 60).tolist(), level, n)
        missed += any(not b.low <= 0.75 <= b.high for b in bounds)
    assert missed / runs <= 0.2 + 3 * (0.16 / runs) ** 0.5


def test_bounds_only_close_in_and_agree_with_the_tests_at_the_same_alpha():
    scores = np.random.default_rng(2).beta(8, 2, 150)
    bounds = confidence_sequence(scores.tolist(), 0.9, 150)
    assert all(b.low <= c.low and b.high >= c.high for b, c in zip(bounds, bounds[1:], strict=False))
    last = bounds[-1]
    assert 0.65 < last.low < 0.8 < last.high < 0.9
    for bound, side, crosses in (
        (last.low, "pass", True),
        (last.low + 0.005, "pass", False),
        (last.high, "fail", True),
        (last.high - 0.005, "fail", False),
    ):
        test = BettingTest(Null(bound), 150, 0.05, side)
        assert any([test.observe(x) for x in scores]) == crosses


def test_of_a_finite_set_the_last_bounds_hold_nothing_but_its_mean():
    scores = np.random.default_rng(3).permutation(np.repeat([1.0, 0.5, 0.0], [30, 8, 2]))
    last = confidence_sequence(scores.tolist(), n=40, finite=True)[-1]
    assert last.low <= 0.85 <= last.high and last.high - last.low <= 0.0051


def test_clusters_have_a_sequence_of_their_own_and_equal_ones_the_plain_one():
    rng = np.random.default_rng(4)
    totals = rng.binomial(3, 0.9, 80).astype(float)
    assert cluster_sequence(totals.tolist(), [3] * 80, 3, n=80) == confidence_sequence((totals / 3).tolist(), n=80)
    sizes = rng.integers(1, 4, 80)
    right = rng.binomial(sizes, 0.9).astype(float)
    low, high = cluster_sequence(right.tolist(), sizes.tolist(), 3, 0.9, 80)[-1]
    assert low < 0.9 < high
    test = BettingTest(Null(low), 80, 0.05)
    assert any([test.observe(float(cluster_score(r, int(c), 3, low))) for r, c in zip(right, sizes, strict=True)])


@pytest.mark.parametrize("scores", [[1.1], [-0.1], [float("nan")], [0.5] * 4])
def test_impossible_scores_are_refused(scores):
    with pytest.raises(ValueError):
        confidence_sequence(scores, n=3)
