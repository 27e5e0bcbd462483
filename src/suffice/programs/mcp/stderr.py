"""The end of what a server writes on stderr, for whoever asks why it did not start: in memory, and nowhere else."""

from __future__ import annotations

import os
from dataclasses import dataclass
from threading import Thread
from typing import Final, TextIO

from suffice.shown import harmless

BYTES: Final = 2_000
LINES: Final = 8
SECONDS: Final = 0.5  # for what a server that has ended wrote last to arrive


@dataclass(slots=True)
class Overheard:
    """Give a server `file` as its stderr. The end of it is kept until `forget()`: once it serves, it may log what it is
    asked, such as a sealed case."""

    file: TextIO
    _reads: int
    _kept: bool = True
    _end: bytes = b""
    _reader: Thread | None = None

    def listen(self) -> None:
        """Read until nobody writes any more."""
        self._reader = Thread(target=self._read, daemon=True, name="suffice-mcp-stderr")
        self._reader.start()

    def _read(self) -> None:
        with os.fdopen(self._reads, "rb", buffering=0) as pipe:
            while part := pipe.read(65_536):
                self._end = (self._end + part)[-BYTES:] if self._kept else b""

    def forget(self) -> None:
        """Keep nothing from now on."""
        self._kept, self._end = False, b""

    def end(self) -> str:
        """The last lines, safe for a terminal; "" where there are none."""
        self.file.close()
        if self._reader is not None:
            self._reader.join(SECONDS)
        lines = [line.rstrip() for line in self._end.decode("utf-8", "replace").splitlines() if line.strip()]
        return harmless("\n".join(lines[-LINES:]))


def overheard() -> Overheard:
    """A stderr for a server, which is listened to."""
    reads, writes = os.pipe()
    made = Overheard(os.fdopen(writes, "w"), reads)
    made.listen()
    return made
