"""Two solutions on the same cases as one score: what betting is fed to show "better" or "not worse by more than"."""

from __future__ import annotations

from suffice.stats.exact import Null


def paired_score(first: float, second: float) -> float:
    """The difference second - first of two scores in [0, 1], moved into [0, 1]: 1/2 where they are equal."""
    return (second - first + 1.0) / 2.0


def difference(score: float) -> float:
    """The difference second - first that `paired_score` moved into [0, 1]; of their mean, the mean difference."""
    return round(2.0 * score - 1.0, 10)


def not_better(margin: float = 0.0) -> Null:
    """The null that PASS rejects: "the second's mean on future inputs is at most the first's minus `margin`".

    Rejecting it with a margin of 0 shows that the second is better; above 0, that it is not worse by as much
    (non-inferiority). Raises ValueError for a margin outside [0, 1).
    """
    if not 0.0 <= margin < 1.0:
        raise ValueError(f"a margin must lie in [0, 1), not {margin!r}")
    return Null((1.0 - margin) / 2.0)
