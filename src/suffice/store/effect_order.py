"""In which order results reach a program: as recorded at a replay, and always one at a time.

A program may go by who is first (workers on a queue, `as_completed`, a time-out). So at a replay a result waits until
everything that was begun or ended before it has been begun or has ended again, and what was not recorded waits for all
that was: calls that are new, and results of those that were in flight. Results of a program that does things side by
side, the first time, too, come a few turns of the event loop apart, in which the program does what it does with one.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

from suffice.store.effect_record import Places, Recorded
from suffice.strands import ASIDE, OWN, Lane

TURNS: Final = 16  # of the event loop, between two results
APART: Final = 0.02  # seconds between two results for plain code in threads, unless it asks for something more before
PATIENCE: Final = 1.0  # seconds beyond what it took when it was recorded, for which the next thing is waited for
LONGEST: Final = 60.0  # seconds, of what it took


@dataclass(slots=True)
class _Event:
    """A beginning or an end: where it comes, when it was (seconds since 1970), and whether it has happened again."""

    at: tuple[int, bool, int]
    places: Places
    end: bool
    when: float
    told: bool  # by a person, who may have taken days
    happened: bool = False


_Strand = tuple[Places, Lane]
_Waiting = tuple[asyncio.AbstractEventLoop, "asyncio.Future[None]"]
_Gates = WeakKeyDictionary[asyncio.AbstractEventLoop, "asyncio.Future[None]"]


class Order:
    """The order of one run. Any event loop and thread of the process may use it."""

    def __init__(self, recorded: Iterable[Recorded], home: asyncio.AbstractEventLoop | None) -> None:
        """`home` is the loop that the program runs on, None for plain code. Of what was done inside of something that
        is over, a replay sees nothing."""
        known = [e for e in recorded if not e.left and not e.aside]
        over = {e.places for e in known if e.over}
        seen = [e for e in known if not any(e.places[:i] in over for i in range(1, len(e.places)))]
        events = [
            _Event((e.number if e.seen is None else e.seen, True, e.number), e.places, False, e.begun, False)
            for e in seen
        ]
        events += [
            _Event((e.finish, False, e.finish), e.places, True, e.ended or e.begun, e.kind == "question")
            for e in seen
            if e.over and e.finish is not None
        ]
        self._events = sorted(events, key=lambda event: event.at)
        self._index = {(event.places, event.end): i for i, event in enumerate(self._events)}
        self._next = 0
        self._waiting: dict[int, list[_Waiting]] = {}
        self._lock = threading.Lock()
        self._gates: _Gates = WeakKeyDictionary()
        self._acting: dict[_Strand, _Waiting] = {}
        self.side_by_side, self._home = False, home
        self.seen = 0

    @property
    def kept(self) -> bool:
        """Whether everything that was recorded has happened again."""
        return self._next >= len(self._events)

    def begun(self, places: Places) -> None:
        """It is asked for."""
        strand = _strand_of(places)
        self.side_by_side = self.side_by_side or strand is not None
        if strand is not None and (acting := self._acting.pop(strand, None)):
            acting[0].call_soon_threadsafe(_opened, *acting, TURNS)
        self._happen(self._index.get((places, False)))

    def passed(self, places: Places) -> None:
        """The recorded end of it has happened."""
        self._happen(self._index.get((places, True)))

    def over(self) -> None:
        """Nobody waits any more."""
        with self._lock:
            self._skip(len(self._events))

    async def turn(self, effect: Recorded) -> None:
        """Until the program is to have the result of this one, which was recorded."""
        await self._in_turn(self._index.get((effect.places, True)), effect.places, effect.finish or 0)

    async def new_turn(self, places: Places, finish: int) -> None:
        """Until the program is to have the result of what has ended now, as the one numbered `finish`."""
        position = None
        with self._lock:
            if not self.kept:
                self._leave(places)
                position = len(self._events)
                self._events.append(_Event((finish, False, finish), places, True, time.time(), False))
                self._go_on()
        await self._in_turn(position, places, finish)

    def inside(self, places: Places) -> None:
        """What is recorded inside of it may happen later, or not at all."""
        with self._lock:
            self._leave(places)
            self._go_on()

    async def caught_up(self) -> None:
        """Until everything that was recorded has happened again."""
        if not self.kept:
            await self._until(len(self._events))

    async def _in_turn(self, position: int | None, places: Places, finish: int) -> None:
        try:
            if position is not None:
                await self._until(position)
            await self._one_at_a_time(places)
            self.seen = max(self.seen, finish)
        finally:
            self._happen(position)

    async def _one_at_a_time(self, places: Places) -> None:
        """Until the program has had time to act on the result before this one."""
        if not self.side_by_side:
            return
        loop = asyncio.get_running_loop()
        before = self._gates.get(loop)
        gate = self._gates[loop] = loop.create_future()
        try:
            if before is not None:
                await asyncio.shield(before)
        finally:
            if loop is self._home:
                _opened(loop, gate, TURNS)
            else:
                self._acting[_strand_of(places) or ((), OWN)] = loop, gate
                loop.call_later(APART, _opened, loop, gate, TURNS)

    async def _until(self, position: int) -> None:
        """Until all before this position has happened. What does not come is no longer waited for."""
        loop = asyncio.get_running_loop()
        mine: asyncio.Future[None] = loop.create_future()
        with self._lock:
            self._waiting.setdefault(position, []).append((loop, mine))
            self._go_on()
        while not mine.done():
            before = self._next
            await asyncio.wait([mine], timeout=self._patience())
            with self._lock:
                if not mine.done() and self._next == before < position:
                    self._skip(position)

    def _patience(self) -> float:
        """For how long the next event is waited for: as long as it took after the one before it, and a second."""
        at = min(self._next, len(self._events) - 1)
        last, event = self._events[at - 1], self._events[at]
        took = 0.0 if at == 0 or event.told or last.told else event.when - last.when
        return PATIENCE + min(max(0.0, took), LONGEST)

    def _happen(self, position: int | None) -> None:
        if position is not None:
            with self._lock:
                self._events[position].happened = True
                self._go_on()

    def _skip(self, position: int) -> None:
        """What comes before it and has not happened will not: the program goes another way, or by the clock."""
        for event in self._events[self._next : position]:
            event.happened = True
        self._go_on()

    def _leave(self, places: Places) -> None:
        for event in self._events[self._next :]:
            event.happened |= len(event.places) > len(places) and event.places[: len(places)] == places

    def _go_on(self) -> None:
        """Pass by what has happened, and wake who waited for it."""
        while not self.kept and self._events[self._next].happened:
            self._next += 1
        for position in [p for p in self._waiting if p <= self._next]:
            for loop, future in self._waiting.pop(position):
                loop.call_soon_threadsafe(_settle, future)


def _strand_of(places: Places) -> _Strand | None:
    """The outermost task on the way, None for the program's own."""
    sides = (n for n, (lane, _) in enumerate(places) if lane not in (OWN, ASIDE))
    first = next(sides, None)
    return None if first is None else (places[:first], places[first][0])


def _opened(loop: asyncio.AbstractEventLoop, gate: asyncio.Future[None], turns: int) -> None:
    """Open the gate after so many turns."""
    if turns == 0:
        _settle(gate)
    elif not gate.done():
        loop.call_soon(_opened, loop, gate, turns - 1)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
