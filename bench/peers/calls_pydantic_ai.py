"""Calls with pydantic-ai's direct model requests, the lowest that it has, below its agents. See `calling.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from calling import KEY, MODEL, Ordered, Peer, main
from pydantic_ai.direct import model_request, model_request_stream
from pydantic_ai.messages import ModelRequest, PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider


@asynccontextmanager
async def opened(o: Ordered) -> AsyncIterator[Peer]:
    """One model with its defaults."""
    model = OpenAIChatModel(MODEL, provider=OpenAIProvider(base_url=o.url, api_key=KEY))

    async def ask(text: str) -> str:
        reply = await model_request(model, [ModelRequest.user_text_prompt(text)], model_settings={"max_tokens": 4096})
        return "".join(part.content for part in reply.parts if isinstance(part, TextPart))

    async def stream(text: str) -> AsyncIterator[str]:
        async with model_request_stream(model, [ModelRequest.user_text_prompt(text)]) as events:
            async for event in events:
                if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
                    yield event.part.content
                elif isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
                    yield event.delta.content_delta

    yield Peer(ask, stream)


if __name__ == "__main__":
    main(opened, version("pydantic-ai-slim"))
