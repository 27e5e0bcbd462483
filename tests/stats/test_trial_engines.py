"""A claim whose scores are graded, clustered or timed: which engine speaks, and that its errors hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suffice.stats.betting import BettingTest
from suffice.stats.claim import Claim
from suffice.stats.exact import Null
from suffice.stats.trial import Observed, Trial

GRADED = Claim(bar=0.8, tolerance=0.05, n=120, alpha=0.025, graded=True)
CLUSTERED = Claim(bar=0.8, tolerance=0.05, n=120, alpha=0.025, most=2)
TIMED = Claim(bar=0.8, tolerance=0.1, n=200, alpha=0.05, fast=0.95)


def fed(claim, units, free=False):
    trial = Trial(claim, free=free)
    for unit in units:
        if trial.observe_cluster(unit) is not None and not free:
            break
    return trial


def one(score, fast=True):
    return [Observed(score, score, True, fast)]


def test_right_and_wrong_scores_of_single_cases_stay_with_exact_spending():
    assert Claim(0.8, 0.05, 120, 0.025).exact
    assert not GRADED.exact and "graded" in GRADED.engine.reason
    assert not CLUSTERED.exact and "clusters of up to 2" in CLUSTERED.engine.reason


def test_graded_scores_are_decided_by_betting_on_both_sides():
    scores = np.random.default_rng(3).beta(9, 1, 120)
    trial, alone = Trial(GRADED), BettingTest(Null(0.75), 120, 0.025)
    for score in scores:
        said = trial.observe(float(score), float(score))
        assert (said == "PASS") == alone.observe(float(score))
        if said:
            break
    assert trial.verdict == "PASS"


@pytest.mark.parametrize(
    "claim", [GRADED, CLUSTERED, Claim(0.8, 0.05, 120, 0.025), Claim(0.8, 0.05, 120, 0.025, coverage=0.5, most=2)]
)
def test_the_certified_bound_is_the_last_one_that_a_test_of_its_own_shows(claim):
    rng = np.random.default_rng(5)
    units = [
        [Observed(s := float(rng.random() < 0.97), s, claim.coverage is None or rng.random() < 0.9)]
        * (1 + i % claim.most)
        for i in range(120)
    ]
    trial = fed(claim, units, free=True)

    def shows(bound):
        tested = replace(claim, bar=0.95, tolerance=0.95 - bound)
        return fed(tested, units, free=True).verdict == "PASS"

    certified = trial.certified().rate
    assert certified > claim.bound + 0.02 and shows(certified) and not shows(certified + 0.005)


def test_half_right_answers_are_half_as_good():
    assert fed(GRADED, [one(0.5)] * 120).verdict == "FAIL"
    assert fed(GRADED, [one(0.9)] * 120).verdict == "PASS"
    certified = fed(GRADED, [one(0.9)] * 120, free=True).certified().rate
    assert 0.75 < certified < 0.9


def test_scores_that_vary_little_certify_more_than_right_and_wrong_ones_of_the_same_mean():
    steady = fed(GRADED, [one(0.9)] * 120, free=True).certified().rate
    rng = np.random.default_rng(0)
    binary = fed(GRADED, [one(float(rng.random() < 0.9)) for _ in range(120)], free=True)
    assert binary.verdict != "PASS" or binary.certified().rate < steady


def test_a_cluster_counts_by_its_cases_not_as_one():
    # Half the clusters are single cases, right; half are pairs, both wrong: a third of the cases is right.
    units = [one(1.0), [Observed(0.0, 0.0)] * 2] * 60
    assert fed(Claim(0.5, 0.1, 120, 0.025, most=2), units).verdict == "FAIL"
    alone = fed(Claim(0.5, 0.1, 120, 0.025, graded=True), [one(1.0), one(0.0)] * 60)
    assert alone.verdict != "FAIL"


def test_more_cases_of_a_cluster_than_the_claim_counts_are_refused():
    with pytest.raises(ValueError, match="count"):
        Trial(CLUSTERED).observe_cluster([Observed(1.0, 1.0)] * 3)


def test_a_failed_call_of_a_cluster_is_counted_against_each_claim():
    assert fed(CLUSTERED, [[Observed(0.0, 1.0, False)] * 2] * 120).conclude() == "UNPROVEN"


@pytest.mark.parametrize("claim", [GRADED, CLUSTERED], ids=["graded", "clustered"])
def test_a_mean_exactly_below_the_claim_passes_at_most_at_alpha(claim):
    rng, passed, runs = np.random.default_rng(1), 0, 250
    for _ in range(runs):
        if claim.most == 1:
            units = [one(float(x)) for x in rng.beta(0.75 * 2, 0.25 * 2, claim.n)]
        else:  # size relates to difficulty; the mean over cases is .75
            units = []
            for _ in range(claim.n):
                size = int(rng.integers(1, 3))
                good = 0.95 if size == 1 else 0.65
                units.append([Observed(float(x), float(x)) for x in (rng.random(size) < good)])
        passed += fed(claim, units).verdict == "PASS"
    assert passed / runs <= 0.025 + 3 * np.sqrt(0.025 * 0.975 / runs)


def test_a_time_limit_is_one_more_condition():
    rng = np.random.default_rng(2)
    always = fed(TIMED, [one(1.0)] * 200)
    assert always.verdict == "PASS" and always.used > 50  # as long as it takes to show .95 in time
    slow = [one(1.0, bool(rng.random() < 0.8)) for _ in range(200)]
    assert fed(TIMED, slow).verdict == "FAIL"
    assert fed(TIMED, [one(1.0)] * 200, free=True).certified().fast == pytest.approx(0.98, abs=0.01)


def test_calls_whose_time_is_not_known_say_nothing_about_the_limit():
    assert fed(TIMED, [one(1.0, None)] * 200).conclude() == "UNPROVEN"


def test_a_limit_that_so_few_cases_cannot_show_is_never_passed():
    assert fed(Claim(0.8, 0.1, 50, 0.05, fast=0.95), [one(1.0)] * 50).conclude() == "UNPROVEN"


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.7, 0.85, 0.95]), st.sampled_from([0.0, 0.6]))
def test_nothing_is_decided_before_it_could_be(seed, mean, coverage):
    rng = np.random.default_rng(seed)
    trial = Trial(Claim(0.8, 0.1, 80, 0.05, graded=True, coverage=coverage))
    for _ in range(80):
        least = trial.least_to_verdict()
        said = trial.observe(float(s := rng.beta(mean * 5, (1 - mean) * 5)), float(s), bool(rng.random() < 0.8))
        if said is not None:
            assert least <= 1
            return
