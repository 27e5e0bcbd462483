"""A dry run: a tool that changes something is not called, however deep inside another one the call stands."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any, cast

from suffice.errors import SolutionError
from suffice.held import held
from suffice.shown import shown

_dry: ContextVar[bool] = ContextVar("suffice_dry_run", default=False)


class LeftOut(SolutionError):
    """In a dry run a tool that changes something was to be called, and was not; the message has the call."""


def in_dry_run() -> bool:
    """Whether what changes something is left out here."""
    return _dry.get()


def running_dry() -> AbstractContextManager[bool]:
    """Let every tool that changes something be left out inside, in tasks started inside, and in plain functions that
    we call. A `threading.Thread` of a user's own has no context, and knows nothing of it."""
    return held(_dry, True)


def refuse_dry(name: str, arguments: Any) -> None:
    """Raise LeftOut in a dry run, in which the tool `name` would be called with `arguments`."""
    if in_dry_run():
        told = cast("Mapping[str, Any]", arguments if isinstance(arguments, Mapping) else {})
        call = f"{name}({', '.join(f'{own}={shown(value)}' for own, value in told.items())})"
        raise LeftOut(f"dry run: {call} was not called, because it changes something")


def left_out(error: BaseException | None) -> LeftOut | None:
    """The LeftOut that an error is, holds as a group does, or was raised from."""
    while error is not None:
        if isinstance(error, LeftOut):
            return error
        if isinstance(error, BaseExceptionGroup):
            group = cast("BaseExceptionGroup[BaseException]", error)
            return next(filter(None, map(left_out, group.exceptions)), None)
        error = error.__cause__
    return None
