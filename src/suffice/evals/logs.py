"""Production logs to exchanges: what was asked and what a model said, from OpenAI-shaped JSONL and OpenTelemetry spans.

A model's answer is no label: whoever makes cases of these says so (`reviewed` is false).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from suffice.evals.json_rows import parse_json
from suffice.evals.otlp import Span, is_spans, spans
from suffice.evals.read import Bad, Row, Table
from suffice.shown import shown
from suffice.values import Json

ANSWERS: Final = ("response", "completion", "output")
TEXTS: Final = ("text", "input_text", "output_text")
SYSTEM: Final = ("system", "developer")
GROUPS: Final = ("conversation_id", "session_id", "user", "user_id", "safety_identifier")
"""What names the calls that belong together, the closest first."""
Message = tuple[str, str]
"""A role and what it says."""


@dataclass(frozen=True, slots=True, repr=False)
class Exchange:
    """One call. `messages` are without the answer; None in either is not known (a batch keeps them in two files).

    `group` is the conversation or user that it belongs to.
    """

    source: str
    messages: tuple[Message, ...] | None
    answer: str | None
    name: str = ""  # its id
    model: str = ""
    group: str = ""

    @property
    def system(self) -> str:
        """What the system told the model."""
        return "\n".join(text for role, text in self.messages or () if role in SYSTEM)

    @property
    def asked(self) -> str:
        """What the user asked; where there were several turns, all of them with their roles."""
        turns = [turn for turn in self.messages or () if turn[0] not in SYSTEM]
        return turns[0][1] if len(turns) == 1 else "\n".join(f"{role}: {text}" for role, text in turns)


def is_log(table: Table) -> bool:
    """Whether these rows are calls of a model, not cases: by the first of them."""
    if not table.rows:
        return False
    row = table.rows[0].values
    if is_spans(row):
        return True
    parts = [row, *(_object(row.get(key)) for key in ("request", "body", "response"))]
    if any("choices" in part or isinstance(part.get("output"), list) for part in parts):
        return True
    asked = any(_turns(part.get("messages")) for part in parts)
    said = any(key in row for key in ANSWERS[:2]) or any(_turns(p.get("messages"), "assistant") for p in parts)
    return asked and (said or "custom_id" in row)


def exchanges(table: Table) -> tuple[list[Exchange], list[Bad], int]:
    """The calls in a log that make cases, those that make none with the reason, and how many spans are other work.

    The two files of a batch are joined by `custom_id`. A reason holds no text of a call.
    """
    found: list[Exchange] = []
    bad = list(table.bad)
    others = 0
    for row in table.rows:
        for one in _of_spans(row) if is_spans(row.values) else [_of_row(row)]:
            if one is None:
                others += 1
            elif isinstance(one, Bad):
                bad.append(one)
            else:
                found.append(one)
    whole, lone = _joined(found)
    bad += [Bad(one.source, "has no answer" if one.answer is None else "has no question") for one in lone]
    blank = [one for one in whole if not one.asked.strip() or not (one.answer or "").strip()]
    bad += [Bad(one.source, "the question or the answer is empty") for one in blank]
    return [one for one in whole if one not in blank] if blank else whole, bad, others


def _joined(found: Sequence[Exchange]) -> tuple[list[Exchange], list[Exchange]]:
    """Whole exchanges, in the order of the questions, and halves without the other half."""
    answers = {one.name: one for one in found if one.messages is None and one.name}
    whole: list[Exchange] = []
    lone: list[Exchange] = []
    for one in found:
        if one.messages is not None and one.answer is None:
            other = answers.pop(one.name, None) if one.name else None
            one = one if other is None else replace(one, answer=other.answer, model=other.model or one.model)
        if one.messages is not None:
            (lone if one.answer is None else whole).append(one)
        elif not one.name:
            lone.append(one)
    return whole, [*lone, *answers.values()]


def _of_row(row: Row) -> Exchange | Bad:
    """One row of OpenAI's shapes: chat, responses, batch, fine-tuning; as a whole or as request and response."""
    values = row.values
    request = next((o for key in ("request", "body") if (o := _object(values.get(key)))), values)
    try:
        messages = _asked(request)
        answer, response = _answered(values)
        if answer is None and messages and messages[-1][0] == "assistant":
            messages, answer = messages[:-1], messages[-1][1]
    except ValueError as fault:
        return Bad(row.source, str(fault))
    name = next((str(values[k]) for k in ("custom_id", "id", "request_id") if values.get(k)), "")
    model = str(response.get("model") or request.get("model") or "")
    return Exchange(row.source, messages, answer, name, model, _group(request, values))


