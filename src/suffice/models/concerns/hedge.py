"""Hedging: a call that is slower than most is sent a second time, and the first answer wins."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from dataclasses import replace
from typing import Final

from suffice.errors import SufficeError
from suffice.exchange import Delta, Reply, Request
from suffice.models.flow import Call, Flow

KNOWN: Final = 20  # latencies before one is called slow
REMEMBERED: Final = 500


class Latencies:
    """What the last calls of an endpoint took, in seconds (streamed: to the first piece)."""

    def __init__(self) -> None:
        self.seconds: deque[float] = deque(maxlen=REMEMBERED)
        self.lock = threading.Lock()

    def note(self, seconds: float) -> None:
        """One more."""
        with self.lock:
            self.seconds.append(seconds)

    def percentile(self, share: float) -> float | None:
        """The seconds within which this share of calls answered; None while too few are known."""
        with self.lock:
            known = sorted(self.seconds)
        if len(known) < KNOWN:
            return None
        return known[min(len(known) - 1, int(share * len(known)))]


def hedge(call: Call, share: float, latencies: Latencies) -> Call:
    """`call`, sent again once it takes longer than `share` of the calls before (Dean & Barroso, "The Tail at Scale").

    The slower one is cancelled, and is accounted as what it may have cost. A stream is hedged until its first piece.
    """

    async def hedged(request: Request, flow: Flow) -> Reply[str]:
        began = time.perf_counter()
        patience = latencies.percentile(share)
        race = _Race(flow)
        runners = [race.start(call, request)]
        try:
            if patience is not None:
                await asyncio.wait(runners, timeout=patience)
                if not runners[0].done() and not flow.delivered:
                    runners.append(race.start(call, request))
            won = await _first(race, runners)
        finally:
            for task in runners:
                task.cancel()
            await asyncio.gather(*runners, return_exceptions=True)
        flow.waited += race.flows[won].waited
        latencies.note((flow.first_delta or time.perf_counter()) - began)
        return won.result()

    return hedged


class _Race:
    """Two runners of one call: whoever delivers first owns the stream, the other is stopped."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.owner: object | None = None
        self.flows: dict[asyncio.Task[Reply[str]], Flow] = {}

    def start(self, call: Call, request: Request) -> asyncio.Task[Reply[str]]:
        flow = self.flow
        own = replace(flow, sink=None, first_delta=None, waited=0.0)
        if flow.sink is not None:
            own.sink = lambda delta: self._deliver(own, delta)
        task = asyncio.ensure_future(call(request, own))
        self.flows[task] = own
        return task

    def _deliver(self, runner: Flow, delta: Delta) -> None:
        if self.owner is None:
            self.owner = runner
            mine = asyncio.current_task()
            for task in self.flows:
                if task is not mine:
                    task.cancel()
        if self.owner is runner:
            self.flow.deliver(delta)


async def _first(race: _Race, runners: list[asyncio.Task[Reply[str]]]) -> asyncio.Task[Reply[str]]:
    """The first that has a reply. Raises as the last one that failed."""
    waiting = set(runners)
    error: BaseException | None = None
    while waiting:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if task.cancelled():
                continue
            failed = task.exception()
            if failed is None:
                return task
            if not isinstance(failed, SufficeError):
                raise failed
            error = failed
    raise error if error is not None else asyncio.CancelledError()
