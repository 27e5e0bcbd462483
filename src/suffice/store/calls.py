"""The journal of model calls: what a request was answered, and every attempt that was sent for it."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from dataclasses import dataclass
from typing import Any, Final

from suffice.store.database import Store, mapped
from suffice.store.desks import Desks
from suffice.store.runs import run_number
from suffice.values import Json

_encode: Final = json.JSONEncoder(separators=(",", ":")).encode
REPLY: Final = "INSERT OR REPLACE INTO reply (request, model, value, at, inputs) VALUES (?, ?, ?, ?, ?)"
BEGUN: Final = (
    "INSERT INTO attempt (id, run, request, model, endpoint, at, reserved_usd, reserved_tokens)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
DROPPED: Final = "DELETE FROM attempt WHERE id = ?"
ENDED: Final = (
    "UPDATE attempt SET outcome = ?, status = ?, seconds = ?, input_tokens = ?, output_tokens = ?, cost_usd = ?,"
    " request_id = ? WHERE id = ?"
)
SPENT: Final = (
    "SELECT count(*), sum(outcome IS NULL), sum(input_tokens), sum(output_tokens), sum(usd), sum(usd IS NULL),"
    " sum(coalesce(input_tokens + output_tokens, reserved_tokens)),"
    " sum(input_tokens + output_tokens IS NULL AND usd > 0),"
    " sum(CASE WHEN input_tokens + output_tokens IS NULL THEN usd END) FROM"
    " (SELECT *, coalesce(cost_usd, CASE WHEN outcome IS NULL THEN reserved_usd END) AS usd"
    " FROM attempt WHERE run = ? AND at >= ?)"
)

SENT_AGAIN: Final = (  # later than it had ended: the two of a hedge overlap
    "SELECT count(*) FROM attempt"
    " JOIN (SELECT request, max(at) AS again FROM attempt WHERE run = :run GROUP BY request) USING (request)"
    " WHERE run = :run AND at >= :since AND outcome = 'cancelled' AND again > at + seconds"
)


@dataclass(frozen=True, slots=True)
class Sent:
    """One attempt as it begins. `request` is 32 hex digits; reserved is the most that it may cost: US dollars (None
    where no price is known), and tokens, in and out (None where nobody says)."""

    request: str
    model: str
    endpoint: str
    reserved_usd: float | None
    reserved_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """How an attempt ended: "ok" or the kind of its error; seconds, tokens, US dollars, None where unknown."""

    outcome: str
    status: int | None
    seconds: float
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    request_id: str | None


class CallJournal:
    """Records the model calls of one run (None: of no run). Any event loop of the process may use it.

    Every loop gets a connection of its own. `begin` before an attempt returns once it is on disk; `end` after it goes
    there with the next commit.
    """

    def __init__(self, store: Store, run: str | None, desks: Desks | None = None) -> None:
        """`desks` are shared with who else writes for this run, so that what is written in one turn is one commit."""
        self._store, self._run = store, None if run is None else run_number(run)
        self._desks = desks or Desks(store)
        self._lock = threading.Lock()
        self._next = _first_number(store)

    def close(self) -> None:
        """Close the connections. Calls still under way can no longer be recorded."""
        self._desks.close()

    def lookup(self, request: str) -> Json | None:
        """What the request with this hash (32 hex digits) was answered, None where it never was. Raises StoreError."""
        held = self._store.memory.replies.get(request)
        if held is not None:
            return held
        sql = "SELECT value FROM reply WHERE request = ?"
        row = self._desks.here().first(sql, (bytes.fromhex(request),))
        try:
            return None if row is None else json.loads(row[0])
        except ValueError:  # a damaged reply is none, and is written anew
            return None

    async def keep(self, request: str, model: str, value: Json, inputs: str = "") -> None:
        """Record what a request was answered, in one commit with how its attempt ended; `inputs` is the hash of those
        of the case that it was made for. Raises StoreError."""
        if not self._store.texts:
            self._store.memory.reply(request, value)
            return
        row = (bytes.fromhex(request), model, _encode(value), time.time(), bytes.fromhex(inputs) or None)
        await self._desks.here().write([(REPLY, row)])

    async def begin(self, sent: Sent) -> int:
        """Note an attempt before it is sent; its number. Raises StoreError, also where an earlier note failed."""
        commits = self._desks.here()
        commits.check()
        with self._lock:
            number, self._next = self._next, self._next + 1
        if self._run is not None:
            row = (number, self._run, bytes.fromhex(sent.request), sent.model, sent.endpoint, time.time())
            try:
                await commits.write([(BEGUN, (*row, sent.reserved_usd, sent.reserved_tokens))])
            except asyncio.CancelledError:  # nothing was sent
                await commits.write([(DROPPED, (number,))])
                raise
        return number

    def end(self, number: int, settled: Settled) -> None:
        """Note how it ended: in one commit with its reply, where that is kept in the same turn of the loop."""
        if self._run is not None:
            s = settled
            named = s.request_id if self._store.texts else None  # a text of the server's
            row = (s.outcome, s.status, s.seconds, s.input_tokens, s.output_tokens, s.cost_usd, named)
            self._desks.here().hand_in([(ENDED, (*row, number))])


@dataclass(frozen=True, slots=True)
class Spent:
    """What the model calls of a run cost, in tokens and US dollars.

    `open` attempts were in flight when the run was cut off: they never settled (a kill), or were cancelled (Ctrl-C)
    and then sent again. `usd` and `tokens` are what a budget counts: an attempt whose tokens nobody counted has all
    that was reserved for it. So many of them are `uncounted`, and `uncounted_usd` is their part of `usd`: the most
    that they may have cost.
    """

    attempts: int
    open: int
    input_tokens: int
    output_tokens: int
    usd: float
    unpriced: int  # attempts whose cost nobody knows
    tokens: int = 0
    uncounted: int = 0
    uncounted_usd: float = 0.0


def spent(store: Store, run: str, since: float = 0.0) -> Spent:
    """The attempts of `run` since then (seconds since 1970); one that never settled counts with its whole reservation.

    Raises StoreError.
    """
    with mapped(store.path):
        row: tuple[Any, ...] = store.connection.execute(SPENT, (run_number(run), since)).fetchone()
        (cancelled,) = store.connection.execute(SENT_AGAIN, {"run": run_number(run), "since": since}).fetchone()
    n, unsettled, tokens_in, tokens_out, usd, unpriced, tokens, uncounted, bound = (value or 0 for value in row)
    return Spent(n, unsettled + cancelled, tokens_in, tokens_out, float(usd), unpriced, tokens, uncounted, float(bound))


def _first_number(store: Store) -> int:
    """Attempts are numbered here, not by the database, so that a begin and its end need no answer in between.

    Two processes on one store start far apart: the clock in microseconds, above whatever stands there.
    """
    with mapped(store.path):
        (last,) = store.connection.execute("SELECT coalesce(max(id), 0) FROM attempt").fetchone()
    return max(int(last) + 1, time.time_ns() // 1000)
