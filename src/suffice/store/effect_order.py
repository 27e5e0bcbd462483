"""In which order results reach a program: as recorded at a replay, and always one at a time.

A program may go by who is first (workers on a queue, `as_completed`, a time-out). So at a replay a result waits until
everything that was begun or ended before it has been begun or has ended again; and results of a program that does
things side by side, the first time too, come a few turns of the event loop apart, in which the program does what it
does with one.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

from suffice.store.effect_record import Places, Recorded
from suffice.strands import ASIDE, OWN, Lane

TURNS: Final = 16  # of the event loop, between two results
APART: Final = 0.02  # seconds between two results for plain code in threads, unless it asks for something more before
PATIENCE: Final = 1.0  # seconds beyond what it took, for which a result waits for what was before it


class _Event(NamedTuple):
    """A beginning or an end, and where it comes."""

    at: int
    places: Places
    end: bool


_Strand = tuple[Places, Lane]
_Gates = WeakKeyDictionary[asyncio.AbstractEventLoop, "asyncio.Future[None]"]
_Waiting = tuple[asyncio.AbstractEventLoop, "asyncio.Future[None]"]


class Order:
    """The order of one run. Any event loop and thread of the process may use it."""

    def __init__(self, recorded: Iterable[Recorded], home: asyncio.AbstractEventLoop | None) -> None:
        """`home` is the loop that the program runs on, None for plain code. Of what was done inside of something that
        is over, a replay sees nothing."""
        known = [e for e in recorded if not e.left and not e.aside]
        over = {e.places for e in known if e.over}
        seen = [e for e in known if not any(e.places[:i] in over for i in range(1, len(e.places)))]
        events = [_Event(e.number, e.places, False) for e in seen]
        events += [_Event(e.finish, e.places, True) for e in seen if e.over and e.finish is not None]
        self._events, self._next = sorted(events), 0
        self._happened: set[tuple[Places, bool]] = set()
        self._waiting: dict[Places, _Waiting] = {}
        self._lock = threading.Lock()
        self._gates: _Gates = WeakKeyDictionary()
        self._acting: dict[_Strand, _Waiting] = {}
        self._side_by_side, self._home = False, home

    @property
    def kept(self) -> bool:
        """Whether everything that was recorded has happened again."""
        return self._next >= len(self._events)

    def begun(self, places: Places) -> None:
        """It was begun."""
        strand = _strand_of(places)
        self._side_by_side = self._side_by_side or strand is not None
        if strand is not None and (acting := self._acting.pop(strand, None)):
            acting[0].call_soon_threadsafe(_opened, *acting, TURNS)
        self._happen(places, False)

    def ended(self, places: Places) -> None:
        """It has ended now, and what was recorded inside of it will not happen."""
        with self._lock:
            inside = (e for e in self._events[self._next :] if e.places[: len(places)] == places)
            self._happened.update((e.places, e.end) for e in inside)
            self._go_on()

    async def turn(self, effect: Recorded) -> None:
        """Until the program is to have the result of this one, which was recorded."""
        try:
            if effect.finish is not None:
                await self._in_order(effect)
            await self.one_at_a_time(effect.places)
        finally:
            self._happen(effect.places, True)

    async def one_at_a_time(self, places: Places) -> None:
        """Until the program has had time to act on the result before this one."""
        if not self._side_by_side:
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

    async def _in_order(self, effect: Recorded) -> None:
        loop = asyncio.get_running_loop()
        mine: asyncio.Future[None] = loop.create_future()
        with self._lock:
            self._waiting[effect.places] = loop, mine
            self._go_on()
        took = 0.0 if effect.kind == "question" else max(0.0, (effect.ended or effect.begun) - effect.begun)
        try:
            await asyncio.wait_for(mine, took + PATIENCE)
        except TimeoutError:
            self._give_up(effect)
        finally:
            with self._lock:
                self._waiting.pop(effect.places, None)

    def _happen(self, places: Places, end: bool) -> None:
        with self._lock:
            if self.kept:
                return
            self._happened.add((places, end))
            self._go_on()

    def _give_up(self, effect: Recorded) -> None:
        """What comes before it and has not happened will not: the program goes another way, or by the clock."""
        with self._lock:
            before = (e for e in self._events[self._next :] if e.at < (effect.finish or 0))
            self._happened.update((e.places, e.end) for e in before)
            self._go_on()

    def _go_on(self) -> None:
        """Pass by what has happened; whose end is next may have it."""
        while not self.kept and self._events[self._next][1:] in self._happened:
            self._happened.discard(self._events[self._next][1:])
            self._next += 1
        if not self.kept and (waiting := self._waiting.get(self._events[self._next].places)):
            loop, future = waiting
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
