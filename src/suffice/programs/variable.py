"""The variable that holds a program which is no `def` (a workflow, an agent): by its name it is saved and loaded."""

from __future__ import annotations

import inspect
import sys


def module_outside(*own: str) -> str:
    """The module that calls from outside of the packages `own`: where something of theirs is written down."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith((*own, __name__)):
        frame = frame.f_back
    return "__main__" if frame is None else frame.f_globals.get("__name__", "__main__")


def variable_of(thing: object, module: str) -> str | None:
    """The name of `thing` at the top level of a module; None where it has none there."""
    there = vars(sys.modules.get(module, sys))
    return next((name for name, held in list(there.items()) if held is thing), None)
