"""What a good upstream writes: replies and streams as OpenAI's chat completions and Anthropic's messages have them.

Facts from "Create chat completion", "The chat completion chunk object", "Create embeddings" (OpenAI), and "Messages",
"Streaming messages" (Anthropic). Pure functions; `dialect` is "openai" or "anthropic".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

Usage = tuple[int, int] | None
"""Input and output tokens, None where the upstream does not say."""

ANTHROPIC_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
ANTHROPIC_ERRORS = {400: "invalid_request_error", 401: "authentication_error", 429: "rate_limit_error"}
OPENAI_ERRORS = {400: "invalid_request_error", 401: "invalid_request_error", 429: "rate_limit_error"}


def dialect_of(path: str) -> str:
    """Which dialect a path belongs to."""
    return "anthropic" if path.partition("?")[0].endswith("/messages") else "openai"


def dumped(value: Any) -> bytes:
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


Token = tuple[str | bytes, float] | tuple[str | bytes, float, dict[str, float]]
"""A token with its log-probability; bytes where it is a piece of a character."""


def whole(
    dialect: str,
    model: str,
    text: str,
    usage: Usage,
    finish: str,
    tools: Sequence[tuple[str, str]] = (),
    tokens: Sequence[Token] = (),
) -> bytes:
    """A whole reply. `tools` are the name and the arguments (JSON) of each tool call, `tokens` those of the text."""
    if dialect == "anthropic":
        return dumped(_anthropic_message(model, text, usage, finish, tools))
    message: dict[str, Any] = {"role": "assistant", "content": text or None if tools else text, "refusal": None}
    if tools:
        message["tool_calls"] = [
            {"id": f"call_{n}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for n, (name, arguments) in enumerate(tools, 1)
        ]
    logprobs = {"content": [_token(*t) for t in tokens], "refusal": None} if tokens else None
    choice = {"index": 0, "message": message, "logprobs": logprobs, "finish_reason": "tool_calls" if tools else finish}
    made: dict[str, Any] = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model}
    made["choices"] = [choice]
    if usage:
        made["usage"] = _openai_usage(usage)
    return dumped(made)


def embeddings(model: str, texts: Sequence[str]) -> bytes:
    """One vector of three numbers a text, its length the first, so that the order can be checked."""
    data = [{"object": "embedding", "index": i, "embedding": [float(len(t)), 0.5, 1.0]} for i, t in enumerate(texts)]
    usage = {"prompt_tokens": sum(map(len, texts)), "total_tokens": sum(map(len, texts))}
    return dumped({"object": "list", "data": data, "model": model, "usage": usage})


def error(dialect: str, status: int, message: str, code: str | None) -> bytes:
    """An error body of this dialect."""
    if dialect == "anthropic":
        kind = ANTHROPIC_ERRORS.get(status, "api_error")
        return dumped({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"})
    kind = OPENAI_ERRORS.get(status, "server_error")
    return dumped({"error": {"message": message, "type": kind, "param": None, "code": code}})


def events(dialect: str, model: str, chunks: Sequence[str], usage: Usage, finish: str) -> tuple[bytes, ...]:
    """The server-sent events of a stream before, of, and after its chunks of text: `len(chunks)` in the middle."""
    before, after = _around(dialect, model, usage, finish)
    return (*before, *(piece(dialect, model, text) for text in chunks), *after)


def before(dialect: str) -> int:
    """How many events come before the first chunk of text."""
    return 2 if dialect == "anthropic" else 1


def piece(dialect: str, model: str, text: str) -> bytes:
    """The event of one chunk of text."""
    if dialect == "anthropic":
        delta = {"type": "text_delta", "text": text}
        return _named("content_block_delta", {"index": 0, "delta": delta})
    return _chunk(model, {"content": text}, None)


def done(dialect: str) -> bytes:
    """The event that ends a stream."""
    return _named("message_stop", {}) if dialect == "anthropic" else b"data: [DONE]\n\n"


def broken(dialect: str, message: str) -> bytes:
    """An error as an event inside a stream."""
    if dialect == "anthropic":
        return _named("error", {"error": {"type": "overloaded_error", "message": message}})
    return b"data: " + dumped({"error": {"message": message, "type": "server_error", "code": 500}}) + b"\n\n"


def _around(dialect: str, model: str, usage: Usage, finish: str) -> tuple[list[bytes], list[bytes]]:
    if dialect == "anthropic":
        message: dict[str, Any] = {
            **_anthropic_message(model, "", usage, finish),
            "content": [],
            "stop_reason": None,
        }
        start = _named("message_start", {"message": message})
        block = _named("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}})
        tail = {"delta": {"stop_reason": ANTHROPIC_REASONS.get(finish, finish), "stop_sequence": None}}
        ended = {**tail, "usage": {"output_tokens": usage[1] if usage else 0}}
        stop = _named("content_block_stop", {"index": 0})
        return [start, block], [stop, _named("message_delta", ended), done(dialect)]
    after = [_chunk(model, {}, finish)]
    if usage:
        after.append(_event({**_chunk_of(model), "choices": [], "usage": _openai_usage(usage)}))
    return [_chunk(model, {"role": "assistant", "content": ""}, None)], [*after, done(dialect)]


def _anthropic_message(
    model: str, text: str, usage: Usage, finish: str, tools: Sequence[tuple[str, str]] = ()
) -> dict[str, Any]:
    content: list[dict[str, Any]] = [{"type": "text", "text": text}] if text or not tools else []
    content += [
        {"type": "tool_use", "id": f"toolu_{n}", "name": name, "input": json.loads(arguments)}
        for n, (name, arguments) in enumerate(tools, 1)
    ]
    made: dict[str, Any] = {"id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": content}
    made |= {"stop_reason": "tool_use" if tools else ANTHROPIC_REASONS.get(finish, finish), "stop_sequence": None}
    if usage:
        made["usage"] = {"input_tokens": usage[0], "output_tokens": usage[1]}
    return made


def _openai_usage(usage: tuple[int, int]) -> dict[str, int]:
    return {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}


def _token(token: str | bytes, logprob: float, others: dict[str, float] | None = None) -> dict[str, Any]:
    data = token.encode() if isinstance(token, str) else token
    shown = data.decode("utf-8", "backslashreplace")
    top = [{"token": other, "logprob": p, "bytes": list(other.encode())} for other, p in (others or {}).items()]
    return {"token": shown, "logprob": logprob, "bytes": list(data), "top_logprobs": top}


def _chunk_of(model: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model}


def _chunk(model: str, delta: dict[str, str], finish: str | None) -> bytes:
    return _event({**_chunk_of(model), "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


def _event(value: Any) -> bytes:
    return b"data: " + dumped(value) + b"\n\n"


def _named(name: str, value: dict[str, Any]) -> bytes:
    return b"event: " + name.encode() + b"\n" + _event({"type": name, **value})
