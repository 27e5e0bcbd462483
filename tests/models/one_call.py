"""What most tests of models begin with: a model at an upstream, and one call to it."""

from __future__ import annotations

import asyncio
from typing import Any

from suffice.models.concerns.retry import Retry
from suffice.models.model import Model
from upstream import Upstream

FAST = Retry(base=0.001, cap=0.01)
"""It hardly waits between attempts."""


def model(up: Upstream, dialect: str = "openai", **options: Any) -> Model:
    """A model at the upstream that hardly waits between attempts."""
    name = f"{up.url}#any" if dialect == "openai" else f"anthropic+{up.origin}#any"
    return Model(name, **{"retry": FAST, **options})


def ask(one: Model, *given: Any, **options: Any) -> Any:
    """One call in an event loop of its own, about "hello" where nothing is given."""

    async def call() -> Any:
        return await one(*(given or ("hello",)), **options)

    return asyncio.run(call())
