"""Q: the predicted chance of a PASS on the sealed test, from what dev showed, under a uniform prior on the rate."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np

from suffice.stats.claim import Claim
from suffice.stats.clusters import cluster_score
from suffice.stats.exact import Floats, Ints, Null
from suffice.stats.outlook import Moments, moments, predicted_chance, settled_chance
from suffice.stats.passage import pass_passages


class Chances(NamedTuple):
    """The predicted chance of showing each condition of a claim; 1 where there is no such condition."""

    rate: float
    share: float = 1.0  # answered
    fast: float = 1.0  # within the time limit

    @property
    def together(self) -> float:
        """The chance of showing all of them; they are independent given what is true of each."""
        return self.rate * self.share * self.fast

    @property
    def smaller(self) -> float:
        """The chance of the condition that is hardest to show: what thresholds are chosen by."""
        return min(self)


@dataclass(frozen=True, slots=True)
class Showing:
    """What dev showed, unit by unit (a case, or the counted cases of a cluster): three arrays of equal length.

    `totals` are the summed scores of what was answered, `answered` how many cases of the unit were, `cases` how many
    it has. `time` is the same of a time limit: its totals are the calls in time, its cases those whose time is known.
    """

    totals: Floats
    answered: Ints
    cases: Ints
    time: Showing | None = None

    def further(self, units: int, good: bool) -> Showing:
        """With so many more units of one answered case, all right and in time, or none."""
        ones = np.ones(units, dtype=np.int64)
        return replace(
            self,
            totals=np.concatenate([self.totals, np.full(units, float(good))]),
            answered=np.concatenate([self.answered, ones]),
            cases=np.concatenate([self.cases, ones]),
            time=None if self.time is None else self.time.further(units, good),
        )

    def spoilt(self) -> Showing:
        """With one right answer less."""
        totals = self.totals.copy()
        best = int(totals.argmax())
        totals[best] = max(totals[best] - 1.0, 0.0)
        return replace(self, totals=totals)


_APART: Final = 1.5
"""Numbers of cases with a table of their own; in between a chance is off by .01, near a bar of 1 by .06."""

NOTHING: Final = Showing(np.zeros(0), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
"""Before anything was seen."""


def chances(shown: Showing, claim: Claim) -> Chances:
    """The predicted chances that `claim` ends in PASS, by the engine that will decide it.

    0 where nothing was seen or answered. Of exact spending see `chance` and `chance_coverage`; betting's are read from
    tables (`outlook`). A time limit is a claim of its own about calls in time; it is left out where no time is known.
    """
    seen, answered = int(shown.cases.sum()), int(shown.answered.sum())
    if seen == 0 or (claim.coverage is not None and not answered):
        return Chances(0.0, 0.0, 0.0)
    if claim.timing is not None:
        timed = clocked(shown)
        fast = 1.0 if timed is None else chances(timed, claim.timing).rate
        return chances(shown, replace(claim, fast=None))._replace(fast=fast)
    if not claim.exact:
        return _betting(shown, claim)
    right = round(float(shown.totals.sum()))
    if claim.coverage is not None:
        return chance_coverage(right, answered, seen, claim)
    return Chances(chance(right, seen, claim))


def clocked(shown: Showing) -> Showing | None:
    """What was shown about the time; None where no call's time is known."""
    return shown.time if shown.time is not None and shown.time.cases.any() else None


def _betting(shown: Showing, claim: Claim) -> Chances:
    counted = shown.cases if claim.coverage is None else shown.answered
    moving = counted > 0
    seen = moments_of(shown, claim, claim.bound)
    if claim.pass_null.finite:
        rate = settled_chance(seen, claim.bound, claim.n)
    else:
        rate = _rate_chance(seen, claim, claim.n * (int(moving.sum()) + 1) / (len(moving) + 1))
    share = _share_chance(shown, claim) if claim.share is not None else 1.0
    return Chances(rate, share)


def _rate_chance(seen: Moments, claim: Claim, moves: float) -> float:
    """After `moves` cases that move the test; read between numbers of cases whose tables all thresholds share."""
    moves = min(max(moves, 1.0), claim.n)
    few = min(round(_APART ** math.floor(math.log(moves, _APART))), claim.n)
    many = min(max(round(few * _APART), few + 1), claim.n)
    least = predicted_chance(seen, claim.bound, few, claim.alpha)
    if few >= many:
        return least
    most = predicted_chance(seen, claim.bound, many, claim.alpha)
    return float(np.interp(math.log(moves), [math.log(few), math.log(many)], [least, most]))


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
    leads one to expect, rounded to 1/40 of n so that boundaries are shared between thresholds.
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
    return Chances(rate, share)
