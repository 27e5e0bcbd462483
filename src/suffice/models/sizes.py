"""How long a request is: an upper bound for reservations, and whether it fits the model's window."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from suffice.errors import InputTooLong
from suffice.exchange import Image, Message, Request, message_json
from suffice.models.dialects.asking import asked_in_words
from suffice.models.dialects.dialect import UNKNOWN
from suffice.models.places.endpoint import Address
from suffice.models.tokens import count_tokens, shorten, upper_bound, window_of
from suffice.values import Json, canonical

IMAGE: Final = 3_000  # tokens; the most that a provider counts for one image at its usual detail
TURN: Final = 8  # tokens around a message
TOOL: Final = 32  # tokens around a tool


def input_bound(request: Request, preamble: int = UNKNOWN) -> int:
    """The most input tokens that `request` can be, as its endpoint takes it: what a provider charges is never more.

    No tokenizer makes more tokens than UTF-8 bytes, so texts count by those. A schema counts by its JSON with blanks
    and with escapes for what is not ASCII, the longest form in which a server writes it down again for the model; what
    is shorter (OpenAI leaves out `required` and writes functions as TypeScript) is below it. Where an output type is
    asked for in words, these are counted, and nothing comes on top. Where the provider is told of tools or a schema it
    may say something of its own: at most `preamble` (`Quirks.preamble`), and never less than `UNKNOWN` beside `extra`,
    which may turn on anything. The model's name, the temperature, stops and the like are no input.
    """
    spec = request.output
    worded = spec is not None and spec.mode in ("json", "text")
    messages = asked_in_words(request.messages, spec) if spec is not None and worded else request.messages
    bound = TURN + sum(_bound(m) + TURN for m in messages)
    if spec is not None and not worded:
        bound += upper_bound(spec.name) + _written(spec.schema)
    bound += sum(
        TOOL + upper_bound(t.name) + upper_bound(t.description) + _written(t.parameters) for t in request.tools
    )
    if request.extra:
        return bound + _written(request.extra) + max(preamble, UNKNOWN)
    return bound + (preamble if request.tools or (spec is not None and not worded) else 0)


def fitted(request: Request, address: Address, keep: str | None) -> Request:
    """`request`, if it fits the model's window; with `keep` ("start", "end", "both") its longest text is cut to fit.

    Raises InputTooLong before anything is sent. A window that nobody knows is not checked.
    """
    if address.endpoint.loopback or input_bound(request, address.endpoint.quirks.preamble) < 4_000:
        return request
    window, most_out = window_of(address)
    if most_out is not None and request.max_output_tokens > most_out:
        request = replace(request, max_output_tokens=most_out)
    if window is None:
        return request
    counts = [count_tokens(m.text, address.model) for m in request.messages]
    there = sum(c.n + TURN + _images(m) * IMAGE for c, m in zip(counts, request.messages, strict=True))
    room = window - request.max_output_tokens
    if there <= room:
        return request
    how = "" if all(c.exact for c in counts) else f" (estimated: {counts[0].how})"
    if keep is None:
        raise InputTooLong(
            f"the input is {there:,} tokens{how}; {address.text} takes {window:,} less the output cap of "
            f"{request.max_output_tokens:,}",
            sent=False,
            hint='shorten it, lower max_output_tokens, or say shorten="end" to keep the end',
        )
    longest = max(range(len(counts)), key=lambda i: counts[i].n)
    most = room - (there - counts[longest].n)
    if most < 1:
        raise InputTooLong(f"the other messages alone are more than {room:,} tokens{how}", sent=False)
    turns = [*request.messages]
    text, _ = shorten(turns[longest].text, most, keep=keep)  # type: ignore[arg-type]
    images = [part for part in turns[longest].content if isinstance(part, Image)]
    turns[longest] = replace(turns[longest], content=(text, *images) if images else text)
    return replace(request, messages=tuple(turns))


def _bound(message: Message) -> int:
    calls = message_json(message)["tool_calls"] if message.tool_calls else ""
    kept = 0 if message.kept is None else upper_bound(canonical(message.kept.form))
    return upper_bound(message.text) + (upper_bound(canonical(calls)) if calls else 0) + _images(message) * IMAGE + kept


def _written(value: Mapping[str, Json]) -> int:
    return len(json.dumps(dict(value)))


def _images(message: Message) -> int:
    return 0 if isinstance(message.content, str) else sum(isinstance(p, Image) for p in message.content)
