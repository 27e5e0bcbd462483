"""Agents with smolagents, which has no step without one. See `bench/programs.py`."""

from __future__ import annotations

import sys

from smolagents import OpenAIModel, ToolCallingAgent, tool
from timing import main

url, steps = sys.argv[1], int(sys.argv[2])
model = OpenAIModel(model_id="m", api_base=url, api_key="none")


@tool
def add(a: int, b: int) -> int:
    """Add two numbers.

    Args:
        a: One.
        b: The other.
    """
    return a + b


def agent(n: int) -> str:
    """One run of an agent."""
    bot = ToolCallingAgent(tools=[add], model=model, max_steps=2 * n, verbosity_level=0)
    assert str(bot.run("Add until it is enough.")) == "7"
    return "7"


if __name__ == "__main__":
    main({"agent": agent}, steps)
