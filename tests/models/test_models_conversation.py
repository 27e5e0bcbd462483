"""A conversation with tools, written by hand: a reply's turn goes back as its endpoint wants it, and nowhere else."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from upstream_faults import Asked, Fault, Ok, Status, WrongJson

from suffice.errors import UsageError
from suffice.exchange import Kept, Message, Tool, ToolCall
from suffice.models.belonging import Belonging, belonging
from suffice.models.dialects.openai_chat import OPENAI_CHAT
from suffice.models.model import Model
from suffice.store.calls import CallJournal
from suffice.store.database import open_store
from suffice.store.runs import start_run
from upstream import Upstream, upstream

LOOK_UP = Tool("look_up", "Where a parcel is.", {"type": "object", "properties": {"id": {"type": "string"}}})
ASKED = Message("user", "Where is p1?")
SIGNED: dict[str, list[dict[str, Any]]] = {
    "anthropic": [
        {"type": "thinking", "thinking": "I look it up.", "signature": "c2lnbmVk"},
        {"type": "redacted_thinking", "data": "aGlkZGVu"},
        {"type": "text", "text": "One moment."},
        {"type": "tool_use", "id": "t1", "name": "look_up", "input": {"id": "p1"}},
    ],
    "openai": [
        {
            "id": "t1",
            "type": "function",
            "function": {"name": "look_up", "arguments": '{"id":"p1"}'},
            "extra_content": {"google": {"thought_signature": "c2lnbmVk"}},
        }
    ],
}


def model(up: Upstream, dialect: str, **options: Any) -> Model:
    return Model(f"{up.url}#any" if dialect == "openai" else f"anthropic+{up.origin}#any", attempts=1, **options)


def calling(dialect: str) -> str:
    """A reply with reasoning that must come back, and a call."""
    if dialect == "anthropic":
        return json.dumps({"type": "message", "content": SIGNED["anthropic"], "stop_reason": "tool_use"})
    message = {"content": "One moment.", "reasoning_content": "I look it up.", "tool_calls": SIGNED["openai"]}
    return json.dumps({"choices": [{"message": message, "finish_reason": "tool_calls"}]})


def streamed(dialect: str) -> str:
    """The same as a stream."""
    if dialect == "anthropic":
        kinds = {"thinking": "thinking", "signature": "signature", "text": "text"}
        events: list[dict[str, Any]] = [{"type": "message_start", "message": {"type": "message"}}]
        for index, block in enumerate(SIGNED["anthropic"]):
            empty = {k: "" if k in kinds else {} if k == "input" else v for k, v in block.items()}
            events.append({"type": "content_block_start", "index": index, "content_block": empty})
            pieces = [{"type": f"{kinds[k]}_delta", k: v[n : n + 5]} for k, v in block.items() if k in kinds
                      for n in range(0, len(v), 5)]  # fmt: skip
            if "input" in block:
                pieces = [{"type": "input_json_delta", "partial_json": p} for p in ('{"id"', ': "p1"}')]
            events += [{"type": "content_block_delta", "index": index, "delta": piece} for piece in pieces]
        events += [{"type": "message_delta", "delta": {"stop_reason": "tool_use"}}, {"type": "message_stop"}]
    else:
        (call,) = SIGNED["openai"]
        deltas: list[dict[str, Any]] = [
            {"reasoning_content": "I look "},
            {"reasoning_content": "it up."},
            {"content": "One moment."},
            {"tool_calls": [{**call, "index": 0, "function": {"name": "look_up", "arguments": '{"id"'}}]},
            {"tool_calls": [{"index": 0, "function": {"arguments": ':"p1"}'}}]},
        ]
        events = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
        events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events)


async def conversation(one: Model, stream: bool = False) -> Any:
    """Two turns: what the first reply's call found goes back after its own turn."""
    if stream:
        async with one.stream([ASKED], tools=[LOOK_UP]) as s:
            async for _ in s:
                pass
            first = s.reply
    else:
        first = await one([ASKED], tools=[LOOK_UP])
    found = [Message("tool", f"at the door of {c.arguments['id']}", tool_call_id=c.id) for c in first.tool_calls]
    return await one([ASKED, first.message, *found], tools=[LOOK_UP])


