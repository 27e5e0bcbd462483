"""What an upstream may do with one request: each way a small frozen value; `steps` says what goes on the wire."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, cast

import upstream_bodies as bodies

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Asked:
    """One request as it arrived. `number` counts from 0 over all connections, `in_flight` counts this one, too.

    Header names are in lower case; values of headers that hold keys are left out.
    """

    number: int
    at: float
    path: str
    headers: Mapping[str, str]
    body: Any
    in_flight: int
    connection: int

    @property
    def said(self) -> dict[str, Any]:
        """The body, where it is a JSON object."""
        body: Any = self.body
        return cast("dict[str, Any]", body) if isinstance(body, dict) else {}

    @property
    def streams(self) -> bool:
        """Whether a stream was asked for."""
        return bool(self.said.get("stream"))

    @property
    def dialect(self) -> str:
        """ "openai" or "anthropic"."""
        return bodies.dialect_of(self.path)

    @property
    def model(self) -> str:
        """The model that was asked for."""
        return str(self.said.get("model", ""))

    @property
    def text(self) -> str:
        """The content of the last message, where that is a text."""
        messages = self.said.get("messages")
        content = messages[-1].get("content") if messages else ""
        return content if isinstance(content, str) else ""


@dataclass(frozen=True)
class Ok:
    """A good reply after `delay` seconds; as a stream of one chunk, or of vectors, where that was asked for.

    `tool` is the only thing in it, `tools` are calls beside its text. `tokens` are those of its text with their
    log-probabilities, given where they were asked for.
    """

    text: str = "ok"
    usage: bodies.Usage = (12, 3)
    delay: float = 0.0
    headers: Headers = ()
    finish: str = "stop"
    tool: tuple[str, str] | None = None
    tools: tuple[tuple[str, str], ...] = ()
    tokens: tuple[bodies.Token, ...] = ()


@dataclass(frozen=True)
class StreamOk:
    """A good stream with `delay` seconds before each chunk. `done` is whether its end is announced.

    `piece` cuts what is written into pieces of so many bytes, wherever that falls.
    """

    chunks: tuple[str, ...] = ("Once ", "upon ", "a ", "time.")
    delay: float = 0.0
    usage: bodies.Usage = (12, 4)
    finish: str = "stop"
    done: bool = True
    piece: int = 0


@dataclass(frozen=True)
class Status:
    """An answer that is not 200. Without a `body` it is an error as the dialect writes it, with `code` in it."""

    status: int
    headers: Headers = ()
    body: str | None = None
    code: str | None = None
    delay: float = 0.0


@dataclass(frozen=True)
class RateHeaders:
    """A good reply whose headers say what is left of the rate limits, and in how long that is reset ("1s")."""

    requests: int = 0
    reset: str = "1s"
    tokens: int | None = None
    then: Ok = field(default_factory=Ok)


@dataclass(frozen=True)
class ResetBefore:
    """The connection is reset before a byte of an answer."""

    delay: float = 0.0


@dataclass(frozen=True)
class ResetMidBody:
    """The connection is reset after `at` bytes of the body; in a stream, of its events."""

    at: int = 40


@dataclass(frozen=True)
class CutBody:
    """A whole body, but `missing` bytes fewer than its content-length says; then the connection is closed."""

    missing: int = 10


@dataclass(frozen=True)
class SlowDrip:
    """A good reply, byte by byte with `seconds` between them."""

    seconds: float = 0.05


@dataclass(frozen=True)
class HalfEvent:
    """Some good chunks, half an event, and the connection is closed. `clean`: with a proper end of the HTTP body."""

    chunks: tuple[str, ...] = ("Once ", "upon ")
    clean: bool = False


@dataclass(frozen=True)
class ErrorInside:
    """Some good chunks, and an error as an event."""

    chunks: tuple[str, ...] = ("Once ", "upon ")
    message: str = "Overloaded"


@dataclass(frozen=True)
class DuplicateChunks:
    """A good stream in which every event of text comes twice."""

    chunks: tuple[str, ...] = ("Once ", "upon ")


@dataclass(frozen=True)
class Html200:
    """A web page with status 200, as proxies and captive portals send."""


@dataclass(frozen=True)
class WrongJson:
    """Status 200 and JSON that is no reply."""

    body: str = '{"object":"chat.completion","choices":[]}'


@dataclass(frozen=True)
class Hang:
    """Nothing more, ever: before the head, or after it."""

    after_head: bool = False


Fault = (
    Ok
    | StreamOk
    | Status
    | RateHeaders
    | ResetBefore
    | ResetMidBody
    | CutBody
    | SlowDrip
    | HalfEvent
    | ErrorInside
    | DuplicateChunks
    | Html200
    | WrongJson
    | Hang
)
Script = Callable[[Asked], Fault]
"""What happens to a request."""


class End(Enum):
    """How a connection ends early."""

    CLOSE = "closed"
    RESET = "reset"
    HANG = "hanging"


@dataclass(frozen=True)
class Send:
    """Bytes to write; `chunk` where they are one event of text in a stream."""

    data: bytes
    chunk: bool = False


Step = Send | float | End
"""Bytes to write, seconds to wait, or an early end. A reply without an End keeps its connection."""

SETTLE = 0.02  # seconds in which what was written arrives before a reset
PAGE = "<!DOCTYPE html><html><title>Sign in</title><body>Please sign in to the network.</body></html>"
JSON = "application/json"


def steps(fault: Fault, asked: Asked) -> Iterator[Step]:
    """What goes on the wire for one request."""
    match fault:
        case Ok() | RateHeaders():
            yield from _good(fault, asked)
        case StreamOk():
            yield from _streamed(fault, asked)
        case Status(status, headers, body, code, delay):
            shown = _words(status) if body is None else body
            made = bodies.error(asked.dialect, status, shown, code) if body is None else body.encode()
            yield delay
            yield Send(_head(status, len(made), JSON, headers) + made)
        case ResetBefore() | ResetMidBody() | CutBody() | SlowDrip() | Hang():
            yield from _bad_connection(fault, asked)
        case HalfEvent() | ErrorInside() | DuplicateChunks():
            yield from _bad_stream(fault, asked)
        case Html200():
            yield Send(_head(200, len(PAGE), "text/html") + PAGE.encode())
        case WrongJson(text):
            yield Send(_head(200, len(text.encode()), JSON) + text.encode())


def _bad_connection(fault: ResetBefore | ResetMidBody | CutBody | SlowDrip | Hang, asked: Asked) -> Iterator[Step]:
    head, body = _plain(asked)
    match fault:
        case ResetBefore(delay):
            yield delay
            yield End.RESET
        case ResetMidBody(at):
            yield from (Send(head), Send(body[:at]), SETTLE, End.RESET)
        case CutBody(missing):
            yield from (Send(head + body[: len(body) - missing]), SETTLE, End.CLOSE)
        case SlowDrip(seconds):
            yield Send(head)
            for i in range(len(body)):
                yield from (seconds, Send(body[i : i + 1], chunk=True))
        case Hang(after_head):
            if after_head:
                yield Send(head)
            yield End.HANG


def _good(fault: Ok | RateHeaders, asked: Asked) -> Iterator[Step]:
    if isinstance(fault, RateHeaders):
        said: list[tuple[str, str]] = [
            ("x-ratelimit-remaining-requests", str(fault.requests)),
            ("x-ratelimit-reset-requests", fault.reset),
        ]
        if fault.tokens is not None:
            said += [("x-ratelimit-remaining-tokens", str(fault.tokens)), ("x-ratelimit-reset-tokens", fault.reset)]
        fault = replace(fault.then, headers=(*fault.then.headers, *said))
    if fault.delay:
        yield fault.delay
    if asked.streams:
        yield from _streamed(StreamOk((fault.text,), 0.0, fault.usage, fault.finish), asked, fault.headers)
        return
    if asked.path.endswith("/embeddings"):
        body = bodies.embeddings(asked.model, asked.body["input"])
    else:
        tokens = fault.tokens if asked.said.get("logprobs") else ()
        text, tools = ("", (fault.tool,)) if fault.tool else (fault.text, fault.tools)
        body = bodies.whole(asked.dialect, asked.model, text, fault.usage, fault.finish, tools, tokens)
    yield Send(_head(200, len(body), JSON, fault.headers) + body)


def _streamed(fault: StreamOk, asked: Asked, headers: Headers = ()) -> Iterator[Step]:
    events = bodies.events(asked.dialect, asked.model, fault.chunks, fault.usage, fault.finish)
    first, last = bodies.before(asked.dialect), bodies.before(asked.dialect) + len(fault.chunks)
    yield Send(_head(200, None, "text/event-stream", headers))
    for i, event in enumerate(events if fault.done else events[:-1]):
        text = first <= i < last
        if text and fault.delay:
            yield fault.delay
        if fault.piece:
            for k in range(0, len(event), fault.piece):
                # without a wait the kernel would put the pieces together again
                yield from (Send(_framed(event[k : k + fault.piece])), 0.001)
        else:
            yield Send(_framed(event), chunk=text)
    yield Send(_framed(b""))


def _bad_stream(fault: HalfEvent | ErrorInside | DuplicateChunks, asked: Asked) -> Iterator[Step]:
    events = bodies.events(asked.dialect, asked.model, fault.chunks, (12, 2), "stop")
    first, last = bodies.before(asked.dialect), bodies.before(asked.dialect) + len(fault.chunks)
    texts = events[first:last]
    yield Send(_head(200, None, "text/event-stream") + b"".join(_framed(e) for e in events[:first]))
    if isinstance(fault, DuplicateChunks):
        for event in texts:
            yield from (Send(_framed(event), chunk=True), Send(_framed(event), chunk=True))
        yield Send(b"".join(_framed(e) for e in events[last:]) + _framed(b""))
        return
    for event in texts:
        yield Send(_framed(event), chunk=True)
    if isinstance(fault, ErrorInside):
        yield Send(_framed(bodies.broken(asked.dialect, fault.message)) + _framed(b""))
        return
    half = bodies.piece(asked.dialect, asked.model, "broken off")
    yield Send(_framed(half[: len(half) // 2]) + (_framed(b"") if fault.clean else b""))
    yield from (SETTLE, End.CLOSE)


def _plain(asked: Asked) -> tuple[bytes, bytes]:
    """A good reply as head and body of known length: also a stream's, whose events then come in one body."""
    if asked.streams:
        body = b"".join(bodies.events(asked.dialect, asked.model, ("Once ", "upon "), (12, 2), "stop"))
        return _head(200, len(body), "text/event-stream"), body
    body = bodies.whole(asked.dialect, asked.model, "ok", (12, 3), "stop")
    return _head(200, len(body), JSON), body


