"""Where durable runs stand, what they ask, and the answers that a person gives."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from suffice.arguments import check, rule_of
from suffice.errors import StoreBusy, UsageError
from suffice.models.places.opened import opened
from suffice.programs.durable.run import ID, KIND
from suffice.shown import one_line
from suffice.store import runs
from suffice.store.calls import spent
from suffice.store.database import Store, mapped, transaction
from suffice.store.effect_journal import Recorded, load
from suffice.values import storable

ANSWER: Final = "UPDATE effect SET state = 'done', value = ?, ended = ? WHERE run = ? AND number = ?"


@dataclass(frozen=True, slots=True)
class Status:
    """Where a durable run stands. `state` is running, waiting, answered (run its program again), interrupted, failed or
    done.

    `effects` is how many calls, tools and answers are recorded. `again` were in flight when the run was cut off, and
    were sent again: they may have been paid twice. `usd` is what its model calls cost so far.
    """

    run: str
    id: str
    program: str
    state: str
    effects: int
    again: int
    usd: float
    question: str | None = None
    choices: tuple[str, ...] = ()


def status(id: str, *, store: Store | Path | str | None = None) -> Status:
    """Where the run stands that has this id, or this name in `suffice runs`. Raises UsageError for none, StoreError."""
    check("the id of a durable run", id, ID)
    with opened(store) as db:
        return _status(db, _found(db, id))


def questions(*, store: Store | Path | str | None = None) -> list[Status]:
    """The runs that wait for a person, the oldest first. Raises StoreError."""
    with opened(store) as db:
        every = (_status(db, run) for run in runs.list_runs(db, KIND, limit=1_000_000) if run.state != "done")
        return sorted((s for s in every if s.state == "waiting"), key=lambda s: runs.run_number(s.run))


def answer(id: str, text: str, *, store: Store | Path | str | None = None) -> Status:
    """Give the answer that the run with this id waits for; it goes on when it is run again. Until then another answer
    takes its place.

    Raises UsageError where it asks nothing, or for an answer that is none of its choices; StoreBusy while it runs.
    """
    check("the id of a durable run", id, ID)
    check("text", text, rule_of(str), 'sf.durable.answer("refund-17", "yes")')
    with opened(store) as db:
        run = _found(db, id)
        at = _status(db, run)
        if at.state == "running":
            raise StoreBusy(f"{at.run} is running", hint="answer once it has stopped at its question")
        asked = _asked(run, load(db, run.id))
        if asked is None:
            raise UsageError(f"{at.run} asks nothing: it is {at.state}", hint="suffice questions lists those that do")
        told: Any = json.loads(asked.arguments)
        if told["choices"] and text not in told["choices"]:
            raise UsageError(
                f"{one_line(text[:60])!r} is no answer to: {one_line(told['question'])}",
                hint=f"one of: {', '.join(told['choices'])}",
            )
        with transaction(db) as connection:
            connection.execute(ANSWER, (storable(text), time.time(), runs.run_number(run.id), asked.number))
        return _status(db, _found(db, id))


def found_run(db: Store, id: str) -> runs.Run | None:
    """The durable run with this id, or this name in `suffice runs`; None for any other. Raises UsageError for a name
    that no run has, StoreError."""
    return runs.latest(db, KIND, id) or (runs.get_run(db, id) if id.startswith(f"{KIND}-") else None)


def _found(db: Store, id: str) -> runs.Run:
    found = found_run(db, id)
    if found is not None:
        return found
    raise UsageError(f"no durable run has the id {id[:60]!r}", hint="suffice runs lists them")


def _status(db: Store, run: runs.Run) -> Status:
    effects, paid = load(db, run.id), spent(db, run.id)
    with mapped(db.path):
        (again,) = db.connection.execute(
            "SELECT coalesce(sum(times - 1), 0) FROM effect WHERE run = ?", (runs.run_number(run.id),)
        ).fetchone()
    settings: Any = run.settings
    asks = _asked(run, effects)
    told: Any = {} if asks is None else json.loads(asks.arguments)
    waits = asks is not None and asks.state == "open"
    return Status(
        run.id,
        settings["id"],
        settings["program"],
        "waiting" if waits else "answered" if asks is not None else run.state,
        sum(e.state == "done" for e in effects),
        again,
        paid.usd,
        told["question"] if waits else None,
        tuple(told["choices"]) if waits else (),
    )


def _asked(run: runs.Run, effects: Sequence[Recorded]) -> Recorded | None:
    """The question that a stopped run asks, or the one that it had answered last, if it did nothing since."""
    if run.state != "interrupted":
        return None
    still = next((e for e in effects if e.kind == "question" and e.state == "open"), None)
    last = effects[-1] if effects and effects[-1].kind == "question" else None
    return still or last
