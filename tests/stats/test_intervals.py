"""Intervals: known values, the coverage they promise, and refusal where there is too little."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suffice.stats.intervals import (
    clopper_pearson,
    exact_sign_test,
    mean_difference,
    mean_interval,
    tango,
    wilson,
    wilson_clustered,
)


def test_known_values():
    assert wilson(9, 10)[1:3] == pytest.approx((0.5958, 0.9821), abs=1e-4)
    assert clopper_pearson(9, 10)[1:3] == pytest.approx((0.5550, 0.9975), abs=1e-4)
    assert clopper_pearson(0, 10).high == pytest.approx(1 - 0.025**0.1)
    assert exact_sign_test(10, 0) == pytest.approx(2 / 1024)
    assert exact_sign_test(5, 1) == pytest.approx(2 * 7 / 64)
    assert exact_sign_test(0, 0) == 1.0


@given(st.integers(1, 400), st.data())
def test_an_interval_holds_its_estimate_mirrors_and_is_never_a_point(n, data):
    right = data.draw(st.integers(0, n))
    for interval in (wilson, clopper_pearson):
        here, mirror = interval(right, n), interval(n - right, n)
        assert 0 <= here.low <= here.estimate <= here.high <= 1 and here.high > here.low and here.n == n
        assert (here.low, here.high) == pytest.approx((1 - mirror.high, 1 - mirror.low))


@given(st.integers(1, 300), st.data())
def test_a_paired_interval_holds_its_estimate_and_mirrors(n, data):
    better = data.draw(st.integers(0, n))
    worse = data.draw(st.integers(0, n - better))
    here, mirror = tango(better, worse, n), tango(worse, better, n)
    assert -1 <= here.low <= here.estimate + 1e-9 and here.estimate <= here.high + 1e-9 and here.high <= 1
    assert (here.low, here.high) == pytest.approx((-mirror.high, -mirror.low), abs=1e-9)


def test_where_no_pair_differs_tango_is_the_score_interval_of_zero():
    assert tango(0, 0, 50).high == pytest.approx(wilson(0, 50).high, abs=1e-4)


def covered(rng, runs, draw, truth):
    return sum(i.low <= truth <= i.high for i in (draw(rng) for _ in range(runs))) / runs


@pytest.mark.parametrize(("n", "p"), [(20, 0.95), (60, 0.8), (300, 0.9)])
def test_proportions_are_covered(n, p):
    rng = np.random.default_rng(1)
    assert covered(rng, 3000, lambda r: wilson(int(r.binomial(n, p)), n), p) > 0.92
    assert covered(rng, 1000, lambda r: clopper_pearson(int(r.binomial(n, p)), n), p) > 0.95 - 0.021


@pytest.mark.parametrize(("n", "b", "w"), [(20, 0.3, 0.2), (50, 0.1, 0.1), (300, 0.1, 0.05)])
def test_paired_differences_are_covered(n, b, w):
    def draw(rng):
        better, worse, _ = rng.multinomial(n, [b, w, 1 - b - w])
        return tango(int(better), int(worse), n)

    assert covered(np.random.default_rng(2), 1500, draw, b - w) > 0.93


@pytest.mark.parametrize(("clusters", "p"), [(10, 0.8), (30, 0.8), (30, 0.95)])
def test_clustered_proportions_are_covered_where_plain_ones_are_not(clusters, p):
    def draw(rng, interval):
        sizes = rng.integers(1, 9, clusters)
        right = rng.binomial(sizes, rng.beta(p, 1 - p, clusters))  # intraclass correlation .5
        return interval(right.tolist(), sizes.tolist())

    rng = np.random.default_rng(3)
    # The docstring's worst case: few clusters, high rate, strong dependence.
    assert covered(rng, 1500, lambda r: draw(r, wilson_clustered), p) > 0.90
    assert covered(rng, 1500, lambda r: draw(r, lambda x, n: wilson(sum(x), sum(n))), p) < 0.88


@pytest.mark.parametrize(("n", "a", "b"), [(10, 4, 1), (50, 9, 0.5), (300, 9, 1)])
def test_means_are_covered(n, a, b):
    assert (
        covered(np.random.default_rng(4), 1000, lambda r: mean_interval(r.beta(a, b, n).tolist()), a / (a + b)) > 0.93
    )


def test_equal_scores_do_not_pretend_to_have_no_error():
    flat = mean_difference([0.7] * 30, [0.7] * 30)
    assert flat.estimate == 0.0 and flat.low < -0.02 and flat.high > 0.02


def test_clusters_widen_a_mean():
    values = [score for score in (0.2, 0.4, 0.6, 0.8, 1.0, 0.1) for _ in range(10)]
    groups = [i // 10 for i in range(60)]
    plain, clustered = mean_interval(values), mean_interval(values, clusters=groups)
    assert clustered.high - clustered.low > 2 * (plain.high - plain.low)


@pytest.mark.parametrize(
    "too_little",
    [
        lambda: wilson(0, 0),
        lambda: wilson(3, 2),
        lambda: wilson(1, 2, level=1.0),
        lambda: clopper_pearson(0, 0),
        lambda: tango(1, 1, 0),
        lambda: tango(-1, 2, 9),
        lambda: exact_sign_test(-1, 3),
        lambda: wilson_clustered([1] * 4, [2] * 4),
        lambda: wilson_clustered([3] * 6, [2] * 6),
        lambda: mean_interval([0.5] * 9),
        lambda: mean_interval([1.5] * 20),
        lambda: mean_interval([float("nan")] * 20),
        lambda: mean_interval([0.5] * 20, clusters=["a"] * 20),
        lambda: mean_interval([0.5] * 20, clusters=["a"] * 19),
        lambda: mean_difference([0.5] * 20, [0.5] * 19),
    ],
)
def test_too_few_or_impossible_values_are_refused(too_little):
    with pytest.raises(ValueError):
        too_little()
