"""DSPy's Evaluate over n cases: `python with_dspy.py N CONCURRENCY FOLDER`. The solution is a Module without an LM."""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version

import dspy
from cases import first_word, texts


class FirstWord(dspy.Module):
    """The instant solution as DSPy wants it."""

    def forward(self, text: str) -> dspy.Prediction:
        return dspy.Prediction(label=first_word(text))


def main() -> None:
    """Print {"seconds", "right", "version"}."""
    n, concurrency = int(sys.argv[1]), int(sys.argv[2])
    cases = [dspy.Example(text=text, label=label).with_inputs("text") for text, label in texts(n)]
    evaluate = dspy.Evaluate(devset=cases, metric=lambda case, said: case.label == said.label, num_threads=concurrency)
    began = time.perf_counter()
    result = evaluate(FirstWord())
    seconds = time.perf_counter() - began
    right = sum(score for *_, score in result.results)
    print(json.dumps({"seconds": seconds, "right": right, "version": version("dspy")}))


if __name__ == "__main__":
    main()
