"""The spending engine: its error is exact on small tests by enumeration, and never above alpha."""

from __future__ import annotations

import itertools
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suffice.stats.exact import COIN, Null, SpendingTest, boundary, cuts, needed

bounds = st.sampled_from([0.05, 0.3, 0.5, 0.75, 0.8, 0.9, 0.95])
alphas = st.sampled_from([0.01, 0.025, 0.05, 0.2])
sides = st.sampled_from(["pass", "fail"])


def crossing_times(null: Null, alpha: float, side, moved: list[bool]):
    """(successes among the moving cases, crossing time or None) of every path."""
    for path in itertools.product([False, True], repeat=sum(moved)):
        test, outcomes = SpendingTest(null, len(moved), alpha, side), iter(path)
        for moves in moved:
            test.observe(moves and next(outcomes), moves)
        yield path, test.crossed_at


@settings(max_examples=40, deadline=None)
@given(bounds, alphas, sides, st.lists(st.booleans(), min_size=1, max_size=9))
def test_by_every_case_the_error_is_within_what_may_be_spent_by_then(bound, alpha, side, moved):
    n = len(moved)
    spent = np.zeros(n + 1)
    for path, at in crossing_times(Null(bound), alpha, side, moved):
        if at is not None:
            spent[at] += math.prod(bound if right else 1 - bound for right in path)
    assert (spent.cumsum() <= alpha * np.arange(n + 1) / n + 1e-12).all()


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([0.2, 0.5, 0.7, 0.8, 1.0]), alphas, sides, st.integers(2, 10))
def test_on_a_finite_set_the_error_is_within_alpha_over_all_orders(bound, alpha, side, n):
    k = needed(bound, n)
    ones = k - 1 if side == "pass" else k
    line, crossed, total = boundary(Null(bound, finite=True), n, alpha, side), 0, 0
    for places in itertools.combinations(range(n), ones):
        right = np.isin(np.arange(n), places).cumsum()
        crossed += bool((right >= line).any() if side == "pass" else (right <= line).any())
        total += 1
    assert crossed / total <= alpha + 1e-12


@pytest.mark.parametrize("side", ["pass", "fail"])
@pytest.mark.parametrize("n", [1, 7, 40])
@pytest.mark.parametrize("bound", [0.1, 0.5, 0.8, 1.0])
def test_a_finite_set_always_settles_by_its_last_case(bound, n, side):
    k, last = needed(bound, n), int(boundary(Null(bound, finite=True), n, 0.01, side)[-1])
    assert last <= k if side == "pass" else last >= k - 1


@pytest.mark.parametrize("null", [Null(0.8), Null(0.95), COIN, Null(0.8, finite=True)])
@pytest.mark.parametrize("side", ["pass", "fail"])
def test_nothing_more_could_have_been_cut_off(null, side):
    """One state more at any case would spend more than allowed: an independent recursion over the whole line."""
    n, alpha = 80, 0.05
    line = boundary(null, n, alpha, side)
    k = needed(null.bound, n)
    ones = k - 1 if side == "pass" else n - k
    mass, spent = np.zeros(n + 3), 0.0
    mass[0] = 1.0
    for i in range(1, n + 1):
        states = np.arange(n + 3)
        up = (ones - states) / (n - i + 1) if null.finite else (null.bound if side == "pass" else 1 - null.bound)
        rising = mass * np.clip(up, 0, 1)
        mass = mass - rising + np.concatenate(([0.0], rising[:-1]))
        cut = int(line[i - 1]) if side == "pass" else i - int(line[i - 1])
        allowed = alpha * (math.sqrt(i / n) if null.finite else i / n)
        assert spent + mass[cut:].sum() <= allowed + 1e-12
        assert spent + mass[cut - 1 :].sum() > allowed
        spent += mass[cut:].sum()
        mass[cut:] = 0.0
    assert spent > 0.7 * alpha


@settings(max_examples=60, deadline=None)
@given(bounds, alphas, st.integers(1, 150), sides, st.booleans())
def test_a_boundary_never_steps_back_and_never_by_more_than_one(bound, alpha, n, side, finite):
    steps = np.diff(boundary(Null(bound, finite), n, alpha, side))
    assert ((steps >= 0) & (steps <= 1)).all()


