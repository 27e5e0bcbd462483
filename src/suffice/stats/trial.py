"""One claim on trial: PASS and FAIL sides run side by side over the cases, each with its own error budget.

PASS shows "the rate is at least bar - tolerance", FAIL shows "it is below the bar"; between the two either may be
shown. With coverage the claim has two conditions, the rate among answered cases and the share answered; a
conjunction needs no sharing, so each uses the whole alpha (intersection-union test: Berger 1982).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from suffice.stats.exact import Null, SpendingTest, needed
from suffice.values import Verdict

Kind = Literal["population", "finite"]

SHARE_TOLERANCE = 0.05
"""How far below the demanded coverage the shown share answered may lie."""

ALPHA_FAIL = 0.2
"""The error of FAIL, unless said otherwise."""

_STEP = 0.005  # the certified bound is found in steps of this size


@dataclass(frozen=True, slots=True)
class Claim:
    """What is claimed, about how many test cases, at which errors.

    `kind` "population" speaks of future inputs like these, "finite" of these `n` inputs alone. `coverage` None:
    every input must be answered, an abstention is wrong; above 0: the share of inputs that must be answered; 0:
    abstaining is free and the claim is about the answered cases only (`--coverage max`). Raises ValueError for
    impossible values.
    """

    bar: float
    tolerance: float
    n: int
    alpha: float
    coverage: float | None = None
    kind: Kind = "population"
    alpha_fail: float = ALPHA_FAIL

    def __post_init__(self) -> None:
        if not 0.0 < self.bar <= 1.0:
            raise ValueError(f"a bar must lie in (0, 1], not {self.bar!r}")
        if not 0.0 <= self.tolerance < self.bar:
            raise ValueError(f"a tolerance must lie in [0, bar), not {self.tolerance!r}")
        if self.coverage is not None and not 0.0 <= self.coverage <= 1.0:
            raise ValueError(f"a coverage must lie in [0, 1], not {self.coverage!r}")
        if self.n < 1:
            raise ValueError(f"a claim needs at least one test case, not {self.n}")

    @property
    def bound(self) -> float:
        """The rate that a PASS shows: bar - tolerance."""
        return round(self.bar - self.tolerance, 10)

    @property
    def share(self) -> float | None:
        """The share answered that a PASS shows; None where no share is demanded."""
        return max(round(self.coverage - SHARE_TOLERANCE, 10), 0.0) if self.coverage else None

    @property
    def pass_null(self) -> Null:
        """What PASS rejects about the rate.

        Among answered cases of a finite set it is the population's null, because how many will be answered is not
        known before: conservative (crossing at most .19 alpha where we computed it), settled by counting at the end.
        """
        return Null(self.bound, self.kind == "finite" and self.coverage is None)

    @property
    def fail_null(self) -> Null:
        """What FAIL rejects about the rate."""
        return Null(self.bar, self.kind == "finite" and self.coverage is None)


@dataclass(frozen=True, slots=True)
class Certified:
    """The largest bounds that a PASS certifies, each at the claim's alpha: rate, and share answered with coverage."""

    rate: float
    share: float | None


class _Condition(NamedTuple):
    shown: SpendingTest  # PASS side
    refuted: SpendingTest  # FAIL side


class _Seen(NamedTuple):
    """One case as the tests saw it; a call that failed for good is counted against each claim in turn."""

    right: bool  # toward PASS
    maybe_right: bool  # toward FAIL
    answered: bool  # toward PASS
    moved: bool  # moves the test of the rate


