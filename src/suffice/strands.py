"""Strands: what does one thing after the other in a program, numbered so that the numbers do not hang on time. No I/O.

The program is one strand; each asyncio task that it makes is a further one, with the threads that the task waits for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, Final

Lane = tuple[int, ...]
"""The way from the strand that opened a span to one that does something there: the how-manieth that each made at this
span, from 1. () is the strand that opened it."""
OWN: Final[Lane] = ()
ASIDE: Final[Lane] = (-1,)
"""The lane of what is no part of what a program does."""


class Strand:
    """One strand. `number` says the how-manieth it is of those that `maker` made at one span; a program's own has no
    maker. `task` is the one that it runs in: None until that has done something, or where it is a plain thread."""

    __slots__ = ("maker", "number", "task")

    def __init__(self, maker: Strand | None = None, number: int = 0, task: asyncio.Task[Any] | None = None) -> None:
        """Numbers are given by `Span.made`."""
        self.maker, self.number, self.task = maker, number, task

    def makers(self) -> Iterator[Strand]:
        """It, who made it, and so on."""
        one: Strand | None = self
        while one is not None:
            yield one
            one = one.maker

    def lane(self, opener: Strand) -> Lane:
        """Its lane at a span that `opener` opened."""
        numbers, one = list[int](), self
        while one is not opener and one.maker is not None:
            numbers.append(one.number)
            one = one.maker
        return tuple(reversed(numbers))


def lane_text(lane: Lane) -> str:
    """A lane as it is written: "0" for the opener's own, "2:1" for the first that its second made."""
    return ":".join(map(str, lane)) if lane else "0"


def lane_of_text(text: str) -> Lane:
    """The inverse of `lane_text`. Raises ValueError for what is none."""
    return OWN if text == "0" else tuple(int(number) for number in text.split(":"))
