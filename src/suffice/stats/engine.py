"""Which engine decides a claim: the exact one wherever it holds, betting everywhere else, with the reason in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Name = Literal["exact spending", "betting"]
Kind = Literal["population", "finite"]


@dataclass(frozen=True, slots=True)
class Shape:
    """What the data are, as far as it decides the engine; none of it may be read off sealed scores.

    `graded`: scores may lie between 0 and 1 (said by the grader, not seen in the scores). `largest_cluster`: cases in
    the largest cluster. `repeats`: samples of a case. `n` None: how many cases will come is not known.
    `judged`: scores are corrected by a judge's. `paired`: two solutions are compared on the same cases.
    """

    graded: bool = False
    largest_cluster: int = 1
    repeats: int = 1
    n: int | None = None
    judged: bool = False
    paired: bool = False
    margin: float = 0.0
    kind: Kind = "population"


class Engine(NamedTuple):
    """The engine that speaks and why, as a report says it."""

    name: Name
    reason: str


def engine_for(shape: Shape) -> Engine:
    """The engine for data of this shape. Raises ValueError for a finite set of unknown size."""
    if shape.kind == "finite" and shape.n is None:
        raise ValueError("a finite set has a known number of cases")
    reasons = _against_exact(shape)
    if reasons:
        return Engine("betting", " and ".join(reasons))
    if shape.kind == "finite":
        return Engine("exact spending", f"every case is right or wrong, and these {shape.n} are all there is")
    return Engine(
        "exact spending", f"every case is right or wrong, stands alone, and their number is known ({shape.n})"
    )


def _against_exact(shape: Shape) -> list[str]:
    reasons: list[str] = []
    if shape.graded:
        reasons.append("scores are graded, not only right or wrong")
    if shape.largest_cluster > 1 and shape.kind == "population":  # a finite set is drawn case by case
        reasons.append(f"cases come in clusters of up to {shape.largest_cluster}")
    if shape.repeats > 1:
        reasons.append(f"each case is asked {shape.repeats} times, and its score is their mean")
    if shape.judged:
        reasons.append("scores are corrected by a judge")
    if shape.paired and shape.margin > 0.0:
        reasons.append(f"a difference is compared with a margin of {shape.margin:g}")
    if shape.n is None:
        reasons.append("the number of cases is not known before")
    return reasons
