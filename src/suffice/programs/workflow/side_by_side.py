"""Calls side by side, at most so many at once: each ends in an answer or a Failure, in the order that they were given.

What would end every other call alike (a spent budget, a policy, no model) is raised once those under way have ended;
the others are not begun.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from suffice.arguments import Rule
from suffice.errors import CallError, SolutionError
from suffice.programs.solution import attempt_call
from suffice.spans import span
from suffice.values import Answer, Failure

Seconds = Annotated[float | None, Rule(lambda v: v is None or v > 0, "a number of seconds above 0, or None")]

Named = tuple[str, Callable[[], Awaitable[Answer]]]
"""A call, and what its span is called."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many calls at once, and how many seconds each may take (None: without end)."""

    concurrency: int
    timeout: float | None


async def side_by_side(calls: Sequence[Named], bounds: Bounds, *, forgiving: bool = True) -> list[Answer | Failure]:
    """What came of each. Where all of them fail, the first one's error is raised: nobody could go on with that.

    Who does not hand the failures on to anybody is not `forgiving`: then a model call that failed (CallError) and a
    time-out are failures, and everything else is raised, so that a slip of the pen is heard of.
    """
    places = asyncio.Semaphore(bounds.concurrency)
    over = False
    raised: dict[int, Exception] = {}

    async def one(number: int, name: str, call: Callable[[], Awaitable[Answer]]) -> Answer | Failure:
        nonlocal over
        async with places:
            if over:
                return Failure("raised", "not begun")
            try:
                result = await _branch(name, _noting(call, raised, number), bounds.timeout)
                if isinstance(result, Failure) and not forgiving and not _of_a_call(result, raised.get(number)):
                    raise raised.get(number) or SolutionError(result.message)
                return result
            except Exception:
                over = True
                raise

    tasks = (one(number, name, call) for number, (name, call) in enumerate(calls))
    done = await asyncio.gather(*tasks, return_exceptions=True)
    for result in done:
        if isinstance(result, BaseException):
            raise result
    results: list[Any] = done
    if results and all(isinstance(result, Failure) for result in results):
        raise _error(results[0], raised.get(0))
    return results


async def _branch(name: str, call: Callable[[], Awaitable[Answer]], timeout: float | None) -> Answer | Failure:
    with span(name, "branch") as made:
        answer, failure = await attempt_call(call, timeout)
        if failure is not None and made is not None:
            made.error = failure.kind
    result = answer or failure
    assert result is not None
    return result


def _noting(
    call: Callable[[], Awaitable[Answer]], raised: dict[int, Exception], number: int
) -> Callable[[], Awaitable[Answer]]:
    """`call`, which remembers what it raised: a Failure has only its words."""

    async def noting() -> Answer:
        try:
            return await call()
        except Exception as error:
            raised[number] = error
            raise

    return noting


def _of_a_call(failure: Failure, raised: Exception | None) -> bool:
    return isinstance(raised, CallError) or failure.kind == "timeout"


def _error(failure: Failure, raised: Exception | None) -> Exception:
    return raised if raised is not None else SolutionError(f"every branch failed; the first: {failure.message}")
