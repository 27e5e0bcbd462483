"""DSPy's Evaluate over a Module that calls its LM. See `evaluating_cases.py`.

The plain call `lm(text)`: a Predict asks for a form that the upstream's one reply does not have.
"""

from __future__ import annotations

import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else importing LiteLLM fetches a file from the network

from importlib.metadata import version
from typing import Any

import dspy
from calling import KEY, MODEL
from evaluating_cases import REPLY, Evaluating, Ordered, main, questions


class Lane(dspy.Module):
    """One plain call."""

    def __init__(self, lm: Any) -> None:
        super().__init__()
        self.lm = lm

    def forward(self, text: str) -> dspy.Prediction:
        return dspy.Prediction(answer=self.lm(text)[0])


def prepared(o: Ordered) -> Evaluating:
    """Its Evaluate with so many threads, the cache of its LM off."""
    cases = [dspy.Example(text=text, answer=REPLY).with_inputs("text") for text in questions(o.n)]
    lm = dspy.LM(f"openai/{MODEL}", api_base=o.url, api_key=KEY, cache=False, max_tokens=4096)
    lane = Lane(lm)
    evaluate = dspy.Evaluate(
        devset=cases, metric=lambda case, said: case.answer == said.answer, num_threads=o.concurrency
    )
    return lambda: sum(score for *_, score in evaluate(lane).results)


if __name__ == "__main__":
    main(prepared, version("dspy"))
