"""What a solution learned from: a short hash of each case, kept with it and in its bundle, so that none flatters it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from suffice.programs.solution import Solution

DIGITS: Final = 16  # of a case's key: 64 bits, so that even among millions of cases hardly two are taken for one
_LINES: Final = re.compile(rb"(?:[0-9a-f]{%d}\n)*" % DIGITS)


def case_mark(key: str) -> str:
    """What is kept of a case that was learned from: the start of its key, the hash of its folded inputs."""
    return key[:DIGITS]


def learned_from(solution: Solution, keys: Iterable[str]) -> Solution:
    """`solution`, which says that it was fitted on the cases with these keys, and on those that it named before."""
    return replace(solution, learned=solution.learned.union(map(case_mark, keys)))


def written_marks(learned: frozenset[str]) -> bytes:
    """The marks as lines of text, in order: the same cases give the same bytes."""
    return "".join(f"{mark}\n" for mark in sorted(learned)).encode()


def read_marks(data: bytes) -> frozenset[str]:
    """What `written_marks` wrote. Raises ValueError for anything else."""
    if not _LINES.fullmatch(data):
        raise ValueError("its list of the cases that it was fitted on is damaged")
    return frozenset(data.decode().split())
