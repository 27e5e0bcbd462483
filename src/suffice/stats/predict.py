"""Q: the predicted chance of a PASS on the sealed test, from what dev showed, under a uniform prior on the rate."""

from __future__ import annotations

from typing import NamedTuple

from suffice.stats.exact import Null
from suffice.stats.passage import pass_passages
from suffice.stats.trial import Claim


class Chances(NamedTuple):
    """The predicted chance of showing each condition of a claim with coverage, and of showing both."""

    rate: float
    share: float
    both: float

    @property
    def smaller(self) -> float:
        """The chance of the condition that is harder to show: what thresholds are chosen by."""
        return min(self.rate, self.share)


def chance(right: int, seen: int, claim: Claim) -> float:
    """The predicted chance that `claim` ends in PASS, after `right` of `seen` dev cases.

    Exact: the Polya urn (uniform prior) over the first passages of the PASS boundary; FAIL is left out. The boundary
    is cached, so a second look costs microseconds. A claim with coverage raises ValueError: see `chance_coverage`.
    """
    if claim.coverage is not None:
        raise ValueError("a claim with coverage has two chances: use chance_coverage")
    return float(pass_passages(claim.pass_null, claim.n, claim.alpha).after(right, seen).sum())


def chance_coverage(right: int, answered: int, seen: int, claim: Claim) -> Chances:
    """The same for a claim with coverage, after `right` of `answered` of `seen` dev cases.

    The share is exact. The rate is an approximation: its test is taken to see the number of answered cases that dev
    leads one to expect, rounded to 1/40 of n so that boundaries are shared between thresholds. `both` multiplies the
    two, which are independent given the true rate and share.
    """
    if not 0 <= right <= answered <= seen:
        raise ValueError(f"{right} right of {answered} answered of {seen} seen is impossible")
    grain = max(1, claim.n // 40)
    expected = claim.n * (answered + 1) / (seen + 2)
    moves = min(max(grain * round(expected / grain), 1), claim.n)
    rate = float(pass_passages(Null(claim.bound), moves, claim.alpha).after(right, answered).sum())
    share = 1.0
    if claim.share is not None:
        null = Null(claim.share, claim.kind == "finite")
        share = float(pass_passages(null, claim.n, claim.alpha).after(answered, seen).sum())
    return Chances(rate, share, rate * share)
