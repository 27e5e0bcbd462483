"""Betting: an e-process by enumeration, bets that cannot know the score, and a finite set that settles truly."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suffice.stats.betting import BettingTest, opening
from suffice.stats.exact import COIN, Null

bounds = st.sampled_from([0.05, 0.3, 0.5, 0.75, 0.8, 0.95])
alphas = st.sampled_from([0.01, 0.05, 0.2])
sides = st.sampled_from(["pass", "fail"])
scores = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=40)
FEW = settings(max_examples=25, deadline=None)


def after(wealth, row):
    for x in row:
        wealth = wealth.after(x)
    return wealth


def crossed(rows, null, alpha, side="pass", n="known"):
    """Which rows of scores ever cross, all at once."""
    wealth = opening(np.full(len(rows), null.bound), rows.shape[1] if n == "known" else n, alpha, side, null.finite)
    ever = np.zeros(len(rows), dtype=bool)
    for column in rows.T:
        wealth = wealth.after(column)
        ever |= wealth.rejected
    return ever


def margin(rate: float, runs: int) -> float:
    """Three standard errors of a simulated share."""
    return 3 * (rate * (1 - rate) / runs) ** 0.5 + 1e-9


@FEW
@given(bounds, alphas, sides, st.sampled_from([(0.0, 1.0), (0.0, 0.5, 1.0)]), st.sampled_from([None, 6, 50]))
def test_no_bet_gains_on_average_while_the_null_holds(bound, alpha, side, values, n):
    """The mean of wealth over every tree of six independent scores with the null's mean is exactly 1."""
    low, high = values[0], values[-1]
    middle = 0.3 if len(values) == 3 and 0.15 <= bound <= 0.85 else 0.0
    top = bound - middle / 2
    chances = {low: 1 - middle - top, high: top} | ({0.5: middle} if middle else {})
    rows = np.array(list(itertools.product(chances, repeat=6)))
    weights = np.array([math.prod(chances[x] for x in row) for row in rows])
    held = after(opening(np.full(len(rows), bound), n, alpha, side), rows.T).held
    assert weights.sum() == pytest.approx(1.0)
    assert (weights * held).sum() == pytest.approx(1.0)


@FEW
@given(alphas, sides, st.lists(st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0]), min_size=2, max_size=6))
def test_over_all_orders_of_a_finite_set_no_bet_gains_on_average(alpha, side, values):
    n, mean = len(values), float(np.mean(values))
    rows = np.array(list(itertools.permutations(values)))
    held = after(opening(np.full(len(rows), mean), n, alpha, side, finite=True), rows.T).held
    assert held.mean() <= 1.0 + 1e-9


@FEW
@given(bounds, st.sampled_from([0.1, 0.2]), sides)
def test_the_error_over_every_path_is_within_alpha(bound, alpha, side):
    n = 10
    rows = np.array(list(itertools.product([0.0, 1.0], repeat=n)))
    ones = rows.sum(1)
    chance = bound**ones * (1 - bound) ** (n - ones)
    assert chance[crossed(rows, Null(bound), alpha, side)].sum() <= alpha


@FEW
@given(st.sampled_from([0.2, 0.5, 0.7, 0.8]), alphas, st.booleans())
def test_the_error_over_all_orders_of_a_finite_set_is_within_alpha(bound, alpha, passing):
    n = 10
    ones = round(bound * n) - passing  # just below the bound, or exactly on it
    rows = np.zeros((math.comb(n, ones), n))
    for row, places in zip(rows, itertools.combinations(range(n), ones), strict=True):
        row[list(places)] = 1.0
    side = "pass" if passing else "fail"
    assert crossed(rows, Null(bound, finite=True), alpha, side).mean() <= alpha + 1e-12


@given(scores, st.floats(0.0, 1.0), bounds, sides, st.booleans())
@settings(max_examples=40, deadline=None)
def test_wealth_moves_by_a_legal_bet_chosen_before_the_score(row, x, bound, side, finite):
    """Wealth after the next score is a line in that score, through 1 at the null's mean, and never negative."""
    wealth = after(opening(bound, 60, 0.05, side, finite), row)
    if finite and not 1e-3 < wealth.mean < 1.0:
        return
    assert 0.0 <= wealth.star_part <= 0.9
    low, high, here = (float(wealth.after(v).held) for v in (0.0, 1.0, x))
    assert min(low, high, here) >= 0.0
    assert here == pytest.approx(low + (high - low) * x, rel=1e-6, abs=1e-9)
    mean = float(wealth.mean if side == "pass" else 1.0 - wealth.mean)
    assert low + (high - low) * mean == pytest.approx(float(wealth.held), rel=1e-6, abs=1e-9)


@FEW
@given(scores, bounds, alphas, sides, st.booleans())
def test_a_test_fed_one_by_one_agrees_with_many_at_once(row, bound, alpha, side, finite):
    null = Null(bound, finite)
    test = BettingTest(null, len(row), alpha, side)
    for x in row:
        test.observe(x)
    rows = np.tile(row, (2, 1))
    assert (test.crossed_at is not None) == crossed(rows, null, alpha, side).all()
    assert test.evidence >= 0.0


