"""From a request to a typed answer: one call, and where it must be, its continuations or its repairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from suffice.errors import CallError, ContentFiltered, OutputError, Truncated
from suffice.exchange import Attempt, Guarantee, Message, Reply, Request, Usage
from suffice.models.flow import Call, Flow
from suffice.models.output.continuing import joined, list_so_far, merged_items
from suffice.models.output.repair import repair_message
from suffice.models.output.typed import ANSWER, OutputType
from suffice.values import canonical

E = TypeVar("E", bound=CallError)

CONTINUED: Final = 20  # the most replies that one answer is continued over
GO_ON: Final = (
    "Your answer was cut off at the length limit. Continue exactly where it stopped. Do not repeat what is there, and "
    "write nothing else."
)


@dataclass(frozen=True, slots=True)
class Answering:
    """What becomes of a text. `repairs` are tried at most; `goes_on` continues what was cut off at the output cap."""

    output: OutputType
    repairs: int = 2
    goes_on: bool = False


async def answered(call: Call, request: Request, flow: Flow, how: Answering) -> Reply[Any]:
    """The reply with its value. Usage, cost and attempts are those of all calls that it took.

    Raises Truncated for a text that ended at its output cap (it is never parsed and never repaired), OutputError for
    one that does not fit after all repairs, and what `call` raises.
    """
    replies = [await call(request, flow)]
    if how.goes_on and replies[0].finish_reason == "length":
        return await _continued(call, request, flow, how, replies)
    asked = request
    for repair in range(how.repairs + 1):
        last = replies[-1]
        if last.finish_reason == "length":
            raise _spent(_cut(last, request), replies)
        if last.finish_reason == "content_filter":
            said = "the model or its filter declined to answer"
            raise _spent(ContentFiltered(said, partial=last.text, request_id=last.request_id), replies)
        if last.tool_calls and not last.text:
            return _together(replies, last.text, last.text, None)
        try:
            return _together(replies, how.output.parse(last.text), last.text, last.guarantee)
        except OutputError as error:
            spec = request.output
            if repair == how.repairs or spec is None:
                raise _spent(error, replies) from None
            told = Message("assistant", last.text or "(nothing)"), Message("user", repair_message(error, spec))
            asked = replace(request, messages=(*request.messages, *told))
        replies.append(await _again(call, asked, flow, replies))
    raise AssertionError("unreachable: the last repair returns or raises")


async def _continued(call: Call, request: Request, flow: Flow, how: Answering, replies: list[Reply[str]]) -> Reply[Any]:
    """Call until the answer is whole: a list by its complete items, anything else as text."""
    a_list = how.output.wrapped and _is_list(how.output)
    text = ""
    items: list[Any] = []
    try:
        while True:
            last = replies[-1]
            if a_list:
                items = merged_items(items, list_so_far(last.text)[0])
                text = canonical({ANSWER: items})
            else:
                text = joined([text, last.text])
            if last.finish_reason != "length":
                return _together(replies, how.output.parse(text), text, last.guarantee)
            if len(replies) == CONTINUED or not last.text.strip():
                raise _cut(last, request)
            told = Message("assistant", text), Message("user", _go_on(items) if a_list else GO_ON)
            asked = replace(request, messages=(*request.messages, *told))
            replies.append(await _again(call, asked, flow, replies))
    except (OutputError, Truncated) as error:
        raise _spent(error, replies) from None


def _go_on(items: Sequence[Any]) -> str:
    return (
        f"Your answer was cut off at the length limit after {len(items)} items, the last one: {canonical(items[-1])}. "
        "Give the items that come after it, in the same form, and none that you have given."
        if items
        else "Your answer was cut off at the length limit before its first item was complete. Give shorter items."
    )


def _is_list(output: OutputType) -> bool:
    fields: Any = (output.spec_schema or {}).get("properties") or {}
    return fields.get(ANSWER, {}).get("type") == "array"


def _cut(reply: Reply[str], request: Request) -> Truncated:
    return Truncated(
        f"the reply was cut off at its cap of {request.max_output_tokens:,} output tokens",
        hint="raise max_output_tokens, or continue_output=True for long lists and texts",
        partial=reply.text,
        request_id=reply.request_id,
    )


def _spent(error: E, replies: Sequence[Reply[str]]) -> E:
    error.attempts = _attempts(replies)
    error.partial = error.partial or replies[-1].text
    return error


async def _again(call: Call, asked: Request, flow: Flow, replies: Sequence[Reply[str]]) -> Reply[str]:
    """One more call of the same answer: with the time that is left, and nothing of it is streamed."""
    try:
        return await call(asked, flow.again())
    except CallError as error:
        error.attempts = (*_attempts(replies), *error.attempts)
        raise


def _attempts(replies: Sequence[Reply[str]]) -> tuple[Attempt, ...]:
    return tuple(a for reply in replies for a in reply.attempts)


def _together(replies: Sequence[Reply[str]], value: Any, text: str, guarantee: Guarantee | None) -> Reply[Any]:
    last = replies[-1]
    if len(replies) == 1 and guarantee is last.guarantee and value is last.value:
        return last
    if len(replies) == 1:
        return replace(last, value=value, guarantee=guarantee)
    costs = [r.cost for r in replies]
    return replace(
        last,
        value=value,
        text=text,
        guarantee=guarantee,
        usage=_sum([r.usage for r in replies]),
        cost=None if None in costs else sum(c for c in costs if c is not None),
        attempts=_attempts(replies),
        latency=sum(r.latency for r in replies),
        ttft=replies[0].ttft,
        cached=all(r.cached for r in replies),
        at_most=any(r.at_most for r in replies),
        kept=last.kept if text == last.text else None,
    )


def _sum(usages: Sequence[Usage]) -> Usage:
    def added(name: str) -> int | None:
        counts: list[int | None] = [getattr(u, name) for u in usages]
        return None if None in counts else sum(c for c in counts if c is not None)

    return Usage(*(added(n) for n in ("input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens")))
