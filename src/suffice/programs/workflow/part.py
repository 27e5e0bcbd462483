"""A part of a workflow: a step, a solution, another workflow or a function, called alike and inside a span.

And a gate between two parts of a chain, which is none itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from suffice.errors import SolutionError, UsageError
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


@dataclass(frozen=True, slots=True)
class Gate:
    """A check between two stages, and what comes of a value that does not pass: a value, or who goes on with it."""

    check: Part
    otherwise: Any
    reroute: Part | None

    async def passes(self, value: Any) -> bool:
        """What the check says. Raises SolutionError where that is neither True nor False."""
        said = (await self.check(value)).value
        if not isinstance(said, bool):
            raise SolutionError(f"the gate {self.check.name} says True or False, not a {type(said).__name__}")
        return said

    def __call__(self, *given: Any, **named: Any) -> NoReturn:
        """A gate alone answers nothing. Raises UsageError with where it belongs."""
        raise self._alone()

    def as_solution(self, name: str | None = None) -> NoReturn:
        """As when it is called: a gate is no solution. Raises UsageError."""
        raise self._alone()

    def _alone(self) -> UsageError:
        name = self.check.name
        hint = f"chain(draft, gate({name}), send); alone, call {name} itself"
        return UsageError(f"gate({name}) stands between two stages of a chain, and is not called by itself", hint=hint)


def part(thing: Any) -> Part:
    """`thing` as a part. Raises SolutionError for what cannot be called with inputs, UsageError for a gate."""
    if isinstance(thing, Gate):
        thing.as_solution()
    if isinstance(thing, Solution):
        return Part(thing, thing.name, thing.ask, thing.parameters, thing.required)
    if not callable(thing):
        raise SolutionError(f"{thing!r:.60} cannot be called", hint="a part is a step, a function or a solution")
    name = getattr(thing, "name", None) or getattr(thing, "__name__", None) or type(thing).__name__
    ask = getattr(thing, "answer_of", None) or caller(thing)  # a workflow gives its value with its confidence
    return Part(thing, str(name), ask, *parameters_of(thing))


def part_called(thing: Any, role: str, *values: str) -> Part:
    """`thing` as a part that is called with these values by their places, in its `role` ("join").

    Raises UsageError with the signature where it does not take them, so that nobody learns it after paid calls.
    """
    made = part(thing)
    called = made.ask if isinstance(thing, Solution) else getattr(thing, "answer_of", thing)
    try:
        signature = inspect.signature(called)
    except (TypeError, ValueError):  # some builtins have none
        return made
    try:
        signature.bind(*values)
    except TypeError:
        wanted = f"({', '.join(values)})"
        takes = "one input" if called is not thing else _bare(signature)
        name = role if called is not thing or not made.name.isidentifier() else made.name
        message = f"{role} is called as {role}{wanted}, and {made.name} takes {takes}"
        raise UsageError(message, hint=f"def {name}{wanted}: …") from None
    return made


def _bare(signature: inspect.Signature) -> str:
    """The parameters without their types: "(results)"."""
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))
