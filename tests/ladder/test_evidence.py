"""Dev evidence and the thresholds of routes: against a search through every threshold, and against luck."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suffice.ladder.evidence import (
    ADVISED,
    LIKELY,
    OUT,
    SLACK,
    Evidence,
    evidence_of,
    fit_route,
    largest_coverage,
    measured,
    shared,
)
from suffice.stats.claim import Claim
from suffice.stats.plan import power
from suffice.stats.predict import NOTHING, Showing, chance, chances
from suffice.values import ABSTAIN, Answer, Case, Failure, Outcome, Score

CLAIM = Claim(0.75, 0.06, 120, 0.025)


def case(i: int) -> Case:
    return Case(str(i), f"case {i}", "a", str(i), f"rows[{i}]", f"{i:032x}", f"{i:032x}")


OUTCOMES = [Outcome(case(i), None, None, None, None) for i in range(500)]


def evidence(right, confidence=None, answered=None, failed=None, start: int = 0, time=None) -> Evidence:
    n = len(right)
    said = np.ones(n, bool) if answered is None else np.array(answered)
    hit = np.array(right, dtype=bool) & said
    return Evidence(
        tuple(OUTCOMES[start : start + n]),
        said,
        hit,
        np.zeros(n, bool) if failed is None else np.array(failed),
        np.full(n, np.nan) if confidence is None else np.where(said, confidence, np.nan),
        hit.astype(float),
        np.arange(n),
        np.zeros(n),
        np.full(n, np.nan) if time is None else np.array(time, dtype=float),
    )


def drawn(rng, n: int, low: float, high: float, share: float = 1.0) -> Evidence:
    """A solution whose confidence is its chance to be right."""
    sure = np.round(rng.uniform(low, high, n), 2)
    return evidence(rng.random(n) < sure, sure, rng.random(n) < share)


def outcome(i: int, value=None, confidence=None, right=False, failed=False) -> Outcome:
    if failed:
        return Outcome(case(i), None, None, Failure("raised", "no"), None)
    return Outcome(case(i), Answer(value, confidence), Score(float(right)), None, None)


def test_evidence_tells_answers_abstentions_and_failures_apart():
    found = evidence_of(
        [outcome(0, "a", 0.9, True), outcome(1, None, 0.4, True), outcome(2, ABSTAIN), outcome(3, failed=True)]
    )
    assert found.answered.tolist() == [True, True, False, False]  # None is an answer
    assert found.right.tolist() == [True, True, False, False]
    assert found.failed.tolist() == [False, False, False, True]
    assert found.confident and found.hands_on


def test_the_time_of_a_route_is_that_of_all_members_that_a_case_was_put_to():
    claim = Claim(0.75, 0.06, 120, 0.025, fast=0.95)
    first = evidence([1, 1, 0, 0], [0.9, 0.9, 0.1, 0.1], time=[0.5, 1.1, 0.5, 0.5])
    last = evidence([1, 1, 1, 1], time=[2.0, 2.0, 0.4, 0.6])
    time = measured([first, last], [0.5, None], claim).showing.time
    assert time is not None
    assert time.totals.tolist() == [1, 0, 1, 0] and time.cases.tolist() == [1, 1, 1, 1]
    alone = measured([first, last], [OUT, None], claim).showing.time
    assert alone is not None and alone.totals.tolist() == [0, 0, 1, 1]


def test_a_failed_call_is_late_and_an_unknown_time_says_nothing():
    claim = Claim(0.75, 0.06, 120, 0.025, fast=0.95)
    one = evidence([1, 0, 1], answered=[True, False, True], failed=[False, True, False], time=[0.5, 0.5, math.nan])
    time = measured([one], [None], claim).showing.time
    assert time is not None and time.totals.tolist() == [1, 0, 0] and time.cases.tolist() == [1, 1, 0]


def test_a_member_that_was_answered_out_of_fold_takes_no_time():
    claim = Claim(0.75, 0.06, 120, 0.025, fast=0.95)
    learnt, last = evidence([1, 0], [0.9, 0.1]), evidence([1, 1], time=[3.0, 0.9])
    time = measured([learnt, last], [0.5, None], claim).showing.time
    assert time is not None and time.totals.tolist() == [1, 1]
    assert measured([learnt], [None], claim).showing.time is None


def test_who_can_stand_in_front_of_others():
    flat = evidence([1, 1, 0], [0.9, 0.9, 0.9])
    assert not flat.confident and not flat.hands_on
    some = evidence([1, 1, 0], [0.9, math.nan, 0.2])
    assert not some.confident
    shy = evidence([1, 1, 0], answered=[True, False, True])
    assert not shy.confident and shy.hands_on
    broken = evidence([1, 1, 0], answered=[True, False, True], failed=[False, True, False])
    assert not broken.hands_on  # a failed call is no abstention


def test_members_are_compared_on_the_cases_that_all_of_them_saw():
    one, other = evidence([1, 0, 1, 0], start=0), evidence([1, 1, 0], start=2)
    a, b = shared([one, other])
    assert [o.case.id for o in a.outcomes] == [o.case.id for o in b.outcomes] == ["2", "3"]
    assert a.right.tolist() == [True, False] and b.right.tolist() == [True, True]


# Measuring a route.


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 3))
def test_a_measured_route_is_what_asking_member_by_member_gives(seed, count):
    rng = np.random.default_rng(seed)
    members = [drawn(rng, 25, 0.2, 1.0, 0.8) for _ in range(count)]
    for m in members:
        m.failed[:] = ~m.answered & (rng.random(25) < 0.5)
    thresholds = [float(rng.random()) if rng.random() < 0.6 else (OUT if rng.random() < 0.5 else None) for _ in members]
    fit = measured(members, thresholds, CLAIM)
    by = [0] * count
    for i in range(25):
        answered = right = False
        for j, (m, t) in enumerate(zip(members, thresholds, strict=True)):
            if t == OUT:
                continue
            if m.failed[i]:
                break
            if m.answered[i] and (t is None or m.confidence[i] >= t):
                answered, right, by[j] = True, bool(m.right[i]), by[j] + 1
                break
        assert (bool(fit.answered[i]), bool(fit.right[i])) == (answered, right)
    assert fit.handled == tuple(n / 25 for n in by)


# Fitting one.


@pytest.mark.parametrize("coverage", [None, 0.6, 0.8])
def test_the_fitted_route_is_nearly_the_best_of_all_thresholds(coverage):
    claim = Claim(0.75, 0.06, 120, 0.025, coverage)
    gaps = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        members = [drawn(rng, 60, rng.uniform(0, 0.6), rng.uniform(0.8, 1), rng.uniform(0.8, 1)) for _ in range(2)]
        if seed % 5 == 0:
            members[-1] = evidence(members[-1].right, None, members[-1].answered)
        fit = fit_route(members, claim)
        assert fit.chance == measured(members, fit.thresholds, claim).chance
        first = [OUT, *np.unique(members[0].confidence[members[0].answered]).tolist()]
        last = [None, *(np.unique(members[1].confidence[members[1].answered]).tolist() if coverage else ())]
        last = [t for t in last if t is None or not math.isnan(t)]
        worthy = [t for t in first if t == OUT or reaches_the_bar(members[0], t, claim.bar)]
        best = max(measured(members, t, claim).smaller for t in itertools.product(worthy, last))
        gaps.append(best - fit.smaller)
    assert np.mean(gaps) < 0.02 and max(gaps) < 0.15


def reaches_the_bar(member: Evidence, threshold: float, bar: float) -> bool:
    """The lower end of Wilson's interval at one standard error, written down anew."""
    mine = member.answered & (member.confidence >= threshold)
    n, k, z2 = int(mine.sum()), int(member.right[mine].sum()), 0.98893  # z at 68%, squared
    return n > 0 and (k + z2 / 2 - math.sqrt(z2 * (k * (n - k) / n + z2 / 4))) / (n + z2) >= bar


