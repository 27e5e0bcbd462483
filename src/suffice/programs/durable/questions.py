"""Where durable runs stand, what they ask, and the answers that a person gives."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from suffice.arguments import Rule, check, rule_of
from suffice.errors import StoreBusy, UsageError
from suffice.models.places.opened import opened
from suffice.numbers import is_whole
from suffice.programs.durable.run import ID, KIND, is_forgotten
from suffice.shown import one_line
from suffice.store import runs
from suffice.store.calls import spent
from suffice.store.database import Store, mapped, transaction
from suffice.store.effect_record import Recorded, load
from suffice.values import storable

ANSWER: Final = (
    "UPDATE effect SET state = 'done', value = ?, ended = ?, finish ="
    " (SELECT max(max(number, coalesce(finish, 0))) + 1 FROM effect AS other WHERE other.run = effect.run)"
    " WHERE run = ? AND number = ?"
)
NUMBER: Final = Rule(lambda v: v is None or is_whole(v, 1), "a whole number of at least 1", "question=2")


@dataclass(frozen=True, slots=True)
class Question:
    """What a durable run asks. `number` names it: they are counted from 1 in the order in which the run asked them, and
    those that were answered keep theirs. `choices` are what may be answered (empty: anything)."""

    number: int
    question: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Status:
    """Where a durable run stands. `state` is running, waiting, answered (run its program again), interrupted, failed,
    done or forgotten.

    `effects` is how many calls, tools and answers are recorded. `again` were in flight when the run was cut off, and
    were sent again: they may have been paid twice. `usd` is what its model calls cost so far. `questions` are all that
    wait for an answer, the first asked first; `question` and `choices` are those of the first.
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
    questions: tuple[Question, ...] = ()


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


def answer(
    id: str,
    text: str,
    *,
    question: int | None = None,
    replace: bool = False,
    store: Store | Path | str | None = None,
) -> Status:
    """Give an answer that the run with this id waits for; it goes on when it is run again. `question` is the number of
    what it answers (default: the first that waits). `replace`: put it in the place of the answer that this question has
    (default: the last that was given), as long as the run has begun nothing since.

    Raises UsageError where it asks nothing, or nothing of this number, for an answer that is empty or none of its
    choices, for another one than was given already unless `replace`, and for `replace` where none was given or the run
    has gone on from it; StoreBusy while it runs; StoreError.
    """
    check("the id of a durable run", id, ID)
    check("text", text, rule_of(str), 'sf.durable.answer("refund-17", "yes")')
    check("question", question, NUMBER)
    with opened(store) as db:
        with transaction(db) as connection:  # from reading to writing: two who answer at once do not both
            run = _found(db, id)
            effects = load(db, run.id)
            asked = _to_answer(run, effects, text, question, replace)
            told = asked if asked.value == text else _answered(asked, text)
            if told is not asked:
                row = (storable(text), told.ended, runs.run_number(run.id), asked.number)
                connection.execute(ANSWER, row)
        return standing(db, run, [told if e is asked else e for e in effects])


def _answered(asked: Recorded, text: str) -> Recorded:
    return replace(asked, state="done", value=text, ended=time.time())


def _to_answer(run: runs.Run, effects: Sequence[Recorded], text: str, number: int | None, instead: bool) -> Recorded:
    """The question that `text` answers, or whose answer it takes the place of (`instead`). Raises UsageError,
    StoreBusy."""
    if run.state == "running":
        raise StoreBusy(f"{run.id} is running", hint="answer once it has stopped at its question")
    asked = _meant(run, effects, text, number, instead)
    told: Any = json.loads(asked.arguments)
    question, before = one_line(told["question"]), one_line(str(asked.value)[:60])
    if told["choices"] and text not in told["choices"]:
        hint = f"one of: {', '.join(told['choices'])}"
        raise UsageError(f"{one_line(text[:60])!r} is no answer to: {question}", hint=hint)
    if not told["choices"] and not text.strip():
        raise UsageError(f"an empty text is no answer to: {question}", hint=_command(run, "…", number))
    if asked.state == "open" and instead:
        hint = f"without replacing: {_command(run, text, number)}"
        raise UsageError(f"{question} has no answer: there is none to replace", hint=hint)
    if asked.state == "open" or asked.value == text:
        return asked
    if asked not in _replaceable(run, effects):
        hint = f"suffice trace {run.id} shows what it did; a new run under another id asks again"
        raise UsageError(f"{question} was answered: {before}, and {run.id} has gone on from there", hint=hint)
    if not instead:
        hint = _command(run, text, number, "--replace")
        raise UsageError(f"{question} was already answered: {before}", hint=hint)
    return asked


