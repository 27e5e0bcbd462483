"""Recordings: what some system answered elsewhere, by case, read from a CSV or JSONL file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from suffice.errors import DataError
from suffice.evals.read import missing, read_file
from suffice.programs.solution import Solution
from suffice.values import ABSTAIN, Answer, Case, Graded, Json, content_hash, to_json

SCORES = ("right", "correct", "score", "passed", "is_correct", "pass")
ANSWERS = ("output", "answer", "prediction", "predicted", "response", "completion", "model_output")
SCORE_WORDS = {"right": 1.0, "wrong": 0.0, "true": 1.0, "false": 0.0, "pass": 1.0, "fail": 0.0, "1": 1.0, "0": 0.0}


@dataclass(frozen=True, slots=True)
class Recording:
    """The rows of a recording with the column that holds what was answered, and whether that column holds scores."""

    name: str
    rows: tuple[tuple[str, Mapping[str, Json]], ...]  # (where, row)
    column: str
    scores: bool


def read_recording(path: str | Path, column: str | None = None) -> Recording:
    """Read a recording; `column` None takes the usual names. Raises DataError with file and line."""
    file = Path(path)
    if not file.is_file():
        raise missing(file)
    table = read_file(file)
    if table.bad:
        raise DataError(
            f"{len(table.bad)} rows cannot be read, the first: {table.bad[0].reason}", where=table.bad[0].source
        )
    rows = tuple((row.source, row.values) for row in table.rows)
    if not rows:
        raise DataError("the recording is empty", where=str(file))
    columns = list(dict.fromkeys(c for _, values in rows for c in values))
    chosen = column or next((c for c in columns if c.casefold() in (*SCORES, *ANSWERS)), None)
    if chosen is None or chosen not in columns:
        fault = f"there is no column {column!r}" if column else "no column looks like recorded answers or scores"
        raise DataError(
            f"{fault}; columns: {', '.join(columns)}",
            hint=f"name it: --replay {file}#COLUMN",
            where=str(file),
        )
    values = [row.get(chosen) for _, row in rows]
    scores = chosen.casefold() in SCORES or (
        chosen.casefold() not in ANSWERS and all(_score(v) is not None for v in values)
    )
    return Recording(column or file.stem, rows, chosen, scores)


def replay_solution(
    recording: Recording, cases: Sequence[Case], columns: Sequence[str], name: str | None = None
) -> Solution:
    """The recording as a solution over `cases`. Raises DataError where it lacks a case or contradicts itself."""
    by_id = {c.id: c for c in cases}
    by_inputs = {c.inputs_hash: c for c in cases}
    answers: dict[str, Answer] = {}
    for where, row in recording.rows:
        case = _case(row, by_id, by_inputs, columns)
        if case is None:
            continue  # a recording may cover more than this task
        answer = _answer(recording, where, row)
        if answers.setdefault(case.inputs_hash, answer) != answer:
            raise DataError("two rows answer the same case differently", where=where)
    lacking = [c for c in cases if c.inputs_hash not in answers]
    if lacking:
        raise DataError(
            f"the recording {recording.name} has no row for {len(lacking)} of {len(cases)} cases, "
            f"the first at {lacking[0].source}",
            hint="rows name their case by `id`, or by the task's input columns with the same text",
        )
    return _solution(name or recording.name, answers)


def _solution(name: str, answers: dict[str, Answer]) -> Solution:
    async def ask(inputs: Json) -> Answer:
        return batch([inputs])[0]

    def batch(many: Sequence[Json]) -> list[Answer]:
        try:
            return [answers[content_hash(inputs)] for inputs in many]
        except KeyError:
            raise DataError(f"the recording {name} has no answer for this input") from None

    return Solution(
        name=name,
        ask=ask,
        identity=content_hash(["replay", {k: [to_json(a.value), a.confidence] for k, a in answers.items()}]),
        free=True,
        confident=any(a.confidence is not None for a in answers.values()),
        batch=batch,
    )


def _case(
    row: Mapping[str, Json], by_id: Mapping[str, Case], by_inputs: Mapping[str, Case], columns: Sequence[str]
) -> Case | None:
    given = row.get("id", row.get("case"))
    if given is not None and str(given) in by_id:
        return by_id[str(given)]
    if not columns or any(c not in row for c in columns):
        return None
    inputs = row[columns[0]] if len(columns) == 1 else {c: row[c] for c in columns}
    return by_inputs.get(content_hash(inputs))


def _answer(recording: Recording, where: str, row: Mapping[str, Json]) -> Answer:
    value = row.get(recording.column)
    confidence = row.get("confidence")
    try:
        sure = None if confidence in (None, "") else float(confidence)
    except (TypeError, ValueError):
        raise DataError(f"confidence must be a number in [0, 1], not {confidence!r}", where=where) from None
    if value == {"abstain": True}:
        return Answer(ABSTAIN, sure)
    if not recording.scores:
        return Answer(value, sure)
    score = _score(value)
    if score is None:
        raise DataError(f"{recording.column} must be 0 or 1, true or false, right or wrong, not {value!r}", where=where)
    return Answer(Graded(score), sure)


def _score(value: Json) -> float | None:
    """0/1, true/false, right/wrong, or a share in [0, 1]; None for anything else."""
    if isinstance(value, bool | int | float):
        return float(value) if 0.0 <= value <= 1.0 else None
    text = str(value).strip().casefold()
    if text in SCORE_WORDS:
        return SCORE_WORDS[text]
    try:
        return float(text) if 0.0 <= float(text) <= 1.0 else None
    except ValueError:
        return None
