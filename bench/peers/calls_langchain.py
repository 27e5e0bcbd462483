"""Calls with langchain-openai's ChatOpenAI. See `calling.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from calling import KEY, MODEL, Ordered, Peer, main
from langchain_openai import ChatOpenAI
from pydantic import SecretStr


@asynccontextmanager
async def opened(o: Ordered) -> AsyncIterator[Peer]:
    """One model with its defaults."""
    model = ChatOpenAI(model=MODEL, base_url=o.url, api_key=SecretStr(KEY))

    async def ask(text: str) -> str:
        return str((await model.ainvoke(text, max_tokens=4096)).content)

    async def stream(text: str) -> AsyncIterator[str]:
        async for piece in model.astream(text):
            yield str(piece.content)

    yield Peer(ask, stream)


if __name__ == "__main__":
    main(opened, version("langchain-openai"))
