"""Group commit: what is handed in during one turn of the event loop is one transaction, on disk before it counts."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import groupby
from operator import itemgetter
from typing import Any

from suffice.errors import StoreError
from suffice.store.database import Store, mapped, transaction

Statement = tuple[str, tuple[Any, ...]]


class Commits:
    """Writes one store from one event loop. `idle(sql, n)` hears how often a statement changed nothing.

    When a commit fails, every waiter gets the StoreError, and `check` raises it from then on.
    """

    def __init__(self, store: Store, idle: Callable[[str, int], None] = lambda sql, n: None) -> None:
        self._store, self._idle = store, idle
        self._queue: list[tuple[asyncio.Future[None] | None, Sequence[Statement]]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()  # a run may be closed on one thread while another one writes for it
        self._broken: StoreError | None = None

    def check(self) -> None:
        """Raise the StoreError of an earlier commit: no new call starts that could not be recorded."""
        if self._broken is not None:
            raise again(self._broken)

    async def write(self, statements: Sequence[Statement]) -> None:
        """Returns once `statements` are on disk. Raises StoreError."""
        done = asyncio.get_running_loop().create_future()
        self._add(done, statements)
        await done

    def hand_in(self, statements: Sequence[Statement]) -> None:
        """`statements` go to disk with whatever is written next in this turn. Where that fails, `check` says so."""
        self._add(None, statements)

    def _add(self, done: asyncio.Future[None] | None, statements: Sequence[Statement]) -> None:
        loop = asyncio.get_running_loop()
        if not self._queue or self._loop is not loop:  # an earlier loop may have closed with its turn unfinished
            self._loop = loop
            loop.call_soon(self.flush)
        self._queue.append((done, statements))

    def flush(self) -> None:
        """Write what was handed in, now. Any thread may say so; those who wait are told on their own loop."""
        with self._lock:
            queue, self._queue = self._queue, []
            if not queue:
                return
            # An intent whose call was cancelled meanwhile is written all the same: it may only be reported too often.
            fault: Exception | None = None
            try:
                execute(self._store, [s for _, statements in queue for s in statements], self._idle)
            except Exception as error:
                fault = error
                if isinstance(error, StoreError):
                    self._broken = error
        for done, _ in queue:
            if done is not None:
                _told(done, fault)

    def first(self, sql: str, values: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """The first row that a query gives, of what is on disk. Raises StoreError."""
        with self._lock, mapped(self._store.path):
            return self._store.connection.execute(sql, values).fetchone()

    def close(self) -> None:
        """Write what was handed in, and close the store."""
        self.flush()
        with self._lock:
            self._store.close()


def _told(done: asyncio.Future[None], fault: Exception | None) -> None:
    loop = done.get_loop()
    if loop is running_loop():
        _settle(done, fault)
        return
    with suppress(RuntimeError):  # its loop has closed, and with it whoever waited
        loop.call_soon_threadsafe(_settle, done, fault)


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop that runs in this thread, None where none does."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _settle(done: asyncio.Future[None], fault: Exception | None) -> None:
    if done.done():
        return
    if fault is None:
        done.set_result(None)
    else:
        done.set_exception(again(fault))


def execute(
    store: Store, statements: Sequence[Statement], idle: Callable[[str, int], None] = lambda sql, n: None
) -> None:
    """Execute them in their order, in one transaction. Raises StoreError."""
    with transaction(store) as db:
        for sql, same in groupby(statements, key=itemgetter(0)):
            rows = [row for _, row in same]
            idle(sql, len(rows) - db.executemany(sql, rows).rowcount)


def again(error: Exception) -> Exception:
    """A fresh copy of a StoreError for each waiter: one object raised in many tasks would pile up tracebacks."""
    if not isinstance(error, StoreError):
        return error
    copy = type(error)(error.message, hint=error.hint, where=error.where)
    copy.__cause__ = error
    return copy
