"""Where durable runs stand, what they ask, and the answers that a person gives."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from suffice.arguments import check, rule_of
from suffice.errors import StoreBusy, UsageError
from suffice.models.places.opened import opened
from suffice.programs.durable.run import ID, KIND, is_forgotten
from suffice.shown import one_line
from suffice.store import runs
from suffice.store.calls import spent
from suffice.store.database import Store, mapped, transaction
from suffice.store.effect_journal import Recorded, load
from suffice.values import storable

ANSWER: Final = "UPDATE effect SET state = 'done', value = ?, ended = ? WHERE run = ? AND number = ?"


@dataclass(frozen=True, slots=True)
class Status:
    """Where a durable run stands. `state` is running, waiting, answered (run its program again), interrupted, failed,
    done or forgotten.

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
        return standing(db, _found(db, id))


def questions(*, store: Store | Path | str | None = None) -> list[Status]:
    """The runs that wait for a person, the oldest first. Raises StoreError."""
    with opened(store) as db:
        stopped = (run for run in runs.list_runs(db, KIND, limit=1_000_000) if run.state == "interrupted")
        every = (standing(db, run) for run in stopped)
        return sorted((s for s in every if s.state == "waiting"), key=lambda s: runs.run_number(s.run))


def answer(id: str, text: str, *, replace: bool = False, store: Store | Path | str | None = None) -> Status:
    """Give the answer that the run with this id waits for; it goes on when it is run again. `replace`: put it in the
    place of the answer that was given last, which its program has not read yet.

    Raises UsageError where it asks nothing, for an answer that is empty or none of its choices, for another one than
    was given already unless `replace`, and for `replace` where none was given; StoreBusy while it runs; StoreError.
    """
    check("the id of a durable run", id, ID)
    check("text", text, rule_of(str), 'sf.durable.answer("refund-17", "yes")')
    with opened(store) as db:
        with transaction(db) as connection:  # from reading to writing: two who answer at once do not both
            run = _found(db, id)
            effects = load(db, run.id)
            asked = _to_answer(run, effects, text, replace)
            told = asked if asked.value == text else _answered(asked, text)
            if told is not asked:
                row = (storable(text), told.ended, runs.run_number(run.id), asked.number)
                connection.execute(ANSWER, row)
        return standing(db, run, [told if e is asked else e for e in effects])


def _answered(asked: Recorded, text: str) -> Recorded:
    return replace(asked, state="done", value=text, ended=time.time())


def _to_answer(run: runs.Run, effects: Sequence[Recorded], text: str, instead: bool) -> Recorded:
    """The question that `text` answers, or, `instead` of its answer, the one that was answered last. Raises UsageError,
    StoreBusy."""
    if run.state == "running":
        raise StoreBusy(f"{run.id} is running", hint="answer once it has stopped at its question")
    waits, given = _asked(run, effects)
    asked = given if instead else waits or given
    if asked is None and waits is not None:
        hint = f"without replacing: {_command(run, text)}"
        raise UsageError(f"{run.id} waits for its first answer since it stopped: there is none to replace", hint=hint)
    if asked is None:
        state = _state(run, waits, given)
        raise UsageError(f"{run.id} asks nothing: it is {state}", hint="suffice questions lists those that do")
    told: Any = json.loads(asked.arguments)
    if told["choices"] and text not in told["choices"]:
        raise UsageError(
            f"{one_line(text[:60])!r} is no answer to: {one_line(told['question'])}",
            hint=f"one of: {', '.join(told['choices'])}",
        )
    if not told["choices"] and not text.strip():
        hint = _command(run, "…")
        raise UsageError(f"an empty text is no answer to: {one_line(told['question'])}", hint=hint)
    if asked is given and not instead and asked.value != text:
        before = one_line(str(asked.value)[:60])
        raise UsageError(
            f"{one_line(told['question'])} was already answered: {before}", hint=_command(run, text, "--replace")
        )
    return asked


def _command(run: runs.Run, text: str, *flags: str) -> str:
    """What to type to answer."""
    said = shlex.quote(one_line(text))
    words = [*flags, "--", said] if text.startswith("-") else [said, *flags]
    return " ".join(["suffice answer", run.id, *words])


def _found(db: Store, id: str) -> runs.Run:
    """The durable run with this id, or this name in `suffice runs`. Raises UsageError, StoreError."""
    found = runs.latest(db, KIND, id) or (runs.get_run(db, id) if id.startswith(f"{KIND}-") else None)
    if found is not None:
        return found
    raise UsageError(f"no durable run has the id {id[:60]!r}", hint="suffice runs lists them")


def standing(db: Store, run: runs.Run, effects: Sequence[Recorded] | None = None) -> Status:
    """Where this durable run stands; `effects` are what is recorded of it (default: loaded). Raises StoreError."""
    effects, paid = load(db, run.id) if effects is None else effects, spent(db, run.id)
    with mapped(db.path):
        (again,) = db.connection.execute(
            "SELECT coalesce(sum(times - 1), 0) FROM effect WHERE run = ?", (runs.run_number(run.id),)
        ).fetchone()
    settings: Any = run.settings
    waits, given = _asked(run, effects)
    told: Any = {} if waits is None else json.loads(waits.arguments)
    return Status(
        run.id,
        settings["id"],
        settings["program"],
        _state(run, waits, given),
        sum(e.state == "done" for e in effects),
        again,
        paid.usd,
        told.get("question"),
        tuple(told.get("choices", ())),
    )


def open_questions(run: runs.Run, effects: Sequence[Recorded]) -> list[Recorded]:
    """What a stopped run asks, in the order in which it is answered."""
    return [e for e in effects if e.kind == "question" and e.state == "open"] if run.state == "interrupted" else []


def _state(run: runs.Run, waits: Recorded | None, given: Recorded | None) -> str:
    if is_forgotten(run):
        return "forgotten"
    return "waiting" if waits is not None else "answered" if given is not None else run.state


def _asked(run: runs.Run, effects: Sequence[Recorded]) -> tuple[Recorded | None, Recorded | None]:
    """The question that a stopped run waits for, and the one that was answered last, if it did nothing since."""
    if run.state != "interrupted":
        return None, None
    since = float("inf") if run.finished is None else run.finished
    given = [e for e in effects if e.kind == "question" and e.state == "done" and (e.ended or 0.0) >= since]
    if not given and effects and effects[-1].kind == "question" and effects[-1].state == "done":
        given = [effects[-1]]
    last = max(given, key=lambda e: e.ended or 0.0, default=None)
    return next(iter(open_questions(run, effects)), None), last
