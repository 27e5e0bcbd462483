"""Q: the predicted chance of a PASS, without coverage exact, with coverage close to what trials do."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suffice.stats.plan import power
from suffice.stats.predict import chance, chance_coverage
from suffice.stats.trial import Claim, Trial

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
    assert predicted.both == pytest.approx(passed / runs, abs=0.08)
    assert predicted.smaller == min(predicted.rate, predicted.share) >= predicted.both


def test_with_everything_answered_the_rate_chance_is_the_plain_one():
    plain = chance(110, 120, Claim(0.9, 0.05, 240, 0.025))
    assert chance_coverage(110, 120, 120, COVERED).rate == pytest.approx(plain, abs=0.02)


def test_without_a_demand_the_share_is_certain():
    assert chance_coverage(50, 55, 120, Claim(0.9, 0.05, 240, 0.025, coverage=0.0)).share == 1.0