def _head(status: int, length: int | None, kind: str, headers: Headers = ()) -> bytes:
    size = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
    more = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/1.1 {status} {_words(status)}\r\ncontent-type: {kind}\r\n{size}\r\n{more}\r\n".encode()


def _framed(data: bytes) -> bytes:
    """One chunk of chunked transfer coding (RFC 9112, section 7.1); the empty one is the last."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def _words(status: int) -> str:
    said = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 429: "Too Many Requests", 503: "Service Unavailable"}
    return said.get(status, "Internal Server Error" if status >= 500 else "Error")


def rate_limited(seconds: float | None = None, milliseconds: float | None = None) -> Status:
    """429, with Retry-After or retry-after-ms where given."""
    said = {"retry-after": seconds, "retry-after-ms": milliseconds}
    return Status(429, tuple((name, f"{value:g}") for name, value in said.items() if value is not None))


def too_long() -> Status:
    """400 because the input does not fit the model's window."""
    return Status(400, code="context_length_exceeded")


def always(fault: Fault) -> Script:
    """The same for every request."""
    return lambda asked: fault


def first(*faults: Fault, then: Fault | None = None) -> Script:
    """These for the first requests in turn, `then` (a good reply) for all others."""
    last = Ok() if then is None else then
    return lambda asked: faults[asked.number] if asked.number < len(faults) else last


