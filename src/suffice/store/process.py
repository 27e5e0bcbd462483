"""Which process is this, and does that one still live: the ground of leases and of "interrupted" runs."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

BEAT_LOST: Final = 60.0  # seconds without a heartbeat after which a process elsewhere counts as dead


@dataclass(frozen=True, slots=True)
class Process:
    """A process, told apart from a later one with the same number by when it was born.

    `place` names the machine's boot and process table: only a process of the same place can be looked up by its
    number (two containers may share a host name and both run a process 7).
    """

    host: str
    place: str
    pid: int
    born: str


def this_process() -> Process:
    """The process that calls."""
    return Process(platform.node(), _place(), os.getpid(), _born(os.getpid()) or "")


def alive(process: Process, beat: float) -> bool:
    """Whether `process` still runs: looked up here if it is of this place, else by its last heartbeat `beat`."""
    if process.place == _place():
        born = _born(process.pid)
        return born is not None and born == process.born
    return time.time() - beat < BEAT_LOST


def enrol(connection: sqlite3.Connection) -> int:
    """Note this process as alive now; its number in the table `process`. Call inside a transaction."""
    me, now = this_process(), time.time()
    connection.execute(
        "INSERT INTO process (host, place, pid, born, beat) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (place, pid, born) DO UPDATE SET beat = excluded.beat",
        (me.host, me.place, me.pid, me.born, now),
    )
    found = "SELECT id FROM process WHERE place = ? AND pid = ? AND born = ?"
    (number,) = connection.execute(found, (me.place, me.pid, me.born)).fetchone()
    return int(number)


def _place() -> str:
    if sys.platform == "linux":
        with suppress(OSError):
            boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
            return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    return platform.node()


def _born(pid: int) -> str | None:
    """When process `pid` of this place started, in the system's own words; None if there is no such process."""
    if sys.platform == "win32":
        return _born_windows(pid)
    if sys.platform == "linux":
        return _born_proc(pid)
    return _born_ps(pid)


def _born_proc(pid: int) -> str | None:
    try:
        line = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = line.rpartition(")")[2].split()  # the name before it may hold spaces and brackets
    return None if fields[0] in "ZX" else fields[19]  # a zombie is dead; field 22 is the start in ticks since boot


def _born_ps(pid: int) -> str | None:
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    shown = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}, check=False)
    state, _, start = shown.stdout.strip().partition(" ")
    return None if shown.returncode or state.startswith("Z") else start.strip()


if sys.platform == "win32":

    def _born_windows(pid: int) -> str | None:
        import ctypes
        from ctypes import wintypes

        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.OpenProcess.restype = wintypes.HANDLE
        handle = kernel.OpenProcess(0x1000, False, pid)  # PROCESS_QUERY_LIMITED_INFORMATION
        if not handle:
            return None
        try:
            code, times = wintypes.DWORD(), [wintypes.FILETIME() for _ in range(4)]
            kernel.GetExitCodeProcess(wintypes.HANDLE(handle), ctypes.byref(code))
            kernel.GetProcessTimes(wintypes.HANDLE(handle), *map(ctypes.byref, times))
        finally:
            kernel.CloseHandle(wintypes.HANDLE(handle))
        return str(times[0].dwHighDateTime << 32 | times[0].dwLowDateTime) if code.value == 259 else None
