"""The place in a user's own code where something happened: " (my.py:12 in triage)"."""

from __future__ import annotations

import functools
import inspect
import sysconfig
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

_OWN = str(Path(__file__).resolve().parent.parent)
_STDLIB = sysconfig.get_path("stdlib")
_NOWHERE = (_OWN, "<frozen", str(Path(_STDLIB, "importlib")))  # what stands between a call and the user's code
_INSTALLED = ("site-packages", "dist-packages")


def place_of_error(error: BaseException | None) -> str:
    """Where the error came out of the user's code; the last place outside of Suffice where it never was in it."""
    if error is None:
        return ""
    found = _last((frame.f_code, line) for frame, line in traceback.walk_tb(error.__traceback__))
    return found or place_of_error(error.__cause__)


def place_of_frame(frame: FrameType | None) -> str:
    """Where in the user's code a running frame is."""
    if frame is None:
        return ""
    return _last(reversed([(f.f_code, line) for f, line in traceback.walk_stack(frame)]))


def place_of_function(function: Callable[..., Any]) -> str:
    """Where a function, a partial or an object's `__call__` is written; empty for a builtin."""
    while isinstance(function, functools.partial):
        function = function.func
    inner: Any = inspect.unwrap(function)
    code = getattr(inner, "__code__", None) or getattr(type(inner).__call__, "__code__", None)
    return _written(code, code.co_firstlineno) if isinstance(code, CodeType) else ""


def _last(steps: Iterable[tuple[CodeType, int | None]]) -> str:
    """The last of the steps that is the user's, else the last that is not ours."""
    foreign = [s for s in steps if not s[0].co_filename.startswith(_NOWHERE)]
    users = [s for s in foreign if _is_users(s[0].co_filename)]
    found = users or foreign
    return _written(*found[-1]) if found else ""


def _is_users(file: str) -> bool:
    if any(name in Path(file).parts for name in _INSTALLED):
        return False
    return not file.startswith(_STDLIB)


def _written(code: CodeType, line: int | None) -> str:
    return f" ({Path(code.co_filename).name}:{line} in {code.co_name})"
