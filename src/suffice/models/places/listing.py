"""What can be said of models before any of them is called: key, price, policy, and whether something answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from suffice.errors import PolicyError, UsageError
from suffice.models.places.address import address, key_of
from suffice.models.places.endpoint import Endpoint
from suffice.models.places.policy import permits
from suffice.models.places.prices import price_of
from suffice.models.places.providers import PROVIDERS
from suffice.models.places.settings import settings
from suffice.models.sending.transport import reachable
from suffice.models.tokens import window_of


async def about(names: Sequence[str], reach: bool) -> list[dict[str, str]]:
    """One row a model, in plain words. Raises UsageError for a name that cannot be."""
    said = settings()
    rows: list[dict[str, str]] = []
    for name in names:
        place = address(name)
        price = price_of(place, said.prices.get(name))
        if price is not None and price.up_to:
            price = price.up_to[0][1]  # that of short inputs
        window, _ = window_of(place)
        cost = "price unknown" if price is None else f"${price.input:g} in, ${price.output:g} out a million tokens"
        size = f", window {window:,} tokens" if window is not None else ""
        rows.append({**await _of(place.endpoint, reach), "model": name, "price": f"{cost}{size}"})
    return rows


async def listed(reach: bool) -> list[dict[str, str]]:
    """One row a provider."""
    ends = list(PROVIDERS.values())
    found = await asyncio.gather(*(_of(end, reach) for end in ends))
    return [{**row, "model": f"{end.provider}:…"} for end, row in zip(ends, found, strict=True)]


async def _of(endpoint: Endpoint, reach: bool) -> dict[str, str]:
    policy = settings().policy
    allowed = "allowed"
    if policy is not None:
        try:
            permits(policy, endpoint)
        except PolicyError:
            allowed = "forbidden by [policy]"
    answers = ""
    if reach and allowed == "allowed":  # a forbidden host is never contacted, not even to ask whether it is there
        answers = "answers" if await reachable(endpoint) else "does not answer"
    return {"model": "", "key": _key(endpoint), "price": "", "allowed": allowed, "reachable": answers}


def _key(endpoint: Endpoint) -> str:
    if not endpoint.key_env:
        return "needs no key"
    try:
        found = key_of(endpoint)
    except UsageError:
        return f"no key: {' or '.join(endpoint.key_env)}"
    return "key set" if found else "needs no key"