def test_a_sure_and_right_easy_member_takes_its_share():
    rng = np.random.default_rng(0)
    easy, hard = drawn(rng, 120, 0.6, 1.0), evidence(rng.random(120) < 0.97)
    fit = fit_route([easy, hard], Claim(0.85, 0.06, 240, 0.025))
    assert fit.thresholds[0] not in (OUT, None) and fit.handled[0] > 0.3 and fit.thresholds[1] is None
    assert fit.chance >= fit_route([hard], Claim(0.85, 0.06, 240, 0.025)).chance - SLACK


def test_a_member_that_does_not_help_is_left_out():
    rng = np.random.default_rng(2)
    hard = evidence(rng.random(120) < 0.97)
    useless = evidence(rng.random(120) < 0.5, rng.random(120))  # its confidence says nothing
    assert fit_route([useless, hard], CLAIM).thresholds == (OUT, None)
    never_sure = evidence(rng.random(120) < 0.95)  # no confidence at all
    assert fit_route([never_sure, hard], CLAIM).thresholds == (OUT, None)


def test_a_member_that_abstains_by_itself_stands_in_front_without_a_threshold():
    rng = np.random.default_rng(3)
    rules = evidence(np.ones(120), answered=rng.random(120) < 0.4)
    fit = fit_route([rules, evidence(rng.random(120) < 0.93)], CLAIM)
    assert fit.thresholds == (None, None) and fit.handled[0] == pytest.approx(rules.answered.mean())
    wrong = evidence(rng.random(120) < 0.5, answered=rules.answered)
    assert fit_route([wrong, evidence(rng.random(120) < 0.93)], CLAIM).thresholds == (OUT, None)


def test_all_that_a_member_has_seen_counts_when_it_asks_to_stand_in_front():
    n = 300
    sure = np.linspace(0, 1, n)
    # On the 30 cases that the harder one saw, the easy one was lucky; on the others it was not.
    right = np.where(np.arange(n) % 10 == 0, True, np.arange(n) % 2 == 0)
    easy = evidence(right, sure)
    seen = [i for i in range(n) if i % 10 == 0]
    hard = evidence_of([outcome(i, "a", None, True) for i in seen])
    assert fit_route([easy, hard], CLAIM).thresholds == (OUT, None)


