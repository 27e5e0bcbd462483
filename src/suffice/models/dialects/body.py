"""JSON of the wire: request values to bytes, and bytes to values; what is not JSON is a MalformedReply."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

import msgspec

from suffice.errors import MalformedReply, UsageError
from suffice.exchange import ToolCall, Usage
from suffice.models.output.reading import printable
from suffice.values import Json

MOST: Final = 1_000_000_000  # tokens that one reply can be believed to take
QUOTED: Final = 80
"""At most this many printable characters of what came back stand in a message."""
LONGEST: Final = 200  # characters of a name that an endpoint gives: of a request, of the model that answered


def json_bytes(value: Json) -> bytes:
    """The bytes of a request body. Raises UsageError for what JSON or UTF-8 cannot hold."""
    try:
        return msgspec.json.encode(value, enc_hook=_plain)
    except UnicodeEncodeError:
        raise UsageError(
            "the request holds half of a surrogate pair, which is no text",
            hint='text.encode("utf-8", "replace").decode() takes it out',
        ) from None
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"the request cannot be written as JSON: {printable(str(error), QUOTED)}") from None


def json_of(value: Any, what: str) -> Json:
    """A value of the caller's as plain JSON. Raises UsageError, where `what` names it."""
    try:
        return json.loads(json.dumps(value, default=_plain, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        said = printable(str(error) or type(error).__name__, QUOTED)
        raise UsageError(
            f"{what} is no JSON: {said}", hint="texts, finite numbers, booleans, None, lists, dicts"
        ) from None


def _plain(value: object) -> Json:
    """A value of the caller's that JSON has under another type. Raises TypeError for any other."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, Json]", value))
    raise TypeError(f"a {type(value).__name__} has no JSON form")


def merged(body: Mapping[str, Json], more: Mapping[str, Json]) -> dict[str, Json]:
    """`body` with `more` over it; objects on both sides are merged in their turn, anything else is replaced."""
    made = dict(body)
    for key, value in more.items():
        old: Any = made.get(key)
        made[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, Mapping) else value  # pyright: ignore[reportUnknownArgumentType]
    return made


def json_object(data: bytes | str) -> dict[str, Any]:
    """The object that a body or an event's data holds. Raises MalformedReply, also where it is cut off."""
    try:
        found: Any = msgspec.json.decode(data)
    except (ValueError, RecursionError):
        raise MalformedReply(f"what came back is not JSON: {quoted(data)}") from None
    if not isinstance(found, dict):
        raise MalformedReply(f"what came back is no JSON object: {quoted(data)}")
    return found  # pyright: ignore[reportUnknownVariableType]


def quoted(data: bytes | str) -> str:
    """The start of what came back, as it may stand in a message of one line."""
    text = data[: 4 * QUOTED].decode("utf-8", "replace") if isinstance(data, bytes) else data[: 4 * QUOTED]
    return f"`{printable(' '.join(text.split()), QUOTED)}`" if text.strip() else "it is empty"


def fields(value: Any) -> dict[str, Any]:
    """`value` where it is an object, else an empty one: endpoints leave out or null what they do not know."""
    return value if isinstance(value, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; empty for anything else."""
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []  # pyright: ignore[reportUnknownVariableType]


def string(value: Any) -> str:
    """`value` where it is a text, else an empty one."""
    return value if isinstance(value, str) else ""


def text_of(value: Any) -> str:
    """A text that a model wrote, empty where there is none. Raises MalformedReply for what is no text."""
    if value is None or isinstance(value, str):
        return value or ""
    raise MalformedReply(f"the content of the reply is no text: {quoted(msgspec.json.encode(value))}")


def named(value: Any) -> str:
    """A name that an endpoint gives something, as it may be shown and logged: one short line, "" where it is none."""
    text = string(value)
    return text if text.isprintable() and len(text) <= LONGEST else printable(text, LONGEST)


def count(value: Any) -> int | None:
    """A number of tokens; None where the endpoint did not say, or said what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST or value != int(value):
        return None
    return int(value)


def called(id: str, name: str, arguments: str) -> ToolCall:
    """A tool call whose arguments came as JSON text; no text at all is no arguments. Raises MalformedReply."""
    try:
        parsed: Any = msgspec.json.decode(arguments) if arguments.strip() else {}
    except (ValueError, RecursionError):
        said = f"the arguments of the call to {printable(name, 40)} are not JSON: {quoted(arguments)}"
        raise MalformedReply(said) from None
    return ToolCall(id, name, parsed)


def calls_of(written: Iterable[tuple[str, str, str]], finish: str, usage: Usage) -> tuple[ToolCall, ...]:
    """The tool calls of (id, name, arguments as JSON text); one without an id gets its place as its id.

    Where the reply ended at its output cap ("length") a call whose arguments are cut off is left out: the reply is
    truncated, and asking again would cut it off again. Raises MalformedReply for any other that is not JSON, with
    the `usage` of the reply: it was paid for.
    """
    made: list[ToolCall] = []
    for place, (id, name, arguments) in enumerate(written):
        try:
            made.append(called(id or f"call_{place}", name, arguments))
        except MalformedReply as error:
            if finish != "length":
                error.usage = usage
                raise
    return tuple(made)
