"""OpenAI's chat completions, as it and those who speak its dialect send them.

The bytes follow the API reference ("The chat completion object", "The chat completion chunk object") and what Gemini,
Ollama, OpenRouter, llama.cpp, vLLM, DeepSeek and Mistral document or are known to send.
"""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suffice.errors import CallError, ContentFiltered, MalformedReply, RateLimited, ServerError, UsageError
from suffice.exchange import Image, Message, OutputSpec, Reply, Request, TokenLogprob, Tool, ToolCall, Usage
from suffice.models.dialects.asking import output_tool_name
from suffice.models.dialects.dialect import Quirks
from suffice.models.dialects.openai_chat import OPENAI_CHAT
from suffice.models.dialects.sse import Events

SCHEMA = {"type": "object", "properties": {"team": {"type": "string"}}, "required": ["team"]}
WEATHER = Tool("get_weather", "The weather at a place.", {"type": "object", "properties": {"at": {"type": "string"}}})
ASK = (Message("system", "Be brief."), Message("user", "Where is my parcel?"))


def spec(mode: Any) -> OutputSpec:
    return OutputSpec("Team", SCHEMA, mode)


def sent(request: Request, quirks: Quirks | None = None, stream: bool = False) -> Any:
    return json.loads(OPENAI_CHAT.encode(request, quirks or Quirks(), stream))


def whole(message: object, finish: object = "stop", **more: object) -> Reply[str]:
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return OPENAI_CHAT.decode(json.dumps({"choices": [choice], **more}).encode())


def chunk(delta: object = None, finish: object = None, **more: object) -> bytes:
    choice = {"index": 0, "delta": {} if delta is None else delta, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice], **more}).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def streamed(stream: bytes) -> tuple[Reply[str], str, str]:
    """The reply, and its text and reasoning as the deltas gave them."""
    decoder, events, text, reasoning = OPENAI_CHAT.stream(), Events(), "", ""
    for name, data in events.feed(stream):
        delta = decoder.feed(name, data)
        text += delta.text if delta else ""
        reasoning += delta.reasoning if delta else ""
    events.finish()
    return decoder.finish(), text, reasoning


# API reference, "Create chat completion", with log-probabilities added.
BODY = (
    b'{"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"chat.completion","created":1741569952,'
    b'"model":"gpt-4.1-2025-04-14","choices":[{"index":0,"message":{"role":"assistant",'
    b'"content":"Hi \\u00e9!","refusal":null,"annotations":[]},'
    b'"logprobs":{"content":[{"token":"Hi","logprob":-0.31725305,"bytes":[72,105],"top_logprobs":[]},'
    b'{"token":" \xc3\xa9!","logprob":-1,"bytes":null,"top_logprobs":[]}]},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,'
    b'"prompt_tokens_details":{"cached_tokens":3,"audio_tokens":0},'
    b'"completion_tokens_details":{"reasoning_tokens":2,"audio_tokens":0}},"service_tier":"default"}'
)
STREAM = (
    b'data: {"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"chat.completion.chunk","created":1741569952,'
    b'"model":"gpt-4.1-2025-04-14","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},'
    b'"logprobs":null,"finish_reason":null}],"usage":null}\n\n'
    b'data: {"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","model":"gpt-4.1-2025-04-14","choices":[{"index":0,'
    b'"delta":{"content":"Hi"},"logprobs":{"content":[{"token":"Hi","logprob":-0.31725305}]},'
    b'"finish_reason":null}],"usage":null}\n\n'
    b'data: {"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","model":"gpt-4.1-2025-04-14","choices":[{"index":0,'
    b'"delta":{"content":" \xc3\xa9!"},"logprobs":{"content":[{"token":" \xc3\xa9!","logprob":-1}]},'
    b'"finish_reason":null}],"usage":null}\n\n'
    b'data: {"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","model":"gpt-4.1-2025-04-14","choices":[{"index":0,'
    b'"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}\n\n'
    b'data: {"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","model":"gpt-4.1-2025-04-14","choices":[],'
    b'"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,'
    b'"prompt_tokens_details":{"cached_tokens":3},"completion_tokens_details":{"reasoning_tokens":2}}}\n\n'
    b"data: [DONE]\n\n"
)
REPLY = Reply(
    value="Hi é!",
    text="Hi é!",
    usage=Usage(19, 10, 3, 2),
    request_id="chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
    model="gpt-4.1-2025-04-14",
    logprobs=(TokenLogprob("Hi", -0.31725305), TokenLogprob(" é!", -1.0)),
)


def test_a_whole_reply_is_read() -> None:
    assert OPENAI_CHAT.decode(BODY) == REPLY


