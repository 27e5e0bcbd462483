"""One claim on trial: PASS and FAIL sides run side by side over the cases, each with its own error budget.

PASS shows "the rate is at least bar - tolerance", FAIL shows "it is below the bar"; between the two either may be
shown. With coverage the claim has two conditions, the rate among answered cases and the share answered, and a time
limit is a third; a conjunction needs no sharing, so each uses the whole alpha (intersection-union test: Berger 1982).
Which engine speaks of a condition follows from what its scores are (`engine`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from suffice.stats.betting import BettingTest, opening
from suffice.stats.claim import Claim
from suffice.stats.clusters import cluster_score
from suffice.stats.exact import Bools, Floats, Null, Side, SpendingTest, needed
from suffice.values import Verdict

_STEP = 0.005  # the certified bound is found in steps of this size
_AT_ONCE = 16  # so many of them together


class Observed(NamedTuple):
    """One case: its score toward PASS and toward FAIL, whether it was answered, and within the time limit.

    A call that failed for good is `Observed(0, 1)`: against the solution toward PASS, for it toward FAIL. `fast` None:
    its time is not known, and it says nothing about the limit.
    """

    score: float
    most: float
    answered: bool = True
    fast: bool | None = True

    @property
    def failed(self) -> bool:
        """Whether the call failed for good."""
        return self.most > self.score


@dataclass(frozen=True, slots=True)
class Certified:
    """The largest bounds that a PASS certifies, each at the claim's alpha: rate, share answered, share in time."""

    rate: float
    share: float | None
    fast: float | None = None


class _Part(NamedTuple):
    """What one unit (a case, or the counted cases of a cluster) shows about one condition."""

    low: float  # summed scores toward PASS
    high: float  # toward FAIL
    counted: int  # cases that move the test


@dataclass(slots=True)
class _Condition:
    """One condition of a claim with the tests of both sides, and all that they have seen."""

    claim: Claim
    shown_null: Null
    refuted_null: Null
    exact: bool
    path: list[_Part]
    shown: SpendingTest | BettingTest
    refuted: SpendingTest | BettingTest

    def observe(self, part: _Part) -> None:
        self.path.append(part)
        self._feed(self.shown, part.low, part.counted)
        self._feed(self.refuted, part.high, part.counted)

    def exceed(self, bounds: Floats) -> Bools:
        """Which of these bounds the same cases show, too."""
        if self.exact:
            return np.array([self._exceeds(bound) for bound in bounds.tolist()])
        wealth = opening(bounds, self.claim.n, self.claim.alpha, finite=self.shown_null.finite)
        shown = np.zeros(len(bounds), dtype=np.bool_)
        for part in self.path:  # all bounds at once
            wealth = wealth.after(cluster_score(part.low, part.counted, self.claim.most, bounds))
            shown |= wealth.rejected
        return shown

    def _exceeds(self, bound: float) -> bool:
        test = _test(self.exact, Null(bound, self.shown_null.finite), self.claim.n, self.claim.alpha)
        return any(self._feed(test, part.low, part.counted) for part in self.path)

    def _feed(self, test: SpendingTest | BettingTest, total: float, counted: int) -> bool:
        if isinstance(test, SpendingTest):
            return test.observe(total >= 1.0, counted > 0)
        score = float(cluster_score(total, counted, self.claim.most, test.null.bound))
        return test.observe(score, counted > 0)


