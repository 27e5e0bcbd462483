"""Searches: how a rung that finds its solution by asking on train may ask, and what it found."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from suffice.evals.cost import money
from suffice.evals.runner import Job, outcomes
from suffice.evals.task import Task
from suffice.models.concerns.budget import Amounts
from suffice.programs.solution import Solution
from suffice.shown import counted
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


@dataclass(frozen=True, slots=True)
class Takes:
    """What a search takes: at most so many `calls` on so many train `cases`; about so many tokens and US dollars (None:
    nobody knows the price), what a model reasons not counted."""

    calls: int
    cases: int
    input_tokens: int
    output_tokens: int
    usd: float | None

    def __str__(self) -> str:
        price = "an unknown price" if self.usd is None else money(self.usd)
        return (
            f"at most {self.calls:,} calls on {self.cases:,} train cases, about {self.input_tokens:,} tokens in and "
            f"{self.output_tokens:,} out ({price}, what a model reasons not counted)"
        )

    def beyond(self, left: Amounts) -> str | None:
        """Why what is left of a budget may not pay it, in a sentence; None where it does. What is recorded costs
        nothing, and is counted here all the same."""
        tokens, lacking = self.input_tokens + self.output_tokens, list[str]()
        lacking += [money(left.usd)] if left.usd is not None and left.usd < (self.usd or 0.0) else []
        lacking += [counted(left.calls, "call")] if left.calls is not None and left.calls < self.calls else []
        lacking += [counted(left.tokens, "token")] if left.tokens is not None and left.tokens < tokens else []
        if not lacking:
            return None
        said = " and ".join(lacking)
        return f"{said} are left of the budget, which may not pay all of that; where it stops, a larger one goes on"


async def found_alone(search: Search, task: Task) -> Solution:
    """What `search` finds outside of a climb. Where a run is around it, its model calls belong to that run."""

    async def put(solution: Solution, cases: Sequence[Case]) -> list[Outcome]:
        return [o async for o in outcomes(Job(solution, task.grader), cases)]

    return (await search(task, SearchRun(put))).solution


def instruction_of(solution: Solution) -> str:
    """The instruction of what was found, where it is a step; else ""."""
    data: Mapping[str, Any] = {} if solution.form is None else solution.form.data
    return str(data.get("instruction") or "")
