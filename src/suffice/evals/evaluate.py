"""`evaluate`, the daily verb: one solution on dev, with failures to look at. It never touches the sealed test."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Generator, Sequence
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypedDict, cast, runtime_checkable

from typing_extensions import Unpack

from suffice.errors import SealedError, SolutionError, StoreBusy, StoreError, UsageError
from suffice.evals.barred import ENOUGH, barred_by
from suffice.evals.cost import costs_nothing
from suffice.evals.elsewhere import refuse_claimed
from suffice.evals.endings import ending_notes, explained
from suffice.evals.fitted import fitted_ids
from suffice.evals.recalled import reading_of
from suffice.evals.repeats import Samples, by_case, checked_repeats, merged, sampled
from suffice.evals.report import Report
from suffice.evals.runner import Job, Tally, outcomes
from suffice.evals.seal import cases_for_looking, look
from suffice.evals.searching import Search, SearchRun, instruction_of
from suffice.evals.split import NAME_THEM
from suffice.evals.task import Task
from suffice.evals.thinning import shift_of
from suffice.evals.units import counted_per_cluster
from suffice.models.belonging import Belonging, belonging
from suffice.models.places.opened import opened
from suffice.models.spent_before import count_before
from suffice.programs.learned import learned_from
from suffice.programs.solution import Solution, check_inputs, from_function
from suffice.programs.using import NO_MODEL, maybe_using, model_here, none_named
from suffice.shown import brief
from suffice.store import calls, journal, runs
from suffice.store.calls import CallJournal
from suffice.store.database import Store
from suffice.values import Case, Outcome, Split, content_hash

if TYPE_CHECKING:  # what calls a model is heavy, and most evaluations call none
    from suffice.models.concerns.budget import Budget
    from suffice.models.model import Model

HOPELESS = 10  # calls in a row, from the first one on, that may fail before a run stops


@runtime_checkable
class Learner(Protocol):
    """A rung, as far as `evaluate` needs to know: something that makes a solution from cases."""

    name: str

    async def fit(self, task: Task, cases: Sequence[Case]) -> Solution:
        """The solution learned from `cases`."""
        ...


@dataclass(frozen=True, slots=True)
class How:
    """How to evaluate: the options of `evaluate`."""

    split: Split = "dev"
    concurrency: int = 8
    timeout: float | None = 120.0
    fresh: bool = False
    on_done: Callable[[Outcome], None] | None = None
    budget: Budget | None = None
    repeats: int = 1
    on_line: Callable[[str], None] = lambda line: None


class Calling(TypedDict, total=False):
    """How `evaluate` calls: `concurrency` side by side (8), each at most `timeout` seconds (120; None: for ever).

    `fresh` asks again for what is recorded. `model` is what steps call that say none, `budget` what all model calls
    may cost together. `on_done` hears of each outcome. `repeats` asks each case so many times: its score is the mean,
    and the report says how much the answers vary. `on_line` hears, in sentences, of a search, and of cases that are
    sealed elsewhere.
    """

    concurrency: int
    timeout: float | None
    fresh: bool
    on_done: Callable[[Outcome], None] | None
    model: str | Model | None
    budget: Budget | None
    repeats: int
    on_line: Callable[[str], None]


async def evaluate(
    task: Task,
    solution: Any,
    *,
    split: Split = "dev",
    store: Store | Path | str | None = None,
    **how: Unpack[Calling],
) -> Report:
    """Run `solution` (a function, a Solution or a rung) over the dev cases and report.

    A rung that learns is fitted on train first. Answers already recorded for the same solution and inputs are not
    asked for again unless `fresh`; calls that failed are. `how` is described at Calling. An interrupted evaluation
    goes on where it was, and what it had spent counts against `budget`.

    Raises SealedError for the test split and for cases that a claim was made on under other flags, UsageError for
    options that make no sense and for a rung that does not suit the task, SolutionError for a solution whose
    parameters do not fit, StoreError when answers cannot be recorded: those that were are kept.
    """
    check_task(task)
    refuse_sealed(task, split)
    with opened(store) as db, maybe_using(how.pop("model", None)):
        return await evaluated(db, task, solution, How(split, **cast("dict[str, Any]", how)))


async def evaluated(db: Store, task: Task, solution: Any, how: How) -> Report:
    """`evaluate` on an open store."""
    refuse_sealed(task, how.split)
    checked_repeats(how.repeats)
    cases = _to_look_at(db, task, how.split)
    refuse_claimed(db, task)
    tally = Tally()
    made = await _made(db, task, solution, how, tally)
    solved, run = made.solution, made.run
    repeats = checked_repeats(how.repeats, solved)
    try:
        job = _job(db, task, solved, run, how)
        done, samples, stopped = await _asked(job, repeats, cases, how.on_done, tally)
        if solved.free and solved.batch is not None:  # the runner notes only what may cost
            journal.record_many(db, run, solved.identity, map(_as_recorded, done))
    except BaseException as error:
        with suppress(StoreError):  # a full disk cannot note this, either, and the first error is the one to tell
            runs.finish_run(db, run, "failed" if isinstance(error, Exception) else "interrupted", None)
        raise
    spent, most = calls.spent(db, run), counted_per_cluster(task)
    report = Report(
        task=task.name,
        solution=solved.name,
        identity=solved.identity,
        split=how.split,
        outcomes=tuple(done),
        cluster_name=task.cluster_name,
        fingerprint=task.fingerprint,
        grader=task.grader.identity,
        run=run,
        possibly_paid_twice=max(tally.sent_again, spent.open),  # at the last kill, at all of them
        stopped=stopped,
        fitted_on=made.fitted_on,
        fitted=fitted_ids(task, solved.learned, [o.case for o in done]),
        confidence_from=solved.confidence_from,
        free=costs_nothing(solved),
        spent=spent,
        samples=samples,
        most=most,
        shift=shift_of(done, most),
        notes=(*made.notes, *ending_notes(o for case in samples or [done] for o in case)),
    )
    runs.finish_run(db, run, "done", report.to_record())
    return report


def refuse_stopped(report: Report) -> None:
    """Raise SolutionError for an evaluation that was given up, because its calls kept failing."""
    if report.stopped:
        raise SolutionError(
            f"{report.solution}: {report.stopped}",
            hint="mend it and run the same command: calls that failed are asked again",
        )


def check_task(task: Any) -> None:
    """Raise UsageError for what is no task, with the line that makes one."""
    if not isinstance(task, Task):
        raise UsageError(f"this is no task but a {type(task).__name__}", hint='task = sf.Task.load("tickets.jsonl")')


def _job(db: Store, task: Task, solution: Solution, run: str, how: How) -> Job:
    timeout, fresh = how.timeout, how.fresh
    return Job(solution, task.grader, db, run, how.concurrency, timeout, fresh, retry=True, budget=how.budget)


async def _asked(
    job: Job, repeats: int, cases: Sequence[Case], on_done: Callable[[Outcome], None] | None, tally: Tally
) -> tuple[list[Outcome], Samples, str]:
    """An outcome a case, its samples where it was asked several times, and why the run stopped, if it did."""
    passes: list[list[Outcome]] = []
    stopped = ""
    while len(passes) < repeats and not stopped:
        once = replace(job, solution=sampled(job.solution, len(passes)), sample=len(passes))
        done, stopped = await _run(once, cases, on_done, tally)
        passes.append(done if job.store is None else explained(job.store, once.solution.identity, done))
    if len(passes) == 1:
        return passes[0], (), stopped
    samples = by_case(passes)
    return [merged(case) for case in samples], samples, stopped


async def _run(
    job: Job, cases: Sequence[Case], on_done: Callable[[Outcome], None] | None, tally: Tally
) -> tuple[list[Outcome], str]:
    done: list[Outcome] = []
    async with aclosing(outcomes(job, cases, on_done=on_done, tally=tally)) as line:  # what is in flight ends in here
        async for outcome in line:
            done.append(outcome)
            if len(done) >= min(ENOUGH, len(cases)) and (reason := barred_by(done)):
                return done, f"{reason}; {len(cases) - len(done):,} cases were not run"
            if len(done) == HOPELESS < len(cases) and all(o.failure is not None for o in done):
                return done, f"each of the first {HOPELESS} calls failed; {len(cases) - HOPELESS} cases were not run"
    return done, ""


def _as_recorded(outcome: Outcome) -> tuple[str, journal.Recorded]:
    call = journal.Recorded(outcome.answer, outcome.failure, outcome.seconds, outcome.cost)
    return outcome.case.inputs_hash, call


@dataclass(frozen=True, slots=True)
class _Made:
    """What is to be evaluated, in which run, and what is to be said of it."""

    solution: Solution
    run: str
    fitted_on: str = ""
    notes: tuple[str, ...] = ()


async def _made(db: Store, task: Task, given: Any, how: How, tally: Tally) -> _Made:
    """The solution that `given` is or makes; train and dev count as shown once nothing can refuse any more."""
    search: Search | None = getattr(given, "search", None)
    if search is not None and isinstance(given, Learner):
        return await _found(db, task, given, search, how, tally)
    with _recorded(db, how):
        solved, fitted_on = await _solution(task, given)
    check_inputs(solved, task.columns.inputs)
    checked_repeats(how.repeats, solved)
    notes = _look(db, task, how)
    run = _begun(db, task, given, (solved.name, solved.identity), how)
    return _Made(solved, run, fitted_on, notes)


async def _found(db: Store, task: Task, rung: Learner, search: Search, how: How, tally: Tally) -> _Made:
    """What a rung finds by asking on train: its calls are part of the run, so that they are in its figures."""
    _refuse_unsuited(task, rung)
    notes = _look(db, task, how)
    run = _begun(db, task, rung, (rung.name, content_hash([getattr(rung, "identity", ""), model_here()])), how)

    async def put(solution: Solution, cases: Sequence[Case]) -> list[Outcome]:
        return [o async for o in outcomes(_job(db, task, solution, run, how), cases, tally=tally)]

    try:
        with _recorded(db, how, run):
            found = await search(task, SearchRun(put, lambda line: how.on_line(f"{rung.name}: {line}")))
        check_inputs(found.solution, task.columns.inputs)
    except BaseException as error:
        with suppress(StoreError):
            runs.finish_run(db, run, "failed" if isinstance(error, Exception) else "interrupted", None)
        raise
    how.on_line(f"{rung.name}: {found.note}")
    said = instruction_of(found.solution)
    return _Made(found.solution, run, notes=(*notes, found.note, *([f"its instruction: {said}"] if said else ())))


def _look(db: Store, task: Task, how: How) -> tuple[str, ...]:
    """What there is to say of the cases; also of those that were given as this split and went to one without any."""
    note = look(db, task)
    drawn = [n for n in task.split_notes if "drawn out of the given" in n] if how.split in task.given else []
    if note is None:
        return tuple(drawn)
    how.on_line(f"note: {note}")
    return (note, *drawn)


def _begun(db: Store, task: Task, given: Any, what: tuple[str, str], how: How) -> str:
    """A new run, or the same evaluation's last one where it was cut off: then it is known which calls it had begun, and
    what they cost counts against the budget. `what` is the name and the identity of what is evaluated, or of what
    finds it; what was `given` knows how it was typed."""
    name, solution = what
    identity = content_hash(["eval", task.fingerprint, solution, how.split])
    last = runs.latest(db, "eval", identity)
    run = None
    if last is not None and last.state in ("interrupted", "failed"):
        with suppress(StoreBusy):  # another process was faster: both go on, each with a run of its own
            run = runs.resume_run(db, last.id).id
    if run is None:
        typed = getattr(given, "as_typed", "")
        settings = {"split": how.split, "solution": name, "identity": solution, **reading_of(task)}
        settings |= {"typed": typed} if typed and isinstance(typed, str) else {}
        run = runs.start_run(db, "eval", task.name, settings, identity=identity)
    count_before(db, run, how.budget)
    return run


def refuse_sealed(task: Task, split: Split) -> None:
    """Raise SealedError for the test split, with the line to type instead, and UsageError for one that is none."""
    if split == "test":
        raise SealedError("the test cases are sealed: a claim needs cases that nobody tuned on", hint=_instead(task))
    if split not in ("dev", "train"):
        raise UsageError(f"there is no split {brief(split)}", hint="dev or train")


def _instead(task: Task) -> str:
    if task.path is None:
        return f"decide on them with `await sf.climb(task, [solution], bar={task.bar or 0.9:g})`"
    path = shlex.quote(str(task.path))
    climb = f"suffice climb {path}" + ("" if task.bar is not None else " --bar .9")
    return f"decide on them with `{climb}`, or look at some for good with `suffice unseal {path}`"


def _to_look_at(db: Store, task: Task, split: Split) -> Sequence[Case]:
    cases = task.train if split == "train" else cases_for_looking(db, task)
    if not cases:
        raise UsageError(f"{task.name} has no {split} cases", hint=NAME_THEM)
    return cases


@contextmanager
def _recorded(db: Store, how: How, run: str | None = None) -> Generator[None]:
    """Let model calls that a rung makes to be fitted be recorded and looked up, within the budget. Where they are made
    before it is known which run this is, they are in no run's figures."""
    journaled = CallJournal(db, run)
    try:
        with belonging(Belonging(journaled, fresh=how.fresh, budget=how.budget)):
            yield
    finally:
        journaled.close()


async def _solution(task: Task, solution: Any) -> tuple[Solution, str]:
    if isinstance(solution, Solution):
        return cast("Solution", solution), ""
    if not isinstance(solution, Learner):
        return from_function(solution), ""
    _refuse_unsuited(task, solution)
    fitted = await solution.fit(task, task.train)
    if not getattr(solution, "learns", True):
        return fitted, ""
    return learned_from(fitted, (c.key for c in task.train)), f"{len(task.train)} train cases"


def _refuse_unsuited(task: Task, rung: Learner) -> None:
    unsuited: Callable[[Task], str | None] | None = getattr(rung, "unsuited", None)
    reason = unsuited(task) if unsuited is not None else None
    if reason == NO_MODEL:
        raise none_named(rung.name, task.name)
    if reason is not None:
        raise UsageError(f"{rung.name} cannot be tried on {task.name}: {reason}", hint="bring another solution")
