"""The first thing a confined process does: it takes limits and namespaces on itself, then runs what it was asked to.

Linux: a mount, process, network and IPC namespace of its own. It sees a read-only Python and system libraries, an
empty folder of bounded size, and its own processes; it has no network and no privileges. As root it becomes a user
without rights, else it enters a user namespace. Anywhere else, or where that is not allowed, limits are all there is.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import sys
from pathlib import Path
from typing import Final, NoReturn

from suffice.evals.confined.limits import UNAVAILABLE, WHY, Limits, limits_of

_NEWNS, _NEWUTS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
_NOSUID, _NODEV, _BIND, _REC, _PRIVATE, _DETACH = 0x2, 0x4, 0x1000, 0x4000, 0x40000, 2
_READ_ONLY, _ATTR_NOSUID, _RECURSIVE, _HERE = 0x1, 0x2, 0x8000, -100
_PARENT_DIES, _NO_NEW_PRIVILEGES, _DUMPABLE = 1, 38, 4
_CALLS: Final = {"x86_64": (155, 442), "aarch64": (41, 442)}  # pivot_root, mount_setattr
_SYSTEM: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/etc/ld.so.cache")
_DEVICES: Final = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
_STRANGERS: Final = 1_900_000_000  # user ids from here on belong to nobody


def main() -> None:
    """Run `python -c CODE` confined: the arguments are the limits and CODE."""
    limits, code = limits_of(sys.argv[1]), sys.argv[2]
    _die_with_parent()
    if not limits.isolated:
        _run(limits, code)
    try:
        _isolate(limits, code)
    except OSError as error:
        _unavailable(error)


class _Linux:
    """The system calls that Python has no functions for."""

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

    def read_only(self, path: str) -> None:
        """A mount and all below it, read-only. Needs Linux 5.12."""
        wanted = (ctypes.c_uint64 * 4)(_READ_ONLY | _ATTR_NOSUID, 0, 0, 0)
        self("syscall", self.setattr, _HERE, path, _RECURSIVE, ctypes.byref(wanted), 32)


def _unavailable(error: OSError) -> NoReturn:
    os.write(2, f"{WHY}{error}".encode())
    os._exit(UNAVAILABLE)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DIES, int(signal.SIGKILL))


def _isolate(limits: Limits, code: str) -> NoReturn:
    """Raises OSError where this machine does not allow it."""
    linux = _Linux()
    stranger = _stranger() if os.geteuid() == 0 else None
    apart = _NEWNS | _NEWPID | _NEWNET | _NEWIPC | _NEWUTS
    if stranger is None:
        user, group = os.geteuid(), os.getegid()
        linux("unshare", apart | _NEWUSER)
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"65534 {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"65534 {group} 1", encoding="ascii")
    else:
        linux("unshare", apart)
    first = os.fork()
    if first:  # outside: waits, and takes all inside with it when it is killed
        os._exit(os.waitstatus_to_exitcode(os.waitpid(first, 0)[1]) & 0xFF)
    try:
        _die_with_parent()
        _new_root(linux, limits)
        if stranger is not None:
            os.setgroups([])
            os.setresgid(stranger, stranger, stranger)
            os.setresuid(stranger, stranger, stranger)
            _die_with_parent()  # forgotten when the user changed
        linux("prctl", _DUMPABLE, 0, 0, 0, 0)
        inner = os.fork()
    except OSError as error:
        _unavailable(error)
    if inner == 0:
        _run(limits, code)
    while True:  # process 1 of its namespace: when it ends, all others do
        pid, status = os.wait()
        if pid == inner:
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _stranger() -> int | None:
    """A user id that is nobody's; None where this namespace has no such ids to give."""
    wanted = _STRANGERS + os.getpid()
    spans = [line.split() for line in Path("/proc/self/uid_map").read_text(encoding="ascii").splitlines()]
    return wanted if any(int(first) <= wanted < int(first) + int(n) for first, _, n in spans) else None


def _new_root(linux: _Linux, limits: Limits) -> None:
    """A root of its own: Python and the system read-only, four devices, its processes, and a folder to write in."""
    linux("mount", "none", "/", None, _REC | _PRIVATE, None)
    root = Path.cwd()
    linux("mount", "tmpfs", str(root), "tmpfs", _NOSUID | _NODEV, f"size={limits.written}m,mode=755")
    os.chdir(root)
    package = Path(__file__).resolve().parent.parent.parent
    shown = {sys.prefix, sys.base_prefix, str(Path(sys.executable).resolve().parent.parent), str(package)}
    for path in (*_SYSTEM, *sorted(shown, key=len)):
        _show(linux, root, Path(path))
    for device in _DEVICES:
        _mount_at(linux, Path(device), root / device[1:])
    (root / "proc").mkdir()
    try:
        linux("mount", "proc", str(root / "proc"), "proc", _NOSUID | _NODEV, None)
    except OSError:  # some containers hide parts of theirs, and then nobody gets a new one
        pass
    (root / "confined").mkdir()
    (root / "confined").chmod(0o777)
    linux("syscall", linux.pivot, ".", ".")
    linux("umount2", ".", _DETACH)
    os.chdir("/confined")


def _show(linux: _Linux, root: Path, path: Path) -> None:
    """A path of the system at the same place in the new root, read-only; what is not there is left out."""
    target = root / str(path)[1:]
    if os.path.lexists(target):
        return
    if path.is_symlink():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(os.readlink(path))
    elif path.exists():
        _mount_at(linux, path, target)
        linux.read_only(str(target))


def _mount_at(linux: _Linux, path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        target.mkdir(exist_ok=True)
    else:
        target.touch()
    linux("mount", str(path), str(target), None, _BIND | _REC, None)


def _run(limits: Limits, code: str) -> NoReturn:
    """Takes the limits on and becomes a new Python: with what it had of privileges gone, and no way back to them."""
    import resource

    mib = 1 << 20
    wanted = {
        "CPU": int(limits.seconds) + 1,
        "AS": limits.memory * mib,
        "FSIZE": limits.written * mib // 4,
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
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    environment = {"HOME": os.getcwd(), "TMPDIR": os.getcwd(), "LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1"}
    os.execve(sys.executable, [sys.executable, "-I", "-c", code], environment)
