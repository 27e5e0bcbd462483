"""The parent's ear for a confined program: feeds it, hears it, and stops listening when it has had its time."""

from __future__ import annotations

import os
import selectors
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, field
from typing import IO, Final, Literal, cast

PREPARING: Final = 60.0  # seconds until it starts, and for what it leaves behind: not its own time
_TICK: Final = 0.05
_CHUNK: Final = 1 << 16


@dataclass(slots=True)
class Heard:
    """What came: `control` is what the process that watches over it said (`watch.py`), whole only if `over` is None."""

    stdout: bytearray = field(default_factory=bytearray)
    stderr: bytearray = field(default_factory=bytearray)
    control: bytearray = field(default_factory=bytearray)
    over: Literal["timeout", "output", "stopped"] | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """Seconds of wall-clock time, bytes of output on each stream and of what comes back."""

    seconds: float
    output: int
    back: int


def listen(
    process: subprocess.Popen[bytes], control: socket.socket, stdin: bytes, bounds: Bounds, stop: threading.Event
) -> Heard:
    """Hear a program until it ended, or one of the bounds or `stop` ends the hearing. Ends no process."""
    heard, ears = Heard(), selectors.DefaultSelector()
    outputs = {cast("IO[bytes]", process.stdout).fileno(): heard.stdout}
    outputs[cast("IO[bytes]", process.stderr).fileno()] = heard.stderr
    sinks = {**outputs, control.fileno(): heard.control}
    for source in sinks:
        os.set_blocking(source, False)
        ears.register(source, selectors.EVENT_READ)
    feed = _Feed(cast("IO[bytes]", process.stdin), memoryview(stdin), ears)
    began = until = 0.0
    with ears:
        while control.fileno() in ears.get_map():
            for key, _ in ears.select(_TICK):
                if key.fd not in sinks:
                    feed.go_on()
                elif not _read(key.fd, sinks[key.fd]):
                    ears.unregister(key.fd)
            now = time.monotonic()
            began, until = _clock(heard.control, bounds, began, until, now)
            heard.over = _over(heard, bounds, now > until, stop)
            if heard.over is not None:
                break
    for source, sink in outputs.items():  # what it wrote before it ended; who else holds the pipe is not waited for
        while len(sink) <= bounds.output and _read(source, sink):
            pass
        if len(sink) > bounds.output:
            heard.over = heard.over or "output"
            del sink[bounds.output :]
    heard.seconds = time.monotonic() - began if began else 0.0
    return heard


def _clock(said: bytearray, bounds: Bounds, began: float, until: float, now: float) -> tuple[float, float]:
    """When the program began, and until when it is heard: its own time runs from its first word to its last."""
    first = said.find(b"\n")
    if first < 0:
        return 0.0, until or now + PREPARING
    if not began:
        return now, now + bounds.seconds
    return began, until if len(said) == first + 1 else max(until, began + bounds.seconds + PREPARING)


def _over(
    heard: Heard, bounds: Bounds, late: bool, stop: threading.Event
) -> Literal["timeout", "output", "stopped"] | None:
    if stop.is_set():
        return "stopped"
    if max(len(heard.stdout), len(heard.stderr)) > bounds.output or len(heard.control) > bounds.back:
        return "output"
    return "timeout" if late else None


def _read(source: int, sink: bytearray) -> bool:
    """Whether there was something; False at the end, and where nothing is there now."""
    try:
        chunk = os.read(source, _CHUNK)
    except OSError:
        return False
    sink += chunk
    return bool(chunk)


class _Feed:
    """Standard input, as fast as it is read; a program that does not read it is none the worse."""

    def __init__(self, pipe: IO[bytes], rest: memoryview, ears: selectors.BaseSelector) -> None:
        self.pipe, self.rest, self.ears = pipe, rest, ears
        os.set_blocking(pipe.fileno(), False)
        ears.register(pipe, selectors.EVENT_WRITE)

    def go_on(self) -> None:
        try:
            self.rest = self.rest[os.write(self.pipe.fileno(), self.rest[:_CHUNK]) :]
            if self.rest:
                return
        except BlockingIOError:
            return
        except OSError:  # nobody reads any more
            pass
        self.ears.unregister(self.pipe)
        self.pipe.close()
