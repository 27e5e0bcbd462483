"""How soon the adaptive limit finds what an endpoint takes, and how many calls are refused meanwhile: a simulation.

    python bench/limits.py [--seed 1]

The limit, the retry and asyncio are the real ones; endpoint and clock are not: time passes only while everybody waits,
so a run takes what its calls cost to compute, and is the same for the same seed. An endpoint answers after 200 ms, a
tenth more or less, which is a round trip here, and refuses after 20 ms where nothing else is said. There are always
callers who wait. The ideal is what the endpoint takes; where it takes any number, what as many callers get without a
limit. Everything after "reached" is from its last half.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import selectors
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field

from suffice.errors import RateLimited
from suffice.exchange import Message, Reply, Request
from suffice.models.concerns.limit import Limiter, Limits, limit
from suffice.models.concerns.retry import Retry, retry
from suffice.models.flow import Call, Flow

LATENCY = 0.2  # seconds until an answer
REQUEST = Request("any", (Message("user", "any"),), 1)
REPLY = Reply("ok")
PATIENT = Retry(attempts=1_000_000)


class _Instant(selectors.SelectSelector):
    """Nothing ever happens on a socket, and waiting moves the clock."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everybody waits, and nothing is going to happen")
        self.now += max(timeout, 0.0)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only while everybody waits."""

    def __init__(self) -> None:
        self.instant = _Instant()
        super().__init__(self.instant)

    def time(self) -> float:
        """Seconds since the beginning."""
        return self.instant.now


@dataclass(frozen=True)
class Endpoint:
    """What it takes at once (at a time in seconds), what share it refuses besides, and after how many seconds."""

    capacity: float | Callable[[float], float] = math.inf
    share: float = 0.0
    calm: float = math.inf  # seconds after which it refuses no share any more
    refusal: float = 0.02
    spread: float = 0.1  # of the latency, to both sides

    def refuses(self, now: float, in_flight: int, draw: random.Random) -> bool:
        """Whether one more call is refused."""
        return in_flight >= self.takes(now) or (now < self.calm and draw.random() < self.share)

    def takes(self, now: float) -> float:
        """Calls at once at this time."""
        return self.capacity(now) if callable(self.capacity) else self.capacity


@dataclass
class Seen:
    """What happened at an endpoint: when it answered and when it refused, in seconds, and the most calls at once."""

    answered: list[float] = field(default_factory=list[float])
    refused: list[float] = field(default_factory=list[float])
    in_flight: int = 0
    most: int = 0

    def at_once(self, begin: float, end: float) -> float:
        """The calls at once that were answered between these seconds (Little's law: answers a second x latency)."""
        return _between(self.answered, begin, end) * LATENCY / (end - begin)

    def share(self, begin: float, end: float) -> float:
        """The share that was refused of all calls that ended between these seconds."""
        bad = _between(self.refused, begin, end)
        return bad / max(1, bad + _between(self.answered, begin, end))

    def reached(self, at_once: float) -> int | None:
        """Round trips until so many were in work at once, in the mean of one round trip; None: never."""
        last = int(self.answered[-1] / LATENCY)
        found = (k for k in range(last) if self.at_once((k + 1) * LATENCY, (k + 2) * LATENCY) >= at_once)
        return next(found, None)


def _between(times: list[float], begin: float, end: float) -> int:
    return bisect_left(times, end) - bisect_left(times, begin)


def served(endpoint: Endpoint, seen: Seen, draw: random.Random) -> Call:
    """The call that the endpoint answers or refuses."""

    async def call(request: Request, flow: Flow) -> Reply[str]:
        now = asyncio.get_running_loop().time
        if endpoint.refuses(now(), seen.in_flight, draw):
            await asyncio.sleep(endpoint.refusal)
            seen.refused.append(now())
            raise RateLimited("too many")
        seen.in_flight += 1
        seen.most = max(seen.most, seen.in_flight)
        await asyncio.sleep(LATENCY * (1 + endpoint.spread * draw.uniform(-1, 1)))
        seen.in_flight -= 1
        seen.answered.append(now())
        return REPLY

    return call


def simulated(
    endpoint: Endpoint, callers: int, seconds: float, *, seed: int = 1, limits: Limits | None = None, shared: int = 1
) -> tuple[Seen, list[Limiter]]:
    """`callers` call one after the other for so long, behind `shared` limiters that know nothing of each other.

    With 0 of them there is no limit.
    """
    random.seed(seed)  # the retry's jitter
    loop, seen = VirtualLoop(), Seen()
    call = served(endpoint, seen, random.Random(seed))
    limiters = [Limiter(limits, clock=loop.time) for _ in range(shared)]
    calls = [retry(limit(call, one, lambda request: 0), PATIENT) for one in limiters]
    loop.run_until_complete(_called(calls or [retry(call, PATIENT)], callers, seconds))
    loop.close()
    return seen, limiters


async def _called(calls: list[Call], callers: int, seconds: float) -> None:
    async def caller(call: Call) -> None:
        while True:
            await call(REQUEST, Flow())

    tasks = [asyncio.ensure_future(caller(calls[k % len(calls)])) for k in range(callers)]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def row(name: str, endpoint: Endpoint, callers: int, seconds: float, seed: int) -> str:
    """One line of the table."""
    seen, _ = simulated(endpoint, callers, seconds, seed=seed)
    ideal = endpoint.takes(0.0)
    if ideal == math.inf:
        free, _ = simulated(endpoint, callers, seconds, seed=seed, shared=0)
        ideal = free.at_once(seconds / 2, seconds)
    half = (seconds / 2, seconds)
    reached = seen.reached(0.9 * ideal)
    figures = (
        "never" if reached is None else f"{reached}",
        f"{seen.at_once(*half) / ideal:.0%}",
        f"{seen.share(*half):.1%}",
        f"{seen.share(0.0, seconds / 2):.1%}",
    )
    return f"| {name} | {' | '.join(figures)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    seed = parser.parse_args().seed
    print("| endpoint | 90% reached after, round trips | answers, of the ideal | refused | refused in the first half |")
    print("|---|--:|--:|--:|--:|", flush=True)
    for most in (8, 50, 500, 2_000):
        for share in (0.0, 0.1, 0.3, 0.5):
            name = f"takes {most:,} at once" + (f", refuses {share:.0%} besides" if share else "")
            print(row(name, Endpoint(most, share), most * (6 if share > 0.4 else 3), 20.0, seed), flush=True)
    for share in (0.1, 0.3, 0.5):
        print(row(f"takes any number, refuses {share:.0%}", Endpoint(share=share), 1_000, 10.0, seed), flush=True)
    for share in (0.0, 0.3):
        name = "takes 50 at once" + (f", refuses {share:.0%} besides" if share else "")
        print(
            row(f"{name}, and refuses after 200 ms", Endpoint(50, share, refusal=LATENCY), 200, 20.0, seed), flush=True
        )


if __name__ == "__main__":
    main()
