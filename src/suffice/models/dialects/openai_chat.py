"""The dialect of OpenAI's chat completions, which Gemini, Ollama, OpenRouter, llama.cpp and vLLM speak as well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from suffice.exchange import Image, Message, OutputSpec, Request
from suffice.models.dialects.asking import asked_in_words, check_tools, output_tool_name
from suffice.models.dialects.body import json_bytes, merged
from suffice.models.dialects.dialect import Dialect, Quirks
from suffice.models.dialects.openai_kept import with_kept
from suffice.models.dialects.openai_reply import PATH, ChatStream, decode
from suffice.values import Json


def encode(request: Request, quirks: Quirks, stream: bool) -> bytes:
    """The body of a request (API reference, "Create chat completion"). Raises UsageError for what cannot be sent."""
    check_tools(request)
    spec = request.output
    worded = spec is not None and spec.mode in ("json", "text")
    messages = asked_in_words(request.messages, spec) if spec is not None and worded else request.messages
    body: dict[str, Json] = {
        "model": request.model,
        "messages": [_message(m) for m in messages],
        quirks.cap: request.max_output_tokens,
        **_tools(request),
        **_format(spec),
        **_sampling(request, quirks),
    }
    if stream:
        body["stream"] = True
        if quirks.stream_usage:
            body["stream_options"] = {"include_usage": True}
    return json_bytes(merged(merged(body, quirks.body), request.extra))


def headers(key: str | None) -> dict[str, str]:
    """The dialect's own headers; a local endpoint needs no key."""
    return {"authorization": f"Bearer {key}"} if key else {}


def _sampling(request: Request, quirks: Quirks) -> dict[str, Json]:
    made: dict[str, Json] = {
        "temperature": request.temperature if quirks.sampling else None,
        "top_p": request.top_p if quirks.sampling else None,
        "stop": list(request.stop) or None,
        quirks.seed: request.seed,
        "logprobs": True if request.logprobs and quirks.logprobs else None,
    }
    return {name: value for name, value in made.items() if value is not None}


def _tools(request: Request) -> dict[str, Json]:
    spec = request.output
    tools = [_function(t.name, t.description, t.parameters) for t in request.tools]
    if spec is None or spec.mode != "tool":
        return {"tools": tools} if tools else {}
    name = output_tool_name(spec)
    forced = {"type": "function", "function": {"name": name}}
    # With tools of the caller's beside it the model has the choice, but may not answer in plain text.
    choice: Json = "required" if tools else forced
    return {"tools": [*tools, _function(name, "Give the answer.", spec.schema)], "tool_choice": choice}


def _function(name: str, description: str, parameters: Mapping[str, Json]) -> Json:
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": dict(parameters)},
    }


def _format(spec: OutputSpec | None) -> dict[str, Json]:
    if spec is not None and spec.mode == "schema":
        schema = {"name": spec.name, "strict": True, "schema": dict(spec.schema)}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}
    if spec is not None and spec.mode == "json":
        return {"response_format": {"type": "json_object"}}
    return {}


def _message(message: Message) -> dict[str, Json]:
    made: dict[str, Json] = {"role": message.role, "content": _content(message.content)}
    if message.tool_calls:
        made["content"] = made["content"] or None
        made["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": json_bytes(call.arguments).decode()},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        made["tool_call_id"] = message.tool_call_id
    return made if message.kept is None else with_kept(made, message.kept.form)


def _content(content: str | tuple[str | Image, ...]) -> Json:
    if isinstance(content, str):
        return content
    return [{"type": "text", "text": p} if isinstance(p, str) else _image(p) for p in content]


def _image(image: Image) -> Json:
    return {"type": "image_url", "image_url": {"url": image.link}}


OPENAI_CHAT: Final = Dialect(
    name="openai",
    path=PATH,
    encode=encode,
    decode=decode,
    stream=ChatStream,
    headers=headers,
)

__all__ = ["OPENAI_CHAT", "decode", "encode", "headers"]
