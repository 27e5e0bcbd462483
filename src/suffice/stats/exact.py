"""Engine 1: one-sided tests of right/wrong scores on a known number of cases, spending the error as cases are used.

The null distribution of the number of successes is kept over the paths that have not crossed yet, one step a
case; after case i as much of its upper tail is cut off as the cumulative budget alpha * f(i/n) still allows, and
reaching the cut decides. What discreteness leaves unspent carries on, so the error is exact, never approximate
(spending functions: Lan & DeMets 1983). Not covered: graded scores, dependent cases, an unknown number of cases.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Side = Literal["pass", "fail"]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# The low end of the band is dropped where its mass, summed over all cases, stays below this part of alpha.
# Dropped mass counts as spent, so the error never exceeds alpha.
_DROPPED = 1e-9


@dataclass(frozen=True, slots=True)
class Null:
    """What a test rejects. Side "pass" rejects "the rate is at most `bound`", side "fail" "it is at least `bound`".

    Population (`finite=False`): each case that moves succeeds with probability `bound`; f(t) = t. Cases that do not
    move (an abstention in "rate among answered", a tie in a pair) only use up the clock: exact given which ones move.
    Finite set (`finite=True`): the n cases are all there is and `bound` is a share of them; every case moves, drawn
    without replacement; f(t) = sqrt(t), because what is spent late is wasted (the last cases settle themselves).
    """

    bound: float
    finite: bool = False

    def __post_init__(self) -> None:
        if not 0.0 <= self.bound <= 1.0:
            raise ValueError(f"a bound must lie in [0, 1], not {self.bound!r}")


COIN = Null(0.5)
"""The paired null, "B is not better than A": only pairs that differ move, and then as a fair coin."""


def needed(bound: float, n: int) -> int:
    """How many of `n` cases make a share of at least `bound`: ceil(bound * n), safe from float noise."""
    return math.ceil(bound * n - 1e-9)


class _Band:
    """The null distribution of the count over the uncrossed paths: `mass[j]` is the probability of count `low + j`.

    Counts successes on the pass side and failures on the fail side, so that only upper tails are ever cut.
    """

    def __init__(self, null: Null, n: int, alpha: float, side: Side) -> None:
        if n < 1:
            raise ValueError(f"a test needs at least one case, not {n}")
        if not 0.0 < alpha < 1.0:
            raise ValueError(f"alpha must lie in (0, 1), not {alpha!r}")
        self.n, self.alpha, self.finite = n, alpha, null.finite
        self.chance = null.bound if side == "pass" else 1.0 - null.bound
        k = needed(null.bound, n)  # the null holds fewer than k successes, or at least k of them
        self.ones = max(k, 1) - 1 if side == "pass" else n - k
        self.mass: Floats = np.ones(1)
        self.low = self.seen = self.moves = 0
        self.spent = 0.0

    def advance(self, moved: bool = True) -> int:
        """One case further; returns the smallest count that crosses now."""
        if self.seen >= self.n:
            raise ValueError(f"all {self.n} cases of this test are used up")
        self.seen += 1
        if moved:
            self._step()
        elif self.finite:
            raise ValueError("every case of a finite set moves its test")
        self._spend()
        return self.low + len(self.mass)

    def copy(self) -> _Band:
        """An independent copy (the arrays are never changed in place)."""
        twin = object.__new__(_Band)
        twin.__dict__.update(self.__dict__)
        return twin

    def _step(self) -> None:
        mass, up = np.zeros(len(self.mass) + 1), self._up()
        rising = self.mass * up
        mass[1:] = rising
        mass[:-1] += self.mass - rising
        self.mass = mass
        self.moves += 1
        trim = _DROPPED * self.alpha / self.n
        if mass[0] < trim:
            below = mass.cumsum()
            drop = int(below.searchsorted(trim))
            if 0 < drop < len(mass):
                self.spent += float(below[drop - 1])
                self.low += drop
                self.mass = mass[drop:]

    def _up(self) -> float | Floats:
        if not self.finite:
            return self.chance
        counts = self.low + np.arange(len(self.mass))
        return ((self.ones - counts) / (self.n - self.moves)).clip(0.0, 1.0)

    def _spend(self) -> None:
        part = self.seen / self.n
        allowed = self.alpha * (math.sqrt(part) if self.finite else part)
        tail = self.mass[::-1].cumsum()
        cut = int(tail.searchsorted(allowed - self.spent, side="right"))
        if cut:
            self.spent += float(tail[cut - 1])
            self.mass = self.mass[: len(self.mass) - cut]


class SpendingTest:
    """One one-sided test, fed case by case in the fixed order; once crossed it stays crossed.

    The probability of ever crossing while the null holds is at most `alpha`, at every n.
    Raises ValueError for impossible settings and for more than `n` cases.
    """

    def __init__(self, null: Null, n: int, alpha: float, side: Side = "pass") -> None:
        self.null, self.n, self.alpha, self.side = null, n, alpha, side
        self.crossed_at: int | None = None
        self._band = _Band(null, n, alpha, side)
        self._count = 0
        self._least = 0  # crossing is known to need at least this many further cases

    @property
    def seen(self) -> int:
        """Cases observed before or at the crossing."""
        return self._band.seen

    def observe(self, success: bool, moved: bool = True) -> bool:
        """Takes the next case; True once the null is rejected."""
        if self.crossed_at is not None:
            return True
        cut = self._band.advance(moved)
        self._least = max(self._least - 1, 0)
        self._count += moved and success == (self.side == "pass")
        if self._count >= cut:
            self.crossed_at = self._band.seen
        return self.crossed_at is not None

    def least_to_cross(self, most: int = 64) -> int:
        """The smallest number of further cases after which it could cross, at most `most`; 0 once crossed."""
        if self.crossed_at is not None:
            return 0
        if self._least < most:
            self._least = self._project(4 * most)  # looks further ahead than asked, so that most calls are free
        return min(self._least, most)

    def _project(self, limit: int) -> int:
        ahead, count = self._band.copy(), self._count
        for further in range(1, min(limit, self.n - ahead.seen) + 1):
            count += 1
            if count >= ahead.advance():
                return further
        return limit


def cuts(null: Null, n: int, alpha: float, side: Side = "pass") -> Iterator[int]:
    """The cut-offs in successes, case by case, while every case moves; see `boundary`."""
    band = _Band(null, n, alpha, side)
    for i in range(1, n + 1):
        cut = band.advance()
        yield cut if side == "pass" else i - cut


@lru_cache(maxsize=512)
def boundary(null: Null, n: int, alpha: float, side: Side = "pass") -> Ints:
    """The cut-off after each of the `n` cases when every case moves (read-only, cached).

    Side "pass" crosses when the successes after case i reach `boundary[i - 1]` (i + 1 means: not yet possible); side
    "fail" when they are at most `boundary[i - 1]` (-1 means: not yet possible).
    """
    line = np.fromiter(cuts(null, n, alpha, side), dtype=np.int64, count=n)
    line.setflags(write=False)
    return line
