"""Programs that do things side by side and are killed: `python side_by_side_programs.py NAME [first]`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import NoReturn

import suffice as sf

name, first = sys.argv[1], sys.argv[2:] == ["first"]


def killed() -> NoReturn:
    """End as a machine does that is switched off."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


@sf.tool
async def look(key: str) -> str:
    """Look: "slow" takes long the first time, and is at hand when it is asked again."""
    await asyncio.sleep(60 if first and key == "slow" else 0)
    if first and key == "down":
        raise ConnectionError("down")
    return f"seen {key}"


@sf.tool(repeat="never")
async def pay(what: str, seconds: float = 0.0) -> str:
    """Pay."""
    await asyncio.sleep(seconds)
    if first and what == "late":
        killed()
    print(f"paid {what}", flush=True)
    return f"paid {what}"


async def prizes() -> list[str]:
    """Who comes first is paid first: the one that was asked again is not."""
    found: list[str] = []

    async def runner(name: str, *legs: str) -> None:
        for leg in legs:
            await look(leg)
        found.append(name)
        await pay(f"prize {len(found)} to {name}")
        if first:
            killed()

    await asyncio.gather(runner("A", "1", "2", "3"), runner("B", "slow"))
    return found


async def places() -> list[str]:
    """Two at a time: whoever waits for an answer keeps its place."""
    two, done = asyncio.Semaphore(2), list[str]()

    async def one(who: str) -> None:
        async with two:
            await pay(who, 0.01)
            done.append(who)
            await pay(f"{len(done)}: {who}")

    await asyncio.gather(*(one(who) for who in ("late", "b", "c", "d")))
    return done


async def group() -> list[str]:
    """What a group cut off because of an error is no time-out once the error is gone."""
    try:
        async with asyncio.TaskGroup() as tasks:
            made = [tasks.create_task(look(key)) for key in ("slow", "down")]
    except* ConnectionError:
        await pay("report")
        raise
    return [task.result() for task in made]


async def changed_late() -> list[None]:
    """A change in one branch is found before another branch does anything new."""

    async def long() -> None:
        for n in range(20):
            await look(str(n))
        await look("last" if first else "changed")
        if first:
            killed()

    async def short() -> None:
        await look("short")
        await asyncio.sleep(60 if first else 0)
        await pay("x")

    return await asyncio.gather(long(), short())


async def left_out() -> list[str]:
    """Without one of the branches that were paid."""
    found = await asyncio.gather(*(pay(key) for key in ("ab" if first else "a")))
    return found if not first else killed()


async def one_by_one() -> list[str]:
    """One after the other, what was done side by side."""
    if not first:
        return [await look("a"), await look("b")]
    await asyncio.gather(look("a"), look("b"))
    killed()


async def question() -> list[str]:
    """A question in a group of tasks."""
    async with asyncio.TaskGroup() as tasks:
        made = [tasks.create_task(one) for one in (sf.ask_human("Sure?"), pay("x", 0.2))]
    return [task.result() for task in made]


if __name__ == "__main__":
    try:
        print(asyncio.run(sf.durable.run(globals()[name], id="one")))
    except BaseException as stop:
        print(f"{type(stop).__name__}: {stop}".splitlines()[0])
