"""What every third-party server must show of a model call, in each dialect that it speaks; all weights are random."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import replace
from enum import Enum
from typing import Any, Literal

import pytest
from peer_place import Place
from pydantic import BaseModel

import suffice as sf
from suffice import errors
from suffice.exchange import Tool

pytestmark = pytest.mark.peers

BOTH = [(name, dialect) for name in ("llama_cpp", "vllm", "litellm") for dialect in ("openai", "anthropic")]
ALL = [*BOTH, ("transformers_serve", "openai")]
DEEP = {
    "type": "object",
    "properties": {"deep": {"type": "boolean"}},
    "required": ["deep"],
    "additionalProperties": False,
}
LOOK = Tool("look", "Look it up.", DEEP)
STRICT: Any = {"name": "look", "description": "Look it up.", "strict": True}
FORCED: Any = {  # what makes random weights call it
    "openai": {
        "tools": [{"type": "function", "function": {**STRICT, "parameters": DEEP}}],
        "tool_choice": "required",
    },
    "anthropic": {"tools": [{**STRICT, "input_schema": DEEP}], "tool_choice": {"type": "any"}},
}
Team = Literal["billing", "shipping", "returns"]


class Tone(Enum):
    calm = "calm"
    angry = "angry"


class Line(BaseModel):
    paid: bool
    team: Team


class Order(BaseModel):
    urgent: bool
    tone: Tone
    count: Literal[1, 2, 3]
    refund: bool | None = None
    line: Line


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Place:
    """One server in one dialect."""
    name, dialect = request.param
    return replace(request.getfixturevalue(name), dialect=dialect)


def at(*pairs: Any) -> Any:
    """Run a test against these servers: pairs of a fixture's name and a dialect."""
    return pytest.mark.parametrize("place", pairs, indirect=True, ids="-".join)


def answered(ended: Any) -> list[Any]:
    """The attempts that a server answered. llama.cpp closes its connection after every stream, though it announces to
    keep it: the next request may be written to it in the same moment, and is then sent again."""
    return [attempt for attempt in ended.attempts if attempt.outcome != "connection lost"]


async def ended(call: Awaitable[Any]) -> Any:
    """The reply, or the error of one that its cap cut off: random weights do the one or the other."""
    try:
        return await call
    except errors.Truncated as cut:
        return cut


async def streamed(model: sf.Model, texts: list[str], **options: Any) -> sf.models.Reply[Any]:
    """A streamed reply, its texts as they come."""
    async with model.stream("hello", **options) as s:
        async for text in s:
            texts.append(text)
    return s.reply


@at(*ALL)
def test_a_reply_at_its_cap_is_truncated_and_counted(place: Place) -> None:
    with pytest.raises(errors.Truncated) as caught:
        sf.run(place.model(temperature=0)("hello", max_output_tokens=20))
    (attempt,) = answered(caught.value)
    assert caught.value.partial and attempt.usage.output_tokens == 20 and attempt.usage.input_tokens > 0


@at(*ALL)
def test_a_stream_gives_the_pieces_of_what_would_have_come_whole(place: Place) -> None:
    model, texts = place.model(temperature=0), list[str]()
    with pytest.raises(errors.Truncated) as whole:
        sf.run(model("hello", max_output_tokens=20))
    with pytest.raises(errors.Truncated) as pieces:
        sf.run(streamed(model, texts, max_output_tokens=20))
    assert len(texts) > 1 and "".join(texts) == pieces.value.partial == whole.value.partial
    assert [a.usage.output_tokens for error in (whole, pieces) for a in answered(error.value)] == [20, 20]


@at(*(pair for pair in BOTH if pair[1] == "openai"))
@pytest.mark.parametrize("output", [Team, Team | None, bool, Tone, Line, Order], ids=str)
def test_random_weights_give_an_answer_of_the_type(place: Place, output: Any) -> None:
    model = place.model(repairs=0, temperature=1.0, max_output_tokens=900)
    for seed in range(3):
        reply = sf.run(model("Which team?", output=output, seed=seed))
        assert reply.guarantee == "native" and reply.finish_reason == "stop" and len(answered(reply)) == 1
        if isinstance(output, type):
            assert isinstance(reply.value, output)


