"""Waiting across event loops: a place in a queue that whoever holds it waits at, and waking those who wait."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from suffice.store.commit import running_loop

Place = tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]
"""Where one caller waits: on its own loop, which may run in any thread."""


def wake(places: Iterable[Place]) -> list[Place]:
    """Let these go on; those that cannot, because their loop has closed. To be called without a lock held."""
    here = running_loop()
    elsewhere: dict[asyncio.AbstractEventLoop, list[Place]] = {}
    for place in places:
        if place[0] is here:
            _done((place,))
        else:
            elsewhere.setdefault(place[0], []).append(place)
    gone: list[Place] = []
    for loop, theirs in elsewhere.items():
        try:
            loop.call_soon_threadsafe(_done, theirs)  # once for all of them: it writes to the loop's socket
        except RuntimeError:  # it has closed, and with it went everybody who waited there
            gone += theirs
    return gone


def _done(places: Iterable[Place]) -> None:
    for _, future in places:
        if not future.done():
            future.set_result(None)
