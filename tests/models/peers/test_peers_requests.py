"""What Suffice sends, beside what OpenAI's and Anthropic's own SDKs send for the same: every difference is named."""

from __future__ import annotations

import base64
from collections.abc import Callable, Generator
from contextlib import ExitStack
from typing import Any, Literal

import pytest
from peer_place import INSTALLS, KEY, KEY_ENV
from pydantic import BaseModel, ValidationError
from upstream_faults import Asked

import suffice as sf
from suffice.errors import OutputError
from suffice.exchange import Tool
from upstream import Upstream, upstream

pytestmark = pytest.mark.peers

Sdk = Callable[[Upstream], Any]
"""An SDK's client of this upstream."""

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n, as far as anybody looks").decode()
SCHEMA = {
    "type": "object",
    "properties": {"deep": {"type": "boolean"}},
    "required": ["deep"],
    "additionalProperties": False,
}
LOOK = Tool("look", "Look it up.", SCHEMA)
SYSTEM, ASKED, ANSWERED, AGAIN = "Be short.", "hello", "Hello!", "and now?"
ARGUMENTS = '{"deep":true}'

HI: list[Any] = [{"role": "user", "content": ASKED}]
TURNS: list[Any] = [
    {"role": "system", "content": SYSTEM},
    *HI,
    {"role": "assistant", "content": ANSWERED},
    {"role": "user", "content": AGAIN},
]
PICTURE: list[Any] = [
    {
        "role": "user",
        "content": [
            {"type": "text", "text": ASKED},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        ],
    }
]
CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": ARGUMENTS}}
FOUND: list[Any] = [
    *HI,
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": "found"},
]
FUNCTIONS: list[Any] = [
    {"type": "function", "function": {"name": "look", "description": "Look it up.", "parameters": SCHEMA}}
]

# One way to ask: what Suffice is told, and what the SDK is told.
OPENAI: dict[str, tuple[Any, dict[str, Any], dict[str, Any]]] = {
    "text": (HI, {}, {"messages": HI}),
    "turns": (TURNS, {}, {"messages": TURNS}),
    "image": (PICTURE, {}, {"messages": PICTURE}),
    "tools": (HI, {"tools": [LOOK]}, {"messages": HI, "tools": FUNCTIONS}),
    "tool result": (FOUND, {"tools": [LOOK]}, {"messages": FOUND, "tools": FUNCTIONS}),
    "sampling": (
        HI,
        {"temperature": 0.5, "top_p": 0.9, "seed": 0, "stop": ["a", "b"], "logprobs": True},
        {"messages": HI, "temperature": 0.5, "top_p": 0.9, "seed": 0, "stop": ["a", "b"], "logprobs": True},
    ),
}

A_TEXT: list[Any] = [{"role": "user", "content": [{"type": "text", "text": ASKED}]}]
A_TURNS: list[Any] = [
    *A_TEXT,
    {"role": "assistant", "content": [{"type": "text", "text": ANSWERED}]},
    {"role": "user", "content": [{"type": "text", "text": AGAIN}]},
]
A_IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
A_PICTURE: list[Any] = [{"role": "user", "content": [{"type": "text", "text": ASKED}, A_IMAGE]}]
A_TOOLS: list[Any] = [{"name": "look", "description": "Look it up.", "input_schema": SCHEMA}]
A_FOUND: list[Any] = [
    *A_TEXT,
    {"role": "assistant", "content": [{"type": "tool_use", "id": "call_1", "name": "look", "input": {"deep": True}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "found"}]},
]
ANTHROPIC: dict[str, tuple[Any, dict[str, Any], dict[str, Any]]] = {
    "text": (HI, {}, {"messages": A_TEXT}),
    "turns": (TURNS, {}, {"system": SYSTEM, "messages": A_TURNS}),
    "image": (PICTURE, {}, {"messages": A_PICTURE}),
    "tools": (HI, {"tools": [LOOK]}, {"messages": A_TEXT, "tools": A_TOOLS}),
    "tool result": (FOUND, {"tools": [LOOK]}, {"messages": A_FOUND, "tools": A_TOOLS}),
    "sampling": (
        HI,
        {"temperature": 0.5, "top_p": 0.9, "stop": ["a", "b"]},
        # This SDK refuses temperature beside top_p; the API takes both from older models.
        {"messages": A_TEXT, "extra_body": {"temperature": 0.5, "top_p": 0.9}, "stop_sequences": ["a", "b"]},
    ),
}


