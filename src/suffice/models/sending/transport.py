"""Sockets: HTTP POST to an endpoint, whole or in chunks. With `pool`, the only place that connects to a model."""

from __future__ import annotations

import asyncio
import errno
import os
import ssl
from collections.abc import AsyncGenerator
from typing import Final

from suffice.errors import ConnectionLost, MalformedReply
from suffice.models.places.endpoint import Endpoint
from suffice.models.sending.connection import Broken, Connection, TooLarge
from suffice.models.sending.outgoing import Answer, Outgoing
from suffice.models.sending.pool import distrust, idle, kept, opened
from suffice.models.sending.target import Server, target_of

CONNECT: Final = 10.0  # seconds to connect


async def send(out: Outgoing) -> Answer:
    """The whole answer. Cancelling it closes the connection. Raises ConnectionLost, and MalformedReply for one that is
    larger than it may be.

    Redirects are not followed: a body must not travel to a host that no policy was asked about.
    """
    connection = await _asked(out)
    try:
        body = await connection.whole()
    except BaseException as error:
        raise _left(connection, error, out.target.endpoint) from None
    kept(out.target.server, connection)
    return Answer(connection.status, out.target.heard(connection.headers), out.target.without_key(body))


async def stream(out: Outgoing) -> AsyncGenerator[Answer | bytes]:
    """First the head of the answer, then its chunks as they come. Closing it early closes the connection.

    What is not a good event stream comes whole, in the head. Raises as `send`.
    """
    connection = await _asked(out, stream=True)
    try:
        if connection.status != 200 or "event-stream" not in connection.headers.get("content-type", ""):
            body = out.target.without_key(await connection.whole())
            yield Answer(connection.status, out.target.heard(connection.headers), body)
        else:
            yield Answer(connection.status, out.target.heard(connection.headers))
            while (chunk := await connection.chunk()) is not None:
                yield out.target.without_key(chunk)
    except BaseException as error:
        raise _left(connection, error, out.target.endpoint) from None
    kept(out.target.server, connection)


async def reachable(endpoint: Endpoint, seconds: float = 2.0) -> bool:
    """Whether something answers HTTP at the endpoint's address. Sends no key and no data."""
    out = Outgoing(target_of(endpoint, "", {}, method="GET"), b"")
    try:
        async with asyncio.timeout(seconds):
            connection = await opened(out.target.server)
            try:
                connection.begin(_request(out))
                await connection.head()
            finally:
                connection.abort()
    except (OSError, TimeoutError):
        return False
    return True


async def _asked(out: Outgoing, stream: bool = False) -> Connection:
    """A connection on which `out` was sent and the head of its answer has come."""
    endpoint = out.target.endpoint
    connection = await idle(out.target.server) or await _opened(out.target.server, endpoint)
    try:
        connection.begin(_request(out), stream, out.most)
        await connection.head()
    except BaseException as error:
        if connection.idle_since and not connection.status:
            distrust(out.target.server)
        raise _left(connection, error, endpoint) from None
    return connection


async def _opened(server: Server, endpoint: Endpoint) -> Connection:
    try:
        async with asyncio.timeout(CONNECT):
            return await opened(server)
    except TimeoutError:
        text = f"no connection to {endpoint.host} within {CONNECT:g} s"
        raise ConnectionLost(text, sent=False, hint=_is_up(endpoint)) from None
    except OSError as error:
        text = f"cannot connect to {endpoint.host}: {_why(error)}"
        raise ConnectionLost(text, sent=False, hint=_is_up(endpoint)) from None


def _left(connection: Connection, error: BaseException, endpoint: Endpoint) -> BaseException:
    """The connection is closed, whatever ended the exchange; a fault of its own is told to the caller."""
    connection.abort()
    if isinstance(error, TooLarge):
        return _too_large(error, endpoint)
    if isinstance(error, OSError):
        return ConnectionLost(f"the connection to {endpoint.host} broke: {_why(error)}")
    return error


def _too_large(error: TooLarge, endpoint: Endpoint) -> MalformedReply:
    made = MalformedReply(
        f"the answer of {endpoint.host} was cut off: it is {error}, which none to this request should be",
        hint="is the endpoint's URL right? A larger max_output_tokens= allows a larger one",
    )
    made.retryable = False  # it would send as much again
    return made


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, ConnectionRefusedError):  # asyncio has words of its own for it
        return os.strerror(errno.ECONNREFUSED).lower()
    return str(error) if isinstance(error, Broken) else error.strerror or str(error) or type(error).__name__


def _is_up(endpoint: Endpoint) -> str:
    return f"is a server running at {endpoint.url}?" if endpoint.loopback else "is the network there?"


def _request(out: Outgoing) -> bytes:
    return b"%bcontent-length: %d\r\n\r\n%b" % (out.target.head, len(out.body), out.body)
