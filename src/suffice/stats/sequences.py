"""Confidence sequences: bounds of a mean that hold at all numbers of cases at once, so one may look at any time.

The bounds are what betting has not rejected (inversion over a grid of means), so they agree with `betting`'s tests at
the same alpha. They inform; verdicts come from a trial.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffice.stats.betting import opening
from suffice.stats.clusters import cluster_score
from suffice.stats.exact import Floats

_GRID: Floats = np.arange(201, dtype=np.float64) / 200.0


class Bounds(NamedTuple):
    """The lower and the upper bound after some number of cases, multiples of .005."""

    low: float
    high: float


def confidence_sequence(
    scores: Sequence[float], level: float = 0.95, n: int | None = None, finite: bool = False
) -> list[Bounds]:
    """The bounds of the mean after each of the scores in [0, 1], in their fixed order.

    With probability at least `level` all of them hold, however many scores come (each side at (1 - level) / 2).
    `n` is how many will come at most, if known, and only sharpens; `finite`: those `n` are all there is.
    Raises ValueError for scores outside [0, 1], more than `n`, and impossible settings.
    """
    x = np.asarray(scores, dtype=np.float64)
    if bool(((x < 0.0) | (x > 1.0) | np.isnan(x)).any()):
        raise ValueError("scores must lie in [0, 1]")
    return _inverted(x, level, n, finite)


def cluster_sequence(
    totals: Sequence[float], counted: Sequence[int], most: int, level: float = 0.95, n: int | None = None
) -> list[Bounds]:
    """The bounds of the mean over cases, at most `most` a cluster, after each cluster (see `clusters`).

    `totals` are the summed scores of the `counted` cases of each. Raises ValueError as `confidence_sequence`.
    """
    pairs = zip(totals, counted, strict=True)
    return _inverted((cluster_score(np.asarray(t), np.asarray(c), most, _GRID) for t, c in pairs), level, n, False)


def _inverted(scores: Iterable[Floats | float], level: float, n: int | None, finite: bool) -> list[Bounds]:
    alpha = (1.0 - level) / 2.0
    below, above = (opening(_GRID, n, alpha, side, finite) for side in ("pass", "fail"))
    too_low, too_high = (np.zeros(len(_GRID), dtype=bool) for _ in range(2))
    bounds: list[Bounds] = []
    for x in scores:
        below, above = below.after(x), above.after(x)
        too_low |= below.rejected
        too_high |= above.rejected
        bounds.append(Bounds(_end(too_low, _GRID), _end(too_high[::-1], _GRID[::-1])))
    return bounds


def _end(rejected: NDArray[np.bool_], grid: Floats) -> float:
    """The last mean of the unbroken row of rejected ones; only the first true null beyond it could err."""
    row = len(grid) if rejected.all() else int(rejected.argmin())
    return float(grid[max(row - 1, 0)])
