"""What cannot be is refused with a UsageError and what to type instead, when it is said and before a byte is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import suffice as sf
from suffice.errors import UsageError
from suffice.models.messages import messages_of
from suffice.models.model import Model
from suffice.models.sending.proxies import proxy_for

HUGE = 10**5000  # Python itself refuses to write it down
NAME = "http://127.0.0.1:9/v1#any"
WRONG: dict[str, list[Any]] = {
    "system": [5, b"x"],
    "temperature": ["x", float("nan"), True, HUGE],
    "top_p": [[1]],
    "stop": [5, [5], b"x"],
    "seed": ["x", 1.5, HUGE],
    "max_output_tokens": [True, None, 0, 1.5, HUGE],
    "logprobs": [1],
    "tools": ["x", [5], [{}]],
    "extra": [5, "x", [1], {1: 2}],
    "sample": [-1, True],
    "repairs": [None, HUGE],
    "continue_output": ["yes"],
    "shorten": ["middle", ["end"]],
    "timeout": [0, "5", 10**400, HUGE, float("inf"), 86_401],
    "total": [-1, 10**400, float("nan")],
    "attempts": [0, True, "x"],
    "retry": [5, {}],
    "hedge": [1, 0.4, "x", HUGE],
    "fallbacks": [5, "openai:x", [5], [None]],
    "budget": [5],
    "policy": [5, ["openai"]],
    "price": [5, (1,), [1, 2], (1, "x"), (1, -1), (1, HUGE), (1, 2_000_000)],
    "limits": [5, {}],
    "base_url": [5],
    "key_env": [5],
    "cache": ["no"],
}


VALUES = [pytest.param(name, v, id=f"{name}-{n}") for name, values in WRONG.items() for n, v in enumerate(values)]


@pytest.mark.parametrize(("name", "value"), VALUES)
def test_a_value_that_an_option_cannot_have_is_refused_by_its_name(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"^{name} is ") as caught:
        Model(NAME, **{name: value})
    assert len(str(caught.value)) < 240


def test_every_option_of_a_model_has_its_refusal() -> None:
    with pytest.raises(UsageError) as caught:
        Model(NAME, **{"?": 1})  # type: ignore[call-arg]
    assert f"known: {', '.join(WRONG)}" in str(caught.value)


def test_what_an_option_may_be_is_taken() -> None:
    nothing = dict.fromkeys(set(WRONG) - {"max_output_tokens", "sample", "repairs", "attempts"})
    assert Model(NAME, **nothing).route.first.address.model == "any"  # type: ignore[arg-type]
    other = Model(NAME)
    one = Model(NAME, stop="END", fallbacks=(NAME, other), price=(1, 2), timeout=86_400, total=1, extra={"a": 1})
    assert len(one.route.legs) == 3
    assert Model(NAME, retry=sf.models.Retry(attempts=5)).route.first.retry.attempts == 5


CALL = {"id": "1", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("calls", "place"),
    [
        (5, r"\$\[0\]\.tool_calls`"),
        ([5], r"tool_calls\[0\]"),
        ([{**CALL, "function": {"name": "f", "arguments": "[" * 5000}}], r"tool_calls\[0\]"),
        ([CALL, {**CALL, "function": {"name": "f", "arguments": "9" * 5000}}], r"tool_calls\[1\]"),
    ],
)
def test_tool_calls_that_cannot_be_read_are_refused_with_their_place(calls: Any, place: str) -> None:
    with pytest.raises(UsageError, match=place):
        messages_of([{"role": "assistant", "content": "a", "tool_calls": calls}, {"role": "user", "content": "b"}])


@pytest.mark.parametrize("texts", [5, [5], "abc", b"abc", [], ["a", " "], ["a", None]], ids=repr)
def test_what_is_no_list_of_texts_is_not_embedded(texts: Any) -> None:
    with pytest.raises(UsageError, match=r"hint: await model\.embed\("):
        asyncio.run(Model(NAME).embed(texts))


STEPLESS: Any = 5
MADE: dict[str, Callable[[], Any]] = {
    "Model(None)": lambda: Model(None),  # type: ignore[arg-type]
    "Model(5)": lambda: Model(5),  # type: ignore[arg-type]
    "Budget(usd=text)": lambda: sf.Budget(usd="5"),  # type: ignore[arg-type]
    "Budget(usd=-1)": lambda: sf.Budget(usd=-1),
    "Budget(usd=inf)": lambda: sf.Budget(usd=float("inf")),
    "Budget(usd=nan)": lambda: sf.Budget(usd=float("nan")),
    "Budget(usd=huge)": lambda: sf.Budget(usd=HUGE),
    "Budget(calls=1.5)": lambda: sf.Budget(calls=1.5),  # type: ignore[arg-type]
    "Budget(tokens=True)": lambda: sf.Budget(tokens=True),
    "Limits(text)": lambda: sf.models.Limits("a"),  # type: ignore[arg-type]
    "Limits(1.5)": lambda: sf.models.Limits(1.5),  # type: ignore[arg-type]
    "Limits(per minute nan)": lambda: sf.models.Limits(requests_per_minute=float("nan")),
    "Limits(per minute huge)": lambda: sf.models.Limits(tokens_per_minute=HUGE),
    "Policy(allow=5)": lambda: sf.models.Policy(allow=5),  # type: ignore[arg-type]
    "Policy(allow=dict)": lambda: sf.models.Policy(allow={"openai": False}),  # type: ignore[arg-type]
    "vote(n=text)": lambda: sf.rung.vote(n="x"),  # type: ignore[arg-type]
    "vote(5)": lambda: sf.rung.vote(STEPLESS),
    "vote(temperature=text)": lambda: sf.rung.vote(temperature="x"),  # type: ignore[arg-type]
    "examples(k=1.5)": lambda: sf.rung.examples(k=1.5),  # type: ignore[arg-type]
    "step(5)": lambda: sf.rung.step(STEPLESS),
    "step(function)": lambda: sf.rung.step(len),
    "prompt(confidence=list)": lambda: sf.rung.prompt(confidence=["logprobs"]),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("made", MADE.values(), ids=MADE)
def test_a_part_that_cannot_be_made_says_what_to_type(made: Callable[[], Any]) -> None:
    with pytest.raises(UsageError) as caught:
        made()
    assert caught.value.hint


def test_a_whole_amount_may_be_written_as_a_float() -> None:
    assert sf.Budget(tokens=1e6).tokens == 1_000_000  # type: ignore[arg-type]


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999", "http://[::1", "127.0.0.1:port"])
def test_a_proxy_whose_place_cannot_be_read_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", url)
    with pytest.raises(UsageError, match="HTTPS_PROXY=http://HOST:PORT, or NO_PROXY=api.example.test"):
        proxy_for("https", "api.example.test")
