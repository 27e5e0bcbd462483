"""Record and replay: what passed on the wire, byte for byte, in a file of JSON lines; replayed without a socket.

A line holds the URL, the request's body, and the answer's status, its harmless headers and its bytes, for a stream
chunk by chunk. Request headers, and so keys, are in no tape. The same request recorded more than once is answered in
the order of the recording, the last one again and again.
"""

from __future__ import annotations

import base64
import difflib
import json
import threading
from collections import defaultdict
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final, Protocol, cast

from suffice.arguments import AnyPath, validated
from suffice.errors import DataError, ReplayMiss
from suffice.held import held
from suffice.models import belonging
from suffice.models.places.address import address
from suffice.models.places.endpoint import Address
from suffice.models.places.providers import PROVIDERS
from suffice.models.sending import transport
from suffice.models.sending.outgoing import Answer, Outgoing
from suffice.values import Json, content_hash

KEPT: Final = ("content-type", "x-request-id", "request-id", "retry-after", "retry-after-ms")
DIFFERENCE: Final = 12  # lines of a difference that are shown


class Tape(Protocol):
    """Stands in for the transport."""

    async def send(self, out: Outgoing) -> Answer:
        """As `transport.send`."""
        ...

    def stream(self, out: Outgoing) -> AsyncGenerator[Answer | bytes]:
        """As `transport.stream`."""
        ...


_running: ContextVar[Tape | None] = ContextVar("suffice_tape", default=None)


def current() -> Tape | None:
    """The tape that calls made here run on."""
    return _running.get()


def is_replaying() -> bool:
    """Whether calls made here are answered from a tape, so that nothing is sent and nothing paid."""
    return isinstance(_running.get(), Player)


@validated
@contextmanager
def record(path: AnyPath) -> Generator[None]:
    """Write what passes on the wire inside to the end of the file `path` (mode 0600). Raises DataError, and
    UsageError for what is no path.

    It holds the texts of requests and answers: keep it as carefully as the data. Calls on sealed cases are left out.
    """
    with held(_running, _Recorder(Path(path))):
        yield


@validated
@contextmanager
def replay(path: AnyPath) -> Generator[None]:
    """Answer every call made inside from the file `path`; nothing is sent. A request that is not in it: ReplayMiss.

    Raises DataError with file and line for a file that is no tape, UsageError for what is no path.
    """
    with held(_running, Player(Path(path))):
        yield


@contextmanager
def replaying(player: Player) -> Generator[None]:
    """As `replay`, of a tape that was read."""
    with held(_running, player):
        yield


class _Recorder:
    """The transport, with a pen."""

    def __init__(self, path: Path) -> None:
        self.path, self.lock = path, threading.Lock()
        try:
            path.touch(mode=0o600, exist_ok=True)
        except OSError as error:
            raise DataError(f"cannot be written: {error.strerror}", where=str(path)) from None

    async def send(self, out: Outgoing) -> Answer:
        answer = await transport.send(out)
        self._write(out, answer, [answer.body])
        return answer

    async def stream(self, out: Outgoing) -> AsyncGenerator[Answer | bytes]:
        parts = transport.stream(out)
        async with aclosing(parts):
            head = cast("Answer", await anext(parts))
            yield head
            chunks = [head.body] if head.body else []
            async for chunk in parts:
                chunks.append(cast("bytes", chunk))
                yield chunk
        self._write(out, head, chunks)  # a stream that was left early is not written: it is no whole answer

    def _write(self, out: Outgoing, head: Answer, chunks: list[bytes]) -> None:
        run = belonging.current()
        if run is not None and run.sealed:
            return
        line = {
            "model": _name(out),
            "url": out.target.url,
            "request": json.loads(out.body),
            "status": head.status,
            "headers": {name: head.headers[name] for name in KEPT if name in head.headers},
            "streamed": not head.body and head.status == 200,
            "chunks": [_text(chunk) for chunk in _without_key(out, chunks)],
        }
        with self.lock, self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


