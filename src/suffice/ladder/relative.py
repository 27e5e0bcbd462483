"""A relative bar, "within .05 of REFERENCE": the reference answers the same cases, and each pair is one score.

A pair's score is (candidate - reference + 1) / 2, so 1/2 where they are equal; PASS shows that the mean is more than
(1 - within) / 2, FAIL that it is below 1/2 (non-inferiority, paired).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from suffice.errors import BarError, UsageError
from suffice.ladder.rung import Rung
from suffice.programs.solution import Solution
from suffice.stats.paired import paired_score
from suffice.stats.trial import Observed


class Span(NamedTuple):
    """A score toward either side: equal, unless the call failed, which counts 0 at the low end and 1 at the high."""

    low: float
    high: float


@dataclass(slots=True)
class Reference:
    """What candidates are compared with. `dev` holds its scores by case id; `tested` is as it goes to test."""

    rung: Rung
    within: float
    dev: dict[str, float] = field(default_factory=dict[str, float])
    tested: Solution | None = None

    @property
    def name(self) -> str:
        """As it is called in the sentence."""
        return self.rung.name


def reference_of(rung: Rung, within: float) -> Reference:
    """A reference with its margin. Raises BarError for a margin outside (0, 1), UsageError for a family."""
    if not 0.0 < within < 1.0:
        raise BarError(f"--within is a difference between 0 and 1, not {within:g}", hint="--within .05 --of my.py:big")
    if rung.family:
        raise UsageError(f"{rung.name} is a family, not one solution to compare with", hint="name one of its variants")
    return Reference(rung, within)


def paired(candidate: Span, reference: Span, fast: bool | None) -> Observed:
    """A pair as the trial sees it: a failed call of either is counted against each claim in turn."""
    low = paired_score(reference.high, candidate.low)
    return Observed(low, paired_score(reference.low, candidate.high), fast=fast)
