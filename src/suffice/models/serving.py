"""Which solution a model call is made for, where it is made by one that serves: for the telemetry."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

from suffice.held import held

solution_here: ContextVar[str | None] = ContextVar("suffice_serving", default=None)
"""The identity of the outermost solution that is being asked here, or the name of a step that is called by itself."""


@contextmanager
def serving(identity: str) -> Generator[None]:
    """Let model calls made inside be known as those of the solution with this identity, unless one stands around it.

    Of a step that a program calls it is the step's name.
    """
    if solution_here.get() is not None:
        yield
        return
    with held(solution_here, identity):
        yield
