"""The sandbox: a Python program that a model wrote runs in a process of its own, and what came of it is a value."""

from __future__ import annotations

import io
import re
import socket
import subprocess
import threading
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, cast

from suffice.arguments import Count, validated
from suffice.errors import UsageError
from suffice.programs.confined.limits import WHY, Limits
from suffice.programs.confined.listen import PREPARING, Bounds, Heard, listen
from suffice.programs.confined.parcel import fits, packed, unpacked
from suffice.programs.confined.start import Mebibytes, Seconds, end, launch, not_isolated, place
from suffice.programs.threads import in_thread
from suffice.shown import brief, one_line

Ended = Literal["ok", "error", "timeout", "memory", "output", "killed"]
"""How a program ended: by itself (exit status 0, or another one); too long; too much memory; too much output; by a
signal, as a crash is one."""

Unheld = Literal["disk", "files", "memory", "network", "processes"]
"""What was not held: it could fill your disk; read and write your files; take more memory than said, by many processes
or where the system bounds none; reach the network; send signals to your processes, start more, or leave some behind."""

OUTPUT: Final = 1 << 20  # bytes of stdout, and of stderr
_PROGRAM: Final = "program.py"
_MEMORY: Final = re.compile(r"^(\w+\.)*_?\w*MemoryError\b")
_MIB: Final = 1 << 20
_SHOWN: Final = 8_000  # characters of each stream that a model is shown


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a program. All of it is data from a stranger.

    `stdout` and `stderr` have at most 1 MiB each. `exit` is the exit status, minus the number of a signal that ended
    it, None where it was ended from outside. `seconds` is wall-clock time. `files` are those that it wrote or changed,
    by their names in its folder; `left` names what stayed there: links, pipes, too many, too large, odd names. `unheld`
    is what this system did not hold; empty where all was.
    """

    stdout: str
    stderr: str
    ended: Ended
    exit: int | None
    seconds: float
    files: Mapping[str, bytes]
    left: tuple[str, ...]
    unheld: tuple[Unheld, ...]

    @property
    def ok(self) -> bool:
        """Whether it ended by itself, with exit status 0."""
        return self.ended == "ok"


@validated
async def run(
    code: str,
    *,
    stdin: str = "",
    files: Mapping[str, str | bytes] | None = None,
    seconds: Seconds = 10.0,
    memory_mb: Mebibytes = 512,
    disk_mb: Count = 64,
    processes: Count = 8,
    isolated: bool = True,
) -> Ran:
    """Run a Python program that you do not trust, and wait for it.

    It finds `files` in its working directory, sees the packages that are installed here, and has an empty environment.
    `seconds` are of wall-clock time; `memory_mb` is the address space of each process (MiB), and on Linux what all
    together may take; `disk_mb` is what it may write; `processes` counts threads.

    On Linux 5.12 or newer it has namespaces and a user of its own: no network (127.0.0.1 neither), of the files only
    Python and the system's libraries, read-only; no process but its own, none of which goes on after it; a disk in
    memory that is gone afterwards; and the system calls that lead around this fail (seccomp). Files come back as bytes
    through a pipe, never over a path. Not held: faults of the kernel, the processors' time of `processes` in parallel,
    and what can be told from time (side channels).

    Where the system does not allow that, UsageError is raised; `isolated=False` runs it all the same, as you, with the
    limits of time, of memory a process and of files' sizes, on Linux without sockets, and `unheld` says what is not
    held. macOS bounds no memory. On Windows UsageError is raised. Also raised for `files` whose names lead elsewhere.
    """
    given = _given(code, files or {}, disk_mb)
    limits = Limits(seconds, memory_mb, isolated, processes, written=disk_mb, largest=disk_mb)
    stop = threading.Event()
    try:
        return await in_thread(lambda: _ran(given, stdin.encode("utf-8", "replace"), limits, stop))
    finally:
        stop.set()  # cancelled, it does not go on


async def python(code: str) -> str:
    """Run a Python program in a sandbox and see what it prints.

    Each call starts anew: no files, no variables of an earlier call, no network; 10 seconds and 512 MiB of memory.
    Only what is printed is seen.

    Args:
        code: the whole program.
    """
    return told(await run(code))


def told(ran: Ran) -> str:
    """What came of a program as a model may read it: what it printed, how it ended, the names of its files."""
    parts = [_cut(ran.stdout.rstrip("\n"))]
    if ran.stderr.strip():
        parts.append(f"stderr:\n{_cut(ran.stderr.rstrip())}")
    if not ran.ok:
        status = "" if ran.exit is None else f", exit status {ran.exit}"
        parts.append(f"(ended: {ran.ended}{status})")
    if ran.files:
        parts.append(
            "(files: " + ", ".join(f"{name}, {len(b):,} bytes" for name, b in list(ran.files.items())[:20]) + ")"
        )
    return "\n".join(filter(None, parts)) or "(it printed nothing)"


def _cut(text: str) -> str:
    """The beginning and the end of a long text."""
    half = _SHOWN // 2
    return text if len(text) <= _SHOWN else f"{text[:half]}\n[{len(text) - _SHOWN:,} characters]\n{text[-half:]}"


def _given(code: str, files: Mapping[str, str | bytes], disk_mb: int) -> dict[str, bytes]:
    for name in files:
        if not fits(name) or name == _PROGRAM:
            hint = "a plain relative path, as in data/cases.csv" + f", other than {_PROGRAM}"
            raise UsageError(f"a file in the sandbox cannot be called {brief(name)}", hint=hint)
    texts = {_PROGRAM: code, **files}
    given = {n: t if isinstance(t, bytes) else t.encode("utf-8", "surrogatepass") for n, t in texts.items()}
    size = sum(map(len, given.values()))
    if size > disk_mb * _MIB:
        raise UsageError(f"the program's files have {size / _MIB:,.1f} MiB, and its disk {disk_mb}", hint="disk_mb=…")
    return given


def _ran(given: Mapping[str, bytes], stdin: bytes, limits: Limits, stop: threading.Event) -> Ran:
    """Blocking. No more at a time than there are cores."""
    with place() as folder:
        heard = Heard(over="stopped") if stop.is_set() else _heard(folder, given, stdin, limits, stop)
    return _result(heard, given, limits)


def _heard(folder: Path, given: Mapping[str, bytes], stdin: bytes, limits: Limits, stop: threading.Event) -> Heard:
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        told = replace(limits, control=theirs.fileno())
        piped = subprocess.PIPE
        process = launch(["-sEBu", _PROGRAM], told, folder / "run", stdin=piped, stdout=piped, keep=(theirs.fileno(),))
        try:
            theirs.close()
            ours.settimeout(PREPARING)
            try:
                ours.sendall(packed({}, given))
            except OSError:  # it could not be isolated, which it says
                pass
            return listen(process, ours, stdin, Bounds(limits.seconds, OUTPUT, (limits.written + 8) * _MIB), stop)
        finally:
            end(process)


def _result(heard: Heard, given: Mapping[str, bytes], limits: Limits) -> Ran:
    """What the process that watched over the program said of it, and where it could not, what was heard."""
    if heard.control.startswith(WHY.encode()):
        raise not_isolated("the sandbox", heard.control[:500].decode("utf-8", "replace"))
    stream = io.BytesIO(heard.control)
    note, report, files = dict[str, Any](), dict[str, Any](), dict[str, bytes]()
    try:
        note, _ = unpacked(stream)
        if note.get("fault"):
            raise UsageError(f"the program cannot be run: {note['fault']}", hint="disk_mb=…")
        report, files = unpacked(stream)
    except ValueError:  # it was ended before
        pass
    stdout, stderr = (text.decode("utf-8", "replace") for text in (heard.stdout, heard.stderr))
    ended = _ended(heard, report, stderr, limits)
    return Ran(
        stdout=stdout,
        stderr=stderr,
        ended=ended,
        exit=report.get("code"),
        seconds=heard.seconds,
        files={name: content for name, content in files.items() if fits(name) and given.get(name) != content},
        left=tuple(one_line(str(name)) for name in cast("list[object]", report.get("left", []))),
        unheld=tuple(cast("list[Unheld]", note.get("unheld", []))),
    )


def _ended(heard: Heard, report: Mapping[str, Any], stderr: str, limits: Limits) -> Ended:
    if heard.over in ("timeout", "output"):
        return cast("Ended", heard.over)
    if report.get("memory"):
        return "memory"
    code = report.get("code")
    if code is None or code < 0:
        return "timeout" if report.get("cpu", 0.0) >= limits.seconds else "killed"
    last = stderr.rstrip().rpartition("\n")[2]
    return "ok" if code == 0 else "memory" if _MEMORY.match(last) else "error"
