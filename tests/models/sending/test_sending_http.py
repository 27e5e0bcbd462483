"""HTTP/1.1 against servers that write what the test says, over real sockets, TLS and proxies."""

from __future__ import annotations

import asyncio
import base64
import gc
import socket
import ssl
import threading
import time
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from suffice.errors import ConnectionLost, UsageError
from suffice.models.dialects.openai_chat import OPENAI_CHAT
from suffice.models.places.endpoint import Endpoint
from suffice.models.sending import pool, transport
from suffice.models.sending.outgoing import Answer, Outgoing
from suffice.models.sending.target import target_of

OK = b"HTTP/1.1 200 OK\r\n"
HELLO = OK + b"content-length: 5\r\n\r\nhello"
EVENTS = OK + b"content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
KEY = "sk-a-key-that-nobody-else-may-see"


@dataclass
class Seen:
    """What a server saw: the requests of each connection, and how many are open."""

    url: str = ""
    requests: list[bytes] = field(default_factory=list[bytes])
    connections: int = 0
    open: int = 0

    async def until_closed(self) -> None:
        async with asyncio.timeout(2):
            while self.open:
                await asyncio.sleep(0.005)


Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def request(reader: asyncio.StreamReader) -> bytes:
    """One request, whole."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = [int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")]
    return head + await reader.readexactly(length[0] if length else 0)


@asynccontextmanager
async def server(
    *pieces: bytes,
    close: bool = False,
    script: Script | None = None,
    tls: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
) -> AsyncGenerator[Seen]:
    """Answers every request with `pieces`, and closes then where it says so; or does what `script` says."""
    seen = Seen()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.connections, seen.open = seen.connections + 1, seen.open + 1
        try:
            if script is not None:
                await script(reader, writer)
                return
            while True:
                seen.requests.append(await request(reader))
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
                if close:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            seen.open -= 1
            writer.close()

    listening = await asyncio.start_server(serve, host, 0, ssl=tls)
    async with listening:
        scheme = "https" if tls else "http"
        place = f"[{host}]" if ":" in host else host
        seen.url = f"{scheme}://{place}:{listening.sockets[0].getsockname()[1]}"
        yield seen


def posting(url: str, key: str | None = None, body: bytes = b"{}") -> Outgoing:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return Outgoing(target_of(Endpoint("x", url, OPENAI_CHAT), "/chat", headers, key), body)


async def answered(*pieces: bytes, close: bool = False) -> Answer:
    async with server(*pieces, close=close) as seen:
        return await transport.send(posting(seen.url))


def test_a_request_is_one_that_a_strict_server_takes() -> None:
    async def asked() -> bytes:
        async with server(HELLO) as seen:
            await transport.send(posting(seen.url, KEY, b'{"a":1}'))
            return seen.requests[0].replace(seen.url.encode()[7:], b"HOST")

    head, _, body = asyncio.run(asked()).partition(b"\r\n\r\n")
    assert body == b'{"a":1}'
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /chat HTTP/1.1"
    assert lines[1] == "host: HOST"
    assert lines[2].startswith("user-agent: suffice/")
    assert lines[3:] == ["accept-encoding: identity", f"authorization: Bearer {KEY}", "content-length: 7"]


WHOLE = [
    pytest.param(OK + b"Content-Length: 11\r\n\r\nhello world", False, id="a stated length"),
    pytest.param(
        OK + b"Transfer-Encoding: chunked\r\n\r\n6;x=y\r\nhello \r\n5\r\nworld\r\n0\r\nTrailer: t\r\n\r\n",
        False,
        id="chunks",
    ),
    pytest.param(OK + b"\r\nhello world", True, id="until the end"),
    pytest.param(b"HTTP/1.0 200 OK\r\n\r\nhello world", True, id="HTTP/1.0"),
    pytest.param(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
        + OK
        + b"content-length: 11\r\n\r\nhello world",
        False,
        id="after announcements",
    ),
]


@pytest.mark.parametrize(("data", "close"), WHOLE)
@settings(max_examples=8, deadline=None)
@given(cuts=st.lists(st.integers(0, 200), max_size=4))
def test_an_answer_is_whole_wherever_its_bytes_are_cut(data: bytes, close: bool, cuts: list[int]) -> None:
    places = [0, *sorted(min(c, len(data)) for c in cuts), len(data)]
    pieces = [data[a:b] for a, b in zip(places, places[1:], strict=False)]
    answer = asyncio.run(answered(*pieces, close=close))
    assert (answer.status, answer.body) == (200, b"hello world")
    assert "link" not in answer.headers


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (OK + b"content-length: 50\r\n\r\nhello", "before the answer was whole"),
        (OK + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", "before the answer was whole"),
        (b"HTTP/1.1 200 OK\r\ncontent-le", "before the answer was whole"),
        (b"", "before the answer was whole"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "no HTTP"),
        (OK + b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello", "no HTTP"),
        (OK + b"".join(b"x-%d: 1\r\n" % i for i in range(400)) + b"content-length: 0\r\n\r\n", "256 lines"),
    ],
)
def test_an_answer_cut_off_or_no_http_is_a_lost_connection(data: bytes, why: str) -> None:
    with pytest.raises(ConnectionLost, match=why) as caught:
        asyncio.run(answered(data, close=True))
    assert caught.value.sent
    assert caught.value.retryable


def test_a_connection_serves_one_request_after_another() -> None:
    async def calls(*pieces: bytes, close: bool = False) -> int:
        async with server(*pieces, close=close) as seen:
            for _ in range(3):
                assert (await transport.send(posting(seen.url))).body == b"hello"
                await asyncio.sleep(0.01)  # a server that closes has done so by then
            return seen.connections

    assert asyncio.run(calls(HELLO)) == 1
    assert asyncio.run(calls(HELLO, close=True)) == 3
    assert asyncio.run(calls(OK + b"connection: close\r\ncontent-length: 5\r\n\r\nhello")) == 3
    assert asyncio.run(calls(b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello")) == 3


def test_a_connection_closed_while_the_loop_was_busy_is_not_used_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool, "STALE", 0.05)
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for _ in range(2):
            accepted, _ = listening.accept()
            with accepted:
                accepted.recv(1 << 16)
                accepted.sendall(HELLO)
                time.sleep(0.01)

    async def calls() -> list[bytes]:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        first = await transport.send(posting(url))
        time.sleep(0.1)  # something that blocks
        return [first.body, (await transport.send(posting(url))).body]

    with listening:
        thread = threading.Thread(target=serve)
        thread.start()
        assert asyncio.run(calls()) == [b"hello", b"hello"]
        thread.join()


def test_what_a_server_says_out_of_turn_answers_no_request() -> None:
    async def at_once() -> tuple[list[bytes], int]:
        async with server(HELLO + OK + b"content-length: 4\r\n\r\nevil") as seen:
            return [(await transport.send(posting(seen.url))).body for _ in range(2)], seen.connections

    assert asyncio.run(at_once()) == ([b"hello", b"hello"], 2)

    async def late() -> tuple[bytes, int]:
        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                await request(reader)
                writer.write(HELLO)
                await asyncio.sleep(0.01)
                writer.write(OK + b"content-length: 4\r\n\r\nevil")

        async with server(script=script) as seen:
            await transport.send(posting(seen.url))
            await asyncio.sleep(0.05)
            return (await transport.send(posting(seen.url))).body, seen.connections

    assert asyncio.run(late()) == (b"hello", 2)


def test_a_refusal_before_the_body_was_read_is_an_answer() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig")
        while await reader.read(1 << 16):  # then it reads on and throws it away
            pass

    async def sent() -> Answer:
        async with server(script=script) as seen:
            return await transport.send(posting(seen.url, body=b"x" * (8 << 20)))

    answer = asyncio.run(sent())
    assert (answer.status, answer.body) == (413, b"big")


def test_all_connections_are_closed_when_the_loop_ends() -> None:
    async def calls(seen: Seen) -> None:
        await asyncio.gather(*(transport.send(posting(seen.url)) for _ in range(5)))

    async def outer() -> None:
        async with server(HELLO) as seen:
            await asyncio.to_thread(lambda: asyncio.run(calls(seen)))  # a loop of its own, on a thread
            assert seen.connections == 5
            await seen.until_closed()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(outer())
        gc.collect()


def test_a_slow_reader_of_a_stream_holds_the_server_up_and_loses_nothing() -> None:
    size, count = 1 << 16, 1_000  # 62 MiB
    written = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await request(reader)
        writer.write(EVENTS)
        for i in range(count):
            writer.write(b"%x\r\n%b\r\n" % (size, bytes([i % 251]) * size))
            await writer.drain()
            written += size
        writer.write(b"0\r\n\r\n")

    async def read() -> tuple[int, int]:
        async with server(script=script) as seen, aclosing(transport.stream(posting(seen.url))) as parts:
            assert isinstance(await anext(parts), Answer)
            await asyncio.sleep(0.2)
            early, total = written, 0
            async for chunk in parts:
                assert isinstance(chunk, bytes)
                total += len(chunk)
            return early, total

    early, total = asyncio.run(read())
    assert total == size * count
    assert early < 24 << 20  # what the sockets of both sides hold, and a mebibyte here


def test_leaving_a_stream_early_closes_its_connection() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(EVENTS + b"3\r\nabc\r\n")
        await reader.read()

    async def left() -> None:
        async with server(script=script) as seen:
            async with aclosing(transport.stream(posting(seen.url))) as parts:
                assert [await anext(parts), await anext(parts)][1] == b"abc"
                assert seen.open == 1
            await seen.until_closed()

    asyncio.run(left())


def test_a_server_with_an_ipv6_address_is_reached() -> None:
    async def sent() -> tuple[bytes, bytes]:
        async with server(HELLO, host="::1") as seen:
            return (await transport.send(posting(seen.url))).body, seen.requests[0]

    try:
        body, asked = asyncio.run(sent())
    except OSError:
        pytest.skip("there is no IPv6 here")
    assert body == b"hello"
    assert asked.startswith(b"POST /chat HTTP/1.1\r\nhost: [::1]:")


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[trustme.CA]:
    """A certificate authority that this process believes, and no proxies remembered from elsewhere."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    pool.trusted.cache_clear()
    yield authority
    pool.trusted.cache_clear()


