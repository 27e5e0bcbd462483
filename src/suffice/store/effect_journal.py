"""The journal of effects: what a durable run did, by address, and whether it does the same again.

The key of an effect is its run and its address in the program (`suffice.spans`); its name and arguments must be those
that were recorded there.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from suffice.errors import JournalDiverged, Stopped, StoreError
from suffice.spans import Address, task_here
from suffice.store.commit import Statement
from suffice.store.database import Store, mapped
from suffice.store.desks import Desks
from suffice.store.runs import run_number
from suffice.values import Json, canonical, storable

State = Literal["open", "done", "failed", "retry", "cut"]
"""Begun and not ended, done, ended in an error, in one that ended the run and is tried again, or cut off by the program
(a time-out), which went on."""
Places = tuple[tuple[int, int], ...]
"""An address without its names: lane and place at each level."""

LOAD: Final = (
    "SELECT address, number, name, kind, arguments, begun, ended, times, state, value FROM effect WHERE run = ?"
    " ORDER BY number"
)
BEGUN: Final = (
    "INSERT INTO effect (run, address, number, name, kind, arguments, begun) VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET times = times + (kind <> 'question' AND state = 'open'), state = 'open', value = NULL,"
    " begun = excluded.begun"
)
ENDED: Final = "UPDATE effect SET state = ?, value = ?, ended = ? WHERE run = ? AND address = ?"
RETRY: Final = (
    "UPDATE effect SET state = 'retry' WHERE run = ? AND state = 'failed' AND (address = ? OR NOT EXISTS"
    " (SELECT 1 FROM effect AS later WHERE later.run = effect.run AND later.begun > effect.ended))"
)
MADE: Final = (
    "INSERT INTO effect (run, address, number, name, kind, arguments, begun, ended, state, value)"
    " VALUES (?, ?, ?, ?, ?, '{}', ?, ?, 'done', ?)"
)
SHOWN: Final = 200  # characters of a call that an error or a question quotes


@dataclass(frozen=True, slots=True)
class Recorded:
    """One effect as it stands in the store. `value` is JSON: the result of one that is done, the error of one that
    failed. `times` is how often it was begun without an end, and the last time. `begun` and `ended` are in seconds
    since 1970; `ended` is None where no end is known."""

    places: Places
    number: int
    name: str
    kind: str
    arguments: str
    begun: float
    ended: float | None
    times: int
    state: State
    value: Json

    def has(self, arguments: Json) -> bool:
        """Whether these were its arguments."""
        return canonical(json.loads(self.arguments)) == canonical(arguments)

    def __str__(self) -> str:
        return call_text(self.name, json.loads(self.arguments))


class Effects:
    """The effects of one run: those that were recorded when it was opened, and those that it makes. Any event loop
    and thread of the process may use it. `under_way` are the tasks that are in the middle of one."""

    def __init__(self, store: Store, run: str) -> None:
        """Raises StoreError."""
        self.run, self._number, self._desks = run, run_number(run), Desks(store)
        self.recorded = {effect.places: effect for effect in load(store, run)}
        self.asked: set[Places] = set()
        self._unwritten: list[Statement] = []
        self._cut: list[Statement] = []
        self._errors: list[tuple[BaseException, Places]] = []
        self.under_way: set[asyncio.Task[Any] | None] = set()
        self.diverged: JournalDiverged | None = None
        self.stopped: Stopped | None = None
        self._halted: set[asyncio.Task[Any] | None] = {task_here()}
        self._shut = False
        self._next = max((e.number for e in self.recorded.values()), default=0) + 1

    def close(self) -> None:
        """Write what is unwritten; nothing more can be begun. Raises StoreError."""
        self.shut()
        if self._unwritten:
            self._desks.here().hand_in(self._taken())
        self._desks.close()

    def shut(self) -> None:
        """From now on nothing can be begun; what is under way is still recorded."""
        self._shut = True

    def at(self, address: Address, name: str, kind: str, arguments: Json) -> Recorded | None:
        """What is recorded at this address, None where nothing is. Raises JournalDiverged where something else is, or
        where the recorded program went on without it; from then on always."""
        if self.diverged is not None:
            raise self.diverged
        places = places_of(address)
        self.asked.add(places)
        found = self.recorded.get(places)
        if found is None:
            other = next((e for e in self.recorded.values() if self._instead(e.places, places)), None)
            if other is not None:
                raise self._diverged(_way(address), str(other), call_text(name, arguments))
        elif (found.name, found.kind) != (name, kind) or not found.has(arguments):
            raise self._diverged(_way(address), str(found), call_text(name, arguments))
        return found

    def elsewhere(self, address: Address, name: str, arguments: Json) -> Recorded | None:
        """The same call as recorded in another place that nobody has come to yet."""
        alike = (e for e in self.recorded.values() if e.name == name and e.places not in self.asked)
        return next((e for e in alike if e.has(arguments)), None)

    def settled(self, address: Address, before: float) -> int:
        """How many questions about it were answered before then (seconds since 1970)."""
        places = places_of(address)
        own = (e for e in self.recorded.values() if e.places[:-1] == places and e.places[-1][0] < 0)
        return sum(e.ended is not None and e.ended < before for e in own)

    def moved(self, address: Address, name: str, arguments: Json) -> JournalDiverged:
        """The error for what `elsewhere` found."""
        told = call_text(name, arguments)
        return self._diverged(_way(address), f"{told} in another task, which did not come to it", f"{told} here")

    def check_ended(self) -> None:
        """Raises JournalDiverged where the program has come to its end without something that is recorded. Of one that
        does things side by side nobody can tell: who is first may leave out what the others did."""
        if self.diverged is not None:
            raise self.diverged
        own = [e for e in self.recorded.values() if all(lane >= 0 for lane, _ in e.places)]
        if any(lane > 0 for e in own for lane, _ in e.places):
            return
        for left in own:
            inside = any(left.places[:i] in self.asked for i in range(1, len(left.places) + 1))
            if not inside and left.state in ("done", "failed"):
                raise self._diverged("its end", str(left), "nothing more")

    def _diverged(self, way: str, recorded: str, now: str) -> JournalDiverged:
        self.diverged = JournalDiverged(
            f"{self.run} goes another way than when it was recorded, at {way}: recorded is {recorded}, asked for is "
            f"now {now}",
            hint="undo the change of the program, or begin a new run under another id; side-by-side calls belong into "
            "tasks of their own (workflow.parallel), time and chance into sf.durable.now() and sf.durable.random()",
        )
        return self.diverged

    async def begin(self, address: Address, name: str, kind: str, arguments: Json) -> None:
        """Write an intent. Raises StoreError, also once the run has ended: nobody would hear of what a task that was
        left behind does."""
        if self._shut:
            raise StoreError(f"{self.run} has ended, and {call_text(name, arguments)} was not called")
        row = (self._number, _text(places_of(address)), self._count(), name, kind, storable(arguments), time.time())
        cut, self._cut = self._cut, []
        await self._desks.here().write([*cut, *self._taken(), (BEGUN, row)])

    def raised(self, address: Address, error: BaseException) -> bool:
        """Remember what an effect ended in: an error that ends the run is tried again, any other is final. Whether it
        came out of an effect inside."""
        inside = any(one is error for one, _ in self._errors)
        self._errors.append((error, places_of(address)))
        return inside

    def stop(self, at: Stopped) -> None:
        """Remember that the run waits for a person, and who is to go no further: this task, and the program's own."""
        self.stopped = self.stopped or at
        self._halted.add(asyncio.current_task())

    def check_going(self) -> None:
        """Raises Stopped where this task has swallowed that the run waits."""
        if self.stopped is not None and asyncio.current_task() in self._halted:
            raise self.stopped

    def cut(self, address: Address, seconds: float) -> None:
        """Note that the program cut it off after so long; that is final once something is begun after it."""
        if not self._shut:
            row = ("cut", storable(seconds), time.time(), self._number, _text(places_of(address)))
            self._cut.append((ENDED, row))

    async def ended_by(self, error: BaseException) -> None:
        """Write that `error` ended the run: the effect that it came from, or nothing was begun after, is tried again.
        Raises StoreError."""
        places = next((p for one in _causes(error) for raised, p in self._errors if raised is one), ())
        await self._desks.here().write([(RETRY, (self._number, _text(places)))])

    async def end(self, address: Address, state: State, value: Json) -> None:
        """Write how it ended. Raises StoreError."""
        row = (state, storable(value), time.time(), self._number, _text(places_of(address)))
        await self._desks.here().write([(ENDED, row)])

    @contextmanager
    def working(self) -> Generator[None]:
        """While it lasts, this task is under way."""
        task = asyncio.current_task()
        inner = task in self.under_way
        self.under_way.add(task)
        try:
            yield
        finally:
            if not inner:
                self.under_way.discard(task)

    def made(self, address: Address, name: str, kind: str, value: Json) -> None:
        """Note a value that was only thought of; it is written before anything that may depend on it is begun."""
        at = time.time()
        row = (self._number, _text(places_of(address)), self._count(), name, kind, at, at, storable(value))
        self._unwritten.append((MADE, row))

    def _instead(self, other: Places, places: Places) -> bool:
        """Whether `other` was recorded in the stead of a call at `places`, of which nothing is."""
        inside = other[: len(places)] == places
        around = places[: len(other)] == other and other not in self.asked
        return inside or around or follows(other, places)

    def _count(self) -> int:
        number, self._next = self._next, self._next + 1
        return number

    def _taken(self) -> list[Statement]:
        taken, self._unwritten = self._unwritten, []
        return taken