def test_a_streamed_reply_equals_the_whole_one() -> None:
    assert streamed(STREAM) == (REPLY, "Hi é!", "")


@pytest.mark.parametrize("cut", range(len(BODY)))
def test_a_reply_cut_off_at_any_byte_is_an_error(cut: int) -> None:
    with pytest.raises(MalformedReply):
        OPENAI_CHAT.decode(BODY[:cut])


@pytest.mark.parametrize("cut", range(len(STREAM)))
def test_a_stream_cut_off_before_its_finish_reason_or_inside_an_event_gives_no_reply(cut: int) -> None:
    kept = STREAM[:cut]
    if b'"finish_reason":"stop"' in kept and kept.endswith(b"\n\n"):
        assert streamed(kept)[0].text == streamed(STREAM)[0].text  # `transformers serve` sends no [DONE] after it
        return
    with pytest.raises(MalformedReply):
        streamed(kept)


def test_the_text_that_had_arrived_goes_with_the_error() -> None:
    with pytest.raises(MalformedReply) as raised:
        streamed(chunk({"content": "half a "}) + chunk({"content": "reply"}))
    assert raised.value.partial == "half a reply"


@pytest.mark.parametrize(
    "body", [b"", b"<html>\n<b>Bad\x00 gateway" + b"!" * 500, b"[]", b"null", b"{}", b'"x"', b"\xff"]
)
def test_what_is_no_reply_is_an_error_that_quotes_a_little(body: bytes) -> None:
    with pytest.raises(MalformedReply) as raised:
        OPENAI_CHAT.decode(body)
    assert len(raised.value.message) < 140
    assert raised.value.message.isprintable()
    assert raised.value.retryable


@pytest.mark.parametrize("told", [{"choices": []}, {"choices": None}, {"choices": [{"finish_reason": "stop"}]}])
def test_a_reply_without_a_message_is_an_error(told: object) -> None:
    with pytest.raises(MalformedReply):
        OPENAI_CHAT.decode(json.dumps(told).encode())


@pytest.mark.parametrize(
    ("told", "finish"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "content_filter"),
        ("STOP", "stop"),
        ("abort", "other"),
        (None, "other"),
    ],
)
def test_finish_reasons(told: object, finish: str) -> None:
    assert whole({"content": "a"}, told).finish_reason == finish


@pytest.mark.parametrize("content", [42, True, {"text": "a"}, [{"type": "text", "text": 42}]])
def test_a_content_that_is_no_text_is_malformed_and_not_empty(content: Any) -> None:
    with pytest.raises(MalformedReply, match="the content of the reply is no text"):
        whole({"content": content})
    with pytest.raises(MalformedReply, match="the content of the reply is no text"):
        streamed(chunk({"content": content}) + DONE)


def test_content_may_be_null_or_parts_and_usage_and_id_may_be_missing() -> None:
    assert whole({"content": None}) == Reply(value="", text="")
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert whole({"content": parts}, usage=None, id="").text == "ab"


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_reasoning_is_read_beside_the_text(name: str) -> None:
    assert whole({"content": "a", name: "because"}).reasoning == "because"
    stream = chunk({name: "be"}) + chunk({name: "cause"}) + chunk({"content": "a"}, "stop") + DONE
    assert streamed(stream) == (whole({"content": "a", name: "because"}), "a", "because")


def test_mistral_gives_its_reasoning_as_parts() -> None:
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "a"}]
    reply = whole({"content": parts})
    assert (reply.text, reply.reasoning) == ("a", "hm")


@pytest.mark.parametrize(
    ("told", "data"),
    [([226, 130], b"\xe2\x82"), ([63], None), ([], None), (None, None), ([300], None), (["x"], None), (9**9, None)],
)
def test_a_token_that_is_a_piece_of_a_character_comes_with_its_bytes(told: object, data: bytes | None) -> None:
    content = [{"token": "?", "logprob": -1, "bytes": told}]
    choice = {"message": {"content": "€"}, "finish_reason": "stop", "logprobs": {"content": content}}
    reply = OPENAI_CHAT.decode(json.dumps({"choices": [choice]}).encode())
    assert reply.logprobs == (TokenLogprob("?", -1.0, data),)


def test_a_refusal_is_an_error_whole_or_streamed() -> None:
    with pytest.raises(ContentFiltered, match="cannot help"):
        whole({"content": None, "refusal": "I cannot help with that."})
    with pytest.raises(ContentFiltered, match="cannot help"):
        streamed(chunk({"refusal": "I cannot "}) + chunk({"refusal": "help"}) + chunk({}, "stop") + DONE)


