"""The system calls of Linux that Python has no functions for, by libc through ctypes."""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import sys
from typing import Final

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
NOSUID, NODEV, BIND, REC, PRIVATE, DETACH = 0x2, 0x4, 0x1000, 0x4000, 0x40000, 2
_READ_ONLY, _ATTR_NOSUID, _RECURSIVE, _HERE = 0x1, 0x2, 0x8000, -100
_PARENT_DIES, _DUMPABLE = 1, 4
_CALLS: Final = {"x86_64": (155, 442), "aarch64": (41, 442)}  # pivot_root, mount_setattr


class Linux:
    """libc; making one raises OSError where this is no Linux that is known here."""

    def __init__(self) -> None:
        if sys.platform != "linux" or platform.machine() not in _CALLS:
            raise OSError(f"{platform.system()} on {platform.machine()} has no namespaces known here")
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.pivot, self.setattr = _CALLS[platform.machine()]

    def __call__(self, name: str, *arguments: object) -> None:
        """Call a function of libc. Raises OSError."""
        given = [a.encode() if isinstance(a, str) else a for a in arguments]
        if getattr(self.libc, name)(*given) != 0:
            code = ctypes.get_errno()
            raise OSError(code, f"{name}: {os.strerror(code)}")

    def read_only(self, path: str, *, below: bool) -> None:
        """A mount read-only, with all mounts below it or without. Needs Linux 5.12."""
        wanted = (ctypes.c_uint64 * 4)(_READ_ONLY | _ATTR_NOSUID, 0, 0, 0)
        self("syscall", self.setattr, _HERE, path, _RECURSIVE if below else 0, ctypes.byref(wanted), 32)

    def pivot_here(self) -> None:
        """The working directory becomes the root, and the old root is gone."""
        self("syscall", self.pivot, ".", ".")
        self("umount2", ".", DETACH)

    def hide_memory(self) -> None:
        """No other process of the same user may read this one's memory, environment or open files."""
        self("prctl", _DUMPABLE, 0, 0, 0, 0)


def die_with_parent() -> None:
    """This process is killed as soon as the one that made it ends. On Linux; elsewhere nothing happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DIES, int(signal.SIGKILL))
