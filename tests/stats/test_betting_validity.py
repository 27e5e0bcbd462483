"""The documented error rates and power of betting, by simulation with fixed seeds; `bench/validity_betting.py` is the
long version.
"""

from __future__ import annotations

import numpy as np
import pytest

from suffice.stats.betting import opening
from suffice.stats.exact import Null
from suffice.stats.judged import judged_null, judged_score, partnered_null, partnered_score
from suffice.stats.paired import not_better

ALPHA = 0.05


def margin(rate: float, runs: int) -> float:
    """Three standard errors of a simulated share."""
    return 3 * (rate * (1 - rate) / runs) ** 0.5 + 1e-9


def crossing(rows, null, alpha=ALPHA, side="pass", n="known", bounds=None):
    """The case at which each row of scores first crosses; one beyond the last where it does not."""
    runs, cases = rows.shape
    start = np.full(runs, null.bound) if bounds is None else bounds
    wealth = opening(start, cases if n == "known" else n, alpha, side, null.finite)
    first = np.full(runs, cases + 1)
    for i in range(cases):
        wealth = wealth.after(rows[:, i])
        first = np.where(wealth.rejected & (first > cases), i + 1, first)
    return first


def share(first, cases):
    return float((first <= cases).mean())


@pytest.mark.parametrize(
    ("rate", "passes", "cases"), [(0.80, 0.042, 292), (0.85, 0.549, 222), (0.90, 0.993, 93), (0.95, 1.0, 41)]
)
def test_population_claims_pass_as_often_and_as_early_as_documented(rate, passes, cases):
    runs, rng = 2_500, np.random.default_rng(1)
    first = crossing((rng.random((runs, 300)) < rate).astype(float), Null(0.8))
    assert share(first, 300) == pytest.approx(passes, abs=margin(passes, runs))
    assert np.minimum(first, 300).mean() == pytest.approx(cases, abs=6)


@pytest.mark.parametrize("draw", [lambda r, s: r.beta(8, 2, s), lambda r, s: r.beta(0.8, 0.2, s)])
@pytest.mark.parametrize("n", ["known", None])
def test_graded_scores_with_their_mean_on_the_bar_rarely_decide_wrongly(draw, n):
    runs, rng = 1_500, np.random.default_rng(2)
    rows = draw(rng, (runs, 200))
    assert share(crossing(rows, Null(0.8), n=n), 200) <= ALPHA + margin(ALPHA, runs)
    assert share(crossing(rows, Null(0.8), 0.2, "fail", n=n), 200) <= 0.2 + margin(0.2, runs)


def pairs(rng, runs, a, b, rho):
    both = a * b + rho * (a * (1 - a) * b * (1 - b)) ** 0.5
    u = rng.random((runs, 300))
    second, first = (u < both) | ((u >= a) & (u < a + b - both)), u < a
    return (second.astype(float) - first + 1) / 2


@pytest.mark.parametrize(
    ("a", "b", "rho", "worse", "passes"),
    [
        (0.6, 0.7, 0.4, 0.0, 0.89),
        (0.8, 0.85, 0.6, 0.0, 0.68),
        (0.9, 0.9, 0.6, 0.0, 0.031),
        (0.9, 0.9, 0.6, 0.05, 0.80),
        (0.85, 0.8, 0.6, 0.05, 0.04),
    ],
)
def test_paired_claims_pass_as_often_as_documented(a, b, rho, worse, passes):
    runs = 1_500
    first = crossing(pairs(np.random.default_rng(3), runs, a, b, rho), not_better(worse))
    assert share(first, 300) == pytest.approx(passes, abs=margin(passes, runs) + 0.01)


def test_reruns_that_correlate_break_the_error_when_counted_as_cases_and_not_as_a_case_mean():
    runs, rng = 1_500, np.random.default_rng(4)
    rates = rng.beta(0.08, 0.02, (runs, 100, 1))  # mean .80, reruns nearly always agree
    rows = (rng.random((runs, 100, 3)) < rates).astype(float)
    assert share(crossing(rows.reshape(runs, -1), Null(0.8)), 300) > 0.25
    assert share(crossing(rows.mean(2), Null(0.8)), 100) <= ALPHA + margin(ALPHA, runs)


def judge(rng, shape, rate):
    y = rng.random(shape) < rate
    return y.astype(float), (rng.random(shape) < np.where(y, 0.9, 0.2)).astype(float)


def test_a_judge_saves_labels_on_a_finite_set():
    runs, rng, null = 800, np.random.default_rng(5), Null(0.8, finite=True)
    y, f = judge(rng, (runs, 500), 0.9)
    bounds = np.array([judged_null(null, mean).bound for mean in f.mean(1)])
    corrected = crossing(np.vectorize(judged_score)(y, f), null, bounds=bounds)
    assert corrected.mean() < 0.85 * crossing(y, null).mean()


def test_on_a_finite_set_the_judge_does_not_bring_false_verdicts():
    runs, n, rng, null = 800, 200, np.random.default_rng(6), Null(0.8, finite=True)
    y = rng.permuted(np.tile(np.repeat([1.0, 0.0], [159, 41]), (runs, 1)), axis=1)
    f = (rng.random(y.shape) < np.where(y > 0, 0.9, 0.2)).astype(float)
    bounds = np.array([judged_null(null, mean).bound for mean in f.mean(1)])
    x = np.vectorize(judged_score)(y, f)
    assert share(crossing(x, null, bounds=bounds), n) <= ALPHA + margin(ALPHA, runs)
    assert share(crossing(x, null, 0.2, "fail", bounds=bounds), n) == 1.0


@pytest.mark.parametrize(("rate", "low", "high"), [(0.8, 0.0, ALPHA), (0.85, 0.70, 0.82)])
def test_over_a_population_unlabelled_partners_keep_the_error_and_save_some(rate, low, high):
    runs, n, rng = 1_000, 300, np.random.default_rng(7)
    y, f = judge(rng, (runs, n), rate)
    partners = rng.binomial(10, 0.9 * rate + 0.2 * (1 - rate), (runs, n)) / 10
    x = (y - 0.5 * f + 0.5 * partners + 0.5) / 2
    assert x[0, 0] == pytest.approx(partnered_score(y[0, 0], f[0, 0], [partners[0, 0]]))
    passed = share(crossing(x, partnered_null(Null(0.8))), n)
    assert low <= passed <= high + margin(high, runs)


def test_a_judge_is_only_used_where_its_mean_is_known_or_partnered():
    with pytest.raises(ValueError, match="unlabelled"):
        judged_null(Null(0.8), 0.8)
    with pytest.raises(ValueError, match="judged_null"):
        partnered_null(Null(0.8, finite=True))
    assert judged_score(0.7, 0.2, weight=0.0) == 0.7 and judged_null(Null(0.8, finite=True), 0.5, 0.0).bound == 0.8


def test_a_margin_is_a_part_of_the_scale():
    assert not_better().bound == 0.5 and not_better(0.1).bound == pytest.approx(0.45)
    with pytest.raises(ValueError, match="margin"):
        not_better(1.0)
