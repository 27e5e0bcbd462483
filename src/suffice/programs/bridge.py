"""`run`: the one bridge from plain code to async code.

One daemon thread keeps one event loop for the life of the process; `run` hands it the awaitable and waits. So it
works with and without a loop already running, from any number of threads, and connection pools (which belong to a
loop) outlive single calls. Context variables of the caller hold inside. Called on the bridge's own thread (plain code
inside a coroutine that `run` started), the awaitable gets a loop and a thread of its own, because waiting for a loop
on its own thread would never end; so does whatever is called from in there. A forked process starts its own bridge.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import os
import sys
import threading
from collections.abc import Awaitable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, Final, Generic, TypeVar, cast

from suffice.models.standing import standing
from suffice.programs.awaiting import awaitable_of
from suffice.spans import standing_in

T = TypeVar("T")

# Seconds between two looks for Ctrl-C: the system may hand the signal to any thread, and a wait without end on this
# one would not hear of it (on Windows never).
ALERT: Final = 0.2

# The bridge's thread waits for this context to end, so nothing in it may wait for the bridge.
_bridge_waits: ContextVar[bool] = ContextVar("suffice_bridge_waits", default=False)


def run(awaitable: Awaitable[T]) -> T:
    """Wait for `awaitable` from plain code and return its value; its exception is raised here.

    Ctrl-C cancels it, waits until it has cleaned up, and raises KeyboardInterrupt; a second one does not wait. Raises
    UsageError, with what to type, for what is no call or cannot be waited for here.
    """
    awaitable = awaitable_of(awaitable)
    loop, thread = _loop()
    if threading.current_thread() is thread or _bridge_waits.get():
        return _on_own_thread(awaitable)
    context, handled = _context(), sys.exception()
    result = _Result[T]()
    started: list[asyncio.Task[None]] = []

    def begin() -> None:
        task = loop.create_task(_into(result, awaitable, handled), context=context)
        started.append(task)
        task.add_done_callback(functools.partial(_end, result))

    loop.call_soon_threadsafe(begin)
    try:
        return result.waited()
    except KeyboardInterrupt:
        loop.call_soon_threadsafe(lambda: started and started[0].cancel())
        result.wait()
        raise


def _context() -> contextvars.Context:
    """The caller's, which says whether a loop on this thread stands still meanwhile."""
    context = contextvars.copy_context()
    with suppress(RuntimeError):  # there is none
        asyncio.get_running_loop()
        context.run(standing.set, True)
    return context


async def _into(result: _Result[T], awaitable: Awaitable[T], handled: BaseException | None) -> None:
    try:
        with standing_in(handled):
            value = await awaitable
    except BaseException as error:  # noqa: B036 - raised again in `run`; sys.exit must end the caller, not the loop
        result.end(None, error)
    else:
        result.end(value, None)


def _end(result: _Result[Any], task: asyncio.Task[None]) -> None:
    if not result.ended:  # cancelled before its first step
        result.end(None, asyncio.CancelledError())


class _Result(Generic[T]):
    """What a call ended in. Until then a bare lock is held, because Ctrl-C may come at any moment: inside the condition
    of a Future it ends in a RuntimeError, or leaves a lock that the loop waits for without end."""

    def __init__(self) -> None:
        self.ended = False
        self._value: T | None = None
        self._error: BaseException | None = None
        self._lock = threading.Lock()
        self._lock.acquire()

    def end(self, value: T | None, error: BaseException | None) -> None:
        """It ended, once."""
        self._value, self._error, self.ended = value, error, True
        self._lock.release()

    def wait(self) -> None:
        """Until it has ended."""
        while not self.ended:
            self._lock.acquire(timeout=ALERT)

    def waited(self) -> T:
        """Its value, once it has ended; its error is raised."""
        self.wait()
        if self._error is not None:
            raise self._error
        return cast("T", self._value)


def _on_own_thread(awaitable: Awaitable[T]) -> T:
    result = _Result[T]()
    context = _context()
    context.run(_bridge_waits.set, True)
    work = functools.partial(context.run, asyncio.run, _into(result, awaitable, sys.exception()))
    thread = threading.Thread(target=work, name="suffice-nested", daemon=True)
    thread.start()
    thread.join()
    return result.waited()


@functools.cache
def _loop() -> tuple[asyncio.AbstractEventLoop, threading.Thread]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=_serve, args=(loop,), name="suffice-loop", daemon=True)
    thread.start()
    return loop, thread


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    while True:
        try:
            loop.run_forever()
        except (SystemExit, KeyboardInterrupt):  # raised in a task beside: asyncio lets these two stop the loop
            continue


if hasattr(os, "register_at_fork"):  # threads do not live on in a forked process
    os.register_at_fork(after_in_child=_loop.cache_clear)
