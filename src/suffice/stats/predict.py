"""Q: the predicted chance of a PASS on the sealed test, from what dev showed, under a uniform prior on the rate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from suffice.stats.claim import Claim
from suffice.stats.clusters import cluster_score
from suffice.stats.exact import Floats, Ints, Null
from suffice.stats.outlook import Moments, moments, predicted_chance
from suffice.stats.passage import pass_passages


class Chances(NamedTuple):
    """The predicted chance of showing each condition of a claim with coverage, and of showing both."""

    rate: float
    share: float
    both: float

    @property
    def smaller(self) -> float:
        """The chance of the condition that is harder to show: what thresholds are chosen by."""
        return min(self.rate, self.share)


@dataclass(frozen=True, slots=True)
class Showing:
    """What dev showed, unit by unit (a case, or the counted cases of a cluster): three arrays of equal length.

    `totals` are the summed scores of what was answered, `answered` how many cases of the unit were, `cases` how many
    it has.
    """

    totals: Floats
    answered: Ints
    cases: Ints

    def further(self, units: int, good: bool) -> Showing:
        """With so many more units of one answered case, all right or all wrong."""
        ones = np.ones(units, dtype=np.int64)
        totals = np.concatenate([self.totals, np.full(units, float(good))])
        return Showing(totals, np.concatenate([self.answered, ones]), np.concatenate([self.cases, ones]))

    def spoilt(self) -> Showing:
        """With one right answer less."""
        totals = self.totals.copy()
        best = int(totals.argmax())
        totals[best] = max(totals[best] - 1.0, 0.0)
        return Showing(totals, self.answered, self.cases)


NOTHING: Final = Showing(np.zeros(0), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
"""Before anything was seen."""


def chances(shown: Showing, claim: Claim) -> Chances:
    """The predicted chances that `claim` ends in PASS, by the engine that will decide it.

    0 where nothing was seen or answered. Of exact spending see `chance` and `chance_coverage`; betting's are read from
    tables (`outlook`).
    """
    seen, answered = int(shown.cases.sum()), int(shown.answered.sum())
    if seen == 0 or (claim.coverage is not None and not answered):
        return Chances(0.0, 0.0, 0.0)
    if not claim.exact:
        return _betting(shown, claim)
    right = round(float(shown.totals.sum()))
    if claim.coverage is not None:
        return chance_coverage(right, answered, seen, claim)
    q = chance(right, seen, claim)
    return Chances(q, 1.0, q)


def _betting(shown: Showing, claim: Claim) -> Chances:
    counted = shown.cases if claim.coverage is None else shown.answered
    moving = counted > 0
    expected = claim.n * (int(moving.sum()) + 1) / (len(moving) + 1)
    step = math.log(1.1)  # so that thresholds share their tables
    moves = min(max(round(math.exp(step * round(math.log(expected) / step))), 1), claim.n)
    rate = predicted_chance(moments_of(shown, claim, claim.bound), claim.bound, moves, claim.alpha)
    share = _share_chance(shown, claim) if claim.share is not None else 1.0
    return Chances(rate, share, rate * share)


def moments_of(shown: Showing, claim: Claim, bound: float) -> Moments:
    """The moments of what a betting test against `bound` sees of these units; those that do not move it are out."""
    counted = shown.cases if claim.coverage is None else shown.answered
    moving = counted > 0
    return moments(cluster_score(shown.totals[moving], counted[moving], claim.most, bound))


def _share_chance(shown: Showing, claim: Claim) -> float:
    assert claim.share is not None
    if claim.most == 1:
        said = pass_passages(Null(claim.share, claim.kind == "finite"), claim.n, claim.alpha)
        return float(said.after(int(shown.answered.sum()), len(shown.cases)).sum())
    scores = cluster_score(shown.answered.astype(np.float64), shown.cases, claim.most, claim.share)
    return predicted_chance(moments(scores), claim.share, claim.n, claim.alpha)


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
