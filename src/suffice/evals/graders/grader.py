"""What a grader is: a named way to score an answer, with an identity, and how the built-in ones are put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from suffice.arguments import Rule, check_fields
from suffice.evals.kinds import Kind
from suffice.shown import shown
from suffice.values import ABSTAIN, Answer, Case, Json, Score, content_hash


@dataclass(frozen=True, slots=True)
class Grader:
    """A named way to score: `grader(output, case) -> Score`. Equal identities give equal scores.

    An `Answer` is graded by its value. `ABSTAIN` scores 0 with the reason "handed on". None is an answer.
    Scores of a `graded` one may lie between 0 and 1: a claim is about their mean then, else about the share right.
    `kind` is what the expected values must be, None where the grader takes several kinds. A `slow` grader is called
    on threads, side by side, so it must be safe to call so. One that `runs_code` executes what a model wrote: named
    in a text it needs `trust`. `answer` tells a model what to answer with, where the expected value is no example
    of an answer (a test, a pattern). `check` raises ValueError, without the value, for an expected value that the
    grader cannot read.
    """

    name: str
    fn: Callable[[Any, Case], Score] = field(repr=False, compare=False)
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any], compare=False)
    identity: str = ""
    kind: Kind | None = field(default=None, compare=False)
    slow: bool = field(default=False, compare=False)
    runs_code: bool = field(default=False, compare=False)
    graded: bool = field(default=False, compare=False)
    answer: str = field(default="", compare=False)
    check: Callable[[Json], None] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        check_fields(self)

    def __call__(self, output: Any, case: Case) -> Score:
        """The score of one output. Raises SolutionError where a user's own function fails."""
        value: Any = output.value if isinstance(output, Answer) else output
        return Score(0.0, "handed on") if value is ABSTAIN else self.fn(value, case)


Inner = Annotated[Grader, Rule(lambda v: True, "a Grader", "sf.grade.number(0.01)")]
"""A grader within another."""


def built(name: str, fn: Callable[[Any, Case], Score], *, graded: bool = False, **settings: Any) -> Grader:
    """A grader of ours: None is compared here, so that the functions see values only."""

    def run(output: Any, case: Case) -> Score:
        if output is None or (case.expected is None and name != "regex"):
            return right_or_wrong(output is None and case.expected is None, case.expected, output)
        return fn(output, case)

    identity = f"{name} {content_hash(settings)[:12]}" if settings else name
    return Grader(name, run, settings, identity, graded=graded)


def right_or_wrong(right: bool, expected: Json, output: Any, more: str = "") -> Score:
    """1 or 0, with both values in the reason of a 0; `more` is added to it."""
    if right:
        return Score(1.0, f"{shown(output)} is right{more}")
    return Score(0.0, f"expected {shown(expected)}, got {shown(output)}{more}")


def within(value: float) -> float:
    """A share as a score: rounding may have carried it just out of [0, 1]."""
    return min(1.0, max(0.0, value))
