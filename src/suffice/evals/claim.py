"""What is claimed of a solution, in the user's terms."""

from __future__ import annotations

from dataclasses import dataclass

from suffice.stats.claim import Claim
from suffice.stats.engine import Kind
from suffice.values import Json

IN_TIME = 0.95
"""The share of calls that a limit on the p95 is about."""


@dataclass(frozen=True, slots=True)
class Stated:
    """The claim that a climb is about: "on future inputs like these, at least bar - tolerance are right"; of kind
    "finite", "on these n inputs", and no others.

    `coverage` None: every input must be answered; a share: at least that share less .05 must be; 0.0: as large as it
    gets ("max"). `n` counts sealed cases, or clusters of which at most `most` cases count; `per` names the cluster
    ("customer") where there is one. `graded`: the claim is about the mean score, not about the share right. `p95`:
    and 95% of calls end within so many seconds. `within`: the bar is relative, not worse than `of` by more than that;
    `bar` and `tolerance` are on the scale of paired scores then (1/2: equal).
    """

    bar: float
    tolerance: float
    coverage: float | None
    n: int
    per: str | None
    grader: str
    labels: str  # hash of the sealed cases' expected values: corrected labels are another claim on the same cases
    graded: bool = False
    most: int = 1
    p95: float | None = None
    concurrency: int | None = None  # at which the time limit holds
    within: float | None = None
    of: str | None = None
    reference: str | None = None  # identity of the reference, and of what it learns from
    open: bool = False  # the cases could be looked at by others: a PASS holds only if nobody tuned on them
    kind: Kind = "population"

    @property
    def bound(self) -> float:
        """The rate that a PASS shows."""
        return round(self.bar - self.tolerance, 10)

    @property
    def finite(self) -> bool:
        """Whether it is about these cases alone."""
        return self.kind == "finite"

    @property
    def unit(self) -> str:
        """What `n` counts: "case", or "customer"."""
        return (self.per or "cluster") if self.most > 1 else "case"

    @property
    def units(self) -> str:
        """The same in the plural."""
        return f"{self.unit}s"

    def numbers(self, alpha: float) -> Claim:
        """The claim that a trial decides, at the error that its try gets."""
        fast = None if self.p95 is None else IN_TIME
        return Claim(
            self.bar,
            self.tolerance,
            self.n,
            alpha,
            self.coverage,
            self.kind,
            graded=self.graded,
            most=self.most,
            fast=fast,
            margin=self.within or 0.0,
        )

    def to_json(self) -> dict[str, Json]:
        """As a dict of plain values."""
        more: dict[str, Json] = {"graded": True} if self.graded else {}
        more |= {"most": self.most} if self.most > 1 else {}
        more |= {"p95": self.p95, "concurrency": self.concurrency} if self.p95 is not None else {}
        more |= {"within": self.within, "of": self.of, "reference": self.reference} if self.within is not None else {}
        more |= {"open": True} if self.open else {}
        return {
            **more,
            "kind": self.kind,
            "bar": self.bar,
            "tolerance": self.tolerance,
            "coverage": self.coverage,
            "per": self.per,
            "grader": self.grader,
            "labels": self.labels,
        }
