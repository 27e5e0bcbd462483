"""Whether a program runs in a trial of a world, where nothing may be recorded to be looked up in the next one."""

from __future__ import annotations

from contextlib import AbstractContextManager
from contextvars import ContextVar

from suffice.held import held

_trial: ContextVar[bool] = ContextVar("suffice_trial", default=False)


def in_trial() -> bool:
    """Whether what is called here belongs to a trial of a world."""
    return _trial.get()


def on_trial() -> AbstractContextManager[bool]:
    """Let what is called inside, and in the tasks and threads started inside, belong to a trial of a world."""
    return held(_trial, True)
