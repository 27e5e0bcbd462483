"""What cannot be is refused with a UsageError and what to type instead, when it is said and before a byte is sent."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
from collections import UserDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

import suffice as sf
from suffice.errors import UsageError
from suffice.evals.runner import Job
from suffice.exchange import ToolCall
from suffice.models.messages import messages_of
from suffice.models.model import Model
from suffice.models.sending.proxies import proxy_for
from suffice.programs.constant import constant_solution
from upstream import upstream

HUGE = 10**5000  # Python itself refuses to write it down
NAME = "http://127.0.0.1:9/v1#any"
WRONG: dict[str, list[Any]] = {
    "system": [5, b"x"],
    "temperature": ["x", float("nan"), True, HUGE, -0.1],
    "top_p": [[1], 1.01, -0.01],
    "stop": [5, [5], b"x"],
    "seed": ["x", 1.5, HUGE],
    "max_output_tokens": [True, None, 0, 1.5, HUGE],
    "logprobs": [1],
    "tools": ["x", [5], [{}], [sf.models.Tool("f", None, {})], [sf.models.Tool("f", "", [])]],  # type: ignore[arg-type]
    "extra": [5, "x", [1], {1: 2}],
    "sample": [-1, True],
    "repairs": [None, HUGE],
    "continue_output": ["yes"],
    "shorten": ["middle", ["end"]],
    "timeout": [0, "5", 10**400, HUGE, float("inf"), 86_401],
    "total": [-1, 10**400, float("nan")],
    "budget": [5],
    "attempts": [0, True, "x"],
    "retry": [5, {}],
    "hedge": [1, 0.4, "x", HUGE],
    "fallbacks": [5, "openai:x", [5], [None]],
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


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: Model(), 'write it as "openai:gpt-5-mini"'),
        (lambda: Model(""), 'write it as "openai:gpt-5-mini"'),
        (lambda: Model("gpt-5"), "did you mean openai:gpt-5?"),
        (lambda: Model("openai:"), 'write it as "openai:gpt-5-mini"'),
        (lambda: Model("openai:gpt-5", fallbacks=["claude-haiku-4-5"]), "did you mean anthropic:claude-haiku-4-5?"),
        (lambda: Model("openai:gpt-5", base_url="ftp://x"), "http"),
    ],
)
def test_a_name_that_leads_nowhere_is_refused_when_it_is_said(made: Callable[[], Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        made()
    assert said in str(caught.value)


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


Image = sf.models.Image
IMAGES: list[Any] = [
    Image(),
    Image(url="http://x/a.png", data=b"x"),
    Image(url=5),  # type: ignore[arg-type]
    Image(url=""),
    Image(url="http://x/a b.png"),
    Image(data="abc"),  # type: ignore[arg-type]
    Image(data=b""),
    Image(data=b"x", media_type=5),  # type: ignore[arg-type]
    Image(data=b"x", media_type="a\r\nb"),
    {"type": "image_url"},
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,@@"}},
]


@pytest.mark.parametrize("image", IMAGES, ids=repr)
def test_what_is_no_image_is_refused_with_its_place(image: Any) -> None:
    with pytest.raises(UsageError, match=r"at `\$\.content\[1\]`") as caught:
        messages_of({"role": "user", "content": ["what is it?", image]})
    assert caught.value.hint


CYCLE: dict[str, Any] = {}
CYCLE["a"] = CYCLE
NO_JSON: list[Any] = [{1}, object(), b"x", float("nan"), HUGE, CYCLE]


@pytest.mark.parametrize("value", NO_JSON, ids=lambda v: type(v).__name__)
def test_what_is_no_json_is_refused_wherever_it_goes_into_the_body(value: Any) -> None:
    tool = sf.models.Tool("f", "", {"type": "object", "default": value})
    calls = (ToolCall("1", "f", {"a": value}),)
    for messages, options in (
        ("hello", {"extra": {"a": value}}),
        ("hello", {"tools": [tool]}),
        ([sf.models.Message("user", "a"), sf.models.Message("assistant", "", calls)], {}),
    ):
        with pytest.raises(UsageError, match="JSON"):
            asyncio.run(Model(NAME, attempts=1)(messages, **options))


def test_texts_and_mappings_of_the_callers_own_kind_are_json() -> None:
    class Text(str):
        """A text with a name of its own, as some libraries have them."""

    with upstream() as up:
        options: Any = {"system": Text("Be brief."), "extra": UserDict(a=UserDict(b=1))}
        asyncio.run(Model(f"{up.url}#any")(Text("hello"), **options))
    assert up.log.asked[0].said["a"] == {"b": 1}
    assert [m["content"] for m in up.log.asked[0].said["messages"]] == ["Be brief.", "hello"]


def test_every_tool_has_a_name_of_its_own() -> None:
    tool = sf.models.Tool("f", "", {"type": "object"})
    for tools in ([tool, tool], [sf.models.Tool("", "", {"type": "object"})]):
        with pytest.raises(UsageError, match="a name of its own"):
            asyncio.run(Model(NAME, attempts=1)("hello", tools=tools))


def test_an_output_that_is_no_type_is_refused_whatever_looking_into_it_ends_in() -> None:
    @dataclass
    class Point:
        x: int = 1

    for output in (5, Point(), [int], json, "x" * 10_000):
        with pytest.raises(UsageError, match="has no JSON schema|no type") as caught:
            asyncio.run(Model(NAME, attempts=1)("hello", output=output))  # type: ignore[call-overload]
        assert len(caught.value.message) < 500


def test_a_model_that_is_none_is_refused_when_it_is_put_around() -> None:
    for model in (5, None, Model):
        with pytest.raises(UsageError, match="its name or an sf.Model"), sf.using(model=model):  # type: ignore[arg-type]
            pass
    with pytest.raises(UsageError, match="no option 'name'"):
        Model(NAME).using(name="x")  # type: ignore[call-arg]


def test_a_model_travels_to_another_process_without_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "canary-key-4711")
    one = Model(NAME, key_env="MY_KEY", temperature=0.5, price=(1.0, 2.0))
    assert one.route.first.key == "canary-key-4711"
    data = pickle.dumps(one)
    assert pickle.loads(data) == copy.deepcopy(one) == one and b"canary" not in data


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
    "Budget(budget)": lambda: sf.Budget(sf.Budget()),  # type: ignore[arg-type]
    "Retry(attempts=text)": lambda: sf.models.Retry(attempts="x"),  # type: ignore[arg-type]
    "Retry(attempts=0)": lambda: sf.models.Retry(attempts=0),
    "Retry(attempts=True)": lambda: sf.models.Retry(attempts=True),
    "Retry(attempts=1.5)": lambda: sf.models.Retry(attempts=1.5),  # type: ignore[arg-type]
    "Retry(attempts=huge)": lambda: sf.models.Retry(attempts=HUGE),
    "Retry(attempts=None)": lambda: sf.models.Retry(attempts=None),  # type: ignore[arg-type]
    "Retry(base=text)": lambda: sf.models.Retry(base="1"),  # type: ignore[arg-type]
    "Retry(base=-1)": lambda: sf.models.Retry(base=-1),
    "Retry(base=nan)": lambda: sf.models.Retry(base=float("nan")),
    "Retry(cap=inf)": lambda: sf.models.Retry(cap=float("inf")),
    "Retry(unreached=0)": lambda: sf.models.Retry(unreached=0),
    "Price(text)": lambda: sf.models.Price("1", 2),  # type: ignore[arg-type]
    "Price(up_to=list)": lambda: sf.models.Price(1, 2, up_to=[(1, 2)]),  # type: ignore[arg-type]
    "Price(up_to=numbers)": lambda: sf.models.Price(1, 2, up_to=((1, 2),)),  # type: ignore[arg-type]
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


PARTS = {
    "attempts": lambda: sf.models.Retry(attempts="x"),  # type: ignore[arg-type]
    "unreached": lambda: sf.models.Retry(unreached=-1),
    "base": lambda: sf.models.Retry(base=None),  # type: ignore[arg-type]
    "cap": lambda: sf.models.Retry(cap=10**9),
    "cached_input": lambda: sf.models.Price(1, 2, "x"),  # type: ignore[arg-type]
    "usd": lambda: sf.Budget(usd=[]),  # type: ignore[arg-type]
    "concurrency": lambda: sf.models.Limits(concurrency=0),
}


@pytest.mark.parametrize("name", PARTS)
def test_a_part_that_cannot_be_made_is_refused_by_the_name_of_what_is_wrong(name: str) -> None:
    with pytest.raises(UsageError, match=rf"\b{name}\b"):
        PARTS[name]()


@pytest.mark.parametrize("how", [{"concurrency": "8"}, {"concurrency": True}, {"timeout": "x"}, {"timeout": -1.0}])
def test_how_a_run_calls_is_refused_like_any_option(how: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="hint: --"):
        Job(constant_solution("a"), STEPLESS, **how)


def test_a_whole_amount_may_be_written_as_a_float() -> None:
    assert sf.Budget(tokens=1e6).tokens == 1_000_000  # type: ignore[arg-type]


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999", "http://[::1", "127.0.0.1:port"])
def test_a_proxy_whose_place_cannot_be_read_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", url)
    with pytest.raises(UsageError, match="HTTPS_PROXY=http://HOST:PORT, or NO_PROXY=api.example.test"):
        proxy_for("https", "api.example.test")
