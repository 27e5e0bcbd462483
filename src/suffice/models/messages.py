"""What a caller may pass as a message: a text, OpenAI-style dicts, or our values; checked before anything is sent."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from suffice.errors import UsageError
from suffice.exchange import Image, Message, ToolCall

ROLES = ("system", "developer", "user", "assistant", "tool")
EMBED_HINT = 'await model.embed(["a text", "another"])'


def messages_of(given: object) -> tuple[Message, ...]:
    """`given` as messages: a text is one user turn; dicts are as OpenAI's chat completions take them.

    Raises UsageError with the path of the fault (``at `$[1].role` ``), also where there is nothing to answer: a blank
    text is never sent to a model, because it answers all the same.
    """
    if isinstance(given, str):
        made: tuple[Message, ...] = (Message("user", given),)
    elif isinstance(given, Message | Mapping):
        made = (_message(cast("object", given), "$"),)
    elif isinstance(given, Sequence):
        made = tuple(_message(m, f"$[{i}]") for i, m in enumerate(cast("Sequence[object]", given)))
    else:
        raise _fault("$", f"a message is a text, a dict or a list of these, not a {type(given).__name__}")
    asked = [m for m in made if m.role == "user"]
    if all(m.role == "system" for m in made) or any(_is_blank(m) for m in asked):
        raise UsageError("the message is blank, and a blank text is never sent to a model", hint="ask something")
    return made


def texts_of(given: object) -> tuple[Message, ...]:
    """Texts to embed, each as a message. Raises UsageError where it is no list of texts, or one is blank."""
    if not isinstance(given, Sequence) or isinstance(given, str | bytes):
        raise UsageError(f"what is embedded is a list of texts, not a {type(given).__name__}", hint=EMBED_HINT)
    texts = cast("Sequence[object]", given)
    if not texts:
        raise UsageError("there is no text to embed", hint=EMBED_HINT)
    return tuple(_text(text, f"$[{i}]") for i, text in enumerate(texts))


def _text(given: object, at: str) -> Message:
    if not isinstance(given, str):
        said = f"what is embedded is a text, not a {type(given).__name__} at `{at}`"
        raise UsageError(said, hint=EMBED_HINT)
    if not given.strip():
        raise UsageError(f"a blank text is never sent to a model at `{at}`", hint=EMBED_HINT)
    return Message("user", given)


def _is_blank(message: Message) -> bool:
    return not message.text.strip() and not any(isinstance(part, Image) for part in message.content)


def _message(given: object, at: str) -> Message:
    if isinstance(given, Message):
        return given
    if not isinstance(given, Mapping):
        raise _fault(at, f"a message is a dict with role and content, not a {type(given).__name__}")
    told = cast("Mapping[str, Any]", given)
    role = told.get("role")
    if role not in ROLES:
        raise _fault(f"{at}.role", f"a role is one of {', '.join(ROLES)}, not {role!r:.40}")
    unknown = set(told) - {"role", "content", "tool_calls", "tool_call_id", "name", "refusal"}
    if unknown:
        raise _fault(at, f"unknown: {', '.join(sorted(map(str, unknown)))}")
    called: object = told.get("tool_calls") or ()
    if not isinstance(called, Sequence):
        raise _fault(f"{at}.tool_calls", f"tool_calls is a list, not a {type(called).__name__}")
    calls = tuple(_tool_call(c, f"{at}.tool_calls[{i}]") for i, c in enumerate(cast("Sequence[object]", called)))
    return Message(
        "system" if role == "developer" else role,
        _content(told.get("content"), f"{at}.content", optional=bool(calls)),
        calls,
        told.get("tool_call_id"),
    )


def _content(given: Any, at: str, *, optional: bool) -> str | tuple[str | Image, ...]:
    if isinstance(given, str):
        return given
    if given is None and optional:
        return ""
    if isinstance(given, Sequence):
        return tuple(_part(p, f"{at}[{i}]") for i, p in enumerate(cast("Sequence[object]", given)))
    raise _fault(at, f"a content is a text or a list of parts, not {'missing' if given is None else repr(given)[:40]}")


def _part(given: object, at: str) -> str | Image:
    if isinstance(given, str | Image):
        return given
    told = _fields(given)
    if told.get("type") == "text" and isinstance(told.get("text"), str):
        return told["text"]
    if told.get("type") == "image_url":
        url: Any = told.get("image_url")
        return image(_fields(url).get("url", url), at)
    raise _fault(at, 'a part is {"type": "text", "text": …} or {"type": "image_url", "image_url": {"url": …}}')


def image(url: object, at: str = "$") -> Image:
    """An image by its URL; the bytes of a data URL are taken out of it. Raises UsageError."""
    if not isinstance(url, str):
        raise _fault(at, "an image has a URL")
    if not url.startswith("data:"):
        return Image(url=url)
    head, _, data = url.partition(",")
    try:
        return Image(data=base64.b64decode(data, validate=True), media_type=head[5:].partition(";")[0] or "image/png")
    except (binascii.Error, ValueError):
        raise _fault(at, "the data URL is not base64") from None


def _tool_call(given: object, at: str) -> ToolCall:
    if isinstance(given, ToolCall):
        return given
    told = _fields(given)
    function = _fields(told.get("function"))
    try:
        arguments: Any = function["arguments"]
        parsed = json.loads(arguments) if isinstance(arguments, str) else arguments
        return ToolCall(str(told["id"]), str(function["name"]), parsed)
    except (KeyError, ValueError, TypeError, RecursionError):
        raise _fault(at, "a tool call has an id and a function with a name and its arguments as JSON") from None


def _fields(given: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", given) if isinstance(given, Mapping) else {}


def _fault(at: str, said: str) -> UsageError:
    return UsageError(f"{said} at `{at}`", hint='a text, or [{"role": "user", "content": "…"}]')
