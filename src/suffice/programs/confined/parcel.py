"""Files with a note, as bytes for a pipe: how they get into a confined folder and out of it. Never through a path."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Final, cast

MOST: Final = 1_000  # files that come out
_DEEPEST: Final = 16
_LONGEST: Final = 1 << 22  # bytes of a header


def fits(name: str) -> bool:
    """Whether a name leads to a file below a folder, written in the one way that there is: "data/a.csv"."""
    path = PurePosixPath(name)
    plain = name.isprintable() and len(name) <= 1_000 and not name.startswith("/") and str(path) == name
    return plain and ".." not in path.parts and 0 < len(path.parts) <= _DEEPEST


def packed(note: Mapping[str, Any], files: Mapping[str, bytes]) -> bytes:
    """One line of JSON with the names and sizes, then the bytes of the files one after another."""
    header = {**note, "files": [[name, len(content)] for name, content in files.items()]}
    return b"".join((json.dumps(header).encode(), b"\n", *files.values()))


def unpacked(stream: BinaryIO) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The inverse. Raises ValueError for what is none, or was cut off."""
    line = stream.readline(_LONGEST)
    header: Any = json.loads(line) if line.endswith(b"\n") else None
    if not isinstance(header, dict):
        raise ValueError("no header")
    note = cast("dict[str, Any]", header)
    files = dict[str, bytes]()
    for name, size in cast("list[tuple[str, int]]", note.pop("files")):
        files[name] = stream.read(size)
        if len(files[name]) != size:
            raise ValueError("cut off")
    return note, files


def put(files: Mapping[str, bytes]) -> None:
    """Write files into the working directory. Raises OSError."""
    for name, content in files.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@dataclass(slots=True)
class Taken:
    """What is read of a folder, and the names of what is left there: all that is no plain file, or too much."""

    room: int  # bytes
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    left: list[str] = field(default_factory=list[str])

    def take(self, folder: int, before: str = "") -> None:
        """Read what is below an open folder. No link is followed, no pipe or device is opened."""
        for name in sorted(os.listdir(folder)):
            at = before + name
            if len(self.left) >= MOST:
                return
            try:
                opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
            except OSError:  # a link, or not readable
                self.left.append(at)
                continue
            try:
                self._take_one(opened, at)
            finally:
                os.close(opened)

    def _take_one(self, opened: int, at: str) -> None:
        found = os.fstat(opened)
        if stat.S_ISDIR(found.st_mode) and at.count("/") < _DEEPEST - 1:
            self.take(opened, f"{at}/")
        elif stat.S_ISREG(found.st_mode) and found.st_size <= self.room and len(self.files) < MOST and fits(at):
            with open(opened, "rb", closefd=False) as file:
                self.files[at] = file.read(found.st_size)
            self.room -= len(self.files[at])
        else:
            self.left.append(at)
