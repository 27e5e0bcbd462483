"""Somebody else's code in a command: what it prints goes aside, sealed cases never, and it cannot end the command.

The command itself speaks through duplicates of stdout and stderr; guests get stderr for both. Where sealed cases may
come, that is a pipe from the first guest on, for this process, its threads and its children: a thread carries what
comes out of it to the real stderr, until the first sealed case. From then on it is dropped to the end, because a child
that was started on dev could still write what it was told later.
"""

from __future__ import annotations

import os
import secrets
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import TextIO

from suffice.cli.talk import own, speak_through
from suffice.programs.leaving import staying

PATIENCE = 2.0  # seconds to wait at the end for what guests have printed


@contextmanager
def aside(*, sealed: bool = False) -> Generator[None]:
    """Run somebody else's code: stdout is for data, so what it prints goes to stderr; `os._exit` is its own failure.

    `sealed` says that this command may come to sealed cases; it must be said to the first guest.
    """
    _house.take(sealed)
    with staying():
        yield


def goodbye() -> None:
    """The end of a command: what guests printed has arrived. Where sealed cases ran, nobody is heard after it."""
    _house.leave()


class _House:
    """The two descriptors of this process, taken at most once."""

    def __init__(self) -> None:
        self.taken = False
        self.pump: threading.Thread | None = None
        self.end = b""
        self.ran_sealed: Callable[[], bool] = bool

    def take(self, sealed: bool) -> None:
        if self.taken:
            return
        try:
            _flush()
            out, err = os.dup(1), os.dup(2)
        except OSError:  # a process without one of the two
            return
        self.taken = True
        speak_through(_file(out, sys.stdout), _file(err, sys.stderr))
        if sealed:
            self._begin_pump(os.dup(err))
        os.dup2(2, 1)

    def _begin_pump(self, err: int) -> None:
        from suffice.evals.hush import ever_hushed

        self.ran_sealed = ever_hushed
        self.end = b"\0" + secrets.token_bytes(15)
        read, write = os.pipe()
        os.dup2(write, 2)
        os.close(write)
        self.pump = threading.Thread(target=self._carry, args=(read, err), name="suffice-guests", daemon=True)
        self.pump.start()

    def _carry(self, read: int, to: int) -> None:
        held = b""
        while chunk := os.read(read, 65_536):
            text, last, _ = (held + chunk).partition(self.end)
            cut = text.rfind(b"\0", -len(self.end)) if not last else -1  # perhaps the first half of the end
            text, held = (text[:cut], text[cut:]) if cut >= 0 else (text, b"")
            if not self.ran_sealed():
                _write(to, text)
            if last:
                break
        os.close(read)

    def leave(self) -> None:
        if not self.taken:
            return
        _flush()
        if self.pump is not None:
            _write(2, self.end)
            self.pump.join(PATIENCE)
        out, err = own()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for number, file in ((1, out), (2, err)):
            with suppress(OSError, ValueError, AttributeError):
                os.dup2(nowhere if self.ran_sealed() or file is None else file.fileno(), number)


def _file(number: int, like: TextIO | None) -> TextIO:
    encoding: str = "utf-8" if like is None else like.encoding
    return os.fdopen(number, "w", 1, encoding=encoding, errors="backslashreplace")


def _write(number: int, text: bytes) -> None:
    with suppress(OSError):  # nobody reads any more
        while text:
            text = text[os.write(number, text) :]


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()


_house = _House()