class Player:
    """A tape that is read. `address` is the model that was called on it."""

    def __init__(self, file: str | Path) -> None:
        self.path = path = Path(file)
        self.lines: dict[str, list[dict[str, Json]]] = defaultdict(list)
        self.played: dict[str, int] = defaultdict(int)
        self.lock = threading.Lock()
        for line in _read(path):
            self.lines[_key(line["url"], line["request"])].append(line)
        self.called = tuple(dict.fromkeys(line["model"] for lines in self.lines.values() for line in lines))

    @property
    def address(self) -> Address:
        """The one model of the tape. Raises DataError where there are several, or none."""
        if len(self.called) != 1:
            what = f"{len(self.called)} models were called on this tape" if self.called else "the tape is empty"
            raise DataError(what, where=str(self.path), hint="with sf.models.replay(FILE), and the models by name")
        return address(self.called[0])

    async def send(self, out: Outgoing) -> Answer:
        line = self._next(out)
        return Answer(line["status"], line["headers"], b"".join(map(_bytes, line["chunks"])))

    async def stream(self, out: Outgoing) -> AsyncGenerator[Answer | bytes]:
        line = self._next(out)
        chunks = [_bytes(chunk) for chunk in line["chunks"]]
        if not line["streamed"]:
            yield Answer(line["status"], line["headers"], b"".join(chunks))
            return
        yield Answer(line["status"], line["headers"])
        for chunk in chunks:
            yield chunk

    def _next(self, out: Outgoing) -> dict[str, Json]:
        asked = json.loads(out.body)
        key = _key(out.target.url, asked)
        with self.lock:
            lines = self.lines.get(key)
            if not lines:
                raise self._missed(asked)
            turn = self.played[key]
            self.played[key] = turn + 1
        return lines[min(turn, len(lines) - 1)]

    def _missed(self, asked: Json) -> ReplayMiss:
        """Says how the nearest recorded request differs."""
        want = _lines(asked)
        recorded = [_lines(lines[0]["request"]) for lines in self.lines.values()]
        if not recorded:
            return ReplayMiss("nothing is recorded here", sent=False, where=str(self.path))
        near = max(recorded, key=lambda have: difflib.SequenceMatcher(None, have, want, autojunk=False).ratio())
        difference = [d for d in difflib.unified_diff(near, want, lineterm="", n=0) if d[:2] not in ("--", "++", "@@")]
        if not difference:
            difference = ["the body is the same; another URL was called"]
        shown = [d if len(d) <= 160 else f"{d[:159]}…" for d in difference[:DIFFERENCE]]
        more = [f"… and {len(difference) - DIFFERENCE} lines more"] if len(difference) > DIFFERENCE else []
        text = "\n  ".join([*shown, *more])
        return ReplayMiss(
            f"this request was not recorded; the nearest differs in (- recorded, + asked)\n  {text}",
            sent=False,
            where=str(self.path),
            hint="record it: with sf.models.record(FILE), where a model can be reached",
        )


def _name(out: Outgoing) -> str:
    """The model that was called, as a user would write it."""
    name = json.loads(out.body).get("model", "")
    provider = out.target.endpoint.provider
    if provider in PROVIDERS and PROVIDERS[provider].url == out.target.endpoint.url:
        return f"{provider}:{name}"
    return f"{'anthropic+' if out.target.endpoint.dialect.name == 'anthropic' else ''}{out.target.endpoint.url}#{name}"


def _without_key(out: Outgoing, chunks: list[bytes]) -> list[bytes]:
    """The chunks of an answer; as one where the key was cut across them."""
    whole = b"".join(chunks)
    clear = out.target.without_key(whole)
    return chunks if clear == whole else [clear]


def _key(url: str, request: Json) -> str:
    return content_hash([url, json.dumps(request)])  # in its order: another order of fields is another request


def _lines(request: Json) -> list[str]:
    return json.dumps(request, indent=1, ensure_ascii=False).split("\n")


def _text(chunk: bytes) -> Json:
    """Bytes as text where they are UTF-8, which a chunk cut in the middle of a letter is not."""
    try:
        return chunk.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(chunk).decode()}


def _bytes(chunk: Any) -> bytes:
    return chunk.encode("utf-8") if isinstance(chunk, str) else base64.b64decode(chunk["base64"], validate=True)


def _read(path: Path) -> list[dict[str, Json]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read: {getattr(error, 'strerror', None) or error}", where=str(path)) from None
    found: list[dict[str, Json]] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            made: Any = json.loads(line)
            if not {"model", "url", "request", "status", "headers", "streamed", "chunks"} <= made.keys():
                raise ValueError("it lacks a part")
            if not isinstance(made["status"], int) or not isinstance(made["headers"], dict):
                raise ValueError("its status or headers are none")
            for chunk in made["chunks"]:
                _bytes(chunk)
        except (ValueError, AttributeError, TypeError, KeyError) as error:
            raise DataError(f"this is no line of a recording: {error}", where=f"{path}:{number}") from None
        found.append(made)
    return found
