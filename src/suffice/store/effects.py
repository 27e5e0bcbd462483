"""Effects: the one door for what costs or changes something, so that a durable run, run again, does none of it twice.

An intent is on disk before anything is called, a result before it counts (`effect_journal`).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, Literal, NoReturn, TypeVar

from suffice.errors import JournalDiverged, Stopped, StoreError
from suffice.held import held
from suffice.spans import Kind, Span, grown, here, span
from suffice.store.effect_errors import described, error_json, error_of_json, says_not_done
from suffice.store.effect_journal import Effects
from suffice.store.effect_record import Recorded
from suffice.values import Json

T = TypeVar("T")
Repeat = Literal["safe", "never"]
"""Whether an effect that was begun, and of which no result is known, may simply be done again."""

LONGEST_WAIT: Final = 60.0  # seconds for which a replay waits to be cut off again, at least
DONE: Final = "done"
NOT_DONE: Final = "not done"
SOME: Final[tuple[Json, ...]] = ("", 0, True, [], {})
"""A value of each kind."""


@dataclass(frozen=True, slots=True)
class Kept(Generic[T]):
    """How a result is kept: `write` makes JSON of it, `read` the result again. `whole`: nothing is lost in between.
    `told` reads one that a person tells, and raises where it is none (None: as `read`)."""

    write: Callable[[T], Json]
    read: Callable[[Json], T]
    whole: bool = False
    told: Callable[[Json], Any] | None = None


TEXT: Final = Kept(str, str)

_run: ContextVar[Effects | None] = ContextVar("suffice_effects", default=None)


def durable_run() -> Effects | None:
    """The durable run that is going on here, if any."""
    return _run.get()


def recording(effects: Effects) -> AbstractContextManager[Effects | None]:
    """Let every effect inside, in its tasks and threads, too, belong to this run. A span must stand around it."""
    return held(_run, effects)


async def effect(
    name: str,
    kind: Kind,
    arguments: Json,
    call: Callable[[], Awaitable[T]],
    kept: Kept[T],
    *,
    repeat: Repeat = "safe",
    aside: bool = False,
) -> T:
    """Do what costs or changes something: `call()`, in a span of its own, once in the life of a durable run.

    Inside of one its result is recorded and read again as `kept` says, so that it is the same the first time and at a
    replay. What it raises is recorded and raised again, but where it ended the
    run: then it is tried again. What the program cut off is cut off again. What was begun and did not end, or ended the
    run, is called again where it is "safe"; "never" stops the run until a person has said whether it was done. `aside`:
    it is no part of what the program does. Raises JournalDiverged, StoreError, Stopped, and what `call` raises.
    """
    run = _run.get()
    with span(name, kind, aside) as leaf:
        if run is None or leaf is None:
            return await call()
        run.check_going()
        await run.recognise(leaf.address, name, kind, arguments)
        known = run.at(leaf.address, name, kind, arguments)
        if known is not None and known.over:
            leaf.cached = True
            return kept.read(await _again(run, leaf, known))
        if known is None:
            await run.caught_up(leaf.address, name, arguments)
        elif repeat == "never":
            run.order.inside(known.places)  # a person is asked first
            settled = await _never(run, leaf, known, kept.told or kept.read)
            if settled is not None:
                return kept.read(settled[0])
        value, written = await _recorded(run, leaf, arguments, call, kept.write)
        return value if kept.whole else kept.read(written)


async def _recorded(
    run: Effects,
    leaf: Span,
    arguments: Json,
    call: Callable[[], Awaitable[T]],
    write: Callable[[T], Json],
) -> tuple[T, Json]:
    """The result, and what was recorded of it."""
    with run.working(leaf.address, leaf.kind):
        began = time.monotonic()
        try:
            value = await _called(run, leaf, arguments, call)
            written = write(value)
            await run.end(leaf.address, "done", written)
        except asyncio.CancelledError:  # also of one that has ended: the program did not hear of it
            run.cut(leaf.address, time.monotonic() - began)
            raise
    return value, written


async def _called(run: Effects, leaf: Span, arguments: Json, call: Callable[[], Awaitable[T]]) -> T:
    """What is called returns. What it raises is recorded, but where it stops the run."""
    try:
        await run.begin(leaf.address, leaf.name, leaf.kind, arguments)
        return await call()
    except (JournalDiverged, StoreError):
        raise
    except Stopped:
        run.hold(leaf.address)
        raise
    except Exception as error:
        inside = run.raised(leaf.address, error)
        await run.end(leaf.address, "failed", error_json(error, inside))
        raise


async def _again(run: Effects, leaf: Span, known: Recorded) -> Json:
    """What was recorded of one that is over, in its turn: its result; its error is raised; it is cut off again."""
    if known.state == "cut":
        try:
            await _cut_off_again(run, known)
        finally:
            run.order.passed(known.places)
    await run.order.turn(known)
    if known.state == "failed":
        error = error_of_json(known.value)
        run.raised(leaf.address, error)
        raise error
    return known.value


async def _cut_off_again(run: Effects, known: Recorded) -> NoReturn:
    """Wait to be cut off as before. Raises JournalDiverged where nobody does."""
    seconds = float(known.value)
    await asyncio.sleep(max(LONGEST_WAIT, 10.0 * seconds))
    raise JournalDiverged(
        f"{run.run} waits for {known} to be cut off, as it was after {seconds:.1f} s when it was recorded",
        hint="undo the change of the program's time-outs, or begin a new run under another id",
    )


def noted_value(name: str, make: Callable[[], Json]) -> Json:
    """A value that only this moment or chance knows: in a durable run the one that was recorded at this address."""
    run, parent = _run.get(), here()
    if run is None or parent is None or run.is_over():
        return make()
    leaf = grown(parent, name, "step")
    leaf.seconds = 0.0
    known = run.at(leaf.address, name, "step", {})
    if known is not None:
        leaf.cached = True
        return known.value
    value = make()
    run.made(leaf.address, name, "step", value)
    return value


async def _never(run: Effects, leaf: Span, known: Recorded, read: Callable[[Json], Any]) -> tuple[Json] | None:
    """The result of what may not be done twice and may have been done; None: now it is to be done."""
    if known.state == "retry" and says_not_done(known.value):
        return None
    settled = await _settled(run, leaf, known, read)
    if settled is not None:
        await run.end(leaf.address, "done", settled[0])
    return settled


async def _nobody(question: str, choices: tuple[str, ...]) -> str:
    run, leaf, stop = _run.get(), here(), Stopped(question, choices)
    if run is not None and leaf is not None:
        await run.calm(leaf)
        run.stop(stop)
    raise stop


async def asked(
    question: str,
    choices: tuple[str, ...] = (),
    person: Callable[[str, tuple[str, ...]], Awaitable[str]] = _nobody,
    *,
    aside: bool = False,
) -> str:
    """A person's answer, once there is one. Without a `person` to give it, raises Stopped until then; outside of a
    durable run always. `aside` as in `effect`."""
    told = {"question": question, "choices": list(choices)}
    return await effect("question", "question", told, partial(person, question, choices), TEXT, aside=aside)


async def _settled(run: Effects, leaf: Span, known: Recorded, read: Callable[[Json], Any]) -> tuple[Json] | None:
    """The result of something that was begun and may have been done, as a person says; None: it was not done."""
    for _ in range(run.settled(leaf.address, known.begun)):
        leaf.turn("question", aside=True)  # each time it was begun is a question of its own
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(known.begun))
    how = f" and ended in {described(known.value)}" if known.state == "retry" else ""
    told = f"{known} was begun at {when}{how}, and nobody knows whether it was done. Was it?"
    if await asked(told, (DONE, NOT_DONE), aside=True) == NOT_DONE:
        return None
    if not any(_reads(read, value) for value in SOME):
        return (None,)  # nothing but None is a result of it
    why, form = "", "as JSON; a text as it is" if _reads(read, "") else "as JSON"
    while True:
        said = await asked(f"{why}What did {known} return ({form})?", aside=True)
        given = _json_of(said)
        for value in (*given, said):
            if _reads(read, value):
                return (value,)
        why = f"{said[:40]} is not of its type. " if given else f"{said[:40]!r} is no JSON. "


def _json_of(said: str) -> tuple[Json, ...]:
    """What a text says as JSON; nothing where it is none."""
    try:
        return (json.loads(said),)
    except ValueError:
        return ()


def _reads(read: Callable[[Json], Any], value: Json) -> bool:
    try:
        read(value)
    except Exception:  # whatever the type's validation raises
        return False
    return True
