"""The documented error rates, by simulation with fixed seeds; `bench/validity.py` is the long version."""

from __future__ import annotations

import numpy as np
import pytest

from suffice.stats.exact import COIN, Null, SpendingTest, boundary


def margin(rate: float, runs: int) -> float:
    """Three standard errors of a simulated share."""
    return 3 * (rate * (1 - rate) / runs) ** 0.5 + 1e-9


@pytest.mark.parametrize(("rate", "passes"), [(0.80, 0.0497), (0.85, 0.642), (0.90, 0.998)])
def test_population_claims_pass_as_often_as_documented(rate, passes):
    runs, rng = 6_000, np.random.default_rng(1)
    right = (rng.random((runs, 300)) < rate).cumsum(1)
    crossed = (right >= boundary(Null(0.8), 300, 0.05)).any(1).mean()
    assert crossed == pytest.approx(passes, abs=margin(passes, runs))


def test_completion_order_is_never_needed_for_the_error_to_hold_on_a_prefix():
    """Stopping the stream anywhere leaves the share of crossings below what may be spent by then."""
    runs, rng = 6_000, np.random.default_rng(2)
    right = (rng.random((runs, 300)) < 0.8).cumsum(1)
    crossed = np.logical_or.accumulate(right >= boundary(Null(0.8), 300, 0.05), axis=1).mean(0)
    allowed = 0.05 * np.arange(1, 301) / 300
    assert (crossed <= allowed + 3 * np.sqrt(allowed / runs) + 1e-9).all()


def runs_of(test_of, outcomes, runs: int) -> float:
    crossed = 0
    for _ in range(runs):
        test = test_of()
        crossed += any(test.observe(right, moved) for right, moved in outcomes())
    return crossed / runs


@pytest.mark.parametrize(("a", "b", "rho", "share"), [(0.9, 0.9, 0.6, 0.045), (0.8, 0.85, 0.6, 0.745)])
def test_paired_tests_cross_as_often_as_documented(a, b, rho, share):
    rng, runs = np.random.default_rng(3), 600
    both = a * b + rho * (a * (1 - a) * b * (1 - b)) ** 0.5

    def outcomes():
        u = rng.random(300)
        x, y = u < a, (u < both) | ((u >= a) & (u < a + b - both))
        return zip((y & ~x).tolist(), (x != y).tolist(), strict=True)

    crossed = runs_of(lambda: SpendingTest(COIN, 300, 0.05), outcomes, runs)
    assert crossed == pytest.approx(share, abs=margin(share, runs))


@pytest.mark.parametrize(("rate", "share"), [(0.85, 0.022), (0.93, 0.77), (0.95, 0.955)])
def test_claims_about_answered_cases_cross_as_often_as_documented(rate, share):
    rng, runs = np.random.default_rng(4), 600

    def outcomes():
        said, right = rng.random(240) < 0.6, rng.random(240) < rate
        return zip((said & right).tolist(), said.tolist(), strict=True)

    crossed = runs_of(lambda: SpendingTest(Null(0.85), 240, 0.025), outcomes, runs)
    assert crossed == pytest.approx(share, abs=margin(share, runs) + 0.01)


@pytest.mark.parametrize("side", ["pass", "fail"])
@pytest.mark.parametrize("answered", [60, 240])
def test_among_answered_cases_of_a_finite_set_the_error_is_far_below_alpha(side, answered):
    """Exact: sampling without replacement against the population's boundary, at the worst count of right cases."""
    bound, alpha = 0.8, 0.05
    line = boundary(Null(bound), answered, alpha, side)
    ones = round(bound * answered) - 1 if side == "pass" else answered - round(bound * answered)
    mass, crossed, states = np.zeros(answered + 2), 0.0, np.arange(answered + 2)
    mass[0] = 1.0
    for i in range(1, answered + 1):
        rising = mass * np.clip((ones - states) / (answered - i + 1), 0, 1)
        mass = mass - rising + np.concatenate(([0.0], rising[:-1]))
        cut = int(line[i - 1]) if side == "pass" else i - int(line[i - 1])
        crossed += float(mass[cut:].sum())
        mass[cut:] = 0.0
    assert crossed <= 0.2 * alpha
