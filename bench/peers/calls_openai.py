"""Calls with OpenAI's own client. See `calling.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from calling import KEY, MODEL, Ordered, Peer, main
from openai import AsyncOpenAI


@asynccontextmanager
async def opened(o: Ordered) -> AsyncIterator[Peer]:
    """One client with its defaults: two retries, ten minutes."""
    async with AsyncOpenAI(base_url=o.url, api_key=KEY) as client:

        async def ask(text: str) -> str:
            messages: Any = [{"role": "user", "content": text}]
            reply = await client.chat.completions.create(model=MODEL, messages=messages, max_tokens=4096)
            return reply.choices[0].message.content or ""

        async def stream(text: str) -> AsyncIterator[str]:
            messages: Any = [{"role": "user", "content": text}]
            async with await client.chat.completions.create(model=MODEL, messages=messages, stream=True) as events:
                async for event in events:
                    if event.choices:
                        yield event.choices[0].delta.content or ""

        yield Peer(ask, stream)


if __name__ == "__main__":
    main(opened, version("openai"))
