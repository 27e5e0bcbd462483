"""A reply of Anthropic's Messages API, whole or streamed, as a Reply.

After "Create a Message", "Streaming messages" and "Stop reasons" of the Claude platform's documentation.
"""

from __future__ import annotations

from typing import Any, Final

from suffice.errors import CallError, MalformedReply
from suffice.exchange import Delta, Finish, Kept, Reply, Usage
from suffice.models.dialects.asking import is_output_tool
from suffice.models.dialects.body import (
    calls_of,
    count,
    fields,
    json_bytes,
    json_object,
    named,
    objects,
    quoted,
    string,
    text_of,
)
from suffice.models.dialects.faults import error_inside

PATH: Final = "/v1/messages"
WRITTEN: Final = "(written)"  # in a streamed block: the arguments of a call, as text

FINISHES: Final[dict[str, Finish]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    "pause_turn": "other",  # a tool of the server's has paused; it goes on only by another request
}


def decode(body: bytes) -> Reply[str]:
    """The reply in a body of status 200. Raises MalformedReply for anything else, or the CallError inside it."""
    told = json_object(body)
    if told.get("type") == "error" or told.get("error"):
        raise _error(told, "")
    if not isinstance(told.get("content"), list) or not string(told.get("stop_reason")):
        raise MalformedReply(f"this is no message: {quoted(body)}", where=PATH)
    return _reply(told)


class MessageStream:
    """The state of one streamed reply: events put together into the body that would have come whole."""

    def __init__(self) -> None:
        self._body: dict[str, Any] = {}
        self._usage: dict[str, Any] = {}
        self._blocks: dict[int, _Block] = {}
        self._stopped = False

    def feed(self, event: str, data: str) -> Delta | None:
        """Take one event and give what is new. Raises MalformedReply, or the CallError that was sent inside.

        Events of a kind that is not known are passed over: the API's versioning allows new ones at any time.
        """
        if not data.strip():
            return None
        told = json_object(data)
        kind = string(told.get("type")) or event
        if kind == "error" or told.get("error"):
            raise _error(told, self._partial())
        if kind == "message_start":
            self._body.update(fields(told.get("message")))
            self._count(self._body.get("usage"))
        elif kind in ("content_block_start", "content_block_delta"):
            return self._block(kind, told, data)
        elif kind == "message_delta":
            self._body.update(fields(told.get("delta")))
            self._count(told.get("usage"))
        elif kind == "message_stop":
            self._stopped = True
        return None

    @property
    def done(self) -> bool:
        """Whether `message_stop` has come."""
        return self._stopped

    def finish(self) -> Reply[str]:
        """The whole reply. Raises MalformedReply where its stop reason or `message_stop` never came."""
        if not self._stopped or not string(self._body.get("stop_reason")):
            raise MalformedReply("the stream ended before the message did", where=PATH, partial=self._partial())
        content = [self._blocks[at].whole() for at in sorted(self._blocks)]
        return _reply({**self._body, "content": content, "usage": self._usage})

    def _block(self, kind: str, told: dict[str, Any], data: str) -> Delta | None:
        index: Any = told.get("index")
        if not isinstance(index, int):
            raise MalformedReply(f"this event has no index: {quoted(data)}", where=PATH)
        if kind == "content_block_start":
            block = self._blocks[index] = _Block(fields(told.get("content_block")))
            text, reasoning = string(block.start.get("text")), string(block.start.get("thinking"))
            return Delta(text, reasoning) if text or reasoning else None
        if index not in self._blocks:
            raise MalformedReply(f"this event is of a block that never began: {quoted(data)}", where=PATH)
        return self._blocks[index].add(fields(told.get("delta")))

    def _count(self, usage: Any) -> None:
        """Counts are cumulative: the latest one holds, and what a later event leaves out stays."""
        self._usage.update({name: value for name, value in fields(usage).items() if value is not None})

    def _partial(self) -> str:
        return "".join(text for block in self._blocks.values() for text in block.text)


