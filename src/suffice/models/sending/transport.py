"""Sockets: HTTP POST to an endpoint, whole or in chunks. With `pool`, the only place that connects to a model."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncGenerator
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from suffice.errors import ConnectionLost, UsageError
from suffice.models.places.endpoint import Endpoint, is_loopback
from suffice.models.sending.connection import Broken, Connection
from suffice.models.sending.outgoing import Answer, Outgoing, Target
from suffice.models.sending.pool import Server, idle, kept, opened
from suffice.models.sending.proxies import proxy_for
from suffice.version import __version__

CONNECT: Final = 10.0  # seconds to connect
NO_TEXT: Final = re.compile(r"[^\t\x20-\x7e\x80-\xff]")  # what no header value may hold (RFC 9110, section 5.5)


async def send(out: Outgoing) -> Answer:
    """The whole answer. Cancelling it closes the connection. Raises ConnectionLost, UsageError."""
    server, head = _place(out.target)
    connection = idle(server) or await _opened(server, out.target.endpoint)
    try:
        connection.begin(_request(head, out.body))
        body = await connection.whole()
    except BaseException as error:
        raise _left(connection, error, out.target.endpoint) from None
    kept(server, connection)
    return Answer(connection.status, connection.headers, out.target.without_key(body))


async def stream(out: Outgoing) -> AsyncGenerator[Answer | bytes]:
    """First the head of the answer, then its chunks as they come. Closing it early closes the connection.

    What is not a good event stream comes whole, in the head. Raises as `send`.
    """
    server, head = _place(out.target)
    connection = idle(server) or await _opened(server, out.target.endpoint)
    try:
        connection.begin(_request(head, out.body))
        await connection.head()
        if connection.status != 200 or "event-stream" not in connection.headers.get("content-type", ""):
            body = out.target.without_key(await connection.whole())
            yield Answer(connection.status, connection.headers, body)
        else:
            yield Answer(connection.status, connection.headers)
            while (chunk := await connection.chunk()) is not None:
                yield out.target.without_key(chunk)
    except BaseException as error:
        raise _left(connection, error, out.target.endpoint) from None
    kept(server, connection)


async def reachable(endpoint: Endpoint, seconds: float = 2.0) -> bool:
    """Whether something answers HTTP at the endpoint's address. Sends no key and no data."""
    server, head = _place(Target(endpoint, "", {}), "GET")
    try:
        async with asyncio.timeout(seconds):
            connection = await opened(server)
            try:
                connection.begin(_request(head, b""))
                await connection.head()
            finally:
                connection.abort()
    except (OSError, TimeoutError):
        return False
    return True


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
    if isinstance(error, OSError):
        return ConnectionLost(f"the connection to {endpoint.host} broke: {_why(error)}")
    return error


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    return str(error) if isinstance(error, Broken) else error.strerror or str(error) or type(error).__name__


def _is_up(endpoint: Endpoint) -> str:
    return f"is a server running at {endpoint.url}?" if endpoint.loopback else "is the network there?"


def _request(head: bytes, body: bytes) -> bytes:
    return b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body)


def _place(target: Target, method: str = "POST") -> tuple[Server, bytes]:
    return worked_out(target.url, tuple(target.headers.items()), method)


@lru_cache(maxsize=256)
def worked_out(url: str, headers: tuple[tuple[str, str], ...], method: str) -> tuple[Server, bytes]:
    """Where a URL leads, and the head of a request there, up to its length. Raises UsageError.

    A loopback endpoint is never reached through a proxy, any other by the proxies of the environment. Redirects are
    not followed: a body must not travel to a host that no policy was asked about.
    """
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    try:
        port = parts.port or (443 if secure else 80)
        host.encode("idna")
        url.encode("ascii")
    except (ValueError, UnicodeError) as error:
        raise UsageError(f"no request can be sent to {url!r}: {error}", hint="mend the URL") from None
    proxy = None if is_loopback(host) else proxy_for(parts.scheme, host)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    forwarded = proxy is not None and not secure  # such a proxy is asked for the whole URL
    said = {"host": parts.netloc.rpartition("@")[2], "user-agent": f"suffice/{__version__}", **dict(headers)}
    for name, value in said.items():
        if NO_TEXT.search(value):
            raise UsageError(f"the header {name} of a request to {host} holds what no header may", hint="mend the key")
    lines = [f"{method} {url if forwarded else path} HTTP/1.1", *(f"{name}: {value}" for name, value in said.items())]
    head = "\r\n".join(lines) + "\r\n" + (proxy.header if proxy and forwarded else "")
    return Server(host, port, secure, proxy), head.encode("latin-1")
