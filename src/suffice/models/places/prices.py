"""Prices: US dollars per million tokens, from the library's snapshot or from the user; unknown is None, never 0."""

from __future__ import annotations

import importlib
import json
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, cast

from suffice.errors import UsageError
from suffice.exchange import Usage
from suffice.models.places.endpoint import Address
from suffice.numbers import is_number, is_whole

MILLION: Final = 1_000_000
_IDS: Final = {"gemini": "google", "xai": "x-ai"}  # where the library's word differs from ours
_LISTED: Final = frozenset(
    ("openai", "anthropic", "gemini", "openrouter", "groq", "mistral", "deepseek", "together", "xai")
)


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens. `cached_input` is what input costs that the provider had in its cache; None: as
    other input. `up_to` has the other price of a request whose whole input is at most so many tokens, the smallest
    size first. Raises UsageError for what is no price."""

    input: float
    output: float
    cached_input: float | None = None
    up_to: tuple[tuple[int, Price], ...] = ()

    def __post_init__(self) -> None:
        for name in ("input", "output", "cached_input"):
            value = getattr(self, name)
            if not (is_number(value, 0.0, sys.float_info.max) or (value is None and name == "cached_input")):
                said = f"{name} of a price is a number of US dollars per million tokens, at least 0"
                raise UsageError(said, hint="sf.models.Price(0.25, 2.0)")
        if not isinstance(cast("object", self.up_to), tuple) or not all(map(_is_tier, self.up_to)):
            raise UsageError("up_to of a price is a tuple of (tokens, Price)", hint="((200_000, Price(1.25, 10.0)),)")


def _is_tier(given: object) -> bool:
    pair = cast("tuple[object, ...]", given) if isinstance(given, tuple) else ()
    return len(pair) == 2 and is_whole(pair[0], 0) and isinstance(pair[1], Price)


FREE: Final = Price(0.0, 0.0, 0.0)


def price_of(address: Address, override: Price | None = None) -> Price | None:
    """The list price of a model: `override` where there is one, nothing for an endpoint on this machine, else the
    library's. One in tiers is that of the longest input, with the others in `up_to`; one that changes with the hour is
    that of its dearest hour, because it is what a reservation is made at. None where nobody knows."""
    if override is not None:
        return override
    if address.endpoint.loopback:
        return FREE
    model = listed(address)
    return None if model is None else _dearest(model)


def cost_of(usage: Usage, price: Price | None) -> float | None:
    """US dollars for `usage` at `price`, in the tier of its input; None where the price or a count that it needs is
    unknown. A reservation's input, the most that it can be, meets a tier at least as dear as the settlement's."""
    if price is None or (usage.input_tokens is None and price.input) or (usage.output_tokens is None and price.output):
        return None
    whole, out = usage.input_tokens or 0, usage.output_tokens or 0
    price = next((tier for most, tier in price.up_to if whole <= most), price)
    cached = min(usage.cached_input_tokens or 0, whole)
    again = price.input if price.cached_input is None else price.cached_input
    return ((whole - cached) * price.input + cached * again + out * price.output) / MILLION


def price_line(address: Address) -> str:
    """What to put at the end of suffice.toml so that the model has a price; the dollars are still to be filled in."""
    name = json.dumps(address.text, ensure_ascii=False)
    return f"[prices.{name}]\ninput = DOLLARS_PER_MILLION_TOKENS\noutput = DOLLARS_PER_MILLION_TOKENS"


def listed(address: Address) -> Any:
    """The library's entry for a provider's model (`.context_window`, `.get_prices`), None where it has none."""
    provider = address.endpoint.provider
    return _entry(provider, address.model) if provider in _LISTED else None


@lru_cache(maxsize=256)
def _entry(provider: str, model: str) -> Any:
    """The library takes a fifth of a second to import, so it is imported here, for a provider that it lists."""
    snapshot = importlib.import_module("genai_prices.data_snapshot").get_snapshot()
    try:
        return snapshot.find_provider_model(model, None, _IDS.get(provider, provider), None)[1]
    except LookupError:
        return None


def _dearest(model: Any) -> Price | None:
    """The highest price of a model over the hours of a day, in its tiers."""
    now = datetime.now(UTC)
    hours = [model.get_prices(now + timedelta(hours=hour)) for hour in range(24)]
    given = [value for price in hours for value in (price.input_mtok, price.output_mtok, price.cache_read_mtok)]
    sizes = sorted({tier.start for value in given for tier in getattr(value, "tiers", ())})
    tiers = [(size, found) for size in sizes if (found := _highest(hours, size)) is not None]
    whole = _highest(hours, math.inf)
    return None if whole is None else replace(whole, up_to=tuple(tiers))


def _highest(hours: Sequence[Any], size: float) -> Price | None:
    """The highest price over some hours of a request whose whole input is `size` tokens; None where there is none."""

    def most(values: Iterable[Any]) -> float | None:
        return max((float(_tier(value, size)) for value in values if value is not None), default=None)

    given = most(price.input_mtok for price in hours)
    if given is None:
        return None
    out = most(price.output_mtok for price in hours)  # embeddings have no output, so no price for it
    return Price(given, out or 0.0, most(price.cache_read_mtok for price in hours))


def _tier(value: Any, size: float) -> Any:
    """A plain price, or that of the last tier that an input of `size` tokens is beyond."""
    tiers = getattr(value, "tiers", None)
    if tiers is None:
        return value
    return next((tier.price for tier in reversed(tiers) if size > tier.start), value.base)
