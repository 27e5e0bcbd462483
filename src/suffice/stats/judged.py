"""Scores by people, corrected by a judge's scores of the same and of other cases, as what betting is fed.

The judge need not be good: a person's score y and the judge's f enter as y - w f + w (what the judge says on average),
whose mean is the mean of y. A poor judge costs power, never the error (R-AutoEval+ 2505.18659). The weight w and the
judge's prompt are fixed before the labelled cases are seen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from suffice.stats.exact import Null

WEIGHT = 0.5
"""How much the judge counts, unless said otherwise."""

PARTNERS = 10
"""Unlabelled cases to each labelled one, for a claim about future inputs."""


def judged_score(score: float, judge: float, weight: float = WEIGHT) -> float:
    """A labelled case of a finite set, in [0, 1], for `judged_null`; all scores lie in [0, 1]."""
    return (score + weight * (1.0 - judge)) / (1.0 + weight)


def judged_null(null: Null, judge_mean: float, weight: float = WEIGHT) -> Null:
    """A finite set's null on the scale of `judged_score`; `judge_mean` is the judge's mean over all N cases.

    For these N cases only: as a claim about future inputs it misses its error, because the judge's mean there is not
    known. Raises ValueError for a null about a population.
    """
    if not null.finite:
        raise ValueError("over a population the judge's mean is not known: pair each case with unlabelled ones")
    bound = (null.bound + weight * (1.0 - judge_mean)) / (1.0 + weight)
    return Null(min(max(bound, 0.0), 1.0), finite=True)


def partnered_score(score: float, judge: float, partners: Sequence[float], weight: float = WEIGHT) -> float:
    """A labelled case of a population, in [0, 1], for `partnered_null`.

    `partners` are the judge's scores of unlabelled cases that are used for no other case.
    """
    return (score + weight * (1.0 - judge + float(np.mean(partners)))) / (1.0 + 2.0 * weight)


def partnered_null(null: Null, weight: float = WEIGHT) -> Null:
    """A population's null on the scale of `partnered_score`. Raises ValueError for a finite set."""
    if null.finite:
        raise ValueError("of a finite set the judge's mean is known: use judged_null")
    return Null((null.bound + weight) / (1.0 + 2.0 * weight))
