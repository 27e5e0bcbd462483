"""Retry: the same request again after a fault that may pass, with full jitter and as long as the endpoint asks."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from suffice.errors import CallError, UsageError, WebPage
from suffice.exchange import Reply, Request
from suffice.models.flow import Call, Flow
from suffice.numbers import DAY, is_number, is_whole

SPARE: Final = 2  # times in a row that nobody is reached before a fallback is asked
PAGES: Final = 3  # web pages in a row before the URL is taken to be wrong; a proxy sends one now and then
LEAST: Final = 0.001  # seconds; a wait of 0 would never let another task run
HINT: Final = "sf.models.Retry(attempts=5, base=0.5, cap=30)"


@dataclass(frozen=True, slots=True)
class Retry:
    """At most `attempts` of one request, and at most `unreached` in a row that no connection could be made for. Before
    the n-th repeat it waits up to min(cap, base * 2**(n - 1)) seconds. Raises UsageError for a value that cannot be.

    With twelve attempts, a fault that strikes 35% of the time is left in 3 of a million calls.
    """

    attempts: int = 12
    base: float = 0.5
    cap: float = 30.0
    unreached: int = 6

    def __post_init__(self) -> None:
        for name in ("attempts", "unreached"):
            if not is_whole(getattr(self, name), 1):
                raise UsageError(f"{name} of a Retry is a whole number of at least 1", hint=HINT)
        for name in ("base", "cap"):
            if not is_number(getattr(self, name), 0.0, DAY):
                raise UsageError(f"{name} of a Retry is 0 to {DAY:.0f} seconds, a day", hint=HINT)


def retry(call: Call, how: Retry, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> Call:
    """`call`, repeated while its error is retryable, nothing was delivered, and there is time left.

    With a fallback behind it it gives up after the second time in a row that no connection can be made, and always
    after the third web page in a row.

    Full jitter: a uniform wait between 0 and the bound (Brooker, "Exponential Backoff And Jitter", AWS 2015), and
    never less than the `retry_after` that the endpoint asked for; where that ends past the deadline, it gives up now.
    """

    async def again(request: Request, flow: Flow) -> Reply[str]:
        pages, unreached, patience = 0, 0, min(how.unreached, SPARE) if flow.spare else how.unreached
        for n in range(1, how.attempts + 1):
            try:
                return await call(request, flow)
            except CallError as error:
                if not error.retryable or flow.delivered or n == how.attempts:
                    raise
                unreached = 0 if error.sent else unreached + 1
                pages = pages + 1 if isinstance(error, WebPage) else 0
                if unreached >= patience or pages == PAGES or (flow.spare and error.kind == "circuit open"):
                    raise  # nobody is there, or somebody else can answer now
                pause = max(waiting(how, n), error.retry_after or 0.0)
                left = flow.left
                if left is not None and pause >= left:
                    raise
            await sleep(max(pause, LEAST))
        raise AssertionError("unreachable: the last attempt returns or raises")

    return again


def waiting(how: Retry, n: int, draw: Callable[[], float] = random.random) -> float:
    """Seconds to wait before the n-th repeat, from 1."""
    return draw() * min(how.cap, how.base * 2.0 ** min(n - 1, 60))
