"""Somebody else's code may not end the program that it is a guest in: what would becomes its own failure."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NoReturn, TypeVar

from suffice.errors import Stopped

R = TypeVar("R")

_guest_in: ContextVar[int] = ContextVar("suffice_guest_in", default=0)  # a process, where this context is a guest's


class HardExit(SystemExit):
    """What `os._exit` raises inside `staying()`."""


@contextmanager
def staying() -> Generator[None]:
    """Let `os._exit` raise HardExit in this process meanwhile; forked children still end as they want.

    A hard exit with code 0 in the middle of a gate would read as a PASS. What is not covered: code below Python
    (a signal, C's `_exit`), which ends the process with a code of its own.
    """
    leave, here = os._exit, os.getpid()

    def stay(status: int) -> NoReturn:
        if os.getpid() != here:
            leave(status)
        raise HardExit(status)

    os._exit = stay
    try:
        yield
    finally:
        os._exit = leave


async def as_guest(call: Callable[[], Awaitable[R]]) -> R:
    """The result of `call`, which may fail in its own ways, and cannot end who awaits it.

    Raises RuntimeError where it would exit, hard or not, was cancelled by nobody (it awaited something that was), or
    raised what is no Exception. Cancelling this task, Ctrl-C, and a run that waits for a person pass as they are.
    """
    _hold_exit()
    token = _guest_in.set(os.getpid())
    try:
        return await call()
    except (Exception, KeyboardInterrupt, GeneratorExit, BaseExceptionGroup, Stopped):
        raise
    except BaseException as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and (task is None or task.cancelling()):
            raise
        raise RuntimeError(_tried(error)) from error
    finally:
        _guest_in.reset(token)


def _tried(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        how = "os._exit" if isinstance(error, HardExit) else "sys.exit"
        return f"called {how}({error.code!r})"
    return f"{type(error).__name__}: {error}".rstrip(": ")


class _Exit:
    """`os._exit` that raises HardExit for a guest of this process."""

    def __init__(self, leave: Callable[[int], NoReturn]) -> None:
        self.leave = leave

    def __call__(self, status: int) -> NoReturn:
        if _guest_in.get() == os.getpid():
            raise HardExit(status)
        self.leave(status)


def _hold_exit() -> None:
    """It stays so: a guest's thread may go on when its call has ended."""
    if not isinstance(os._exit, _Exit):
        os._exit = _Exit(os._exit)