# OpenRouter, "Errors and Debugging"; vLLM; llama.cpp.
@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ({"error": {"code": 429, "message": "slow down"}}, RateLimited),
        ({"error": {"code": 502, "message": "Provider returned error"}}, ServerError),
        ({"object": "error", "message": "boom", "code": 500}, ServerError),
        ({"choices": [{"index": 0, "error": {"code": 502, "message": "x"}, "finish_reason": "error"}]}, ServerError),
        ({"choices": [{"index": 0, "message": {}, "delta": {}, "finish_reason": "error"}]}, ServerError),
    ],
)
def test_an_error_inside_a_good_answer_is_that_error(told: object, kind: type[CallError]) -> None:
    with pytest.raises(kind):
        OPENAI_CHAT.decode(json.dumps(told).encode())
    with pytest.raises(kind):
        streamed(chunk({"content": "a"}) + b"data: " + json.dumps(told).encode() + b"\n\n" + DONE)


def test_a_long_stream_takes_time_in_proportion() -> None:
    decoder, data = OPENAI_CHAT.stream(), chunk({"content": "x" * 50})[6:].decode()
    began = time.perf_counter()
    for _ in range(40_000):
        decoder.feed("", data)
    assert time.perf_counter() - began < 5  # the text joined anew for every chunk takes half a minute


def test_an_event_named_error_is_an_error() -> None:
    with pytest.raises(ServerError) as raised:
        streamed(chunk({"content": "a"}) + b'event: error\ndata: {"message": "boom"}\n\n')
    assert raised.value.partial == "a"


CALL = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"at": "Bonn"}'}}


@pytest.mark.parametrize("finish", ["tool_calls", "stop"])  # Ollama and Gemini say stop
def test_tool_calls_are_read_with_their_arguments_parsed(finish: str) -> None:
    reply = whole({"content": None, "tool_calls": [CALL]}, finish)
    assert reply.tool_calls == (ToolCall("call_1", "get_weather", {"at": "Bonn"}),)
    assert reply.finish_reason == "tool_calls"


def test_a_call_without_arguments_or_id_and_one_with_an_object_are_taken() -> None:
    calls = [
        {"function": {"name": "now", "arguments": ""}},
        {"id": "x", "function": {"name": "f", "arguments": {"a": 1}}},
    ]
    assert whole({"tool_calls": calls}).tool_calls == (ToolCall("call_0", "now", {}), ToolCall("x", "f", {"a": 1}))


def test_arguments_that_are_not_json_are_an_error_unless_the_reply_was_capped() -> None:
    broken = {"id": "c", "function": {"name": "f", "arguments": '{"at": "Bo'}}
    with pytest.raises(MalformedReply):
        whole({"content": None, "tool_calls": [broken]}, "tool_calls")
    capped = whole({"content": "a", "tool_calls": [broken]}, "length")
    assert (capped.finish_reason, capped.text, capped.tool_calls) == ("length", "a", ())


def fragment(index: object, arguments: str, **more: object) -> object:
    made = {"function": {"arguments": arguments, **({"name": more.pop("name")} if "name" in more else {})}, **more}
    return {"tool_calls": [made if index is None else {"index": index, **made}]}


@pytest.mark.parametrize("index", [(0, 1), (0, 0), (None, None)])  # as OpenAI, as Gemini, and not at all
def test_fragments_of_tool_calls_are_put_together(index: tuple[object, object]) -> None:
    stream = (
        chunk({"role": "assistant", "content": None})
        + chunk(fragment(index[0], "", id="call_1", name="get_weather"))
        + chunk(fragment(index[0], '{"at": '))
        + chunk(fragment(index[0], '"Bonn"}'))
        + chunk(fragment(index[1], '{"at": "Rome"}', id="call_2", name="get_weather"))
        + chunk({}, "tool_calls")
        + DONE
    )
    other = {**CALL, "id": "call_2", "function": {"name": "get_weather", "arguments": '{"at": "Rome"}'}}
    assert streamed(stream) == (whole({"content": None, "tool_calls": [CALL, other]}, "tool_calls"), "", "")


def test_an_id_that_every_fragment_repeats_is_one_call() -> None:
    stream = chunk(fragment(0, '{"at": ', id="call_1", name="get_weather"))
    stream += chunk(fragment(0, '"Bonn"}', id="call_1", name="get_weather")) + chunk({}, "tool_calls") + DONE
    assert streamed(stream)[0].tool_calls == (ToolCall("call_1", "get_weather", {"at": "Bonn"}),)


