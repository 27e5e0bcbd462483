"""Several samples of one case: how much answers vary within a case and between cases, and what a repeat is worth.

A case's score is the mean of its samples; counting samples as cases would claim evidence that is not there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


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
