"""What goes to a language model and what comes back: messages, a request, its reply. Frozen, equal by content."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal

from typing_extensions import TypeVar

from suffice.values import Json, content_hash

T = TypeVar("T", covariant=True, default=Any)

Role = Literal["system", "user", "assistant", "tool"]
Finish = Literal["stop", "length", "tool_calls", "content_filter", "other"]
"""Why a model ended: on its own or at a stop sequence, at the output cap, to call tools, filtered, or for another
reason."""
Guarantee = Literal["masked", "native", "validated"]
"""What made an output fit its type: token masks, the endpoint's own JSON schema mode, or our validation alone."""
Mode = Literal["schema", "tool", "json", "text"]
"""How an output type is asked for: native JSON schema, a forced tool call, JSON mode, or in words alone."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image in a message: a URL, or bytes of `media_type`."""

    url: str | None = None
    data: bytes | None = None
    media_type: str = "image/png"

    @property
    def link(self) -> str | None:
        """Its URL; of bytes, a data URL that holds them."""
        if self.data is None:
            return self.url
        return f"data:{self.media_type};base64,{base64.b64encode(self.data).decode('ascii')}"

    def __str__(self) -> str:
        where = f"{len(self.data):,} bytes, {self.media_type}" if self.data is not None else self.url
        return f"[image, {where}]"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's wish to call a tool. `arguments` is what it wrote, parsed; `id` ties the result to it."""

    id: str
    name: str
    arguments: Json


@dataclass(frozen=True, slots=True)
class Kept:
    """What an endpoint wants back unchanged with a turn that it made, such as signed reasoning: `form` is its own JSON,
    which goes to the base URL `endpoint` and nowhere else."""

    endpoint: str
    form: Json


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. `content` is a text, or texts and images in order.

    An assistant turn may hold `tool_calls`; a tool's turn answers the one with `tool_call_id`, and its content is what
    the tool found. `kept` comes with `Reply.message`.
    """

    role: Role
    content: str | tuple[str | Image, ...] = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    kept: Kept | None = field(default=None, repr=False)

    @property
    def text(self) -> str:
        """The content without its images."""
        parts = (self.content,) if isinstance(self.content, str) else self.content
        return "".join(part for part in parts if isinstance(part, str))


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that a model may ask for. `parameters` is the JSON schema of its arguments, an object."""

    name: str
    description: str
    parameters: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """The JSON schema that an answer must fit, and how the endpoint is asked for it."""

    name: str
    schema: Mapping[str, Json]
    mode: Mode = "schema"


