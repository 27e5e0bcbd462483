"""Steps and agents with pydantic-ai. See `bench/programs.py`."""

from __future__ import annotations

import sys

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.usage import UsageLimits
from timing import main

url, steps = sys.argv[1], int(sys.argv[2])
model = OpenAIChatModel("m", provider=OpenAIProvider(base_url=url, api_key="none"))


async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


plain, bot = Agent(model, system_prompt="Answer the question."), Agent(model, tools=[add])


async def chain(n: int) -> str:
    """Runs one after another."""
    for i in range(n):
        said = (await plain.run(f"How much is 3 + 4? ({i})")).output
    return said


async def agent(n: int) -> str:
    """One run of the agent."""
    found = await bot.run("Add until it is enough.", usage_limits=UsageLimits(request_limit=None))
    assert found.output == "7"
    return found.output


if __name__ == "__main__":
    main({"step": chain, "agent": agent}, steps)
