"""An evaluation that was run earlier, case by case: its answers read back from the journal and graded as they were.

A run remembers its figures and where its task was read from; the journal has every answer by solution and input.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from suffice.errors import UsageError
from suffice.evals.endings import explained
from suffice.evals.repeats import merged, sample_identity
from suffice.evals.report import Report
from suffice.evals.runner import graded
from suffice.evals.seal import dev_cases
from suffice.evals.task import Task
from suffice.shown import counted, listed
from suffice.store import journal
from suffice.store.database import Store
from suffice.store.runs import Run
from suffice.values import Case, Json, Outcome, to_json

NOT_KEPT = ("trust", "bar", "tolerance", "coverage", "ladder")  # trust is said each time; the others decide no score


def reading_of(task: Task) -> dict[str, Json]:
    """Where `task` was read from and how, so that it can be read again: empty where it came from Python, and where
    what was said of it is a type or a function."""
    if task.path is None:
        return {}
    try:
        said: Json = {name: to_json(value) for name, value in task.options.items() if name not in NOT_KEPT}
    except TypeError:
        return {}
    return {"path": str(task.path.absolute()), "options": said}


def recalled(store: Store, run: Run, *, trust: bool = False) -> dict[str, Json]:
    """The report of a finished evaluation, in the form of `Report.to_json`, with `notes` on what is not as it was.

    Cases without an answer of this solution are left out and named in the notes. Where the task has changed since,
    cases are graded as it is now. Nothing is asked. `trust` runs a Python grader of the task's folder.

    Raises UsageError for a run that has no report or whose task cannot be read again, DataError for a task that
    became unreadable, StoreError.
    """
    record = _finished(run)
    if "path" not in run.settings:
        raise UsageError(
            f"{run.id} does not say where its cases are: its task came from Python, or an older version ran it",
            hint="suffice eval TASK SOLUTION again asks for nothing twice; report.save(FILE) in Python, then view FILE",
        )
    said: dict[str, Any] = {**run.settings["options"], "trust": trust}
    task = Task.load(run.settings["path"], **said)
    cases = task.train if record["split"] == "train" else dev_cases(store, task)
    repeats: dict[str, Any] = record.get("repeats") or {}
    samples, missing = _samples(store, run, task, cases, repeats.get("most", 1))
    found = [merged(asked) for asked in samples]
    if not found:
        raise UsageError(
            f"no case of {task.name} has an answer of {run.id} any more: the task is another one now, or its answers "
            "were not kept (store.keep) or forgotten",
            hint="suffice eval TASK SOLUTION, then suffice view",
        )
    ids = {o.case.id for o in found}
    report = Report(
        task=record["task"],
        solution=record["solution"],
        identity=record["identity"],
        split=record["split"],
        outcomes=tuple(found),
        cluster_name=task.cluster_name,
        fingerprint=task.fingerprint,
        grader=task.grader.identity,
        run=run.id,
        stopped=record.get("stopped", ""),
        fitted=frozenset(record.get("fitted_ids", ())) & ids,
        confidence_from=record.get("confidence_from"),
        free=bool(record.get("free")),
        samples=tuple(samples) if any(len(asked) > 1 for asked in samples) else (),
    )
    changed = task.fingerprint != record["fingerprint"]
    notes = _notes(run.id, record, report, missing, changed)
    return {**report.to_json(), "spent": record.get("spent"), "notes": [*record.get("notes", []), *notes]}


def _finished(run: Run) -> Mapping[str, Any]:
    result: Any = run.result or {}
    if "suffice_report" not in result:
        what = (
            f"it is {run.state}"
            if run.kind == "eval"
            else f"it is {'an' if run.kind[0] in 'aeiou' else 'a'} {run.kind}"
        )
        raise UsageError(
            f"{run.id} has no report: {what}",
            hint="the same eval again goes on" if run.kind == "eval" else "suffice runs --kind eval",
        )
    return result


def _samples(
    store: Store, run: Run, task: Task, cases: Sequence[Case], repeats: int
) -> tuple[list[tuple[Outcome, ...]], list[Case]]:
    """What the journal has of the solution on each of `cases`, graded, and the cases of which it has nothing."""
    hashes = [c.inputs_hash for c in cases]
    names = [sample_identity(_finished(run)["identity"], k) for k in range(repeats)]
    passes = [journal.lookup(store, name, hashes, run=run.id) for name in names]
    samples: dict[int, list[Outcome]] = {}
    for name, known in zip(names, passes, strict=True):
        at = [i for i, case in enumerate(cases) if case.inputs_hash in known]
        done = [_outcome(task, cases[i], known[cases[i].inputs_hash]) for i in at]
        for i, outcome in zip(at, explained(store, name, done), strict=True):
            samples.setdefault(i, []).append(outcome)
    return [tuple(samples[i]) for i in sorted(samples)], [c for i, c in enumerate(cases) if i not in samples]


def _outcome(task: Task, case: Case, row: journal.Recorded) -> Outcome:
    score = None if row.answer is None else graded(task.grader, row.answer, case)
    return Outcome(case, row.answer, score, row.failure, row.seconds, recorded=True, cost=row.cost)


def _notes(run: str, record: Mapping[str, Any], report: Report, missing: Sequence[Case], changed: bool) -> list[Json]:
    """What is not as it was when the run ended, in sentences."""
    out: list[Json] = []
    if changed:
        out.append(f"The task has changed since {run}: its answers are graded by the task as it is now.")
    if missing:
        out.append(f"{counted(len(missing), 'case')} without an answer of {run}: {listed(c.source for c in missing)}.")
    then = [record["n"], record["right"], record["abstained"], record["errors"]]
    now = [report.n, sum(o.right for o in report.outcomes), len(report.abstained), len(report.errors)]
    if then != now and not changed:
        out.append(
            f"Some of it was asked anew since {run}, which had {record['right']:,} right of {record['n']:,}, "
            f"{record['abstained']:,} handed on and {counted(record['errors'], 'error')}: shown is the latest answer."
        )
    return out
