"""The first thing a confined process does: it takes limits and namespaces on itself, then runs what it was asked to.

Linux: a mount, process, network and IPC namespace of its own. It sees a read-only Python and system libraries, an
empty folder of bounded size, and its own processes; it has no network and no privileges, and the system calls that
lead around all this fail (`forbidden.py`). As root it becomes a user without rights, else it enters a user namespace.
Anywhere else, or where that is not allowed, limits are all there is; on Linux also then it makes no socket.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final, NoReturn

from suffice.programs.confined.forbidden import forbid
from suffice.programs.confined.limits import UNAVAILABLE, WHY, Limits, limits_of
from suffice.programs.confined.linux import NEWIPC, NEWNET, NEWNS, NEWPID, NEWUSER, NEWUTS, Linux, die_with_parent
from suffice.programs.confined.root import new_root
from suffice.programs.confined.watch import watch

_STRANGERS: Final = 1_900_000_000  # user ids from here on belong to nobody
_ALONE: Final = ("disk", "files", "memory", "processes")
"""What limits alone do not hold; see `sandbox.Unheld`."""


def main() -> None:
    """Run `python ARGUMENTS` confined: the arguments are the limits and ARGUMENTS."""
    limits, arguments = limits_of(sys.argv[1]), sys.argv[2:]
    if limits.control is not None:
        os.set_inheritable(limits.control, False)  # the program must not have it
    die_with_parent()
    if not limits.isolated:
        _limited(limits, arguments)
    try:
        seen = _isolate(limits)
    except OSError as error:
        _unavailable(limits, error)
    watch(limits, lambda: _run(limits, arguments), [] if seen else ["memory"], first=True)


def _limited(limits: Limits, arguments: list[str]) -> NoReturn:
    unheld: list[str] = list(_ALONE)
    try:
        forbid(sockets=False)
    except OSError:
        unheld.append("network")
    if limits.control is None:
        _run(limits, arguments)
    watch(limits, lambda: _run(limits, arguments), unheld, first=False)


def _unavailable(limits: Limits, error: OSError) -> NoReturn:
    os.write(2 if limits.control is None else limits.control, f"{WHY}{error}".encode())
    os._exit(UNAVAILABLE)


def _isolate(limits: Limits) -> bool:
    """Become process 1 of namespaces, and say whether it sees the others. Raises OSError where that is not allowed."""
    linux, home = Linux(), _home()
    stranger = _stranger() if os.geteuid() == 0 else None
    apart = NEWNS | NEWPID | NEWNET | NEWIPC | NEWUTS
    if stranger is None:
        user, group = os.geteuid(), os.getegid()
        linux("unshare", apart | NEWUSER)
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"65534 {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"65534 {group} 1", encoding="ascii")
    else:
        linux("unshare", apart)
    first = os.fork()
    if first:  # outside: waits, and takes all inside with it when it is killed
        os._exit(os.waitstatus_to_exitcode(os.waitpid(first, 0)[1]) & 0xFF)
    die_with_parent()
    seen = new_root(linux, limits, home)
    if stranger is not None:
        os.setgroups([])
        os.setresgid(stranger, stranger, stranger)
        os.setresuid(stranger, stranger, stranger)
        die_with_parent()  # forgotten when the user changed
    linux.hide_memory()
    forbid(sockets=True)
    return seen


def _home() -> Path | None:
    try:
        return Path("~").expanduser().resolve()  # of the user database: there is no environment here
    except RuntimeError:
        return None


def _stranger() -> int | None:
    """A user id that is nobody's; None where this namespace has no such ids to give."""
    wanted = _STRANGERS + os.getpid()
    spans = [line.split() for line in Path("/proc/self/uid_map").read_text(encoding="ascii").splitlines()]
    return wanted if any(int(first) <= wanted < int(first) + int(n) for first, _, n in spans) else None


def _run(limits: Limits, arguments: list[str]) -> NoReturn:
    """Takes the limits on and becomes a new Python: with what it had of privileges gone, and no way back to them."""
    import resource

    mib = 1 << 20
    wanted = {
        "CPU": int(limits.seconds) + 1,
        "AS": limits.memory * mib,
        "FSIZE": limits.largest * mib,
        "NPROC": limits.processes,
        "NOFILE": limits.files,
        "CORE": 0,
    }
    for name, value in wanted.items():
        which = getattr(resource, f"RLIMIT_{name}", None)
        if which is None:
            continue
        hard = resource.getrlimit(which)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        try:
            resource.setrlimit(which, (value, value))
        except (OSError, ValueError):
            if name != "AS":  # macOS has no limit of memory
                raise
    environment = {"HOME": os.getcwd(), "TMPDIR": os.getcwd(), "LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1"}
    os.execve(sys.executable, [sys.executable, *arguments], environment)