@settings(max_examples=30, deadline=None)
@given(bounds, st.integers(1, 120), sides)
def test_more_alpha_or_an_easier_bound_never_makes_crossing_harder_at_the_end(bound, n, side):
    strict, loose = boundary(Null(bound), n, 0.01, side)[-1], boundary(Null(bound), n, 0.05, side)[-1]
    assert loose <= strict if side == "pass" else loose >= strict
    easier = boundary(Null(bound * 0.9), n, 0.05, side)[-1]
    assert easier <= loose


@settings(max_examples=40, deadline=None)
@given(st.data(), bounds, alphas, st.integers(1, 60), sides, st.booleans())
def test_case_by_case_and_the_boundary_agree(data, bound, alpha, n, side, finite):
    null = Null(bound, finite)
    path = data.draw(st.lists(st.booleans(), min_size=n, max_size=n))
    test = SpendingTest(null, n, alpha, side)
    for right in path:
        test.observe(right)
    right, line = np.cumsum(path), boundary(null, n, alpha, side)
    crossed = np.flatnonzero(right >= line if side == "pass" else right <= line)
    assert test.crossed_at == (int(crossed[0]) + 1 if len(crossed) else None)
    assert list(cuts(null, n, alpha, side)) == line.tolist()


@settings(max_examples=60, deadline=None)
@given(st.data(), bounds, st.integers(1, 60), sides)
def test_least_to_cross_is_what_an_unbroken_run_needs(data, bound, n, side):
    test = SpendingTest(Null(bound), n, 0.1, side)
    for right, moved in data.draw(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=n)):
        test.observe(right, moved)
    told = test.least_to_cross(n)
    if test.crossed_at is not None:
        assert told == 0
        return
    for further in range(1, n - test.seen + 1):
        if test.observe(side == "pass"):
            assert told == further
            return
    assert told == n


def test_least_to_cross_is_capped_and_counts_down_exactly():
    test, again = SpendingTest(Null(0.8), 300, 0.05), SpendingTest(Null(0.8), 300, 0.05)
    while not test.crossed_at:
        assert test.least_to_cross(8) == min(test.least_to_cross(300), 8)
        again.observe(True)
        assert again.least_to_cross(300) == test.least_to_cross(300) - 1
        test.observe(True)


def test_once_crossed_it_stays_crossed():
    test = SpendingTest(Null(0.5), 20, 0.05)
    for _ in range(20):
        test.observe(True)
    at = test.crossed_at
    assert at is not None and test.observe(False) and test.crossed_at == at


def test_cases_that_do_not_move_still_let_the_budget_grow():
    """The clock runs over all cases: late in the test the same answered cases need less."""
    early, late = SpendingTest(Null(0.5), 100, 0.05), SpendingTest(Null(0.5), 100, 0.05)
    for _ in range(90):
        late.observe(False, moved=False)
    for test in (early, late):
        for _ in range(10):
            test.observe(True)
    assert late.crossed_at is not None
    assert early.crossed_at is None or late.crossed_at - 90 < early.crossed_at


def test_one_wrong_case_refutes_a_bar_of_one():
    test = SpendingTest(Null(1.0), 50, 0.2, "fail")
    assert not test.observe(True) and test.observe(False)


def test_a_hundred_thousand_cases_take_seconds():
    start = time.perf_counter()
    line = boundary(Null(0.8), 100_000, 0.05)
    assert time.perf_counter() - start < 20
    assert 80_000 < line[-1] < 80_400


@pytest.mark.parametrize(
    "bad",
    [
        lambda: Null(1.2),
        lambda: SpendingTest(Null(0.8), 0, 0.05),
        lambda: SpendingTest(Null(0.8), 10, 0.0),
        lambda: SpendingTest(Null(0.8), 10, 1.0),
        lambda: SpendingTest(Null(0.8, finite=True), 10, 0.05).observe(True, moved=False),
        lambda: [test.observe(False) for test in [SpendingTest(Null(0.8), 2, 0.05)] for _ in range(3)],
    ],
)
def test_impossible_settings_are_refused(bad):
    with pytest.raises(ValueError):
        bad()


def test_a_share_of_cases_is_counted_without_float_noise():
    assert needed(0.1 + 0.2, 10) == 3
    assert needed(0.85 - 0.05, 300) == 240
    assert needed(0.801, 10) == 9
