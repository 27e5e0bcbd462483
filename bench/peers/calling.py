"""The contract of `calls_*.py`: a peer opens a client, this file calls it and says how that went as one line of JSON.

    python calls_X.py URL MODE N CONCURRENCY [VARIANT]

URL ends in /v1. MODE is "calls" (warmed up), "failures" (cold, each call once), "stream", or "inflight" (with memory
and the lag of the event loop). Every peer runs with the defaults that it comes with.
"""

from __future__ import annotations

import asyncio
import json
import resource
import statistics
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KEY = "sk-none"
MODEL = "mock"
SETTLE = 0.1  # seconds: a native client's threads let go of the last replies, or Python may abort as it ends
TICK = 0.005  # seconds between two looks at the loop's lag


@dataclass(frozen=True)
class Peer:
    """`ask(text)` gives the text of the reply, `stream(text)` its pieces; None where the client has no streams."""

    ask: Callable[[str], Awaitable[str]]
    stream: Callable[[str], AsyncIterator[str]] | None = None


@dataclass(frozen=True)
class Ordered:
    """What the command line asked for."""

    url: str
    mode: str
    n: int
    concurrency: int
    variant: str = ""


Opener = Callable[[Ordered], AbstractAsyncContextManager[Peer]]


def main(opener: Opener, version: str) -> None:
    """Run what the command line says."""
    url, mode, n, concurrency, *variant = sys.argv[1:]
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # 2,000 calls in flight are 2,000 sockets
    ordered = Ordered(url, mode, int(n), int(concurrency), *variant)
    print(json.dumps({**asyncio.run(run(opener, ordered)), "version": version}), flush=True)
    time.sleep(SETTLE)


async def run(opener: Opener, ordered: Ordered) -> dict[str, Any]:
    """The figures of one mode."""
    modes = {"calls": warmed, "failures": cold, "stream": streamed, "inflight": in_flight}
    async with opener(ordered) as peer:
        return await modes[ordered.mode](peer, ordered)


def question(i: int) -> str:
    """A text that no other call has."""
    return f"Which lane does parcel {i:07d} go to? Answer with one short sentence."


async def driven(one: Callable[[int], Awaitable[None]], n: int, concurrency: int, first: int = 0) -> dict[str, Any]:
    """`n` times `one`, `concurrency` at once: seconds, CPU seconds of the whole process, failures by their kind."""
    failures: Counter[str] = Counter()
    left = iter(range(first, first + n))

    async def worker() -> None:
        for i in left:
            try:
                await one(i)
            except Exception as error:  # whatever a client raises is a call that failed
                failures[type(error).__name__] += 1

    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(worker() for _ in range(concurrency)))
    return {
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - cpu,
        "failures": sum(failures.values()),
        "kinds": dict(failures),
    }


async def asked(peer: Peer, i: int) -> None:
    """One call; a reply without text is none."""
    if not await peer.ask(question(i)):
        raise ValueError("an empty reply")


async def warmed(peer: Peer, o: Ordered) -> dict[str, Any]:
    """After so many calls that pools are filled and limits found."""
    early = max(500, 4 * o.concurrency)
    await driven(lambda i: asked(peer, i), early, o.concurrency)
    return await driven(lambda i: asked(peer, i), o.n, o.concurrency, early)


async def cold(peer: Peer, o: Ordered) -> dict[str, Any]:
    """From nothing, as a program begins."""
    return await driven(lambda i: asked(peer, i), o.n, o.concurrency)


async def streamed(peer: Peer, o: Ordered) -> dict[str, Any]:
    """Streams: how many pieces came, and the median of the seconds to the first."""
    stream = peer.stream
    if stream is None:
        return {"absent": "no streams"}
    firsts: list[float] = []
    pieces, characters = 0, 0

    async def one(i: int) -> None:
        nonlocal pieces, characters
        began, first = time.perf_counter(), None
        async for text in stream(question(i)):
            if text:
                first = first or time.perf_counter() - began
                pieces, characters = pieces + 1, characters + len(text)
        firsts.append(first or 0.0)

    await driven(one, 2 * o.concurrency, o.concurrency)
    firsts.clear()
    pieces, characters = 0, 0
    figures = await driven(one, o.n, o.concurrency)
    ttft = statistics.median(firsts) if firsts else 0.0
    return {**figures, "pieces": pieces, "characters": characters, "ttft": ttft}


async def in_flight(peer: Peer, o: Ordered) -> dict[str, Any]:
    """Many at once: memory added, and how late the event loop is."""
    await driven(lambda i: asked(peer, i), 20, 4)
    before, peak, lags = _rss(), 0, list[float]()

    async def watch() -> None:
        nonlocal peak
        while True:
            due = time.perf_counter() + TICK
            await asyncio.sleep(TICK)
            lags.append(time.perf_counter() - due)
            peak = max(peak, _rss())

    watcher = asyncio.create_task(watch())
    figures = await driven(lambda i: asked(peer, i), o.n, o.concurrency, 20)
    watcher.cancel()
    lag = statistics.quantiles(lags, n=100)[98] if len(lags) > 1 else 0.0
    return {**figures, "memory": max(peak, before) - before, "lag": lag}


def _rss() -> int:
    """Bytes of this process in memory (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def pieces_of(buffer: bytes) -> tuple[list[str], bytes]:
    """The texts of the whole lines of a stream, and what is left: what a careful person writes by hand."""
    *lines, rest = buffer.split(b"\n")
    events = [json.loads(line[6:]) for line in lines if line.startswith(b"data: {")]
    return [e["choices"][0]["delta"].get("content") or "" for e in events if e["choices"]], rest


def body_of(text: str, **more: Any) -> dict[str, Any]:
    """A chat completion's body."""
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], "max_tokens": 4096, **more}
