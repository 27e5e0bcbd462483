"""A run as some tool recorded it: each case with its answer, its scores and what it took."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from suffice.values import NO_COST, Cost, Json, canonical

PASSED = "pass"
"""The score of tools that say of each case whether it passed as a whole."""
UNKNOWN = replace(NO_COST, usd=None, input_tokens=None, output_tokens=None)


@dataclass(frozen=True, slots=True, repr=False)
class RunCase:
    """One case of a run, one repeat of it. It does not print: it may be a sealed case of a task.

    `id` is "" where the tool names no case, `expected` and `answer` are None where it recorded none. `scores` goes by
    the tool's names, true and false as 1 and 0; a case that ended in an `error` may have none. `seconds` and `cost`
    are of the solution, not of what graded it. `repeat` counts from 1. `where` is file and place.
    """

    id: str
    input: Json
    expected: Json
    answer: Json
    scores: Mapping[str, float]
    where: str
    error: str | None = None
    seconds: float | None = None
    cost: Cost = UNKNOWN
    repeat: int = 1

    @property
    def key(self) -> str:
        """The same for repeats of one case. An id alone is not enough: where people choose them, they come twice."""
        return canonical([self.id, self.input])


@dataclass(frozen=True, slots=True)
class Run:
    """What one solution did on the cases of a run. `version` is "" where the file does not say it.

    `metric` is the score that the tool itself puts first, None where there is none or no telling.
    """

    tool: str
    version: str
    solution: str
    metric: str | None
    cases: tuple[RunCase, ...]

    def __repr__(self) -> str:
        return f"Run({self.tool} {self.version}: {self.solution!r}, {len(self.cases)} results)"

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of all scores, in the order met."""
        return tuple(dict.fromkeys(name for case in self.cases for name in case.scores))

    def mean(self, metric: str) -> float | None:
        """The mean of a score as these tools print it: over cases, each the mean of its repeats that have one."""
        by: dict[str, list[float]] = {}
        for case in self.cases:
            if metric in case.scores:
                by.setdefault(case.key, []).append(case.scores[metric])
        means = [math.fsum(scores) / len(scores) for scores in by.values()]
        return math.fsum(means) / len(means) if means else None


def first_metric(cases: Sequence[RunCase]) -> str | None:
    """The only score of these cases, None where there are several or none."""
    names = {name for case in cases for name in case.scores}
    return names.pop() if len(names) == 1 else None


def numbered(cases: Iterable[RunCase]) -> list[RunCase]:
    """The cases with the repeats counted, where a tool only writes the same case again."""
    seen: dict[str, int] = {}
    found: list[RunCase] = []
    for case in cases:
        seen[case.key] = seen.get(case.key, 0) + 1
        found.append(replace(case, repeat=seen[case.key]))
    return found
