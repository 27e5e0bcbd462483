"""The bare loop: asks by hand with aiohttp, compares, counts. No journal, no retry. See `evaluating_cases.py`."""

from __future__ import annotations

import asyncio
from importlib.metadata import version

from calling import Ordered as Calls
from calls_aiohttp import opened
from evaluating_cases import REPLY, Evaluating, Ordered, main, questions


async def loop(o: Ordered, texts: list[str]) -> int:
    """How many replies are right; so many workers take the next text when they are done with one."""
    left, right = iter(texts), 0
    async with opened(Calls(o.url, "calls", o.n, o.concurrency)) as peer:

        async def worker() -> None:
            nonlocal right
            for text in left:
                said = await peer.ask(text)
                right += said == REPLY

        await asyncio.gather(*(worker() for _ in range(o.concurrency)))
    return right


def prepared(o: Ordered) -> Evaluating:
    """The loop, whose session is opened in its time."""
    texts = questions(o.n)
    return lambda: asyncio.run(loop(o, texts))


if __name__ == "__main__":
    main(prepared, version("aiohttp"))
