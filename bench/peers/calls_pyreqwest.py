"""Calls by hand with pyreqwest: a POST, and the text out of the JSON. No retry, nothing else. See `calling.py`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from calling import KEY, Ordered, Peer, body_of, main, pieces_of
from pyreqwest.client import ClientBuilder


@asynccontextmanager
async def opened(o: Ordered) -> AsyncIterator[Peer]:
    """One client."""
    url, headers = f"{o.url}/chat/completions", {"authorization": f"Bearer {KEY}"}
    async with ClientBuilder().default_headers(headers).error_for_status(True).no_proxy().build() as client:

        async def ask(text: str) -> str:
            response = await client.post(url).body_json(body_of(text)).build().send()
            return json.loads(bytes(await response.bytes()))["choices"][0]["message"]["content"]

        async def stream(text: str) -> AsyncIterator[str]:
            rest = b""
            sending = client.post(url).body_json(body_of(text, stream=True))
            async with sending.streamed_read_buffer_limit(0).build_streamed() as response:
                while (chunk := await response.body_reader.read_chunk()) is not None:
                    texts, rest = pieces_of(rest + bytes(chunk))
                    for found in texts:
                        yield found

        yield Peer(ask, stream)


if __name__ == "__main__":
    main(opened, version("pyreqwest"))
