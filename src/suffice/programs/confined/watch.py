"""The process that watches over a confined program: it gives it its files, ends all of it, and says how it ended.

Isolated it is process 1 of the namespace, which nothing inside can kill, and whose memory nothing inside can read.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from suffice.programs.confined.limits import Limits
from suffice.programs.confined.parcel import Taken, packed, put, unpacked

TICK: Final = 0.05  # seconds between two looks at the memory
_MIB: Final = 1 << 20


def watch(limits: Limits, run: Callable[[], NoReturn], unheld: Sequence[str], *, first: bool) -> NoReturn:
    """Run the program in a child, wait for it, and end as it ended.

    Over `limits.control` comes the parcel of its files; back goes a parcel that says that it starts and what does not
    hold here, then one with its end and its files. `first`: this is process 1.
    """
    if limits.control is not None:
        _send(limits.control, packed({"unheld": list(unheld), "fault": _given(limits.control)}, {}))
    inner = os.fork()
    if inner == 0:
        run()
    bound = limits.memory * _MIB if first and "memory" not in unheld else None
    status, seconds, over = _ended(inner, bound)
    if first:
        _end_all()
    code = os.waitstatus_to_exitcode(status)
    if limits.control is not None:
        taken = Taken(limits.written * _MIB)
        taken.take(os.open(".", os.O_RDONLY))
        told: dict[str, Any] = {"code": code, "cpu": seconds, "memory": over, "left": taken.left}
        _send(limits.control, packed(told, taken.files))
    os._exit(code & 0xFF)


def _given(control: int) -> str:
    """Write the files that come in; what hinders it."""
    try:
        with open(control, "rb", closefd=False) as stream:
            put(unpacked(stream)[1])
    except OSError as error:
        return f"its files cannot be written: {error.strerror}"
    return ""


def _ended(inner: int, bound: int | None) -> tuple[int, float, bool]:
    """Wait status and seconds of CPU of the child, and whether all together took more than `bound` bytes."""
    if bound is None:
        while True:
            pid, status, used = os.wait4(-1, 0)
            if pid == inner:
                return status, used.ru_utime + used.ru_stime, False
    over, watched = False, os.pidfd_open(inner)
    while True:
        select.select([watched], [], [], TICK)
        while (reaped := os.wait4(-1, os.WNOHANG))[0]:
            pid, status, used = reaped
            if pid == inner:
                return status, used.ru_utime + used.ru_stime, over
        if taken_memory() > bound:
            over = True
            os.kill(-1, signal.SIGKILL)


def taken_memory() -> int:
    """Bytes that all other processes in /proc take, what they share counted once."""
    return sum(_memory_of(path) for path in Path("/proc").iterdir() if path.name.isdigit() and path.name != "1")


def _memory_of(process: Path) -> int:
    try:
        lines = (process / "smaps_rollup").read_bytes().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith(b"Pss:"))
    except (OSError, StopIteration):  # it has ended, or hides itself: then what everybody may see
        pass
    try:
        return int((process / "statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def _end_all() -> None:
    """As process 1: nothing that the program left behind goes on, or changes the files while they are read."""
    try:
        os.kill(-1, signal.SIGKILL)
        while True:
            os.wait()
    except (ProcessLookupError, ChildProcessError):
        pass


def _send(control: int, parcel: bytes) -> None:
    view = memoryview(parcel)
    while view:
        try:
            view = view[os.write(control, view) :]
        except OSError:  # nobody waits any more
            sys.exit(1)
