"""The limit: as many calls at once as an endpoint really takes, found out on the way, shared by the process."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from suffice.errors import CallError, RateLimited, UsageError
from suffice.exchange import Reply, Request
from suffice.models.concerns.waiting import Place, wake
from suffice.models.dialects.faults import RateLimits, rate_limits
from suffice.models.flow import Call, Flow

START: Final = 32.0  # calls at once before anything is known
FLOOR: Final = 4.0  # never fewer: an endpoint that refuses at random must not stop the program
CEILING: Final = 4096.0
CUT: Final = 0.7  # what a refusal leaves of the limit
COOL: Final = 0.25  # seconds between two cuts
HOLD: Final = 60.0  # the longest that one header can hold everybody, in seconds
MINUTE: Final = 60.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What a user says an endpoint takes; None: found out. Requests and tokens are per minute. Raises UsageError."""

    concurrency: int | None = None
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None

    def __post_init__(self) -> None:
        for name in ("concurrency", "requests_per_minute", "tokens_per_minute"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UsageError(f"a limit of {value!r} {name} lets nothing through", hint="Limits(concurrency=8)")


class Limiter:
    """The gate in front of one endpoint. Any thread and any event loop of the process may wait at it.

    Additive increase, multiplicative decrease on 429 (Chiu & Jain 1989), with slow start up to the threshold of the
    last cut, so it finds the real limit within a few round trips. Rate headers and Retry-After hold everybody until
    they say.
    """

    def __init__(self, limits: Limits | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        said = limits or Limits()
        self.clock, self.said = clock, said
        self.most = float(said.concurrency) if said.concurrency else CEILING
        self.limit = min(START, self.most)
        self.in_flight = 0
        self.threshold = math.inf  # below it a success adds one, above it one for a whole round
        self.cut_at = -COOL
        self.held_until = 0.0
        self.lock = threading.Lock()
        self.waiting: deque[Place] = deque()
        self.requests = _Bucket(said.requests_per_minute, clock)
        self.tokens = _Bucket(said.tokens_per_minute, clock)

    async def enter(self, tokens: int) -> None:
        """Wait until one more call of about `tokens` tokens may be sent."""
        while True:
            with self.lock:
                pause = max(self.held_until - self.clock(), self.requests.lacks(1), self.tokens.lacks(tokens))
                if pause <= 0 and self.in_flight < int(self.limit):
                    self.in_flight += 1
                    self.requests.take(1)
                    self.tokens.take(tokens)
                    return
                place = None
                if pause <= 0:
                    loop = asyncio.get_running_loop()
                    place = (loop, loop.create_future())
                    self.waiting.append(place)
            try:
                await (asyncio.sleep(pause) if place is None else place[1])
            except asyncio.CancelledError:
                self._give_up(place)
                raise

    def leave(self, error: CallError | None) -> None:
        """A call has ended: let the next in, and learn from how it ended."""
        with self.lock:
            busy = self.in_flight >= 0.8 * self.limit
            self.in_flight -= 1
            if isinstance(error, RateLimited):
                self._refused(error)
            elif error is None and busy:
                self.limit = min(self.most, self.limit + (1.0 if self.limit < self.threshold else 1.0 / self.limit))
            woken = self._next(int(self.limit) - self.in_flight)
        if woken:
            wake(woken)

    def heard(self, headers: Mapping[str, str]) -> None:
        """What an answer's headers say of the rate: nothing left means that everybody waits for the reset."""
        told: RateLimits = rate_limits(headers)
        spent = (
            (told.requests_remaining, told.requests_reset),
            (told.tokens_remaining, told.tokens_reset),
        )
        resets = [reset for left, reset in spent if left is not None and left <= 0 and reset]
        if resets:
            self._hold(max(resets))

    def _refused(self, error: RateLimited) -> None:
        now = self.clock()
        if error.retry_after:
            self.held_until = max(self.held_until, now + min(error.retry_after, HOLD))
        least = min(FLOOR, self.most)
        if now - self.cut_at >= COOL:
            self.cut_at = now
            self.limit = self.threshold = max(least, min(self.limit, self.in_flight + 1.0) * CUT)
        # Refusals come back at once: a refused place that was filled again would be refused again and again.
        self.limit = max(least, min(self.limit, float(self.in_flight)))

    def _hold(self, seconds: float) -> None:
        with self.lock:
            self.held_until = max(self.held_until, self.clock() + min(seconds, HOLD))

    def _next(self, room: int) -> list[Place]:
        woken: list[Place] = []
        while self.waiting and len(woken) < room:
            place = self.waiting.popleft()
            if not place[0].is_closed():  # with a loop goes everybody who waited there
                woken.append(place)
        return woken

    def _give_up(self, place: Place | None) -> None:
        with self.lock:
            if place in self.waiting:
                self.waiting.remove(place)
                return
            woken = self._next(1)  # it may have been woken, and does not go: somebody else may
        if woken:
            wake(woken)


class _Bucket:
    """So many a minute, in an even flow, with a second's worth in store."""

    def __init__(self, per_minute: float | None, clock: Callable[[], float]) -> None:
        self.rate = None if per_minute is None else per_minute / MINUTE
        self.clock, self.there, self.at = clock, max(self.rate or 0.0, 1.0), clock()

    def lacks(self, n: float) -> float:
        """Seconds until `n` are there. What is larger than the store may go as soon as the store is full."""
        if self.rate is None:
            return 0.0
        now = self.clock()
        self.there, self.at = min(max(self.rate, 1.0), self.there + (now - self.at) * self.rate), now
        return max(0.0, (min(n, max(self.rate, 1.0)) - self.there) / self.rate)

    def take(self, n: float) -> None:
        """They are gone; the store may go below nothing, and then the next waits longer."""
        if self.rate is not None:
            self.there -= n


def limit(call: Call, limiter: Limiter, tokens: Callable[[Request], int]) -> Call:
    """`call` behind `limiter`. Waiting for a place is no attempt and spends nothing."""

    async def limited(request: Request, flow: Flow) -> Reply[str]:
        await limiter.enter(tokens(request) if limiter.said.tokens_per_minute else 0)
        ended: CallError | None = None
        try:
            return await call(request, flow)
        except CallError as error:
            ended = error
            raise
        finally:
            limiter.leave(ended)

    return limited


def limiter_of(name: str, limits: Limits | None = None) -> Limiter:
    """The process's limiter of an endpoint and key, made when first asked for."""
    with _made_lock:
        found = _made.get(name)
        if found is None or (limits is not None and limits != found.said):
            found = _made[name] = Limiter(limits)
        return found


# A provider counts a key's calls in one place; so the process does, too.
_made: dict[str, Limiter] = {}
_made_lock = threading.Lock()
