"""The circuit breaker: an endpoint that fails and fails is left alone for a while, then tried with one call."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from suffice.errors import CallError, CallTimeout, ConnectionLost, ServerError
from suffice.exchange import Reply, Request
from suffice.models.flow import Call, Flow

FAILURES: Final = 20  # in a row that open it; a fault of one in two strikes 20 times in a row once in a million
REST: Final = 1.0  # seconds open the first time, doubled each time it fails again
LONGEST: Final = 30.0


class CircuitOpen(ServerError):
    """The endpoint failed so often in a row that nothing is sent to it for a while."""

    kind = "circuit open"
    nobody = False  # whether the latest failure was that no connection could be made

    @property
    def unreached(self) -> bool:
        """Whether it was left alone because nobody was there."""
        return self.nobody


class Breaker:
    """The state of one endpoint (Nygard, "Release It!", 2007): closed, open for a while, or half open for one call."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.failures, self.rest, self.until, self.probing = 0, REST, 0.0, False
        self.last, self.hint, self.nobody = "", "", False  # of the latest failure; whether nobody was there
        self.lock = threading.Lock()

    def enter(self, where: str) -> bool:
        """Whether this call is the one that tries. Raises CircuitOpen, with the seconds to wait, while it is open or
        another call is trying."""
        with self.lock:
            if self.failures < FAILURES:
                return False
            left = self.until - self.clock()
            if left > 0 or self.probing:
                raise self._open(where, max(left, REST / 10))
            self.probing = True
            return True

    def _open(self, where: str, wait: float) -> CircuitOpen:
        times = f"{self.failures} times in a row"
        said = f"{where} failed {times} and is left alone for a while, lastly: {self.last}"
        hint = "wait, or name a fallback model"
        if self.nobody:
            said, hint = f"{self.last}, {times}: it is left alone for a while", self.hint or hint
        made = CircuitOpen(said, retry_after=wait, sent=False, hint=hint)
        made.nobody = self.nobody
        return made

    def leave(self, error: BaseException | None, tries: bool) -> None:
        """Learn from how a call ended; `tries` is what `enter` said of it."""
        with self.lock:
            if tries:
                self.probing = False
            if isinstance(error, ServerError | ConnectionLost | CallTimeout):
                self.failures, self.last = self.failures + 1, error.message
                self.hint, self.nobody = error.hint or "", error.unreached
                # Who was under way when it opened, and fails too, says nothing new.
                if self.failures == FAILURES or tries:
                    self.until, self.rest = self.clock() + self.rest, min(2 * self.rest, LONGEST)
            elif error is None or isinstance(error, CallError):  # it answered, if only to refuse
                self.failures, self.rest = 0, REST


def broken(call: Call, breaker: Breaker, where: str) -> Call:
    """`call` behind `breaker`."""

    async def guarded(request: Request, flow: Flow) -> Reply[str]:
        tries = breaker.enter(where)
        ended: BaseException | None = None
        try:
            return await call(request, flow)
        except BaseException as error:
            ended = error
            raise
        finally:
            breaker.leave(ended, tries)

    return guarded


def breaker_of(name: str) -> Breaker:
    """The process's breaker of an endpoint, made when first asked for."""
    with _lock:
        return _made.setdefault(name, Breaker())


_made: dict[str, Breaker] = {}
_lock = threading.Lock()
