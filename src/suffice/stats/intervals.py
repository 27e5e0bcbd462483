"""Intervals and fixed-size tests for reports: never Wald, never a standard error of 0, too few cases are refused.

These inform; they decide nothing. Verdicts come from `trial`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from suffice.stats.exact import Floats
from suffice.stats.special import special

FEWEST_CLUSTERS = 5
"""Fewer independent clusters than this say too little about how much clusters differ."""

FEWEST_SCORES = 10
"""Fewer graded scores than this give no interval for a mean."""


class Interval(NamedTuple):
    """An estimate with its lower and upper limit and the number of cases behind it."""

    estimate: float
    low: float
    high: float
    n: int


def wilson(right: int, n: int, level: float = 0.95) -> Interval:
    """The score interval of a proportion (Wilson 1927): `right` of `n`. Raises ValueError for no cases."""
    _check(right, n, level)
    return _wilson(right / n, n, n, _normal(level))


def clopper_pearson(right: int, n: int, level: float = 0.95) -> Interval:
    """The exact interval of a proportion (Clopper & Pearson 1934). Raises ValueError for no cases."""
    _check(right, n, level)
    tail, quantile = (1.0 - level) / 2.0, special().betaincinv
    low = float(quantile(right, n - right + 1, tail)) if right else 0.0
    high = float(quantile(right + 1, n - right, 1.0 - tail)) if right < n else 1.0
    return Interval(right / n, low, high, n)


def wilson_clustered(right: Sequence[int], sizes: Sequence[int], level: float = 0.95) -> Interval:
    """The Wilson interval of a proportion over clusters of dependent cases: `right[c]` of `sizes[c]` in cluster c.

    Uses the cases' effective number n / design effect (Miller 2411.00640, section 2.2; Korn & Graubard 1998), never
    above n, and Student's t with clusters - 1 degrees of freedom. Where all cases agree, each cluster counts once.
    Not exact: 95% intervals covered 92-98% in our simulations, least at rate .95 with 30 clusters and intraclass
    correlation .5.
    Raises ValueError below 5 clusters.
    """
    hits, counts = np.asarray(right, dtype=float), np.asarray(sizes, dtype=float)
    clusters, n = len(counts), int(counts.sum())
    if clusters < FEWEST_CLUSTERS:
        raise ValueError(f"{clusters} clusters are too few for an interval: at least {FEWEST_CLUSTERS}")
    if len(hits) != clusters or bool(((hits < 0) | (hits > counts) | (counts < 1)).any()):
        raise ValueError("each cluster needs at least one case and no more right than cases")
    rate = float(hits.sum() / n)
    independent = rate * (1.0 - rate) / n
    variance = clusters / (clusters - 1) * float(((hits - rate * counts) ** 2).sum()) / n**2
    effective = min(n, n * independent / variance) if independent and variance else float(clusters)
    return _wilson(rate, effective, n, _student(level, clusters - 1))


def exact_sign_test(better: int, worse: int) -> float:
    """The exact two-sided McNemar p-value (Liddell 1983): of the pairs that differ, `better` against `worse`.

    1.0 when no pair differs. Raises ValueError for negative counts.
    """
    if better < 0 or worse < 0:
        raise ValueError("counts cannot be negative")
    n, least = better + worse, min(better, worse)
    tail = sum(math.comb(n, k) for k in range(least + 1))
    return min(1.0, 2 * tail / 2**n)


def tango(better: int, worse: int, n: int, level: float = 0.95) -> Interval:
    """The score interval of a paired difference of proportions (Tango 1998): among `n` pairs, `better` went from
    wrong to right and `worse` from right to wrong; the estimate is (better - worse) / n.

    "Not worse by more than D" is shown at one-sided error (1 - level) / 2 when the lower limit is above -D.
    Raises ValueError for no pairs or impossible counts.
    """
    _check(better + worse, n, level)
    if better < 0 or worse < 0:
        raise ValueError("counts cannot be negative")
    z, estimate = _normal(level), (better - worse) / n

    def score(delta: float) -> float:
        b = (2 * n - better + worse) * delta - better - worse
        c = -worse * delta * (1.0 - delta)
        rate = (math.sqrt(max(b * b - 8 * n * c, 0.0)) - b) / (4 * n)
        spread = max(n * (2.0 * rate + delta * (1.0 - delta)), 1e-300)
        return (better - worse - n * delta) / math.sqrt(spread)

    low = _root(lambda d: score(d) <= z, -1.0, estimate)
    high = _root(lambda d: score(d) <= -z, estimate, 1.0)
    return Interval(estimate, low, high, n)


def mean_interval(
    values: Sequence[float],
    level: float = 0.95,
    span: tuple[float, float] = (0.0, 1.0),
    clusters: Sequence[Hashable] | None = None,
) -> Interval:
    """Student's interval of a mean of graded scores within `span`, clipped to it; by clusters where given.

    One pseudo-observation at the largest spread (a quarter of the squared width) is added to the sum of squares, so
    that equal scores do not pretend to have no error. The clustered standard error is Miller's (2411.00640).
    Raises ValueError below 10 scores or 5 clusters, and for values outside the span.
    """
    x = np.asarray(values, dtype=float)
    low, high = span
    if len(x) < FEWEST_SCORES:
        raise ValueError(f"{len(x)} scores are too few for an interval: at least {FEWEST_SCORES}")
    if bool(((x < low) | (x > high) | np.isnan(x)).any()):
        raise ValueError(f"scores must lie in [{low}, {high}]")
    residuals = x - x.mean() if clusters is None else _cluster_sums(x - x.mean(), clusters)
    units = len(residuals)
    if units < FEWEST_CLUSTERS:
        raise ValueError(f"{units} clusters are too few for an interval: at least {FEWEST_CLUSTERS}")
    squares = float((residuals**2).sum()) + (high - low) ** 2 / 4.0 * (len(x) / units) ** 2
    error = math.sqrt(squares * units / (units - 1)) / len(x)
    reach, mean = _student(level, units - 1) * error, float(x.mean())
    return Interval(mean, max(mean - reach, low), min(mean + reach, high), len(x))


def score_interval(scores: Sequence[float], clusters: Sequence[Hashable], level: float = 0.95) -> Interval:
    """The interval of the mean of scores in [0, 1], whatever they are: Wilson's where each is 0 or 1, widened by the
    design effect where cases share clusters, else Student's. Raises ValueError for too few cases or clusters."""
    if any(score not in (0.0, 1.0) for score in scores):
        return mean_interval(scores, level, clusters=clusters)
    groups: dict[Hashable, list[float]] = {}
    for score, cluster in zip(scores, clusters, strict=True):
        groups.setdefault(cluster, []).append(score)
    if len(groups) == len(scores):
        return wilson(int(sum(scores)), len(scores), level)
    return wilson_clustered([int(sum(g)) for g in groups.values()], [len(g) for g in groups.values()], level)


