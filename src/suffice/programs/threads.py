"""Plain functions called from async code: daemon threads, so that one that hangs cannot keep the process alive."""

from __future__ import annotations

import asyncio
import contextvars
import os
import queue
import sys
import threading
from collections.abc import Callable
from typing import Any

from suffice.programs.place import place_of_frame

Job = tuple[Callable[[], Any], asyncio.AbstractEventLoop, "asyncio.Future[Any]"]

# Idle workers wait here. A pool and no more: nothing is remembered between jobs. ThreadPoolExecutor cannot serve,
# because the interpreter joins its threads at exit, and a solution that hangs would hang the program.
_jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
_lock = threading.Lock()
_idle = 0


async def in_thread(call: Callable[[], Any]) -> Any:
    """`call()` on a daemon thread, with this context's variables. As wide as it is called: the caller bounds it.

    Cancelled, it lets the thread go on alone; the CancelledError has a note of where in the user's code that is.
    """
    global _idle
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()
    thread: list[int] = []

    def work() -> Any:
        thread.append(threading.get_ident())
        return context.run(call)

    with _lock:
        fresh = _idle == 0
        if not fresh:
            _idle -= 1
    _jobs.put((work, loop, done))
    if fresh:
        threading.Thread(target=_work, name="suffice-solution", daemon=True).start()
    try:
        return await done
    except asyncio.CancelledError as error:
        error.add_note(place_of_frame(sys._current_frames().get(thread[0]) if thread else None))  # pyright: ignore[reportPrivateUsage]
        raise


def _work() -> None:
    global _idle
    while True:
        call, loop, done = _jobs.get()
        value, error = None, None
        try:
            value = None if done.cancelled() else call()  # what was cut off before it began is not begun
        except BaseException as raised:  # noqa: B036 - handed to the awaiting coroutine, SystemExit included
            error = raised
        with _lock:
            _idle += 1
        try:
            loop.call_soon_threadsafe(_settle, done, value, error)
        except RuntimeError:  # the loop closed while a timed-out call went on: nobody waits any more
            pass
        del call, loop, done, value, error


def _settle(done: asyncio.Future[Any], value: Any, error: BaseException | None) -> None:
    if done.cancelled():
        return
    if error is None:
        done.set_result(value)
    elif isinstance(error, StopIteration | GeneratorExit):  # these mean something else to a loop
        told = RuntimeError(f"the function raised {type(error).__name__}")
        done.set_exception(told.with_traceback(error.__traceback__))
    else:
        done.set_exception(error)


def _forget() -> None:
    global _jobs, _lock, _idle
    _jobs, _lock, _idle = queue.SimpleQueue[Job](), threading.Lock(), 0


if hasattr(os, "register_at_fork"):  # threads do not live on in a forked process: none is idle there
    os.register_at_fork(after_in_child=_forget)
