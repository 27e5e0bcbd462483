"""What a confined process may take, as it is handed from the parent to the process that sets it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Final

UNAVAILABLE: Final = 97
"""Exit status of a process that could not be isolated; its `report` says why, after `WHY`."""

WHY: Final = "no isolation: "

INODES: Final = 10_000
"""Files and folders on a disk of its own."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds of CPU, MiB of memory a process, and whether it must be cut off from network, files and processes.

    Where it is isolated, `memory` holds for all its processes together, too. `control`: the file descriptor of a socket
    over which it gets its files and says how it ended (`watch.py`); None: it has none, and says on stderr why it could
    not be isolated.
    """

    seconds: float = 10.0
    memory: int = 512
    isolated: bool = True
    processes: int = 8  # threads count
    files: int = 64  # open at a time
    written: int = 64  # MiB on its own disk, which is memory
    largest: int = 16  # MiB of one file
    control: int | None = None

    def told(self) -> str:
        """As one argument of a command."""
        return json.dumps(asdict(self))


def limits_of(text: str) -> Limits:
    """The inverse of `told`."""
    return Limits(**json.loads(text))
