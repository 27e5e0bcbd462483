"""Cases that belong together (one customer, document, template): one score a cluster that still speaks of cases.

The mean of cluster means is another quantity than the mean over cases, so a cluster's score is weighted by its size:
m + (n_c / most) (mean_c - m). Its mean is at most m exactly when the mean over cases is, with at most `most` cases
of a cluster counted. Which cases count is drawn from sizes alone, before any score.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from random import Random
from typing import NamedTuple

import numpy as np

from suffice.stats.exact import Floats, Ints

LEAST_COUNTED = 2
"""At least this many cases of a cluster are counted."""

NOTED_SHIFT = 0.02
"""Thinning that moves the mean by more than this is pointed out."""


class Shift(NamedTuple):
    """The mean over all cases and the mean over thinned ones, which a claim with at most so many a cluster is about."""

    full: float
    thinned: float

    @property
    def noted(self) -> bool:
        """Whether thinning changes what is claimed by more than `NOTED_SHIFT`."""
        return abs(self.full - self.thinned) > NOTED_SHIFT


def most_counted(sizes: Sequence[int], quantile: float = 0.5) -> int:
    """How many cases of a cluster are counted at most: the median size, at least 2 (or another quantile of the sizes).

    Take the sizes of cases that are not in the test, or of a whole file: chosen by the sizes of the very clusters
    that are tested, it is (slightly) chosen by their scores where sizes relate to difficulty. Never the largest size.
    Raises ValueError for no clusters, and for quantiles outside (0, 1).
    """
    if not sizes or min(sizes) < 1:
        raise ValueError("thinning needs at least one cluster, and each at least one case")
    if not 0.0 < quantile < 1.0:
        raise ValueError(f"a quantile must lie in (0, 1), not {quantile!r}")
    return max(LEAST_COUNTED, int(np.quantile(sizes, quantile, method="higher")))


def thinned(clusters: Sequence[Hashable], most: int, seed: int) -> list[int]:
    """The indices of the cases that count, in order: at most `most` of each cluster, randomly chosen.

    What is chosen of a cluster depends on the seed, its name and its size, not on other clusters.
    """
    members: dict[Hashable, list[int]] = {}
    for i, name in enumerate(clusters):
        members.setdefault(name, []).append(i)
    return sorted(i for name, cases in members.items() for i in _chosen(f"{seed}:{name}", cases, most))


def cluster_score(total: Floats | float, counted: Ints | int, most: int, bound: Floats | float) -> Floats:
    """The score in [0, 1] of a cluster with `counted` cases of summed scores `total`, against the null mean `bound`.

    Among answered: both count answered cases only. Share answered: the total is the answered cases. A cluster of
    which nothing counts scores `bound`, so it only uses up the clock. Raises ValueError for more cases than `most`.
    """
    sums, cases = np.asarray(total, dtype=np.float64), np.asarray(counted)
    if bool((cases > most).any()):
        raise ValueError(f"at most {most} cases of a cluster may count, not {cases.max()}")
    if not bool(((sums >= 0.0) & (sums <= cases)).all()):
        raise ValueError("the scores of a cluster's cases must lie in [0, 1]")
    m = np.asarray(bound, dtype=np.float64)
    return np.asarray(np.clip(m + (sums - cases * m) / most, 0.0, 1.0))  # the clip takes away the noise of floats


def shift(scores: Sequence[float], clusters: Sequence[Hashable], most: int) -> Shift:
    """What counting at most `most` a cluster does to the mean of these cases, over all ways of choosing them.

    Raises ValueError for no cases or unequal lengths.
    """
    if not scores or len(scores) != len(clusters):
        raise ValueError(f"{len(scores)} scores of {len(clusters)} cases make no mean")
    number = {name: i for i, name in enumerate(dict.fromkeys(clusters))}
    groups = [number[name] for name in clusters]
    totals, sizes = np.bincount(groups, weights=scores), np.bincount(groups)
    counted = np.minimum(sizes, most)
    return Shift(float(totals.sum() / sizes.sum()), float((totals / sizes * counted).sum() / counted.sum()))


def _chosen(seed: str, cases: list[int], most: int) -> list[int]:
    return cases if len(cases) <= most else Random(seed).sample(cases, most)
