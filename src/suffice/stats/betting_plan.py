"""What a betting test can show, before it is run: the counterparts of `plan` for engine 2, simulated at fixed seeds.

Where a solution's true rate is all that is said of it, its scores are taken to be right or wrong: graded scores with
the same mean vary less and are decided sooner.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffice.stats.betting import BettingTest, opening
from suffice.stats.claim import Claim
from suffice.stats.exact import Floats, Ints, Null, boundary
from suffice.stats.outlook import predicted_chance, reject_chance
from suffice.stats.predict import Showing, moments_of

RUNS = 1000
"""Simulated trials behind a power; a margin of about .03."""


class Simulated(NamedTuple):
    """Chances of PASS and of FAIL, and the mean number of units used."""

    passes: float
    fails: float
    cases: float


def simulated_power(claim: Claim, rate: float, share: float | None = None) -> Simulated:
    """What happens to a solution of true rate `rate` (among answered) and true share answered `share`."""
    n, rng = claim.n, np.random.default_rng(0)
    answered = rng.random((n, RUNS)) < (1.0 if share is None else share)
    scores = (rng.random((n, RUNS)) < rate).astype(np.float64)
    won = _first(claim, np.where(answered, scores, claim.bound), claim.bound, claim.alpha)
    lost = _first(claim, np.where(answered, scores, claim.bar), claim.bar, claim.alpha_fail, passing=False)
    if claim.share is not None and claim.coverage:
        said = answered.cumsum(0)
        won = np.maximum(won, _crossed(said >= boundary(Null(claim.share), n, claim.alpha)[:, None]))
        lost = np.minimum(lost, _crossed(said <= boundary(Null(claim.coverage), n, claim.alpha_fail, "fail")[:, None]))
    passes = (won <= lost) & (won <= n)
    fails = ~passes & (lost <= n)
    return Simulated(float(passes.mean()), float(fails.mean()), float(np.minimum(np.minimum(won, lost), n).mean()))


def shown_by_ones(bound: float, n: int, alpha: float) -> bool:
    """Whether n right answers in a row show a mean above `bound`."""
    test = BettingTest(Null(bound), n, alpha)
    return any(test.observe(1.0) for _ in range(n))


def likely_shown(bound: float, rate: float, n: int, alpha: float) -> float:
    """The chance that n units show a mean above `bound` at true rate `rate`, roughly: for searches over n."""
    return float(reject_chance(rate, 1.0, bound, n, alpha, rough=True)[0])


def equal_chance(within: float, n: int, alpha: float, differing: float, *, rough: bool = False) -> float:
    """The chance that a solution exactly as good as its reference is shown to be within `within` of it, where the two
    differ on a share `differing` of the cases. `rough`: for searches over n."""
    return float(reject_chance(0.5, differing, round((1.0 - within) / 2, 10), n, alpha, rough=rough)[0])


def smallest_margin(n: int, alpha: float, differing: float, chance: float) -> float | None:
    """The smallest margin (a multiple of .01, up to .5) at which an equal solution is shown with at least `chance`."""
    found = bisect_left(range(51), True, lo=1, key=lambda m: equal_chance(m / 100, n, alpha, differing) >= chance)
    return found / 100 if found <= 50 else None


def likely_ends(shown: Showing, claim: Claim) -> tuple[float, float]:
    """The chances that each side of `claim` is shown after what dev showed, roughly: for searches over n."""
    high = predicted_chance(moments_of(shown, claim, claim.bound), claim.bound, claim.n, claim.alpha, rough=True)
    low = moments_of(shown, claim, claim.bar)
    return high, predicted_chance(low, claim.bar, claim.n, claim.alpha_fail, "fail", rough=True)


def _first(claim: Claim, scores: Floats, bound: float, alpha: float, *, passing: bool = True) -> Ints:
    """When each simulated test rejects, n + 1 where never."""
    wealth = opening(np.full(RUNS, bound), claim.n, alpha, "pass" if passing else "fail", claim.pass_null.finite)
    rejected = np.empty(scores.shape, dtype=bool)
    for i, row in enumerate(scores):
        wealth = wealth.after(row)
        rejected[i] = wealth.rejected
    return _crossed(rejected)


def _crossed(at: NDArray[np.bool_]) -> Ints:
    return np.where(at.any(0), at.argmax(0) + 1, len(at) + 1)
