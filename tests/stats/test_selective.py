"""Answering only when sure: the curve, its area, the four cells and the choice of a threshold."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suffice.stats.claim import Claim
from suffice.stats.selective import abstention_cells, aurc, best_threshold, coverage_curve

points = st.lists(st.tuples(st.integers(0, 5).map(lambda k: k / 5), st.booleans()), min_size=1, max_size=40)


@given(points)
def test_the_curve_counts_what_each_threshold_answers(rows):
    confidence, right = [c for c, _ in rows], [r for _, r in rows]
    curve = coverage_curve(confidence, right)
    for threshold, answered, good in zip(curve.threshold, curve.answered, curve.right, strict=True):
        cells = abstention_cells(confidence, right, threshold)
        assert (cells.answered_right + cells.answered_wrong, cells.answered_right) == (answered, good)
        assert sum(cells) == len(rows)
    assert curve.coverage[-1] == 1.0
    assert (np.diff(curve.threshold) < 0).all()


@given(points, st.randoms())
def test_the_area_does_not_depend_on_how_ties_are_listed(rows, random):
    shuffled = random.sample(rows, len(rows))
    assert aurc(*zip(*rows, strict=True)) == pytest.approx(aurc(*zip(*shuffled, strict=True)))


def test_known_areas():
    assert aurc([0.9, 0.8, 0.7], [True, True, True]) == 0.0
    assert aurc([0.9, 0.1], [False, True]) == pytest.approx((1 + 0.5) / 2)
    assert aurc([0.5] * 4, [True, True, False, False]) == pytest.approx(0.5)


def test_cases_without_a_confidence_lower_the_coverage():
    assert coverage_curve([0.9, 0.8], [True, False], seen=4).coverage.tolist() == [0.25, 0.5]
    with pytest.raises(ValueError, match="cases"):
        coverage_curve([0.9, 0.8], [True, False], seen=1)


def drawn(n=600, seed=0):
    rng = np.random.default_rng(seed)
    confidence = rng.random(n)
    return confidence.tolist(), (rng.random(n) < 0.6 + 0.4 * confidence).tolist()


def test_a_demanded_coverage_balances_both_chances():
    confidence, right = drawn()
    chosen = best_threshold(confidence, right, Claim(0.85, 0.05, 300, 0.025, coverage=0.6))
    curve = coverage_curve(confidence, right)
    assert 0.55 < chosen.answered / 600 < 0.8
    everything = best_threshold(confidence, right, Claim(0.85, 0.05, 300, 0.025, coverage=0.99))
    assert everything.answered / 600 > 0.9
    assert chosen.value in curve.threshold


def test_coverage_max_answers_most_at_a_predicted_chance_of_three_in_five():
    confidence, right = drawn()
    chosen = best_threshold(confidence, right, Claim(0.85, 0.05, 300, 0.025, coverage=0.0))
    assert chosen.chances.rate >= 0.6
    assert 0.3 < chosen.answered / 600 < 1.0
    hopeless = best_threshold(confidence, [False] * 600, Claim(0.85, 0.05, 300, 0.025, coverage=0.0))
    assert hopeless.chances.rate < 0.6


def test_a_few_thousand_points_take_little_time():
    confidence, right = drawn(5000)
    start = time.perf_counter()
    best_threshold(confidence, right, Claim(0.85, 0.05, 1000, 0.025, coverage=0.6))
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize(
    "bad",
    [
        lambda: coverage_curve([], []),
        lambda: coverage_curve([0.5], [True, False]),
        lambda: aurc([float("nan")], [True]),
        lambda: best_threshold([0.5], [True], Claim(0.8, 0.05, 100, 0.025)),
    ],
)
def test_what_makes_no_curve_is_refused(bad):
    with pytest.raises(ValueError):
        bad()
