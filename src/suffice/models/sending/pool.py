"""Connections of an event loop: opened when needed, kept a while, all closed when the loop ends."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections import defaultdict, deque
from collections.abc import AsyncGenerator
from contextlib import suppress
from functools import lru_cache
from typing import Final
from weakref import WeakKeyDictionary

from suffice.models.sending.connection import Broken, Connection
from suffice.models.sending.proxies import Proxy
from suffice.models.sending.target import Server

IDLE: Final = 30.0  # seconds that an unused connection is kept
STALE: Final = 1.0  # seconds after which a server may well have closed one
NEXT: Final = 3.0  # seconds after which the next address of a host is tried


async def idle(server: Server) -> Connection | None:
    """A connection to `server` that is there and not in use."""
    there = _pool().idle[server]
    while there:
        found = there.pop()
        if server in _pool().fickle or found.streamed or found.idle_since < time.monotonic() - STALE:
            # The loop may have been busy since the server closed it, as some do after each stream (llama.cpp). It
            # looks at its sockets in one turn, and tells the connection in the next.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        if found.reusable:
            return found
        found.abort()
    return None


def distrust(server: Server) -> None:
    """It closes connections that it said it keeps: from now on the loop looks before one is used again."""
    _pool().fickle.add(server)


async def opened(server: Server) -> Connection:
    """A new connection to `server`. Raises OSError (ssl.SSLError, socket.gaierror), Broken."""
    if server.proxy is not None and server.secure:
        return await _tunnel(server, server.proxy)
    host, port = (server.proxy.host, server.proxy.port) if server.proxy else (server.host, server.port)
    return await _connected(host, port, trusted() if server.secure else None)


def kept(server: Server, connection: Connection) -> None:
    """Keep a connection whose answer is whole for the next request, or close it."""
    if not connection.reusable:
        connection.abort()
        return
    there, now = _pool().idle[server], time.monotonic()
    connection.idle_since = now
    there.append(connection)
    while there[0].idle_since < now - IDLE:
        there.popleft().abort()


@lru_cache(maxsize=1)
def trusted() -> ssl.SSLContext:
    """Servers are believed whom the operating system believes; SSL_CERT_FILE adds to that where OpenSSL has it."""
    import truststore  # 20 ms that only HTTPS needs

    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["http/1.1"])
    return context


async def _connected(host: str, port: int, context: ssl.SSLContext | None) -> Connection:
    """The addresses of the host one after another: asyncio's race between them loses sockets where it is cancelled."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    *others, last = dict.fromkeys(str(info[4][0]) for info in found)
    name = host if context else None
    for place in others:
        with suppress(OSError):
            async with asyncio.timeout(NEXT):
                return (await loop.create_connection(Connection, place, port, ssl=context, server_hostname=name))[1]
    return (await loop.create_connection(Connection, last, port, ssl=context, server_hostname=name))[1]


async def _tunnel(server: Server, proxy: Proxy) -> Connection:
    """A secure connection through a proxy, which sees host and port alone."""
    outer = await _connected(proxy.host, proxy.port, None)
    try:
        outer.begin(proxy.connect(server.host, server.port))
        await outer.head()
        if outer.status != 200:
            raise Broken(f"the proxy {proxy.host}:{proxy.port} answered {outer.status}")
        inner = Connection()
        secured = await asyncio.get_running_loop().start_tls(
            outer.transport, inner, trusted(), server_hostname=server.host
        )
    except BaseException:
        outer.abort()
        raise
    assert secured is not None
    inner.connection_made(secured)
    return inner


class _Pool:
    """The idle connections of one event loop, and who closes them."""

    def __init__(self) -> None:
        self.idle: defaultdict[Server, deque[Connection]] = defaultdict(deque)
        self.fickle: set[Server] = set()
        self.closer: AsyncGenerator[None] | None = None


_pools: WeakKeyDictionary[asyncio.AbstractEventLoop, _Pool] = WeakKeyDictionary()
_lock = threading.Lock()


def _pool() -> _Pool:
    loop = asyncio.get_running_loop()
    found = _pools.get(loop)
    if found is None:
        with _lock:
            for ended in [one for one in _pools if one.is_closed()]:  # one that ended without a word
                del _pools[ended]
            found = _pools[loop] = _Pool()
        found.closer = _closing(loop, found)
        # A loop that ends properly closes the async generators that were begun in it; that is the only word it gives.
        begun = found.closer.__anext__()
        try:
            begun.send(None)
        except StopIteration:
            pass
    return found


async def _closing(loop: asyncio.AbstractEventLoop, pool: _Pool) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        with _lock:
            _pools.pop(loop, None)
        for connections in pool.idle.values():
            for connection in connections:
                connection.abort()
