"""Calls with LiteLLM's `acompletion`. See `calling.py`."""

from __future__ import annotations

import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else importing it fetches a file from the network

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

import litellm
from calling import KEY, MODEL, Ordered, Peer, main

litellm.suppress_debug_info = True  # else every failure prints advice


@asynccontextmanager
async def opened(o: Ordered) -> AsyncIterator[Peer]:
    """Its module-level function with its defaults."""
    where: dict[str, Any] = {"model": f"openai/{MODEL}", "api_base": o.url, "api_key": KEY}

    async def ask(text: str) -> str:
        messages = [{"role": "user", "content": text}]
        reply: Any = await litellm.acompletion(messages=messages, max_tokens=4096, **where)
        return reply.choices[0].message.content

    async def stream(text: str) -> AsyncIterator[str]:
        events: Any = await litellm.acompletion(messages=[{"role": "user", "content": text}], stream=True, **where)
        async for event in events:
            yield event.choices[0].delta.content or ""

    yield Peer(ask, stream)


if __name__ == "__main__":
    main(opened, version("litellm"))
