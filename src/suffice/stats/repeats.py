"""Several samples of one case: how much answers vary within a case and between cases, and what a repeat is worth.

A case's score is the mean of its samples; counting samples as cases would claim evidence that is not there.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np

from suffice.stats.intervals import Interval, score_interval

EVERY = 8
"""Up to so many trials pass^k is given for each k; beyond, for powers of two and all trials."""


class Variances(NamedTuple):
    """The variance of one sample around its case's mean, and that of the cases' means."""

    within: float
    between: float

    @property
    def worth(self) -> float:
        """What a second sample of every case adds to the precision of the mean, in new cases: 0 where reruns agree,
        1 where they are as different as new cases.
        """
        both = 2.0 * self.between + self.within
        return self.within / both if both else 0.0


def variances(samples: Sequence[Sequence[float]]) -> Variances:
    """The variance components of samples grouped by case (one-way analysis of variance, cases of unequal numbers).

    Raises ValueError below 2 cases, for a case without samples, and where no case has a second sample.
    """
    counts = np.array([len(case) for case in samples])
    cases, n = len(counts), int(counts.sum())
    if cases < 2 or counts.min() < 1 or n == cases:
        raise ValueError("variances within and between cases need 2 cases and a second sample")
    means = np.array([np.mean(case) for case in samples])
    within = sum(float(((np.asarray(case) - mean) ** 2).sum()) for case, mean in zip(samples, means, strict=True))
    within /= n - cases
    grand = float((counts * means).sum() / n)
    spread = float((counts * (means - grand) ** 2).sum()) / (cases - 1)
    typical = (n - float((counts**2).sum()) / n) / (cases - 1)
    return Variances(within, max((spread - within) / typical, 0.0))


def pass_hat(right: int, trials: int, k: int) -> float:
    """pass^k of one case, the chance that k trials are all right: C(right, k) / C(trials, k), which is unbiased
    (tau-bench, 2406.12045, section 3.3). Raises ValueError for impossible counts.
    """
    if not (0 <= right <= trials and 1 <= k <= trials):
        raise ValueError(f"{k} of {trials} trials, {right} right, is impossible")
    return math.comb(right, k) / math.comb(trials, k)


class Passes(NamedTuple):
    """pass^k: the mean of `pass_hat` over cases. `interval` is None where the cases, or clusters, are too few."""

    k: int
    estimate: float
    interval: Interval | None


def pass_hats(
    right: Sequence[int], trials: Sequence[int], clusters: Sequence[Hashable], level: float = 0.95
) -> tuple[Passes, ...]:
    """pass^k for k up to the fewest trials of a case, of cases with so many trials and so many of them right.

    The interval is over cases (by clusters where they share one), never over trials: trials of one case say how
    steady it is, and nothing of other cases. Raises ValueError for no cases, and as `pass_hat`.
    """
    if not trials:
        raise ValueError("pass^k needs a case")
    found: list[Passes] = []
    for k in _steps(min(trials)):
        values = [pass_hat(c, n, k) for c, n in zip(right, trials, strict=True)]
        try:
            interval = score_interval(values, clusters, level)
        except ValueError:
            interval = None
        found.append(Passes(k, float(np.mean(values)), interval))
    return tuple(found)


def _steps(most: int) -> list[int]:
    powers = (2**i for i in range(most.bit_length()))
    return list(range(1, most + 1)) if most <= EVERY else sorted({*powers, most})
