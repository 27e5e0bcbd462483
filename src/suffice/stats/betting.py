"""Engine 2: one-sided tests of any scores in [0, 1] by betting, for graded, clustered or repeated cases and unknown N.

Wealth starts at 1 and is multiplied by 1 + l_i (x_i - m_i) with each score, where m_i is the mean that the null still
allows and l_i a bet chosen before x_i is seen. While "the mean is at most m" holds, nobody gains by any such bet, so
wealth ever reaches 1 / alpha with a chance of at most alpha, whenever one stops (Ville; Waudby-Smith & Ramdas
2010.09686). Half of the wealth lies on twenty constant bets, half on STaR bets (Voracek & Orabona 2505.22422).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from suffice.stats.exact import Floats, Null, Side

_PARTS: Floats = np.arange(1, 21) / 21.0  # the constant bets, as parts of the largest legal one
_MOST_PART = 0.9  # STaR never risks more than this part, so that no single score takes everything
_HORIZON = 200  # with N unknown, a decision is aimed at within as many cases again as were seen, at least this many
_SLACK = 1e-9  # a mean closer to the bound than this counts as the bound: sums of floats are not exact
_POOR, _RICH = 1e-300, 1e100  # what STaR aims with at the least; wealth is held at the most: giving it away is legal


@dataclass(frozen=True, slots=True)
class Wealth:
    """What betting against one null, or an array of them, has come to; made by `opening`, moved on by `after`.

    Arrays of any one shape, so a test, a grid of nulls and thousands of simulated runs are the same code. All values
    are mirrored on the side "fail" (x becomes 1 - x), so that bets are always on scores being high.
    """

    side: Side
    alpha: float
    n: int | None
    finite: bool
    bound: Floats
    most: Floats  # the largest total of scores that the null allows; infinite where any is possible
    constant: Floats  # a first axis of twenty, one for each constant bet
    star: Floats
    total: Floats
    squares: Floats
    seen: int = 0

    @property
    def held(self) -> Floats:
        """The whole wealth, 1 at first: an e-process."""
        return np.asarray(0.5 * self.constant.mean(0) + 0.5 * self.star)

    @property
    def rejected(self) -> NDArray[np.bool_]:
        """Where the null is rejected now: wealth has reached 1 / alpha, or no remaining scores can make it true."""
        slack = _SLACK * (self.n or 1)
        # A finite set with its mean exactly on the bound is "at least" it: refuted for PASS, not for FAIL.
        reach = self.most - slack if self.finite and self.side == "pass" else self.most + slack
        return np.asarray((self.held >= 1.0 / self.alpha) | (self.total > reach))

    @property
    def mean(self) -> Floats:
        """The mean that the null allows the next score; 1 where it cannot be bet against."""
        if not self.finite or self.n is None:
            return _bettable(self.bound)
        return _bettable((self.most - self.total) / (self.n - self.seen))

    @property
    def star_part(self) -> Floats:
        """The STaR bet on the next score as a part of the largest legal bet 1 / mean.

        Aimed at 2 / alpha, because it holds half of the wealth; the variance has a prior observation of 1/4.
        """
        left = self.n - self.seen if self.n is not None else max(self.seen, _HORIZON)
        spread = np.maximum(self.squares - self.total**2 / max(self.seen, 1), 0.0)
        variance = (0.25 + spread) / (1 + self.seen)
        needed = np.maximum(np.log(2.0 / self.alpha / np.maximum(self.star, _POOR)), 0.0)
        return np.asarray(np.minimum(np.sqrt(2.0 * needed / (variance * left)) * self.mean, _MOST_PART))

    def after(self, scores: Floats | float) -> Wealth:
        """The wealth after the next score of each: the bets are those of this state, whatever the scores are.

        Raises ValueError when all n scores are used up.
        """
        if self.seen == self.n:
            raise ValueError(f"all {self.n} cases of this test are used up")
        x = np.asarray(scores if self.side == "pass" else 1.0 - np.asarray(scores), dtype=np.float64)
        mean = self.mean
        gain = np.where(mean < 1.0, x / mean - 1.0, 0.0)
        return replace(
            self,
            constant=np.minimum(self.constant * (1.0 + _spread(_PARTS, gain.ndim) * gain), _RICH),
            star=np.minimum(self.star * (1.0 + self.star_part * gain), _RICH),
            total=self.total + x,
            squares=self.squares + x * x,
            seen=self.seen + 1,
        )

    def least_to_reject(self, limit: int) -> int:
        """A number of further scores below which this one null cannot be rejected, at most `limit`; 0 once it is.

        The best that can come is a row of ones; STaR is granted its largest bet at each of them.
        """
        if self.rejected:
            return 0
        ahead = np.arange(limit if self.n is None else min(limit, self.n - self.seen))
        if self.finite and self.n is not None:
            mean = _bettable((self.most - self.total - ahead) / (self.n - self.seen - ahead))
        else:
            mean = np.broadcast_to(_bettable(self.bound), ahead.shape)
        gain = 1.0 / mean - 1.0  # 0 where nothing can be bet
        constant = self.constant[:, None] * np.minimum(1.0 + _PARTS[:, None] * gain, _RICH).cumprod(1)
        star = self.star * np.minimum(1.0 + _MOST_PART * gain, _RICH).cumprod()
        best = replace(self, constant=constant, star=star, total=self.total + ahead + 1.0)
        return int(best.rejected.argmax()) + 1 if best.rejected.any() else limit


def opening(bound: Floats | float, n: int | None, alpha: float, side: Side = "pass", finite: bool = False) -> Wealth:
    """Wealth before the first score, against "the mean is at most `bound`" (side "fail": "at least").

    `finite`: the `n` scores are all there is, drawn without replacement. `n` None: how many will come is not known.
    Raises ValueError for impossible settings.
    """
    if n is not None and n < 1:
        raise ValueError(f"a test needs at least one case, not {n}")
    if n is None and finite:
        raise ValueError("a finite set has a known number of cases")
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha must lie in (0, 1), not {alpha!r}")
    m = np.asarray(bound if side == "pass" else 1.0 - np.asarray(bound), dtype=np.float64)
    if not bool(((m >= 0.0) & (m <= 1.0)).all()):
        raise ValueError(f"a bound must lie in [0, 1], not {bound!r}")
    # A population of scores whose mean is at most 0 holds nothing above 0; else any sample is possible.
    most = m * n if finite and n is not None else np.where(m <= _SLACK, 0.0, math.inf)
    even, none = np.ones_like(m), np.zeros_like(m)
    return Wealth(side, alpha, n, finite, m, most, np.ones((len(_PARTS), *m.shape)), even, none, none)


class BettingTest:
    """One one-sided test, fed score by score in the fixed order; once crossed it stays crossed.

    Driven like `exact.SpendingTest`, with scores in [0, 1] and with `n` None where it is not known. The probability
    of ever crossing while the null holds is at most `alpha`, whatever the scores' distribution, provided that each
    score's mean given those before is what the null says (independent cases, or one score a cluster: `clusters`).
    Raises ValueError for impossible settings, scores outside [0, 1] and more than `n` cases.
    """

    def __init__(self, null: Null, n: int | None, alpha: float, side: Side = "pass") -> None:
        self.null, self.n, self.alpha, self.side = null, n, alpha, side
        self.crossed_at: int | None = None
        self._wealth = opening(null.bound, n, alpha, side, null.finite)

    @property
    def seen(self) -> int:
        """Cases observed before or at the crossing."""
        return self._wealth.seen

    @property
    def evidence(self) -> float:
        """The wealth, 1 at first; the null is rejected once it reaches 1 / alpha."""
        return float(self._wealth.held)

    def observe(self, score: float, moved: bool = True) -> bool:
        """Takes the next case; True once the null is rejected. One that does not move only uses up the clock."""
        if self.crossed_at is not None:
            return True
        if not 0.0 <= score <= 1.0:
            raise ValueError(f"a score must lie in [0, 1], not {score!r}")
        if not moved and self.null.finite:
            raise ValueError("every case of a finite set moves its test")
        self._wealth = self._wealth.after(float(score) if moved else self.null.bound)
        if self._wealth.rejected:
            self.crossed_at = self.seen
        return self.crossed_at is not None

    def least_to_cross(self, most: int = 64) -> int:
        """A number of further cases below which it cannot cross, at most `most`; 0 once crossed.

        With no more calls than this in flight none is wasted. It may be a few below the smallest number that can.
        """
        return 0 if self.crossed_at is not None else self._wealth.least_to_reject(most)


def _bettable(mean: Floats) -> Floats:
    """Where the null allows a mean of 1 there is nothing to gain; where it allows only 0, the total settles it."""
    return np.asarray(np.where((mean > _SLACK) & (mean < 1.0), mean, 1.0))


def _spread(parts: Floats, dimensions: int) -> Floats:
    return parts.reshape(-1, *(1,) * dimensions)
