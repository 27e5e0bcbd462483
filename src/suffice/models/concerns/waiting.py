"""Waiting across event loops: a place in a queue that whoever holds it waits at, and waking those who wait."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

Place = tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]
"""Where one caller waits: on its own loop, which may run in any thread."""


def wake(places: Iterable[Place]) -> None:
    """Let these go on. To be called without a lock held; a place whose loop has closed is passed over."""
    for loop, future in places:
        try:
            loop.call_soon_threadsafe(_done, future)
        except RuntimeError:  # its loop has closed, and with it everybody who waited there
            continue


def _done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