def _group(request: dict[str, Json], values: dict[str, Json]) -> str:
    """The conversation, else the user, as the request says it or what stands beside it; "" where nothing does."""
    places = [place for part in (request, values) for place in (part, _object(part.get("metadata")))]
    for key in GROUPS:
        for place in places:
            said = _object(place.get(key)).get("id") or place.get(key)
            if said and isinstance(said, str | int) and not isinstance(said, bool):
                return str(said)
    return ""


def _asked(request: dict[str, Json]) -> tuple[Message, ...] | None:
    """The messages of a request; None where it holds none. Raises ValueError with a reason."""
    if _turns(request.get("messages")):
        return tuple(_message(m) for m in cast("list[dict[str, Json]]", request["messages"]))
    said = request.get("input", request.get("prompt"))
    told = [("system", str(request["instructions"]))] if request.get("instructions") else []
    if isinstance(said, str):
        return (*told, ("user", said))
    if _turns(said):
        return (*told, *(_message(m) for m in cast("list[dict[str, Json]]", said)))
    return None


def _answered(values: dict[str, Json]) -> tuple[str | None, dict[str, Json]]:
    """The text of an answer, None where there is none, and what it came in. Raises ValueError with a reason."""
    said: Json = next((values[key] for key in ANSWERS if values.get(key) is not None), None)
    whole = "choices" in values or isinstance(values.get("output"), list)
    holder: Json = values if whole else said
    if values.get("error"):
        raise ValueError("the call failed")
    if isinstance(holder, str):
        inside = _object(holder)
        if not {"choices", "output", "content"} & inside.keys():
            return holder, {}
        holder = inside
    if not isinstance(holder, dict):
        return None, {}
    held = cast("dict[str, Json]", holder)
    status = held.get("status_code")
    if isinstance(status, int) and status != 200:
        raise ValueError(f"the call failed (status {status})")
    held = _object(held.get("body")) or held
    return _text_of(held), held


def _text_of(held: dict[str, Json]) -> str | None:
    """The text in the body of a response: its first choice."""
    if isinstance(held.get("choices"), list):
        first = _object(next(iter(held["choices"]), None))
        if first.get("finish_reason") in ("length", "content_filter"):
            raise ValueError(f"the answer is not whole ({first['finish_reason']})")
        message = _object(first.get("message"))
        if message.get("tool_calls") and not message.get("content"):
            raise ValueError("the answer is a call of a tool, not a text")
        said = message.get("content", first.get("text", message.get("refusal")))
        return None if said is None else _content(said)
    if isinstance(held.get("output"), list):
        items = [_object(item) for item in held["output"]]
        told = [i for i in items if i.get("type", "message") == "message"]
        if not told and items:
            raise ValueError("the answer is a call of a tool, not a text")
        return "".join(_content(item.get("content")) for item in told)
    said = held.get("output_text", held.get("content"))
    return None if said is None else _content(said)


def _message(message: dict[str, Json]) -> Message:
    return str(message.get("role") or "user"), _content(message.get("content") or "")


def _content(content: Json) -> str:
    """The text of a content, of parts too. Raises ValueError for what is no text."""
    if isinstance(content, str):
        return content
    texts: list[str] = []
    for part in cast("list[Json]", content if isinstance(content, list) else [content]):
        held = _object(part)
        if held.get("type", "text") not in TEXTS:
            raise ValueError(f"holds a part that is no text ({shown(str(held.get('type')), 30)})")
        texts.append(str(held.get("text", "")))
    return "".join(texts)


def _of_spans(row: Row) -> Iterator[Exchange | Bad | None]:
    """The calls among the spans of a row; None for each span that is other work."""
    for span in spans(row.values):
        if not isinstance(span, Span):
            yield Bad(row.source, span) if span else None
            continue
        yield Exchange(row.source, span.messages, span.answer, span.name, span.model, span.group)


def _turns(value: Json, last: str = "") -> bool:
    """Whether this is a list of messages, the last of them by the role `last` where it is said."""
    if not isinstance(value, list) or not value:
        return False
    turns: list[Any] = cast("list[Any]", value)
    return all(isinstance(t, dict) and ("role" in t or "content" in t) for t in turns) and (
        not last or turns[-1].get("role") == last
    )


def _object(value: Json) -> dict[str, Json]:
    """An object, also from its JSON text; empty where it is none."""
    if isinstance(value, str) and value.lstrip()[:1] == "{":
        try:
            value = parse_json(value)
        except ValueError:
            return {}
    return cast("dict[str, Json]", value) if isinstance(value, dict) else {}
