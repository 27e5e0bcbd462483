"""Sockets: HTTP POST to an endpoint, whole or in chunks. The only file that opens a connection to a model."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import BuilderError, ConnectError, ConnectTimeoutError, PyreqwestError, RequestTimeoutError
from pyreqwest.request import RequestBuilder

from suffice.errors import CallTimeout, ConnectionLost, UsageError
from suffice.models.places.endpoint import Endpoint
from suffice.version import __version__

CONNECT: Final = 10.0  # seconds to connect
GRACE: Final = 0.05  # seconds by which the caller's own clock is first
HIDDEN: Final = b"(key)"
SECRET: Final = 12  # characters; local servers are given words such as "EMPTY", which a reply may hold
IDLE: Final = 60.0  # seconds that an idle connection is kept
SETTLE: Final = 0.05  # seconds at the end of the process


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One POST: where to, with what. `headers` hold the key and are written down nowhere."""

    endpoint: Endpoint
    path: str
    headers: Mapping[str, str]
    body: bytes
    key: str | None = None
    seconds: float | None = None  # after which nobody waits for the answer any more

    @property
    def url(self) -> str:
        """The whole URL."""
        return self.endpoint.url.rstrip("/") + self.path

    def without_key(self, data: bytes) -> bytes:
        """What came back, without the key: an endpoint may say it back, and answers are quoted and recorded."""
        if self.key is None or len(self.key) < SECRET:
            return data
        return data.replace(self.key.encode(), HIDDEN)

    def __repr__(self) -> str:
        return f"Outgoing({self.url}, {len(self.body)} bytes)"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; header names in lower case. In a stream `body` is empty and the chunks follow."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


async def send(out: Outgoing) -> Answer:
    """The whole answer. Raises ConnectionLost, CallTimeout, UsageError.

    Cancelling it ends the waiting at once, but the connection only with the answer or after `out.seconds`: the library
    lets a request that has no answer yet run on.
    """
    try:
        response = await _post(out).build().send()
        return Answer(response.status, _lower(response), out.without_key(bytes(await response.bytes())))
    except PyreqwestError as error:
        raise lost(error, out.endpoint) from None


async def stream(out: Outgoing) -> AsyncGenerator[Answer | bytes]:
    """First the head of the answer, then its chunks as they come. Raises as `send`.

    Closing it after the head closes the connection.

    What is not a good event stream comes whole, in the head.
    """
    try:
        async with _post(out).streamed_read_buffer_limit(0).build_streamed() as response:
            headers = _lower(response)
            if response.status != 200 or "event-stream" not in headers.get("content-type", ""):
                yield Answer(response.status, headers, out.without_key(bytes(await response.bytes())))
                return
            yield Answer(response.status, headers)
            while (chunk := await response.body_reader.read_chunk()) is not None:
                yield out.without_key(bytes(chunk))
    except PyreqwestError as error:
        raise lost(error, out.endpoint) from None


async def reachable(endpoint: Endpoint, seconds: float = 2.0) -> bool:
    """Whether something answers HTTP at the endpoint's address. Sends no key and no data."""
    try:
        async with asyncio.timeout(seconds):
            await _client(endpoint).get(endpoint.url).build().send()
    except (PyreqwestError, TimeoutError):
        return False
    return True


def lost(error: PyreqwestError, endpoint: Endpoint) -> Exception:
    """What a transport error means to the caller. Mapped by class; the text is for people alone."""
    details: Any = getattr(error, "details", None)
    causes: Any = details.get("causes") if details else None
    why = str(causes[-1]["message"]) if causes else error.message
    where = endpoint.host
    if isinstance(error, BuilderError):
        return UsageError(f"the request to {where} cannot be made: {why}", hint="mend the URL or the key")
    if isinstance(error, ConnectTimeoutError):
        return ConnectionLost(f"no connection to {where} within {CONNECT:g} s", sent=False, hint=_is_up(endpoint))
    if isinstance(error, RequestTimeoutError):
        return CallTimeout(f"{where} did not answer in time: {why}")
    if isinstance(error, ConnectError):
        return ConnectionLost(f"cannot connect to {where}: {why}", sent=False, hint=_is_up(endpoint))
    return ConnectionLost(f"the connection to {where} broke: {why}")


def _post(out: Outgoing) -> RequestBuilder:
    sending = _client(out.endpoint).post(out.url).headers(out.headers).body_bytes(out.body)
    return sending if out.seconds is None else sending.timeout(timedelta(seconds=max(out.seconds, 0.0) + GRACE))


def _is_up(endpoint: Endpoint) -> str:
    return f"is a server running at {endpoint.url}?" if endpoint.loopback else "is the network there?"


def _lower(response: Any) -> dict[str, str]:
    return {str(name).lower(): str(value) for name, value in response.headers.items()}


def _client(endpoint: Endpoint) -> Client:
    """The process's HTTP client for this kind of endpoint. It belongs to no event loop: any may use it.

    A loopback endpoint is never reached through a proxy, any other by the proxies of the environment. Redirects are
    not followed: a body must not travel to a host that no policy was asked about.
    """
    found = _clients.made.get(endpoint.loopback)
    if found is not None:
        return found
    with _clients.lock:
        return _clients.made.setdefault(endpoint.loopback, _built(endpoint.loopback))


def _built(loopback: bool) -> Client:
    builder = (
        ClientBuilder()
        .follow_redirects(False)
        .referer(False)
        .user_agent(f"suffice/{__version__}")
        .connect_timeout(timedelta(seconds=CONNECT))
        .pool_idle_timeout(timedelta(seconds=IDLE))
    )
    return (builder.no_proxy() if loopback else builder).build()


class _Clients:
    """The process's clients, made when first used; by whether they are for loopback."""

    def __init__(self) -> None:
        self.made: dict[bool, Client] = {}
        self.lock = threading.Lock()
        # A thread of the client's that lets go of a Python object while the interpreter ends aborts the process
        # (PyO3/pyo3-async-runtimes#40). It does so within milliseconds of the last reply: give it these.
        atexit.register(lambda: time.sleep(SETTLE) if self.made else None)


_clients = _Clients()

if hasattr(os, "register_at_fork"):  # what a client has of threads does not live on in a forked process
    os.register_at_fork(after_in_child=_clients.made.clear)
