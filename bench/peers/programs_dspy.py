"""Steps and agents with DSPy, its cache off. See `bench/programs.py`."""

from __future__ import annotations

import sys

import dspy
from timing import main

url, steps = sys.argv[1], int(sys.argv[2])
dspy.configure(lm=dspy.LM("openai/m", api_base=url, api_key="none", cache=False))


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


asked, bot = dspy.Predict("question -> answer"), dspy.ReAct("question -> answer", tools=[add], max_iters=2 * steps)


async def chain(n: int) -> str:
    """Predictions one after another."""
    for i in range(n):
        said = (await asked.acall(question=f"How much is 3 + 4? ({i})")).answer
    return said


async def agent(n: int) -> str:
    """One run of the agent."""
    return (await bot.acall(question="Add until it is enough.")).answer


if __name__ == "__main__":
    main({"step": chain, "agent": agent}, steps)
