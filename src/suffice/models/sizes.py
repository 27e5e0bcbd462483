"""How long a request is: an upper bound for reservations, and whether it fits the model's window."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from suffice.errors import InputTooLong
from suffice.exchange import Image, Message, Request, request_json
from suffice.models.endpoint import Address
from suffice.models.tokens import count_tokens, shorten, upper_bound, window_of
from suffice.values import canonical

IMAGE: Final = 3_000  # tokens; the most that a provider counts for one image at its usual detail
TURN: Final = 8  # tokens around a message


def input_bound(request: Request) -> int:
    """The most input tokens that `request` can be: no tokenizer makes more tokens than UTF-8 bytes."""
    turns = sum(upper_bound(m.text) + TURN + _images(m) * IMAGE for m in request.messages)
    rest = request_json(replace(request, messages=()))
    return turns + (upper_bound(canonical(rest)) if request.tools or request.output else TURN)


def fitted(request: Request, address: Address, keep: str | None) -> Request:
    """`request`, if it fits the model's window; with `keep` ("start", "end", "both") its longest text is cut to fit.

    Raises InputTooLong before anything is sent. A window that nobody knows is not checked.
    """
    if address.endpoint.loopback or input_bound(request) < 4_000:
        return request
    window, most_out = window_of(address)
    if most_out is not None and request.max_output_tokens > most_out:
        request = replace(request, max_output_tokens=most_out)
    if window is None:
        return request
    counts = [count_tokens(m.text, address.model) for m in request.messages]
    there, room = sum(c.n + TURN for c in counts), window - request.max_output_tokens
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
    text, _ = shorten(request.messages[longest].text, most, keep=keep)  # type: ignore[arg-type]
    turns = [*request.messages]
    turns[longest] = replace(turns[longest], content=text)
    return replace(request, messages=tuple(turns))


def _images(message: Message) -> int:
    return 0 if isinstance(message.content, str) else sum(isinstance(p, Image) for p in message.content)
