"""Q: the predicted chance of a PASS, without coverage exact, with coverage close to what trials do."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suffice.stats.claim import Claim
from suffice.stats.plan import power
from suffice.stats.predict import Showing, chance, chance_coverage, chances
from suffice.stats.trial import Trial

CLAIM = Claim(0.8, 0.05, 300, 0.025)
COVERED = Claim(0.9, 0.05, 240, 0.025, coverage=0.6)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 120), st.data())
def test_one_more_right_answer_never_lowers_the_chance(seen, data):
    right = data.draw(st.integers(0, seen - 1))
    assert chance(right, seen, CLAIM) <= chance(right + 1, seen, CLAIM) + 1e-12
    assert chance(right, seen, CLAIM) >= chance(right, seen + 1, CLAIM) - 1e-12


def test_much_dev_evidence_gives_the_power_at_that_rate():
    assert chance(85_000, 100_000, CLAIM) == pytest.approx(power(CLAIM, 0.85).passes, abs=0.01)


def test_dev_that_shows_nothing_gives_the_prior_chance():
    assert chance(0, 0, CLAIM) == pytest.approx(
        np.mean([power(CLAIM, p).passes for p in np.arange(0.005, 1, 0.01)]), abs=0.01
    )


def test_a_second_look_costs_next_to_nothing():
    chance(20, 24, CLAIM)
    start = time.perf_counter()
    for right in range(100):
        chance(right, 120, CLAIM)
    assert time.perf_counter() - start < 0.5


def test_a_large_test_is_predicted_too():
    claim = Claim(0.8, 0.01, 20_000, 0.025)
    assert chance(900, 1000, claim) > 0.99 > 0.01 > chance(700, 1000, claim)


def test_each_function_refuses_the_other_kind_of_claim():
    with pytest.raises(ValueError, match="chance_coverage"):
        chance(5, 10, COVERED)
    with pytest.raises(ValueError, match="impossible"):
        chance_coverage(6, 5, 10, COVERED)


@pytest.mark.slow
@pytest.mark.parametrize(("right", "answered"), [(87, 93), (80, 84), (74, 78)])
def test_with_coverage_the_chances_are_close_to_simulated_trials(right, answered):
    """400 trials drawn from the posterior of 120 dev cases: a margin of three standard errors plus the FAIL side."""
    rng, passed, runs = np.random.default_rng(4), 0, 400
    for _ in range(runs):
        rate, share = rng.beta(right + 1, answered - right + 1), rng.beta(answered + 1, 120 - answered + 1)
        trial = Trial(Claim(0.9, 0.05, 240, 0.025, coverage=0.6, alpha_fail=1e-6))
        for said, good in zip(rng.random(240) < share, rng.random(240) < rate, strict=True):
            if trial.observe(bool(said and good), bool(said and good), bool(said)):
                break
        passed += trial.verdict == "PASS"
    predicted = chance_coverage(right, answered, 120, COVERED)
    assert predicted.together == pytest.approx(passed / runs, abs=0.08)
    assert predicted.smaller == min(predicted.rate, predicted.share) >= predicted.together


def test_with_everything_answered_the_rate_chance_is_the_plain_one():
    plain = chance(110, 120, Claim(0.9, 0.05, 240, 0.025))
    assert chance_coverage(110, 120, 120, COVERED).rate == pytest.approx(plain, abs=0.02)


def test_without_a_demand_the_share_is_certain():
    assert chance_coverage(50, 55, 120, Claim(0.9, 0.05, 240, 0.025, coverage=0.0)).share == 1.0


# Time limits.

TIMED = Claim(0.8, 0.06, 300, 0.025, fast=0.95)


def singles(right: int, seen: int, time: Showing | None = None) -> Showing:
    ones = np.ones(seen, dtype=np.int64)
    return Showing((np.arange(seen) < right).astype(float), ones, ones, time)


def test_a_time_limit_is_a_condition_of_its_own():
    quick, slow = (singles(110, 120, singles(fast, 120)) for fast in (120, 100))
    alone = chance(110, 120, Claim(0.8, 0.06, 300, 0.025))
    assert chances(quick, TIMED).rate == chances(slow, TIMED).rate == alone
    assert chances(quick, TIMED).fast == chance(120, 120, Claim(0.95, 0.0, 300, 0.025))
    assert chances(quick, TIMED).together == alone * chances(quick, TIMED).fast > 0.8
    assert chances(slow, TIMED).together < 0.01 and chances(slow, TIMED).smaller == chances(slow, TIMED).fast


def test_where_no_time_is_known_dev_says_nothing_about_it():
    unknown = singles(110, 120, Showing(np.zeros(120), np.zeros(120, dtype=int), np.zeros(120, dtype=int)))
    for shown in (singles(110, 120), unknown):
        assert chances(shown, TIMED).fast == 1.0
        assert chances(shown, TIMED).together == chance(110, 120, Claim(0.8, 0.06, 300, 0.025))


def test_without_a_limit_times_do_not_matter():
    assert chances(singles(110, 120, singles(0, 120)), Claim(0.8, 0.06, 300, 0.025)).fast == 1.0


def test_the_chance_with_a_time_limit_is_close_to_simulated_trials():
    rng, passed, runs = np.random.default_rng(9), 0, 300
    for _ in range(runs):
        rate, fast = rng.beta(110, 12), rng.beta(120, 2)
        trial = Trial(Claim(0.8, 0.06, 300, 0.025, alpha_fail=1e-6, fast=0.95))
        for good, quick in zip(rng.random(300) < rate, rng.random(300) < fast, strict=True):
            if trial.observe(good, good, fast=bool(quick)):
                break
        passed += trial.verdict == "PASS"
    assert chances(singles(109, 120, singles(119, 120)), TIMED).together == pytest.approx(passed / runs, abs=0.09)


def test_further_cases_are_in_time_where_they_are_right():
    shown = singles(10, 10, singles(10, 10))
    for good in (True, False):
        more = shown.further(5, good)
        assert more.time is not None and (more.time.totals.sum(), len(more.time.cases)) == (10 + 5 * good, 15)
