"""Calls by hand with aiohttp: a POST, and the text out of the JSON. No retry, nothing else. See `calling.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

import aiohttp
from calling import KEY, Ordered, Peer, body_of, main, pieces_of


@asynccontextmanager
async def opened(o: Ordered) -> AsyncIterator[Peer]:
    """A session without a limit of connections."""
    url, headers = f"{o.url}/chat/completions", {"authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), headers=headers, raise_for_status=True
    ) as session:

        async def ask(text: str) -> str:
            async with session.post(url, json=body_of(text)) as response:
                return (await response.json())["choices"][0]["message"]["content"]

        async def stream(text: str) -> AsyncIterator[str]:
            rest = b""
            async with session.post(url, json=body_of(text, stream=True)) as response:
                async for chunk in response.content.iter_any():
                    texts, rest = pieces_of(rest + chunk)
                    for found in texts:
                        yield found

        yield Peer(ask, stream)


if __name__ == "__main__":
    main(opened, version("aiohttp"))
