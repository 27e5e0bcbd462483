"""What an interrupted `apply` left: its output, and the note beside it, FILE.resume, of what is being applied."""

from __future__ import annotations

import json
import os
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import cast

from suffice.errors import DataError, UsageError
from suffice.evals.answered import Kept, Layout, kept
from suffice.values import Json


def side_of(path: Path) -> Path:
    """The note beside an output."""
    return path.with_name(f"{path.name}.resume")


def begun(path: Path, layout: Layout, mark: dict[str, Json], *, overwrite: bool, fresh: bool, done: bool) -> Kept:
    """What an interrupted run left in `path`, or one that wrote all rows up to the first that failed; nothing where it
    is new. Notes beside it what is being applied, the `mark`.

    `done`: all of it was applied before, so an output without a note is whole where it has all of its rows. Raises
    UsageError where the output must not be replaced, DataError where it cannot be written.
    """
    side, nothing = side_of(path), Kept(0, 0, Counter())
    try:
        if path.exists() and path.samefile(layout.table.path):
            raise UsageError("the output is the input file itself", hint="choose another name", where=str(path))
        noted = _read_side(side)
        ended, there, same = noted.pop("failed", 0) > 0, path.exists(), noted == mark
        if there and not overwrite:
            if not side.exists() and done and not fresh and _is_whole(path, layout):
                return kept(path, layout)
            if not side.exists():
                raise UsageError(
                    "the output file exists; it was left as it is", hint="--overwrite, or another name", where=str(path)
                )
            if not same:
                raise UsageError(
                    "the output file was begun with another solution, source or setting; it was left as it is",
                    hint="--overwrite to begin anew, or another name",
                    where=str(path),
                )
        if there and same and ended and not overwrite:
            _refuse_changed(path, layout)
        _write_side(side, mark)
        if there and same and not overwrite and not fresh:
            return kept(path, layout, failed=not ended)
        if there:
            path.unlink()
    except OSError as error:
        raise DataError(
            f"cannot be written: {error.strerror or error}", hint="choose another place", where=str(path)
        ) from error
    return nothing


def ended(path: Path, mark: dict[str, Json], failed: int) -> None:
    """Remove the note beside an output that is complete; leave it where rows failed: the same call asks them again."""
    try:
        if failed:
            _write_side(side_of(path), {**mark, "failed": failed})
        else:
            side_of(path).unlink(missing_ok=True)
    except OSError as error:
        raise DataError(
            f"the note beside the output cannot be written: {error.strerror or error}; every row is written",
            hint=f"remove {side_of(path).name}, or free some space and run the same command again",
            where=str(path),
        ) from error


def _is_whole(path: Path, layout: Layout) -> bool:
    """Whether the output holds all of its rows, and nothing else."""
    found = kept(path, layout)
    return found.rows == layout.table.rows and found.size == path.stat().st_size


def _refuse_changed(path: Path, layout: Layout) -> None:
    """Raise UsageError where an output that had all its rows does not hold just these any more."""
    if not _is_whole(path, layout):
        raise UsageError(
            "the output file was changed after it was written; it was left as it is",
            hint="--overwrite to begin anew, or another name",
            where=str(path),
        )


def _read_side(side: Path) -> dict[str, Json]:
    with suppress(OSError, ValueError):
        found: Json = json.loads(side.read_text(encoding="utf-8"))
        return cast("dict[str, Json]", found) if isinstance(found, dict) else {}
    return {}


def _write_side(side: Path, mark: dict[str, Json]) -> None:
    draft = side.with_name(f"{side.name}.draft")
    with draft.open("w", encoding="utf-8") as file:
        json.dump(mark, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(side)
