"""A user's Python function as a grader: how it is called, what its identity is, and loading it from a task folder."""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast, get_type_hints

from suffice.errors import SolutionError, UsageError
from suffice.evals.read import inside
from suffice.evals.split import SealedCase
from suffice.shown import listed, shown
from suffice.values import Case, Score

_NAMES: dict[str, Callable[[Any, Case], Any]] = {
    "output": lambda output, case: output,
    "case": lambda output, case: case,
    "expected": lambda output, case: case.expected,
    "inputs": lambda output, case: case.inputs,
}


def call_function(fn: Callable[..., Any], name: str) -> Callable[[Any, Case], Score]:
    """`fn` as (output, case) -> Score. Raises UsageError where it is async or takes something else."""
    if inspect.iscoroutinefunction(fn):
        raise UsageError(f"the grader {name} is async", hint="a grader is a plain def; await nothing in it")
    by_name = _by_name(fn, name)

    def run(output: Any, case: Case) -> Score:
        fault = ""
        made: Any = None
        try:
            if by_name is None:
                made = fn(output, case)
            else:
                made = fn(**{parameter: _NAMES[parameter](output, case) for parameter in by_name})
        except KeyboardInterrupt:
            raise KeyboardInterrupt from None  # without its text
        except asyncio.CancelledError:
            raise
        except BaseException as e:  # noqa: B036 - a user's code may raise anything
            # Only the type for a sealed case: the words of an exception may quote the case.
            fault = type(e).__name__ if isinstance(case, SealedCase) else f"{type(e).__name__}: {shown(str(e), 200)}"
        if fault:  # raised out here so that the error carries no context with the case in it
            raise SolutionError(f"the grader {name} raised {fault} on case {case.id}", where=case.source)
        return _scored(made, name, case)

    return run


def load_function(spec: str, folder: Path, *, trust: bool) -> Callable[..., Any]:
    """The function that "grade.py:score" names in a task folder.

    Raises UsageError without `trust`, DataError where the file is outside of the folder, SolutionError where it
    cannot be loaded.
    """
    file, _, called = spec.rpartition(":")
    if not file or not called.isidentifier():
        raise UsageError(f"a grader in Python is named file:function, not {shown(spec)}", hint='"grade.py:score"')
    path = inside(folder, file)
    if not trust:
        raise UsageError(
            f"this task asks to run Python code: the function {called} of {folder / file}",
            hint="read that file, then add --trust (trust=True)",
        )
    fault = ""
    module: Any = None
    try:
        made = importlib.util.spec_from_file_location(path.stem, path)
        if made is None or made.loader is None:
            raise ImportError("it is not a Python file")
        module = importlib.util.module_from_spec(made)
        made.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as e:  # noqa: B036 - a user's code may raise anything
        fault = f"{type(e).__name__}: {shown(str(e), 200)}"
    if fault:
        raise SolutionError(f"the grader file cannot be loaded: {fault}", where=str(path))
    fn = getattr(module, called, None)
    if not callable(fn):
        has = [n for n, _ in inspect.getmembers(cast(object, module), inspect.isfunction)]
        raise SolutionError(f"has no function {called}; it has {listed(has) or 'none'}", where=str(path))
    return fn


def says_bool(fn: Callable[..., Any]) -> bool:
    """Whether its annotation says that it returns a bool."""
    try:
        hints = get_type_hints(fn if inspect.isroutine(fn) else fn.__call__)
    except (NameError, TypeError, AttributeError):  # an annotation that only a type checker can read
        return False
    return hints.get("return") is bool


def _by_name(fn: Callable[..., Any], name: str) -> tuple[str, ...] | None:
    """The parameters to pass by name, None for (output, case) by position."""
    try:
        parameters = inspect.signature(fn).parameters
    except (TypeError, ValueError):  # a built-in without a signature
        return None
    if parameters and all(
        p in _NAMES and v.kind in (v.POSITIONAL_OR_KEYWORD, v.KEYWORD_ONLY) for p, v in parameters.items()
    ):
        return tuple(parameters)
    needed = [
        p
        for p, v in parameters.items()
        if v.default is v.empty and v.kind in (v.POSITIONAL_ONLY, v.POSITIONAL_OR_KEYWORD)
    ]
    room = any(v.kind is v.VAR_POSITIONAL for v in parameters.values())
    keyword = any(v.kind is v.KEYWORD_ONLY and v.default is v.empty for v in parameters.values())
    if keyword or len(needed) > 2 or (len(parameters) < 2 and not room):
        raise UsageError(
            f"the grader {name} cannot be called with (output, case); it takes ({', '.join(parameters)})",
            hint="def score(output, case), or any of output, case, expected, inputs by name",
        )
    return None


def _scored(made: Any, name: str, case: Case) -> Score:
    item = getattr(made, "item", None)
    value: Any = item() if callable(item) and getattr(made, "ndim", None) == 0 else made  # a numpy scalar
    if isinstance(value, Score):
        return value
    if isinstance(value, bool | int | float) and 0 <= value <= 1:
        return Score(
            float(value), f"{name} says {'right' if value == 1 else 'wrong' if value == 0 else f'{value:.3g}'}"
        )
    if inspect.iscoroutine(value):
        cast(Any, value).close()
    what = f"{value!r}" if isinstance(value, int | float) else f"a {type(value).__name__}"
    raise SolutionError(
        f"the grader {name} returned {what} on case {case.id}; it must return a bool, a number in [0, 1] or a Score",
        where=case.source,
    )