@at(("caller", "openai"), ("caller", "anthropic"), ("vllm", "openai"), ("vllm", "anthropic"))
def test_a_tool_call_of_random_weights_is_read_whole_and_streamed(place: Place) -> None:
    asked: Any = {"tools": [LOOK], "max_output_tokens": 900, "extra": FORCED[place.dialect]}
    for reply in (sf.run(place.model()("hello", **asked)), sf.run(streamed(place.model(), [], **asked))):
        assert reply.finish_reason == "tool_calls"
        assert reply.tool_calls and all(call.name == "look" and call.id for call in reply.tool_calls)
        told: list[Any] = [call.arguments for call in reply.tool_calls]
        assert all(set(arguments) == {"deep"} and isinstance(arguments["deep"], bool) for arguments in told)


UNMASKED = pytest.mark.xfail(raises=errors.RefusedError, reason="vLLM masks a tool's arguments only where it is strict")


@at(("caller", "anthropic"), pytest.param(("vllm", "anthropic"), marks=UNMASKED))
def test_in_the_anthropic_dialect_a_forced_tool_gives_an_answer_of_the_type(place: Place) -> None:
    model = place.model(repairs=0, max_output_tokens=900)
    outputs: list[Any] = [Team, Order]
    for output in outputs:
        reply = sf.run(model("Which team?", output=output))
        assert reply.guarantee == "validated" and reply.finish_reason == "stop" and not reply.tool_calls
    assert isinstance(sf.run(streamed(model, [], output=Order)).value, Order)


@at(*(pair for pair in ALL if pair[0] != "llama_cpp"))
def test_an_unknown_model_is_refused_once(place: Place) -> None:
    with pytest.raises(errors.RefusedError) as caught:
        sf.run(replace(place, name="nobody/knows-this").model()("hello", max_output_tokens=5))
    assert len(answered(caught.value)) == 1 and 400 <= (caught.value.status or 0) < 500


@at(*BOTH)
def test_an_input_too_long_is_refused_once_and_by_its_name(place: Place) -> None:
    with pytest.raises(errors.InputTooLong) as caught:
        sf.run(place.model()("hello " * 2000, max_output_tokens=5))
    assert len(answered(caught.value)) == 1 and caught.value.status == 400


@at(*ALL)
def test_tools_system_and_turns_are_taken(place: Place) -> None:
    turns = [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": "hello"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"deep":true}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "found"},
        {"role": "user", "content": "and now?"},
    ]
    told = sf.run(ended(place.model()(turns, tools=[LOOK], max_output_tokens=2)))
    plain = sf.run(ended(place.model()("hello", max_output_tokens=2)))
    counts = [answered(one)[0].usage.input_tokens for one in (told, plain)]
    assert counts[0] > counts[1] + 20


@at(*ALL)
def test_a_stream_that_is_left_ends_at_once_and_the_next_call_is_answered(place: Place) -> None:
    async def left() -> float:
        async with place.model().stream("hello", max_output_tokens=1500) as s:
            async for _ in s:
                break
            began = time.perf_counter()
        return time.perf_counter() - began

    assert sf.run(left()) < 0.5
    assert answered(sf.run(ended(place.model()("hello", max_output_tokens=2))))


@at(*ALL)
def test_twenty_calls_at_once_are_all_answered(place: Place) -> None:
    async def many() -> list[Any]:
        model = place.model(max_output_tokens=10)
        return await asyncio.gather(*(ended(model(f"number {n}")) for n in range(20)))

    assert [a.outcome for one in sf.run(many()) for a in answered(one)] == ["ok"] * 20


@at(("llama_cpp", "openai"), ("vllm", "openai"), ("litellm", "openai"))
def test_a_seed_repeats_and_log_probabilities_are_told(place: Place) -> None:
    async def said(seed: int) -> Any:
        async with place.model().stream("hello", seed=seed, logprobs=True, stop="e", max_output_tokens=900) as s:
            async for _ in s:
                pass
        return s.reply

    first, again, other = (sf.run(said(seed)) for seed in (1, 1, 2))
    assert first.text == again.text != other.text
    assert len(first.logprobs) > 1 and all(p.logprob <= 0 for p in first.logprobs)
