"""What endpoints of OpenAI's dialect want back with an assistant's turn, in their own fields.

Gemini signs its tool calls in `extra_content`, and refuses them back without. DeepSeek's thinking mode wants its
`reasoning_content`, OpenRouter its `reasoning_details`. Nobody wants `reasoning`, and some refuse it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from suffice.exchange import Kept
from suffice.models.dialects.asking import is_output_tool
from suffice.models.dialects.body import fields, objects, string
from suffice.values import Json

EXTRA: Final = "extra_content"
CONTENT: Final = "reasoning_content"
DETAILS: Final = "reasoning_details"
CALLS: Final = "tool_calls"
WANTED: Final = frozenset({CONTENT, DETAILS, EXTRA, CALLS})  # the fields of a message where it may stand


def kept_of(message: Mapping[str, Any]) -> Kept | None:
    """What of a whole message must come back with it, None where that is nothing but its text and calls."""
    form: dict[str, Any] = {name: message[name] for name in (CONTENT, DETAILS, EXTRA) if message.get(name)}
    extras = [fields(call.get(EXTRA)) for call in objects(message.get(CALLS)) if not is_output_tool(_name(call))]
    if any(extras):
        form[CALLS] = extras
    return Kept("", form) if form else None


def with_kept(message: dict[str, Json], form: Json) -> dict[str, Json]:
    """An assistant's turn on its way out, with what was kept of it."""
    kept = fields(form)
    made = {**message, **{name: value for name, value in kept.items() if name != CALLS}}
    extras = objects(kept.get(CALLS))
    calls = objects(message.get(CALLS))
    if extras and len(extras) == len(calls):
        made[CALLS] = [{**call, EXTRA: extra} if extra else call for call, extra in zip(calls, extras, strict=True)]
    return made


def _name(call: dict[str, Any]) -> str:
    return string(fields(call.get("function")).get("name"))


class KeptPieces:
    """The same fields of a message that is arriving."""

    def __init__(self) -> None:
        self._content: list[str] = []
        self._details: list[dict[str, Any]] = []
        self._extra: dict[str, Any] = {}

    def add(self, delta: Mapping[str, Any]) -> None:
        """Take one chunk's delta."""
        self._content.append(string(delta.get(CONTENT)))
        for piece in objects(delta.get(DETAILS)):
            self._detail(piece)
        self._extra = fields(delta.get(EXTRA)) or self._extra

    def whole(self) -> dict[str, Any]:
        """The fields that came."""
        made = {CONTENT: "".join(self._content), DETAILS: self._details, EXTRA: self._extra}
        return {name: value for name, value in made.items() if value}

    def _detail(self, piece: dict[str, Any]) -> None:
        """A piece of the last detail goes on where that stopped; any other begins one."""
        last = self._details[-1] if self._details else {}
        same = all(piece.get(name) == last.get(name) for name in ("type", "index"))
        if not last or not same:
            self._details.append(dict(piece))
            return
        for name, value in piece.items():
            grows = name in ("text", "summary", "data") and isinstance(value, str)
            last[name] = string(last.get(name)) + value if grows else value if value is not None else last.get(name)