def load(store: Store, run: str) -> list[Recorded]:
    """The effects of a run in the order in which they were begun. Raises StoreError."""
    with mapped(store.path):
        rows = store.connection.execute(LOAD, (run_number(run),)).fetchall()
    return [_recorded(*row) for row in rows]


def _recorded(address: str, number: int, *rest: Any) -> Recorded:
    name, kind, arguments, begun, ended, times, state, value = rest
    told = None if value is None else json.loads(value)
    until = None if state == "open" else ended  # of one that is begun again the end before is no end
    return Recorded(_places(address), number, name, kind, arguments, begun, until, times, state, told)


def places_of(address: Address) -> Places:
    """An address without its names."""
    return tuple((turn.lane, turn.place) for turn in address)


def follows(later: Places, earlier: Places) -> bool:
    """Whether a program that does one thing after the other within a lane does `later` after `earlier`."""
    for one, other in zip(later, earlier, strict=False):
        if one != other:
            return one[0] == other[0] and one[1] > other[1]
    return False


def call_text(name: str, arguments: Json) -> str:
    """A call in one short line, as a person reads it: refund(order=17)."""
    if isinstance(arguments, dict):
        told = cast("dict[str, Json]", arguments)
        inside = ", ".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in told.items())
    else:
        inside = json.dumps(arguments, ensure_ascii=False)
    return f"{name}({inside if len(inside) <= SHOWN else inside[:SHOWN] + '…'})"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error, those in a group, and what it was raised for."""
    yield error
    if isinstance(error, BaseExceptionGroup):
        for one in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from _causes(one)
    why = error.__cause__ or error.__context__
    if why is not None:
        yield from _causes(why)


def _way(address: Address) -> str:
    return " > ".join(turn.name for turn in address)


def _text(places: Places) -> str:
    return "/".join(f"{lane}.{place}" for lane, place in places)


def _places(text: str) -> Places:
    pairs = (part.split(".") for part in text.split("/"))
    return tuple((int(lane), int(place)) for lane, place in pairs)
