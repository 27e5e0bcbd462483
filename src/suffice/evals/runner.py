"""The runner: one solution over many cases, in order, side by side, journaled, resumable. It decides nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from suffice.errors import SolutionError, SufficeError
from suffice.evals.grade import Grader
from suffice.programs.solution import Solution, attempt
from suffice.programs.threads import in_thread
from suffice.store import journal
from suffice.store.database import Store
from suffice.values import ABSTAIN, Answer, Case, Failure, Graded, Outcome, Score, to_json

BATCH = 2_000  # cases a free solution answers between two looks at the clock


@dataclass(frozen=True, slots=True)
class Job:
    """What to run and how.

    `concurrency` is the most calls in flight; `timeout` in seconds a call (None: for ever). With `store` None nothing
    is remembered. `run` owns the failures: recorded answers are reused by any run, recorded failures only by the same
    one. `fresh` calls everything anew. A `sealed` job writes down scores and hashes, never text.
    """

    solution: Solution
    grader: Grader
    store: Store | None = None
    run: str = ""
    concurrency: int = 8
    timeout: float | None = 120.0
    fresh: bool = False
    sealed: bool = False


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
) -> AsyncIterator[Outcome]:
    """The outcomes in the order of `cases`, however the calls finish.

    `window()` is asked before each start: no more than that many cases are ever ahead of the last one yielded.
    `on_done` hears of each outcome as soon as it is known. Raises StoreError when the journal cannot be written: then
    nothing more is started. Leaving the loop early cancels the calls in flight.
    """
    if job.solution.free and job.solution.batch is not None:
        async for outcome in _batched(job, cases, on_done):
            yield outcome
        return
    known = _recorded(job, cases)
    line = _Line(job, cases, window, on_done, known)
    try:
        async for outcome in line.outcomes():
            yield outcome
    finally:
        await line.close()
        if tally is not None and line.writer is not None:
            tally.sent_again += line.writer.sent_again


def graded(grader: Grader, answer: Answer, case: Case) -> Score:
    """The score of one answer: ABSTAIN is 0 ("handed on"), a Graded value its own score, else the grader's."""
    if isinstance(answer.value, Graded):
        return Score(answer.value.score, "as recorded")
    if answer.value is ABSTAIN:
        return Score(0.0, "handed on")
    return grader(to_json(answer.value), case)


class _Line:
    """The moving part of one run: what is started, what is known, and who waits for it."""

    def __init__(
        self,
        job: Job,
        cases: Sequence[Case],
        window: Callable[[], int] | None,
        on_done: Callable[[Outcome], None] | None,
        known: dict[int, Outcome],
    ) -> None:
        self.job, self.cases, self.window, self.on_done = job, cases, window, on_done
        self.known = known
        self.writer = journal.Writer(job.store, job.run) if job.store is not None else None
        self.tasks: set[asyncio.Task[None]] = set()
        self.changed = asyncio.Event()
        self.started = self.given = 0
        self.error: BaseException | None = None

    async def outcomes(self) -> AsyncIterator[Outcome]:
        while self.given < len(self.cases):
            self._start()
            if self.error is not None:
                raise self.error
            if self.given in self.known:
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

    def _start(self) -> None:
        ahead = len(self.cases) if self.window is None else max(1, self.window())
        stop = min(len(self.cases), self.given + ahead)
        while self.started < stop and len(self.tasks) < self.job.concurrency:
            i, self.started = self.started, self.started + 1
            if i in self.known:
                if self.on_done is not None:
                    self.on_done(self.known[i])
                continue
            task = asyncio.create_task(self._one(i))
            self.tasks.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.error = self.error or error
        self.changed.set()

    async def _one(self, i: int) -> None:
        outcome = await _call(self.job, self.cases[i], self.writer)
        self.known[i] = outcome
        if self.on_done is not None:
            self.on_done(outcome)


async def _call(job: Job, case: Case, writer: journal.Writer | None) -> Outcome:
    if writer is not None:
        await writer.intend(job.solution.identity, case.inputs_hash)
    began = time.perf_counter()
    answer, failure = await attempt(job.solution, case.inputs, job.timeout)
    outcome = _outcome(job, case, answer, failure, time.perf_counter() - began)
    if writer is not None:
        await _write(job, outcome, writer)
    return outcome


