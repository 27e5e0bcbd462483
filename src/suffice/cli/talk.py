"""The one place where text leaves a command: data on stdout, talk on stderr, neither able to drive a terminal."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from suffice.errors import DataError
from suffice.shown import HARMFUL, harmless
from suffice.values import Json


def own() -> tuple[TextIO | None, TextIO | None]:
    """Where this command writes its data and its talk: stdout and stderr, or duplicates once guests have those."""
    return _mouth.out or sys.stdout, _mouth.err or sys.stderr


def speak_through(out: TextIO, err: TextIO) -> None:
    """Write data and talk to these from now on."""
    _mouth.out, _mouth.err = out, err


class _Mouth:
    """What there is one of in a process: the files that a command speaks through."""

    out: TextIO | None = None
    err: TextIO | None = None


_mouth = _Mouth()


def data(text: str) -> None:
    """Print lines of data on stdout. A reader who has gone (`| head`) ends the output, not the command."""
    _put(own()[0], harmless(text))


def data_json(value: Json, indent: int | None = None) -> None:
    """Print a value as JSON on stdout: any JSON reader takes it, and no terminal obeys it. NaN becomes null."""
    text = json.dumps(_finite(value), ensure_ascii=False, indent=indent, allow_nan=False)
    _put(own()[0], HARMFUL.sub(lambda c: f"\\u{ord(c[0]):04x}", text))


def talk(text: str) -> None:
    """Print lines on stderr."""
    _put(own()[1], harmless(text))


@contextmanager
def rows() -> Generator[Any]:
    """Standard output for rows of a file, in UTF-8 and line ends as they are; whoever has stdout by now.

    On a terminal, what could drive it is made visible.
    """
    out = own()[0]
    try:
        number = os.dup(1 if out is None else out.fileno())
        file = os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace", newline="")
    except (OSError, ValueError):  # a process without stdout
        file = open(os.devnull, "w", encoding="utf-8")
    try:
        yield _Pane(file) if file.isatty() else file
    finally:
        with suppress(OSError, ValueError):
            file.close()


class _Pane:
    """A text file in front of a terminal."""

    def __init__(self, file: TextIO) -> None:
        self.file = file

    def write(self, text: str) -> None:
        """Show `text`."""
        self.file.write(harmless(text.replace("\r\n", "\n")))

    def flush(self) -> None:
        """Hand on what was written."""
        self.file.flush()

    def isatty(self) -> bool:
        """It is."""
        return True


def _put(file: TextIO | None, text: str) -> None:
    if file is None:
        return
    try:
        print(text, file=file, flush=True)
    except BrokenPipeError:
        hush(file)
    except OSError as error:
        hush(file)
        name = "standard output" if file is own()[0] else "standard error"
        raise DataError(
            f"{name} cannot be written: {error.strerror or error}; what was recorded is kept",
            hint="free some space or write elsewhere; the same command asks nothing twice",
        ) from None


def hush(file: TextIO) -> None:
    """Let what is still written to `file` go nowhere: its reader has gone."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, file.fileno())
        os.close(nowhere)


def _finite(value: Any) -> Json:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(v) for key, v in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]  # pyright: ignore[reportUnknownVariableType]
    return value
