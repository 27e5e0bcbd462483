"""The journal of effects: what a durable run did, by address, and whether it does the same again.

The key of an effect is its run and its address in the program (`suffice.spans`); its name and arguments must be those
that were recorded there.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final, NamedTuple, cast

from suffice.errors import JournalDiverged, Stopped, StoreError
from suffice.spans import Address, Span, handled_here
from suffice.store.commit import Statement
from suffice.store.database import Store
from suffice.store.desks import Desks
from suffice.store.effect_lanes import Asked, Lanes
from suffice.store.effect_order import Order
from suffice.store.effect_record import LEFT, Places, Recorded, State, call_text, follows, load, places_of, places_text
from suffice.store.runs import run_number
from suffice.strands import ASIDE, Strand
from suffice.values import Json, storable

CATCHING_UP: Final = 1000  # turns of the event loop
CALM: Final = 0.03  # seconds in which tasks that have not done anything yet may begin to
IDLE: Final = 1.0  # seconds after which what a task beside a question waits for is no effect
BESIDE: Final = 60.0  # seconds for which a question lets what is beside it go on
BEGUN: Final = (
    "INSERT INTO effect (run, address, number, seen, name, kind, arguments, begun) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET times = times + (kind <> 'question' AND state = 'open'), state = 'open', value = NULL,"
    " begun = excluded.begun"
)
ENDED: Final = "UPDATE effect SET state = ?, value = ?, ended = ?, finish = ? WHERE run = ? AND address = ?"
HELD: Final = "UPDATE effect SET state = 'held' WHERE run = ? AND address = ? AND kind <> 'question'"
RETRY: Final = (
    "UPDATE effect SET state = 'retry' WHERE run = ? AND state = 'failed' AND (address = ? OR NOT EXISTS"
    " (SELECT 1 FROM effect AS later WHERE later.run = effect.run AND later.begun > effect.ended))"
)
MADE: Final = (
    "INSERT INTO effect (run, address, number, seen, name, kind, arguments, begun, ended, state, value)"
    " VALUES (?, ?, ?, ?, ?, ?, '{}', ?, ?, 'done', ?)"
)
REOPENED: Final = (
    "UPDATE effect SET state = 'open', value = NULL, finish = NULL WHERE run = ? AND address = ? AND state = 'cut'"
)
SET_ASIDE: Final = f"UPDATE effect SET address = number || '{LEFT}' || address WHERE run = ? AND address = ?"
TAKEN_UP: Final = "UPDATE effect SET address = ?, number = ?, seen = ?, finish = ? WHERE run = ? AND number = ?"


class _Raised(NamedTuple):
    """An error that an effect ended in, and how many effects had been asked for and cut off by then."""

    error: BaseException
    places: Places
    asked: int
    cut: int


class Effects:
    """The effects of one run: those that were recorded when it was opened, and those that it makes. Any event loop
    and thread of the process may use it. `under_way` are the tasks that are in the middle of one."""

    def __init__(self, store: Store, run: str, home: asyncio.AbstractEventLoop | None = None) -> None:
        """`home` is the loop that the program runs on, None for plain code. Raises StoreError."""
        every = load(store, run)
        self.run, self._number, self.desks = run, run_number(run), Desks(store)
        self.order = Order(every, home)
        self.recorded = {effect.places: effect for effect in every if not effect.left}
        self._lanes = Lanes(self.recorded)
        self._left = [effect for effect in every if effect.left]
        self.asked: dict[Places, int] = {}
        self._handling: dict[Places, BaseException] = {}
        self._unwritten: list[Statement] = []
        self._cut: list[Statement] = []
        self._cut_off: list[Places] = []
        self._errors: list[_Raised] = []
        self.under_way: set[asyncio.Task[Any] | None] = set()
        self._called: dict[Places, str] = {}
        self.diverged: JournalDiverged | None = None
        self.stopped: Stopped | None = None
        self._own: set[asyncio.Task[Any]] = set()
        self._asking: set[Strand] = set()
        self._shut = False
        self._next = max((max(e.number, e.finish or 0) for e in every), default=0) + 1

    def close(self) -> None:
        """Write what is unwritten; nothing more can be begun. Raises StoreError."""
        self.shut()
        if self._unwritten:
            self.desks.here().hand_in(self._taken())
        self.desks.close()

    def shut(self) -> None:
        """From now on nothing can be begun; what is under way is still recorded."""
        self._shut = True

    def at(self, address: Address, name: str, kind: str, arguments: Json) -> Recorded | None:
        """What is recorded at this address, None where nothing is. Raises JournalDiverged where something else is, or
        where the recorded program went on without it; from then on always."""
        if self.diverged is not None:
            raise self.diverged
        self._lanes.settle(Asked(places_of(address), name, kind, arguments))
        places = self.places(address)
        self.asked.setdefault(places, len(self.asked))
        handled = sys.exception() or handled_here()
        if handled is not None:  # it is asked for in an `except:` or `finally:` of the program
            self._handling[places] = handled
        self.order.begun(places)
        found = self.recorded.get(places) or self._taken_up(places, name, kind, arguments)
        if found is None:
            other = next((e for e in self.recorded.values() if self._instead(e.places, places)), None)
            if other is not None:
                raise self._diverged(_way(address), str(other), call_text(name, arguments))
        elif (found.name, found.kind) != (name, kind) or not found.has(arguments):
            raise self._diverged(_way(address), str(found), call_text(name, arguments))
        return found

    async def recognise(self, address: Address, name: str, kind: str, arguments: Json) -> None:
        """Until it is known which recorded strands are on the way to this call; of two that the program made in any
        order, the other may still come to be the one that this one is counted as."""
        asked, claimed, turns = Asked(places_of(address), name, kind, arguments), -1, 0
        while turns < CATCHING_UP and self.diverged is None:
            if claimed != self._lanes.claimed:
                if self._lanes.settle(asked, last=False):
                    return
                claimed, turns = self._lanes.claimed, 0
            await asyncio.sleep(0)
            turns += 1

    def places(self, address: Address) -> Places:
        """Where it stands in the record."""
        return self._lanes.places(places_of(address))

    def settled(self, address: Address, before: float) -> int:
        """How many questions about it were answered before then (seconds since 1970)."""
        places = self.places(address)
        own = (e for e in self.recorded.values() if e.places[:-1] == places and e.places[-1][0] == ASIDE)
        return sum(e.ended is not None and e.ended < before for e in own)

    async def check_ended(self) -> None:
        """Raises JournalDiverged where the program has come to its end without something that is recorded."""
        if self.diverged is None:
            await self.order.caught_up()  # what it has begun beside may still come to it
        for left in self.recorded.values():
            inside = any(left.places[:i] in self.asked for i in range(1, len(left.places) + 1))
            if self.diverged is None and not inside and not left.aside and left.state in ("done", "failed"):
                self._diverged("its end", str(left), "nothing more")
        if self.diverged is not None:
            raise self.diverged

    async def caught_up(self, address: Address, name: str, arguments: Json) -> None:
        """Until a call that is not recorded may be made: when all that is recorded has happened again. Raises
        JournalDiverged, also where it is recorded in another place that nobody came to."""
        await self.order.caught_up()
        if self.diverged is not None:
            raise self.diverged
        alike = (e for e in self.recorded.values() if e.name == name and not e.aside and e.places not in self.asked)
        if any(e.state in ("done", "failed") and e.has(arguments) for e in alike):
            told = call_text(name, arguments)
            raise self._diverged(_way(address), f"{told} in another task, which did not come to it", f"{told} here")

    def _diverged(self, way: str, recorded: str, now: str) -> JournalDiverged:
        self.diverged = JournalDiverged(
            f"{self.run} goes another way than when it was recorded, at {way}: recorded is {recorded}, asked for is "
            f"now {now}",
            hint="undo the change of the program, or begin a new run under another id; side-by-side calls belong into "
            "tasks of their own (workflow.parallel), time and chance into sf.durable.now() and sf.durable.random()",
        )
        self.order.over()
        return self.diverged

    async def begin(self, address: Address, name: str, kind: str, arguments: Json) -> None:
        """Write an intent; that of a model call goes to disk with its attempt, which is noted before it is sent.

        Raises StoreError, also once the run has ended: nobody would hear of what a task that was left behind does."""
        self.check_going()
        if self._shut:
            raise StoreError(f"{self.run} has ended, and {call_text(name, arguments)} was not called")
        places = places_text(self.places(address))
        row = (self._number, places, self._count(), self.order.seen, name, kind, storable(arguments), time.time())
        cut, self._cut = self._cut, []
        statements = [*cut, *self._taken(), (BEGUN, row)]
        if kind == "model":
            self.desks.here().hand_in(statements)
        else:
            await self.desks.here().write(statements)

    def raised(self, address: Address, error: BaseException) -> bool:
        """Remember what an effect ended in: an error that ends the run is tried again, any other is final. Whether it
        came out of an effect inside."""
        inside = any(one.error is error for one in self._errors)
        self._errors.append(_Raised(error, self.places(address), len(self.asked), len(self._cut_off)))
        return inside

    def own(self, task: asyncio.Task[Any]) -> None:
        """`task` is the program's own."""
        self._own.add(task)

    def stop(self, at: Stopped) -> None:
        """The run waits for a person, and nothing more is begun."""
        self.stopped = self.stopped or at
        self.shut()

    def hold(self, address: Address) -> None:
        """Note that a question is asked inside of it."""
        self._unwritten.append((HELD, (self._number, places_text(self.places(address)))))

    def check_going(self) -> None:
        """Raises Stopped where the run waits for a person, whoever has swallowed that."""
        if self.stopped is not None:
            raise self.stopped

    def is_over(self) -> bool:
        """Whether nothing more is recorded. Raises Stopped where that is because the run waits for a person."""
        self.check_going()
        return self._shut

    def cut(self, address: Address, seconds: float) -> None:
        """Note that the program cut it off after so long; that is final once something is begun after it."""
        if not self._shut:
            self._cut.append(self._end_of(address, "cut", seconds)[0])
            self._cut_off.append(self.places(address))

    async def ended_by(self, error: BaseException) -> None:
        """Write that `error` ended the run: the effect that it came from, or nothing was begun after, is tried again.
        What was asked for while it was handled, or cut off because of it, was on the way out, and is no part of the way
        that the run may go now. Raises StoreError."""
        failed = self._came_from(error)
        retried = [(RETRY, (self._number, places_text(one.places))) for one in failed] or [(RETRY, (self._number, ""))]
        since = min((one.asked for one in failed), default=len(self.asked))
        chain = _causes(error)
        after = [p for p, handled in self._handling.items() if self._leaves(handled, chain, self.asked[p] >= since)]
        aside = [(SET_ASIDE, (self._number, places_text(places))) for places in after]
        cut = self._cut_off[min((one.cut for one in failed), default=len(self._cut_off)) :]
        again = [(REOPENED, (self._number, places_text(places))) for places in cut]
        await self.desks.here().write([*self._taken(), *retried, *again, *aside])

    def _came_from(self, error: BaseException) -> list[_Raised]:
        """The effects that it came out of: of the first of its causes that one ended in, and what that came from."""
        first = next((one for one in _causes(error) if any(raised.error is one for raised in self._errors)), None)
        found = [raised for raised in self._errors if raised.error is first]
        for outer in found:
            chain = _causes(outer.error)
            inner = (r for r in self._errors if r.places[: len(outer.places)] == outer.places and r not in found)
            found += [r for r in inner if any(r.error is one for one in chain)]
        return found

    @staticmethod
    def _leaves(handled: BaseException, chain: Sequence[BaseException], late: bool) -> bool:
        """Whether what is done about `handled` is on the way out of an error that has this chain of causes. A task that
        is cut off `late`, after that, is, too."""
        if isinstance(handled, asyncio.CancelledError):
            return late
        return any(one is other for one in _causes(handled) for other in chain)

    async def end(self, address: Address, state: State, value: Json) -> None:
        """Write how it ended, and let the program have it in its turn. Raises StoreError."""
        statement, finish = self._end_of(address, state, value)
        await self.desks.here().write([statement])
        await self.order.new_turn(self.places(address), finish)

    @contextmanager
    def working(self, address: Address, kind: str) -> Generator[None]:
        """While it lasts, this is being called, and its task is under way."""
        task, places = asyncio.current_task(), self.places(address)
        inner = task in self.under_way
        self.under_way.add(task)
        self._called[places] = kind
        try:
            yield
        finally:
            self._called.pop(places, None)
            if not inner:
                self.under_way.discard(task)

    async def calm(self, question: Span) -> None:
        """Until nothing beside this question can go on without an answer: what is being called has ended, and whoever
        did something before has done nothing for a while. Then nothing more is begun.

        The question itself raises nothing until then: what it holds (a lock, a place in a group) is not let go."""
        self._asking.add(question.strand)
        await self.order.caught_up()
        began = last = time.monotonic()
        while self.stopped is None and time.monotonic() - began < BESIDE:
            now = time.monotonic()
            if self._is_busy():
                last = now
            elif now - last >= (IDLE if self._others(question) else CALM if self.order.side_by_side else 0.0):
                break
            await asyncio.sleep(0.01)

    def _is_busy(self) -> bool:
        """Whether anything is being called that does not wait for an answer."""
        around = {places[:i] for places in self._called for i in range(1, len(places))}
        return any(kind != "question" and places not in around for places, kind in self._called.items())

    def _others(self, question: Span) -> bool:
        """Whether there are tasks that did something, and neither ask nor made those that do."""
        waiting = {maker for strand in self._asking for maker in strand.makers()}
        strands = question.root.strands() - waiting
        return any(s.task is not None and not s.task.done() and s.task not in self._own for s in strands)

    def made(self, address: Address, name: str, kind: str, value: Json) -> None:
        """Note a value that was only thought of; it is written before anything that may depend on it is begun."""
        at = time.time()
        row = (self._number, places_text(self.places(address)), self._count(), self.order.seen)
        self._unwritten.append((MADE, (*row, name, kind, at, at, storable(value))))

    def _instead(self, other: Places, places: Places) -> bool:
        """Whether `other` was recorded in the stead of a call at `places`, of which nothing is."""
        inside = other[: len(places)] == places
        around = places[: len(other)] == other and other not in self.asked
        return inside or around or follows(other, places)

    def _taken_up(self, places: Places, name: str, kind: str, arguments: Json) -> Recorded | None:
        """The same as was done here on the way out of an error: it counts for this way, too."""
        alike = (e for e in self._left if (e.places, e.name, e.kind) == (places, name, kind) and e.has(arguments))
        found = next(alike, None)
        if found is None:
            return None
        self._left.remove(found)
        number, finish = self._count(), None if found.finish is None else self._count()  # where it comes on this way
        row = (places_text(places), number, self.order.seen, finish, self._number, found.number)
        self._unwritten.append((TAKEN_UP, row))
        self.recorded[places] = replace(found, left=False, number=number, seen=self.order.seen, finish=finish)
        return self.recorded[places]

    def _end_of(self, address: Address, state: State, value: Json) -> tuple[Statement, int]:
        """What writes an end, and its number."""
        places, finish = places_text(self.places(address)), self._count()
        return (ENDED, (state, storable(value), time.time(), finish, self._number, places)), finish

    def _count(self) -> int:
        number, self._next = self._next, self._next + 1
        return number

    def _taken(self) -> list[Statement]:
        taken, self._unwritten = self._unwritten, []
        return taken


def _causes(error: BaseException) -> list[BaseException]:
    """An error, those in a group, and what it was raised for, each once: a member may be raised for its group."""
    found, left = list[BaseException](), [error]
    while left:
        one = left.pop()
        if any(one is known for known in found):
            continue
        found.append(one)
        why = one.__cause__ or one.__context__
        left += [why] if why is not None else []
        if isinstance(one, BaseExceptionGroup):
            left += reversed(cast("BaseExceptionGroup[BaseException]", one).exceptions)
    return found


def _way(address: Address) -> str:
    return " > ".join(turn.name for turn in address)