def sent(ask: Callable[[Upstream], object]) -> Asked:
    """The one request that arrives when `ask` is done."""
    with upstream() as up:
        ask(up)
        (asked,) = up.log.asked
        return asked


def ours(dialect: str, messages: Any, options: dict[str, Any]) -> Asked:
    """What Suffice sends."""
    form = "anthropic+{}/v1#tiny" if dialect == "anthropic" else "{}/v1#tiny"
    return sent(
        lambda up: sf.run(sf.Model(form.format(up.origin), key_env=KEY_ENV, max_output_tokens=50)(messages, **options))
    )


@pytest.fixture
def openai() -> Generator[Sdk]:
    """OpenAI's SDK."""
    sdk = pytest.importorskip("openai", reason=INSTALLS)
    with ExitStack() as open_ones:
        yield lambda up: open_ones.enter_context(sdk.OpenAI(base_url=up.url, api_key=KEY, max_retries=0))


@pytest.fixture
def anthropic() -> Generator[Sdk]:
    """Anthropic's SDK."""
    sdk = pytest.importorskip("anthropic", reason=INSTALLS)
    with ExitStack() as open_ones:
        yield lambda up: open_ones.enter_context(sdk.Anthropic(base_url=up.origin, api_key=KEY, max_retries=0))


@pytest.mark.parametrize("way", OPENAI)
def test_the_body_is_the_one_that_openais_sdk_sends(way: str, openai: Sdk) -> None:
    messages, options, told = OPENAI[way]
    theirs = sent(lambda up: openai(up).chat.completions.create(model="tiny", max_tokens=50, **told))
    mine = ours("openai", messages, options)
    assert mine.path == theirs.path == "/v1/chat/completions"
    assert mine.body == theirs.body


@pytest.mark.parametrize("way", ANTHROPIC)
def test_the_body_is_the_one_that_anthropics_sdk_sends(way: str, anthropic: Sdk) -> None:
    messages, options, told = ANTHROPIC[way]
    theirs = sent(lambda up: anthropic(up).messages.create(model="tiny", max_tokens=50, **told))
    mine = ours("anthropic", messages, options)
    assert mine.path == theirs.path == "/v1/messages"
    assert mine.body == theirs.body


def test_openais_key_and_content_type_go_in_the_same_headers(openai: Sdk) -> None:
    """Left out on purpose: what only tells of the SDK (x-stainless-*), and accept. Replies come uncompressed."""
    theirs = sent(lambda up: openai(up).chat.completions.create(model="tiny", messages=HI)).headers
    mine = ours("openai", HI, {}).headers
    assert set(mine) <= set(theirs) and "authorization" in mine
    assert mine["content-type"] == theirs["content-type"]
    assert (mine["accept-encoding"], theirs["accept-encoding"]) == ("identity", "gzip, deflate")


def test_anthropics_version_is_the_one_that_takes_a_temperature(anthropic: Sdk) -> None:
    """Since version 2026-10-21 the API refuses sampling parameters, and the SDK sends the key as a bearer.

    Suffice stays with 2023-06-01, which the API keeps, and whose header for the key it takes as before.
    """
    theirs = sent(lambda up: anthropic(up).messages.create(model="tiny", max_tokens=5, messages=HI)).headers
    mine = ours("anthropic", HI, {"temperature": 0}).headers
    assert set(mine) - set(theirs) == {"x-api-key"} and "authorization" in theirs
    assert (mine["anthropic-version"], theirs["anthropic-version"]) == ("2023-06-01", "2026-10-21")