@FEW
@given(scores, bounds, sides)
def test_fail_is_the_mirror_of_pass(row, bound, side):
    other = {"pass": "fail", "fail": "pass"}[side]
    here = after(opening(bound, 50, 0.05, side), row)
    there = after(opening(1.0 - bound, 50, 0.05, other), [1.0 - x for x in row])
    assert here.held == pytest.approx(there.held, rel=1e-6)


@FEW
@given(scores, bounds, alphas, sides, st.booleans(), st.booleans())
def test_no_call_within_least_to_cross_is_wasted(row, bound, alpha, side, finite, known):
    n = len(row) if known or finite else None
    test = BettingTest(Null(bound, finite), n, alpha, side)
    started = 0
    for x in row:
        started = max(started, test.seen + test.least_to_cross(16))
        if test.observe(x):
            break
    if test.crossed_at is not None:
        assert started == test.crossed_at
        assert test.least_to_cross(16) == 0


@pytest.mark.parametrize("side", ["pass", "fail"])
@pytest.mark.parametrize("bound", [0.5, 0.8])
def test_least_to_cross_is_close_to_what_an_unbroken_run_needs(bound, side):
    test = BettingTest(Null(bound), 300, 0.05, side)
    told = test.least_to_cross()
    while not test.observe(float(side == "pass")):
        pass
    assert 0.6 * test.seen <= told <= test.seen


@pytest.mark.parametrize("values", [[1.0] * 8 + [0.0] * 2, [0.9, 0.7, 0.8] * 10, [1.0, 0.7, 0.7] * 7, [0.8] * 30])
def test_a_finite_set_exactly_on_the_bar_is_at_the_bar(values):
    """Sums of tenths are not exact in floats; a mean on the bar is never counted below it."""
    rng, n = np.random.default_rng(5), len(values)
    rows = rng.permuted(np.tile(values, (400, 1)), axis=1)
    assert crossed(rows, Null(0.8, finite=True), 0.05).all()
    assert crossed(rows, Null(0.8, finite=True), 1e-9, "fail").mean() == 0.0
    assert crossed(rows, Null(0.8, finite=True), 0.2, "fail").mean() <= 0.2 + margin(0.2, 400)
    below = rows - 0.01 / n * (rows > 0.5)
    assert crossed(below, Null(0.8, finite=True), 0.2, "fail").all()


@FEW
@given(scores, st.sampled_from([0.5, 0.8]))
def test_a_finite_set_always_settles_truly_when_all_is_seen(row, bound):
    n, mean = len(row), float(np.mean(row))
    sure = 1e-9  # so little alpha that only counting decides
    rows = np.array([row])
    passed = crossed(rows, Null(bound, finite=True), sure)[0]
    failed = crossed(rows, Null(bound, finite=True), sure, "fail")[0]
    assert passed != failed
    if abs(mean - bound) > 1e-8:
        assert passed == (mean > bound), n


def test_one_wrong_case_refutes_a_bar_of_one():
    test = BettingTest(Null(1.0), 50, 0.2, "fail")
    assert not test.observe(1.0) and test.observe(0.99)


def test_a_case_that_does_not_move_only_uses_up_the_clock():
    test = BettingTest(Null(0.8), 10, 0.05)
    test.observe(1.0)
    held = test.evidence
    test.observe(0.0, moved=False)
    assert test.seen == 2 and test.evidence == pytest.approx(held)


def test_with_n_unknown_cases_may_come_for_ever_and_once_crossed_it_stays_crossed():
    test = BettingTest(COIN, None, 0.05)
    for _ in range(2000):
        test.observe(1.0)
    assert test.crossed_at is not None and test.crossed_at < 20 and test.observe(0.0)


def test_thousands_of_equal_scores_leave_finite_wealth():
    for x in (0.0, 1.0):
        wealth = after(opening(np.full(3, 0.8), 5000, 0.05), [x] * 5000)
        assert np.isfinite(wealth.held).all() and (wealth.held >= 0).all()


@pytest.mark.parametrize(
    "bad",
    [
        lambda: BettingTest(Null(0.8), 0, 0.05),
        lambda: BettingTest(Null(0.8), 10, 0.0),
        lambda: BettingTest(Null(0.8, finite=True), None, 0.05),
        lambda: BettingTest(Null(0.8, finite=True), 10, 0.05).observe(0.5, moved=False),
        lambda: BettingTest(Null(0.8), 10, 0.05).observe(1.1),
        lambda: BettingTest(Null(0.8), 10, 0.05).observe(float("nan")),
        lambda: [test.observe(0.5) for test in [BettingTest(Null(0.8), 2, 0.05)] for _ in range(3)],
        lambda: opening(np.array([0.5, 1.5]), 10, 0.05),
    ],
)
def test_impossible_settings_and_scores_are_refused(bad):
    with pytest.raises(ValueError):
        bad()
