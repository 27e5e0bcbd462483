"""The place in a user's own code where something happened: " (my.py:12 in triage)"."""

from __future__ import annotations

import functools
import inspect
import sysconfig
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from suffice.errors import PLACE

_OWN = str(Path(__file__).resolve().parent.parent)
_STDLIB = sysconfig.get_path("stdlib")
_NOWHERE = (_OWN, "<frozen", str(Path(_STDLIB, "importlib")))  # what stands between a call and the user's code
_INSTALLED = ("site-packages", "dist-packages")


def place_of_error(error: BaseException | None, *, users: bool = False) -> str:
    """Where the error came out of the user's code; where it never was in it, the last place outside of Suffice, or
    none if only the `users` own are asked for."""
    if error is None:
        return ""
    kept: object = getattr(error, PLACE, None)
    if isinstance(kept, str) and not users:
        return kept
    found = _last(((frame.f_code, line) for frame, line in traceback.walk_tb(error.__traceback__)), users)
    return found or place_of_error(error.__cause__, users=users)


def keep_place(error: Exception) -> None:
    """Note on the error where it came from, so that it is told alike when it is raised again from a record."""
    with suppress(Exception):  # a class that takes no attributes
        if not hasattr(error, PLACE):
            setattr(error, PLACE, place_of_error(error))


def place_of_frame(frame: FrameType | None) -> str:
    """Where in the user's code a running frame is, none where it is in no code of theirs."""
    if frame is None:
        return ""
    return _last(reversed([(f.f_code, line) for f, line in traceback.walk_stack(frame)]), users=True)


def place_of_function(function: Callable[..., Any]) -> str:
    """Where a function, a partial or an object's `__call__` is written; empty for a builtin."""
    while isinstance(function, functools.partial):
        function = function.func
    inner: Any = inspect.unwrap(function)
    code = getattr(inner, "__code__", None) or getattr(type(inner).__call__, "__code__", None)
    return _written(code, code.co_firstlineno) if isinstance(code, CodeType) else ""


def _last(steps: Iterable[tuple[CodeType, int | None]], users: bool) -> str:
    """The last of the steps that is the user's, else (unless only `users` are asked for) the last that is not ours."""
    foreign = [s for s in steps if not s[0].co_filename.startswith(_NOWHERE)]
    theirs = [s for s in foreign if _is_users(s[0].co_filename)]
    found = theirs if users else theirs or foreign
    return _written(*found[-1]) if found else ""


def _is_users(file: str) -> bool:
    if any(name in Path(file).parts for name in _INSTALLED):
        return False
    return not file.startswith(_STDLIB)


def _written(code: CodeType, line: int | None) -> str:
    return f" ({Path(code.co_filename).name}:{line} in {code.co_name})"