def mean_difference(
    first: Sequence[float], second: Sequence[float], level: float = 0.95, clusters: Sequence[Hashable] | None = None
) -> Interval:
    """The paired interval of the mean of second - first over the same cases, scores in [0, 1] (Miller 2411.00640).

    Raises ValueError for unequal lengths and as `mean_interval`.
    """
    if len(first) != len(second):
        raise ValueError(f"pairs need equal lengths, not {len(first)} and {len(second)}")
    pairs = (np.asarray(second, dtype=float) - np.asarray(first, dtype=float)).tolist()
    return mean_interval(pairs, level, (-1.0, 1.0), clusters)


def _check(right: int, n: int, level: float) -> None:
    if n < 1:
        raise ValueError("no cases, no interval")
    if not 0 <= right <= n:
        raise ValueError(f"{right} of {n} is impossible")
    if not 0.0 < level < 1.0:
        raise ValueError(f"a level must lie in (0, 1), not {level!r}")


def _wilson(rate: float, effective: float, n: int, z: float) -> Interval:
    shrink = 1.0 + z * z / effective
    middle = (rate + z * z / (2.0 * effective)) / shrink
    reach = z / shrink * math.sqrt(rate * (1.0 - rate) / effective + z * z / (4.0 * effective**2))
    low = 0.0 if rate == 0.0 else max(middle - reach, 0.0)
    high = 1.0 if rate == 1.0 else min(middle + reach, 1.0)
    return Interval(rate, low, high, n)


def _cluster_sums(residuals: Floats, clusters: Sequence[Hashable]) -> Floats:
    if len(clusters) != len(residuals):
        raise ValueError(f"{len(residuals)} scores need as many clusters, not {len(clusters)}")
    number = {name: i for i, name in enumerate(dict.fromkeys(clusters))}
    return np.bincount([number[name] for name in clusters], weights=residuals).astype(np.float64)


def _root(below: Callable[[float], bool], left: float, right: float) -> float:
    """Where `below` turns from False to True between left and right."""
    for _ in range(60):
        middle = (left + right) / 2.0
        left, right = (left, middle) if below(middle) else (middle, right)
    return right


def _normal(level: float) -> float:
    return NormalDist().inv_cdf((1.0 + level) / 2.0)


def _student(level: float, freedom: int) -> float:
    return float(special().stdtrit(freedom, (1.0 + level) / 2.0))
