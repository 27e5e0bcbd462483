"""Inspect AI over n cases: `python with_inspect.py N CONCURRENCY FOLDER`. The solution is a solver without a model."""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version

from cases import first_word, texts
from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ModelOutput
from inspect_ai.scorer import exact
from inspect_ai.solver import Generate, Solver, TaskState, solver


@solver
def instant() -> Solver:
    """The instant solution as Inspect wants it."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        state.output = ModelOutput.from_content("none", first_word(state.input_text))
        return state

    return solve


def main() -> None:
    """Print {"seconds", "right", "version"}; the log goes to FOLDER."""
    n, concurrency, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    samples = [Sample(input=text, target=label, id=i) for i, (text, label) in enumerate(texts(n), 1)]
    task = Task(dataset=MemoryDataset(samples), solver=instant(), scorer=exact())
    began = time.perf_counter()
    (log,) = eval(task, model=None, display="none", max_samples=concurrency, log_dir=folder)
    seconds = time.perf_counter() - began
    assert log.status == "success" and log.results is not None
    right = log.results.scores[0].metrics["mean"].value * log.results.completed_samples
    print(json.dumps({"seconds": seconds, "right": round(right), "version": version("inspect-ai")}))


if __name__ == "__main__":
    main()
