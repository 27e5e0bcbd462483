"""Where paths of right/wrong cases first cross a cut-off line: the exact basis of power and of prediction.

The number of paths that first cross at a point does not depend on the true rate, so one pass over the line gives the
chance of crossing at every rate, and under every beta posterior.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from suffice.stats.exact import Floats, Ints, Null, boundary

_TINY = 1e-30  # states of less mass under the reference rate are dropped where no lower line bounds them


@dataclass(frozen=True, slots=True)
class Passages:
    """The points (cases used, right among them) at which paths first cross, and the log of how many paths do."""

    cases: Ints
    right: Ints
    log_paths: Floats

    def at(self, rate: float) -> Floats:
        """The chance of first crossing at each point when every case is right with chance `rate`."""
        p = min(max(rate, 1e-12), 1.0 - 1e-12)
        return np.exp(self.log_paths + self.right * np.log(p) + (self.cases - self.right) * np.log1p(-p))

    def after(self, right: int, seen: int) -> Floats:
        """The same for a rate with a uniform prior, after `right` of `seen` other cases: the Polya urn's chances."""
        if not 0 <= right <= seen:
            raise ValueError(f"{right} right of {seen} seen is impossible")
        most = int(self.cases.max(initial=0)) + seen + 2
        log_factorial = _log_factorials(1 << most.bit_length())
        good, bad = right + self.right, seen - right + self.cases - self.right
        return np.exp(
            self.log_paths
            + (log_factorial[good] + log_factorial[bad] - log_factorial[good + bad + 1])
            - (log_factorial[right] + log_factorial[seen - right] - log_factorial[seen + 1])
        )


def first_passages(upper: Ints, lower: Ints | None, rate: float) -> tuple[Passages, Passages]:
    """The first passages of at least `upper[i - 1]` right after i cases, and of at most `lower[i - 1]` right.

    A path ends at whichever line comes first. `rate` only scales the arithmetic; one near the lines is accurate.
    """
    p = min(max(rate, 0.001), 0.999)
    mass, low = np.ones(1), 0
    over: list[tuple[int, int, float]] = []
    under: list[tuple[int, int, float]] = []
    for i in range(1, len(upper) + 1):
        risen = mass * p
        mass = np.append(mass - risen, 0.0)
        mass[1:] += risen
        top = max(int(upper[i - 1]) - low, 0)
        over.extend((i, low + top + j, float(m)) for j, m in enumerate(mass[top:]) if m > 0.0)
        mass = mass[:top]
        if lower is not None:
            floor = min(max(int(lower[i - 1]) + 1 - low, 0), len(mass))
            under.extend((i, low + j, float(m)) for j, m in enumerate(mass[:floor]) if m > 0.0)
        else:
            floor = int(np.argmax(mass > _TINY)) if len(mass) else 0
        mass, low = mass[floor:], low + floor
        if not len(mass):
            break
    return _passages(over, p), _passages(under, p)


@lru_cache(maxsize=128)
def pass_passages(null: Null, n: int, alpha: float) -> Passages:
    """First passages of the PASS boundary alone: the FAIL side is left out, because a PASS does not depend on it."""
    return first_passages(boundary(null, n, alpha), None, null.bound)[0]


def _passages(points: list[tuple[int, int, float]], rate: float) -> Passages:
    cases = np.array([i for i, _, _ in points], dtype=np.int64)
    right = np.array([s for _, s, _ in points], dtype=np.int64)
    mass = np.array([m for _, _, m in points], dtype=np.float64)
    return Passages(cases, right, np.log(mass) - right * np.log(rate) - (cases - right) * np.log1p(-rate))


@lru_cache(maxsize=4)
def _log_factorials(size: int) -> Floats:
    return np.concatenate(([0.0], np.log(np.arange(1, size)).cumsum()))
