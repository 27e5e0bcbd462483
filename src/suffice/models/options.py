"""What may be said of a model or of one call: one list of options, checked before anything is sent."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, get_type_hints

from typing_extensions import TypedDict

from suffice.errors import UsageError
from suffice.exchange import Tool
from suffice.models.concerns.budget import Budget
from suffice.models.concerns.limit import Limits
from suffice.models.concerns.retry import Retry
from suffice.models.places.policy import Policy
from suffice.models.places.prices import Price

CAP: Final = 4096  # output tokens where nobody says
ATTEMPT: Final = 120.0  # seconds for one attempt
OURS: Final = frozenset({"model", "messages", "stream", "n", "max_tokens", "max_completion_tokens"})
"""Parts of a body that `extra` may not change: what is reserved and how the reply is read hang on them."""
OURS_HINT: Final = "max_output_tokens= is the cap, model.stream() streams, sample= tells repeats apart"
TOTAL: Final = 600.0  # seconds for a call with all its attempts, fallbacks, repairs


class CallOptions(TypedDict, total=False):
    """What one call may say. Tokens, seconds.

    `timeout` is for one attempt, `total` for all. `repairs` is how often an answer that does not fit is asked to be
    mended. `sample` tells repeats of one request apart. `shorten` ("start", "end", "both": what is kept) allows an
    input that is too long to be cut, visibly. `extra` goes into the body as it is.
    """

    system: str
    temperature: float | None
    top_p: float | None
    stop: Sequence[str]
    seed: int | None
    max_output_tokens: int
    logprobs: bool
    tools: Sequence[Tool]
    extra: Mapping[str, Any]
    sample: int
    repairs: int
    continue_output: bool
    shorten: str | None
    timeout: float | None
    total: float | None


class ModelOptions(CallOptions, total=False):
    """What a model may say besides. `attempts` a leg, `retry` with the waits between them, `hedge` a share of calls
    (.95) after which a second one is sent, `fallbacks` models, `price` in US dollars per million tokens.
    `cache`: False neither looks up nor records inside of runs.
    """

    attempts: int
    retry: Retry
    hedge: float | None
    fallbacks: Sequence[Any]
    budget: Budget | None
    policy: Policy | None
    price: Price | tuple[float, float] | None
    limits: Limits | None
    base_url: str
    key_env: str
    cache: bool | None


@lru_cache
def _names(known: type) -> tuple[str, ...]:
    return tuple(get_type_hints(known))


def checked(given: Mapping[str, Any], known: type) -> dict[str, Any]:
    """`given`, refused with UsageError where a name is unknown (the nearest is offered) or a value cannot be."""
    if not given:
        return {}
    names = _names(known)
    for name in given:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(names)}"
            raise UsageError(f"there is no option {name!r}", hint=hint)
    for name, least in (("max_output_tokens", 1), ("attempts", 1), ("repairs", 0), ("sample", 0)):
        if name in given and (not isinstance(given[name], int) or given[name] < least):
            raise UsageError(f"{name} is a whole number of at least {least}, not {given[name]!r:.40}")
    for name in ("timeout", "total"):
        if given.get(name) is not None and not (_is_number(given[name]) and given[name] > 0):
            raise UsageError(f"{name} is more than 0 seconds, not {given[name]!r:.40}")
    for name in OURS & set(given.get("extra") or ()):
        raise UsageError(f"extra may not say {name!r}: budgets and replies go by what the options say", hint=OURS_HINT)
    if isinstance(given.get("fallbacks") or [], str) or not isinstance(given.get("fallbacks") or [], Sequence):
        raise UsageError("fallbacks is a list of models", hint='fallbacks=["anthropic:claude-haiku-4-5"]')
    if given.get("hedge") is not None and not (_is_number(given["hedge"]) and 0.5 <= given["hedge"] < 1):
        raise UsageError(f"hedge is a share of calls between .5 and 1, not {given['hedge']!r:.40}", hint="hedge=.95")
    if given.get("shorten") not in (None, "start", "end", "both"):
        raise UsageError(f"shorten is what is kept: start, end or both, not {given['shorten']!r:.40}")
    return dict(given)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
