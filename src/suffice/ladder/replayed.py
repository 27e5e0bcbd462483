"""Runs that other tools recorded, as rungs: on a task, or on the task that the runs themselves make."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from suffice.errors import DataError, UsageError
from suffice.evals.columns import EXPECTED, INPUT
from suffice.evals.foreign.reading import read_runs
from suffice.evals.foreign.run import Run, RunCase
from suffice.evals.grade import Grader
from suffice.evals.runner import graded
from suffice.evals.task import Task
from suffice.ladder.recording import IDS, Recording, answer_of, read_recording, replay_solution
from suffice.ladder.rung import Rung, replay
from suffice.programs.solution import Solution
from suffice.shown import counted, listed, shown
from suffice.values import ABSTAIN, Answer, Case, Graded, Json, Score, content_hash, to_json

ANSWERS = "answer"
"""What stands after # for the answers themselves, for the task's grader to score."""
TABLE = "table"
NOT_SAID = "not recorded"
LOOKED_AT = (
    "whoever made these runs could look at every case, so nothing here is sealed. --untouched says that none of these "
    "solutions was made, changed or picked after looking at them; where one was, it takes fresh cases: suffice climb "
    "TASK SOLUTION"
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A run, and which of its scores counts: `answer` where its answers are graded anew, None where it is not clear."""

    file: Path
    run: Run
    metric: str | None

    @property
    def cases(self) -> tuple[RunCase, ...]:
        """The first repeat of each case."""
        by: dict[str, RunCase] = {}
        for case in sorted(self.run.cases, key=lambda c: c.repeat):
            by.setdefault(case.key, case)
        return tuple(by.values())

    def answer(self, case: RunCase) -> Any:
        """What counts of a case: its score, or its answer; an error, or no score, is a score of 0."""
        if case.error is not None or case.answer is ABSTAIN:
            return case.answer if case.answer is ABSTAIN else Graded(0.0)
        return case.answer if self.metric == ANSWERS else Graded(case.scores.get(self.metric or "", 0.0))


def is_run(text: str) -> bool:
    """Whether FILE[#WORD] was written by another tool. Raises DataError where it was and cannot be used."""
    return read_runs(text.partition("#")[0]) is not None


def replays(text: str) -> list[Rung]:
    """The rungs of FILE[#WORD] on a task: every solution of a tool's run, or the recording of a table.

    WORD is a solution, a score, `answer`, or a table's column. Raises DataError, UsageError.
    """
    path, _, word = text.partition("#")
    return rungs_of(path, word or None) or [replay(path, word or None)]


def rungs_of(path: str | Path, word: str | None) -> list[Rung] | None:
    """As `replays`, None where no other tool wrote the file. Answers are preferred: the task's grader decides."""
    found = _chosen(Path(path), word)
    if found is None:
        return None
    by_score = [c.metric not in (None, ANSWERS) and (word == c.metric or not _answered(c.run)) for c in found]
    return [_rung(_scored(c) if by else _by_answers(c)) for c, by in zip(found, by_score, strict=True)]


def task_of_runs(texts: Sequence[str], **options: Any) -> tuple[Task, list[Rung], list[str]]:
    """The task that runs make, FILE[#WORD] each: their cases, scored as recorded; the rungs; and what is to be said.

    Whoever made the runs could look at the cases, so the task is open to others.
    `options` are those of the task's claim. Raises DataError where the runs are not of the same cases, UsageError
    where it is not clear which score counts.
    """
    found = [c for text in texts for c in _any_chosen(text)]
    scored = any(c.run.metrics and c.metric != ANSWERS for c in found)
    found = [_scored(c) if scored else _by_answers(c) for c in found]
    cases = _same_cases(found)
    if not scored and any(c.expected is None for c in cases):
        raise DataError("these runs have neither scores nor expected answers for every case", hint="name a task")
    rows = [{"input": c.input, "expected": NOT_SAID if c.expected is None else c.expected} for c in cases]
    how: dict[str, Any] = {"name": found[0].file.stem, "inputs": ["input"], "expected": "expected", "shape": "10/30/60"}
    if scored:
        how |= {"kind": "text", "grader": Grader("as recorded", _as_recorded, identity="as recorded")}
    task = Task(rows, **options, **how).open_to_others()
    rungs = [replace(_rung(c), note=f"as recorded {_by(c.run)}, {_right(c, task)}") for c in found]
    return task, rungs, [*(_said(c) for c in found), LOOKED_AT]


def _right(chosen: Chosen, task: Task) -> str:
    """ "39 of 40 right", of all cases of a run."""
    every = {c.inputs_hash: c for c in (*task.train, *task.dev, *task.sealed())}
    pairs = [(chosen.answer(c), every[content_hash(c.input)]) for c in chosen.cases]
    right = sum(graded(task.grader, Answer(value), case).value >= 1.0 for value, case in pairs)
    return f"{right:,} of {len(pairs):,} right"


def _as_recorded(output: Any, case: Case) -> Score:
    return Score(0.0, "no score was recorded")  # what has one comes as Graded, and meets no grader


def _any_chosen(text: str) -> list[Chosen]:
    path, _, word = text.partition("#")
    return _chosen(Path(path), word or None) or [_table(Path(path), word or None)]


def _chosen(path: Path, word: str | None) -> list[Chosen] | None:
    """The runs of a file that `word` means, each with the score that counts if scores do."""
    runs = read_runs(path)
    if runs is None:
        return None
    named = [r for r in runs if r.solution == word]
    if named or word in (None, ANSWERS):
        return [Chosen(path, r, ANSWERS if word == ANSWERS and not named else r.metric) for r in named or runs]
    if not all(word in r.metrics for r in runs):
        solutions, scores = [r.solution for r in runs], dict.fromkeys(m for r in runs for m in r.metrics)
        hint = f"solutions: {listed(solutions)}; scores: {listed(scores)}; or {ANSWERS}"
        raise UsageError(f"{path.name} has no solution and no score {shown(word)}", hint=hint)
    return [Chosen(path, r, word) for r in runs]


def _table(path: Path, column: str | None) -> Chosen:
    """A CSV or JSONL recording as a run: inputs by their usual names, else the id stands for them."""
    recording = read_recording(path, column)
    names = list(dict.fromkeys(n for _, row in recording.rows for n in row if n != recording.column))
    inputs = [n for n in names if n.casefold() in INPUT] or [n for n in names if n.casefold() in IDS]
    labels = [n for n in names if n.casefold() in EXPECTED and n not in inputs]
    if not inputs or len(labels) > 1:
        fault = f"several columns could be the expected answer ({listed(labels)})" if inputs else "no input column"
        raise DataError(fault, where=path.name, hint="name the task that it is a recording of: suffice climb TASK …")
    cases: list[RunCase] = []
    for where, row in recording.rows:
        value = answer_of(recording, where, row).value
        scores = {recording.column: value.score} if isinstance(value, Graded) else {}
        case = row[inputs[0]] if len(inputs) == 1 else {n: row.get(n) for n in inputs}
        answer = None if scores else value
        cases.append(RunCase("", case, row.get(labels[0]) if labels else None, answer, scores, where))
    metric = recording.column if recording.scores else None
    return Chosen(path, Run(TABLE, "", recording.name, metric, tuple(cases)), metric)


def _scored(chosen: Chosen) -> Chosen:
    """`chosen` where one score of it counts, and lies in [0, 1]. Raises UsageError, DataError."""
    run, metric = chosen.run, chosen.metric
    if metric is None or metric == ANSWERS:
        has = f"several scores ({listed(run.metrics)})" if run.metrics else "no score"
        raise UsageError(
            f"{chosen.file.name} has {has} for {run.solution}",
            hint=f"name one: --replay {chosen.file}#{run.metrics[0]}" if run.metrics else "replay runs with scores",
        )
    for case in run.cases:
        if not 0.0 <= case.scores.get(metric, 0.0) <= 1.0:
            raise DataError(
                f"the score {shown(metric)} is not in [0, 1]", where=case.where, hint="name another: FILE#SCORE"
            )
    return chosen


def _by_answers(chosen: Chosen) -> Chosen:
    return Chosen(chosen.file, chosen.run, ANSWERS)


def _answered(run: Run) -> bool:
    return any(c.answer is not None for c in run.cases)


def _same_cases(found: Sequence[Chosen]) -> list[RunCase]:
    """The cases of the runs. Raises DataError where one lacks what another has."""
    by: dict[str, RunCase] = {}
    for chosen in found:
        for case in chosen.cases:
            by.setdefault(content_hash(case.input), case)
    for chosen in found:
        lacking = by.keys() - {content_hash(c.input) for c in chosen.cases}
        if lacking:
            raise DataError(
                f"`{chosen.run.solution}` has no result for {len(lacking):,} of {counted(len(by), 'case')}",
                where=chosen.file.name,
                hint="replay runs of the same cases with the same inputs, or name a task that has them",
            )
    return list(by.values())


def _said(chosen: Chosen) -> str:
    """Who recorded a run, what counts of it, and what does not."""
    run, cases = chosen.run, chosen.cases
    what = "its answers are graded here" if chosen.metric == ANSWERS else f"its score {shown(chosen.metric)} counts"
    said = [f"{chosen.file.name}: `{run.solution}`, recorded {_by(run)} {run.version}".rstrip(), what]
    if len(cases) < len(run.cases):
        said.append(f"of {len(run.cases):,} results for {counted(len(cases), 'case')} the first repeat of each counts")
    failed = sum(c.error is not None for c in cases)
    if failed:
        said.append(f"{counted(failed, 'case')} ended in an error, which counts as wrong")
    blank = sum(c.error is None and chosen.metric not in (ANSWERS, *c.scores) for c in cases)
    if blank:
        said.append(f"{counted(blank, 'case')} without that score, which counts as wrong")
    if chosen.metric and any(0.0 < c.scores.get(chosen.metric, 0.0) < 1.0 for c in cases):
        said.append("only a score of 1 counts as right")
    return "; ".join(said)


def _rung(chosen: Chosen) -> Rung:
    run, cases = chosen.run, chosen.cases
    values = [chosen.answer(c) for c in cases]

    async def fit(task: Task, labelled: Sequence[Case]) -> Solution:
        columns = task.columns.inputs
        everything = (*task.train, *task.dev, *task.sealed())
        known = {c.inputs_hash for c in everything}
        rows = [(c.where, _row(c, columns, known, v)) for c, v in zip(cases, values, strict=True)]
        recording = Recording(run.solution, tuple(rows), ANSWERS, scores=False, named=True)
        return replay_solution(recording, everything, columns, run.solution)

    recorded = [[c.input, to_json(v)] for c, v in zip(cases, values, strict=True)]
    note = f"as recorded {_by(run)}; valid only if nobody tuned on these cases"
    return Rung(run.solution, fit, identity=content_hash(["run", recorded]), note=note)


def _by(run: Run) -> str:
    return "in a table" if run.tool == TABLE else f"by {run.tool}"


def _row(case: RunCase, columns: Sequence[str], known: Collection[str], value: Any) -> dict[str, Any]:
    """The row of a recording: the case by the task's input columns where the run has them, else by its id.

    Of a task with one input column, that may be all that the run has, the input of this name, or the only one: what is
    a case of the task, by the hashes `known` of its inputs.
    """
    given: Json = case.input
    told = cast("dict[str, Json]", given) if isinstance(given, dict) else {}
    if len(columns) == 1:
        alone = list(told.values()) if len(told) == 1 else []
        readings = [*(told[c] for c in columns if c in told), *alone, case.input]
        named = {columns[0]: next((r for r in readings if content_hash(r) in known), readings[-1])}
    else:
        named = {c: told[c] for c in columns} if all(c in told for c in columns) else {"id": case.id}
    return {**named, ANSWERS: value}
