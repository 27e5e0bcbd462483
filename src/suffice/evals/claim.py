"""What is claimed of a solution, in the user's terms."""

from __future__ import annotations

from dataclasses import dataclass

from suffice.values import Json


@dataclass(frozen=True, slots=True)
class Stated:
    """The claim that a climb is about: "on future inputs like these, at least bar - tolerance are right".

    `coverage` None: every input must be answered; a share: at least that share less .05 must be; 0.0: as large as it
    gets ("max"). `n` counts sealed cases, one per cluster; `per` names the cluster ("customer") where there is one.
    """

    bar: float
    tolerance: float
    coverage: float | None
    n: int
    per: str | None
    grader: str
    labels: str  # hash of the sealed cases' expected values: corrected labels are another claim on the same cases

    @property
    def bound(self) -> float:
        """The rate that a PASS shows."""
        return round(self.bar - self.tolerance, 10)

    def to_json(self) -> dict[str, Json]:
        """As a dict of plain values."""
        return {
            "kind": "population",
            "bar": self.bar,
            "tolerance": self.tolerance,
            "coverage": self.coverage,
            "per": self.per,
            "grader": self.grader,
            "labels": self.labels,
        }
