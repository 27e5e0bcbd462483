"""What a test can show, before it is run: tolerance, power, the largest claim, the cases needed.

All of it is computed by the engine itself. Power without coverage is exact (a sum over first passages); with coverage
it is simulated at a fixed seed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from suffice.stats.betting_plan import equal_chance, likely_ends, likely_shown, shown_by_ones, simulated_power
from suffice.stats.claim import Claim
from suffice.stats.exact import Floats, Ints, Null, boundary
from suffice.stats.ledger import TOTAL, alpha_of_try
from suffice.stats.outlook import resolution
from suffice.stats.passage import Passages, first_passages, pass_passages
from suffice.stats.predict import Showing, clocked

MOST_CASES = 100_000
"""Where searches for a number of cases give up."""


class Power(NamedTuple):
    """Chances of PASS and of FAIL, and the expected number of test cases used."""

    passes: float
    fails: float
    cases: float

    @property
    def unproven(self) -> float:
        """The chance that the test ends without a verdict."""
        return max(1.0 - self.passes - self.fails, 0.0)


class LargestClaim(NamedTuple):
    """The largest rates (multiples of .005) that n cases can show; None where there is none.

    `possible` is reached only when every case is right. `likely` is shown with a chance of at least one half by a
    solution that makes half of the errors which the claim allows.
    """

    possible: float | None
    likely: float | None


def default_tolerance(bar: float, n: int, alpha: float | None = None, *, exact: bool = True) -> float:
    """The resolution of a test of `n` cases: the smallest multiple of .01 at which a solution exactly at the bar
    passes at least half the time, at the alpha of the first try unless given; never above 1 - bar. By betting, which
    resolves less, where not `exact`.
    """
    first = alpha_of_try([], TOTAL) if alpha is None else alpha
    most = round(1.0 - bar, 10)
    if not exact:
        tolerances = np.array([h / 100 for h in range(100) if h / 100 < min(most, bar)])
        found = resolution(bar, n, first, tolerances) if len(tolerances) else None
        return found if found is not None else most if most < bar else round(bar / 2, 10)
    for hundredths in range(100):
        tolerance = hundredths / 100
        if tolerance >= min(most, bar):
            break
        if float(pass_passages(Null(round(bar - tolerance, 10)), n, first).at(bar).sum()) >= 0.5:
            return tolerance
    return most if most < bar else round(bar / 2, 10)  # a bar below one half with very few cases


def power(claim: Claim, rate: float, share: float | None = None) -> Power:
    """What happens to a solution that is right at true rate `rate`: exact, with both sides running.

    With coverage, `share` is the true share answered (required) and `rate` the rate among answered; that is
    simulated at a fixed seed (2,000 runs, fewer above 10,000 cases: a margin of about .02), with the rate's test
    taken to see the expected number of answered cases. For a finite set the n cases are i.i.d. draws.
    """
    if not 0.0 <= rate <= 1.0:
        raise ValueError(f"a rate must lie in [0, 1], not {rate!r}")
    if not claim.exact:
        return Power(*simulated_power(claim, rate, share))
    if claim.coverage is not None:
        if share is None:
            raise ValueError("power of a claim with coverage needs the true share answered")
        return _simulated(claim, rate, share)
    passing, failing = _passages(claim)
    passes, fails = passing.at(rate), failing.at(rate)
    return _summed(claim.n, passing, passes, failing, fails)


def predicted(claim: Claim, right: int, seen: int) -> Power:
    """The same averaged over what is believed after `right` of `seen` dev cases (uniform prior). Without coverage."""
    if claim.coverage is not None:
        raise ValueError("prediction of the whole outcome is for claims without coverage")
    passing, failing = _passages(claim)
    return _summed(claim.n, passing, passing.after(right, seen), failing, failing.after(right, seen))


def least_right(claim: Claim) -> int:
    """What it takes to pass, "at least x of N": the fewest right answers among all n cases that still pass.

    With coverage it is x of the n were all of them answered. n + 1 means: this claim cannot be shown with n cases.
    """
    return int(boundary(claim.pass_null, claim.n, claim.alpha)[-1])


def certifiable(claim: Claim, least_power: float = 0.0) -> bool:
    """Whether n cases can show this claim at all: whether all right passes, and a solution whose true rate lies
    halfway between the bar and 1 passes with more than `least_power` (0 asks nothing of power).
    """
    if claim.kind == "finite":  # its last case settles it
        return _strong(claim, least_power)
    if not claim.exact:
        return shown_by_ones(claim.bound, claim.n, claim.alpha) and _strong(claim, least_power)
    line = boundary(claim.pass_null, claim.n, claim.alpha)
    if not bool((line <= np.arange(1, claim.n + 1)).any()):
        return False
    return _strong(claim, least_power)


def _strong(claim: Claim, least_power: float) -> bool:
    return least_power <= 0.0 or power(replace(claim, coverage=None), (1.0 + claim.bar) / 2).passes > least_power


def largest_claim(n: int, alpha: float, *, exact: bool = True) -> LargestClaim:
    """The largest claims (bar - tolerance) that `n` test cases can show at error `alpha`, by betting if not `exact`."""

    def possible(bound: float) -> bool:
        return certifiable(Claim(bound, 0.0, n, alpha, graded=not exact))

    def likely(bound: float) -> bool:
        if not exact:
            return likely_shown(bound, (1.0 + bound) / 2, n, alpha) >= 0.5
        return float(pass_passages(Null(bound), n, alpha).at((1.0 + bound) / 2).sum()) >= 0.5

    return LargestClaim(_largest(possible), _largest(likely))


ON_TIME = 0.99
"""The share of calls in time of a solution that is comfortably within its limit."""


def comfortable(coverage: float) -> float:
    """The share answered by a solution that is comfortably above a coverage: halfway to all."""
    return (1.0 + coverage) / 2


def cases_needed(
    bar: float,
    tolerance: float,
    rate: float,
    alpha: float,
    least_power: float = 0.8,
    *,
    exact: bool = True,
    fast: float | None = None,
) -> int | None:
    """The fewest test cases with which a solution of true rate `rate` passes with chance `least_power` (population).

    Exact up to the small ripples of discreteness; None when 100,000 would not do. The FAIL side runs too, so a rate
    exactly at the bar passes at most about four times in five, and one below it may never. A rough figure by betting,
    where not `exact`. With a time limit (`fast`: the share of calls that it is about) a solution with `ON_TIME` of its
    calls in time must be shown to keep it, too.
    """
    if rate <= bar - tolerance:
        return None

    def shown(bound: float, slack: float, true: float, n: int) -> float:
        if not exact:
            return likely_shown(round(bound - slack, 10), true, n, alpha)
        return power(Claim(bound, slack, n, alpha), true).passes

    def both(n: int) -> float:
        rated = shown(bar, tolerance, rate, n)
        return rated if fast is None or rated < least_power else rated * shown(fast, 0.0, ON_TIME, n)

    return _fewest(lambda n: both(n) >= least_power)


def pairs_needed(within: float, alpha: float, differing: float, chance: float) -> int | None:
    """About the fewest cases with which a solution equal to its reference is shown to be within `within` of it with
    at least `chance`, where they differ on a share `differing` of the cases; None when 100,000 would not do.
    """
    return _fewest(lambda n: equal_chance(within, n, alpha, differing, rough=True) >= chance)


def cases_to_settle(shown: Showing, claim: Claim, least_chance: float = 0.8) -> int | None:
    """How many fresh test cases (or clusters) would settle an UNPROVEN, from what dev showed: the fewest with a
    predicted chance of at least `least_chance` that PASS or FAIL falls. None when 100,000 would not do. Without
    coverage, with a time limit where dev shows times; a rough figure where betting decides.
    """

    def settles(n: int) -> bool:
        asked = replace(claim, n=n, coverage=None)
        passes, fails = _likely_ends(shown, asked)
        timed = clocked(shown)
        if asked.timing is not None and timed is not None:
            fast, late = _likely_ends(timed, asked.timing)
            passes, fails = passes * fast, fails + late - fails * late
        return passes + fails >= least_chance

    return _fewest(settles)


def _likely_ends(shown: Showing, claim: Claim) -> tuple[float, float]:
    """The predicted chances of PASS and of FAIL for the rate alone."""
    if not claim.exact:
        return likely_ends(shown, claim)
    return predicted(claim, round(float(shown.totals.sum())), int(shown.cases.sum()))[:2]


@lru_cache(maxsize=64)
def _passages(claim: Claim) -> tuple[Passages, Passages]:
    upper = boundary(claim.pass_null, claim.n, claim.alpha)
    lower = boundary(claim.fail_null, claim.n, claim.alpha_fail, "fail")
    return first_passages(upper, lower, claim.bound)


def _summed(n: int, passing: Passages, passes: Floats, failing: Passages, fails: Floats) -> Power:
    won, lost = float(passes.sum()), float(fails.sum())
    used = float((passes * passing.cases).sum() + (fails * failing.cases).sum())
    return Power(won, lost, used + n * max(1.0 - won - lost, 0.0))


def _simulated(claim: Claim, rate: float, share: float) -> Power:
    n, rng = claim.n, np.random.default_rng(0)
    runs = min(2_000, max(200, 20_000_000 // n))
    moves = min(max(round(n * share), 1), n)
    rate_cuts = (
        _padded(Null(claim.bound), moves, claim.alpha, n),
        _padded(Null(claim.bar), moves, claim.alpha_fail, n, False),
    )
    outcomes = np.zeros((runs, 2))
    for run in range(runs):
        answered = rng.random(n) < share
        right = (answered & (rng.random(n) < rate)).cumsum()
        said = answered.cumsum()
        won, lost = _first(right >= rate_cuts[0][said]), _first(right <= rate_cuts[1][said])
        if claim.share is not None and claim.coverage:
            finite = claim.kind == "finite"
            won = max(won, _first(said >= boundary(Null(claim.share, finite), n, claim.alpha)))
            lost = min(lost, _first(said <= boundary(Null(claim.coverage, finite), n, claim.alpha_fail, "fail")))
        outcomes[run] = won, lost
    passes = (outcomes[:, 0] <= outcomes[:, 1]) & (outcomes[:, 0] <= n)
    fails = ~passes & (outcomes[:, 1] <= n)
    return Power(float(passes.mean()), float(fails.mean()), float(np.minimum(outcomes.min(1), n).mean()))


def _padded(null: Null, moves: int, alpha: float, n: int, passing: bool = True) -> Ints:
    """The boundary by number answered, 0 to n; beyond the expected number nothing crosses any more."""
    never = n + 1 if passing else -1
    line = boundary(null, moves, alpha, "pass" if passing else "fail")
    return np.concatenate(([never], line, np.full(n - moves, never)))


def _first(crossed: np.ndarray) -> int:
    at = int(crossed.argmax())
    return at + 1 if crossed[at] else len(crossed) + 1


def _largest(holds: Callable[[float], bool]) -> float | None:
    """The largest multiple of .005 below 1 that holds, by bisection (what holds for a bound holds for lower ones)."""
    low, high = 0, 200
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle / 200) else (low, middle)
    return low / 200 if low else None


def _fewest(holds: Callable[[int], bool]) -> int | None:
    """The fewest cases for which it holds, by doubling and bisection."""
    high = 8
    while not holds(high):
        if high >= MOST_CASES:
            return None
        high = min(high * 2, MOST_CASES)
    low = high // 2
    while high - low > max(1, high // 500):
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
