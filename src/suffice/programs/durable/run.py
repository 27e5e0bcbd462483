"""A durable run: a program that can be killed or wait for a person at any moment, and goes on from there.

Everything that costs or changes something (model calls, steps, tools, questions) is an effect (`store/effects.py`).
Run again under its id, a program goes the same way, and what it had done is looked up. What it does between its
effects is done again, so it must do the same again: time and chance come from `now()` and `random()`.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import re
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python

from suffice.arguments import Rule, check
from suffice.errors import UsageError, Waiting
from suffice.models.belonging import Belonging, belonging, current
from suffice.models.concerns.budget import Budget
from suffice.models.places.opened import opened
from suffice.models.spent_before import check_budget, count_before
from suffice.programs.annotations import annotations_of
from suffice.programs.calling import awaited, is_async
from suffice.programs.recorded import read_recorded, write_recorded
from suffice.programs.trial import in_trial
from suffice.spans import Span, counting_tasks, tree
from suffice.store import runs
from suffice.store.calls import CallJournal
from suffice.store.database import Store
from suffice.store.effect_journal import Effects
from suffice.store.effect_record import load
from suffice.store.effects import Stopped, recording
from suffice.store.forget import FORGOTTEN
from suffice.store.lease import lease
from suffice.store.traces import keep_trace
from suffice.values import Json, canonical, in_order

KIND: Final = "program"
NAMES: Final = re.compile(r"(program|climb|eval|apply)-\d+")
ID: Final = Rule(
    lambda v: isinstance(v, str) and 0 < len(v.strip()) and len(v) <= 200 and v == v.encode("utf-8", "ignore").decode(),
    "a short text",
    'id="refund-17"',
)


async def run(
    program: Callable[..., Any],
    /,
    *args: Any,
    id: str,
    budget: Budget | None = None,
    store: Store | Path | str | None = None,
    **kwargs: Any,
) -> Any:
    """What `program(*args, **kwargs)` returns, by way of a run that is remembered under `id`.

    Called again with the same id it goes on where it was killed, stopped or failed; of a run that is done it gives the
    recorded result. `budget` holds for its model calls. The program is a plain or async function; its arguments and
    what it returns have a JSON form, of which the result is made by its return annotation.

    Raises Waiting while a person must answer, JournalDiverged where the program now does something else than was
    recorded, StoreBusy while another process runs it, UsageError for other arguments under this id and for a run that
    was forgotten, StoreError, and what the program raises.
    """
    if current() is not None:
        raise UsageError(
            "a durable run cannot be part of an evaluation, a climb or another durable run: it would record the cases, "
            "the sealed ones, too",
            hint="evaluate the program itself: what it asks is recorded there",
        )
    if in_trial():
        raise UsageError(
            "a durable run cannot be in a world: what it did to one state would be looked up, not done, in the next",
            hint="give the world the program itself, without sf.durable.run around it",
        )
    check("the id of a durable run", id, ID)
    check_budget(budget)
    write, read = _returned(program)
    settings = _settings(program, args, kwargs, id)
    with opened(store) as db:
        found = _found(db, settings)
        if found is not None and found.state == "done":
            return read(_result(found))
        with lease(db, f"the run with the id {id!r}"):
            found = _found(db, settings)  # it may have been begun, and ended, meanwhile
            if found is not None and found.state == "done":
                return read(_result(found))
            return read(await _gone_on(db, found, settings, partial(program, *args, **kwargs), write, budget))


async def _gone_on(
    db: Store,
    found: runs.Run | None,
    settings: dict[str, Json],
    program: partial[Any],
    write: Callable[[Any], Json],
    budget: Budget | None,
) -> Json:
    """The result of the run, begun here or taken up."""
    if found is None:
        run = runs.start_run(db, KIND, str(settings["program"]), settings, identity=str(settings["id"]))
    else:
        before: Any = found.settings
        run = runs.resume_run(db, found.id, {**before, "program": settings["program"]}).id
    try:
        count_before(db, run, budget)
        value = write(await _run(db, run, program, budget))
    except Stopped:
        runs.finish_run(db, run, "interrupted")
        raise _waiting(db, run) from None
    except BaseException as error:
        runs.finish_run(db, run, "failed" if isinstance(error, Exception) else "interrupted")
        raise
    runs.finish_run(db, run, "done", {"value": value})
    return value


def _settings(program: Callable[..., Any], args: Any, kwargs: Any, id: str) -> dict[str, Json]:
    """What is kept of a run from its start."""
    name = getattr(program, "__name__", None) or getattr(program, "name", None) or type(program).__name__
    return {"id": id, "program": name, "inputs": _inputs(name, args, kwargs)}


def _found(db: Store, settings: dict[str, Json]) -> runs.Run | None:
    """The run under this id, if there is one. Raises UsageError for one that cannot go on."""
    id = str(settings["id"])
    if not db.texts:
        raise UsageError(
            "a durable run goes on from what it recorded, and store.keep keeps no texts",
            hint='store.keep = "full" in suffice.toml, or another store: store="runs"',
        )
    found = runs.latest(db, KIND, id)
    if found is None and NAMES.fullmatch(id):
        raise UsageError(
            f"{id!r} cannot be an id: runs have such names in suffice runs, and it would be taken for another one",
            hint=f'id="my-{id}"',
        )
    if found is None:
        return None
    before: Any = found.settings
    if is_forgotten(found):
        raise UsageError(
            f"{found.id}, the run with the id {id!r}, was forgotten: nobody knows any more what it did and returned",
            hint="give a new run a new id; it does all of it again",
        )
    if canonical(before["inputs"]) != canonical(settings["inputs"]):
        raise UsageError(
            f"{found.id} was begun under the id {id!r} with other arguments", hint="give a new run a new id"
        )
    return found


def _result(run: runs.Run) -> Json:
    result: Any = run.result
    return result["value"]


def is_forgotten(run: runs.Run) -> bool:
    """Whether `suffice forget` took what this durable run did and returned."""
    settings: Any = run.settings
    return bool(settings.get(FORGOTTEN)) or (run.state == "done" and run.result is None)  # an older version marks none


async def _run(db: Store, run: str, program: partial[Any], budget: Budget | None) -> Any:
    on_loop = is_async(program.func)
    effects = Effects(db, run, asyncio.get_running_loop() if on_loop else None)
    calls = CallJournal(db, run, effects.desks)
    try:
        with _kept_tree(db, run, program.func) as root, recording(effects), counting_tasks():
            with belonging(Belonging(calls, cache=False, budget=budget)):
                try:
                    return await _ended(effects, _alone(effects, awaited(program, on_loop)))
                except BaseException as error:
                    await _wind_up(effects, root, error)
                    if isinstance(error, Exception):
                        await effects.ended_by(error)
                    raise
    finally:
        effects.close()  # and with it the desks of the calls


async def _alone(effects: Effects, program: Coroutine[Any, Any, Any]) -> Any:
    """What the program returns, from a task of its own: so that what cuts off the run as a whole (Ctrl-C, a time-out
    around it) is told from what the program cuts off. Then nothing more is begun, and nothing of it is final."""
    task = asyncio.create_task(_told(program), context=copy_context())
    effects.own(task)
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        effects.shut()
        task.cancel()
        await asyncio.wait([task])
        raise
    value, error = task.result()
    if error is not None:
        raise error
    return value


async def _told(program: Awaitable[Any]) -> tuple[Any, BaseException | None]:
    """What it returns or raises, but for a cancellation: an event loop ends with a task that raises SystemExit."""
    try:
        return await program, None
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: B036 - raised again by whoever waits
        return None, error


async def _ended(effects: Effects, program: Awaitable[Any]) -> Any:
    """What the program returns. Raises JournalDiverged and Stopped also where the program swallowed them."""
    try:
        value = await program
    except (Exception, BaseExceptionGroup) as error:
        if effects.stopped is not None:
            raise effects.stopped from None
        if effects.diverged is None or error is effects.diverged:
            raise
        raise effects.diverged from error
    effects.check_going()
    await effects.check_ended()
    return value


async def _wind_up(effects: Effects, root: Span, error: BaseException) -> None:
    """Until no other task of the run is under way, and nothing more is begun. What has begun may end, so that nobody
    need be asked whether it was done; on Ctrl-C nothing may."""
    loop, own = asyncio.get_running_loop(), asyncio.current_task()
    effects.shut()
    cut = set[asyncio.Task[Any]]()
    while left := [t for t in root.workers if t is not own and not t.done() and t.get_loop() is loop]:
        for task in left:
            spared = task in effects.under_way and isinstance(error, Exception | Stopped)
            if task not in cut and not spared:
                cut.add(task)
                task.cancel()
        await asyncio.wait(left, timeout=0.1, return_when=asyncio.FIRST_COMPLETED)
    for task in root.workers - {own}:
        if task.done() and not task.cancelled():
            task.exception()  # it is told to nobody else


def _waiting(db: Store, run: str) -> Waiting:
    """The first of the questions that the run asks."""
    asks = next(e for e in load(db, run) if e.kind == "question" and e.state == "open")
    told: Any = json.loads(asks.arguments)
    return Waiting(run, told["question"], tuple(told["choices"]))


@contextmanager
def _kept_tree(db: Store, run: str, program: Callable[..., Any]) -> Generator[Span]:
    """Grow the tree of the run, and keep it however the run ends."""
    root: Span | None = None
    try:
        with tree(getattr(program, "__name__", "program")) as root:
            yield root
    finally:
        if root is not None:
            keep_trace(db, run, root)


def _inputs(name: str, args: Any, kwargs: Any) -> Json:
    try:
        return to_jsonable_python(in_order([list(args), kwargs]))
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"an argument of {name} has no JSON form: {error}", hint="texts, numbers, lists, dicts, pydantic models"
        ) from None


def _returned(program: Callable[..., Any]) -> tuple[Callable[[Any], Json], Callable[[Json], Any]]:
    """From what a program returns to JSON, and back by its return annotation."""
    inner: Any = getattr(program, "function", None) or program
    if not callable(program):
        raise UsageError(f"a program is a function, not {program!r:.80}", hint="def refund(order: int) -> str: …")
    hints = annotations_of(inner, "the program") if inspect.isroutine(inner) else {}
    typed: TypeAdapter[Any] = TypeAdapter(hints.get("return", Any))
    return partial(write_recorded, "the program"), partial(read_recorded, "the program", typed)
