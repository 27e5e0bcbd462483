"""Inspect AI's eval with generate() and match(); all that it writes goes to FOLDER. See `evaluating_cases.py`."""

from __future__ import annotations

import os
from importlib.metadata import version

from calling import KEY, MODEL
from evaluating_cases import REPLY, Evaluating, Ordered, main, questions
from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig, get_model
from inspect_ai.scorer import match
from inspect_ai.solver import generate


def prepared(o: Ordered) -> Evaluating:
    """Its task on its provider for OpenAI-compatible endpoints, with so many connections and samples at once."""
    os.environ["XDG_DATA_HOME"] = o.folder  # of its trace, and of the buffer that `inspect log recover` reads
    samples = [Sample(input=text, target=REPLY, id=i) for i, text in enumerate(questions(o.n), 1)]
    task = Task(dataset=MemoryDataset(samples), solver=generate(), scorer=match())
    config = GenerateConfig(max_connections=o.concurrency, max_tokens=4096)
    model = get_model(f"openai-api/upstream/{MODEL}", base_url=o.url, api_key=KEY, config=config)

    def evaluating() -> int:
        (log,) = eval(task, model=model, display="none", max_samples=o.concurrency, log_dir=o.folder)
        assert log.status == "success" and log.results is not None
        return round(log.results.scores[0].metrics["accuracy"].value * log.results.completed_samples)

    return evaluating


if __name__ == "__main__":
    main(prepared, version("inspect-ai"))
