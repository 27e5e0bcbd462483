"""A root of its own for a confined process: Python and the system read-only, four devices, and a folder to write in."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from suffice.programs.confined.limits import INODES, Limits
from suffice.programs.confined.linux import BIND, NODEV, NOSUID, PRIVATE, REC, Linux

_SYSTEM: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/etc/ld.so.cache")
_DEVICES: Final = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
_FOLDER: Final = "/confined"


def new_root(linux: Linux, limits: Limits, home: Path | None) -> bool:
    """Make the working directory the root; give back whether its processes can be seen in /proc, its own alone.

    Raises OSError where that is not allowed, and where Python's own folder holds `home`, which nobody may see.
    """
    linux("mount", "none", "/", None, REC | PRIVATE, None)
    root = Path.cwd()
    linux("mount", "tmpfs", str(root), "tmpfs", NOSUID | NODEV, "size=1m,mode=755")
    os.chdir(root)
    for path in (*map(Path, _SYSTEM), *folders_of_python(home)):
        _show(linux, root, path)
    for device in _DEVICES:
        _mount_at(linux, Path(device), root / device[1:])
    (root / "proc").mkdir()
    try:
        linux("mount", "proc", str(root / "proc"), "proc", NOSUID | NODEV, None)
        seen = True
    except OSError:  # some containers hide parts of theirs, and then nobody gets a new one
        seen = False
    (root / _FOLDER[1:]).mkdir()
    bounds = f"size={limits.written}m,nr_inodes={INODES},mode=777"
    linux("mount", "tmpfs", str(root / _FOLDER[1:]), "tmpfs", NOSUID | NODEV, bounds)
    linux("sethostname", "confined", len("confined"))
    linux.pivot_here()
    linux.read_only("/", below=False)
    os.chdir(_FOLDER)
    return seen


def folders_of_python(home: Path | None) -> list[Path]:
    """Where Python, what is installed for it, and this package are. Raises OSError where `home` is inside of one."""
    package = Path(__file__).resolve().parent.parent.parent
    found = {sys.prefix, sys.base_prefix, str(Path(sys.executable).resolve().parent.parent), str(package)}
    for path in map(Path, found):
        if home is not None and home.is_relative_to(path) and not any(map(path.is_relative_to, _SYSTEM)):
            raise OSError(f"Python is installed in {path}, and your home folder is in it")
    return [Path(path) for path in sorted(found, key=len)]


def _show(linux: Linux, root: Path, path: Path) -> None:
    """A path of the system at the same place in the new root, read-only; what is not there is left out."""
    target = root / str(path)[1:]
    if os.path.lexists(target):
        return
    if path.is_symlink():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(os.readlink(path))
    elif path.exists():
        _mount_at(linux, path, target)
        linux.read_only(str(target), below=True)


def _mount_at(linux: Linux, path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        target.mkdir(exist_ok=True)
    else:
        target.touch()
    linux("mount", str(path), str(target), None, BIND | REC, None)
