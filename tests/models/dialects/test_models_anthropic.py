"""Anthropic's Messages API, sent and read.

The bytes follow "Create a Message", "Streaming messages", "Stop reasons", "Prompt caching" and "Structured outputs" of
the Claude platform's documentation.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suffice.errors import CallError, InputTooLong, MalformedReply, RateLimited, RefusedError, ServerError, UsageError
from suffice.exchange import Image, Kept, Message, OutputSpec, Reply, Request, Tool, ToolCall, Usage
from suffice.models.dialects.anthropic_messages import ANTHROPIC
from suffice.models.dialects.asking import output_tool_name
from suffice.models.dialects.dialect import Quirks
from suffice.models.dialects.sse import Events

SCHEMA = {"type": "object", "properties": {"team": {"type": "string"}}, "required": ["team"]}
WEATHER = Tool("get_weather", "The weather at a place.", {"type": "object", "properties": {"at": {"type": "string"}}})
ASK = (Message("system", "Be brief."), Message("user", "Where is my parcel?"))


def spec(mode: Any) -> OutputSpec:
    return OutputSpec("Team", SCHEMA, mode)


def sent(request: Request, quirks: Quirks | None = None, stream: bool = False) -> Any:
    return json.loads(ANTHROPIC.encode(request, quirks or Quirks(), stream))


def whole(content: object, stop: object = "end_turn", **more: object) -> Reply[str]:
    body = {"type": "message", "role": "assistant", "content": content, "stop_reason": stop, **more}
    return ANTHROPIC.decode(json.dumps(body).encode())


def event(kind: str, **more: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **more})}\n\n".encode()


def delta(index: int, kind: str, **more: object) -> bytes:
    return event("content_block_delta", index=index, delta={"type": kind, **more})


def streamed(stream: bytes) -> tuple[Reply[str], str, str]:
    """The reply, and its text and reasoning as the deltas gave them."""
    decoder, events, text, reasoning = ANTHROPIC.stream(), Events(), "", ""
    for name, data in events.feed(stream):
        new = decoder.feed(name, data)
        text += new.text if new else ""
        reasoning += new.reasoning if new else ""
    events.finish()
    return decoder.finish(), text, reasoning


# "Streaming messages", sections on extended thinking and tool use, made one and shortened.
BODY = (
    b'{"id":"msg_01XFDUDYJgAACzvnptvVoYEL","type":"message","role":"assistant","model":"claude-sonnet-4-5-20250929",'
    b'"content":[{"type":"thinking","thinking":"Let me look.","signature":"EqQBCgIYAhIM1gbcDa9GJwZA"},'
    b'{"type":"text","text":"I\'ll check \xc3\xa9."},{"type":"tool_use","id":"toolu_01T1x1fJ34qAmk2tNTrN7Up6",'
    b'"name":"get_weather","input":{"at":"San Francisco, CA","n":1.0}}],'
    b'"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":100,"cache_creation_input_tokens":20,'
    b'"cache_read_input_tokens":7,"output_tokens":89,"output_tokens_details":{"thinking_tokens":5}}}'
)
STREAM = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_01XFDUDYJgAACzvnptvVoYEL",'
    b'"type":"message","role":"assistant","content":[],"model":"claude-sonnet-4-5-20250929","stop_reason":null,'
    b'"stop_sequence":null,"usage":{"input_tokens":100,"cache_creation_input_tokens":20,"cache_read_input_tokens":7,'
    b'"output_tokens":1}}}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":'
    b'{"type":"thinking","thinking":"","signature":""}}\n\n'
    b'event: ping\ndata: {"type": "ping"}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":'
    b'{"type":"thinking_delta","thinking":"Let me "}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":'
    b'{"type":"thinking_delta","thinking":"look."}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":'
    b'{"type":"signature_delta","signature":"EqQBCgIYAhIM1gbcDa9GJwZA"}}\n\n'
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":1,"content_block":'
    b'{"type":"text","text":""}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":1,"delta":'
    b'{"type":"text_delta","text":"I\'ll check"}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":1,"delta":'
    b'{"type":"text_delta","text":" \xc3\xa9."}}\n\n'
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":1}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":2,"content_block":'
    b'{"type":"tool_use","id":"toolu_01T1x1fJ34qAmk2tNTrN7Up6","name":"get_weather","input":{}}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":2,"delta":'
    b'{"type":"input_json_delta","partial_json":""}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":2,"delta":'
    b'{"type":"input_json_delta","partial_json":"{\\"at\\": \\"San"}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":2,"delta":'
    b'{"type":"input_json_delta","partial_json":" Francisco, CA\\", \\"n\\": 1.0}"}}\n\n'
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":2}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},'
    b'"usage":{"output_tokens":89,"output_tokens_details":{"thinking_tokens":5}}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)
REPLY = Reply(
    value="I'll check é.",
    text="I'll check é.",
    reasoning="Let me look.",
    tool_calls=(ToolCall("toolu_01T1x1fJ34qAmk2tNTrN7Up6", "get_weather", {"at": "San Francisco, CA", "n": 1.0}),),
    usage=Usage(127, 89, 7, 5),
    finish_reason="tool_calls",
    request_id="msg_01XFDUDYJgAACzvnptvVoYEL",
    model="claude-sonnet-4-5-20250929",
    kept=Kept("", json.loads(BODY)["content"]),  # the reasoning is signed
)


def test_a_whole_reply_is_read_and_its_input_tokens_are_the_total() -> None:
    assert ANTHROPIC.decode(BODY) == REPLY


def test_a_streamed_reply_equals_the_whole_one() -> None:
    assert streamed(STREAM) == (REPLY, "I'll check é.", "Let me look.")


@pytest.mark.parametrize("cut", range(len(BODY)))
def test_a_reply_cut_off_at_any_byte_is_an_error(cut: int) -> None:
    with pytest.raises(MalformedReply):
        ANTHROPIC.decode(BODY[:cut])


@pytest.mark.parametrize("cut", range(len(STREAM)))
def test_a_stream_cut_off_at_any_byte_gives_no_reply(cut: int) -> None:
    with pytest.raises(MalformedReply):
        streamed(STREAM[:cut])


@pytest.mark.parametrize(
    ("told", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
        ("pause_turn", "other"),
        ("something_new", "other"),
    ],
)
def test_stop_reasons(told: str, finish: str) -> None:
    assert whole([{"type": "text", "text": "a"}], told).finish_reason == finish


def test_usage_that_was_not_said_is_unknown() -> None:
    assert whole([]).usage == Usage()
    assert whole([], usage={"input_tokens": 5, "cache_read_input_tokens": None}).usage == Usage(5)


@pytest.mark.parametrize("body", [b"", b"<html>oops</html>", b"[]", b"{}", b'{"content":[]}', b'{"stop_reason":"x"}'])
def test_what_is_no_message_is_an_error(body: bytes) -> None:
    with pytest.raises(MalformedReply):
        ANTHROPIC.decode(body)


# "Streaming messages", section "Error events"; "Errors".
@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("overloaded_error", ServerError),
        ("api_error", ServerError),
        ("rate_limit_error", RateLimited),
        ("authentication_error", RefusedError),
        ("request_too_large", InputTooLong),
    ],
)
def test_an_error_inside_is_that_error_and_keeps_what_had_arrived(kind: str, error: type[CallError]) -> None:
    told = {"type": kind, "message": "Overloaded"}
    with pytest.raises(error):
        ANTHROPIC.decode(json.dumps({"type": "error", "error": told}).encode())
    begun = event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    with pytest.raises(error) as raised:
        streamed(begun + delta(0, "text_delta", text="half") + event("error", error=told))
    assert raised.value.partial == "half"


def test_unknown_events_and_deltas_are_passed_over() -> None:
    at = STREAM.index(b"event: content_block_stop")
    odd = event("something_new", x=1) + delta(0, "new_delta", x=1)
    assert streamed(STREAM[:at] + odd + STREAM[at:])[0] == REPLY


@pytest.mark.parametrize("data", ["nonsense", "[]", '{"type":"content_block_delta","index":9,"delta":{}}'])
def test_an_event_that_does_not_fit_is_an_error(data: str) -> None:
    with pytest.raises(MalformedReply):
        ANTHROPIC.stream().feed("", data)


@given(st.lists(st.sampled_from(STREAM.split(b"\n\n")[:-1]), max_size=10))
def test_events_in_any_order_and_number_give_a_reply_or_a_typed_error(parts: list[bytes]) -> None:
    try:
        reply = streamed(b"".join(part + b"\n\n" for part in parts))[0]
    except MalformedReply:
        return
    assert reply.finish_reason in ("stop", "tool_calls")


def test_a_forced_tool_is_the_text_and_no_tool_call() -> None:
    body = sent(Request("m", ASK, 9, output=spec("tool")))
    name = body["tool_choice"]["name"]
    assert body["tool_choice"]["type"] == "tool"
    assert body["tools"] == [{"name": name, "description": body["tools"][0]["description"], "input_schema": SCHEMA}]
    reply = whole([{"type": "tool_use", "id": "t", "name": name, "input": {"team": "returns"}}], "tool_use")
    assert (json.loads(reply.text), reply.tool_calls, reply.finish_reason) == ({"team": "returns"}, (), "stop")
    stream = (
        event("message_start", message={"content": []})
        + event(
            "content_block_start", index=0, content_block={"type": "tool_use", "id": "t", "name": name, "input": {}}
        )
        + delta(0, "input_json_delta", partial_json='{"team": ')
        + delta(0, "input_json_delta", partial_json='"returns"}')
        + event("message_delta", delta={"stop_reason": "tool_use"})
        + event("message_stop")
    )
    assert streamed(stream) == (reply, '{"team": "returns"}', "")


def test_a_streamed_answer_that_was_capped_is_given_as_far_as_it_came() -> None:
    name = output_tool_name(spec("tool"))
    stream = (
        event("content_block_start", index=0, content_block={"type": "tool_use", "id": "t", "name": name, "input": {}})
        + delta(0, "input_json_delta", partial_json='{"team": "ret')
        + event("message_delta", delta={"stop_reason": "max_tokens"})
        + event("message_stop")
    )
    reply, text, _ = streamed(stream)
    assert (reply.text, text, reply.finish_reason) == ('{"team": "ret', '{"team": "ret', "length")


def test_beside_other_tools_the_answer_is_one_of_them() -> None:
    body = sent(Request("m", ASK, 9, tools=(WEATHER,), output=spec("tool")))
    assert (body["tool_choice"], len(body["tools"])) == ({"type": "any"}, 2)
    assert "tool_choice" not in sent(Request("m", ASK, 9, tools=(WEATHER,)))


def test_a_schema_goes_as_output_config_and_leaves_room_for_its_other_fields() -> None:
    body = sent(Request("m", ASK, 9, output=spec("schema"), extra={"output_config": {"effort": "low"}}))
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": SCHEMA}, "effort": "low"}


@pytest.mark.parametrize("mode", ["json", "text"])
def test_without_a_json_mode_it_is_asked_in_words(mode: str) -> None:
    said = sent(Request("m", ASK, 9, output=spec(mode)))["messages"][0]["content"][0]["text"]
    assert said.startswith("Where is my parcel?")
    assert json.loads(said.partition(":\n")[2]) == SCHEMA
    assert "JSON" in sent(Request("m", (Message("assistant", "a"),), 9, output=spec(mode)))["system"]


def test_the_body_holds_what_the_dialect_knows() -> None:
    request = Request("m", ASK, 9, temperature=0.0, top_p=0.5, stop=("x",), seed=7, logprobs=True, extra={"k": 1})
    body = sent(request, Quirks(body={"k": 0, "thinking": {"type": "disabled"}}), True)
    assert body == {
        "model": "m",
        "max_tokens": 9,
        "system": "Be brief.",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Where is my parcel?"}]}],
        "temperature": 0.0,
        "top_p": 0.5,
        "stop_sequences": ["x"],
        "stream": True,
        "k": 1,
        "thinking": {"type": "disabled"},
    }
    assert "temperature" not in sent(request, Quirks(sampling=False))
    assert ANTHROPIC.headers("k") == {"x-api-key": "k", "anthropic-version": "2023-06-01"}


def test_neighbours_of_one_role_become_one_turn_with_tool_results_first() -> None:
    call = ToolCall("t", "get_weather", {"at": "Bonn"})
    messages = (
        Message("system", "a"),
        Message("user", "u1"),
        Message("user", "u2"),
        Message("assistant", "", (call,)),
        Message("tool", "12 C", tool_call_id="t"),
        Message("user", "and now?"),
        Message("system", "b"),
    )
    body = sent(Request("m", messages, 9))
    assert body["system"] == "a\n\nb"
    assert [t["role"] for t in body["messages"]] == ["user", "assistant", "user"]
    assert body["messages"][1]["content"] == [
        {"type": "tool_use", "id": "t", "name": "get_weather", "input": {"at": "Bonn"}}
    ]
    assert [b["type"] for b in body["messages"][2]["content"]] == ["tool_result", "text"]


def test_images_go_as_sources_but_not_in_a_system_message() -> None:
    images = (Image(url="https://x/y.png"), Image(data=b"\x89PNG", media_type="image/webp"))
    content = sent(Request("m", (Message("user", images),), 9))["messages"][0]["content"]
    assert content[0]["source"] == {"type": "url", "url": "https://x/y.png"}
    assert content[1]["source"]["media_type"] == "image/webp"
    assert base64.b64decode(content[1]["source"]["data"]) == b"\x89PNG"
    with pytest.raises(UsageError, match="system"):
        sent(Request("m", (Message("system", images), *ASK), 9))


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
ARGUMENTS = st.dictionaries(TEXT, st.integers(-(2**53), 2**53) | TEXT | st.floats(-1e9, 1e9), max_size=3)
CALLS = st.builds(ToolCall, TEXT, TEXT, ARGUMENTS)
MESSAGES = st.one_of(
    st.builds(Message, st.sampled_from(["system", "user"]), TEXT | st.just("")),
    st.builds(Message, st.just("assistant"), TEXT, st.lists(CALLS, max_size=2).map(tuple)),
    st.builds(Message, st.just("tool"), TEXT, tool_call_id=TEXT),
)


@given(st.lists(MESSAGES, max_size=8))
def test_roles_alternate_and_nothing_that_was_said_is_lost(messages: list[Message]) -> None:
    body = sent(Request("m", tuple(messages), 9))
    roles = [turn["role"] for turn in body["messages"]]
    assert all(a != b for a, b in zip(roles, roles[1:], strict=False))
    assert all(turn["content"] for turn in body["messages"])
    blocks = [(turn["role"], block) for turn in body["messages"] for block in turn["content"]]
    spoken = [m for m in messages if m.role in ("user", "assistant") and m.text]
    assert [(r, b["text"]) for r, b in blocks if b["type"] == "text"] == [(m.role, m.text) for m in spoken]
    assert [(b["id"], b["name"], b["input"]) for _, b in blocks if b["type"] == "tool_use"] == [
        (c.id, c.name, c.arguments) for m in messages for c in m.tool_calls
    ]
    assert [(r, b["tool_use_id"], b["content"]) for r, b in blocks if b["type"] == "tool_result"] == [
        ("user", m.tool_call_id, m.content) for m in messages if m.role == "tool"
    ]
    assert body.get("system", "") == "\n\n".join(m.text for m in messages if m.role == "system" and m.text)


@given(TEXT, TEXT, st.lists(CALLS, max_size=3), st.integers(1, 5))
def test_any_reply_is_the_same_streamed_and_whole(text: str, why: str, calls: list[ToolCall], size: int) -> None:
    content: list[dict[str, Any]] = [{"type": "thinking", "thinking": why}, {"type": "text", "text": text}]
    content += [{"type": "tool_use", "id": c.id, "name": c.name, "input": c.arguments} for c in calls]
    pieces = {"thinking": "thinking_delta", "text": "text_delta", "partial_json": "input_json_delta"}
    stream = event("message_start", message={"id": "m", "content": [], "usage": {"input_tokens": 3}})
    for at, block in enumerate(content):
        kind = "partial_json" if block["type"] == "tool_use" else block["type"]
        said = json.dumps(block["input"]) if kind == "partial_json" else block[kind]
        empty = {**block, "input": {}} if kind == "partial_json" else {**block, kind: ""}
        stream += event("content_block_start", index=at, content_block=empty)
        for i in range(0, len(said), size):
            stream += delta(at, pieces[kind], **{kind: said[i : i + size]})
        stream += event("content_block_stop", index=at)
    stop = "tool_use" if calls else "end_turn"
    stream += event("message_delta", delta={"stop_reason": stop}, usage={"output_tokens": 4}) + event("message_stop")
    reply = whole(content, stop, id="m", usage={"input_tokens": 3, "output_tokens": 4})
    assert streamed(stream) == (reply, text, why)


def test_a_text_that_is_none_is_malformed_and_not_empty() -> None:
    told = {"content": [{"type": "text", "text": 42}], "stop_reason": "end_turn"}
    with pytest.raises(MalformedReply, match="the content of the reply is no text: `42`"):
        ANTHROPIC.decode(json.dumps(told).encode())