def capacity(most: int, delay: float = 0.05, refusal: Status | None = None) -> Script:
    """Good replies after `delay` seconds, and a refusal where more than `most` requests are in flight."""
    refused = refusal or rate_limited()
    return lambda asked: refused if asked.in_flight > most else Ok(delay=delay)


def drawn(shares: Mapping[Fault, float], seed: int = 0, otherwise: Fault | None = None) -> Script:
    """Each fault with its share of the requests, at random but the same for the same seed and number."""
    last = Ok() if otherwise is None else otherwise

    def script(asked: Asked) -> Fault:
        at = random.Random(seed * 1_000_003 + asked.number).random()
        for fault, share in shares.items():
            at -= share
            if at < 0:
                return fault
        return last

    return script


def storm(share: float = 0.3, seed: int = 0, hanging: bool = False) -> Script:
    """All that may pass, at random: `share` of the requests meet one of the faults, each as often as the others.

    Hanging is among them only where it is said, because it lasts as long as the client's time-out.
    """
    faults: list[Fault] = [
        rate_limited(),
        rate_limited(milliseconds=20),
        Status(500),
        Status(503, body="upstream connect error"),
        ResetBefore(),
        ResetMidBody(),
        CutBody(),
        Html200(),
        WrongJson(),
        HalfEvent(),
        ErrorInside(),
        *([Hang()] if hanging else []),
    ]
    stray = (HalfEvent, ErrorInside)
    plain: list[Fault] = [f for f in faults if not isinstance(f, stray)]

    def script(asked: Asked) -> Fault:
        fitting = faults if asked.streams else plain
        return drawn({fault: share / len(fitting) for fault in fitting}, seed)(asked)

    return script


def spoken(spec: str) -> Script:
    """A script by name, for the command line: "ok[:delay]", "capacity:N[:delay]", "storm[:share[:seed]]",
    "refusals:SHARE_429:SHARE_500[:seed]", "stream:CHUNKS[:delay]". Delays in seconds."""
    name, *said = spec.split(":")
    numbers = [float(x) for x in said]
    if name == "ok":
        return always(Ok(delay=numbers[0] if numbers else 0.0))
    if name == "capacity":
        return capacity(int(numbers[0]), numbers[1] if len(numbers) > 1 else 0.05)
    if name == "storm":
        return storm(numbers[0] if numbers else 0.3, int(numbers[1]) if len(numbers) > 1 else 0)
    if name == "refusals":
        seed = int(numbers[2]) if len(numbers) > 2 else 0
        return drawn({rate_limited(): numbers[0], Status(500): numbers[1]}, seed)
    if name == "stream":
        return always(StreamOk(("word ",) * int(numbers[0]), numbers[1] if len(numbers) > 1 else 0.0))
    raise ValueError(f"no script is called {name!r}")