def test_a_useless_member_does_not_cost_the_route_its_pass():
    # Thresholds chosen for luck alone cost a fifth of the chance to pass here.
    claim, lost = Claim(0.9, 0.05, 240, 0.025), []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        sure = rng.uniform(0.2, 0.6, 40)
        easy, hard = evidence(rng.random(40) < sure, sure), evidence(rng.random(40) < 0.93)
        threshold = fit_route([easy, hard], claim).thresholds[0]
        share = 0.0 if threshold == OUT else (0.6 - max(threshold, 0.2)) / 0.4
        lost.append(0.93 * (1 - share) + share * (0.6 - share * 0.2))
    passes = np.mean([power(claim, round(r, 3)).passes for r in lost])
    assert passes > power(claim, 0.93).passes - 0.02


# Coverage.


def test_with_coverage_the_last_threshold_serves_the_harder_of_the_two_conditions():
    rng = np.random.default_rng(4)
    last = drawn(rng, 150, 0.2, 1.0)
    claim = Claim(0.85, 0.06, 200, 0.025, 0.4)
    fit = fit_route([last], claim)
    every = [measured([last], [t], claim) for t in np.unique(last.confidence).tolist()]
    assert fit.smaller == max(f.smaller for f in every)
    assert fit.answered.mean() < 1


def test_a_solution_that_goes_as_it_is_gets_no_threshold():
    last = drawn(np.random.default_rng(4), 150, 0.2, 1.0)
    assert fit_route([last], Claim(0.85, 0.06, 200, 0.025, 0.4), as_is=True).thresholds == (None,)


def test_the_largest_coverage_goes_down_from_the_best_threshold_as_long_as_it_is_likely():
    last = drawn(np.random.default_rng(5), 200, 0.2, 1.0)
    claim = Claim(0.85, 0.06, 600, 0.025)
    fit = fit_route([last], Claim(0.85, 0.06, 600, 0.025, 0.0))
    assert fit.chance >= LIKELY
    sure = largest_coverage([last], claim)
    assert sure is None or (sure.chance >= ADVISED and sure.answered.mean() <= fit.answered.mean())
    free, marks = Claim(0.85, 0.06, 600, 0.025, 0.0), np.unique(last.confidence).tolist()
    by = {t: measured([last], [t], free) for t in (marks if len(marks) <= 60 else marks[:: len(marks) // 60])}
    best = max(by, key=lambda t: by[t].smaller)
    assert fit.thresholds[0] < best
    assert fit.answered.mean() > by[best].answered.mean()
    assert largest_coverage([drawn(np.random.default_rng(6), 200, 0.1, 0.5)], claim) is None


def test_a_front_member_widens_the_coverage_of_what_follows():
    rng = np.random.default_rng(8)
    n = 200
    easy_half = np.arange(n) % 2 == 0
    rules = evidence(np.ones(n), answered=easy_half)
    sure = np.where(easy_half, 0.1, rng.uniform(0.3, 1, n))
    last = evidence(rng.random(n) < np.where(easy_half, 0.1, sure), sure)
    claim = Claim(0.85, 0.06, 200, 0.025, 0.0)
    alone, both = fit_route([last], claim), fit_route([rules, last], claim)
    assert both.answered.mean() > 0.6 > alone.answered.mean()


def test_the_predicted_chance_of_a_tuned_route_is_the_one_met():
    claim, told, met = Claim(0.9, 0.05, 300, 0.025, 0.0), [], []
    for seed in range(60):
        fit = fit_route([drawn(np.random.default_rng(seed), 200, 0.4, 1.0)], claim)
        share, rate = (1 - fit.thresholds[0]) / 0.6, (1 + fit.thresholds[0]) / 2
        told.append(fit.chance)
        met.append(power(Claim(0.9, 0.05, max(round(300 * share), 1), 0.025), round(rate, 2)).passes)
    assert np.mean(told) == pytest.approx(np.mean(met), abs=0.1)  # without its correction it says .18 too much


# Predictions.


def test_what_was_not_answered_counts_as_wrong_without_coverage_only():
    shown = Showing(np.arange(100) < 50, (np.arange(100) < 60).astype(int), np.ones(100, dtype=int))
    assert chances(shown, CLAIM).together == chance(50, 100, CLAIM)
    covered = chances(shown, Claim(0.75, 0.06, 120, 0.025, 0.5))
    assert covered.rate > 0.3 > chances(shown, CLAIM).together and covered.together <= covered.smaller


def test_nothing_seen_predicts_nothing():
    assert chances(NOTHING, CLAIM).together == 0.0
    silent = Showing(np.zeros(10), np.zeros(10, dtype=int), np.ones(10, dtype=int))
    assert chances(silent, Claim(0.75, 0.06, 120, 0.025, 0.5)).together == 0.0
    assert fit_route([evidence([])], CLAIM).chance == 0.0