class _Block:
    """A content block that is arriving."""

    def __init__(self, start: dict[str, Any]) -> None:
        self.start = start
        self.text = [string(start.get("text"))]
        self.thinking = [string(start.get("thinking"))]
        self.signature = [string(start.get("signature"))]
        self.arguments: list[str] = []

    def add(self, delta: dict[str, Any]) -> Delta | None:
        text, thinking = string(delta.get("text")), string(delta.get("thinking"))
        arguments = string(delta.get("partial_json"))
        self.text.append(text)
        self.thinking.append(thinking)
        self.signature.append(string(delta.get("signature")))
        self.arguments.append(arguments)
        if is_output_tool(string(self.start.get("name"))):
            text += arguments
        return Delta(text, thinking) if text or thinking else None

    def whole(self) -> dict[str, Any]:
        said = {"text": "".join(self.text), "thinking": "".join(self.thinking), "signature": "".join(self.signature)}
        made = {**self.start, **{name: text for name, text in said.items() if text}}
        arguments = "".join(self.arguments)
        return {**made, WRITTEN: arguments} if arguments.strip() else made


def _reply(told: dict[str, Any]) -> Reply[str]:
    blocks = objects(told.get("content"))
    finish = FINISHES.get(string(told.get("stop_reason")), "other")
    text = "".join(text_of(b.get("text")) for b in blocks if b.get("type") == "text")
    reasoning = "".join(string(b.get("thinking")) for b in blocks if b.get("type") == "thinking")
    written = [_written(b) for b in blocks if b.get("type") == "tool_use"]
    answers = [_same(arguments) for _, name, arguments in written if is_output_tool(name)]
    usage = _usage(fields(told.get("usage")))
    calls = calls_of([c for c in written if not is_output_tool(c[1])], finish, usage)
    if finish == "tool_calls" and not calls:
        finish = "stop"  # the call was the answer
    text = answers[0] if answers else text
    return Reply(
        value=text,
        text=text,
        reasoning=reasoning or None,
        tool_calls=calls,
        usage=usage,
        finish_reason=finish,
        request_id=named(told.get("id")) or None,
        model=named(told.get("model")),
        kept=_kept(blocks),
    )


def _kept(blocks: list[dict[str, Any]]) -> Kept | None:
    """The turn as it must come back where it holds more than text and calls: reasoning is signed, and stands before
    the calls that it led to ("Extended thinking", section "Preserving thinking blocks")."""
    answered = any(is_output_tool(string(b.get("name"))) for b in blocks)  # nobody will give that call a result
    if answered or all(b.get("type") in ("text", "tool_use") for b in blocks):
        return None
    try:
        whole = [{**b, "input": json_object(b[WRITTEN])} if WRITTEN in b else b for b in blocks]
    except MalformedReply:  # cut off
        return None
    form = [{k: v for k, v in b.items() if k != WRITTEN} for b in whole if b.get("type") != "text" or b.get("text")]
    return Kept("", form)


def _error(told: dict[str, Any], partial: str) -> CallError:
    return error_inside(told.get("error") or {}, where=PATH, partial=partial)


def _written(block: dict[str, Any]) -> tuple[str, str, str]:
    """A call with its arguments as JSON text; streamed they come as text, whole as a value."""
    arguments = string(block.get(WRITTEN)) or json_bytes(block.get("input") or {}).decode()
    return string(block.get("id")), string(block.get("name")), arguments


def _same(arguments: str) -> str:
    """JSON text in one spelling, so that a streamed answer equals a whole one; what is cut off stays as it is."""
    try:
        return json_bytes(json_object(arguments)).decode()
    except MalformedReply:
        return arguments


def _usage(told: dict[str, Any]) -> Usage:
    """`input_tokens` of the API are those after the last cache breakpoint alone ("Prompt caching"): here all count."""
    plain, read = count(told.get("input_tokens")), count(told.get("cache_read_input_tokens"))
    made = count(told.get("cache_creation_input_tokens"))
    return Usage(
        input_tokens=None if plain is None else plain + (read or 0) + (made or 0),
        output_tokens=count(told.get("output_tokens")),
        cached_input_tokens=read,
        reasoning_tokens=count(fields(told.get("output_tokens_details")).get("thinking_tokens")),
    )
