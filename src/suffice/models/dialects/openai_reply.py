"""A reply of OpenAI's chat completions, whole or streamed, as a Reply; also as Gemini, Ollama, vLLM and others give it.

After the API reference, "The chat completion object" and "The chat completion chunk object". What other endpoints do
otherwise is taken, too: no usage, no id, content as null or as parts, reasoning beside it, arguments as an object.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

from suffice.errors import ContentFiltered, MalformedReply
from suffice.exchange import Delta, Finish, Reply, TokenLogprob, Usage
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
from suffice.models.dialects.openai_kept import EXTRA, WANTED, KeptPieces, kept_of

PATH: Final = "/chat/completions"
END: Final = "[DONE]"
FAR: Final = 1e6  # no log-probability is so far from 0

FINISHES: Final[dict[str, Finish]] = {
    "stop": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",  # Mistral
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


def decode(body: bytes) -> Reply[str]:
    """The reply in a body of status 200.

    Raises MalformedReply for anything else, ContentFiltered where the model declined, and the CallError that an
    `error` object means.
    """
    told = json_object(body)
    _raise_error(told)
    choice = next(iter(objects(told.get("choices"))), None)
    if choice is None:
        raise MalformedReply(f"there is no choice in what came back: {quoted(body)}", where=PATH)
    return _reply(told, choice)


class ChatStream:
    """The state of one streamed reply: chunks put together into the body that would have come whole."""

    def __init__(self) -> None:
        self._body: dict[str, Any] = {}
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._kept = KeptPieces()
        self._refusal: list[str] = []
        self._calls: list[_Call] = []
        self._latest: dict[int | None, _Call] = {}  # by index; None: the latest of all
        self._logprobs: list[Any] = []
        self._finish: str | None = None
        self._done = False

    @property
    def done(self) -> bool:
        """Whether [DONE] has come."""
        return self._done

    def feed(self, event: str, data: str) -> Delta | None:
        """Take one chunk and give what is new. Raises MalformedReply, or the CallError that was sent inside."""
        if self._done or not data.strip():
            return None
        if data.strip() == END:
            self._done = True
            return None
        told = json_object(data)
        _raise_error({"error": told.get("error") or told} if event == "error" else told, self._text)
        if not isinstance(told.get("choices"), list) and not told.get("usage"):
            raise MalformedReply(f"this is no chunk of a reply: {quoted(data)}", where=PATH)
        for key in ("id", "model", "usage"):
            if told.get(key):
                self._body[key] = told[key]
        delta = [self._choice(c) for c in objects(told.get("choices")) if not c.get("index")]
        return delta[0] if delta else None

    def finish(self) -> Reply[str]:
        """The whole reply. Raises MalformedReply where no finish reason came; some send no [DONE] after it."""
        if self._finish is None:
            raise MalformedReply("the stream ended without a finish reason", where=PATH, partial="".join(self._text))
        message = {
            "content": "".join(self._text),
            "reasoning": "".join(self._reasoning),
            **self._kept.whole(),
            "refusal": "".join(self._refusal),
            "tool_calls": [call.whole() for call in self._calls],
        }
        choice = {"message": message, "finish_reason": self._finish, "logprobs": {"content": self._logprobs}}
        return _reply(self._body, choice)

    def _choice(self, choice: dict[str, Any]) -> Delta | None:
        _raise_error(choice, self._text)
        delta = fields(choice.get("delta"))
        text, reasoning = _content(delta.get("content"))
        reasoning = _reasoning(delta) or reasoning
        self._text.append(text)
        self._reasoning.append(reasoning)
        self._kept.add(delta)
        self._refusal.append(string(delta.get("refusal")))
        self._logprobs.extend(objects(fields(choice.get("logprobs")).get("content")))
        self._finish = string(choice.get("finish_reason")) or self._finish
        for fragment in objects(delta.get("tool_calls")):
            text += self._fragment(fragment)
        return Delta(text, reasoning) if text or reasoning else None

    def _fragment(self, fragment: dict[str, Any]) -> str:
        """Add a piece of a tool call; gives back what of it is the answer's text."""
        id, index, function = string(fragment.get("id")), fragment.get("index"), fields(fragment.get("function"))
        numbered = index if isinstance(index, int) else None
        call = self._latest.get(numbered)
        # Gemini numbers calls that it makes at once all with 0, so an id of its own begins a call, too.
        if call is None or (id and call.id and id != call.id):
            call = self._latest[numbered] = self._latest[None] = _Call()
            self._calls.append(call)
        call.id = call.id or id
        call.name = call.name or string(function.get("name"))
        call.extra = fields(fragment.get(EXTRA)) or call.extra
        arguments = _arguments(function.get("arguments"))
        call.arguments.append(arguments)
        return arguments if is_output_tool(call.name) else ""


