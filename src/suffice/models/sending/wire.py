"""The wire: a request in the endpoint's dialect, sent once, and what comes back as a reply or a typed error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Final, cast

from suffice.errors import CallError, WebPage
from suffice.exchange import Delta, Reply, Request
from suffice.models.dialects.body import named, quoted
from suffice.models.dialects.dialect import StreamDecoder
from suffice.models.dialects.faults import fault_of
from suffice.models.dialects.sse import Events
from suffice.models.flow import Call, Flow
from suffice.models.places.address import key_said
from suffice.models.places.endpoint import Endpoint
from suffice.models.sending import tape, transport
from suffice.models.sending.connection import LARGEST
from suffice.models.sending.hiding import Veil, hidden_reply, hide_in
from suffice.models.sending.outgoing import Answer, Outgoing
from suffice.models.sending.target import Target, target_of

LINGER: Final = 0.5  # seconds that a server may take to end a stream whose last event has come
PER_TOKEN: Final = 4 << 10  # bytes of an answer for each token of its cap: a token alone in an event, with its odds
LEAST: Final = 32 << 20  # bytes that every answer may have

Heard = Callable[[Mapping[str, str]], None]
"""Told of the headers of every answer, good or bad: rate limits stand there."""


def wire(endpoint: Endpoint, key: str | None, heard: Heard) -> Call:
    """The Call that sends a request to `endpoint` once; with a sink in its flow it streams.

    Raises the CallError that it met. Cancelling it closes the connection. Inside `tape.record` what passes is written
    down, inside `tape.replay` nothing is sent.
    """
    target = _target(endpoint, key, endpoint.dialect.path)

    async def call(request: Request, flow: Flow) -> Reply[str]:
        streamed = flow.sink is not None
        body = endpoint.dialect.encode(_own(request, endpoint), endpoint.quirks, streamed)
        out = Outgoing(target, body, min(LARGEST, max(LEAST, PER_TOKEN * request.max_output_tokens)))
        try:
            if streamed:
                return await _streamed(out, flow, heard)
            return _whole(out, await _send(out), heard)
        except CallError as error:
            hide_in(error, target)
            raise

    return call


async def post(endpoint: Endpoint, key: str | None, path: str, body: bytes, heard: Heard) -> bytes:
    """Send `body` to another path of the endpoint (embeddings): the body of a good answer. Raises as `wire`."""
    target = _target(endpoint, key, path)
    answer = await _send(Outgoing(target, body))
    heard(answer.headers)
    if answer.status != 200:
        error = _fault(endpoint, path, answer)
        hide_in(error, target)
        raise error
    _no_page(endpoint, path, answer)
    return answer.body


def _target(endpoint: Endpoint, key: str | None, path: str) -> Target:
    return target_of(endpoint, path, {"content-type": "application/json", **endpoint.dialect.headers(key)}, key)


async def _send(out: Outgoing) -> Answer:
    running = tape.current()
    return await (transport.send(out) if running is None else running.send(out))


def _whole(out: Outgoing, answer: Answer, heard: Heard) -> Reply[str]:
    heard(answer.headers)
    endpoint = out.target.endpoint
    if answer.status != 200:
        raise _fault(endpoint, endpoint.dialect.path, answer)
    _no_page(endpoint, endpoint.dialect.path, answer)
    return _identified(endpoint.dialect.decode(answer.body), answer, out.target)


def _fault(endpoint: Endpoint, path: str, answer: Answer) -> CallError:
    return fault_of(answer.status, answer.headers, answer.body, where=path, key=key_said(endpoint))


def _no_page(endpoint: Endpoint, path: str, answer: Answer) -> None:
    """Raise WebPage where a good answer is no JSON but a page, as a wrong path and captive portals give."""
    html = answer.headers.get("content-type", "").partition(";")[0].strip().lower() == "text/html"
    if (html or answer.body.lstrip()[:1] == b"<") and answer.body.lstrip()[:1] not in (b"{", b"["):
        url = endpoint.url
        versioned = url.endswith("/v1") or path.startswith("/v1/")
        base = f"is {url} the base URL of the API?" if versioned else f"did you mean {url}/v1?"
        raise WebPage(
            f"a web page came back, not a reply: the URL is probably wrong ({quoted(answer.body)})",
            status=answer.status,
            where=path,
            hint=base,
        )


async def _streamed(out: Outgoing, flow: Flow, heard: Heard) -> Reply[str]:
    running = tape.current()
    parts = transport.stream(out) if running is None else running.stream(out)
    decoder, events, arrived = out.target.endpoint.dialect.stream(), Events(), _Arrived(flow, Veil(out.target.secret))
    async with aclosing(parts):
        head = cast("Answer", await anext(parts))
        if head.body or head.status != 200:  # an error, or an endpoint that answers whole though asked to stream
            reply = _whole(out, head, heard)
            flow.deliver(Delta(reply.text, reply.reasoning or ""))
            return reply
        heard(head.headers)
        try:
            await _until_its_end(parts, decoder, events, arrived)
            reply = decoder.finish()
        except CallError as error:
            arrived.end()
            error.partial = error.partial or "".join(arrived.texts)
            raise
        arrived.end()
        return _identified(reply, head, out.target)


async def _until_its_end(
    parts: AsyncGenerator[Answer | bytes], decoder: StreamDecoder, events: Events, arrived: _Arrived
) -> None:
    """Take the chunks of a stream; a server that does not end it after its last event is not waited for."""
    last = asyncio.timeout(None)
    try:
        async with last:
            async for chunk in parts:
                for name, data in events.feed(cast("bytes", chunk)):
                    arrived.take(decoder.feed(name, data))
                if decoder.done and last.when() is None:
                    last.reschedule(asyncio.get_running_loop().time() + LINGER)
        events.finish()
    except TimeoutError:
        if not (decoder.done and last.expired()):
            raise


class _Arrived:
    """The pieces of a stream on their way to the caller, without the key."""

    def __init__(self, flow: Flow, veil: Veil) -> None:
        self.flow, self.veil = flow, veil
        self.texts: list[str] = []

    def take(self, delta: Delta | None) -> None:
        """One more from the wire."""
        if delta is not None:
            self.texts.append(delta.text)
            self._deliver(self.veil.feed(delta))

    def end(self) -> None:
        """Nothing more comes."""
        self._deliver(self.veil.rest())

    def _deliver(self, delta: Delta | None) -> None:
        if delta is not None:
            self.flow.deliver(delta)


def _identified(reply: Reply[str], answer: Answer, target: Target) -> Reply[str]:
    """With the request id of the answer's header, which is the one that a provider's support asks for; no key in it."""
    found = named(answer.headers.get("x-request-id") or answer.headers.get("request-id"))
    if found or reply.kept is not None:
        kept = None if reply.kept is None else replace(reply.kept, endpoint=target.endpoint.url)
        reply = replace(reply, request_id=found or reply.request_id, kept=kept)
    return reply if target.secret is None else hidden_reply(reply, target, target.secret)


def _own(request: Request, endpoint: Endpoint) -> Request:
    """`request` without what belongs to turns that another endpoint made."""
    if all(m.kept is None for m in request.messages):
        return request
    told = (m if m.kept is None or m.kept.endpoint == endpoint.url else replace(m, kept=None) for m in request.messages)
    return replace(request, messages=tuple(told))
