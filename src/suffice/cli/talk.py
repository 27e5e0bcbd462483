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
from suffice.evals.shown import HARMFUL, harmless
from suffice.values import Json


def data(text: str) -> None:
    """Print lines of data on stdout. A reader who has gone (`| head`) ends the output, not the command."""
    _put(sys.stdout, harmless(text))


def data_json(value: Json, indent: int | None = None) -> None:
    """Print a value as JSON on stdout: any JSON reader takes it, and no terminal obeys it. NaN becomes null."""
    text = json.dumps(_finite(value), ensure_ascii=False, indent=indent, allow_nan=False)
    _put(sys.stdout, HARMFUL.sub(lambda c: f"\\u{ord(c[0]):04x}", text))


def talk(text: str) -> None:
    """Print lines on stderr."""
    _put(sys.stderr, harmless(text))


@contextmanager
def aside() -> Generator[None]:
    """What a solution prints inside, and what its children do, goes to stderr: stdout is for data."""
    try:
        sys.stdout.flush()
        kept = os.dup(1)
        os.dup2(2, 1)
    except (OSError, ValueError, AttributeError):  # a process without one of the two
        yield
        return
    try:
        yield
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


@contextmanager
def rows() -> Generator[Any]:
    """Standard output for rows of a file, in UTF-8 and line ends as they are; to be opened before `aside`.

    On a terminal, what could drive it is made visible.
    """
    try:
        file = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace", newline="")
    except OSError:  # a process without stdout
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


def _put(file: TextIO | None, text: str) -> None:
    if file is None:
        return
    try:
        print(text, file=file, flush=True)
    except BrokenPipeError:
        hush(file)
    except OSError as error:
        hush(file)
        name = "standard output" if file is sys.stdout else "standard error"
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
