"""The journal: what solutions answered, by content, written before it counts, so that nothing is paid for twice."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from suffice.store.commit import Commits, Statement, execute
from suffice.store.database import Store, chunks, mapped, select_in, transaction
from suffice.store.keep import NOT_KEPT
from suffice.store.runs import run_number
from suffice.values import Answer, Cost, Failure, Json, content_hash, from_json, to_json

BULK: Final = 2_000  # rows a transaction when many are recorded at once

ANSWER: Final = (
    "INSERT OR REPLACE INTO answer (solution, inputs, run, value, confidence, answered_by, seconds,"
    " cost_usd, input_tokens, output_tokens, at_most, output) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
SCORE: Final = (
    "INSERT OR REPLACE INTO sealed_score"
    " (solution, grading, inputs, run, pass_score, answered, output, seconds,"
    " cost_usd, input_tokens, output_tokens, at_most) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
FAILED: Final = (
    "INSERT OR REPLACE INTO failed (run, solution, inputs, kind, message, seconds,"
    " cost_usd, input_tokens, output_tokens, at_most) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
NOT_FAILED: Final = "DELETE FROM failed WHERE run = ? AND solution = ? AND inputs = ?"
INTENT: Final = "INSERT OR IGNORE INTO in_flight (run, solution, inputs) VALUES (?, ?, ?)"
NO_INTENT: Final = "DELETE FROM in_flight WHERE run = ? AND solution = ? AND inputs = ?"


@dataclass(frozen=True, slots=True)
class Recorded:
    """One call of a solution as recorded: exactly one of `answer` and `failure` is set."""

    answer: Answer | None
    failure: Failure | None = None
    seconds: float | None = None
    cost: Cost | None = None

    def __post_init__(self) -> None:
        if (self.answer is None) == (self.failure is None):
            raise ValueError("a recorded call has either an answer or a failure")


@dataclass(frozen=True, slots=True)
class Scored:
    """One call on a sealed case as recorded: numbers and a hash, never a text. A failed call has no score."""

    pass_score: float | None
    answered: bool = True  # False: the solution abstained
    output_hash: str | None = None  # 32 hex digits
    failure_kind: str | None = None
    seconds: float | None = None
    cost: Cost | None = None

    def __post_init__(self) -> None:
        if (self.pass_score is None) == (self.failure_kind is None):
            raise ValueError("a scored call has either a score or the kind of its failure")
        if self.failure_kind is not None and not self.failure_kind.isidentifier():
            raise ValueError("the kind of a failure is one word: nothing else about a sealed case is kept")


def lookup(store: Store, solution: str, inputs_hashes: Iterable[str], *, run: str | None = None) -> dict[str, Recorded]:
    """What is recorded of `solution` on these inputs, by hash (32 hex digits); inputs never answered are left out.

    Answers count whichever run recorded them. Failed calls come back only with `run`, and only that run's own, so a
    resumed run sees what it saw and a new run tries again. Raises StoreError.
    """
    number = _named(store, "solution", solution)
    if number is None:
        return {}
    wanted = list(inputs_hashes)
    answers = (
        "SELECT inputs, value, confidence, answered_by, seconds, cost_usd, input_tokens, output_tokens, at_most"
        " FROM answer WHERE solution = ? AND inputs IN ({}) AND value <> ''"
    )
    found = {
        inputs.hex(): Recorded(Answer(from_json(json.loads(value)), confidence, by), None, seconds, _cost(*cost))
        for inputs, value, confidence, by, seconds, *cost in select_in(store, answers, wanted, (number,))
    }
    for inputs, kind, message, seconds, *cost in _failures(store, number, wanted, run):
        found[inputs.hex()] = Recorded(None, Failure(kind, message), seconds, _cost(*cost))
    if store.memory.answers:
        found |= _remembered(store, solution, wanted, run)
    return found


def _remembered(store: Store, solution: str, wanted: list[str], run: str | None) -> dict[str, Recorded]:
    """What this open store recorded and did not write."""
    own = None if run is None else run_number(run)
    held = {inputs: store.memory.answers.get((solution, inputs)) for inputs in wanted}
    return {inputs: one[1] for inputs, one in held.items() if one and (one[1].answer is not None or one[0] == own)}


def lookup_sealed(
    store: Store, solution: str, grading: str, inputs_hashes: Iterable[str], *, run: str | None = None
) -> dict[str, Scored]:
    """What is recorded of `solution` under `grading` on these sealed inputs: as `lookup`, scores only."""
    number, graded = _named(store, "solution", solution), _named(store, "grading", grading)
    if number is None:
        return {}
    wanted = list(inputs_hashes)
    scores = (
        "SELECT inputs, pass_score, answered, output, seconds, cost_usd, input_tokens, output_tokens, at_most"
        " FROM sealed_score WHERE solution = ? AND grading = ? AND inputs IN ({})"
    )
    found = {
        inputs.hex(): Scored(score, bool(answered), output and output.hex(), None, seconds, _cost(*cost))
        for inputs, score, answered, output, seconds, *cost in select_in(store, scores, wanted, (number, graded))
    }
    for inputs, kind, _, seconds, *cost in _failures(store, number, wanted, run):
        found[inputs.hex()] = Scored(None, False, None, kind, seconds, _cost(*cost))
    return found


def in_flight(store: Store, run: str) -> list[tuple[str, str]]:
    """(solution, inputs hash) of the calls that `run` began and whose result never arrived, so may have been paid.

    Ask before the run goes on; while it runs these are simply the calls under way. Those that it then sends again
    (`Writer.sent_again`) are possibly paid twice. Raises StoreError.
    """
    sql = "SELECT name, inputs FROM in_flight JOIN solution ON solution.id = solution WHERE run = ? ORDER BY 1, 2"
    with mapped(store.path):
        rows = store.connection.execute(sql, (run_number(run),)).fetchall()
    return [(name, inputs.hex()) for name, inputs in rows]


def forgive(store: Store, run: str) -> int:
    """Forget the failed calls of `run`, so that it asks them again when it goes on; how many. Raises StoreError.

    For a run that pauses because too many calls failed: the outage must be mendable. What was answered is kept.
    """
    held = store.memory.answers
    for key in [k for k, (own, call) in held.items() if own == run_number(run) and call.failure is not None]:
        del held[key]
    with transaction(store) as db:
        return db.execute("DELETE FROM failed WHERE run = ?", (run_number(run),)).rowcount


def record_many(store: Store, run: str, solution: str, calls: Iterable[tuple[str, Recorded]]) -> None:
    """Record (inputs hash, call) pairs of a solution whose calls cost nothing, so need no intent.

    Commits every 2,000 pairs, so memory stays flat. Raises StoreError.
    """
    rows = _Rows(store, run)
    for chunk in chunks(calls, BULK):
        execute(store, [s for inputs, call in chunk for s in rows.of_call(solution, inputs, call)])


def record_many_sealed(
    store: Store, run: str, solution: str, grading: str, calls: Iterable[tuple[str, Scored]]
) -> None:
    """As `record_many`, for sealed cases."""
    rows = _Rows(store, run)
    for chunk in chunks(calls, BULK):
        execute(store, [s for inputs, call in chunk for s in rows.of_score(solution, grading, inputs, call)])


class Writer:
    """Writes one run's journal from its event loop: what is handed in during one turn of the loop is one commit.

    `intend` before a call that may cost, `record` or `record_sealed` after it; each returns once it is on disk.
    When a commit fails, every waiter gets the StoreError and `intend` refuses from then on: no new call starts
    that could not be recorded. Results of calls under way are still tried.
    """

    def __init__(self, store: Store, run: str) -> None:
        self._store = store
        self._rows = _Rows(store, run)
        self.commits = Commits(store, self._counted)
        self.sent_again = 0
        """Calls begun here whose earlier intent never got a result: those that were possibly paid twice."""

    async def intend(self, solution: str, inputs_hash: str) -> None:
        """Note that a call begins. Raises StoreError at once if the journal has failed before."""
        self.commits.check()
        await self.commits.write([(INTENT, self._rows.key(solution, inputs_hash))])

    async def withdraw(self, solution: str, inputs_hash: str) -> None:
        """Note that a call ended without a result of its own: refused by a budget, say. Raises StoreError."""
        await self.commits.write([(NO_INTENT, self._rows.key(solution, inputs_hash))])

    async def record(self, solution: str, inputs_hash: str, call: Recorded) -> None:
        """Note how a call ended; its intent goes in the same commit.

        Raises StoreError, and TypeError for an answer that has no JSON form.
        """
        await self.commits.write(self._rows.of_call(solution, inputs_hash, call))

    async def record_sealed(self, solution: str, grading: str, inputs_hash: str, call: Scored) -> None:
        """Note how a call on a sealed case ended. Raises StoreError."""
        await self.commits.write(self._rows.of_score(solution, grading, inputs_hash, call))

    def _counted(self, sql: str, idle: int) -> None:
        self.sent_again += idle if sql is INTENT else 0


class _Rows:
    """The statements that write one run's calls, with the numbers that stand for its names."""

    def __init__(self, store: Store, run: str) -> None:
        self._store = store
        self._run = run_number(run)
        self._numbers: dict[tuple[str, str], int] = {}

    def key(self, solution: str, inputs: str) -> tuple[int, int, bytes]:
        """(run, solution, inputs): the key of what belongs to this run alone."""
        return self._run, self._number("solution", solution), bytes.fromhex(inputs)

    def of_call(self, solution: str, inputs: str, call: Recorded) -> list[Statement]:
        """What records a call on an open case."""
        key = run, number, blob = self.key(solution, inputs)
        if not self._store.texts:
            self._store.memory.answer(solution, inputs, run, call)
        if self._store.keep == "off":
            return [(NO_INTENT, key)]
        if call.answer is None:
            return self._failed(key, call.failure, call.seconds, call.cost)
        answer, value = call.answer, to_json(call.answer.value)
        kept = (_text(value), None) if self._store.texts else ("", bytes.fromhex(content_hash(value)))
        row = (kept[0], _float(answer.confidence), answer.by)
        return [
            (ANSWER, (number, blob, run, *row, _float(call.seconds), *_columns(call.cost), kept[1])),
            (NOT_FAILED, key),
            (NO_INTENT, key),
        ]

    def of_score(self, solution: str, grading: str, inputs: str, call: Scored) -> list[Statement]:
        """What records a call on a sealed case."""
        key = run, number, blob = self.key(solution, inputs)
        if call.pass_score is None:
            return self._failed(key, Failure(call.failure_kind or "", ""), call.seconds, call.cost)
        output = None if call.output_hash is None else bytes.fromhex(call.output_hash)
        row = (float(call.pass_score), bool(call.answered), output, _float(call.seconds), *_columns(call.cost))
        return [
            (SCORE, (number, self._number("grading", grading), blob, run, *row)),
            (NOT_FAILED, key),
            (NO_INTENT, key),
        ]

    def _failed(
        self, key: tuple[int, int, bytes], failure: Failure | None, seconds: float | None, cost: Cost | None
    ) -> list[Statement]:
        assert failure is not None
        # A traceback may hold half a surrogate pair, which SQLite's UTF-8 cannot.
        message = failure.message.encode("utf-8", "backslashreplace").decode()
        message = message if self._store.texts or not message else NOT_KEPT
        return [(FAILED, (*key, failure.kind, message, _float(seconds), *_columns(cost))), (NO_INTENT, key)]

    def _number(self, table: Literal["solution", "grading"], name: str) -> int:
        known = self._numbers.get((table, name))
        if known is None:
            with transaction(self._store) as db:
                db.execute(f"INSERT OR IGNORE INTO {table} (name) VALUES (?)", (name,))
            known = self._numbers[table, name] = _named(self._store, table, name) or 0
        return known


