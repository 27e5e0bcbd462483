"""Steps and agents with Suffice: `python programs_suffice.py URL STEPS REPEATS [plain]`. See `bench/programs.py`.

In a durable run, with every call journaled; `plain` leaves the journal out.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
import tempfile

from timing import main

import suffice as sf

url, steps = sys.argv[1], int(sys.argv[2])
os.environ["SUFFICE_HOME"] = tempfile.mkdtemp()
os.environ["SUFFICE_TELEMETRY"] = "off"
numbers = itertools.count()


@sf.tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@sf.tool
async def add_async(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@sf.step
async def answer(question: str) -> str:
    """Answer the question."""
    ...


bot = sf.agent(f"{url}#m", tools=[add_async.using(name="add")], max_steps=2 * steps)


async def chain(n: int) -> str:
    """Steps one after another."""
    asked = answer.using(model=f"{url}#m")
    for i in range(n):
        said = await asked(f"How much is 3 + 4? ({i})")
    return said


async def agent(n: int) -> str:
    """One run of the agent."""
    assert await bot("Add until it is enough.") == "7"
    return "7"


async def tools(n: int) -> int:
    """Tool calls alone."""
    for i in range(n):
        total = await add_async(i, 1)
    return total


def durable(program):
    """The program as a durable run of its own each time, or as it is."""
    if "plain" in sys.argv:
        return program

    async def run(n: int) -> object:
        return await sf.durable.run(program, n, id=f"run {next(numbers)}")

    return run


if __name__ == "__main__":
    main({"step": durable(chain), "agent": durable(agent), "tool": durable(tools)}, steps, asyncio.run)