def test_doubled_chunks_and_what_follows_the_end_do_no_harm() -> None:
    last = chunk(
        {"content": ""}, "stop", usage={"prompt_tokens": 1, "completion_tokens": 2}
    )  # usage and choices in one
    reply, text, _ = streamed(chunk({"content": "a"}) + last + last + DONE + DONE + chunk({"content": "late"}))
    assert (reply.text, text, reply.usage) == ("a", "a", Usage(1, 2))


@given(st.lists(st.sampled_from(STREAM.split(b"\n\n")[:-1]), max_size=8))
def test_events_in_any_order_and_number_give_a_reply_or_a_typed_error(parts: list[bytes]) -> None:
    try:
        reply = streamed(b"".join(part + b"\n\n" for part in parts))[0]
    except MalformedReply:
        return
    assert reply.finish_reason == "stop"


def test_other_choices_comments_and_empty_events_are_passed_over() -> None:
    other = b'data: {"choices":[{"index":1,"delta":{"content":"no"},"finish_reason":"length"}]}\n\n'
    stream = b": OPENROUTER PROCESSING\n\ndata: \n\n" + chunk({"content": "a"}) + other + chunk({}, "stop") + DONE
    assert streamed(stream)[0].text == "a"


@pytest.mark.parametrize("data", ["{}", "[]", "nonsense", '{"choices": null}', '{"type": "ping"}'])
def test_an_event_that_is_no_chunk_is_an_error(data: str) -> None:
    with pytest.raises(MalformedReply):
        OPENAI_CHAT.stream().feed("", data)


def test_a_forced_function_is_the_text_and_no_tool_call() -> None:
    request = Request("m", ASK, 9, output=spec("tool"))
    body = sent(request)
    name = body["tool_choice"]["function"]["name"]
    assert [t["function"]["parameters"] for t in body["tools"]] == [SCHEMA]
    assert name == body["tools"][0]["function"]["name"] == output_tool_name(spec("tool"))
    answer = {"id": "c", "type": "function", "function": {"name": name, "arguments": '{"team": "returns"}'}}
    for finish in ("stop", "tool_calls"):
        reply = whole({"content": None, "tool_calls": [answer]}, finish)
        assert (reply.text, reply.tool_calls, reply.finish_reason) == ('{"team": "returns"}', (), "stop")
    stream = (
        chunk(fragment(0, "", id="c", name=name)) + chunk(fragment(0, '{"team": ')) + chunk(fragment(0, '"returns"}'))
    )
    assert streamed(stream + chunk({}, "stop") + DONE) == (reply, '{"team": "returns"}', "")


def test_an_answer_that_was_capped_is_given_as_far_as_it_came() -> None:
    answer = {"id": "c", "function": {"name": output_tool_name(spec("tool")), "arguments": '{"team": "ret'}}
    reply = whole({"content": None, "tool_calls": [answer]}, "length")
    assert (reply.text, reply.finish_reason) == ('{"team": "ret', "length")


def test_beside_other_tools_the_answer_is_one_of_them() -> None:
    body = sent(Request("m", ASK, 9, tools=(WEATHER,), output=spec("tool")))
    assert body["tool_choice"] == "required"
    assert len(body["tools"]) == 2
    clash = Tool(output_tool_name(spec("tool")), "", {})
    with pytest.raises(UsageError, match="may not be named"):
        sent(Request("m", ASK, 9, tools=(clash,)))


def test_a_schema_goes_as_strict_response_format() -> None:
    body = sent(Request("m", ASK, 9, output=spec("schema")))
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "Team", "strict": True, "schema": SCHEMA},
    }
    assert [m["content"] for m in body["messages"]] == ["Be brief.", "Where is my parcel?"]


@pytest.mark.parametrize("mode", ["json", "text"])
def test_json_mode_and_words_ask_in_the_last_user_turn_with_the_schema(mode: str) -> None:
    body = sent(Request("m", (*ASK, Message("assistant", "Hm.")), 9, output=spec(mode)))
    said = body["messages"][1]["content"]
    assert said.startswith("Where is my parcel?")
    assert "JSON" in said
    assert json.loads(said.partition(":\n")[2]) == SCHEMA
    assert body.get("response_format") == ({"type": "json_object"} if mode == "json" else None)
    alone = sent(Request("m", (Message("assistant", "Hm."),), 9, output=spec(mode)))
    assert "JSON" in alone["messages"][0]["content"]
    assert alone["messages"][0]["role"] == "system"
    image = sent(Request("m", (Message("user", (Image(url="u"),)),), 9, output=spec(mode)))
    assert "JSON" in image["messages"][0]["content"][1]["text"]


