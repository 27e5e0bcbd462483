"""A scriptable upstream on 127.0.0.1 over real sockets: it speaks as OpenAI or Anthropic do, and fails as told.

    with upstream(first(Status(500), rate_limited(1))) as up: Model(f"{up.url}#any")

In a thread of the test's process, or as one of its own: `python tests/models/upstream.py --port 0 --script storm:0.3`,
which prints its URL, and what it saw when it is ended by SIGTERM or --seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from upstream_faults import Asked, End, Fault, Ok, Script, Send, always, spoken, steps

SECRET = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "proxy-authorization"})
HELD = "(held back)"
BACKLOG = 4096


@dataclass
class Served:
    """One request and what became of it. `ended` is "answered", "closed" or "reset" (by us), "left" (by the client:
    before the reply was whole), "hanging" (until the upstream ended), or "" while it is under way; `chunks` of text
    were written until then."""

    asked: Asked
    fault: Fault
    chunks: int = 0
    ended: str = ""


@dataclass
class Log:
    """What arrived. `open` connections now, `connections` ever, `most_in_flight` the most requests at once."""

    served: list[Served] = field(default_factory=list[Served])
    open: int = 0
    connections: int = 0
    in_flight: int = 0
    most_in_flight: int = 0

    @property
    def asked(self) -> list[Asked]:
        """The requests in the order in which they arrived."""
        return [s.asked for s in self.served]

    @property
    def left(self) -> list[Served]:
        """The requests whose connection the client closed before the reply was whole."""
        return [s for s in self.served if s.ended == "left"]


class Connection(asyncio.Protocol):
    """One connection: its requests one after another."""

    def __init__(self, up: Upstream) -> None:
        self.up = up
        self.buffer = bytearray()
        self.task: asyncio.Task[None] | None = None
        self.number = 0
        self.writable = asyncio.Event()
        self.writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.up.connections.add(self)
        self.up.log.open += 1
        self.up.log.connections += 1
        self.number = self.up.log.connections

    def connection_lost(self, exc: Exception | None) -> None:
        self.up.connections.discard(self)
        self.up.log.open -= 1
        if self.task is not None:
            self.task.cancel()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self.next()

    def next(self) -> None:
        """Begin the next request, where one has arrived whole and none is under way."""
        if self.task is not None or self.transport.is_closing():
            return
        found = _request(self.buffer)
        if found is not None:
            log = self.up.log
            log.in_flight += 1
            log.most_in_flight = max(log.most_in_flight, log.in_flight)
            asked = Asked(len(log.served), time.monotonic(), *found, log.in_flight, self.number)
            served = Served(asked, self.up.script(asked))
            log.served.append(served)
            self.task = asyncio.get_running_loop().create_task(self.serve(served))

    async def serve(self, served: Served) -> None:
        """Do what the script says, and note how it ended."""
        try:
            served.ended = await self.play(served)
        except asyncio.CancelledError:
            served.ended = "hanging" if self.up.ending else "left"
            raise
        finally:
            self.up.log.in_flight -= 1
            self.task = None
        self.next()

    async def play(self, served: Served) -> str:
        for step in steps(served.fault, served.asked):
            match step:
                case Send(data, chunk):
                    await self.writable.wait()
                    self.transport.write(data)
                    served.chunks += chunk
                case End.HANG:
                    await asyncio.Event().wait()
                case End.CLOSE:
                    self.transport.close()
                    return "closed"
                case End.RESET:
                    linger = struct.pack("ii", 1, 0)  # on, 0 seconds: closing sends RST
                    self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    self.transport.abort()
                    return "reset"
                case seconds:
                    await asyncio.sleep(seconds)
        return "answered"


def _request(buffer: bytearray) -> tuple[str, dict[str, str], Any] | None:
    """Path, headers and body of the first request, taken out of the buffer; None where it is not whole yet."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    lines = bytes(buffer[:end]).decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines[1:])
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    size = int(headers.get("content-length", 0))
    if len(buffer) < end + 4 + size:
        return None
    body = bytes(buffer[end + 4 : end + 4 + size])
    del buffer[: end + 4 + size]
    shown = {name: HELD if name in SECRET else value for name, value in headers.items()}
    return lines[0].split(" ")[1], shown, _parsed(body)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body


class Upstream:
    """A running upstream. `script` may be changed while it runs; `log` is what it saw."""

    def __init__(self, script: Script, port: int = 0) -> None:
        self.script = script
        self.log = Log()
        self.connections: set[Connection] = set()
        self.ending = False
        self.socket = socket.create_server(("127.0.0.1", port), backlog=BACKLOG)
        self.port: int = self.socket.getsockname()[1]

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The base URL of an OpenAI-compatible client."""
        return f"{self.origin}/v1"

    def wait_until(self, holds: Callable[[Log], bool], seconds: float = 5.0) -> None:
        """Wait until `holds(log)`: what a client did arrives a moment later. Else raises AssertionError."""
        end = time.monotonic() + seconds
        while not holds(self.log):
            if time.monotonic() > end:
                raise AssertionError(f"not so within {seconds:g} s; the log is {self.log}"[:2000])
            time.sleep(0.005)

    async def serve(self, until: asyncio.Event) -> None:
        """Serve until the event is set, then reset what is still open."""
        server = await asyncio.get_running_loop().create_server(lambda: Connection(self), sock=self.socket)
        await until.wait()
        server.close()
        self.ending = True
        tasks = [c.task for c in self.connections if c.task is not None]
        for connection in list(self.connections):
            connection.transport.abort()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def upstream(script: Script | Fault | None = None) -> Generator[Upstream]:
    """An upstream in a thread of this process, on a port of its own; one fault stands for all requests."""
    given = always(Ok()) if script is None else script if callable(script) else always(script)
    up = Upstream(given)
    loop = asyncio.new_event_loop()
    until = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(up.serve(until)), name="upstream", daemon=True)
    thread.start()
    try:
        yield up
    finally:
        loop.call_soon_threadsafe(until.set)
        thread.join(10)
        loop.close()


async def _alone(up: Upstream, seconds: float) -> None:
    until = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, until.set)
    loop.call_later(seconds, until.set)
    print(up.url, flush=True)
    await up.serve(until)


def main() -> None:
    """Serve as a process of its own."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--script", default="ok", help="see upstream_faults.spoken")
    parser.add_argument("--seconds", type=float, default=600.0, help="after which it ends by itself")
    options = parser.parse_args()
    up = Upstream(spoken(options.script), options.port)
    asyncio.run(_alone(up, options.seconds))
    log = up.log
    said = {"requests": len(log.served), "connections": log.connections, "most_in_flight": log.most_in_flight}
    said |= {how: sum(s.ended == how for s in log.served) for how in ("answered", "left", "closed", "reset")}
    json.dump(said, sys.stdout)
    print(flush=True)


if __name__ == "__main__":
    main()
