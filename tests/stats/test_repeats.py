"""Repeats: variance within and between cases is told apart, what a second sample is worth, and pass^k with coverage."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suffice.stats.intervals import wilson, wilson_clustered
from suffice.stats.repeats import pass_hat, pass_hats, variances


def test_the_components_are_found_from_unequal_numbers_of_samples():
    rng = np.random.default_rng(1)
    samples = [rng.normal(rng.normal(0.5, 0.3), 0.2, size).tolist() for size in rng.integers(1, 6, 4_000)]
    found = variances(samples)
    assert found.within == pytest.approx(0.04, rel=0.05)
    assert found.between == pytest.approx(0.09, rel=0.08)
    assert found.worth == pytest.approx(0.04 / 0.22, rel=0.1)


def test_a_second_sample_is_worth_nothing_where_reruns_agree_and_a_case_where_they_are_as_random():
    assert variances([[1.0, 1.0], [0.0, 0.0], [1.0, 1.0]]).worth == 0.0
    assert variances([[0.0, 1.0]] * 50).worth == 1.0
    assert variances([[0.5, 0.5]] * 5).worth == 0.0


@pytest.mark.parametrize("samples", [[[1.0, 0.0]], [[1.0], [0.0]], [[1.0, 0.0], []]])
def test_too_few_samples_are_refused(samples):
    with pytest.raises(ValueError):
        variances(samples)


@given(st.integers(1, 9), st.data())
def test_pass_hat_is_the_share_of_ways_to_pick_k_trials_that_are_all_right(trials, data):
    right, k = data.draw(st.integers(0, trials)), data.draw(st.integers(1, trials))
    scores = [1] * right + [0] * (trials - right)
    picked = [all(ways) for ways in itertools.combinations(scores, k)]
    assert pass_hat(right, trials, k) == pytest.approx(sum(picked) / len(picked))


@pytest.mark.parametrize("p", [0.0, 0.3, 0.9, 1.0])
def test_pass_hat_is_unbiased(p):
    for k in range(1, 6):
        chances = [math.comb(5, c) * p**c * (1 - p) ** (5 - c) for c in range(6)]
        assert sum(w * pass_hat(c, 5, k) for c, w in enumerate(chances)) == pytest.approx(p**k)


def test_pass_hat_of_many_trials_is_a_number():
    assert pass_hat(999, 1000, 500) == pytest.approx(0.5)
    assert pass_hat(1000, 1000, 1000) == 1.0


@pytest.mark.parametrize(("right", "trials", "k"), [(3, 2, 1), (-1, 2, 1), (1, 2, 0), (1, 2, 3)])
def test_impossible_counts_are_refused(right, trials, k):
    with pytest.raises(ValueError):
        pass_hat(right, trials, k)


def test_pass_k_goes_to_the_fewest_trials_and_uses_all_of_them():
    found = pass_hats([4, 1, 2], [4, 2, 3], ["a", "b", "c"])
    assert [p.k for p in found] == [1, 2]
    assert found[0].estimate == pytest.approx((1 + 1 / 2 + 2 / 3) / 3)
    assert found[1].estimate == pytest.approx((1 + 0 + 1 / 3) / 3)
    assert found[1].interval is None  # three cases say nothing of others
    with pytest.raises(ValueError):
        pass_hats([], [], [])


def test_beyond_eight_trials_it_is_given_for_powers_of_two_and_for_all():
    assert [p.k for p in pass_hats([5], [8], ["a"])] == list(range(1, 9))
    assert [p.k for p in pass_hats([5], [9], ["a"])] == [1, 2, 4, 8, 9]
    assert [p.k for p in pass_hats([5], [16], ["a"])] == [1, 2, 4, 8, 16]


def test_the_interval_is_over_cases_however_many_trials_there_are():
    few, many = (pass_hats([n] * 15 + [0] * 5, [n] * 20, range(20)) for n in (2, 100))
    assert few[0].interval == many[0].interval == wilson(15, 20)
    pairs = [i // 2 for i in range(20)]
    assert pass_hats([2] * 14 + [0] * 6, [2] * 20, pairs)[1].interval == wilson_clustered([2] * 7 + [0] * 3, [2] * 10)


def covered(rng, draw, a, b, trials=4, runs=600):
    """How often the intervals of pass^1 to pass^n hold the truth, where a case's chance is drawn from Beta(a, b)."""
    hits = np.zeros(trials)
    for _ in range(runs):
        chances, clusters = draw(rng)
        right = rng.binomial(trials, chances).tolist()
        for p in pass_hats(right, [trials] * len(right), clusters):
            truth = math.prod((a + i) / (a + b + i) for i in range(p.k))
            assert p.interval is not None
            hits[p.k - 1] += p.interval.low <= truth <= p.interval.high
    return hits / runs


@pytest.mark.parametrize(("cases", "a", "b"), [(25, 2.0, 1.0), (60, 0.8, 0.3), (150, 6.0, 1.0)])
def test_intervals_of_pass_k_are_covered(cases, a, b):
    rng = np.random.default_rng(5)
    assert covered(rng, lambda r: (r.beta(a, b, cases), range(cases)), a, b).min() > 0.925


def test_clusters_are_covered_where_cases_alone_are_not():
    a, b, size = 1.0, 0.6, 4

    def drawn(r):
        return np.repeat(r.beta(a, b, 25), size), np.repeat(np.arange(25), size).tolist()

    assert covered(np.random.default_rng(6), drawn, a, b).min() > 0.925
    naive = covered(np.random.default_rng(6), lambda r: (drawn(r)[0], range(100)), a, b)
    assert naive.max() < 0.85