def _meant(run: runs.Run, effects: Sequence[Recorded], text: str, number: int | None, instead: bool) -> Recorded:
    """The question with this number; without one the first that waits, or, `instead` of an answer, the one that was
    answered last. Raises UsageError where there is none."""
    waiting, given = open_questions(run, effects), _replaceable(run, effects)
    told = [e for e in effects if run.state == "interrupted" and e.state in ("open", "done") and not e.left]
    asked = {n: e for n, e in _numbered(effects).items() if e in told}
    if number in asked:
        return asked[number]
    if number is not None and asked:
        first = next((n for n, e in asked.items() if e in waiting), None)
        hint = f"suffice show {run.id}" if first is None else _command(run, text, first)
        raise UsageError(f"{run.id} has no question {number}: it asked {', '.join(map(str, asked))}", hint=hint)
    if instead and waiting and not given:
        hint = f"without replacing: {_command(run, text)}"
        raise UsageError(f"{run.id} waits for its first answer since it stopped: there is none to replace", hint=hint)
    read = [e for e in asked.values() if e.state == "done"] if instead else []
    found = given[-1:] or read[-1:] if instead else waiting[:1] or given[-1:]
    if not found:
        hint = "suffice questions lists those that do"
        raise UsageError(f"{run.id} asks nothing: it is {_state(run, effects)}", hint=hint)
    return found[0]


def _command(run: runs.Run, text: str, number: int | None = None, *flags: str) -> str:
    """What to type to answer."""
    said = shlex.quote(one_line(text))
    told = [*(() if number is None else ("--question", str(number))), *flags]
    words = [*told, "--", said] if text.startswith("-") else [said, *told]
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
    waiting = _questions(run, effects)
    return Status(
        run.id,
        settings["id"],
        settings["program"],
        _state(run, effects),
        sum(e.state == "done" for e in effects),
        again,
        paid.usd,
        waiting[0].question if waiting else None,
        waiting[0].choices if waiting else (),
        waiting,
    )


def open_questions(run: runs.Run, effects: Sequence[Recorded]) -> list[Recorded]:
    """What a stopped run asks, in the order in which it is answered."""
    asked = [e for e in effects if e.kind == "question" and e.state == "open" and not e.left]
    return asked if run.state == "interrupted" else []


def _questions(run: runs.Run, effects: Sequence[Recorded]) -> tuple[Question, ...]:
    """What it asks, with the numbers."""
    waiting = open_questions(run, effects)
    told: list[tuple[int, Any]] = [(n, json.loads(e.arguments)) for n, e in _numbered(effects).items() if e in waiting]
    return tuple(Question(number, said["question"], tuple(said["choices"])) for number, said in told)


def _numbered(effects: Sequence[Recorded]) -> dict[int, Recorded]:
    """All that was ever asked, by number. An effect keeps its place in the order of beginning, and what is begun later
    comes after it: so a question keeps its number."""
    return dict(enumerate((e for e in effects if e.kind == "question"), 1))


def _replaceable(run: runs.Run, effects: Sequence[Recorded]) -> list[Recorded]:
    """The questions of a stopped run whose answer nothing can have come of yet, in the order of their answers: nothing
    was begun since, or begun again, as a tool is that had asked and goes on."""
    if run.state != "interrupted":
        return []
    last = max((e.begun for e in effects), default=0.0)
    done = [e for e in effects if e.kind == "question" and e.state == "done" and not e.left]
    return sorted((e for e in done if (e.ended or 0.0) >= last), key=lambda e: e.ended or 0.0)


def _state(run: runs.Run, effects: Sequence[Recorded]) -> str:
    if is_forgotten(run):
        return "forgotten"
    return "waiting" if open_questions(run, effects) else "answered" if _replaceable(run, effects) else run.state
