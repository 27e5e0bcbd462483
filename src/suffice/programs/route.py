"""A route: solutions in order, each with a confidence below which it hands on; at the end stands a person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from suffice.arguments import Rule, validated
from suffice.errors import SolutionError
from suffice.programs.solution import Form, Solution, from_function
from suffice.values import ABSTAIN, Answer, Json, content_hash

Threshold = Annotated[float | None, Rule(lambda v: v is None or 0 <= v <= 1, "a confidence from 0 to 1, or None")]


@dataclass(frozen=True, slots=True)
class Leg:
    """One member of a route. `threshold` None: it answers whatever it does not hand on by itself."""

    solution: Solution
    threshold: float | None = None


@validated
def route(*members: Any, thresholds: Sequence[Threshold] | None = None, name: str | None = None) -> Solution:
    """Ask `members` in order; the first that is sure enough answers, and nobody being sure is `ABSTAIN`.

    Each member is a Solution or a function. `thresholds[i]` is the least confidence in [0, 1] at which member i keeps
    its answer; None means that it hands on only by returning ABSTAIN. Raises SolutionError for a wrong count,
    UsageError for what is no confidence.
    """
    if not members:
        raise SolutionError("a route needs at least one solution")
    marks = list(thresholds) if thresholds is not None else [None] * len(members)
    if len(marks) != len(members):
        raise SolutionError(f"{len(members)} solutions need {len(members)} thresholds, not {len(marks)}")
    legs = [Leg(from_function(m), t) for m, t in zip(members, marks, strict=True)]
    return route_of(legs, name)


def route_of(legs: Sequence[Leg], name: str | None = None) -> Solution:
    """The route over `legs` as one solution; a single leg without a threshold is that solution itself."""
    if len(legs) == 1 and legs[0].threshold is None:
        return legs[0].solution if name is None else replace(legs[0].solution, name=name)
    solutions = [leg.solution for leg in legs]
    forms = [s.form for s in solutions]
    identity = content_hash(["route", *([leg.solution.identity, leg.threshold] for leg in legs)])
    batches = [s.batch for s in solutions]
    parameters = [s.parameters for s in solutions if s.parameters is not None]
    return Solution(
        name=name or " > ".join(s.name for s in solutions),
        ask=_ask(legs),
        identity=identity,
        free=all(s.free for s in solutions),
        confident=solutions[-1].confident,
        confidence_from=solutions[-1].confidence_from,
        batch=_batch(legs) if all(b is not None for b in batches) else None,
        form=None if None in forms else Form("route", {"thresholds": [leg.threshold for leg in legs]}),
        parameters=tuple(p for p in parameters[0] if all(p in other for other in parameters)) if parameters else None,
        required=tuple({p: None for s in solutions for p in s.required}),
        members=tuple(legs),
        learned=frozenset[str]().union(*(s.learned for s in solutions)),
    )


def keeps(leg: Leg, answer: Answer) -> bool:
    """Whether `leg` keeps `answer`. Raises TypeError where it has a threshold and the answer no confidence."""
    if answer.value is ABSTAIN:
        return False
    if leg.threshold is None:
        return True
    if answer.confidence is None:
        raise TypeError(f"{leg.solution.name} has a threshold but gave no confidence: return Answer(value, confidence)")
    return answer.confidence >= leg.threshold


def _ask(legs: Sequence[Leg]) -> Callable[[Json], Any]:
    async def ask(inputs: Json) -> Answer:
        for leg in legs:
            answer = await leg.solution.ask(inputs)
            if keeps(leg, answer):
                return answer if answer.by else replace(answer, by=leg.solution.name)
        return Answer(ABSTAIN)

    return ask


def _batch(legs: Sequence[Leg]) -> Callable[[Sequence[Json]], list[Answer]]:
    def batch(many: Sequence[Json]) -> list[Answer]:
        answers: list[Answer] = [Answer(ABSTAIN)] * len(many)
        waiting = list(range(len(many)))
        for leg in legs:
            assert leg.solution.batch is not None
            given = leg.solution.batch([many[i] for i in waiting])
            for i, answer in zip(waiting, given, strict=True):
                if keeps(leg, answer):
                    answers[i] = answer if answer.by else replace(answer, by=leg.solution.name)
            waiting = [i for i in waiting if answers[i].value is ABSTAIN]
        return answers

    return batch
