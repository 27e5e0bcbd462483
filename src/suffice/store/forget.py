"""Forgetting: take the texts of a case, or of everything older than a time, out of the store, and out of its bytes.

What keeps the seal honest stays: the hashes of cases that were shown, blocks, tries and scores of sealed cases, and
what was spent. None of it holds a text.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from suffice.errors import StoreBusy
from suffice.store.database import Store, mapped, transaction
from suffice.store.keep import what_the_seal_needs
from suffice.store.runs import get_run, latest, run_number, under_way
from suffice.values import Json, storable

ENDED_BEFORE: Final = "coalesce(finished, started) < ?"
FORGOTTEN: Final = "forgotten"
"""What the settings of a durable run say in the place of its arguments, once it was forgotten. It cannot go on then:
what it did once would be done again."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many of each were removed. `effects` are what durable runs had recorded, `runs` those whose remembered result
    or arguments lost texts, `served` the rows of served calls that went or lost theirs."""

    answers: int = 0
    replies: int = 0
    failures: int = 0
    runs: int = 0
    served: int = 0
    effects: int = 0


class _Rehearsed(Exception):
    """Rolls a rehearsal back."""


def forget_older(store: Store, before: float, *, really: bool) -> Forgotten:
    """Remove what was recorded before `before` (seconds since 1970), of runs that ended before it; counts alone unless
    `really`. Of an old climb its verdict stays. Raises StoreBusy while a run is under way, StoreError."""

    def removed(db: sqlite3.Connection) -> Forgotten:
        at = (before,)
        db.execute("UPDATE attempt SET request_id = NULL WHERE at < ?", at)
        replies = db.execute("DELETE FROM reply WHERE at < ?", at).rowcount
        served = db.execute("DELETE FROM served WHERE at < ?", at).rowcount
        return replace(_of_runs(db, ENDED_BEFORE, at), replies=replies, served=served)

    return _done(store, removed, really)


def forget_run(store: Store, run: str, *, really: bool) -> Forgotten:
    """Remove what one run recorded, and the cached replies to what it asked; `run` is its name in `suffice runs`, or
    the id of a durable run, which then asks nothing any more and cannot go on. Counts alone unless `really`. Of a climb
    its verdict stays. Raises UsageError where there is none, else as `forget_older`."""
    number = run_number((latest(store, "program", run) or get_run(store, run)).id)

    def removed(db: sqlite3.Connection) -> Forgotten:
        asked = "DELETE FROM reply WHERE request IN (SELECT request FROM attempt WHERE run = ?)"
        replies = db.execute(asked, (number,)).rowcount
        db.execute("UPDATE attempt SET request_id = NULL WHERE run = ?", (number,))
        return replace(_of_runs(db, "number = ?", (number,)), replies=replies)

    return _done(store, removed, really)


def forget_inputs(
    store: Store, inputs: str, texts: Sequence[str], edit: Callable[[Json], Json], *, really: bool
) -> Forgotten:
    """Remove what is recorded of the inputs with this hash (32 hex digits), and whatever quotes one of `texts`; counts
    alone unless `really`.

    `edit` is a run's result without the case; a durable run that quotes it is forgotten as a whole. Replies that do not
    say their case, as older versions wrote them, all go: they are only a cache. Raises as `forget_older`.
    """
    blob = (bytes.fromhex(inputs),)

    def quotes(*columns: str) -> tuple[str, tuple[str, ...]]:
        """A condition that holds where a column holds one of the texts, and its values."""
        tests = [f"instr({column}, ?)" for column in columns for _ in texts]
        return " OR ".join(tests) or "0", tuple(texts) * len(columns)

    def removed(db: sqlite3.Connection) -> Forgotten:
        (answer, said), (failure, _), (served, both) = quotes("value"), quotes("message"), quotes("request", "reply")
        (effect, did), (run, returned) = quotes("arguments", "value"), quotes("settings", "result")
        durable = f"kind = 'program' AND (number IN (SELECT run FROM effect WHERE {effect}) OR {run})"
        quoting = _of_runs(db, durable, (*did, *returned))
        runs = db.execute("SELECT number, result FROM run WHERE result IS NOT NULL").fetchall()
        db.execute("DELETE FROM trace WHERE inputs = ?", blob)
        return Forgotten(
            db.execute(f"DELETE FROM answer WHERE inputs = ? OR {answer}", blob + said).rowcount,
            db.execute(f"DELETE FROM reply WHERE inputs = ? OR inputs IS NULL OR {answer}", blob + said).rowcount,
            db.execute(f"DELETE FROM failed WHERE message <> '' AND (inputs = ? OR {failure})", blob + said).rowcount,
            len(_edited(db, runs, edit)) + quoting.runs,
            db.execute(f"UPDATE served SET request = NULL, reply = NULL WHERE {served}", both).rowcount,
            quoting.effects,
        )

    return _done(store, removed, really)


def erase(store: Store) -> bool:
    """Write the file anew, so that the bytes of what was removed are in it no more; False where another process that
    has the store open keeps some in its log until it ends. Takes as much free space as the store is large.

    Raises StoreFull, StoreBusy where another process writes, StoreError.
    """
    with mapped(store.path):
        db = store.connection
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        db.set_progress_handler(lambda: 0, 100_000)  # it lets Ctrl-C in; SQLite then leaves the file as it was
        try:
            db.execute("VACUUM")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                raise KeyboardInterrupt from None
            raise
        finally:
            db.set_progress_handler(None, 0)
        busy, *_ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


def _done(store: Store, removed: Callable[[sqlite3.Connection], Forgotten], really: bool) -> Forgotten:
    _refuse_running(store)
    counts = Forgotten()
    with mapped(store.path):
        store.connection.execute("PRAGMA secure_delete = ON")
    try:
        with transaction(store) as db:
            counts = removed(db)
            if not really:
                raise _Rehearsed
    except _Rehearsed:
        pass
    return counts


def _of_runs(db: sqlite3.Connection, which: str, given: Sequence[Any]) -> Forgotten:
    """Remove what the runs recorded for which a condition on their row holds."""
    rows = db.execute(f"SELECT number, kind, settings, result FROM run WHERE {which}", given).fetchall()
    theirs = f"run IN (SELECT number FROM run WHERE {which})"
    db.execute(f"DELETE FROM trace WHERE {theirs}", given)
    removed = Forgotten(
        answers=db.execute(f"DELETE FROM answer WHERE {theirs}", given).rowcount,
        failures=db.execute(f"DELETE FROM failed WHERE message <> '' AND {theirs}", given).rowcount,
        effects=db.execute(f"DELETE FROM effect WHERE {theirs}", given).rowcount,
    )
    closed = _closed(db, [(n, settings) for n, kind, settings, _ in rows if kind == "program"])
    edited = _edited(db, [(n, result) for n, _, _, result in rows if result is not None], what_the_seal_needs)
    return replace(removed, runs=len(closed | edited))


def _closed(db: sqlite3.Connection, runs: Sequence[tuple[int, str]]) -> set[int]:
    """Take their arguments from durable runs, which cannot go on then; those of which there were any."""
    closed = set[int]()
    for number, text in runs:
        told: Any = json.loads(text)
        if not told.get(FORGOTTEN):
            closed.add(number)
            left = storable({"id": told["id"], "program": told["program"], FORGOTTEN: True})
            db.execute("UPDATE run SET settings = ? WHERE number = ?", (left, number))
    return closed


def _refuse_running(store: Store) -> None:
    """A run under way would write down again what is being removed."""
    for first in under_way(store):
        raise StoreBusy(
            f"{first.id} is running (process {first.pid} on {first.host}); nothing was removed",
            hint="wait until it ends, then run the same command again",
            where=str(store.path),
        )


def _edited(db: sqlite3.Connection, runs: Sequence[tuple[int, str]], edit: Callable[[Json], Json]) -> set[int]:
    """Write the results that `edit` changes; the numbers of these runs."""
    changed = set[int]()
    for number, text in runs:
        result = json.loads(text)
        made = edit(result)
        if made != result:
            changed.add(number)
            told = None if made is None else storable(made)
            db.execute("UPDATE run SET result = ? WHERE number = ?", (told, number))
    return changed
