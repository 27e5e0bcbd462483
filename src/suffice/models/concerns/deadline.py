"""Deadlines: a call that is stopped when its time is over, with an error that says whose time it was."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from suffice.errors import CallTimeout
from suffice.exchange import Reply, Request
from suffice.models.flow import Call, Flow


async def in_time(
    call: Call, request: Request, flow: Flow, seconds: float | None, late: Callable[[], CallTimeout]
) -> Reply[str]:
    """The reply of `call`, if it comes within `seconds` (None: for ever). Raises what `late` makes, and as `call`."""
    clock = asyncio.timeout(seconds)
    try:
        async with clock:
            return await call(request, flow)
    except TimeoutError:
        if not clock.expired():
            raise
        raise late() from None
