"""`evaluate` over a step: journal, cache and telemetry as they are by default. See `evaluating_cases.py`.

FOLDER is the store: the same one again makes a re-run, where every answer is recorded.
"""

from __future__ import annotations

import asyncio

from calling import MODEL
from evaluating_cases import REPLY, Evaluating, Ordered, main, questions

from suffice import Task, evaluate, step  # imported before the time begins, as the other tools are
from suffice.version import __version__


@step
async def lane(text: str) -> str:
    """Answer with one short sentence."""
    ...


def prepared(o: Ordered) -> Evaluating:
    """One task, all of it dev but one train and one test case, and the step on the upstream."""
    splits = ["dev"] * o.n + ["train", "test"]
    rows = [{"text": t, "expected": REPLY, "split": s} for t, s in zip(questions(o.n + 2), splits, strict=True)]
    task = Task(rows, name="lanes", kind="text")
    asking = lane.using(model=f"{o.url}#{MODEL}", max_output_tokens=4096)

    def evaluating() -> int:
        report = asyncio.run(evaluate(task, asking, store=o.folder, concurrency=o.concurrency))
        return sum(outcome.right for outcome in report.outcomes)

    return evaluating


if __name__ == "__main__":
    main(prepared, __version__)
