"""Calls with TensorZero's client and its gateway inside the process, without a database. See `calling.py`."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from calling import MODEL, Ordered, Peer, main
from tensorzero import AsyncTensorZeroGateway

CONFIG = """
[gateway]
observability.enabled = false

[models.{model}]
routing = ["here"]

[models.{model}.providers.here]
type = "openai"
api_base = "{url}"
model_name = "{model}"
api_key_location = "none"
"""


@asynccontextmanager
async def opened(o: Ordered) -> AsyncIterator[Peer]:
    """An embedded gateway with one model; its defaults, so no retries."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "tensorzero.toml"
        config.write_text(CONFIG.format(model=MODEL, url=o.url))
        starting: Any = AsyncTensorZeroGateway.build_embedded(config_file=str(config))
        async with await starting as client:
            yield peer(client)


def peer(client: Any) -> Peer:
    """How this client is called."""

    def begun(text: str, stream: bool) -> Any:
        asked = {"messages": [{"role": "user", "content": text}]}
        params = {"chat_completion": {"max_tokens": 4096}}
        return client.inference(model_name=MODEL, input=asked, params=params, stream=stream)

    async def ask(text: str) -> str:
        return (await begun(text, False)).content[0].text

    async def stream(text: str) -> AsyncIterator[str]:
        async for event in await begun(text, True):
            for part in event.content:
                yield part.text

    return Peer(ask, stream)


if __name__ == "__main__":
    main(opened, version("tensorzero"))