def _outcome(job: Job, case: Case, answer: Answer | None, failure: Failure | None, seconds: float | None) -> Outcome:
    if answer is None:
        assert failure is not None
        shown = Failure(failure.kind, "held back: the case is sealed") if job.sealed else failure
        return Outcome(case, None, None, shown, seconds)
    try:
        score = graded(job.grader, answer, case)
    except SufficeError as error:
        if not job.sealed:
            raise
        raise SolutionError(
            f"the grader {job.grader.name} failed on a sealed case ({type(error).__name__}); its text is held back",
            hint="run `suffice eval` on dev, where the failure can be shown",
        ) from None
    if job.sealed:  # nothing of a sealed case travels on but right or wrong, and whether it was answered
        value = ABSTAIN if answer.value is ABSTAIN else Graded(score.value)
        hidden = Score(score.value, "handed on" if value is ABSTAIN else "sealed")
        return Outcome(case, Answer(value, by=answer.by), hidden, None, seconds)
    return Outcome(case, answer, score, None, seconds)


async def _write(job: Job, outcome: Outcome, writer: journal.Writer) -> None:
    solution, inputs = job.solution.identity, outcome.case.inputs_hash
    if job.sealed:
        await writer.record_sealed(solution, job.grader.identity, inputs, _scored(outcome))
    else:
        await writer.record(solution, inputs, journal.Recorded(outcome.answer, outcome.failure, outcome.seconds))


def _scored(outcome: Outcome) -> journal.Scored:
    """What the journal keeps of a sealed case: no text, and no hash of the answer, which a short list would undo."""
    if outcome.score is None:
        kind = outcome.failure.kind if outcome.failure is not None else "raised"
        return journal.Scored(None, answered=False, failure_kind=kind, seconds=outcome.seconds)
    return journal.Scored(outcome.score.value, answered=not outcome.abstained, seconds=outcome.seconds)


async def _batched(
    job: Job, cases: Sequence[Case], on_done: Callable[[Outcome], None] | None
) -> AsyncIterator[Outcome]:
    """A free solution answers in batches on a thread; it is not journaled, because asking again costs nothing."""
    assert job.solution.batch is not None
    for begin in range(0, len(cases), BATCH):
        some = cases[begin : begin + BATCH]
        batch = job.solution.batch
        began = time.perf_counter()
        answers = await in_thread(lambda batch=batch, some=some: batch([c.inputs for c in some]))
        seconds = (time.perf_counter() - began) / len(some)
        for case, answer in zip(some, answers, strict=True):
            outcome = _outcome(job, case, answer, None, seconds)
            if on_done is not None:
                on_done(outcome)
            yield outcome


def _recorded(job: Job, cases: Sequence[Case]) -> dict[int, Outcome]:
    """What the journal already knows, by position."""
    if job.store is None or job.fresh or not cases:
        return {}
    solution, hashes = job.solution.identity, [c.inputs_hash for c in cases]
    if job.sealed:
        sealed = journal.lookup_sealed(job.store, solution, job.grader.identity, hashes, run=job.run)
        return {i: _from_sealed(c, sealed[c.inputs_hash]) for i, c in enumerate(cases) if c.inputs_hash in sealed}
    rows = journal.lookup(job.store, solution, hashes, run=job.run)
    return {i: _from_open(job, c, rows[c.inputs_hash]) for i, c in enumerate(cases) if c.inputs_hash in rows}


def _from_open(job: Job, case: Case, row: journal.Recorded) -> Outcome:
    if row.answer is None:
        return Outcome(case, None, None, row.failure, row.seconds, recorded=True)
    return Outcome(case, row.answer, graded(job.grader, row.answer, case), None, row.seconds, recorded=True)


def _from_sealed(case: Case, row: journal.Scored) -> Outcome:
    if row.pass_score is None:
        failure = Failure(row.failure_kind or "raised", "held back: the case is sealed")
        return Outcome(case, None, None, failure, row.seconds, recorded=True)
    value = Graded(row.pass_score) if row.answered else ABSTAIN
    return Outcome(case, Answer(value), Score(row.pass_score, "sealed"), None, row.seconds, recorded=True)
