"""Write a folder so that whoever looks finds the old content or the new, and a failure keeps the old."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from suffice.errors import BundleError


def write_folder(target: Path, files: Mapping[str, bytes], *, last: str, ours: Callable[[str], bool]) -> None:
    """Write `files` by name into the folder `target`, the one called `last` at the end: by it the others are found.

    A new folder is written beside and renamed into place. In an existing one, each file is written beside and renamed
    over, and what `ours` knows but is not in `files` is removed at the end; so a file that `last` names must change
    its name with its content. Raises BundleError where the folder holds other things, or the disk refuses.
    """
    fresh = not target.is_dir()
    try:
        check_folder(target, last=last, ours=ours)
        target.parent.mkdir(parents=True, exist_ok=True)
        if fresh:
            _write_new(target, files)
        else:
            _write_over(target, files, last, ours)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = "no space left on this disk" if full else error.strerror or str(error)
        raise BundleError(
            f"the bundle cannot be written: {reason}; what was there before is kept",
            hint="free some space and save again" if full else "save to a folder that you can write to",
            where=str(target),
        ) from error


def write_file(target: Path, data: bytes) -> None:
    """Write one file so that a failure keeps what was there before. A pipe or device is written to as it is.

    Raises OSError.
    """
    if target.exists() and not target.is_file():
        target.write_bytes(data)
        return
    place = target.resolve()
    draft = place.with_name(f".{secrets.token_hex(4)}.draft")
    try:
        draft.write_bytes(data)
        with suppress(OSError):
            shutil.copymode(place, draft)
        draft.replace(place)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def check_folder(target: Path, *, last: str, ours: Callable[[str], bool]) -> None:
    """Raise BundleError where `target` is a file, or a folder that holds other things than `write_folder` wrote."""
    if not target.is_dir():
        if target.exists() or target.is_symlink():
            raise BundleError(
                "a file of this name is in the way; it was left as it is", hint="choose another name", where=str(target)
            )
        return
    names = [entry.name for entry in target.iterdir() if not _is_draft(entry.name)]
    others = sorted(name for name in names if not ours(name))
    if others or (names and last not in names):
        raise BundleError(
            f"this folder is not a bundle alone (it holds {others[0] if others else names[0]}); it was left as it is",
            hint="choose another name, or empty the folder first",
            where=str(target),
        )


def _write_new(target: Path, files: Mapping[str, bytes]) -> None:
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    draft.mkdir()
    try:
        for name, data in files.items():
            _write(draft / name, data)
        _sync(draft)
        draft.rename(target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    _sync(target.parent)


def _write_over(target: Path, files: Mapping[str, bytes], last: str, ours: Callable[[str], bool]) -> None:
    drafts = {name: target / f".{secrets.token_hex(4)}.draft" for name in files}
    try:
        for name, draft in drafts.items():
            _write(draft, files[name])
        for name in sorted(files, key=lambda name: name == last):
            drafts[name].replace(target / name)
        _sync(target)
    except BaseException:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)
        raise
    for entry in list(target.iterdir()):
        if _is_draft(entry.name) or (ours(entry.name) and entry.name not in files):
            with suppress(OSError):  # some program still reads it (Windows): the next save removes it
                entry.unlink()


def _is_draft(name: str) -> bool:
    return name.startswith(".") and name.endswith(".draft")


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    if os.name == "posix":  # elsewhere a folder cannot be opened
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
