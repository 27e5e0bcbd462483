"""The runner: one solution over many cases, in order, side by side, journaled, resumable. It decides nothing."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from itertools import islice

from suffice.errors import BudgetError, SolutionError, UsageError
from suffice.evals.grade import Grader
from suffice.evals.grading import graded, scored
from suffice.models.belonging import Belonging, Meter, belong, current
from suffice.models.concerns.budget import Budget
from suffice.numbers import is_number, is_whole
from suffice.programs.solution import Solution, attempt
from suffice.programs.threads import in_thread
from suffice.spans import tree, unseen
from suffice.store import journal
from suffice.store.calls import CallJournal
from suffice.store.database import Store
from suffice.store.desks import Desks
from suffice.store.traces import KEEP, trace_row
from suffice.values import ABSTAIN, Answer, Case, Cost, Failure, Graded, Outcome, Score, content_hash, to_json

BATCH = 2_000  # cases looked up, or answered by a free solution, at a time


@dataclass(frozen=True, slots=True)
class Job:
    """What to run and how.

    `concurrency` is the most calls in flight; `timeout` in seconds a call (None: for ever). With `store` None nothing
    is remembered. `run` owns the failures: recorded answers are reused by any run, recorded failures only by the same
    one (and not where it says `retry`). `fresh` calls everything anew. A `sealed` job writes down scores and hashes,
    never text. `budget` holds for the model calls inside, which belong to the run. `sample` above 0 asks once more
    (repeats.py): model calls recorded for another sample are not looked up. Raises UsageError for a concurrency or
    time-out that allows no call.
    """

    solution: Solution
    grader: Grader
    store: Store | None = None
    run: str = ""
    concurrency: int = 8
    timeout: float | None = 120.0
    fresh: bool = False
    sealed: bool = False
    retry: bool = False
    budget: Budget | None = None
    sample: int = 0

    def __post_init__(self) -> None:
        if not is_whole(self.concurrency, 1):
            raise UsageError(f"a concurrency is at least 1, not {self.concurrency!r:.40}", hint="--concurrency 8")
        if self.timeout is not None and not (is_number(self.timeout, 0.0) and self.timeout > 0):
            raise UsageError(f"a time-out is more than 0 seconds, not {self.timeout!r:.40}", hint="--timeout 120")


@dataclass(slots=True)
class Tally:
    """What a run counts besides its outcomes: calls sent again that an interrupted run may have paid already."""

    sent_again: int = 0


async def outcomes(
    job: Job,
    cases: Sequence[Case],
    window: Callable[[], int] | None = None,
    on_done: Callable[[Outcome], None] | None = None,
    tally: Tally | None = None,
) -> AsyncGenerator[Outcome]:
    """The outcomes in the order of `cases`, however the calls finish.

    `window()` is asked before each start: no more than that many cases are ever ahead of the last one yielded.
    `on_done` hears of each outcome as soon as it is known. Raises StoreError when the journal cannot be written: then
    nothing more is started. Leaving the loop early cancels the calls in flight.
    """
    if job.solution.free and job.solution.batch is not None:
        async for outcome in _batched(job, cases, on_done):
            yield outcome
        return
    known, rows = _recorded(job, cases)
    line = _Line(job, cases, window, on_done, known, rows)
    try:
        with _untold(job):
            async for outcome in line.outcomes():
                yield outcome
    finally:
        await line.close()
        if tally is not None and line.writer is not None:
            tally.sent_again += line.writer.sent_again


def _untold(job: Job) -> AbstractContextManager[None]:
    """While sealed cases run, a model call that has lost its way out of the run (a thread's own) is noted nowhere."""
    if not job.sealed:
        return nullcontext()
    from suffice.models.telemetry import no_telemetry  # heavy, and of no use on dev

    return no_telemetry()


class _Line:
    """The moving part of one run: what is started, what is known, and who waits for it."""

    def __init__(
        self,
        job: Job,
        cases: Sequence[Case],
        window: Callable[[], int] | None,
        on_done: Callable[[Outcome], None] | None,
        known: dict[int, Outcome],
        rows: dict[int, journal.Recorded],
    ) -> None:
        self.job, self.cases, self.window, self.on_done = job, cases, window, on_done
        self.known, self.rows = known, rows
        self.writer = journal.Writer(job.store, job.run) if job.store is not None else None
        self.tasks: set[asyncio.Task[None]] = set()
        self.changed = asyncio.Event()
        self.started = self.given = 0
        self.error: BaseException | None = None
        names = Counter[str](_noted_as(job, case) for case in (cases if job.store is not None else ()))
        self.twins = {name: asyncio.Lock() for name, n in names.items() if n > 1}  # the same input more than once
        self.first: dict[str, Outcome] = {}
        self.belongs = _belonging(job, self.writer)

    async def outcomes(self) -> AsyncIterator[Outcome]:
        while self.given < len(self.cases):
            self._start()
            if self.error is not None:
                if isinstance(self.error, BudgetError):  # what is in flight is paid: its answers are kept
                    await asyncio.gather(*self.tasks, return_exceptions=True)
                raise self.error
            if self.given < self.started and self.given in self.known:
                outcome = self.known.pop(self.given)
                self.given += 1
                yield outcome
                continue
            self.changed.clear()
            await self.changed.wait()

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        if self.belongs is not None:
            self.belongs.journal.close()

    def _start(self) -> None:
        ahead = len(self.cases) if self.window is None else max(1, self.window())
        stop = min(len(self.cases), self.given + ahead)
        while self.started < stop and len(self.tasks) < self.job.concurrency:
            i, self.started = self.started, self.started + 1
            if i in self.known:
                if self.on_done is not None:
                    self.on_done(self.known[i])
                continue
            task = asyncio.create_task(self._one(i) if self.belongs is None else self._inside(self.belongs, i))
            self.tasks.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if task.cancelled():  # by `close`, when nobody asks any more; else by the solution itself
            hint = "a solution must not cancel the task that it runs in"
            self.error = self.error or SolutionError(f"{self.job.solution.name} cancelled its own call", hint=hint)
        elif (error := task.exception()) is not None:
            self.error = self.error or error
        self.changed.set()

    async def _inside(self, run: Belonging, i: int) -> None:
        belong(replace(run, meter=Meter(), case=self.cases[i].inputs_hash))
        await self._one(i)

    async def _one(self, i: int) -> None:
        case = self.cases[i]
        name = _noted_as(self.job, case) if self.twins else ""
        if i in self.rows:
            outcome = await _regraded(self.job, case, self.rows.pop(i))
        elif name not in self.twins:
            outcome = await _call(self.job, case, self.writer)
        else:
            async with self.twins[name]:  # asked and paid once
                first = self.first.get(name)
                outcome = await (
                    _call(self.job, case, self.writer) if first is None else _shared(self.job, case, first)
                )
                self.first[name] = outcome
        self.known[i] = outcome
        if self.on_done is not None:
            self.on_done(outcome)


def _belonging(job: Job, writer: journal.Writer | None) -> Belonging | None:
    """What the model calls of a job share; None where nothing is remembered."""
    if job.store is None or writer is None:
        return None
    calls = CallJournal(job.store, job.run or None, Desks(job.store, writer.commits))
    return Belonging(calls, fresh=job.fresh, sealed=job.sealed, budget=job.budget, sample=job.sample)


async def _call(job: Job, case: Case, writer: journal.Writer | None) -> Outcome:
    if writer is not None:
        await writer.intend(job.solution.identity, _noted_as(job, case))
    began = time.perf_counter()
    try:
        with _tree(job, case, writer):
            answer, failure = await attempt(job.solution, case.inputs, job.timeout)
    except (BudgetError, UsageError):  # nothing of it is in flight
        if writer is not None:
            await writer.withdraw(job.solution.identity, _noted_as(job, case))
        raise
    outcome = await _outcome(job, case, answer, failure, *_metered(time.perf_counter() - began))
    if writer is not None:
        await _write(job, outcome, writer)
    return outcome


@contextmanager
def _tree(job: Job, case: Case, writer: journal.Writer | None) -> Generator[None]:
    """While the solution is asked, its steps, tools and calls grow a tree, which is kept where it is more than one
    call. Nothing is noted of a sealed case, nor shown to OpenTelemetry."""
    if writer is None or job.sealed or not job.run:
        with unseen() if job.sealed else nullcontext():
            yield
        return
    with tree(job.solution.name) as root:
        root.note, root.source = case.id, case.source
        yield
    if any(below.children for below in root.children) or len(root.children) > 1:
        writer.commits.hand_in([(KEEP, trace_row(job.run, root, job.solution.identity, case.inputs_hash))])


def _metered(seconds: float) -> tuple[float | None, Cost | None]:
    """The latency of the case in hand, which took so many seconds here, and what its model calls cost: None where
    nobody counts."""
    run = current()
    if run is None or run.meter is None:
        return seconds, None
    return run.meter.seconds(seconds), run.meter.total


async def _shared(job: Job, case: Case, first: Outcome) -> Outcome:
    """What another case with the same input gets: the same answer, graded by its own expected value."""
    if job.sealed or first.answer is None:
        return replace(first, case=case, recorded=True)
    score = await scored(job.grader, first.answer, case)
    return replace(first, case=case, score=score, recorded=True)


async def _outcome(
    job: Job,
    case: Case,
    answer: Answer | None,
    failure: Failure | None,
    seconds: float | None,
    cost: Cost | None = None,
) -> Outcome:
    if answer is None:
        assert failure is not None
        shown = Failure(failure.kind, "held back: the case is sealed") if job.sealed else failure
        return Outcome(case, None, None, shown, seconds, cost=cost)
    score, fault = None, ""
    try:
        score = await scored(job.grader, answer, case)
    except Exception as error:
        if not job.sealed:
            raise
        fault = type(error).__name__
    if score is None:  # raised out here, so that the error carries no context with the case in it
        raise _held_back(f"the grader {job.grader.name}", fault)
    if job.sealed:  # nothing of a sealed case travels on but right or wrong, and whether it was answered
        value = ABSTAIN if answer.value is ABSTAIN else Graded(score.value)
        hidden = Score(score.value, "handed on" if value is ABSTAIN else "sealed")
        return Outcome(case, Answer(value, by=answer.by), hidden, None, seconds, cost=cost)
    return Outcome(case, answer, score, None, seconds, cost=cost)


def _held_back(what: str, fault: str) -> SolutionError:
    return SolutionError(
        f"{what} failed on a sealed case ({fault}); its text is held back",
        hint="run `suffice eval` on dev, where the failure can be shown",
    )


async def _write(job: Job, outcome: Outcome, writer: journal.Writer) -> None:
    solution, inputs = job.solution.identity, _noted_as(job, outcome.case)
    if job.sealed:
        await writer.record_sealed(solution, job.grader.identity, inputs, _scored(outcome))
    else:
        call = journal.Recorded(outcome.answer, outcome.failure, outcome.seconds, outcome.cost)
        await writer.record(solution, inputs, call)


def _scored(outcome: Outcome) -> journal.Scored:
    """What the journal keeps of a sealed case: no text, and no hash of the answer, which a short list would undo."""
    if outcome.score is None:
        kind = outcome.failure.kind if outcome.failure is not None else "raised"
        return journal.Scored(None, False, None, kind, outcome.seconds, outcome.cost)
    return journal.Scored(outcome.score.value, not outcome.abstained, None, None, outcome.seconds, outcome.cost)


async def _batched(
    job: Job, cases: Sequence[Case], on_done: Callable[[Outcome], None] | None
) -> AsyncIterator[Outcome]:
    """A free solution answers in batches on a thread; it is not journaled, because asking again costs nothing."""
    assert job.solution.batch is not None
    for begin in range(0, len(cases), BATCH):
        some = cases[begin : begin + BATCH]
        batch = job.solution.batch
        began = time.perf_counter()
        answers, fault = None, ""
        try:
            answers = await in_thread(lambda batch=batch, some=some: batch([c.inputs for c in some]))
        except Exception as error:
            if not job.sealed:
                raise
            fault = type(error).__name__
        if answers is None:
            raise _held_back(job.solution.name, fault)
        seconds = (time.perf_counter() - began) / len(some)
        done = (_outcome(job, case, answer, None, seconds) for case, answer in zip(some, answers, strict=True))
        async for outcome in _side_by_side(done, job.concurrency if job.grader.slow else 1):
            if on_done is not None:
                on_done(outcome)
            yield outcome


async def _side_by_side(done: Iterable[Awaitable[Outcome]], at_once: int) -> AsyncIterator[Outcome]:
    """The outcomes in their order, `at_once` of them awaited at a time."""
    waiting = iter(done)
    while some := list(islice(waiting, at_once)):
        for outcome in await asyncio.gather(*some) if len(some) > 1 else [await some[0]]:
            yield outcome


def _recorded(job: Job, cases: Sequence[Case]) -> tuple[dict[int, Outcome], dict[int, journal.Recorded]]:
    """What the journal already knows, by position, and the answers among it that a slow grader is yet to score.

    Asked for in parts, so that memory holds the outcomes alone.
    """
    known: dict[int, Outcome] = {}
    rows: dict[int, journal.Recorded] = {}
    if job.store is not None and not job.fresh:
        for begin in range(0, len(cases), BATCH):
            known |= _looked_up(job, job.store, dict(enumerate(cases[begin : begin + BATCH], begin)), rows)
    return known, rows


def first_unrecorded(job: Job, cases: Sequence[Case]) -> Case | None:
    """The first of `cases` that would be called for, None where the journal knows all of them. Raises StoreError."""
    known, rows = _recorded(job, cases)
    return next((case for i, case in enumerate(cases) if i not in known and i not in rows), None)


def _looked_up(
    job: Job, store: Store, cases: Mapping[int, Case], later: dict[int, journal.Recorded]
) -> dict[int, Outcome]:
    solution, names = job.solution.identity, {i: _noted_as(job, c) for i, c in cases.items()}
    if job.sealed:
        sealed = journal.lookup_sealed(store, solution, job.grader.identity, names.values(), run=job.run)
        return {i: _from_sealed(c, sealed[names[i]]) for i, c in cases.items() if names[i] in sealed}
    rows = journal.lookup(store, solution, names.values(), run=None if job.retry else job.run)
    found = {i: rows[name] for i, name in names.items() if name in rows}
    if job.grader.slow:
        later |= {i: row for i, row in found.items() if row.answer is not None}
    return {i: _from_open(job, cases[i], row) for i, row in found.items() if i not in later}


def _noted_as(job: Job, case: Case) -> str:
    """What the journal calls a case: its inputs; sealed, where no answer is kept that could be graded again, its
    expected value, too, so that a corrected label is not scored by the old one."""
    return content_hash([case.inputs_hash, to_json(case.expected)]) if job.sealed else case.inputs_hash


def _from_open(job: Job, case: Case, row: journal.Recorded) -> Outcome:
    if row.answer is None:
        return Outcome(case, None, None, row.failure, row.seconds, recorded=True, cost=row.cost)
    score = graded(job.grader, row.answer, case)
    return Outcome(case, row.answer, score, None, row.seconds, recorded=True, cost=row.cost)


async def _regraded(job: Job, case: Case, row: journal.Recorded) -> Outcome:
    """A recorded answer under a slow grader."""
    assert row.answer is not None
    score = await scored(job.grader, row.answer, case)
    return Outcome(case, row.answer, score, None, row.seconds, recorded=True, cost=row.cost)


def _from_sealed(case: Case, row: journal.Scored) -> Outcome:
    if row.pass_score is None:
        failure = Failure(row.failure_kind or "raised", "held back: the case is sealed")
        return Outcome(case, None, None, failure, row.seconds, recorded=True, cost=row.cost)
    value = Graded(row.pass_score) if row.answered else ABSTAIN
    return Outcome(case, Answer(value), Score(row.pass_score, "sealed"), None, row.seconds, True, row.cost)
