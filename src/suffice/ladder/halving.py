"""Successive halving: many variants on few cases, the better half on twice as many, until one is left."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Generator, Sequence

from suffice.ladder.race import LAP, behind
from suffice.values import Case

Scores = Callable[[int, Sequence[Case]], Awaitable[list[float]]]
"""The scores of a variant, by its place, on more cases."""


async def halved(
    variants: int, cases: Sequence[Case], scores: Scores, tell: Callable[[str], None]
) -> tuple[int, list[list[float]]]:
    """The place of the best variant (ties to the first), and what each one scored on the cases that it saw.

    After 12, 24, 48, … cases the better half goes on, without those that the race of a family would give up, too
    (Jamieson & Talwalkar 1502.07943). A winner is the luckiest of many: what it scored here flatters it.
    """
    seen: list[list[float]] = [[] for _ in range(variants)]
    running, begin = list(range(variants)), 0
    for end in _looks(len(cases)):
        if len(running) == 1:
            break
        for i in running:
            seen[i] += await scores(i, cases[begin:end])
        ranked = sorted(running, key=lambda i: (-sum(seen[i]), i))
        better = ranked[: math.ceil(len(ranked) / 2)] if end < len(cases) else ranked[:1]
        running = [i for i in better if i == ranked[0] or not behind(seen[i], seen[ranked[0]])]
        begin = end
        tell(f"{len(running)} of {variants} variants after {end} train cases")
    return running[0], seen


def most_calls(variants: int, cases: int) -> int:
    """The most cases that are put to variants on the way."""
    calls, running, begin = 0, variants, 0
    for end in _looks(cases):
        if running < 2:
            break
        calls, running, begin = calls + running * (end - begin), math.ceil(running / 2), end
    return calls


def _looks(cases: int) -> Generator[int]:
    """After how many cases variants are given up."""
    end = LAP
    while end < cases:
        yield end
        end *= 2
    yield cases
