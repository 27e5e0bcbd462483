"""The ledger: a PASS costs nothing, anything else is spent, and no strategy gets past the total."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from suffice.stats.exact import Null, boundary
from suffice.stats.ledger import alpha_of_try


@pytest.mark.parametrize(
    ("passed", "alpha"),
    [
        ([], 0.025),
        ([False], 0.0125),
        ([True], 0.0375),
        ([True, True], 0.04375),
        ([True, False], 0.00625),
        ([False, True], 0.01875),
        ([True, False, True], 0.009375),
        ([False, False, False], 0.003125),
    ],
)
def test_each_try_gets_half_of_the_last_share_plus_what_a_pass_left(passed, alpha):
    assert alpha_of_try(passed) == pytest.approx(alpha, abs=1e-15)


def test_releases_that_pass_can_gate_for_ever():
    assert alpha_of_try([True] * 40) == pytest.approx(0.05)


def test_tries_that_do_not_pass_share_the_total():
    assert sum(alpha_of_try([False] * j) for j in range(60)) == pytest.approx(0.05)


def test_the_total_is_a_parameter_and_must_be_an_error():
    assert alpha_of_try([], total=0.1) == 0.05
    with pytest.raises(ValueError, match="alpha"):
        alpha_of_try([], total=1.5)


def test_no_mix_of_sure_winners_and_exact_nulls_errs_more_often_than_the_total():
    """The best strategy of an adversary who sees every PASS, by dynamic programming over 14 tries.

    At each try it either sends in a solution that surely passes rightly, to collect its alpha, or one exactly at the
    null, which passes wrongly with the whole alpha of the try.
    """

    @cache
    def worst(passed: tuple[bool, ...]) -> float:
        if len(passed) == 14:
            return 0.0
        alpha = alpha_of_try(passed)
        wins = worst((*passed, True))
        return max(wins, alpha + (1 - alpha) * worst((*passed, False)))

    assert 0.045 < worst(()) <= 0.05


def test_an_adversary_who_climbs_on_fail_unproven_and_cases_used_stays_within_the_total():
    """Every candidate is exactly at the bar; each keeps most answers of the best one so far, judged by how long it
    lasted. 5,000 runs of 6 tries on one sealed split: a margin of three standard errors.
    """
    runs, n, bar, rng = 5_000, 120, 0.8, np.random.default_rng(7)
    lower = boundary(Null(bar), n, 0.2, "fail")
    best = rng.random((runs, n)) < bar
    longest, passed = np.zeros(runs), np.zeros(runs, dtype=bool)
    for j in range(6):
        redrawn = rng.random((runs, n)) < bar
        answers = np.where(rng.random((runs, n)) < 0.3, redrawn, best) if j else best
        right = answers.cumsum(1)
        crossed = right >= boundary(Null(bar), n, alpha_of_try([False] * j))
        failed = right <= lower
        won = np.where(crossed.any(1), crossed.argmax(1), n)
        lost = np.where(failed.any(1), failed.argmax(1), n)
        passed |= won < lost
        better = lost >= longest
        best = np.where(better[:, None], answers, best)
        longest = np.maximum(lost, longest)
    assert 0.005 < passed.mean() <= 0.05 + 3 * (0.05 * 0.95 / runs) ** 0.5
