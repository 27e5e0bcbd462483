"""What the programs of `bench/programs.py` share: run each workload several times, print seconds and memory as JSON."""

from __future__ import annotations

import asyncio
import inspect
import json
import resource
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any


def main(workloads: Mapping[str, Callable[[int], Any]], steps: int, run: Callable[[Any], Any] = asyncio.run) -> None:
    """Print {workload: [seconds a step, ...], "ten agents": {...}} after one warm-up of each."""
    repeats = int(sys.argv[3])

    async def once(call: Callable[[int], Any]) -> float:
        began = time.perf_counter()
        value = call(steps)
        if inspect.isawaitable(value):
            await value
        return (time.perf_counter() - began) / steps

    async def all_of_them() -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, call in workloads.items():
            await once(call)
            found[name] = [await once(call) for _ in range(repeats)]
        if "agent" in workloads:
            found["ten agents"] = await ten(workloads["agent"], steps)
        return found

    print(json.dumps(run(all_of_them())))


async def ten(agent: Callable[[int], Any], steps: int) -> dict[str, float]:
    """Ten agents at once: seconds, peak memory in MiB, and the longest that the event loop stood still in ms."""
    worst, done = 0.0, asyncio.Event()

    async def watch() -> None:
        nonlocal worst
        while not done.is_set():
            began = time.perf_counter()
            await asyncio.sleep(0.005)
            worst = max(worst, time.perf_counter() - began - 0.005)

    watching = asyncio.create_task(watch())
    began = time.perf_counter()
    if inspect.iscoroutinefunction(agent):
        await asyncio.gather(*(agent(steps) for _ in range(10)))
    else:
        await asyncio.gather(*(asyncio.to_thread(agent, steps) for _ in range(10)))
    seconds = time.perf_counter() - began
    done.set()
    await watching
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "MiB": peak, "loop lag ms": 1000 * worst}
