"""One HTTP/1.1 connection to a server: a request out, its answer in, one at a time (RFC 9112, parsed by llhttp)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

HIGH: Final = 1 << 20  # bytes of a stream that wait for their reader before the server is held up
HEADERS: Final = 256  # the most headers of an answer
HEAD: Final = 1 << 20  # bytes that a head can have
LARGEST: Final = 256 << 20  # bytes that any answer can have


class Broken(ConnectionError):
    """The connection ended, or what came is no HTTP, before the answer was whole."""


class TooLarge(Broken):
    """The answer is larger than it may be."""


class Connection(asyncio.Protocol):
    """A connection, used from the event loop that made it.

    `begin` sends a request and `head` waits for the head of its answer; then `whole` gives the body, or `chunk`, again
    and again, a piece of it. After `whole`, or a `chunk` that is None, it may serve the next one if it is `reusable`.
    Who gives up in between calls `abort`, which closes the socket at once: the server sees it, and stops.
    """

    __slots__ = (
        "_chunks",
        "_complete",
        "_fault",
        "_fed",
        "_headed",
        "_keep",
        "_most",
        "_parser",
        "_size",
        "_waiter",
        "headers",
        "idle_since",
        "status",
        "streamed",
        "transport",
    )

    def __init__(self) -> None:
        self.status, self.headers, self.idle_since = 0, dict[str, str](), 0.0
        self._headed = self._complete = self._keep = self.streamed = False
        self._chunks, self._size, self._fed, self._most = list[bytes](), 0, 0, LARGEST
        self._fault: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def reusable(self) -> bool:
        """Whether another request may go out here."""
        transport = self.transport
        return self._complete and self._keep and not transport.is_closing() and not transport.get_write_buffer_size()

    def begin(self, request: bytes, stream: bool = False, most: int = LARGEST) -> None:
        """Send a whole request, head and body; an answer of more than `most` bytes will be TooLarge.

        With `stream` it comes no faster than its chunks are taken.
        """
        self.status, self.headers, self.streamed = 0, {}, stream
        self._headed = self._complete = self._keep = False
        self._fed, self._most = 0, most
        self._parser = HttpResponseParser(self)
        self.transport.write(request)

    async def whole(self) -> bytes:
        """The whole body of the answer. Raises Broken (TooLarge among them), OSError."""
        self.streamed = False
        self.transport.resume_reading()
        while not self._complete:
            await self._more()
        return self._taken()

    async def head(self) -> None:
        """Until `status` and `headers` are there. Raises as `whole`."""
        while not self._headed:
            await self._more()

    async def chunk(self) -> bytes | None:
        """The next bytes of the body, None at its end. Raises as `whole`."""
        while not self._chunks and not self._complete:
            await self._more()
        if not self._chunks:
            return None
        self.transport.resume_reading()
        return self._taken()

    def abort(self) -> None:
        """Close the socket now, whatever is under way."""
        with suppress(RuntimeError):  # its loop has closed, and the socket goes when it is collected
            self.transport.abort()

    def _taken(self) -> bytes:
        chunks, self._chunks, self._size = self._chunks, [], 0
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def _more(self) -> None:
        if self._fault is not None:
            raise self._fault
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _break(self, fault: Exception) -> None:
        self._fault = fault
        self.transport.abort()
        self._wake()

    # What asyncio says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if self._complete:  # nobody asked
            self._break(Broken("the server spoke out of turn"))
            return
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._break(Broken(f"what came is no HTTP: {error.__context__ or error}"))
            return
        self._fed += len(data)
        most = self._most if self._headed else HEAD
        if self._fed > most:
            self._break(TooLarge(f"larger than {most >> 20} MiB"))
            return
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone. A body that has no stated length ends with it."""
        if self._fault is None:  # else it was we who closed it
            if self._headed and exc is None and not self._complete and not self._measured():
                self._complete = True
            else:
                self._fault = exc or Broken("the server closed it before the answer was whole")
        self._wake()

    def _measured(self) -> bool:
        return "content-length" in self.headers or "transfer-encoding" in self.headers

    # What the parser says.

    def on_header(self, name: bytes, value: bytes) -> None:
        """A line of the head; values are Latin-1 as far as HTTP knows."""
        if len(self.headers) == HEADERS:
            raise ValueError(f"the head has more than {HEADERS} lines")
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """The head is there, unless it was one of those that only announce another (1xx)."""
        self.status = self._parser.get_status_code()
        if self.status < 200:
            self.headers = {}
            return
        self._headed = True

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._chunks.append(body)
        self._size += len(body)
        if self.streamed and self._size > HIGH:
            self.transport.pause_reading()

    def on_message_complete(self) -> None:
        """The answer is whole."""
        if self._headed:
            self._complete, self._keep = True, self._parser.should_keep_alive()

    def on_message_begin(self) -> None:
        """An answer begins; a second one to the same request is no answer."""
        if self._complete:
            raise ValueError("a second answer came to one request")
