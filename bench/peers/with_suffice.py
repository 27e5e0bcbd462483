"""Suffice's `evaluate` over n cases, journal on: `with_suffice.py N CONCURRENCY FOLDER [async|def|dropped [traced]]`.

FOLDER is the store: the same one again makes a re-run, where every answer is recorded. "dropped" is the runner alone,
whose outcomes are let go as they come.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import tracemalloc
from pathlib import Path

from cases import first_word, label, texts

from suffice.evals.evaluate import evaluate
from suffice.evals.runner import Job, outcomes
from suffice.evals.task import Task
from suffice.programs.solution import from_function
from suffice.store.database import open_store
from suffice.store.runs import start_run
from suffice.version import __version__


async def awaited(text: str) -> str:
    """The instant solution as an async function."""
    return first_word(text)


def plain(text: str) -> str:
    """The instant solution as a function that may block."""
    return first_word(text)


async def dropped(task: Task, concurrency: int, folder: str) -> int:
    """The runner alone: how many were right."""
    with open_store(folder) as store:
        run = start_run(store, "eval", task.name, {})
        job = Job(from_function(awaited), task.grader, store, run, concurrency)
        right = 0
        async for outcome in outcomes(job, task.dev):
            right += outcome.right
        return right


def loaded(n: int) -> Task:
    """The cases as a task: all of them dev, but one train and one test case, so that nothing is drawn."""
    rows = [{"text": text, "label": is_, "split": "dev"} for text, is_ in texts(n)]
    ends = [{"text": f"{label(0)} {split}", "label": label(0), "split": split} for split in ("train", "test")]
    return Task([*rows, *ends], name="overhead")


def main() -> None:
    """Print the figures of one run as JSON; memory where "traced", which is slow, is said."""
    n, concurrency, folder, kind, *traced = (*sys.argv[1:4], *(sys.argv[4:] or ["async"]))
    task = loaded(int(n))
    if traced:
        tracemalloc.start()  # counts what is allocated from here on, the task not among it
    began, cpu = time.perf_counter(), time.process_time()
    report = None
    if kind == "dropped":
        right = asyncio.run(dropped(task, int(concurrency), folder))
    else:
        solution = awaited if kind == "async" else plain
        report = asyncio.run(evaluate(task, solution, store=folder, concurrency=int(concurrency)))
        right = len(report.outcomes) - len(report.failures)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    figures: dict[str, object] = {"seconds": seconds, "cpu": cpu, "right": right, "version": __version__}
    if traced:
        figures["held"], figures["peak"] = tracemalloc.get_traced_memory()
    figures["store"] = sum(p.stat().st_size for p in Path(folder).iterdir())
    figures["raw"] = sum(len(text.encode()) + len(is_.encode()) for text, is_ in texts(int(n)))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
