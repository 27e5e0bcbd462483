"""How any function is called with a case's inputs: one value by its place, several by their names, async or plain."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from suffice.errors import SolutionError
from suffice.programs.threads import in_thread
from suffice.values import Json


def caller(function: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    """`await caller(f)(inputs)` calls f with a case's inputs, `(a, b)` with several values by their places.

    A plain `def` runs on a daemon thread, so that it may block. Raises SolutionError for what takes no inputs.
    """
    named, _ = parameters_of(function)
    on_loop = is_async(function)

    async def call(*given: Any) -> Any:
        made = _bound(function, given[0], named) if len(given) == 1 else functools.partial(function, *given)
        return await awaited(made, on_loop)

    return call


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling it only makes something to await: it, or the `__call__` of its class, is an `async def`."""
    return inspect.iscoroutinefunction(_unwrapped(function)) or inspect.iscoroutinefunction(type(function).__call__)


async def awaited(call: Callable[[], Any], on_loop: bool) -> Any:
    """What `call()` gives: called here where it is async (`on_loop`), else on a daemon thread."""
    value = await call() if on_loop else await in_thread(call)
    return await value if inspect.isawaitable(value) else value  # such as a lambda over an async function


def parameters_of(function: Callable[..., Any]) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """The names that it can bind (None: any) and those that it needs. Raises SolutionError where it takes no inputs."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some builtins have none
        return None, ()
    kinds = inspect.Parameter
    usual = [p for p in signature.parameters.values() if p.kind in (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY)]
    takes_any = any(p.kind is kinds.VAR_KEYWORD for p in signature.parameters.values())
    takes_one = any(p.kind in (kinds.VAR_POSITIONAL, kinds.POSITIONAL_ONLY) for p in signature.parameters.values())
    if not usual and not takes_any and not takes_one:
        raise SolutionError(f"{getattr(function, '__name__', function)} takes no inputs", hint="give it a parameter")
    required = tuple(p.name for p in usual if p.default is kinds.empty)
    return (None if takes_any else tuple(p.name for p in usual)), required


def _unwrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    while isinstance(function, functools.partial):
        function = function.func
    return function


def _bound(function: Callable[..., Any], inputs: Json, named: tuple[str, ...] | None) -> Callable[[], Any]:
    if not isinstance(inputs, dict):
        return functools.partial(function, inputs)
    if named is not None and len(named) < 2 and not (named and named[0] in inputs):
        return functools.partial(function, inputs)  # one parameter that wants the whole dict
    return functools.partial(function, **inputs)
