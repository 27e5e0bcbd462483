"""What betting (engine 2) will likely show, before it is run: tables of simulated tests, read by mean and variance.

How often a test rejects depends on the scores' distribution almost only through mean and variance; the tables hold
tests on Beta scores, simulated once at a fixed seed. Used for predictions and plans, never for a verdict.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from suffice.stats.betting import Wealth, opening
from suffice.stats.exact import Floats, Side
from suffice.stats.special import special

RUNS = 240
"""Simulated tests behind each entry of a table."""

_LARGEST = 400  # cases of a table; effects at larger numbers are scaled, as the square root of n
_ROUGH = (25, 50, 100, 200, 400)  # numbers of cases that a search makes do with
_RATIOS = (0.02, 0.05, 0.1, 0.2, 0.45, 1.0)  # variances, as parts of the largest that the mean allows
_MEANS = 25  # entries for each, from the bound up
_QUANTILES = 1000  # scores that stand for a distribution
_POSTERIOR = 200  # points of an average over what is believed of a mean


class Moments(NamedTuple):
    """Number, sum and sum of squares of units' scores in [0, 1]: all that a prediction needs of them."""

    seen: float
    total: float
    squares: float

    @property
    def mean(self) -> float:
        """With one observation at each end, as under a uniform prior."""
        return (self.total + 1.0) / (self.seen + 2.0)

    @property
    def ratio(self) -> float:
        """The variance as a part of the largest that the mean allows."""
        mean = self.mean
        return min(max(((self.squares + 1.0) / (self.seen + 2.0) - mean * mean) / (mean * (1.0 - mean)), 1e-6), 1.0)

    def mirrored(self) -> Moments:
        """Of 1 - score."""
        return Moments(self.seen, self.seen - self.total, self.seen - 2.0 * self.total + self.squares)


def moments(scores: Floats) -> Moments:
    """The moments of these scores."""
    return Moments(float(len(scores)), float(scores.sum()), float((scores * scores).sum()))


def reject_chance(
    mean: float | Floats, ratio: float, bound: float, n: int, alpha: float, side: Side = "pass", rough: bool = False
) -> Floats:
    """The chance that a test of `n` units rejects, at true mean (or each of several) and variance ratio.

    Side "pass" rejects "the mean is at most `bound`", "fail" "it is at least". A margin of about .05; `rough`, for
    searches over n, shares its tables among many n, at twice the margin.
    """
    means = np.atleast_1d(np.asarray(mean, dtype=np.float64))
    if side == "fail":
        means, bound = 1.0 - means, 1.0 - bound
    if bound >= 1.0:
        return np.zeros(len(means))
    size = min(n, _LARGEST) if not rough else max((s for s in _ROUGH if s <= n), default=_ROUGH[0])
    scaled: Floats = bound + (means - bound) * math.sqrt(n / size)
    level = float(np.interp(math.log(ratio), np.log(_RATIOS), np.arange(len(_RATIOS))))
    low = min(int(level), len(_RATIOS) - 1)
    row = _row(round(bound, 6), size, alpha, _RATIOS[low])
    if level > low:
        row = row + (level - low) * (_row(round(bound, 6), size, alpha, _RATIOS[low + 1]) - row)
    return np.asarray(np.interp(scaled, _means(bound), row, left=0.0), dtype=np.float64)


def predicted_chance(
    seen: Moments, bound: float, n: int, alpha: float, side: Side = "pass", rough: bool = False
) -> float:
    """The same averaged over what is believed of the mean after the scores of dev, from a uniform prior."""
    mean, ratio = seen.mean, seen.ratio
    weight = (seen.seen + 2.0) / ratio  # of a Beta posterior with this mean and as sure as so many cases
    points = (np.arange(_POSTERIOR) + 0.5) / _POSTERIOR
    spread = max(np.sqrt(mean * (1.0 - mean) / weight), 1e-9)
    points = np.clip(mean + (2.0 * points - 1.0) * 5.0 * spread, 1e-9, 1.0 - 1e-9)
    density = (mean * weight - 1.0) * np.log(points) + ((1.0 - mean) * weight - 1.0) * np.log1p(-points)
    believed = np.exp(density - density.max())
    return float((believed * reject_chance(points, ratio, bound, n, alpha, side, rough)).sum() / believed.sum())


def settled_chance(seen: Moments, bound: float, n: int) -> float:
    """The chance that the mean over a finite set of `n` further scores reaches `bound`, after the scores of dev: what a
    test without a FAIL side ends in. Normal, with the error of dev and of the set."""
    mean = seen.mean
    variance = seen.ratio * mean * (1.0 - mean) * (1.0 / (seen.seen + 2.0) + 1.0 / n)
    return 1.0 - NormalDist(mean, max(math.sqrt(variance), 1e-9)).cdf(bound)


def resolution(bar: float, n: int, alpha: float, tolerances: Floats) -> float | None:
    """The first of the rising tolerances at which a right/wrong solution exactly at the bar passes at least half the
    time; None where none does. Simulated at a fixed seed.
    """
    if n > 1000:  # effects are scaled, as the square root of n
        wide = resolution(bar, 1000, alpha, tolerances * math.sqrt(n / 1000))
        return None if wide is None else round(wide / math.sqrt(n / 1000), 2)
    scores = (np.random.default_rng(0).random((n, RUNS, 1)) < bar).astype(np.float64)
    bounds = np.broadcast_to(np.maximum(bar - tolerances, 0.0), (RUNS, len(tolerances)))
    passed = _ever(opening(bounds, n, alpha), np.broadcast_to(scores, (n, RUNS, len(tolerances)))).mean(0)
    return float(tolerances[passed >= 0.5][0]) if bool((passed >= 0.5).any()) else None


def _means(bound: float) -> Floats:
    """Denser near the bound, where chances rise."""
    return np.asarray(bound + (1.0 - 1e-6 - bound) * np.linspace(0.0, 1.0, _MEANS) ** 2)


@lru_cache(maxsize=256)
def _row(bound: float, n: int, alpha: float, ratio: float) -> Floats:
    """Chances of rejecting by mean, at one variance ratio; they rise, because all means share their random numbers."""
    means = _means(bound)
    drawn = np.random.default_rng(7).integers(0, _QUANTILES, (n, RUNS))
    scores: Floats = _quantiles(bound, ratio)[drawn]
    return np.maximum.accumulate(_ever(opening(np.full((RUNS, len(means)), bound), n, alpha), scores).mean(0))


@lru_cache(maxsize=64)
def _quantiles(bound: float, ratio: float) -> Floats:
    """Scores of equal chance, a column for each mean: of a right/wrong solution at ratio 1, Beta's below it."""
    means = _means(bound)
    chance = (np.arange(_QUANTILES)[:, None] + 0.5) / _QUANTILES
    if ratio == 1.0:
        return np.asarray(chance < means, dtype=np.float64)
    strength = 1.0 / ratio - 1.0
    return np.asarray(special().betaincinv(means * strength, (1.0 - means) * strength, chance), dtype=np.float64)


def _ever(wealth: Wealth, scores: Floats) -> Floats:
    """Where each of the simulated tests has rejected at some time."""
    rejected = np.zeros(wealth.bound.shape, dtype=bool)
    for row in scores:
        wealth = wealth.after(row)
        rejected |= wealth.rejected
    return np.asarray(rejected, dtype=np.float64)