class Trial:
    """Feeds the cases of one candidate, in the fixed order, to both sides of a claim and says when it is decided.

    `free=True` is for solutions that cost nothing: every case is run, FAIL never ends the trial, and PASS holds if it
    is ever reached; FAIL is then only said by `conclude`.
    """

    def __init__(self, claim: Claim, *, free: bool = False) -> None:
        self.claim, self.free = claim, free
        self.verdict: Literal["PASS", "FAIL"] | None = None
        self._path: list[_Seen] = []
        n, alpha, alpha_fail, finite = claim.n, claim.alpha, claim.alpha_fail, claim.kind == "finite"
        self._rate = _Condition(
            SpendingTest(claim.pass_null, n, alpha), SpendingTest(claim.fail_null, n, alpha_fail, "fail")
        )
        self._share: _Condition | None = None
        if claim.coverage and claim.share is not None:
            self._share = _Condition(
                SpendingTest(Null(claim.share, finite), n, alpha),
                SpendingTest(Null(claim.coverage, finite), n, alpha_fail, "fail"),
            )
        self._right = self._maybe_right = self._said = 0

    @property
    def used(self) -> int:
        """Cases that entered the trial; a free one goes on after its verdict."""
        return len(self._path)

    def observe(
        self, right_for_pass: bool, right_for_fail: bool, answered: bool = True
    ) -> Literal["PASS", "FAIL"] | None:
        """Takes the next case and returns the verdict so far, None while open.

        A call that failed for good is `(False, True)`: against the solution toward PASS, for it toward FAIL, with
        coverage too. After the verdict further cases are ignored, except in a free trial. Raises ValueError for more
        than n cases and for `(True, False)`.
        """
        if right_for_pass and not right_for_fail:
            raise ValueError("a case cannot be right toward PASS and wrong toward FAIL")
        if self.verdict is not None and not self.free:
            return self.verdict
        if self.used >= self.claim.n:
            raise ValueError(f"all {self.claim.n} cases of this trial are used up")
        failed = right_for_fail and not right_for_pass
        said = answered or failed
        seen = _Seen(
            right=right_for_pass and answered,
            maybe_right=right_for_fail and said,
            answered=answered and not failed,
            moved=said or self.claim.coverage is None,
        )
        self._path.append(seen)
        self._right += seen.right
        self._maybe_right += seen.maybe_right
        self._said += seen.moved
        self._rate.shown.observe(seen.right, seen.moved)
        self._rate.refuted.observe(seen.maybe_right, seen.moved)
        if self._share is not None:
            self._share.shown.observe(seen.answered)
            self._share.refuted.observe(said)
        return self._decide()

    def conclude(self) -> Verdict:
        """The verdict once no more cases will come: UNPROVEN if neither side was shown."""
        if self.verdict is None and self._least_to_fail(1) == 0:  # only a free trial goes on after that
            return "FAIL"
        return self.verdict or "UNPROVEN"

    def least_to_verdict(self, most: int = 64) -> int:
        """The smallest number of further cases after which a verdict could fall, either side; at most `most`.

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
        rate = _highest(self.claim.bound, self._rate_exceeds)
        if self.claim.coverage is None:
            return Certified(rate, None)
        return Certified(rate, _highest(self.claim.share or 0.0, self._share_exceeds))

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
            rate = min(rate, max(needed(self.claim.bound, self._most_said) - self._right, 0))
        return rate if self._share is None else max(rate, self._share.shown.least_to_cross(most))

    def _least_to_fail(self, most: int) -> int:
        rate = self._rate.refuted.least_to_cross(most)
        if self._settles:
            most_right = self._maybe_right + self.claim.n - self.used
            rate = min(rate, max(most_right - needed(self.claim.bar, self._most_said) + 1, 0))
        return rate if self._share is None else min(rate, self._share.refuted.least_to_cross(most))

    @property
    def _settles(self) -> bool:
        # Among answered cases of a finite set the tests spend as for a population, so what these n cases settle by
        # plain counting is added here; counting needs no alpha.
        return self.claim.kind == "finite" and self.claim.coverage is not None and self._said > 0

    @property
    def _most_said(self) -> int:
        return self._said + self.claim.n - self.used

    def _rate_exceeds(self, bound: float) -> bool:
        if self._settles and self._right >= needed(bound, self._most_said):
            return True
        test = SpendingTest(Null(bound, self.claim.pass_null.finite), self.claim.n, self.claim.alpha)
        return any(test.observe(seen.right, seen.moved) for seen in self._path)

    def _share_exceeds(self, bound: float) -> bool:
        test = SpendingTest(Null(bound, self.claim.kind == "finite"), self.claim.n, self.claim.alpha)
        return any(test.observe(seen.answered) for seen in self._path)


def _highest(shown: float, exceeds: Callable[[float], bool]) -> float:
    """The last bound that still holds, going up from one that was shown."""
    while (higher := round(shown + _STEP, 10)) <= 1.0 and exceeds(higher):
        shown = higher
    return shown
