"""Answering only when sure: coverage against rate, the abstention cells, and thresholds on confidence.

A case is answered when its confidence is at least the threshold. Feed out-of-fold predictions: a threshold chosen on
the answers that a solution was fitted to promises too much.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffice.stats.claim import Claim
from suffice.stats.exact import Floats, Ints
from suffice.stats.predict import Chances, chance_coverage

MAX_COVERAGE_CHANCE = 0.6
"""With no demand on coverage: the predicted chance that the most generous threshold must keep."""

_MOST_THRESHOLDS = 200


class Curve(NamedTuple):
    """By falling confidence, at each distinct threshold: cases answered, right among them, coverage, rate."""

    threshold: Floats
    answered: Ints
    right: Ints
    coverage: Floats
    rate: Floats


class Cells(NamedTuple):
    """The four abstention cells: what was answered right and wrong, and what was held back though right, or wrong."""

    answered_right: int
    answered_wrong: int
    held_right: int
    held_wrong: int


class Threshold(NamedTuple):
    """A threshold with what it does on the cases it was chosen on, and the predicted chances on the test."""

    value: float
    answered: int
    right: int
    chances: Chances


def coverage_curve(confidence: Sequence[float], right: Sequence[bool], seen: int | None = None) -> Curve:
    """The share answered against the rate right among answered, by falling confidence (El-Yaniv & Wiener 2010).

    `seen` counts all cases where some were handed on without a confidence (default: as many as given).
    Raises ValueError without cases, for unequal lengths and for a confidence that is not a number.
    """
    conf, hit = _arrays(confidence, right)
    order = np.argsort(-conf, kind="stable")
    conf, total = conf[order], hit[order].cumsum()
    last = np.flatnonzero(np.append(conf[1:] != conf[:-1], True))  # the last case of each tie
    answered = (last + 1).astype(np.int64)
    n = len(conf) if seen is None else seen
    if n < len(conf):
        raise ValueError(f"{len(conf)} confidences cannot come from {n} cases")
    return Curve(conf[last], answered, total[last], answered / n, total[last] / answered)


def aurc(confidence: Sequence[float], right: Sequence[bool]) -> float:
    """The area under the risk-coverage curve (Geifman, Uziel & El-Yaniv 1805.08206): 0 is best, lower is better.

    The mean over k of the error rate among the k surest cases; tied cases share their mean error rate.
    """
    curve = coverage_curve(confidence, right)
    before_answered = np.concatenate(([0], curve.answered[:-1]))
    before_right = np.concatenate(([0], curve.right[:-1]))
    sizes = curve.answered - before_answered
    k = np.arange(1, int(curve.answered[-1]) + 1)
    within = k - np.repeat(before_answered, sizes)
    expected = np.repeat(before_right, sizes) + within * np.repeat((curve.right - before_right) / sizes, sizes)
    return float((1.0 - expected / k).mean())


def abstention_cells(confidence: Sequence[float], right: Sequence[bool], threshold: float) -> Cells:
    """How the cases fall: answered at `threshold` or held back, right or wrong. Raises as `coverage_curve`."""
    conf, hit = _arrays(confidence, right)
    said = conf >= threshold
    return Cells(int((said & hit).sum()), int((said & ~hit).sum()), int((~said & hit).sum()), int((~said & ~hit).sum()))


def best_threshold(
    confidence: Sequence[float], right: Sequence[bool], claim: Claim, seen: int | None = None
) -> Threshold:
    """The threshold under which `claim` is likeliest to pass on the test.

    With a demanded coverage: the one that maximises the smaller of the two predicted chances (the lowest such). With
    coverage 0 (`--coverage max`): the one that answers most while the predicted chance is at least .6, or, where none
    reaches that, the likeliest. At most about 200 thresholds, spread evenly over the cases, are compared.
    Raises ValueError for a claim without coverage and as `coverage_curve`.
    """
    if claim.coverage is None:
        raise ValueError("a claim without coverage answers every input: there is no threshold to choose")
    curve = coverage_curve(confidence, right, seen)
    n = len(confidence) if seen is None else seen
    places = np.unique(np.linspace(0, len(curve.threshold) - 1, _MOST_THRESHOLDS).round().astype(np.int64))
    options = [
        Threshold(float(curve.threshold[i]), answered, good, chance_coverage(good, answered, n, claim))
        for i, answered, good in zip(places, curve.answered[places].tolist(), curve.right[places].tolist(), strict=True)
    ]
    if claim.coverage == 0.0:
        for option in reversed(options):
            if option.chances.rate >= MAX_COVERAGE_CHANCE:
                return option
    return max(options, key=lambda option: (option.chances.smaller, option.answered))


def _arrays(confidence: Sequence[float], right: Sequence[bool]) -> tuple[Floats, NDArray[np.bool_]]:
    conf, hit = np.asarray(confidence, dtype=np.float64), np.asarray(right, dtype=np.bool_)
    if len(conf) == 0 or len(conf) != len(hit):
        raise ValueError(f"{len(conf)} confidences and {len(hit)} outcomes make no curve")
    if bool(np.isnan(conf).any()):
        raise ValueError("a confidence is not a number; leave such cases out and count them in `seen`")
    return conf, hit
