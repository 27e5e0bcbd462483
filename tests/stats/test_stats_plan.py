"""Planning: tolerance, power, the largest claim and the cases needed, as the engine itself has them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from suffice.stats.claim import Claim
from suffice.stats.exact import Null
from suffice.stats.passage import pass_passages
from suffice.stats.plan import (
    cases_needed,
    cases_to_settle,
    certifiable,
    default_tolerance,
    largest_claim,
    least_right,
    power,
    predicted,
)
from suffice.stats.predict import Showing
from suffice.stats.trial import Trial

SIZES = (60, 120, 240, 300, 600, 1000)


@pytest.mark.parametrize(
    ("bar", "tolerances"),
    [
        (0.80, (0.13, 0.09, 0.07, 0.06, 0.04, 0.03)),
        (0.90, (0.10, 0.08, 0.05, 0.05, 0.03, 0.03)),
        (0.95, (0.05, 0.05, 0.04, 0.04, 0.03, 0.02)),
    ],
)
def test_the_default_tolerance_is_the_documented_table(bar, tolerances):
    assert tuple(default_tolerance(bar, n) for n in SIZES) == tolerances


@pytest.mark.parametrize("bar", [0.02, 0.3, 0.5, 0.85, 0.925, 0.99, 1.0])
@pytest.mark.parametrize("n", [1, 5, 60])
def test_a_default_tolerance_makes_a_legal_claim_and_never_exceeds_one_minus_the_bar(bar, n):
    tolerance = default_tolerance(bar, n)
    assert tolerance <= round(1 - bar, 10)
    assert Claim(bar, tolerance, n, 0.025).bound > 0


def test_at_the_default_tolerance_a_solution_at_the_bar_passes_half_the_time_and_not_below():
    tolerance = default_tolerance(0.8, 300)
    at = [pass_passages(Null(round(0.8 - t, 10)), 300, 0.025).at(0.8).sum() for t in (tolerance, tolerance - 0.01)]
    assert at[0] >= 0.5 > at[1]


@pytest.mark.parametrize(
    ("bound", "alpha", "n", "passes"),
    [
        (0.85, 0.025, 60, (13, 33, 56)),
        (0.85, 0.025, 120, (26, 67, 91)),
        (0.85, 0.025, 300, (64, 99, 100)),
        (0.85, 0.0125, 200, (32, 84, 99)),
        (0.90, 0.025, 300, (2, 34, 84)),
        (0.90, 0.025, 1000, (2, 86, 100)),
    ],
)
def test_the_documented_cost_of_a_population_claim(bound, alpha, n, passes):
    chances = [100 * pass_passages(Null(bound), n, alpha).at(rate).sum() for rate in (0.90, 0.93, 0.95)]
    assert chances == pytest.approx(passes, abs=1.1)


@pytest.mark.parametrize(
    ("rate", "passes", "fails", "cases"),
    [
        (0.85, 0.64, 0.006, 216),
        (0.90, 0.998, 0.0, 94),
        (0.95, 1.0, 0.0, 45),
        (0.70, 0.0, 0.998, 75),
        (0.75, 0.002, 0.86, 156),
    ],
)
def test_power_reproduces_the_documented_rows(rate, passes, fails, cases):
    got = power(Claim(0.8, 0.0, 300, 0.05), rate)
    assert (got.passes, got.fails) == pytest.approx((passes, fails), abs=0.01)
    assert got.cases == pytest.approx(cases, abs=2)
    assert got.passes + got.fails + got.unproven == pytest.approx(1.0)


@pytest.mark.parametrize(("rate", "cases"), [(0.6, 21), (0.7, 56), (0.75, 118), (0.85, 186), (0.9, 96)])
def test_a_finite_set_is_settled_after_the_documented_number_of_cases(rate, cases):
    got = power(Claim(0.8, 0.0, 300, 0.0083, kind="finite"), rate)
    assert got.cases == pytest.approx(cases, abs=1)
    assert got.unproven == pytest.approx(0.0, abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "share"), [(0.95, 0.62), (0.9, 0.7), (0.85, 0.8)])
def test_power_with_coverage_is_close_to_real_trials(rate, share):
    """300 real trials against the simulation: three standard errors of their difference."""
    claim, rng, runs = Claim(0.9, 0.05, 240, 0.025, coverage=0.6), np.random.default_rng(5), 300
    passed = failed = used = 0
    for _ in range(runs):
        trial = Trial(claim)
        for good, said in zip(rng.random(240) < rate, rng.random(240) < share, strict=True):
            if trial.observe(bool(good), bool(good), bool(said)):
                break
        passed, failed, used = passed + (trial.verdict == "PASS"), failed + (trial.verdict == "FAIL"), used + trial.used
    got = power(claim, rate, share)
    assert (got.passes, got.fails) == pytest.approx((passed / runs, failed / runs), abs=0.09)
    assert got.cases == pytest.approx(used / runs, rel=0.08)


def test_power_is_repeatable_and_asks_for_a_share():
    claim = Claim(0.9, 0.05, 100, 0.025, coverage=0.6)
    assert power(claim, 0.9, 0.6) == power(claim, 0.9, 0.6)
    with pytest.raises(ValueError, match="share"):
        power(claim, 0.9)
    with pytest.raises(ValueError, match="rate"):
        power(claim, 1.5, 0.6)


def test_at_least_x_of_n_passes_and_one_fewer_need_not():
    claim = Claim(0.9, 0.05, 300, 0.025)
    x = least_right(claim)
    late = [False] * (300 - x) + [True] * x
    for wrong_first, verdict in ((late, "PASS"), ([False, *late[:-1]], None)):
        trial = Trial(Claim(0.9, 0.05, 300, 0.025, alpha_fail=1e-9), free=True)
        for right in wrong_first:
            trial.observe(right, right)
        assert trial.verdict == verdict


def test_a_bar_that_all_right_cannot_show_is_not_certifiable():
    assert not certifiable(Claim(0.99, 0.0, 300, 0.025))
    assert certifiable(Claim(0.99, 0.0, 450, 0.025))
    assert not certifiable(Claim(1.0, 0.0, 100_00, 0.025))
    assert not certifiable(Claim(0.9, 0.0, 60, 0.025), least_power=0.5)
    assert certifiable(Claim(0.9, 0.1, 60, 0.025), least_power=0.5)


def test_the_largest_claim_is_the_last_that_all_right_shows():
    for n in (30, 60, 300):
        largest = largest_claim(n, 0.025)
        assert largest.possible is not None and largest.likely is not None
        assert certifiable(Claim(largest.possible, 0.0, n, 0.025))
        assert not certifiable(Claim(round(largest.possible + 0.005, 3), 0.0, n, 0.025))
        assert largest.likely < largest.possible
    assert largest_claim(1, 0.001).possible is None


def test_the_cases_needed_give_the_power_and_fewer_do_not():
    n = cases_needed(0.9, 0.05, 0.93, 0.025)
    assert n is not None
    assert power(Claim(0.9, 0.05, n, 0.025), 0.93).passes >= 0.8
    fewer = n * 9 // 10  # power is not quite monotone from one n to the next
    assert power(Claim(0.9, 0.05, fewer, 0.025), 0.93).passes < 0.8
    assert cases_needed(0.9, 0.05, 0.85, 0.025) is None


def counts(right: int, seen: int) -> Showing:
    ones = np.ones(seen, dtype=np.int64)
    return Showing((np.arange(seen) < right).astype(float), ones, ones)


def test_the_fresh_cases_that_would_settle_an_unproven():
    claim = Claim(0.8, 0.06, 120, 0.0125)
    near, far = cases_to_settle(counts(96, 120), claim), cases_to_settle(counts(116, 120), claim)
    assert near is not None and far is not None and far < near
    outcome = predicted(Claim(0.8, 0.06, near, 0.0125), 96, 120)
    assert outcome.passes + outcome.fails >= 0.8
    with pytest.raises(ValueError, match="coverage"):
        predicted(Claim(0.8, 0.06, 100, 0.0125, coverage=0.5), 90, 120)


def test_a_time_limit_takes_more_cases_to_settle():
    claim = Claim(0.8, 0.06, 120, 0.0125, fast=0.95)
    timed = replace(counts(116, 120), time=counts(116, 120))  # 97% in time: close to the .95 that is asked
    alone, both = cases_to_settle(counts(116, 120), claim), cases_to_settle(timed, claim)
    assert alone is not None and both is not None and both > 3 * alone
    late = replace(counts(116, 120), time=counts(60, 120))  # that is refuted soon, whatever the rate
    assert (cases_to_settle(late, claim) or 0) < alone


def test_a_time_limit_takes_more_cases_to_pass():
    plain = cases_needed(0.9, 0.05, 0.95, 0.025)
    timed = cases_needed(0.9, 0.05, 0.95, 0.025, fast=0.95)
    assert plain is not None and timed is not None and timed > plain
    assert timed >= (cases_needed(0.95, 0.0, 0.99, 0.025) or 0)
