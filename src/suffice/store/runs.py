"""Runs: every climb, evaluation and gate with a short name, so that it can be listed, found again and resumed."""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal

from suffice.errors import StoreBusy, StoreError, UsageError
from suffice.shown import brief
from suffice.store.database import Store, mapped, transaction
from suffice.store.keep import result_as_kept
from suffice.store.process import Process, alive, enrol
from suffice.values import Json, content_hash, storable

GIVE_UP: Final = (
    "put back a backup of the store, or move it away (mv {path} {path}.damaged) and start a new one; what it knew of "
    "sealed cases is then lost, so test claims need fresh cases"
)
State = Literal["running", "done", "interrupted", "failed"]

COLUMNS: Final = (
    "SELECT number, kind, task, identity, settings, state, run.started, finished, result,"
    " host, place, pid, born, beat FROM run JOIN process ON process.id = run.process"
)


@dataclass(frozen=True, slots=True)
class Run:
    """One run. A run whose process died without a word is `interrupted`. Times are seconds since 1970, UTC."""

    id: str  # "climb-7"
    kind: str
    task: str
    identity: str  # equal for runs that would do the same
    settings: Json
    state: State
    started: float
    finished: float | None
    result: Json
    host: str
    pid: int


def start_run(store: Store, kind: str, task: str, settings: Json, *, identity: str | None = None) -> str:
    """Note that a run begins in this process; its id, such as "climb-7".

    `identity` is what `latest` finds it by (default: the hash of task and settings). Raises StoreError.
    """
    same = content_hash([task, settings]) if identity is None else identity
    with transaction(store) as db:
        cursor = db.execute(
            "INSERT INTO run (kind, task, identity, settings, state, process, started)"
            " VALUES (?, ?, ?, ?, 'running', ?, ?)",
            (kind, _whole(task), same, storable(settings), enrol(db), time.time()),
        )
        return f"{kind}-{cursor.lastrowid}"


def resume_run(store: Store, run: str, settings: Json = None) -> Run:
    """Take up a run that is not running, under its old id, with other `settings` where there are some.

    Raises StoreBusy if its process still lives, UsageError for an unknown run, StoreError.
    """
    with transaction(store) as db:
        found = get_run(store, run)
        if found.state == "running":
            raise StoreBusy(
                f"{run} is still running: process {found.pid} on {found.host}",
                hint=f"wait until it ends, or stop process {found.pid} and run the same command again",
                where=str(store.path),
            )
        now = found.settings if settings is None else settings
        db.execute(
            "UPDATE run SET state = 'running', process = ?, settings = ?, finished = NULL, result = NULL"
            " WHERE number = ?",
            (enrol(db), storable(now), run_number(run)),
        )
    return get_run(store, run)


def finish_run(store: Store, run: str, state: State, result: Json = None) -> None:
    """Note how a run ended, and of its result what is kept. Raises UsageError for an unknown run, StoreError."""
    kept = result_as_kept(result, store.keep)
    with transaction(store) as db:
        cursor = db.execute(
            "UPDATE run SET state = ?, finished = ?, result = ? WHERE number = ?",
            (state, time.time(), storable(kept), run_number(run)),
        )
        if not cursor.rowcount:
            raise _unknown(store, run)


def get_run(store: Store, run: str) -> Run:
    """The run with this id. Raises UsageError if there is none, StoreError."""
    for found in _runs(store, "WHERE number = ?", run_number(run)):
        if found.id == run:
            return found
    raise _unknown(store, run)


def list_runs(store: Store, kind: str | None = None, limit: int = 100) -> list[Run]:
    """The latest `limit` runs (of one kind), newest first. Raises StoreError."""
    return _runs(store, "WHERE ? IN (kind, '') ORDER BY number DESC LIMIT ?", kind or "", limit)


def under_way(store: Store) -> list[Run]:
    """The runs whose process lives. Raises StoreError."""
    return [run for run in _runs(store, "WHERE state = 'running'") if run.state == "running"]


def latest(store: Store, kind: str, identity: str) -> Run | None:
    """The newest run of this kind and identity, None if there is none. Raises StoreError."""
    found = _runs(store, "WHERE identity = ? AND kind = ? ORDER BY number DESC LIMIT 1", identity, kind)
    return found[0] if found else None


def run_number(run: str) -> int:
    """The number in a run's id: 7 of "climb-7". Raises UsageError."""
    number = run.rpartition("-")[2]
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        raise UsageError(f"{brief(run)} is not a run", hint="suffice runs lists them; an id looks like climb-7")
    return int(number)


@contextmanager
def reading(store: Store, run: str, what: str, hint: str = "") -> Generator[None]:
    """What is recorded of a run is read inside: `what` of it ("the trace"). Raises StoreError, with what to type,
    where that is not what was written; `hint` says what to do where forgetting the run does not help."""
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise StoreError(
            f"the store is damaged: {what} of {run} cannot be read; the rest was left as it is",
            hint=hint or f"put back a backup of the store, or give this run up: suffice forget --run {run}",
            where=str(store.path),
        ) from error


def _runs(store: Store, where: str, *given: Any) -> list[Run]:
    with mapped(store.path):
        rows = store.connection.execute(f"{COLUMNS} {where}", given).fetchall()
    return [_run(store, row) for row in rows]


def _run(store: Store, row: tuple[Any, ...]) -> Run:
    number, kind, task, identity, settings, state, started, finished, result, *process, beat = row
    died = state == "running" and not alive(Process(*process), beat)
    run = f"{kind}-{number}"
    with reading(store, run, "the settings or the result", GIVE_UP.format(path=store.path)):
        told, came = json.loads(settings), None if result is None else json.loads(result)
    return Run(
        id=run,
        kind=kind,
        task=task,
        identity=identity,
        settings=told,
        state="interrupted" if died else state,
        started=started,
        finished=finished,
        result=came,
        host=process[0],
        pid=process[2],
    )


def _whole(text: str) -> str:
    """`text` with half surrogate pairs escaped, as JSON escapes them: SQLite's UTF-8 cannot hold them."""
    return text.encode("utf-8", "backslashreplace").decode()


def _unknown(store: Store, run: str) -> UsageError:
    return UsageError(
        f"there is no run {brief(run)} in this store", hint="suffice runs lists them", where=str(store.path)
    )
