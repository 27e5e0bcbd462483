"""Where a model call belongs: the run that it is made in, if any, with its journal and its rules."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from suffice.held import held
from suffice.models.concerns.budget import Budget
from suffice.spans import task_here
from suffice.store.calls import CallJournal
from suffice.values import NO_COST, Cost

if TYPE_CHECKING:
    from suffice.models.places.policy import Policy


class _Metered(NamedTuple):
    """One call of a case, and the task that made it."""

    cost: Cost
    beyond: float
    looked_up: bool
    task: asyncio.Task[Any] | None


@dataclass(frozen=True, slots=True)
class Meter:
    """What the model calls made for one case take, whoever makes them: appending is safe in any thread."""

    calls: list[_Metered] = field(default_factory=list[_Metered])

    def add(self, cost: Cost, beyond: float = 0.0, *, looked_up: bool = False) -> None:
        """Count one more call, which took so many seconds here beyond what the endpoint takes for it: it waited, say
        for a budget. Of a reply that was looked up they are less than nothing."""
        self.calls.append(_Metered(cost, beyond, looked_up, task_here()))

    @property
    def total(self) -> Cost:
        """All calls so far together."""
        return sum((call.cost for call in self.calls), NO_COST)

    def seconds(self, here: float) -> float | None:
        """What the case takes where nothing is looked up and nothing waits, if it took `here` seconds here.

        Exact for calls one after another, as those of one task are. Of calls side by side only what all of them waited
        is taken off, and None is given where a part of them was looked up: nobody knows what they would have taken.
        """
        beyond = dict[asyncio.Task[Any] | None, float]()
        for call in self.calls:
            beyond[call.task] = beyond.get(call.task, 0.0) + call.beyond
        if len(beyond) > 1 and any(call.looked_up for call in self.calls):
            return None
        return max(0.0, here - min(beyond.values(), default=0.0))


@dataclass(frozen=True, slots=True)
class Belonging:
    """What the calls of a run share. `cache`: look requests up and record their replies; never for sealed cases,
    whose texts are written nowhere. `fresh`: record, but do not look up. `meter` is that of the case in hand.
    `sample` above 0 says that the case is asked once more, so that an equal request is another call. `case` is the
    hash of the inputs of the case in hand."""

    journal: CallJournal
    cache: bool = True
    fresh: bool = False
    sealed: bool = False
    budget: Budget | None = None
    policy: Policy | None = None
    meter: Meter | None = None
    sample: int = 0
    case: str = ""


_current: ContextVar[Belonging | None] = ContextVar("suffice_belonging", default=None)
_bounds: ContextVar[tuple[Budget, ...]] = ContextVar("suffice_bounds", default=())


def current() -> Belonging | None:
    """The run that a call made here belongs to."""
    return _current.get()


def belong(to: Belonging) -> None:
    """Let every model call of this task, and of those started in it from now on, belong to a run."""
    _current.set(to)


def belonging(to: Belonging) -> AbstractContextManager[Belonging | None]:
    """Let every model call made inside, and in the tasks and threads started inside, belong to a run."""
    return held(_current, to)


def bounds() -> tuple[Budget, ...]:
    """The budgets that hold for every call made here, besides those of its model, its run and its own."""
    return _bounds.get()


def bounded(by: Budget) -> AbstractContextManager[tuple[Budget, ...]]:
    """Let every model call made inside, and in the tasks and threads started inside, count against `by`, too."""
    return held(_bounds, (*_bounds.get(), by))


def unbounded() -> AbstractContextManager[tuple[Budget, ...]]:
    """Let what is called inside count against none of them: a person whose part a model plays, say."""
    return held(_bounds, ())
