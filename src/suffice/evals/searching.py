"""Searches: how a rung that finds its solution by asking on train may ask, and what it found."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from suffice.evals.runner import Job, outcomes
from suffice.evals.task import Task
from suffice.programs.solution import Solution
from suffice.values import Case, Outcome

Put = Callable[[Solution, Sequence[Case]], Awaitable[list[Outcome]]]
"""Puts cases to a solution: their outcomes, in the order of the cases."""


@dataclass(frozen=True, slots=True)
class SearchRun:
    """The run around a search: `put` is its way to ask, `tell` hears of progress in lines."""

    put: Put
    tell: Callable[[str], None] = lambda line: None


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search found on train: the solution, the calls that it took (recorded ones, too), what to say of it."""

    solution: Solution
    calls: int
    note: str


Search = Callable[[Task, SearchRun], Awaitable[Searched]]


async def found_alone(search: Search, task: Task) -> Solution:
    """What `search` finds outside of a climb. Where a run is around it, its model calls belong to that run."""

    async def put(solution: Solution, cases: Sequence[Case]) -> list[Outcome]:
        return [o async for o in outcomes(Job(solution, task.grader), cases)]

    return (await search(task, SearchRun(put))).solution


def instruction_of(solution: Solution) -> str:
    """The instruction of what was found, where it is a step; else ""."""
    data: Mapping[str, Any] = {} if solution.form is None else solution.form.data
    return str(data.get("instruction") or "")