class _Call:
    """A tool call that is arriving."""

    def __init__(self) -> None:
        self.id, self.name = "", ""
        self.extra: dict[str, Any] = {}
        self.arguments: list[str] = []

    def whole(self) -> dict[str, Any]:
        made = {"id": self.id, "function": {"name": self.name, "arguments": "".join(self.arguments)}}
        return {**made, EXTRA: self.extra} if self.extra else made


def _reply(told: dict[str, Any], choice: dict[str, Any]) -> Reply[str]:
    _raise_error(choice)
    reason = string(choice.get("finish_reason")).lower()
    finish = FINISHES.get(reason, "other")
    message: Any = choice.get("message")
    if not isinstance(message, dict) and finish not in ("length", "content_filter"):  # Gemini then leaves it out
        how = named(reason) or "nothing"
        raise MalformedReply(f"there is no message in what came back, it finished by {how}", where=PATH)
    message = fields(message)
    text, thought = _content(message.get("content"))
    if refusal := string(message.get("refusal")):
        raise ContentFiltered(f"the model declined: {quoted(refusal)}", where=PATH, partial=refusal)
    if reason == "error":
        raise error_inside({"code": 502, "message": "the model's provider failed"}, where=PATH, partial=text)
    written = [_written(c) for c in objects(message.get("tool_calls"))]
    answers = [arguments for _, name, arguments in written if is_output_tool(name)]
    usage = _usage(fields(told.get("usage")))
    calls = calls_of([c for c in written if not is_output_tool(c[1])], finish, usage)
    if finish in ("stop", "tool_calls"):  # some endpoints say stop and call tools
        finish = "tool_calls" if calls else "stop"
    text = answers[0] if answers else text
    return Reply(
        value=text,
        text=text,
        reasoning=_reasoning(message) or thought or None,
        tool_calls=calls,
        usage=usage,
        finish_reason=finish,
        request_id=named(told.get("id")) or None,
        model=named(told.get("model")),
        logprobs=_logprobs(fields(choice.get("logprobs")).get("content")),
        kept=kept_of(message) if message.keys() & WANTED else None,
    )


def _raise_error(told: dict[str, Any], arrived: Sequence[str] = ()) -> None:
    if told.get("error"):
        raise error_inside(told["error"], where=PATH, partial="".join(arrived))
    if told.get("object") == "error":  # vLLM, with no object around it
        raise error_inside(told, where=PATH, partial="".join(arrived))


def _content(content: Any) -> tuple[str, str]:
    """Text and reasoning of a content: a text, null, or parts of which Mistral's `thinking` hold parts in turn. Raises
    MalformedReply."""
    if not isinstance(content, list):
        return text_of(content), ""
    parts = objects(content)  # pyright: ignore[reportUnknownArgumentType]
    text = "".join(text_of(p.get("text")) for p in parts if p.get("type", "text") in ("text", "output_text"))
    thought = "".join(_content(p.get("thinking"))[0] for p in parts if p.get("type") == "thinking")
    return text, thought


def _reasoning(message: dict[str, Any]) -> str:
    """DeepSeek and llama.cpp name it `reasoning_content`, OpenRouter, Ollama and vLLM `reasoning`; some give both."""
    return string(message.get("reasoning_content")) or string(message.get("reasoning"))


def _written(call: dict[str, Any]) -> tuple[str, str, str]:
    function = fields(call.get("function"))
    return string(call.get("id")), string(function.get("name")), _arguments(function.get("arguments"))


def _arguments(given: Any) -> str:
    return given if isinstance(given, str) else "" if given is None else json_bytes(given).decode()


def _usage(told: dict[str, Any]) -> Usage:
    return Usage(
        input_tokens=count(told.get("prompt_tokens")),
        output_tokens=count(told.get("completion_tokens")),
        cached_input_tokens=count(fields(told.get("prompt_tokens_details")).get("cached_tokens")),
        reasoning_tokens=count(fields(told.get("completion_tokens_details")).get("reasoning_tokens")),
    )


def _logprobs(content: Any) -> tuple[TokenLogprob, ...]:
    return tuple(
        TokenLogprob(string(p.get("token")), float(p["logprob"]), _piece(p), _others(p))
        for p in objects(content)
        if _is_logprob(p.get("logprob"))
    )


def _others(told: dict[str, Any]) -> tuple[tuple[str, float], ...]:
    listed = objects(told.get("top_logprobs"))
    return tuple((string(p.get("token")), float(p["logprob"])) for p in listed if _is_logprob(p.get("logprob")))


def _is_logprob(value: Any) -> bool:
    return isinstance(value, int | float) and -FAR < value < FAR


def _piece(told: dict[str, Any]) -> bytes | None:
    """The bytes of a token that is a piece of a character, which no text can show."""
    given: Any = told.get("bytes")
    try:
        data = bytes(cast("list[int]", given)) if isinstance(given, list) else b""
    except (TypeError, ValueError):  # no numbers, or none that a byte holds
        return None
    return None if not data or data == string(told.get("token")).encode("utf-8", "replace") else data
