"""Slow graders: side by side, off the event loop, also where answers are recorded."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from suffice.errors import SolutionError
from suffice.evals import grade
from suffice.evals.grading import all_scored
from suffice.evals.runner import Job, outcomes
from suffice.evals.split import SealedCase
from suffice.programs.solution import from_function
from suffice.store.database import open_store
from suffice.store.runs import start_run
from suffice.values import ABSTAIN, Answer, Case, Graded, Outcome, Score, content_hash


def cases(n: int, kind: Any = Case) -> list[Case]:
    return [kind(f"c{i}", f"in {i}", f"in {i}", f"c{i}", f"t:{i}", f"k{i}", content_hash(f"in {i}")) for i in range(n)]


class Meeting:
    """A grader that is only through when `n` of its calls are under way at once."""

    def __init__(self, n: int) -> None:
        self.barrier = threading.Barrier(n, timeout=10)
        self.threads: set[int] = set()

    def grader(self, *, slow: bool = True) -> grade.Grader:
        def run(output: Any, case: Case) -> Score:
            self.threads.add(threading.get_ident())
            self.barrier.wait()
            return Score(float(output == case.expected), "met")

        return grade.Grader("meeting", run, identity="meeting", slow=slow)


async def run(job: Job, some: list[Case]) -> list[Outcome]:
    return [o async for o in outcomes(job, some)]


def echo(text: str) -> str:
    return text


def test_slow_graders_run_side_by_side_on_threads_and_outcomes_keep_their_order(tmp_path: Path) -> None:
    meeting = Meeting(4)
    with open_store(tmp_path) as store:
        job = Job(from_function(echo), meeting.grader(), store, start_run(store, "eval", "t", {}), concurrency=4)
        for _ in range(2):  # the second time every answer is recorded, and graded again
            done = asyncio.run(run(job, cases(8)))
            assert [o.case.id for o in done] == [f"c{i}" for i in range(8)]
            assert all(o.right for o in done)
        assert all(o.recorded for o in done)
    assert threading.get_ident() not in meeting.threads


def test_the_loop_goes_on_while_a_slow_grader_works() -> None:
    began, ticked = threading.Event(), threading.Event()

    def waits(output: str, case: Case) -> bool:
        began.set()
        return ticked.wait(10)

    async def both() -> list[Outcome]:
        async def tick() -> None:
            while not began.is_set():
                await asyncio.sleep(0)
            ticked.set()

        return (
            await asyncio.gather(run(Job(from_function(echo), grade.function(waits, slow=True)), cases(1)), tick())
        )[0]

    assert asyncio.run(both())[0].right


def test_what_a_slow_grader_raises_on_a_sealed_case_is_held_back() -> None:
    def broken(output: str, case: Case) -> bool:
        raise ValueError(f"canary {case.expected}")

    grader = grade.function(broken, slow=True)
    with pytest.raises(SolutionError, match="canary"):
        asyncio.run(run(Job(from_function(echo), grader), cases(1)))
    with pytest.raises(SolutionError, match="its text is held back") as caught:
        asyncio.run(run(Job(from_function(echo), grader, sealed=True), cases(1, SealedCase)))
    assert "canary" not in str(caught.value) and caught.value.__context__ is None


def test_many_answers_are_scored_in_their_order() -> None:
    answers = [Answer("in 0"), Answer(ABSTAIN), Answer(Graded(0.5)), Answer("x")]
    for slow in (True, False):
        grader = grade.function(lambda output, case: output == case.expected, name="same", slow=slow)
        scores = asyncio.run(all_scored(grader, list(zip(answers, cases(4), strict=True))))
        assert [s.value for s in scores] == [1.0, 0.0, 0.5, 0.0]
