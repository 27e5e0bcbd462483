"""OpenTelemetry spans in OTLP JSON to calls of a model, by the GenAI conventions: today's attributes and older events.

Read are `gen_ai.input.messages` and `gen_ai.output.messages` (on the span or on an event), the events
`gen_ai.user.message` and so on with `gen_ai.choice`, the prompt and completion events, and `gen_ai.prompt.0.content`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from suffice.evals.json_rows import parse_json
from suffice.shown import shown
from suffice.values import Json

CALLS: Final = ("chat", "text_completion", "generate_content", "")
"""What the operation of a span that calls a model is named; other spans of GenAI are agents, tools, embeddings."""
EVENT: Final = re.compile(r"gen_ai\.(system|user|assistant|tool)\.message")
NUMBERED: Final = re.compile(r"gen_ai\.(prompt|completion)\.(\d+)\.(role|content)")


@dataclass(frozen=True, slots=True, repr=False)
class Span:
    """A span that called a model: messages (role, text), and the text of the answer."""

    messages: tuple[tuple[str, str], ...]
    answer: str
    name: str
    model: str
    group: str


def is_spans(row: Mapping[str, Json]) -> bool:
    """Whether a row of JSON is OTLP: whole, or one resource of it."""
    return any(name in row for name in ("resourceSpans", "scopeSpans"))


def spans(row: Mapping[str, Json]) -> Iterator[Span | str]:
    """The calls in it; a text for a call that makes no case, which says why, and "" for a span that is no call."""
    for resource in _items(row.get("resourceSpans")) if "resourceSpans" in row else [row]:
        for scope in _items(resource.get("scopeSpans")):
            for span in _items(scope.get("spans")):
                try:
                    yield _span(span)
                except ValueError as fault:
                    yield str(fault)


def _span(span: Mapping[str, Json]) -> Span | str:
    held = _attributes(span)
    if not any(name.startswith("gen_ai.") for name in held) or held.get("gen_ai.operation.name", "") not in CALLS:
        return ""
    if cast("dict[str, Json]", span.get("status") or {}).get("code") in (2, "STATUS_CODE_ERROR"):
        raise ValueError("the call failed")
    events = [(str(event.get("name")), _attributes(event)) for event in _items(span.get("events"))]
    for name, more in events:
        if name == "gen_ai.client.inference.operation.details":
            held |= more
    asked, said = _messages(held, events)
    if not asked or not said:
        raise ValueError("the span holds no messages: recording them was off")
    model = held.get("gen_ai.response.model") or held.get("gen_ai.request.model") or ""
    group = str(held.get("gen_ai.conversation.id") or "")
    return Span(tuple(asked), said[0][1], str(span.get("spanId") or ""), str(model), group)


Messages = list[tuple[str, str]]


def _messages(held: Mapping[str, Json], events: list[tuple[str, dict[str, Json]]]) -> tuple[Messages, Messages]:
    """What was asked and what was said, from wherever this revision of the conventions put it."""
    told: Messages = [("system", text) for text in [_text(held.get("gen_ai.system_instructions"))] if text]
    if "gen_ai.input.messages" in held:
        return told + _listed(held["gen_ai.input.messages"]), _listed(held.get("gen_ai.output.messages"))
    asked, said = told, list[tuple[str, str]]()
    for name, more in events:
        if role := EVENT.fullmatch(name):
            asked.append((role[1], _text(more.get("content"))))
        elif name == "gen_ai.choice":
            said += _listed([_parsed(more.get("message")) or more])
        elif name in ("gen_ai.content.prompt", "gen_ai.content.completion"):
            found = _listed(next((more[key] for key in ("gen_ai.prompt", "gen_ai.completion") if key in more), None))
            (asked if name.endswith("prompt") else said).extend(found)
    if not asked or not said:
        asked, said = told + _numbered(held, "prompt"), _numbered(held, "completion")
    return asked, said


def _numbered(held: Mapping[str, Json], which: str) -> Messages:
    """`gen_ai.prompt.0.role`, `gen_ai.prompt.0.content`, ... as messages."""
    found: dict[int, dict[str, str]] = {}
    for name, value in held.items():
        place = NUMBERED.fullmatch(name)
        if place and place[1] == which:
            found.setdefault(int(place[2]), {})[place[3]] = _text(value)
    return [(found[i].get("role", "user"), found[i].get("content", "")) for i in sorted(found)]


def _listed(value: Json) -> Messages:
    """A list of messages, also as a JSON text; parts become one text."""
    items: Json = _parsed(value)
    made: Messages = []
    for item in cast("list[Json]", items if isinstance(items, list) else [items] if items else []):
        if isinstance(item, dict):
            message = cast("dict[str, Json]", item)
            text = _text(message.get("parts", message.get("content")))
            made.append((str(message.get("role") or "assistant"), text))
        elif isinstance(item, str):
            made.append(("user", item))
    return made


def _text(value: Json) -> str:
    """The text of a content or of its parts. Raises ValueError for a part that is no text."""
    content = _parsed(value)
    if content is None:
        return ""
    if not isinstance(content, list):
        held = cast("dict[str, Json]", content) if isinstance(content, dict) else {}
        return str(held.get("content", held.get("text", "")) if held else value)
    texts: list[str] = []
    for part in cast("list[Any]", content):
        held = cast("dict[str, Json]", part) if isinstance(part, dict) else {"content": str(part)}
        kind = held.get("type", "text")
        if kind == "reasoning":
            continue
        if kind != "text":
            raise ValueError(f"holds a part that is no text ({shown(str(kind), 30)})")
        texts.append(str(held.get("content", held.get("text", ""))))
    return "".join(texts)


def _parsed(value: Json) -> Json:
    """A value, from its JSON text where it is one of a list or an object."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return parse_json(value)
        except ValueError:
            return value
    return value


def _attributes(holder: Mapping[str, Json]) -> dict[str, Json]:
    return {str(item.get("key")): _value(item.get("value")) for item in _items(holder.get("attributes"))}


def _value(value: Json) -> Json:
    """What an AnyValue of OTLP holds."""
    if not isinstance(value, dict):
        return value
    (kind, held), *_ = cast("dict[str, Json]", value).items() or (("", None),)
    if kind == "arrayValue":
        return [_value(item) for item in _items(held, "values")]
    if kind == "kvlistValue":
        return {str(item.get("key")): _value(item.get("value")) for item in _items(held, "values")}
    return held


def _items(value: Json, name: str = "") -> list[dict[str, Json]]:
    """The objects in a list, or in the list that an object has under `name`."""
    held: Any = cast("dict[str, Json]", value).get(name) if name and isinstance(value, dict) else value
    items = cast("list[Any]", held) if isinstance(held, list) else []
    return [item for item in items if isinstance(item, dict)]
