"""Silence while sealed cases run: what a solution prints, logs or starts is not heard, even what it says too late."""

from __future__ import annotations

import asyncio
import atexit
import gc
import logging
import os
import sys
import threading
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from typing import Any, Final, TextIO, cast

OWN: Final = "suffice-"  # threads of Suffice itself, which serve others later, and raise nothing
HOOKS: Final = ((warnings, "_showwarnmsg"), (threading, "excepthook"), (sys, "unraisablehook"))
"""Who is told of a warning, and of what nobody catches. (`showwarning` is anyone's: `catch_warnings` puts it back.)"""
KEPT: Final = 64  # covers that live on, one for each stream; a process has two, a test runner a few more


class _Mark:
    """In the context of every call made inside one `hushed()`: it lives until the last of these calls has ended."""


_sealed: ContextVar[_Mark | None] = ContextVar("suffice_sealed", default=None)
_left: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
"""Threads that began inside, and went on."""


@contextmanager
def hushed() -> Generator[None]:
    """Hold back what a solution prints or logs while sealed cases run: Python's streams and the process's own.

    Everything that this process, its threads and its children write to stdout and stderr meanwhile is dropped, and
    nothing is logged; a caller who has something to say keeps a duplicate of the descriptor. A call that outlives its
    time-out, and the end of this block, goes on in its thread: then what it prints, warns or logs is still dropped,
    while everyone else is heard again. (Not so what its own threads print by then, or its writes to a descriptor.)
    Nor is it told what a task, a thread or an object raised that a solution left behind: Python's hooks may keep it for
    a summary, as pytest's do.
    """
    mark = _Mark()
    weakref.finalize(mark, _process.forget).atexit = False
    before = set(threading.enumerate())
    _process.enter()
    token = _sealed.set(mark)
    try:
        with _tasks_left_alone():
            yield
    finally:
        gc.collect(1)  # objects that raise when they die do so here
        for thread in set(threading.enumerate()) - before:
            if not thread.name.startswith(OWN):
                _left.add(thread)
        _sealed.reset(token)
        _process.leave()
        del mark


def ever_hushed() -> bool:
    """Whether sealed cases have run in this process."""
    return _process.ever


@contextmanager
def _tasks_left_alone() -> Generator[None]:
    """asyncio logs, when it drops a task, the exception that nobody asked for: here somebody does."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        yield
        return
    before: Any = loop.get_task_factory()

    def factory(loop: asyncio.AbstractEventLoop, coro: Any, **more: Any) -> Any:
        task: Any = asyncio.Task(coro, loop=loop, **more) if before is None else before(loop, coro, **more)
        if _sealed.get() is not None:
            task.add_done_callback(_asked)
        return task

    loop.set_task_factory(factory)
    try:
        yield
    finally:
        if loop.get_task_factory() is factory:
            loop.set_task_factory(before)


def _asked(done: asyncio.Future[Any]) -> None:
    if not done.cancelled():
        done.exception()


class _Discreet:
    """A stream in front of another, deaf to everyone inside `hushed()` and for ever to the calls made there."""

    def __init__(self, behind: TextIO, nowhere: TextIO) -> None:
        self._behind, self._nowhere = behind, nowhere

    def covers(self, stream: TextIO) -> bool:
        """Whether it stands in front of `stream`."""
        return self._behind is stream

    def __getattr__(self, name: str) -> Any:
        deaf = _process.inside or _sealed.get() is not None
        return getattr(self._nowhere if deaf else self._behind, name)


class _Muted:
    """A maker of log records in front of another: no handler takes those of calls on sealed cases."""

    def __init__(self, plain: Callable[..., logging.LogRecord]) -> None:
        self.plain = plain

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        made = self.plain(*args, **kwargs)
        if _sealed.get() is not None:
            made.levelno = -1  # below the level of every handler
        return made


class _Untold:
    """One of HOOKS in front of another: it tells nothing of sealed cases. It stays there, for threads that go on."""

    def __init__(self, plain: Callable[[Any], None]) -> None:
        self.plain = plain

    def __call__(self, told: Any) -> None:
        left = getattr(told, "thread", None) in _left
        if not (left or _process.inside or _sealed.get() is not None):
            self.plain(told)


class _Process:
    """What there is one of in a process, however many hush it at once: two streams, two descriptors, the logging."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.ever = False
        self.inside = 0  # blocks that are being run: streams and descriptors are shut
        self.marks = 0  # blocks of which a call may still speak: streams are covered
        self.shut, self.covered = ExitStack(), ExitStack()
        # `print` holds no reference to the stream that it writes to (gh-130163): one that is put away under its hands
        # must live on, or the process dies of it.
        self.fronts: deque[_Discreet] = deque(maxlen=KEPT)
        self.nowhere: TextIO | None = None  # open to the end, because some thread may be writing to it

    def enter(self) -> None:
        with self.lock:
            self.ever = True
            self.marks, self.inside = self.marks + 1, self.inside + 1
            self._cover()
            if self.inside == 1:
                self._shut()

    def leave(self) -> None:
        with self.lock:
            self.inside -= 1
            if not self.inside:
                self.shut.close()

    def forget(self) -> None:
        with self.lock:
            self.marks -= 1
            if not self.marks:
                self.covered.close()

    def _cover(self) -> None:
        for name in ("stdout", "stderr"):
            behind: TextIO | None = getattr(sys, name)
            if behind is not None and not isinstance(behind, _Discreet):
                front = self._front(behind)
                setattr(sys, name, front)
                self.covered.callback(_put_back, name, front, behind)
        plain = logging.getLogRecordFactory()
        if not isinstance(plain, _Muted):
            muted = _Muted(plain)
            logging.setLogRecordFactory(muted)
            self.covered.callback(_unmute, muted)
        for module, name in HOOKS:
            hook = getattr(module, name)
            if not isinstance(hook, _Untold):
                setattr(module, name, _Untold(hook))

    def _front(self, behind: TextIO) -> TextIO:
        """The cover of a stream, always the same one."""
        for front in self.fronts:
            if front.covers(behind):
                return cast(TextIO, front)
        self.fronts.append(_Discreet(behind, self._nowhere()))
        return cast(TextIO, self.fronts[-1])

    def _nowhere(self) -> TextIO:
        if self.nowhere is None:
            self.nowhere = open(os.devnull, "w", encoding="utf-8")
            atexit.register(self.nowhere.close)
        return self.nowhere

    def _shut(self) -> None:
        _flush()
        with open(os.devnull, "wb") as nowhere:
            for number in (1, 2):
                with suppress(OSError):  # a process without that stream
                    kept = os.dup(number)
                    os.dup2(nowhere.fileno(), number)
                    self.shut.callback(_restore, kept, number)
        self.shut.callback(_flush)  # first of all, so that what somebody's buffer holds goes nowhere, too
        self.shut.callback(logging.disable, logging.root.manager.disable)
        logging.disable(sys.maxsize)


def _put_back(name: str, front: TextIO, behind: TextIO) -> None:
    if getattr(sys, name) is front:  # and not somebody's own by now
        setattr(sys, name, behind)


def _unmute(muted: _Muted) -> None:
    if logging.getLogRecordFactory() is muted:
        logging.setLogRecordFactory(muted.plain)


def _flush() -> None:
    for stream in {sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__}:
        behind: Any = getattr(stream, "_behind", stream)
        with suppress(OSError, ValueError, AttributeError):
            behind.flush()


def _restore(kept: int, number: int) -> None:
    os.dup2(kept, number)
    os.close(kept)


_process = _Process()