def test_quirks_decide_names_and_what_is_sent() -> None:
    request = Request("m", ASK, 9, temperature=0.0, top_p=0.5, stop=("x",), seed=7, logprobs=True, sample=3)
    plain = sent(request)
    assert {k: v for k, v in plain.items() if k != "messages"} == {
        "model": "m",
        "max_tokens": 9,
        "temperature": 0.0,
        "top_p": 0.5,
        "stop": ["x"],
        "seed": 7,
        "logprobs": True,
    }
    odd = Quirks(cap="max_completion_tokens", sampling=False, stream_usage=False, logprobs=False, body={"a": {"b": 1}})
    assert {k: v for k, v in sent(request, odd, True).items() if k != "messages"} == {
        "model": "m",
        "max_completion_tokens": 9,
        "stop": ["x"],
        "seed": 7,
        "stream": True,
        "a": {"b": 1},
    }
    assert sent(request, stream=True)["stream_options"] == {"include_usage": True}


def test_the_requests_own_extra_comes_last() -> None:
    quirks = Quirks(body={"a": {"b": 1, "c": 2}, "user": "q"})
    body = sent(Request("m", ASK, 9, extra={"a": {"b": 3}, "max_tokens": 4}), quirks)
    assert (body["a"], body["user"], body["max_tokens"]) == ({"b": 3, "c": 2}, "q", 4)


def test_the_key_is_in_the_header_and_a_local_endpoint_needs_none() -> None:
    assert OPENAI_CHAT.headers("k") == {"authorization": "Bearer k"}
    assert OPENAI_CHAT.headers(None) == {}


def test_text_that_is_no_unicode_is_refused_before_it_is_sent() -> None:
    with pytest.raises(UsageError, match="surrogate"):
        sent(Request("m", (Message("user", "\ud800"),), 9))


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
IMAGES = st.builds(Image, data=st.binary(max_size=20), media_type=st.sampled_from(["image/png", "image/jpeg"]))
CALLS = st.builds(ToolCall, TEXT, TEXT, st.dictionaries(TEXT, VALUES, max_size=3))
MESSAGES = st.one_of(
    st.builds(Message, st.sampled_from(["system", "user"]), TEXT),
    st.builds(Message, st.just("user"), st.lists(TEXT | IMAGES, min_size=1, max_size=3).map(tuple)),
    st.builds(Message, st.just("assistant"), TEXT, st.lists(CALLS, max_size=2).map(tuple)),
    st.builds(Message, st.just("tool"), TEXT, tool_call_id=TEXT),
)


def read_back(told: Any) -> Message:
    content: Any = told["content"]
    if isinstance(content, list):
        content = tuple(p["text"] if p["type"] == "text" else image(p["image_url"]["url"]) for p in content)
    calls = tuple(
        ToolCall(c["id"], c["function"]["name"], json.loads(c["function"]["arguments"]))
        for c in told.get("tool_calls", ())
    )
    return Message(told["role"], "" if content is None else content, calls, told.get("tool_call_id"))


def image(url: str) -> Image:
    head, _, data = url.partition(";base64,")
    return Image(data=base64.b64decode(data), media_type=head.removeprefix("data:"))


@given(st.lists(MESSAGES, max_size=6))
def test_messages_come_through_whole(messages: list[Message]) -> None:
    body = sent(Request("m", tuple(messages), 9))
    assert [read_back(told) for told in body["messages"]] == messages


@given(TEXT, TEXT, st.lists(CALLS, max_size=3), st.integers(1, 5))
def test_any_reply_is_the_same_streamed_and_whole(text: str, why: str, calls: list[ToolCall], size: int) -> None:
    written = [
        {"id": f"c{i}", "function": {"name": c.name, "arguments": json.dumps(c.arguments)}} for i, c in enumerate(calls)
    ]
    finish = "tool_calls" if calls else "stop"
    stream = b"".join(chunk({"reasoning": why[i : i + size]}) for i in range(0, len(why), size))
    stream += b"".join(chunk({"content": text[i : i + size]}) for i in range(0, len(text), size))
    for at, call in enumerate(written):
        arguments = call["function"]["arguments"]
        stream += chunk(fragment(at, "", id=call["id"], name=call["function"]["name"]))
        stream += b"".join(chunk(fragment(at, arguments[i : i + size])) for i in range(0, len(arguments), size))
    reply = whole({"content": text, "reasoning": why, "tool_calls": written}, finish, usage={"prompt_tokens": 3})
    tail = chunk({}, finish) + b'data: {"choices":[],"usage":{"prompt_tokens":3}}\n\n' + DONE
    assert streamed(stream + tail) == (reply, text, why)