def _named(store: Store, table: Literal["solution", "grading"], name: str) -> int | None:
    with mapped(store.path):
        row = store.connection.execute(f"SELECT id FROM {table} WHERE name = ?", (name,)).fetchone()
    return None if row is None else int(row[0])


def _failures(store: Store, solution: int, wanted: list[str], run: str | None) -> Iterable[tuple[Any, ...]]:
    if run is None:
        return ()
    key = (run_number(run), solution)
    with mapped(store.path):  # mostly nothing has failed
        if store.connection.execute("SELECT 1 FROM failed WHERE run = ? AND solution = ?", key).fetchone() is None:
            return ()
    sql = (
        "SELECT inputs, kind, message, seconds, cost_usd, input_tokens, output_tokens, at_most FROM failed"
        " WHERE run = ? AND solution = ? AND inputs IN ({})"
    )
    return select_in(store, sql, wanted, key)


def _text(value: Json) -> str:
    """`value` as short JSON text, keys in their own order; half surrogate pairs are escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"))
    return text


def _cost(usd: float | None, input_tokens: int | None, output_tokens: int | None, at_most: int) -> Cost | None:
    """What was recorded of a case's cost; None where nothing was."""
    known = usd is not None or input_tokens is not None or output_tokens is not None
    return Cost(usd, input_tokens, output_tokens, bool(at_most)) if known else None


def _columns(cost: Cost | None) -> tuple[float | None, int | None, int | None, bool]:
    if cost is None:
        return None, None, None, False
    return _float(cost.usd), cost.input_tokens, cost.output_tokens, cost.at_most


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)
