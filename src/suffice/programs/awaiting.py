"""What `run` is given, as something that any event loop can wait for; what is no call is refused with what to type."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any, Final, TypeVar

from suffice.errors import UsageError

T = TypeVar("T")

TOGETHER: Final = "async def main(): return await asyncio.gather(…), and sf.run(main())"
OPENED: Final = "async def main(): …, and sf.run(main())"


def awaitable_of(given: object) -> Awaitable[Any]:
    """`given` as something to wait for. Raises UsageError for what is no call, or can never end here."""
    if asyncio.isfuture(given):
        return _of_its_loop(given)
    if inspect.iscoroutine(given) and inspect.getcoroutinestate(given) != inspect.CORO_CREATED:
        name = given.__name__
        raise UsageError(f"this call of {name} was begun already, and a call runs once", hint=f"sf.run({name}(…))")
    if inspect.isawaitable(given):
        return given
    raise _no_call(given)


def _of_its_loop(future: asyncio.Future[Any]) -> Awaitable[Any]:
    """A future that only its own loop can finish."""
    home = future.get_loop()
    if future.done():
        return future
    if not home.is_running():
        raise UsageError("it belongs to an event loop that does not run, so it would never end", hint=TOGETHER)
    with suppress(RuntimeError):  # no loop runs on this thread
        if asyncio.get_running_loop() is home:
            raise UsageError("it belongs to this thread's event loop, which stands still in sf.run", hint="await it")
    return _elsewhere(future, home)


async def _elsewhere(future: asyncio.Future[T], home: asyncio.AbstractEventLoop) -> T:
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_awaited(future), home))


async def _awaited(future: asyncio.Future[T]) -> T:
    return await future


def _no_call(given: object) -> UsageError:
    kind = type(given).__name__
    what = f"{'an' if kind[0] in 'aeiouAEIOU' else 'a'} {kind}"
    if inspect.isasyncgen(given):
        return UsageError(f"{what} is looped over in a coroutine, not waited for", hint=OPENED)
    if hasattr(given, "__aenter__"):
        return UsageError(f"{what} is opened with `async with` in a coroutine, not waited for", hint=OPENED)
    if callable(given):
        name = getattr(given, "__name__", kind.lower())
        return UsageError(f"{name} was not called", hint=f"sf.run({name}(…))")
    if isinstance(given, list | tuple | set):
        return UsageError(f"sf.run waits for one call, not for {what}", hint=TOGETHER)
    return UsageError(f"sf.run waits for a call, not for {what}", hint='sf.run(model("Say yes."))')
