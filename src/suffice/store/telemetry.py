"""Telemetry: a row for each served call, handed in within a microsecond and written together by a thread of its own.

It may lose rows, never a call: where the queue is full or the disk takes nothing, rows are counted as lost, and the
count is written with the next ones that can be. What belongs to a run is not here but in the journal.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, NamedTuple

from suffice.errors import StoreError
from suffice.store.database import Store, transaction

MOST: Final = 10_000  # rows that wait to be written; more are lost
GATHER: Final = 0.2  # seconds that a batch gathers
SERVED: Final = (
    "INSERT INTO served (at, operation, model, answered_by, solution, outcome, attempts, seconds, ttft,"
    " input_tokens, output_tokens, cost_usd, cost_usd_at_most, request_id, request, reply)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
LOST: Final = "INSERT INTO served_lost (at, calls) VALUES (?, ?)"

log = logging.getLogger("suffice.telemetry")


class Served(NamedTuple):
    """One served call; a tuple, because thousands are made in a second.

    Times are seconds (`at` since 1970; `seconds` and `ttft` as the caller waited), cost US dollars; None is unknown.
    `cost_usd` is what was counted, `cost_usd_at_most` with what attempts without a count may have cost besides.

    `model` is the address that was asked, `answered_by` the model's own name as the endpoint gave it. `solution` is the
    identity of the solution that called, or the name of a step that was called by itself. `outcome` is "ok", or the
    kind of the error: a reply that was cut off is "truncated". `request` and `reply` are texts where the user keeps
    them.
    """

    at: float
    operation: str
    model: str
    answered_by: str | None
    solution: str | None
    outcome: str
    attempts: int
    seconds: float
    ttft: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    cost_usd_at_most: float | None = None
    request_id: str | None = None
    request: str | None = None
    reply: str | None = None


class Desk:
    """Takes what is to become rows from any thread, and never waits, raises or blocks.

    `opened()` is asked once, in the desk's own thread, for the store to write to; None turns it off. `row(item)` makes
    the row, in that thread, too. `lost` counts what could not be written.
    """

    def __init__(self, opened: Callable[[], Store | None], row: Callable[[Any], Served]) -> None:
        self._opened, self._row = opened, row
        self._queue: deque[Any] = deque()
        self._awake, self.off = False, False
        self._bell, self._ending = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._store: Store | None = None
        self._shut = 0
        self.lost = self._told = 0

    def put(self, item: Any) -> None:
        """Hand something in; lost where too much waits already."""
        if self.off or self._shut:
            return
        if len(self._queue) >= MOST:
            self._lose(1)
            return
        self._queue.append(item)
        if not self._awake:
            self._wake()

    @contextmanager
    def shut(self) -> Generator[None]:
        """Take nothing in while inside, and count nothing as lost."""
        with self._lock:
            self._shut += 1
        try:
            yield
        finally:
            with self._lock:
                self._shut -= 1

    def close(self, seconds: float = 2.0) -> None:
        """Write what waits, for at most so many seconds, and end."""
        self._ending.set()
        self._bell.set()
        if self._thread is not None:
            self._thread.join(seconds)
        self.off = True

    def _wake(self) -> None:
        with self._lock:
            self._awake = True
            self._bell.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="suffice-telemetry", daemon=True)
                self._thread.start()

    def _serve(self) -> None:
        while not self.off:
            self._bell.wait()
            self._bell.clear()
            self._ending.wait(GATHER)
            self._awake = False  # before the queue is emptied: whoever comes later rings again
            waiting = [self._queue.popleft() for _ in range(len(self._queue))]
            if waiting:
                self._write(waiting)
            if self._ending.is_set() and not self._queue:
                break
        self._queue.clear()
        if self._store is not None:
            with suppress(Exception):
                self._store.close()

    def _write(self, items: Sequence[Any]) -> None:
        try:
            self._store = self._store or self._opened()
            if self._store is None:
                self.off = True
                return
            rows = [row for row in map(self._made, items) if row is not None]
            with transaction(self._store) as db:
                db.executemany(SERVED, rows)
                lost = self.lost
                if lost > self._told:
                    db.execute(LOST, (time.time(), lost - self._told))
            self._told = lost
        except Exception as error:  # whatever it is, it must not reach the calls
            self._failed(error, len(items))

    def _made(self, item: Any) -> Served | None:
        try:
            return self._row(item)
        except Exception:
            self._lose(1)
            return None

    def _failed(self, error: Exception, rows: int) -> None:
        """Said once. A store that could not even be opened is not tried again, unless that may pass."""
        if not self.lost:
            log.warning("telemetry of model calls cannot be written, the calls go on: %s", error)
        self._lose(rows)
        if self._store is None:
            self.off = not (isinstance(error, StoreError) and error.retryable)
            return
        with suppress(Exception):
            self._store.close()
        self._store = None

    def _lose(self, rows: int) -> None:
        with self._lock:
            self.lost += rows


def whole(text: str | None) -> str | None:
    """`text` with half surrogate pairs escaped: SQLite's UTF-8 cannot hold them."""
    if text is None or text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode()
