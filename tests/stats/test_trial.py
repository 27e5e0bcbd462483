"""A claim on trial: when it is decided, what is certified, and what a failed call or an abstention does."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suffice.stats.claim import Claim
from suffice.stats.exact import Null, SpendingTest, boundary, needed
from suffice.stats.trial import Trial

POPULATION = Claim(bar=0.8, tolerance=0.05, n=120, alpha=0.025)
COVERED = Claim(bar=0.8, tolerance=0.1, n=120, alpha=0.05, coverage=0.6)
FINITE = Claim(bar=0.8, tolerance=0.05, n=60, alpha=0.025, kind="finite")

# (right toward PASS, right toward FAIL, answered): right, wrong, abstained, call failed for good
RIGHT, WRONG, ABSTAINED, FAILED = (True, True, True), (False, False, True), (False, False, False), (False, True, False)


def fed(claim: Claim, outcomes, free: bool = False) -> Trial:
    trial = Trial(claim, free=free)
    for outcome in outcomes:
        trial.observe(*outcome)
    return trial


def draws(rng, n, rate, share=1.0):
    return [(RIGHT if rng.random() < rate else WRONG) if rng.random() < share else ABSTAINED for _ in range(n)]


def test_all_right_passes_and_all_wrong_fails_early():
    assert fed(POPULATION, [RIGHT] * 120).verdict == "PASS"
    failed = fed(POPULATION, [WRONG] * 120)
    assert failed.verdict == "FAIL" and failed.used < 10


def test_pass_is_about_the_bound_and_fail_about_the_bar():
    outcomes = draws(np.random.default_rng(1), 120, 0.85)
    trial, shown, refuted = (
        Trial(POPULATION),
        SpendingTest(Null(0.75), 120, 0.025),
        SpendingTest(Null(0.8), 120, 0.2, "fail"),
    )
    for outcome in outcomes:
        trial.observe(*outcome)
        if shown.observe(outcome[0]) or refuted.observe(outcome[1]):
            break
    assert trial.verdict == ("PASS" if shown.crossed_at else "FAIL")
    assert trial.used == (shown.crossed_at or refuted.crossed_at)


@settings(max_examples=40, deadline=None)
@given(st.data(), st.sampled_from([POPULATION, COVERED, FINITE]))
def test_the_verdict_is_a_function_of_the_prefix(data, claim):
    rng = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    outcomes = draws(rng, claim.n, data.draw(st.sampled_from([0.6, 0.8, 0.9])), 0.8)
    whole = fed(claim, outcomes)
    part = fed(claim, outcomes[: whole.used])
    assert (part.verdict, part.used) == (whole.verdict, whole.used)
    if whole.verdict:
        assert fed(claim, outcomes[: whole.used - 1]).verdict is None
        rest = outcomes[whole.used :]
        assert fed(claim, [*outcomes[: whole.used], *reversed(rest)]).verdict == whole.verdict


def test_without_coverage_an_abstention_is_wrong():
    assert fed(POPULATION, [ABSTAINED] * 30).used == fed(POPULATION, [WRONG] * 30).used
    assert fed(POPULATION, [(True, True, False)] * 30).verdict == "FAIL"


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.7, 0.85, 0.95]), st.sampled_from([0.4, 0.6, 0.8]))
def test_a_coverage_trial_is_two_trials_of_which_either_fail_ends_it(seed, rate, share):
    outcomes = draws(np.random.default_rng(seed), 120, rate, share)
    whole = fed(COVERED, outcomes)
    tests = {
        "rate": (SpendingTest(Null(0.7), 120, 0.05), SpendingTest(Null(0.8), 120, 0.2, "fail")),
        "share": (SpendingTest(Null(0.55), 120, 0.05), SpendingTest(Null(0.6), 120, 0.2, "fail")),
    }
    for right, _, answered in outcomes:
        for side in (0, 1):
            tests["rate"][side].observe(right, moved=answered)
            tests["share"][side].observe(answered)
    shown = max(tests[name][0].crossed_at or 999 for name in tests)
    refuted = min(tests[name][1].crossed_at or 999 for name in tests)
    if min(shown, refuted) == 999:
        assert whole.conclude() == "UNPROVEN"
    else:
        assert whole.verdict == ("PASS" if shown <= refuted else "FAIL")
        assert whole.used == min(shown, refuted)


def test_when_everything_is_answered_the_rate_condition_is_the_plain_claim():
    outcomes = draws(np.random.default_rng(3), 120, 0.9)
    free_coverage = Claim(0.8, 0.1, 120, 0.05, coverage=0.0)
    plain = Claim(0.8, 0.1, 120, 0.05)
    assert fed(free_coverage, outcomes).used == fed(plain, outcomes).used


def test_with_coverage_zero_abstaining_never_fails():
    trial = fed(Claim(0.8, 0.1, 120, 0.05, coverage=0.0), [ABSTAINED] * 60 + [RIGHT] * 60)
    assert trial.verdict == "PASS"
    assert fed(Claim(0.8, 0.1, 120, 0.05, coverage=0.0), [ABSTAINED] * 120).conclude() == "UNPROVEN"


@pytest.mark.parametrize("claim", [POPULATION, COVERED, FINITE])
@pytest.mark.parametrize("answered", [False, True])
def test_an_outage_neither_passes_nor_condemns(claim, answered):
    """Whether the caller calls a failed call answered or not, it counts against each claim in turn."""
    trial = fed(claim, [(False, True, answered)] * claim.n)
    assert trial.conclude() == "UNPROVEN" and trial.used == claim.n


@pytest.mark.parametrize("rate", [0.5, 0.7, 0.74, 0.76, 0.78, 0.8, 0.82, 0.95])
@pytest.mark.parametrize("coverage", [None, 0.5])
def test_a_finite_claim_settles_by_n_and_is_true_at_n(rate, coverage):
    claim = Claim(0.8, 0.05, 60, 0.025, coverage, "finite")
    rng = np.random.default_rng(int(rate * 1000))
    right = [RIGHT] * round(60 * rate) + [WRONG] * (60 - round(60 * rate))
    for _ in range(15):
        outcomes = [right[i] for i in rng.permutation(60)]
        trial = fed(claim, outcomes)
        assert trial.verdict in ("PASS", "FAIL")
        if trial.used == 60:
            count = sum(o[0] for o in outcomes)
            assert count >= needed(0.75, 60) if trial.verdict == "PASS" else count < needed(0.8, 60)


def test_a_free_trial_runs_every_case_and_passes_if_it_ever_crosses():
    recovered = [WRONG] * 6 + [RIGHT] * 114
    assert fed(POPULATION, recovered).verdict == "FAIL"
    free = fed(POPULATION, recovered, free=True)
    assert free.verdict == "PASS" and free.used == 120 and free.certified().rate > 0.8
    spoiled = fed(POPULATION, [RIGHT] * 60 + [WRONG] * 60, free=True)
    assert spoiled.verdict == "PASS"
    hopeless = fed(POPULATION, [WRONG] * 120, free=True)
    assert hopeless.verdict is None and hopeless.conclude() == "FAIL"


def brute_least(claim: Claim, prefix, most: int) -> int:
    """The fewest further cases after which some continuation is decided, by trying them all."""
    for further in range(1, min(most, claim.n - len(prefix)) + 1):
        for rest in itertools.product([RIGHT, WRONG, ABSTAINED], repeat=further):
            if fed(claim, [*prefix, *rest]).verdict:
                return further
    return min(most, claim.n - len(prefix))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from([RIGHT, WRONG, ABSTAINED, FAILED]), max_size=8),
    st.sampled_from([None, 0.5]),
    st.sampled_from(["population", "finite"]),
)
def test_least_to_verdict_is_the_smallest_number_that_could_decide(prefix, coverage, kind):
    claim = Claim(0.6, 0.1, 8, 0.15, coverage, kind)
    trial = fed(claim, prefix)
    if trial.verdict:
        assert trial.least_to_verdict() == 0
    else:
        assert trial.least_to_verdict(4) == brute_least(claim, prefix, 4)


def test_with_no_more_calls_in_flight_than_told_none_is_wasted():
    rng = np.random.default_rng(5)
    for claim in (POPULATION, COVERED):
        for _ in range(20):
            outcomes, trial, started = draws(rng, claim.n, 0.85, 0.75), Trial(claim), 0
            while trial.verdict is None and trial.used < claim.n:
                started = max(started, trial.used + min(16, trial.least_to_verdict()))
                trial.observe(*outcomes[trial.used])
            assert started == trial.used


def test_a_failed_call_is_neither_a_right_answer_nor_a_share_answered_toward_pass():
    shares = [
        fed(Claim(0.5, 0.2, 120, 0.05, coverage=0.6), [RIGHT, RIGHT, RIGHT, RIGHT, failed] * 24, free=True)
        for failed in (FAILED, (False, True, True), ABSTAINED)
    ]
    assert len({trial.certified().share for trial in shares}) == 1
    assert shares[0].certified().rate == shares[1].certified().rate < shares[2].certified().rate


def test_the_certified_bound_is_the_last_one_the_same_spending_rejects():
    outcomes = draws(np.random.default_rng(8), 120, 0.97)
    trial = fed(POPULATION, outcomes, free=True)
    bound = trial.certified().rate
    right = np.cumsum([o[0] for o in outcomes])
    assert 0.75 < bound < 0.97
    assert (right >= boundary(Null(bound), 120, 0.025)).any()
    assert not (right >= boundary(Null(round(bound + 0.005, 10)), 120, 0.025)).any()


def test_a_certified_bound_above_the_truth_is_as_rare_as_alpha():
    rng, n, truth, alpha = np.random.default_rng(11), 60, 0.9, 0.05
    wrong = 0
    for _ in range(600):
        trial = fed(Claim(0.8, 0.1, n, alpha), draws(rng, n, truth), free=True)
        wrong += trial.verdict == "PASS" and trial.certified().rate >= truth
    assert wrong / 600 <= alpha + 3 * (alpha * (1 - alpha) / 600) ** 0.5


def test_with_coverage_the_share_is_certified_too():
    trial = fed(COVERED, draws(np.random.default_rng(2), 120, 0.95, 0.8))
    certified = trial.certified()
    assert trial.verdict == "PASS"
    assert certified.rate >= 0.7 and certified.share is not None and 0.55 <= certified.share < 0.8


def test_only_a_pass_certifies():
    with pytest.raises(ValueError, match="PASS"):
        fed(POPULATION, [WRONG] * 20).certified()


@pytest.mark.parametrize(
    "wrong",
    [
        {"bar": 0.0},
        {"bar": 1.1},
        {"tolerance": -0.1},
        {"tolerance": 0.8},
        {"coverage": 1.5},
        {"n": 0},
    ],
)
def test_impossible_claims_are_refused(wrong):
    with pytest.raises(ValueError):
        Claim(**{"bar": 0.8, "tolerance": 0.05, "n": 100, "alpha": 0.025, **wrong})


def test_a_case_too_many_and_a_contradictory_case_are_refused():
    with pytest.raises(ValueError, match="toward"):
        Trial(POPULATION).observe(True, False)
    with pytest.raises(ValueError, match="used up"):
        fed(Claim(0.8, 0.05, 3, 0.025), [RIGHT] * 4)
