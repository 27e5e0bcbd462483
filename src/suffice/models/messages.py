"""What a caller may pass as a message: a text, OpenAI-style dicts, or our values; checked before anything is sent."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn, cast

from suffice.errors import UsageError
from suffice.exchange import Image, Message, ToolCall
from suffice.shown import brief

_SEEN = re.compile(r"[^\s\u200b-\u200d\u2060\ufeff]")  # neither white space nor a sign without width
ROLES = ("system", "developer", "user", "assistant", "tool")
IMAGE_HINT = 'sf.models.Image(url="https://…"), or sf.models.Image(data=…, media_type="image/png")'
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
    if not _SEEN.search(given):
        raise UsageError(f"a blank text is never sent to a model at `{at}`", hint=EMBED_HINT)
    return Message("user", given)


def _is_blank(message: Message) -> bool:
    return not _SEEN.search(message.text) and not any(isinstance(part, Image) for part in message.content)


def _message(given: object, at: str) -> Message:
    if isinstance(given, Message):
        return _checked(given, at)
    if not isinstance(given, Mapping):
        raise _fault(at, f"a message is a dict with role and content, not a {type(given).__name__}")
    told = cast("Mapping[str, Any]", given)
    role = told.get("role")
    if role not in ROLES:
        raise _fault(f"{at}.role", f"a role is one of {', '.join(ROLES)}, not {brief(role)}")
    unknown = set(told) - {"role", "content", "tool_calls", "tool_call_id", "name", "refusal"}
    if unknown:
        raise _fault(at, f"unknown: {', '.join(sorted(map(str, unknown)))}")
    called: object = told.get("tool_calls") or ()
    if not isinstance(called, Sequence):
        raise _fault(f"{at}.tool_calls", f"tool_calls is a list, not a {type(called).__name__}")
    calls = tuple(_tool_call(c, f"{at}.tool_calls[{i}]") for i, c in enumerate(cast("Sequence[object]", called)))
    content = _content(told.get("content"), f"{at}.content", optional=bool(calls))
    return _paired(Message("system" if role == "developer" else role, content, calls, told.get("tool_call_id")), at)


def _checked(given: Message, at: str) -> Message:
    """A message of the caller's making: its types are only promises."""
    told = cast("object", given.tool_calls)
    if given.role not in ROLES:
        raise _fault(f"{at}.role", f"a role is one of {', '.join(ROLES)}, not {brief(given.role)}")
    if not isinstance(told, Sequence):
        raise _fault(f"{at}.tool_calls", f"tool_calls is a tuple of ToolCalls, not a {type(told).__name__}")
    calls = cast("Sequence[object]", told)
    if not calls and isinstance(given.content, str):
        return _paired(given, at)
    content = _content(given.content, f"{at}.content", optional=bool(calls))
    parsed = tuple(_tool_call(c, f"{at}.tool_calls[{i}]") for i, c in enumerate(calls))
    return _paired(replace(given, content=content, tool_calls=parsed), at)


def _paired(made: Message, at: str) -> Message:
    """Refuses a tool's turn that answers no call, and calls in a turn that makes none."""
    id: object = made.tool_call_id
    if made.role == "tool" and (not isinstance(id, str) or not id):
        said = "a tool's turn says which call it answers"
        raise UsageError(f"{said} at `{at}.tool_call_id`", hint='sf.models.Message("tool", "…", tool_call_id=call.id)')
    if made.tool_calls and made.role != "assistant":
        raise _fault(f"{at}.tool_calls", "tool calls stand in a turn of the assistant")
    return made


def _content(given: Any, at: str, *, optional: bool) -> str | tuple[str | Image, ...]:
    if isinstance(given, str):
        return given
    if given is None and optional:
        return ""
    if isinstance(given, Sequence):
        return tuple(_part(p, f"{at}[{i}]") for i, p in enumerate(cast("Sequence[object]", given)))
    raise _fault(at, f"a content is a text or a list of parts, not {'missing' if given is None else repr(given)[:40]}")


def _part(given: object, at: str) -> str | Image:
    if isinstance(given, str):
        return given
    if isinstance(given, Image):
        return _image(given, at)
    told = _fields(given)
    if told.get("type") == "text" and isinstance(told.get("text"), str):
        return told["text"]
    if told.get("type") == "image_url":
        url: Any = told.get("image_url")
        return image(_fields(url).get("url", url), at)
    raise _fault(at, 'a part is {"type": "text", "text": …} or {"type": "image_url", "image_url": {"url": …}}')


def image(url: object, at: str = "$") -> Image:
    """An image by its URL; the bytes of a data URL are taken out of it. Raises UsageError."""
    if not isinstance(url, str) or not url.startswith("data:"):
        return _image(Image(url=cast("str", url)), at)
    head, _, data = url.partition(",")
    kind = head[5:].partition(";")[0] or "image/png"
    try:
        return _image(Image(data=base64.b64decode(data, validate=True), media_type=kind), at)
    except (binascii.Error, ValueError):
        raise _fault(at, "the data URL is not base64") from None


def _image(given: Image, at: str) -> Image:
    """An image of the caller's making: one URL, or bytes of a media type."""
    url, data, kind = (cast("object", one) for one in (given.url, given.data, given.media_type))
    if (url is None) == (data is None):
        raise UsageError(f"an image has a URL or data, one of both, at `{at}`", hint=IMAGE_HINT)
    if url is not None and (not isinstance(url, str) or not url or re.search(r"[\s\x00-\x1f]", url)):
        raise UsageError(f"an image's URL is a text without white space at `{at}`", hint=IMAGE_HINT)
    if data is not None and (not isinstance(data, bytes | bytearray | memoryview) or not data):
        raise UsageError(f"an image's data are bytes, and some, at `{at}`", hint=IMAGE_HINT)
    if not isinstance(kind, str) or not re.fullmatch(r"[\w.+-]+/[\w.+-]+", kind):
        raise UsageError(f"an image's media type is like image/png at `{at}`", hint=IMAGE_HINT)
    return given


def _tool_call(given: object, at: str) -> ToolCall:
    if isinstance(given, ToolCall):
        told: Mapping[str, Any] = {"id": given.id, "function": {"name": given.name, "arguments": given.arguments}}
    else:
        told = _fields(given)
    function = _fields(told.get("function"))
    try:
        arguments: Any = function["arguments"]
        if isinstance(given, ToolCall) or not isinstance(arguments, str):
            arguments = json.dumps(arguments)
        parsed = json.loads(arguments, parse_constant=_no_number)
        return ToolCall(str(told["id"]), str(function["name"]), parsed)
    except (KeyError, ValueError, TypeError, RecursionError):
        raise _fault(at, "a tool call has an id and a function with a name and its arguments as JSON") from None


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _fields(given: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", given) if isinstance(given, Mapping) else {}


def _fault(at: str, said: str) -> UsageError:
    return UsageError(f"{said} at `{at}`", hint='a text, or [{"role": "user", "content": "…"}]')
