"""Where a command is to write, checked before anything runs: what was paid for must not be lost at the end."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from suffice.errors import BundleError, UsageError

if TYPE_CHECKING:
    from suffice.evals.claim import Stated


def check_file(path: Path | None, flag: str) -> None:
    """Raise UsageError where no file can be written to `path`, which was given with `flag`."""
    if path is None:
        return
    folder, where = path.parent, str(path)
    if path.is_dir():  # also an empty name, which is the folder here
        raise UsageError("the output is a folder, not a file", hint=f"{flag} {path / 'NAME'}", where=where)
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}", hint=f"make it first: mkdir -p {folder}", where=where)
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise UsageError("the output may not be written", hint=f"{flag} with another place", where=where)


def check_bundle(path: Path | None, flag: str) -> None:
    """Raise UsageError where no bundle can be saved to `path`: over a file, among other things, or without a name."""
    from suffice.programs.bundle import check_place

    if path is None:
        return
    if not path.name:
        raise UsageError("a bundle is a folder of its own", hint=f"{flag} NAME.suffice", where=str(path))
    above = next(folder for folder in path.absolute().parents if folder.exists())  # those below it are made
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise UsageError(f"no folder can be made in {above}", hint=f"{flag} with another place", where=str(path))
    try:
        check_place(path)
    except (BundleError, OSError) as error:
        said = error if isinstance(error, BundleError) else BundleError(f"cannot be used: {error.strerror}")
        raise UsageError(said.message, hint=said.hint or f"{flag} NAME.suffice", where=str(path)) from None


def check_own(path: Path, task: str, claim: Stated) -> None:
    """Raise UsageError where a bundle at `path` was made by another claim than this one on the task of this name."""
    from suffice.programs.manifest import is_bundle, read_manifest

    if not is_bundle(path):
        return
    try:
        found = read_manifest(path).claim or {}
    except BundleError:
        found = {}
    mine = {"task": task, **claim.to_json()}
    if {name: found.get(name) for name in mine} == mine:
        return
    made = f" (task {found['task']}, bar {found['bar']:g})" if "task" in found and "bar" in found else ""
    raise UsageError(
        f"the bundle here was made by another claim{made}; it was left as it is, and nothing was run",
        hint="--out OTHER.suffice, or --overwrite to replace it where this climb passes",
        where=str(path),
    )
