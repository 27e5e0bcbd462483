"""The wire: a request in the endpoint's dialect, sent once, and what comes back as a reply or a typed error."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Final, cast

from suffice.errors import CallError
from suffice.exchange import Delta, Reply, Request
from suffice.models.dialects.dialect import StreamDecoder
from suffice.models.dialects.sse import Events
from suffice.models.flow import Call, Flow
from suffice.models.places.endpoint import Endpoint
from suffice.models.sending import tape, transport
from suffice.models.sending.outgoing import Answer, Outgoing
from suffice.models.sending.target import Target, target_of

LINGER: Final = 0.5  # seconds that a server may take to end a stream whose last event has come
ID: Final = 200  # characters of a request id

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
        body = endpoint.dialect.encode(request, endpoint.quirks, streamed)
        out = Outgoing(target, body)
        if streamed:
            return await _streamed(out, flow, heard)
        return _whole(out, await _send(out), heard)

    return call


async def post(endpoint: Endpoint, key: str | None, path: str, body: bytes, heard: Heard) -> bytes:
    """Send `body` to another path of the endpoint (embeddings): the body of a good answer. Raises as `wire`."""
    answer = await _send(Outgoing(_target(endpoint, key, path), body))
    heard(answer.headers)
    if answer.status != 200:
        raise endpoint.dialect.fault(answer.status, answer.headers, answer.body)
    return answer.body


def _target(endpoint: Endpoint, key: str | None, path: str) -> Target:
    return target_of(endpoint, path, {"content-type": "application/json", **endpoint.dialect.headers(key)}, key)


async def _send(out: Outgoing) -> Answer:
    running = tape.current()
    return await (transport.send(out) if running is None else running.send(out))


def _whole(out: Outgoing, answer: Answer, heard: Heard) -> Reply[str]:
    heard(answer.headers)
    dialect = out.target.endpoint.dialect
    if answer.status != 200:
        raise dialect.fault(answer.status, answer.headers, answer.body)
    return _identified(dialect.decode(answer.body), answer, out.target)


async def _streamed(out: Outgoing, flow: Flow, heard: Heard) -> Reply[str]:
    running = tape.current()
    parts = transport.stream(out) if running is None else running.stream(out)
    decoder, events, arrived = out.target.endpoint.dialect.stream(), Events(), list[str]()
    async with aclosing(parts):
        head = cast("Answer", await anext(parts))
        if head.body or head.status != 200:  # an error, or an endpoint that answers whole though asked to stream
            reply = _whole(out, head, heard)
            flow.deliver(Delta(reply.text, reply.reasoning or ""))
            return reply
        heard(head.headers)
        last = asyncio.timeout(None)
        try:
            async with last:
                async for chunk in parts:
                    _take(decoder, events.feed(cast("bytes", chunk)), flow, arrived)
                    if decoder.done and last.when() is None:
                        last.reschedule(asyncio.get_running_loop().time() + LINGER)
            events.finish()
            return _identified(decoder.finish(), head, out.target)
        except TimeoutError:
            if not (decoder.done and last.expired()):
                raise
            return _identified(decoder.finish(), head, out.target)
        except CallError as error:
            error.partial = error.partial or "".join(arrived)
            raise


def _take(decoder: StreamDecoder, events: list[tuple[str, str]], flow: Flow, arrived: list[str]) -> None:
    for name, data in events:
        delta = decoder.feed(name, data)
        if delta is not None:
            arrived.append(delta.text)
            flow.deliver(delta)


def _identified(reply: Reply[str], answer: Answer, target: Target) -> Reply[str]:
    """With the request id of the answer's header, which is the one that a provider's support asks for; without the
    key, which may have come in pieces or spelled otherwise."""
    found = answer.headers.get("x-request-id") or answer.headers.get("request-id")
    made = replace(reply, request_id=found[:ID]) if found else reply
    if target.secret is None or target.secret not in f"{made.text} {made.reasoning} {made.request_id}":
        return made
    text, reasoning, name = (target.hidden(said or "") for said in (made.text, made.reasoning, made.request_id))
    return replace(made, value=text, text=text, reasoning=reasoning or None, request_id=name or None)