@dataclass(frozen=True, slots=True)
class Request:
    """One call, complete: equal requests may share a reply.

    `model` is the name at the endpoint. `max_output_tokens` is always sent. `sample` tells repeats of the same request
    apart (0, 1, 2, ...) and is not sent. `logprobs` asks for the log-probability of each output token. `extra` goes
    into the body as it is.
    """

    model: str
    messages: tuple[Message, ...]
    max_output_tokens: int
    tools: tuple[Tool, ...] = ()
    output: OutputSpec | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    logprobs: bool = False
    sample: int = 0
    extra: Mapping[str, Json] = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the endpoint counted them; None where it did not say.

    `cached_input_tokens` are part of `input_tokens`, `reasoning_tokens` part of `output_tokens`.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_input_tokens: int | None = None
    reasoning_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request on the wire and how it ended. `outcome` is "ok", or the kind of the error.

    `started` is in seconds since the call began, `cost` in US dollars, None where the price is unknown. `at_most`: the
    endpoint counted nothing (a time-out, a stream that was left), and `cost` is the most that it may have been.
    """

    endpoint: str
    started: float
    seconds: float
    outcome: str
    status: int | None = None
    usage: Usage = Usage()
    cost: float | None = None
    request_id: str | None = None
    at_most: bool = False


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """One output token with its natural-log probability. `data` are its bytes where `token` cannot show them: a piece
    of a character. `others` are the likeliest tokens at its place with theirs, where they were asked for."""

    token: str
    logprob: float
    data: bytes | None = None
    others: tuple[tuple[str, float], ...] = ()

    @property
    def spelled(self) -> bytes:
        """What the token writes, in UTF-8."""
        return self.token.encode("utf-8", "surrogatepass") if self.data is None else self.data


@dataclass(frozen=True, slots=True)
class Reply(Generic[T]):
    """What came back. `value` is the answer as the type that was asked for, else the text.

    `cost` is in US dollars over all attempts (None: a price is unknown); `at_most`: some of them ended without a count,
    and it is the most that they may have cost. `latency` is in seconds what the endpoint took: all attempts with the
    pauses between them, fallbacks and repairs, but no waiting in this process (for a budget, a place at the limit, the
    disk); of a part that was looked up (`cached`) it is what it took when it was made. `ttft` is in seconds, counted
    alike, to the first token (None when not streamed). `guarantee` says what made `value` fit.
    """

    value: T
    text: str = ""
    reasoning: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage()
    cost: float | None = None
    finish_reason: Finish = "stop"
    attempts: tuple[Attempt, ...] = ()
    latency: float = 0.0
    ttft: float | None = None
    request_id: str | None = None
    model: str = ""
    guarantee: Guarantee | None = None
    logprobs: tuple[TokenLogprob, ...] = ()
    cached: bool = False
    at_most: bool = False
    kept: Kept | None = field(default=None, repr=False)

    @property
    def message(self) -> Message:
        """The assistant's turn, to go on from: its text, its tool calls, and what the endpoint wants back with them."""
        return Message("assistant", self.text, self.tool_calls, kept=self.kept)


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of a streamed reply: more text, more reasoning, or both."""

    text: str = ""
    reasoning: str = ""


def message_json(message: Message) -> Json:
    """The JSON form of a message; bytes become their hash, so this is for keys and logs."""
    made: dict[str, Json] = {"role": message.role}
    if isinstance(message.content, str):
        made["content"] = message.content
    else:
        made["content"] = [part if isinstance(part, str) else _image_json(part) for part in message.content]
    if message.tool_calls:
        made["tool_calls"] = [{"id": c.id, "name": c.name, "arguments": c.arguments} for c in message.tool_calls]
    if message.tool_call_id is not None:
        made["tool_call_id"] = message.tool_call_id
    if message.kept is not None:
        made["kept"] = [message.kept.endpoint, _in_order({"form": message.kept.form})]
    return made


def request_json(request: Request) -> dict[str, Json]:
    """The JSON form of a request: what was not said is left out, so a new option moves no old key.

    Schemas (also those in `extra`) stand in it as text: in the order of their fields a model answers them.
    """
    spec = request.output
    made: dict[str, Json] = {
        "model": request.model,
        "messages": [message_json(m) for m in request.messages],
        "max_output_tokens": request.max_output_tokens,
        "tools": [[t.name, t.description, _in_order(t.parameters)] for t in request.tools],
        "output": None if spec is None else {"name": spec.name, "schema": _in_order(spec.schema), "mode": spec.mode},
        "temperature": request.temperature,
        "top_p": request.top_p,
        "stop": list(request.stop),
        "seed": request.seed,
        "logprobs": request.logprobs,
        "sample": request.sample or None,
        "extra": _in_order(request.extra) if request.extra else None,
    }
    # By identity, because a temperature or seed of 0 is said, though it equals False.
    return {
        key: value for key, value in made.items() if value is not None and value is not False and value not in ([], {})
    }


def _in_order(value: Mapping[str, Json]) -> str:
    return json.dumps(dict(value), ensure_ascii=False, separators=(",", ":"))


def _image_json(image: Image) -> Json:
    if image.data is None:
        return {"url": image.url}
    return {"image": content_hash(image.data.hex()), "media_type": image.media_type}
