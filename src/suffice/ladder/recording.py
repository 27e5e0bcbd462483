"""Recordings: what some system answered elsewhere, by case, read from a CSV or JSONL file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from suffice.arguments import AnyPath, validated
from suffice.errors import DataError
from suffice.evals.columns import EXPECTED, INPUT
from suffice.evals.read import missing, read_file
from suffice.evals.split import SealedCase
from suffice.programs.solution import Solution
from suffice.shown import counted, listed, shown
from suffice.values import ABSTAIN, Answer, Case, Graded, Json, canonical, content_hash, folded, to_json

IDS = ("id", "case_id", "case")
SCORES = ("right", "correct", "score", "passed", "is_correct", "pass")
ANSWERS = ("output", "answer", "prediction", "predicted", "response", "completion", "model_output")
SCORE_WORDS = {"right": 1.0, "wrong": 0.0, "true": 1.0, "false": 0.0, "pass": 1.0, "fail": 0.0}

# A row may belong to a sealed case: no message here holds a value out of a row, only its file and line.


@dataclass(frozen=True, slots=True, repr=False)
class Recording:
    """The rows of a recording with the column that holds what was answered, and whether that column holds scores.

    `named` says that the caller chose the column. It does not print: its rows may be sealed cases.
    """

    name: str
    rows: tuple[tuple[str, Mapping[str, Json]], ...]  # (where, row)
    column: str
    scores: bool
    named: bool


@validated
def read_recording(path: AnyPath, column: str | None = None) -> Recording:
    """Read a recording; `column` None takes the usual names. Raises DataError with file and line.

    A column is one of scores or of answers by its usual name; any other holds scores when all of its values are.
    """
    file = Path(path)
    if not file.is_file():
        raise missing(file)
    table = read_file(file)
    if table.bad:
        first = table.bad[0]
        raise DataError(
            f"{counted(len(table.bad), 'row')} cannot be read, the first: {first.reason}", where=first.source
        )
    if not table.rows:
        raise DataError("the recording is empty", where=str(file))
    chosen = _column(file, table.columns, column)
    rows = tuple(
        (r.source, {**r.values, chosen: None} if not r.typed and _blank(r.values.get(chosen)) else r.values)
        for r in table.rows
    )
    values = [row.get(chosen) for _, row in rows]
    scores = _told(chosen, SCORES) or (
        not _told(chosen, ANSWERS) and all(_score(v) is not None or _abstains(v) for v in values)
    )
    return Recording(column or file.stem, rows, chosen, scores, named=column is not None)


def replay_solution(
    recording: Recording, cases: Sequence[Case], columns: Sequence[str], name: str | None = None
) -> Solution:
    """The recording as a solution over `cases`. Rows of other cases are ignored.

    Raises DataError where it lacks a case, contradicts itself, or might hold something else than what was answered.
    """
    by_id = {c.id: c for c in cases}
    by_inputs = {c.inputs_hash: c for c in cases}
    answers: dict[str, Answer] = {}
    first: dict[str, str] = {}
    for where, row in recording.rows:
        case = _case(where, row, by_id, by_inputs, columns)
        if case is None:
            continue  # a recording may cover more than this task
        answer = answer_of(recording, where, row)
        key = case.inputs_hash
        if answers.setdefault(key, answer) != answer:
            raise DataError(f"answers the same inputs in another way than {first[key]}", where=where, hint="keep one")
        first.setdefault(key, where)
    lacking = [c for c in cases if c.inputs_hash not in answers]
    if lacking:
        raise DataError(
            f"the recording {recording.name} has no row for {len(lacking):,} of {counted(len(cases), 'case')}, "
            f"the first at {lacking[0].source}",
            hint="rows name their case by `id`, or by the task's input columns with the same text",
        )
    _refuse_doubtful(recording, cases, answers)
    return _solution(name or recording.name, answers)


def _column(file: Path, columns: Sequence[str], said: str | None) -> str:
    usual = [c for c in columns if c.casefold() in (*SCORES, *ANSWERS)]
    if said is not None and said in columns:
        return said
    if said is None and len(usual) == 1:
        return usual[0]
    if said is not None:
        fault = f"there is no column {shown(said)}"
    elif usual:
        fault = f"several columns could hold what was answered ({listed(usual)})"
    else:
        fault = "no column looks like recorded answers or scores"
    hint = f"name it: --replay {file}#COLUMN"
    if not any(c.casefold() in (*IDS, *SCORES, *ANSWERS, *INPUT, *EXPECTED) for c in columns):
        fault, hint = f"{fault}, and the first line looks like no header", "begin the file with the column names"
    else:  # without a header the "columns" may be a sealed case
        fault = f"{fault}; columns: {listed(columns)}"
    raise DataError(fault, hint=hint, where=str(file))


def _refuse_doubtful(recording: Recording, cases: Sequence[Case], answers: Mapping[str, Answer]) -> None:
    """Refuse to guess where a guess could turn labels into scores, or expected values into answers."""
    expected = {str(folded(to_json(c.expected))) for c in cases}
    recorded = {str(folded(row.get(recording.column))) for _, row in recording.rows}
    if recording.scores and not _told(recording.column, SCORES) and len(expected) > 1 and recorded <= expected:
        raise DataError(
            f"the column {shown(recording.column)} could hold scores or answers: its values are labels of the task too",
            hint=f"rename it {recording.column}_right if it holds scores, {recording.column}_answer if answers",
        )
    seen = [c for c in cases if not isinstance(c, SealedCase)]
    if recording.named or recording.scores or not seen:
        return
    if all(answers[c.inputs_hash].value == c.expected for c in seen):
        raise DataError(
            f"the column {shown(recording.column)} equals the expected value in every open case: is it an answer?",
            hint=f"if it is, say so: --replay FILE#{recording.column}",
        )


def _solution(name: str, answers: dict[str, Answer]) -> Solution:
    async def ask(inputs: Json) -> Answer:
        return batch([inputs])[0]

    def batch(many: Sequence[Json]) -> list[Answer]:
        try:
            return [answers[content_hash(inputs)] for inputs in many]
        except KeyError:
            raise DataError(f"the recording {name} has no answer for this input") from None

    return Solution(
        replays=True,
        name=name,
        ask=ask,
        identity=content_hash(["replay", {k: [to_json(a.value), a.confidence] for k, a in answers.items()}]),
        free=True,
        confident=any(a.confidence is not None for a in answers.values()),
        batch=batch,
    )


def _case(
    where: str,
    row: Mapping[str, Json],
    by_id: Mapping[str, Case],
    by_inputs: Mapping[str, Case],
    columns: Sequence[str],
) -> Case | None:
    """The case of a row: by id, else by inputs. Raises DataError where the two name different cases."""
    given = next((row[n] for n in IDS if n in row), None)
    case = by_id.get(given.strip() if isinstance(given, str) else canonical(given))
    if not columns or any(c not in row for c in columns):
        return case
    inputs = row[columns[0]] if len(columns) == 1 else {c: row[c] for c in columns}
    if case is None:
        return by_inputs.get(content_hash(inputs))
    same = case.inputs if len(columns) > 1 else {columns[0]: case.inputs}
    texts = [(row[c], same[c]) for c in columns if isinstance(row[c], str) and isinstance(same[c], str)]
    if any(folded(mine) != folded(theirs) for mine, theirs in texts):
        raise DataError(
            f"its id is that of {case.source}, but its inputs are not",
            hint="leave out the ids, or the input columns, whichever is wrong",
            where=where,
        )
    return case


def answer_of(recording: Recording, where: str, row: Mapping[str, Json]) -> Answer:
    """What a row of a recording holds: an answer, or its score as `Graded`. Raises DataError with file and line."""
    if recording.column not in row:
        raise DataError(f"has no {shown(recording.column)}", where=where)
    value, sure = row[recording.column], _confidence(recording, where, row)
    if _abstains(value) or (recording.scores and str(value).strip().casefold() == "abstain"):
        return Answer(ABSTAIN, sure)
    if not recording.scores:
        return Answer(value, sure)
    score = _score(value)
    if score is None:
        what = "blank" if _blank(value) else "something else"
        raise DataError(
            f"{shown(recording.column)} must be 0 or 1, true or false, right or wrong, or a share; it is {what}",
            where=where,
        )
    return Answer(Graded(score), sure)


def _confidence(recording: Recording, where: str, row: Mapping[str, Json]) -> float | None:
    """The confidence beside an answer: of its own column (`gpt_confidence` beside `gpt`), else of `confidence`."""
    value = row.get(f"{recording.column}_confidence", row.get("confidence"))
    if _blank(value):
        return None
    try:
        sure = -1.0 if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        sure = -1.0
    if not 0.0 <= sure <= 1.0:
        raise DataError("its confidence is not a number in [0, 1]", where=where)
    return sure


def _told(column: str, usual: Sequence[str]) -> bool:
    """Whether a column's name, or its ending ("gpt_right"), is one of these."""
    name = column.casefold()
    return name in usual or name.endswith(tuple(f"_{word}" for word in usual))


def _blank(value: Json) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _abstains(value: Json) -> bool:
    """{"abstain": true}, or that text in a CSV file."""
    return value == {"abstain": True} or (isinstance(value, str) and "".join(value.split()) == '{"abstain":true}')


def _score(value: Json) -> float | None:
    """0/1, true/false, right/wrong, pass/fail, or a share in [0, 1]; None for anything else."""
    if isinstance(value, str):
        text = value.strip().casefold()
        if text in SCORE_WORDS:
            return SCORE_WORDS[text]
        try:
            value = float(text)
        except ValueError:
            return None
    return float(value) if isinstance(value, bool | int | float) and 0.0 <= value <= 1.0 else None