def secure(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def test_a_secure_server_is_believed_by_its_certificate_alone(authority: trustme.CA) -> None:
    async def sent(tls: ssl.SSLContext) -> tuple[bytes, int]:
        async with server(HELLO, tls=tls) as seen:
            body = [(await transport.send(posting(seen.url, KEY))).body for _ in range(2)][1]
            return body, seen.connections

    assert asyncio.run(sent(secure(authority, "127.0.0.1"))) == (b"hello", 1)
    for tls in (secure(trustme.CA(), "127.0.0.1"), secure(authority, "elsewhere.example")):
        with pytest.raises(ConnectionLost, match="certificate is not trusted") as caught:
            asyncio.run(sent(tls))
        assert not caught.value.sent


@asynccontextmanager
async def tunnelling(to: str, answer: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n") -> AsyncGenerator[Seen]:
    """A proxy that connects every tunnel to the server `to`, and keeps all that went through."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        if b" 200 " not in answer:
            return
        host, _, port = to.rpartition("/")[2].partition(":")
        there, onward = await asyncio.open_connection(host, int(port))
        try:
            await asyncio.gather(passed(reader, onward), passed(there, writer))
        finally:
            onward.close()

    async def passed(one: asyncio.StreamReader, other: asyncio.StreamWriter) -> None:
        while data := await one.read(1 << 16):
            seen.requests.append(data)
            other.write(data)
        other.close()

    async with server(script=script) as seen:
        yield seen


def test_a_secure_call_goes_through_the_proxy_of_the_environment_which_sees_no_key(
    authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def sent() -> tuple[bytes, list[bytes], int]:
        tls = secure(authority, "api.example.test")
        async with server(HELLO, tls=tls) as seen, tunnelling(seen.url) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//me:p%40ss@"))
            for _ in range(2):
                answer = await transport.send(posting("https://api.example.test", KEY))
            return answer.body, proxy.requests, proxy.connections

    body, through, connections = asyncio.run(sent())
    assert (body, connections) == (b"hello", 1)
    assert through[0].startswith(b"CONNECT api.example.test:443 HTTP/1.1\r\nhost: api.example.test:443\r\n")
    assert base64.b64encode(b"me:p@ss") in through[0]
    assert not any(KEY.encode() in data for data in through)


def test_uvloop_serves_as_well(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
    uvloop = pytest.importorskip("uvloop")

    async def sent() -> list[bytes]:
        tls = secure(authority, "api.example.test")
        async with server(HELLO) as plain, server(HELLO, tls=tls) as seen, tunnelling(seen.url) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            places = (plain.url, plain.url, "https://api.example.test")
            bodies = [(await transport.send(posting(url))).body for url in places]
            assert plain.connections == 1
        async with server(b"", script=held) as hanging:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(transport.send(posting(hanging.url)), 0.05)
            await hanging.until_closed()
        return bodies

    async def held(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(sent()) == [b"hello"] * 3


def test_a_proxy_that_refuses_is_named(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
    async def sent() -> None:
        refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n"
        async with tunnelling("nowhere:1", refusal) as proxy:
            monkeypatch.setenv("https_proxy", proxy.url)
            await transport.send(posting("https://api.example.test", KEY))

    with pytest.raises(ConnectionLost, match=r"the proxy 127\.0\.0\.1:\d+ answered 407") as caught:
        asyncio.run(sent())
    assert not caught.value.sent


def test_a_plain_call_asks_its_proxy_for_the_whole_url_and_no_proxy_is_obeyed(
    authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def sent() -> bytes:
        async with server(HELLO) as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            await transport.send(posting("http://models.example.test:8000/v1"))
            return proxy.requests[0]

    first = b"POST http://models.example.test:8000/v1/chat HTTP/1.1\r\nhost: models.example.test:8000\r\n"
    assert asyncio.run(sent()).startswith(first)
    monkeypatch.setenv("NO_PROXY", "example.test")
    with pytest.raises(ConnectionLost, match="cannot connect to models.example.test"):
        asyncio.run(sent())


def test_a_loopback_server_is_never_called_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert asyncio.run(answered(HELLO)).body == b"hello"


def test_a_proxy_that_cannot_be_used_is_refused(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:9")
    with pytest.raises(UsageError, match="socks5"):
        asyncio.run(transport.send(posting("https://api.example.test")))