def script(dialect: str, stream: bool = False) -> Any:
    def answering(asked: Asked) -> Fault:
        if asked.number:
            return Ok("At the door.")
        if not stream:
            return WrongJson(calling(dialect))
        return Status(200, (("content-type", "text/event-stream"),), streamed(dialect))

    return answering


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_call_and_what_it_found_go_back_as_the_dialect_has_them(dialect: str) -> None:
    plain = Ok(tool=("look_up", '{"id":"p1"}'))
    with upstream(lambda asked: Ok("At the door.") if asked.number else plain) as up:
        assert asyncio.run(conversation(model(up, dialect))).text == "At the door."
    _, call, found = up.log.asked[1].said["messages"]
    if dialect == "openai":
        function = {"name": "look_up", "arguments": '{"id":"p1"}'}
        assert call == {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
        }
        assert found == {"role": "tool", "content": "at the door of p1", "tool_call_id": "call_1"}
    else:
        use = {"type": "tool_use", "id": "toolu_1", "name": "look_up", "input": {"id": "p1"}}
        assert call == {"role": "assistant", "content": [use]}
        result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "at the door of p1"}
        assert found == {"role": "user", "content": [result]}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_signed_reasoning_goes_back_unchanged_with_the_turn_that_it_led_to(dialect: str, stream: bool) -> None:
    with upstream(script(dialect, stream)) as up:
        assert asyncio.run(conversation(model(up, dialect), stream)).text == "At the door."
    turn = up.log.asked[1].said["messages"][1]
    if dialect == "anthropic":
        assert turn == {"role": "assistant", "content": SIGNED["anthropic"]}
    else:
        assert turn == {
            "role": "assistant",
            "content": "One moment.",
            "reasoning_content": "I look it up.",
            "tool_calls": SIGNED["openai"],
        }


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_what_one_endpoint_signed_goes_to_no_other(dialect: str) -> None:
    with upstream(script(dialect)) as up, upstream(script("openai")) as other:
        first = asyncio.run(model(up, dialect)([ASKED], tools=[LOOK_UP]))
        assert first.kept is not None and first.kept.endpoint.startswith(up.origin)
        found = Message("tool", "at the door", tool_call_id="t1")
        asyncio.run(model(other, "openai")([ASKED, first.message, found]))
        asyncio.run(model(other, "anthropic")([ASKED, first.message, found]))
    for asked in other.log.asked:
        assert "look_up" in json.dumps(asked.said) and "c2lnbmVk" not in json.dumps(asked.said)
        assert "I look it up" not in json.dumps(asked.said)


def test_a_recorded_reply_goes_back_as_the_one_that_was_made(tmp_path: Path) -> None:
    with upstream(script("anthropic")) as up, open_store(tmp_path) as store:
        journal = CallJournal(store, start_run(store, "evaluate", "task", {}))
        one = model(up, "anthropic")
        with belonging(Belonging(journal)):
            first = asyncio.run(one([ASKED], tools=[LOOK_UP]))
            again = asyncio.run(one([ASKED], tools=[LOOK_UP]))
        journal.close()
    assert again.cached and again.message == first.message and again.kept is not None


def test_pieces_of_reasoning_details_are_put_together_as_they_would_have_come() -> None:
    def chunk(*details: dict[str, Any], finish: str | None = None) -> str:
        return json.dumps({"choices": [{"delta": {"reasoning_details": details}, "finish_reason": finish}]})

    decoder = OPENAI_CHAT.stream()
    decoder.feed("", chunk({"type": "reasoning.text", "index": 0, "text": "I look ", "signature": None}))
    decoder.feed("", chunk({"type": "reasoning.text", "index": 0, "text": "it up."}))
    decoder.feed("", chunk({"type": "reasoning.text", "index": 0, "signature": "c2ln"}))
    decoder.feed("", chunk({"type": "reasoning.encrypted", "index": 1, "data": "aGlk"}, finish="stop"))
    whole = {"type": "reasoning.text", "index": 0, "text": "I look it up.", "signature": "c2ln"}
    details = [whole, {"type": "reasoning.encrypted", "index": 1, "data": "aGlk"}]
    assert decoder.finish().kept == Kept("", {"reasoning_details": details})


@pytest.mark.parametrize(
    "wrong",
    [
        Message("tool", "at the door"),
        {"role": "tool", "content": "at the door"},
        {"role": "tool", "content": "at the door", "tool_call_id": 5},
        Message("user", "hi", tool_calls=(ToolCall("t1", "look_up", {}),)),
        Message("boss", "hi"),  # type: ignore[arg-type]
        Message("assistant", 5),  # type: ignore[arg-type]
        Message("assistant", "", tool_calls=("look_up",)),  # type: ignore[arg-type]
        Message("assistant", "", tool_calls=5),  # type: ignore[arg-type]
        Message("tool", {"at": "the door"}, tool_call_id="t1"),  # type: ignore[arg-type]
    ],
)
def test_a_turn_that_cannot_be_is_refused_with_its_place_and_nothing_is_sent(wrong: Any) -> None:
    with upstream() as up:
        with pytest.raises(UsageError, match=r"at `\$\[1\]") as caught:
            asyncio.run(model(up, "openai")([ASKED, wrong]))
        assert caught.value.hint and up.log.connections == 0
