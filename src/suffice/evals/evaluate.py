"""`evaluate`, the daily verb: one solution on dev, with failures to look at. It never touches the sealed test."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from suffice.errors import SealedError, UsageError
from suffice.evals.report import Report
from suffice.evals.runner import Job, Tally, outcomes
from suffice.evals.seal import dev_cases, in_shape
from suffice.evals.task import Task
from suffice.programs.solution import Solution, check_inputs, from_function
from suffice.store import runs
from suffice.store.database import Store, open_store
from suffice.values import Case, Outcome, Split, content_hash

HOPELESS = 10  # calls in a row, from the first one on, that may fail before a run stops


@runtime_checkable
class Learner(Protocol):
    """A rung, as far as `evaluate` needs to know: something that makes a solution from cases."""

    name: str

    async def fit(self, task: Task, cases: Sequence[Case]) -> Solution:
        """The solution learned from `cases`."""
        ...


async def evaluate(
    task: Task,
    solution: Any,
    *,
    split: Split = "dev",
    concurrency: int = 8,
    timeout: float | None = 120.0,
    fresh: bool = False,
    store: Store | Path | str | None = None,
    on_done: Callable[[Outcome], None] | None = None,
) -> Report:
    """Run `solution` (a function, a Solution or a rung) over the dev cases and report.

    A rung that learns is fitted on train first. Answers already recorded for the same solution and inputs are not
    asked for again unless `fresh`. `concurrency` calls run side by side, each for at most `timeout` seconds. Raises
    SealedError for the test split and SolutionError for a solution whose parameters do not fit.
    """
    _refuse_sealed(task, split)
    with opened(store) as db:
        task = in_shape(db, task, learns(solution))
        cases = _looked_at(db, task, split)
        solved, fitted_on = await _solution(task, solution)
        check_inputs(solved, task.columns.inputs)
        settings = {"split": split, "solution": solved.name, "identity": solved.identity}
        identity = content_hash(["eval", task.fingerprint, solved.identity, split])
        run = runs.start_run(db, "eval", task.name, settings, identity=identity)
        tally = Tally()
        try:
            done, stopped = await _run(
                Job(solved, task.grader, db, run, concurrency, timeout, fresh), cases, on_done, tally
            )
        except BaseException as error:
            runs.finish_run(db, run, "failed" if isinstance(error, Exception) else "interrupted", None)
            raise
        report = Report(
            task=task.name,
            solution=solved.name,
            identity=solved.identity,
            split=split,
            outcomes=tuple(done),
            cluster_name=task.cluster_name,
            fingerprint=task.fingerprint,
            run=run,
            possibly_paid_twice=tally.sent_again,
            stopped=stopped,
            fitted_on=fitted_on,
        )
        runs.finish_run(db, run, "done", report.to_json())
    return report


def learns(solution: Any) -> bool:
    """Whether `solution` is a rung that needs many train cases."""
    return getattr(solution, "out_of_fold", None) is not None or any(map(learns, getattr(solution, "family", ())))


@contextmanager
def opened(store: Store | Path | str | None) -> Generator[Store]:
    """A store for the time of one call: opened and closed here unless the caller brought an open one."""
    if isinstance(store, Store):
        yield store
        return
    with open_store(store) as own:
        yield own


async def _run(
    job: Job, cases: Sequence[Case], on_done: Callable[[Outcome], None] | None, tally: Tally
) -> tuple[list[Outcome], str]:
    done: list[Outcome] = []
    async for outcome in outcomes(job, cases, on_done=on_done, tally=tally):
        done.append(outcome)
        if len(done) == HOPELESS < len(cases) and all(o.failure is not None for o in done):
            return done, f"each of the first {HOPELESS} calls failed; {len(cases) - HOPELESS} cases were not run"
    return done, ""


def _refuse_sealed(task: Task, split: Split) -> None:
    if split == "test":
        raise SealedError(
            "the test cases are sealed: a claim needs cases that nobody tuned on",
            hint=f"decide on them with `suffice climb {task.name}`, or look at some for good with "
            f"`suffice unseal {task.name}`",
        )
    if split not in ("dev", "train"):
        raise UsageError(f"there is no split {split!r}", hint="dev or train")


def _looked_at(db: Store, task: Task, split: Split) -> Sequence[Case]:
    dev = dev_cases(db, task)
    cases = task.train if split == "train" else dev
    if not cases:
        raise UsageError(f"{task.name} has no {split} cases", hint="add cases, or give a dev file")
    return cases


async def _solution(task: Task, solution: Any) -> tuple[Solution, str]:
    if isinstance(solution, Solution):
        return solution, ""
    if isinstance(solution, Learner):
        fitted = await solution.fit(task, task.train)
        return fitted, f"{len(task.train)} train cases" if getattr(solution, "learns", True) else ""
    return from_function(solution), ""