class Trial:
    """Feeds the cases of one candidate, in the fixed order, to both sides of a claim and says when it is decided.

    `free=True` is for solutions that cost nothing: every case is run, FAIL never ends the trial, and PASS holds if it
    is ever reached; FAIL is then only said by `conclude`.
    """

    def __init__(self, claim: Claim, *, free: bool = False) -> None:
        self.claim, self.free = claim, free
        self.verdict: Literal["PASS", "FAIL"] | None = None
        self.used = 0
        """Units (cases, or clusters) that entered the trial; a free one goes on after its verdict."""
        finite, alone = claim.kind == "finite", claim.most == 1
        self._rate = _condition(claim, claim.pass_null, claim.fail_null, claim.exact)
        self._share = self._fast = None
        if claim.coverage is not None:
            self._share = _condition(claim, Null(claim.share or 0.0, finite), Null(claim.coverage, finite), alone)
        if claim.fast is not None:
            self._fast = _condition(claim, Null(claim.fast), Null(claim.fast), alone)
        self._right = self._maybe_right = 0.0
        self._said = 0

    def observe(
        self, score_for_pass: float, score_for_fail: float, answered: bool = True, fast: bool | None = True
    ) -> Literal["PASS", "FAIL"] | None:
        """Takes the next case and returns the verdict so far, None while open. As `observe_cluster` for one case."""
        return self.observe_cluster([Observed(score_for_pass, score_for_fail, answered, fast)])

    def observe_cluster(self, cases: Sequence[Observed]) -> Literal["PASS", "FAIL"] | None:
        """Takes the counted cases of the next cluster and returns the verdict so far, None while open.

        After the verdict further ones are ignored, except in a free trial. Raises ValueError for more than n clusters,
        for more cases of one than the claim counts, and for cases that score more toward PASS than toward FAIL.
        """
        if any(case.score > case.most for case in cases):
            raise ValueError("a case cannot be better toward PASS than toward FAIL")
        if self.verdict is not None and not self.free:
            return self.verdict
        if self.used >= self.claim.n:
            raise ValueError(f"all {self.claim.n} cases of this trial are used up")
        if not 0 < len(cases) <= self.claim.most:
            raise ValueError(f"1 to {self.claim.most} cases of a cluster count, not {len(cases)}")
        self.used += 1
        rate = self._rated(cases)
        self._right += rate.low
        self._maybe_right += rate.high
        self._said += rate.counted
        self._rate.observe(rate)
        if self._share is not None:
            low, high = (sum(c.answered and not c.failed for c in cases), sum(c.answered or c.failed for c in cases))
            self._share.observe(_Part(low, high, len(cases)))
        if self._fast is not None:
            self._fast.observe(_timed(cases))
        return self._decide()

    def conclude(self) -> Verdict:
        """The verdict once no more cases will come: UNPROVEN if neither side was shown."""
        if self.verdict is None and self._least_to_fail(1) == 0:  # only a free trial goes on after that
            return "FAIL"
        return self.verdict or "UNPROVEN"

    @property
    def late(self) -> bool:
        """Whether there is a time limit that the cases so far do not show."""
        return self._fast is not None and self._fast.shown.crossed_at is None

    def least_to_verdict(self, most: int = 64) -> int:
        """A number of further units below which no verdict can fall, either side; at most `most`.

        0 once decided. With no more calls than this in flight none is ever wasted. A free trial runs every case, so
        there it is the number of cases left.
        """
        left = self.claim.n - self.used
        if self.free:
            return left
        if self.verdict is not None:
            return 0
        return min(left, most, self._least_to_pass(most), self._least_to_fail(most))

    def certified(self) -> Certified:
        """After a PASS, the largest bounds certified by the cases used: up from the claim in steps of .005, with the
        same spending, stopping at the first bound not rejected. Each bound holds at alpha on its own.

        Raises ValueError when the verdict is not PASS.
        """
        if self.verdict != "PASS":
            raise ValueError("only a PASS certifies a bound")
        rate = _highest(self.claim.bound, self._rate_exceed)
        share = fast = None
        if self._share is not None:
            share = _highest(self.claim.share or 0.0, self._share.exceed)
        if self._fast is not None:
            fast = _highest(self.claim.fast or 0.0, self._fast.exceed)
        return Certified(rate, share, fast)

    def _rated(self, cases: Sequence[Observed]) -> _Part:
        said = [c for c in cases if c.answered or c.failed]
        moving = cases if self.claim.coverage is None else said  # an abstention scores 0 unless it is free
        return _Part(sum(c.score for c in said if c.answered), sum(c.most for c in said), len(moving))

    def _decide(self) -> Literal["PASS", "FAIL"] | None:
        if self.verdict is None:
            if self._least_to_pass(1) == 0:
                self.verdict = "PASS"
            elif not self.free and self._least_to_fail(1) == 0:
                self.verdict = "FAIL"
        return self.verdict

    def _least_to_pass(self, most: int) -> int:
        rate = self._rate.shown.least_to_cross(most)
        if self._settles:
            rate = min(rate, max(needed(self.claim.bound, self._most_said) - int(self._right), 0))
        return max([rate, *(c.shown.least_to_cross(most) for c in self._more)])

    def _least_to_fail(self, most: int) -> int:
        rate = self._rate.refuted.least_to_cross(most)
        if self._settles:
            most_right = int(self._maybe_right) + self.claim.n - self.used
            rate = min(rate, max(most_right - needed(self.claim.bar, self._most_said) + 1, 0))
        return min([rate, *(c.refuted.least_to_cross(most) for c in self._more)])

    @property
    def _more(self) -> list[_Condition]:
        demanded = self._share if self.claim.coverage else None  # at 0 the share is only certified, not demanded
        return [c for c in (demanded, self._fast) if c is not None]

    @property
    def _settles(self) -> bool:
        # Among answered cases of a finite set the tests spend as for a population, so what these n cases settle by
        # plain counting is added here; counting needs no alpha.
        return self.claim.kind == "finite" and self.claim.coverage is not None and self.claim.exact and self._said > 0

    @property
    def _most_said(self) -> int:
        return self._said + self.claim.n - self.used

    def _rate_exceed(self, bounds: Floats) -> Bools:
        shown = self._rate.exceed(bounds)
        if self._settles:
            shown |= np.array([self._right >= needed(bound, self._most_said) for bound in bounds.tolist()])
        return shown


def _timed(cases: Sequence[Observed]) -> _Part:
    """What cases show about the time limit: a failed call is late toward PASS, in time toward FAIL."""
    known = [c for c in cases if c.failed or c.fast is not None]
    return _Part(
        sum(bool(c.fast) and not c.failed for c in known), sum(bool(c.fast) or c.failed for c in known), len(known)
    )


def _condition(claim: Claim, shown: Null, refuted: Null, exact: bool) -> _Condition:
    first = _test(exact, shown, claim.n, claim.alpha)
    return _Condition(claim, shown, refuted, exact, [], first, _test(exact, refuted, claim.n, claim.alpha_fail, "fail"))


def _test(exact: bool, null: Null, n: int, alpha: float, side: Side = "pass") -> SpendingTest | BettingTest:
    return SpendingTest(null, n, alpha, side) if exact else BettingTest(null, n, alpha, side)


def _highest(shown: float, exceed: Callable[[Floats], Bools]) -> float:
    """The last bound that still holds, going up from one that was shown."""
    while True:
        above = (round(shown + _STEP * i, 10) for i in range(1, _AT_ONCE + 1))
        bounds = np.array([bound for bound in above if bound <= 1.0], dtype=np.float64)
        held = int(exceed(bounds).cumprod().sum()) if len(bounds) else 0
        shown = float(bounds[held - 1]) if held else shown
        if held < _AT_ONCE:
            return shown
