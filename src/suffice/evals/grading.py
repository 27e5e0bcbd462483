"""Grading an answer: at once, or on a thread where the grader is slow, so that the event loop goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from suffice.evals.grade import Grader
from suffice.programs.threads import in_thread
from suffice.values import ABSTAIN, Answer, Case, Graded, Score, to_json


def graded(grader: Grader, answer: Answer, case: Case) -> Score:
    """The score of one answer: ABSTAIN is 0 ("handed on"), a Graded value its own score, else the grader's."""
    if isinstance(answer.value, Graded):
        return Score(answer.value.score, "as recorded")
    if answer.value is ABSTAIN:
        return Score(0.0, "handed on")
    return grader(to_json(answer.value), case)


async def scored(grader: Grader, answer: Answer, case: Case) -> Score:
    """As `graded`; a slow grader is called on a thread, so that the event loop goes on."""
    if not grader.slow:
        return graded(grader, answer, case)
    return await in_thread(lambda: graded(grader, answer, case))


async def all_scored(grader: Grader, pairs: Sequence[tuple[Answer, Case]], at_once: int = 8) -> list[Score]:
    """The scores of many answers in their order; those of a slow grader side by side, `at_once` at a time."""
    if not grader.slow:
        return [graded(grader, answer, case) for answer, case in pairs]
    places = asyncio.Semaphore(at_once)

    async def one(answer: Answer, case: Case) -> Score:
        async with places:
            return await scored(grader, answer, case)

    return await asyncio.gather(*(one(answer, case) for answer, case in pairs))
