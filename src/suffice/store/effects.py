"""Effects: the one door for what costs or changes something, so that a durable run, run again, does none of it twice.

An intent is on disk before anything is called, a result before it counts (`effect_journal`).
"""

from __future__ import annotations

import asyncio
import builtins
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any, Final, Literal, NoReturn, TypeVar

from suffice import errors
from suffice.errors import JournalDiverged, Stopped, StoreError, SufficeError
from suffice.held import held
from suffice.spans import Kind, Span, grown, here, span
from suffice.store.effect_journal import Effects, Recorded
from suffice.values import Json

T = TypeVar("T")
Repeat = Literal["safe", "never"]
"""Whether an effect that was begun, and of which no result is known, may simply be done again."""

LONGEST_WAIT: Final = 60.0  # seconds for which a replay waits to be cut off again, at least
DONE: Final = "done"
NOT_DONE: Final = "not done"


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
    *,
    write: Callable[[T], Json],
    read: Callable[[Json], T],
    repeat: Repeat = "safe",
) -> T:
    """Do what costs or changes something: `call()`, in a span of its own, once in the life of a durable run.

    Inside of one its result is recorded as `write` says, and at a replay is what `read` makes of that. What it raises
    is recorded and raised again, but where it ended the run: then it is tried again. What the program cut off is cut
    off again. Of what was begun and did not end, "safe" is called again and "never" stops the run until a person has
    said whether it was done. Raises JournalDiverged, StoreError, Stopped, and what `call` raises.
    """
    run = _run.get()
    with span(name, kind) as leaf:
        if run is None or leaf is None:
            return await call()
        known = run.at(leaf.address, name, kind, arguments)
        if known is not None and known.state == "done":
            leaf.cached = True
            return read(known.value)
        if known is not None and known.state == "failed":
            leaf.cached = True
            error = error_of_json(known.value)
            run.raised(leaf.address, error)
            raise error
        if known is not None and known.state == "cut":
            leaf.cached = True
            await _cut_off_again(run, known)
        if known is not None and known.state == "open" and repeat == "never":
            settled = await _settled(leaf, known, read)
            if settled is not None:
                await run.end(leaf.address, "done", settled[0])
                return read(settled[0])
        return await _recorded(run, leaf, arguments, call, write)


async def _recorded(
    run: Effects,
    leaf: Span,
    arguments: Json,
    call: Callable[[], Awaitable[T]],
    write: Callable[[T], Json],
) -> T:
    with run.working():
        began = time.monotonic()
        try:
            await run.begin(leaf.address, leaf.name, leaf.kind, arguments)
            value = await call()
        except (JournalDiverged, StoreError):
            raise
        except asyncio.CancelledError:
            run.cut(leaf.address, time.monotonic() - began)
            raise
        except Exception as error:
            run.raised(leaf.address, error)
            await run.end(leaf.address, "failed", error_json(error))
            raise
        await run.end(leaf.address, "done", write(value))
    return value


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
    if run is None or parent is None:
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


async def _nobody(question: str, choices: tuple[str, ...]) -> str:
    raise Stopped(question, choices)


async def asked(
    question: str, choices: tuple[str, ...] = (), person: Callable[[str, tuple[str, ...]], Awaitable[str]] = _nobody
) -> str:
    """A person's answer, once there is one. Without a `person` to give it, raises Stopped until then; outside of a
    durable run always."""
    told = {"question": question, "choices": list(choices)}
    return await effect("question", "question", told, lambda: person(question, choices), write=str, read=str)


async def _settled(leaf: Span, known: Recorded, read: Callable[[Json], Any]) -> tuple[Json] | None:
    """The result of something that was begun and may have been done, as a person says; None: it was not done."""
    for _ in range(known.times - 1):
        leaf.turn("question")  # each time it was begun is a question of its own
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(known.begun))
    told = f"{known} was begun at {when}, and nobody knows whether it was done. Was it?"
    if await asked(told, (DONE, NOT_DONE)) == NOT_DONE:
        return None
    if _reads(read, None):
        return (None,)
    why = ""
    while True:  # its type has no "nothing"
        said = await asked(f"{why}What did {known} return, as JSON?")
        try:
            value = json.loads(said)
        except ValueError:
            why = f"{said[:40]!r} is no JSON (a text is in quotation marks). "
            continue
        if _reads(read, value):
            return (value,)
        why = f"{said[:40]} is not of its type. "


def _reads(read: Callable[[Json], Any], value: Json) -> bool:
    try:
        read(value)
    except Exception:  # whatever the type's validation raises
        return False
    return True


def error_json(error: Exception) -> Json:
    """An error as it is recorded."""
    message = error.message if isinstance(error, SufficeError) else str(error)
    return {"type": type(error).__name__, "message": message, "hint": getattr(error, "hint", None)}


def error_of_json(value: Json) -> Exception:
    """An error that was recorded, of its own class where that is ours or Python's, else a RuntimeError."""
    told: Any = value
    name, message = str(told["type"]), str(told["message"])
    ours, pythons = getattr(errors, name, None), getattr(builtins, name, None)
    if isinstance(ours, type) and issubclass(ours, SufficeError) and ours is not errors.Waiting:
        return ours(message, hint=told.get("hint"))
    if isinstance(pythons, type) and issubclass(pythons, Exception):
        try:
            return pythons(message)
        except TypeError:  # UnicodeDecodeError and the like want more
            pass
    return RuntimeError(f"{name}: {message}")
