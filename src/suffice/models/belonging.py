"""Where a model call belongs: the run that it is made in, if any, with its journal and its rules."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from suffice.models.concerns.budget import Budget
from suffice.store.calls import CallJournal
from suffice.values import NO_COST, Cost

if TYPE_CHECKING:
    from suffice.models.places.policy import Policy


@dataclass(frozen=True, slots=True)
class Meter:
    """What the model calls made for one case cost, whoever makes them: appending is safe in any thread."""

    costs: list[Cost] = field(default_factory=list[Cost])

    def add(self, cost: Cost) -> None:
        """Count one more call."""
        self.costs.append(cost)

    @property
    def total(self) -> Cost:
        """All calls so far together."""
        return sum(self.costs, NO_COST)


@dataclass(frozen=True, slots=True)
class Belonging:
    """What the calls of a run share. `cache`: look requests up and record their replies; never for sealed cases,
    whose texts are written nowhere. `fresh`: record, but do not look up. `meter` is that of the case in hand."""

    journal: CallJournal
    cache: bool = True
    fresh: bool = False
    sealed: bool = False
    budget: Budget | None = None
    policy: Policy | None = None
    meter: Meter | None = None


_current: ContextVar[Belonging | None] = ContextVar("suffice_belonging", default=None)


def current() -> Belonging | None:
    """The run that a call made here belongs to."""
    return _current.get()


def belong(to: Belonging) -> None:
    """Let every model call of this task, and of those started in it from now on, belong to a run."""
    _current.set(to)


@contextmanager
def belonging(to: Belonging) -> Generator[None]:
    """Let every model call made inside, and in the tasks and threads started inside, belong to a run."""
    token = _current.set(to)
    try:
        yield
    finally:
        _current.reset(token)
