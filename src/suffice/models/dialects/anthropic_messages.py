"""The dialect of Anthropic's Messages API."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any, Final

from suffice.errors import UsageError
from suffice.exchange import Image, Message, Request
from suffice.models.dialects.anthropic_reply import PATH, MessageStream, decode
from suffice.models.dialects.asking import asked_in_words, check_tools, output_tool_name
from suffice.models.dialects.body import json_bytes, merged
from suffice.models.dialects.dialect import Dialect, Quirks
from suffice.values import Json

VERSION: Final = "2023-06-01"  # later ones refuse a temperature


def encode(request: Request, quirks: Quirks, stream: bool) -> bytes:
    """The body of a request ("Create a Message"). Raises UsageError for what cannot be sent.

    There is no seed and there are no log-probabilities in this dialect; they are not sent. A JSON schema goes as
    `output_config.format` ("Structured outputs").
    """
    check_tools(request)
    spec = request.output
    worded = spec is not None and spec.mode in ("json", "text")  # it has no JSON mode: words alone
    messages = asked_in_words(request.messages, spec) if spec is not None and worded else request.messages
    body: dict[str, Json] = {
        "model": request.model,
        "max_tokens": request.max_output_tokens,
        **_system(messages),
        "messages": _turns(messages),
        **_tools(request),
    }
    if spec is not None and spec.mode == "schema":
        body["output_config"] = {"format": {"type": "json_schema", "schema": dict(spec.schema)}}
    if quirks.sampling and request.temperature is not None:
        body["temperature"] = request.temperature
    if quirks.sampling and request.top_p is not None:
        body["top_p"] = request.top_p
    if request.stop:
        body["stop_sequences"] = list(request.stop)
    if stream:
        body["stream"] = True
    return json_bytes(merged(merged(body, quirks.body), request.extra))


def headers(key: str | None) -> dict[str, str]:
    """The dialect's own headers, the version of the API among them."""
    return {"anthropic-version": VERSION, **({"x-api-key": key} if key else {})}


def _system(messages: Iterable[Message]) -> dict[str, Json]:
    turns = [m for m in messages if m.role == "system"]
    if any(isinstance(part, Image) for m in turns if not isinstance(m.content, str) for part in m.content):
        raise UsageError("a system message holds an image, which Anthropic does not take", hint="put it in a user turn")
    joined = "\n\n".join(m.text for m in turns if m.text)
    return {"system": joined} if joined else {}


def _turns(messages: Iterable[Message]) -> list[Json]:
    """User and assistant in turns: neighbours of one role become one turn; a tool's result is the user's."""
    turns: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "system":
            continue
        role = "assistant" if message.role == "assistant" else "user"
        blocks = _blocks(message)
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"].extend(blocks)
        elif blocks:
            turns.append({"role": role, "content": blocks})
    return list(turns)


def _blocks(message: Message) -> list[Json]:
    if message.kept is not None:
        return list(message.kept.form)
    if message.role == "tool":
        content: Json = message.content if isinstance(message.content, str) else _parts(message)
        return [{"type": "tool_result", "tool_use_id": message.tool_call_id, "content": content}]
    calls: list[Json] = [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments} for call in message.tool_calls
    ]
    return [*_parts(message), *calls]


def _parts(message: Message) -> list[Json]:
    parts = (message.content,) if isinstance(message.content, str) else message.content
    # The API refuses an empty text block.
    return [_image(p) if isinstance(p, Image) else {"type": "text", "text": p} for p in parts if p != ""]


def _image(image: Image) -> Json:
    if image.data is None:
        return {"type": "image", "source": {"type": "url", "url": image.url}}
    data = base64.b64encode(image.data).decode("ascii")
    return {"type": "image", "source": {"type": "base64", "media_type": image.media_type, "data": data}}


def _tools(request: Request) -> dict[str, Json]:
    spec = request.output
    tools = [_tool(t.name, t.description, t.parameters) for t in request.tools]
    if spec is None or spec.mode != "tool":
        return {"tools": tools} if tools else {}
    name = output_tool_name(spec)
    # With tools of the caller's beside it the model has the choice, but may not answer in plain text.
    choice: Json = {"type": "any"} if tools else {"type": "tool", "name": name}
    return {"tools": [*tools, _tool(name, "Give the answer.", spec.schema)], "tool_choice": choice}


def _tool(name: str, description: str, parameters: Mapping[str, Json]) -> Json:
    return {"name": name, "description": description, "input_schema": dict(parameters)}


ANTHROPIC: Final = Dialect(
    name="anthropic",
    path=PATH,
    encode=encode,
    decode=decode,
    stream=MessageStream,
    headers=headers,
)

__all__ = ["ANTHROPIC", "decode", "encode", "headers"]
