"""What may be said of a model or of one call: one list of options, checked before anything is sent."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, cast, get_type_hints

from typing_extensions import TypedDict

from suffice.arguments import ANY, Rule, check
from suffice.errors import UsageError
from suffice.exchange import Tool
from suffice.models.concerns.budget import Budget
from suffice.models.concerns.limit import Limits
from suffice.models.concerns.retry import Retry
from suffice.models.places.policy import Policy
from suffice.models.places.prices import Price
from suffice.numbers import DAY, is_number, is_whole
from suffice.shown import brief

CAP: Final = 4096  # output tokens where nobody says
ATTEMPT: Final = 120.0  # seconds for one attempt
OURS: Final = frozenset({"model", "messages", "stream", "n", "max_tokens", "max_completion_tokens"})
"""Parts of a body that `extra` may not change: what is reserved and how the reply is read hang on them."""
OURS_HINT: Final = "max_output_tokens= is the cap, model.stream() streams, sample= tells repeats apart"
TOTAL: Final = 600.0  # seconds for a call with all its attempts, fallbacks, repairs
MOST_PRICE: Final = 1e6  # US dollars per million tokens


class CallOptions(TypedDict, total=False):
    """What one call may say. Tokens, seconds.

    `timeout` is for one attempt, `total` for all. `repairs` is how often an answer that does not fit is asked to be
    mended. `sample` tells repeats of one request apart. `shorten` ("start", "end", "both": what is kept) allows an
    input that is too long to be cut, visibly. `extra` goes into the body as it is. `budget` holds beside that of the
    model and that of the run.
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
    budget: Budget | None


class ModelOptions(CallOptions, total=False):
    """What a model may say besides. `attempts` a leg, `retry` with the waits between them, `hedge` a share of calls
    (.95) after which a second one is sent, `fallbacks` models, `price` in US dollars per million tokens.
    `cache`: False neither looks up nor records inside of runs.
    """

    attempts: int
    retry: Retry
    hedge: float | None
    fallbacks: Sequence[Any]
    policy: Policy | None
    price: Price | tuple[float, float] | None
    limits: Limits | None
    base_url: str
    key_env: str
    cache: bool | None


def _is_list(value: object, fits: Callable[[Any], bool]) -> bool:
    listed = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    return listed and all(fits(one) for one in cast("Sequence[object]", value))


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_price(value: object) -> bool:
    if isinstance(value, tuple):
        pair = cast("tuple[object, ...]", value)
        return len(pair) in (2, 3) and all(is_number(one, 0.0, MOST_PRICE) for one in pair)
    return isinstance(value, Price)


def _is_tool(value: object) -> bool:
    if not isinstance(value, Tool):
        return False
    said: tuple[object, ...] = (value.name, value.description)
    return all(map(_is_text, said)) and isinstance(cast("object", value.parameters), Mapping)


def _is_model(value: object) -> bool:
    """An address, or a Model, which is made of these options and so is told by what it has."""
    return isinstance(value, str) or hasattr(type(value), "gives_logprobs")


def _of(kind: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kind)


_SECONDS: Final = Rule(
    lambda v: is_number(v, 0.0, DAY) and v > 0,
    f"more than 0 seconds and at most a day ({DAY:.0f})",
    "None waits without end",
)
_SWITCH: Final = Rule(_of(bool), "True or False")
_NAME: Final = Rule(_is_text, "a text")
_RULES: Final[Mapping[str, Rule]] = {
    "system": _NAME,
    "temperature": Rule(lambda v: is_number(v, 0.0), "a number of at least 0"),
    "top_p": Rule(lambda v: is_number(v, 0.0, 1.0), "a share from 0 to 1"),
    "stop": Rule(lambda v: _is_text(v) or _is_list(v, _is_text), "a list of texts", 'stop=["END"]'),
    "seed": Rule(is_whole, "a whole number"),
    "max_output_tokens": Rule(lambda v: is_whole(v, 1), "a whole number of at least 1"),
    "logprobs": _SWITCH,
    "tools": Rule(
        lambda v: _is_list(v, _is_tool),
        "a list of Tools",
        'tools=[sf.models.Tool("look_up", "Find a parcel.", {"type": "object", "properties": {}})]',
    ),
    "extra": Rule(
        lambda v: isinstance(v, Mapping) and all(map(_is_text, cast("Mapping[object, object]", v))),
        "a dict that goes into the body",
        'extra={"user": "u1"}',
    ),
    "sample": Rule(lambda v: is_whole(v, 0), "a whole number of at least 0"),
    "repairs": Rule(lambda v: is_whole(v, 0), "a whole number of at least 0"),
    "continue_output": _SWITCH,
    "shorten": Rule(lambda v: v in ("start", "end", "both"), "what is kept: start, end or both", 'shorten="end"'),
    "timeout": _SECONDS,
    "total": _SECONDS,
    "attempts": Rule(lambda v: is_whole(v, 1), "a whole number of at least 1"),
    "retry": Rule(_of(Retry), "a Retry", "retry=sf.models.Retry(attempts=5)"),
    "hedge": Rule(lambda v: is_number(v, 0.5, 1.0) and v < 1, "a share of calls between .5 and 1", "hedge=.95"),
    "fallbacks": Rule(lambda v: _is_list(v, _is_model), "a list of models", 'fallbacks=["anthropic:claude-haiku-4-5"]'),
    "budget": Rule(_of(Budget), "a Budget", "budget=sf.Budget(usd=2)"),
    "policy": Rule(_of(Policy), "a Policy", 'policy=sf.models.Policy(allow=["openai"])'),
    "price": Rule(_is_price, "US dollars per million tokens of input and of output", "price=(0.25, 2.0)"),
    "limits": Rule(_of(Limits), "a Limits", "limits=sf.models.Limits(concurrency=8)"),
    "base_url": _NAME,
    "key_env": Rule(_is_text, "the name of the environment's variable", 'key_env="MY_KEY"'),
    "cache": _SWITCH,
}
"""What each option may be: the test of a value, and what to type. None is "not said" but where a number must be."""
_NEVER_NONE: Final = frozenset({"max_output_tokens", "sample", "repairs", "attempts"})


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
            raise UsageError(f"there is no option {brief(name)}", hint=hint)
    for name, value in given.items():
        if value is not None or name in _NEVER_NONE:
            check(name, value, _RULES.get(name, ANY))
    for name in OURS & set(given.get("extra") or ()):
        raise UsageError(
            f"extra may not say {brief(name)}: budgets and replies go by what the options say", hint=OURS_HINT
        )
    return dict(given)


def model_name(given: object) -> str:
    """`given`, refused with UsageError where it is no text."""
    if not isinstance(given, str):
        raise UsageError(f"a model's name is a text, not {brief(given)}", hint='sf.Model("openai:gpt-5-mini")')
    return given
