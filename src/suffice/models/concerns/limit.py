"""The limit: as many calls at once as an endpoint really takes, found out on the way, shared by the process."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from suffice.errors import RateLimited, UsageError
from suffice.exchange import Reply, Request
from suffice.models.concerns.waiting import Place, wake
from suffice.models.dialects.faults import RateLimits, rate_limits
from suffice.models.flow import Call, Flow
from suffice.models.standing import standing
from suffice.numbers import is_number

START: Final = 32.0  # calls at once before anything is known
FLOOR: Final = 4.0  # never fewer
CEILING: Final = 4096.0
BUSY: Final = 0.8  # of the limit in flight: below that an answer does not say that more would be answered
CUT: Final = 0.9  # what a refusal leaves of the limit
ROUND: Final = 16  # calls sent in a round at least, so that the share of them that was refused says something
MORE: Final = 4.0 / 3.0  # so many times the usual share may be refused in the long run
STORE: Final = 8.0  # refusals above that which may come at once, and a sixteenth of the limit besides
HOLD: Final = 60.0  # the longest that one header can hold everybody, in seconds
MINUTE: Final = 60.0
MOST: Final = 1e12  # that a limit may say; it refuses inf and nan


@dataclass(frozen=True, slots=True)
class Limits:
    """What a user says an endpoint takes; None: found out. Requests and tokens are per minute. Raises UsageError."""

    concurrency: int | None = None
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None

    def __post_init__(self) -> None:
        for name in ("concurrency", "requests_per_minute", "tokens_per_minute"):
            value = getattr(self, name)
            fits = is_number(value, 0, MOST) and value > 0 and (name != "concurrency" or value == int(value))
            if value is not None and not fits:
                kind = "whole number" if name == "concurrency" else "number"
                hint = "sf.models.Limits(concurrency=8)"
                raise UsageError(f"the limit {name} is a {kind} above 0 and at most {MOST:g}", hint=hint)


class Limiter:
    """The gate in front of one endpoint. Any thread and any event loop of the process may wait at it.

    Who leaves hands the place over, first come, first served. `_Window` says how many places there are. Rate headers
    and Retry-After hold everybody until they say, those who have a place included.
    """

    def __init__(self, limits: Limits | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        said = limits or Limits()
        self.clock, self.said = clock, said
        self.window = _Window(float(said.concurrency) if said.concurrency else CEILING)
        self.in_flight = 0  # places taken
        self.pausing = 0  # of them, those who wait for time to pass
        self.held_until, self.asked = 0.0, 0.0  # when it ends, and the seconds that were asked for
        # Not a plain lock: a coroutine that is thrown away leaves whenever Python collects it, here inside, too.
        self.lock = threading.RLock()
        self.waiting: OrderedDict[Place, None] = OrderedDict()
        self.handed: set[Place] = set()  # taken for who has been woken and has not run yet
        self.requests = _Bucket(said.requests_per_minute, clock)
        self.tokens = _Bucket(said.tokens_per_minute, clock)
        self.paced = said.requests_per_minute is not None or said.tokens_per_minute is not None

    async def enter(self, tokens: int) -> Round:
        """Wait until one more call of about `tokens` tokens may be sent. What it returns is for `leave`.

        A call that a loop stands still for waits for no place: those who have one may be of that loop.
        """
        place = None
        with self.lock:
            window = self.window
            if self.in_flight + 1 > window.size and not standing.get():
                loop = asyncio.get_running_loop()
                place = (loop, loop.create_future())
                self.waiting[place] = None
            else:
                self.in_flight += 1
                if not self.paced and not self.held_until:
                    window.round.sent += 1
                    return window.round
        if place is not None:
            await self._handed(place)
        if self.paced or self.held_until:
            await self._pause(tokens)
        with self.lock:
            window.round.sent += 1
            return window.round

    def leave(self, sent: Round, error: BaseException | None = None) -> None:
        """A call has ended: hand its place over, and learn from how it ended. `sent` is what `enter` returned."""
        with self.lock:
            if error is None:
                self.window.answered(sent, self.in_flight - self.pausing)
            self.in_flight -= 1
            if isinstance(error, RateLimited):
                self.window.refused(sent, self.in_flight)
                if error.retry_after:
                    self._hold(error.retry_after)
            woken = self._next() if self.waiting else None
        if woken:
            self._wake(woken)

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

    @property
    def holds(self) -> str | None:
        """Why nobody may go now, in words."""
        with self.lock:
            if self.held_until <= self.clock():
                return None
            return (
                f"all calls to this endpoint wait, because it asked for {self.asked:,.0f} s in an answer to one of them"
            )

    def alone(self) -> None:
        """In a forked process nobody is in flight, and who held the lock is not there."""
        self.lock, self.in_flight, self.pausing = threading.RLock(), 0, 0
        self.waiting.clear()
        self.handed.clear()

    def _hold(self, seconds: float) -> None:
        with self.lock:
            until = self.clock() + min(seconds, HOLD)
            if until >= self.held_until:
                self.held_until, self.asked = until, seconds

    async def _handed(self, place: Place) -> None:
        try:
            await place[1]
        except BaseException:
            with self.lock:
                self.waiting.pop(place, None)
            self._wake(self._taken_back([place]))  # it may have been handed over, and does not go: somebody else may
            raise
        self.handed.discard(place)

    async def _pause(self, tokens: int) -> None:
        """With a place: wait until the time has come."""
        with self.lock:
            self.pausing += 1
        try:
            while (seconds := self._lacks(tokens)) > 0:
                await asyncio.sleep(seconds)
        except BaseException as error:
            self.leave(Round(), error)
            raise
        finally:
            with self.lock:
                self.pausing -= 1

    def _lacks(self, tokens: int) -> float:
        """Seconds until a call may go, and at 0 it goes."""
        with self.lock:
            held = self.held_until - self.clock()
            seconds = max(held, self.requests.lacks(1), self.tokens.lacks(tokens))
            if held <= 0:
                self.held_until = 0.0
            if seconds <= 0:
                self.requests.take(1)
                self.tokens.take(tokens)
            return seconds

    def _next(self) -> list[Place]:
        woken: list[Place] = []
        while self.waiting and self.in_flight + 1 <= self.window.size:
            place, _ = self.waiting.popitem(last=False)
            self.in_flight += 1
            self.handed.add(place)
            woken.append(place)
        return woken

    def _wake(self, woken: list[Place]) -> None:
        while gone := wake(woken):
            woken = self._taken_back(gone)

    def _taken_back(self, places: Iterable[Place]) -> list[Place]:
        """Those who are next for what was handed over for nothing: each place once, whoever says it first."""
        with self.lock:
            lost = self.handed.intersection(places)
            self.handed -= lost
            self.in_flight -= len(lost)
            return self._next()


@dataclass(slots=True)
class Round:
    """About one round trip: how many calls were sent in it, and how many of them were refused."""

    sent: int = 0
    refused: int = 0


@dataclass(slots=True)
class _Trial:
    """A cut that is being tried: what was before it, and the round that shows what it did."""

    size: float
    step: float
    before: tuple[Round, Round]
    after: Round | None = None


class _Window:
    """How many calls at once, learned from how they end. Not safe for threads by itself: its limiter has the lock.

    Growth. Slow start: each answer adds one, so that the window doubles in a round trip (Jacobson 1988). After a cut
    it grows by 1, 2, 4, ... a round: the "max probing" of BIC-TCP (Xu, Harfoush & Rhee 2004).

    A refusal cuts the window to nine tenths of what is in flight, and the place of each further one is not filled
    again. That is on trial (as in PCC: Dong et al. 2015): once the calls before it have ended, the share refused in
    the next round says whether it helped. An endpoint that takes so many at once answers as many as before, and
    refuses less; one that refuses at random refuses the same share of fewer calls. If the share is nearer to that,
    the cut is undone, as TCP undoes a spurious one (Eifel: Ludwig & Katz 2000), and the share is the usual one.

    The usual share changes nothing: each call sent pays for it into a store that each refusal draws on, and only a
    refusal that finds it empty counts (a CUSUM test: Page 1954).
    """

    __slots__ = ("counted", "last", "least", "most", "round", "size", "step", "store", "trial", "usual")

    def __init__(self, most: float) -> None:
        self.most, self.least = most, min(FLOOR, most)
        self.size = min(START, most)
        self.step = CEILING  # what a round adds; an answer adds one at most
        self.usual = 0.0  # the share refused that a cut did not change
        self.store = 0.0  # refusals that are paid for
        self.counted = 0  # calls of this round that have paid
        self.last, self.round = Round(), Round()
        self.trial: _Trial | None = None

    def answered(self, sent: Round, in_flight: int) -> None:
        """A call of the round `sent` was answered, with so many in flight, itself included."""
        size = self.size
        if in_flight >= BUSY * size:
            self.size = min(self.most, size + min(1.0, self.step / max(ROUND, size)))
        if sent is self.round and sent.sent >= ROUND and sent.sent >= size:
            self._over()

    def refused(self, sent: Round, in_flight: int) -> None:
        """A call of the round `sent` was refused, and so many others are in flight."""
        sent.refused += 1
        self._pay()
        if self.store >= 1.0:
            self.store -= 1.0
            return
        if self.trial is None:
            self.trial = _Trial(self.size, self.step, (self.last, self.round))
            self.size, self.step = CUT * min(self.size, in_flight + 1.0), 0.0
            self.last, self.round, self.counted = self.round, Round(), 0
        # Refusals come back at once: a refused place that was filled again would be refused again and again.
        self.size = max(self.least, min(self.size, float(in_flight)))

    def _pay(self) -> None:
        paid = (self.round.sent - self.counted) * MORE * self.usual
        self.store = min(self._full(), self.store + paid)
        self.counted = self.round.sent

    def _full(self) -> float:
        return STORE + self.size / 16

    def _over(self) -> None:
        """The first call that was sent in this round has been answered: so the refusals of the last are known."""
        self._pay()
        now, trial = Round(), self.trial
        if trial is None:
            self.step = min(2.0 * self.step, CEILING)
            share = _share(self.last)
            if share < self.usual / 2:
                self.usual = 0.75 * self.usual + 0.25 * share if self.usual > 0.01 else 0.0
        elif trial.after is None:
            trial.after = now
            self.store = self._full()
        elif trial.after is not self.round:
            self._judge(trial, trial.after)
        self.last, self.round, self.counted = self.round, now, 0

    def _judge(self, trial: _Trial, after: Round) -> None:
        """Keep a cut that helped, undo one that did not."""
        self.trial, self.step = None, 1.0
        then, now = _share(*trial.before), _share(after)
        helped = max(0.0, 1.0 - (1.0 - then) * trial.size / self.size)  # as many answers from fewer calls
        if now < (then + helped) / 2:
            self.usual = min(self.usual, now)
        else:
            self.usual, self.step = now, max(1.0, trial.step)
            self.size = max(self.size, trial.size)
        self.store = self._full() if self.usual else 0.0


def _share(*rounds: Round) -> float:
    return sum(r.refused for r in rounds) / max(1, sum(r.sent for r in rounds))


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
    counts = limiter.said.tokens_per_minute is not None

    async def limited(request: Request, flow: Flow) -> Reply[str]:
        began = time.perf_counter()
        try:
            sent = await limiter.enter(tokens(request) if counts else 0)
        except asyncio.CancelledError:
            if why := limiter.holds:
                flow.causes.append(f"not sent ({why})")
            raise
        finally:
            flow.waited += time.perf_counter() - began
        try:
            reply = await call(request, flow)
        except BaseException as error:
            limiter.leave(sent, error)
            raise
        limiter.leave(sent)
        return reply

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


def _forked() -> None:
    for limiter in _made.values():
        limiter.alone()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