def test_streams_are_asked_for_alike_but_suffice_wants_usage_too(openai: Sdk, anthropic: Sdk) -> None:
    async def streamed(address: str) -> None:
        async with sf.Model(address, key_env=KEY_ENV, max_output_tokens=50).stream(ASKED) as s:
            async for _ in s:
                pass

    told: Any = {"model": "tiny", "max_tokens": 50, "stream": True}
    theirs = sent(lambda up: list(openai(up).chat.completions.create(messages=HI, **told))).body
    mine = sent(lambda up: sf.run(streamed(f"{up.url}#tiny"))).body
    assert mine == {**theirs, "stream_options": {"include_usage": True}}  # without it OpenAI counts no stream
    theirs = sent(lambda up: list(anthropic(up).messages.create(messages=A_TEXT, **told))).body
    assert sent(lambda up: sf.run(streamed(f"anthropic+{up.url}#tiny"))).body == theirs


class Order(BaseModel):
    """An order."""

    urgent: bool
    team: Literal["billing", "shipping"]
    note: str | None = None


def asked_for_an_order(address: str) -> Callable[[Upstream], object]:
    """Suffice asks for one; the upstream's answer "ok" is none, which does not matter here."""

    def ask(up: Upstream) -> None:
        with pytest.raises(OutputError):
            sf.run(
                sf.Model(address.format(up.origin), key_env=KEY_ENV, max_output_tokens=50)(HI, output=Order, repairs=0)
            )

    return ask


def test_a_type_is_asked_for_as_openais_sdk_does_but_its_default_is_told(openai: Sdk) -> None:
    def parse(up: Upstream) -> None:
        with pytest.raises(ValidationError):
            openai(up).chat.completions.parse(model="tiny", max_tokens=50, messages=HI, response_format=Order)

    theirs, mine = sent(parse).body, sent(asked_for_an_order("{}/v1#tiny")).body
    assert theirs.pop("stream") is False  # which is what a body without it means
    told = mine["response_format"]["json_schema"]["schema"]["properties"]["note"]
    assert told.pop("description") == "Where nothing else is known: null."  # strict mode takes no `default`
    assert mine == theirs


def test_a_type_is_asked_for_as_anthropics_sdk_does_but_strictly(anthropic: Sdk) -> None:
    def parse(up: Upstream) -> None:
        with pytest.raises(ValidationError):
            anthropic(up).messages.parse(model="claude-haiku-4-5", max_tokens=50, messages=A_TEXT, output_format=Order)

    def claude(up: Upstream) -> None:
        model = sf.Model("anthropic:claude-haiku-4-5", base_url=up.origin, key_env=KEY_ENV, max_output_tokens=50)
        with pytest.raises(OutputError):
            sf.run(model(HI, output=Order, repairs=0))

    theirs, mine = sent(parse).body, sent(claude).body
    schemas = [body["output_config"]["format"].pop("schema") for body in (theirs, mine)]
    assert mine == theirs
    assert [schema.pop("required") for schema in schemas] == [["urgent", "team"], ["urgent", "team", "note"]]
    notes = [schema["properties"]["note"].pop("description") for schema in schemas]
    assert notes == ["{default: None}", "Where nothing else is known: null."]
    assert schemas[1]["properties"]["team"].pop("type") == "string"  # the SDK drops it beside an enum
    assert schemas[0] == schemas[1]


def test_a_server_of_the_anthropic_dialect_that_is_not_known_is_asked_by_a_forced_tool() -> None:
    body = sent(asked_for_an_order("anthropic+{}/v1#tiny")).body
    (tool,) = body["tools"]
    assert body["tool_choice"] == {"type": "tool", "name": tool["name"]} and "output_config" not in body
