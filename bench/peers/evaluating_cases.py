"""The contract of `evaluating_*.py`: the cases, what is timed, and what a tool says as one line of JSON.

    python evaluating_X.py URL FOLDER N CONCURRENCY [MORE]

URL ends in /v1 and answers every request with REPLY, which is also what every case expects. FOLDER takes what the
tool writes. "seconds" and "cpu" are those of the evaluating call alone; CPU is that of the process and its children.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from calling import SETTLE, question

REPLY = "The parcel goes to the north lane, as its label says."  # of ../upstream/upstream.c


@dataclass(frozen=True)
class Ordered:
    """What the command line asked for; `more` is the tool's own."""

    url: str
    folder: str
    n: int
    concurrency: int
    more: str = ""


Evaluating = Callable[[], int]
"""The evaluating call: how many cases were right."""


def main(prepared: Callable[[Ordered], Evaluating], version: str) -> None:
    """Time what `prepared` gives, and print {"seconds", "cpu", "right", "version"}."""
    url, folder, n, concurrency, *more = sys.argv[1:]
    evaluating = prepared(Ordered(url, folder, int(n), int(concurrency), *more))
    began, cpu = time.perf_counter(), _cpu()
    right = evaluating()
    figures = {"seconds": time.perf_counter() - began, "cpu": _cpu() - cpu, "right": right, "version": version}
    print(json.dumps(figures), flush=True)
    time.sleep(SETTLE)


def questions(n: int) -> list[str]:
    """The inputs of the cases, all different."""
    return [question(i) for i in range(n)]


def _cpu() -> float:
    return sum(os.times()[:4])
