"""Predictions of what betting will show, against simulated tests."""

from __future__ import annotations

import numpy as np
import pytest

from suffice.stats.betting import opening
from suffice.stats.claim import Claim
from suffice.stats.outlook import Moments, moments, predicted_chance, reject_chance
from suffice.stats.plan import cases_needed, default_tolerance, power
from suffice.stats.predict import Showing, chances

MARGIN = 0.1


def simulated(mean, ratio, bound, n, alpha, runs=800):
    rng, strength = np.random.default_rng(5), 1 / ratio - 1
    scores = rng.beta(mean * strength, (1 - mean) * strength, (n, runs))
    wealth, rejected = opening(np.full(runs, bound), n, alpha), np.zeros(runs, dtype=bool)
    for row in scores:
        wealth = wealth.after(row)
        rejected |= wealth.rejected
    return rejected.mean()


@pytest.mark.parametrize("ratio", [0.6, 0.3, 0.06])
@pytest.mark.parametrize(("bound", "mean"), [(0.6, 0.64), (0.6, 0.7), (0.85, 0.88), (0.85, 0.92)])
def test_the_chance_of_rejecting_is_that_of_simulated_tests(bound, mean, ratio):
    said = float(reject_chance(mean, ratio, bound, 150, 0.025)[0])
    assert said == pytest.approx(simulated(mean, ratio, bound, 150, 0.025), abs=MARGIN)


def test_the_fail_side_is_the_mirror_image():
    low = reject_chance(0.7, 0.5, 0.8, 100, 0.2, "fail")
    assert low[0] == pytest.approx(reject_chance(0.3, 0.5, 0.2, 100, 0.2)[0])


def test_a_prediction_rises_with_what_dev_showed_and_knows_how_little_that_is():
    def said(right, seen):
        return predicted_chance(Moments(seen, right, right), 0.8, 200, 0.025)

    rising = [said(right, 60) for right in range(40, 61, 4)]
    assert rising == sorted(rising)
    assert 0.02 < said(3, 3) < 0.9 and said(60, 60) > 0.95


def test_scores_that_vary_less_are_decided_more_often():
    binary = np.r_[np.ones(88), np.zeros(12)]
    steady = np.full(100, 0.88)
    chance = [predicted_chance(moments(x), 0.8, 200, 0.025) for x in (binary, steady)]
    assert chance[1] > chance[0] + 0.1


def test_clusters_are_predicted_by_their_cases():
    twos = np.full(100, 2)
    good = Showing(np.full(100, 1.9), twos, twos)
    poor = Showing(np.full(100, 1.4), twos, twos)
    claim = Claim(0.85, 0.05, 120, 0.025, most=2)
    assert chances(good, claim).together > 0.95 and chances(poor, claim).together < 0.05


def test_among_answered_cases_what_is_handed_on_does_not_count_against_the_rate():
    said = np.r_[np.ones(60, dtype=int), np.zeros(40, dtype=int)]
    shown = Showing(np.where(said, 0.95, 0.0), said, np.ones(100, dtype=int))
    covered = chances(shown, Claim(0.85, 0.05, 200, 0.025, graded=True, coverage=0.5))
    assert covered.rate > 0.9 and covered.share > 0.8
    assert chances(shown, Claim(0.85, 0.05, 200, 0.025, graded=True)).together < 0.05


def test_betting_resolves_a_little_less_than_exact_spending_and_a_plan_says_so():
    exact, graded = Claim(0.8, 0.05, 300, 0.05), Claim(0.8, 0.05, 300, 0.05, graded=True)
    assert power(graded, 0.85).passes < power(exact, 0.85).passes
    assert power(graded, 0.75).fails > 0.5
    assert default_tolerance(0.8, 300, exact=False) >= default_tolerance(0.8, 300)
    needed = cases_needed(0.8, 0.05, 0.9, 0.025, exact=False)
    assert needed is not None and needed > cases_needed(0.8, 0.05, 0.9, 0.025) * 0.8
