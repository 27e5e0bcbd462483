"""A part of a workflow: a step, a solution, another workflow or a function, called alike and inside a span."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from suffice.errors import SolutionError
from suffice.programs.calling import caller, parameters_of
from suffice.programs.solution import Solution
from suffice.spans import Kind, span
from suffice.values import Answer


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """`await part(inputs)` is the Answer of `thing`; a bare value is one without a confidence.

    `parameters` are the names that it can bind (None: any), `required` those that it needs.
    """

    thing: Any
    name: str
    ask: Callable[..., Awaitable[Any]]
    parameters: tuple[str, ...] | None
    required: tuple[str, ...]

    async def __call__(self, *given: Any) -> Answer:
        """The answer to one input (a dict is bound by name where it fits), or to several by their places."""
        value = await self.ask(*given)
        return value if isinstance(value, Answer) else Answer(value)

    async def inside(self, kind: Kind, *given: Any) -> Answer:
        """The same in a span of its own, called as the part is."""
        with span(self.name, kind):
            return await self(*given)


def part(thing: Any) -> Part:
    """`thing` as a part. Raises SolutionError for what cannot be called with inputs."""
    if isinstance(thing, Solution):
        return Part(thing, thing.name, thing.ask, thing.parameters, thing.required)
    if not callable(thing):
        raise SolutionError(f"{thing!r:.60} cannot be called", hint="a part is a step, a function or a solution")
    name = getattr(thing, "name", None) or getattr(thing, "__name__", None) or type(thing).__name__
    ask = getattr(thing, "answer_of", None) or caller(thing)  # a workflow gives its value with its confidence
    return Part(thing, str(name), ask, *parameters_of(thing))
