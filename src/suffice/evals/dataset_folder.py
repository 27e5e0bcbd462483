"""Folders of data files: which file is which split, also as Hugging Face's `datasets` and its hub lay them out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from suffice.errors import DataError
from suffice.shown import listed
from suffice.values import Split

PART: Final = re.compile(r"-\d{5}-of-\d{5}(-[0-9a-f]{16})?$")
"""How the name of one of several files of a split ends: train-00000-of-00002.parquet."""
_SPELLINGS: Final[dict[str, Split]] = {
    "train": "train", "training": "train",
    "dev": "dev", "development": "dev", "validation": "dev", "valid": "dev", "val": "dev",
    "test": "test", "testing": "test", "heldout": "test", "sealed": "test",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a folder that hold cases, by their paths in it: some without a split, or some for each split."""

    whole: tuple[str, ...]
    splits: dict[Split, tuple[str, ...]]


def spelled(text: str) -> Split | None:
    """The split that a usual spelling means ("Validation" is dev, "held-out" is test), None for any other."""
    return _SPELLINGS.get(text.strip().casefold().replace("-", "").replace("_", "").replace(" ", ""))


def files_of(folder: Path, suffixes: tuple[str, ...]) -> Files:
    """The files of a folder that `datasets` saved, or that are named after splits, here or under data/; or a file
    called `cases`. Raises DataError where there is none, and where it is not clear which."""
    saved = _saved(folder)
    if saved is not None:
        return saved
    for place in (folder, folder / "data"):
        found = _named(folder, place, suffixes)
        if found is not None:
            return found
    inner: dict[Split, Path] = {s: p for p in _entries(folder) if p.is_dir() and (s := spelled(p.name)) is not None}
    parts: dict[Split, list[Path]] = {s: [p for p in _entries(inner[s]) if p.suffix.lower() in suffixes] for s in inner}
    if any(parts.values()):
        return _files(folder, [], parts)
    raise _nothing(folder, suffixes)


def _named(folder: Path, place: Path, suffixes: tuple[str, ...]) -> Files | None:
    files = [p for p in _entries(place) if p.suffix.lower() in suffixes]
    splits: dict[Split, list[Path]] = {}
    for path in files:
        split = spelled(PART.sub("", path.stem))
        if split is None:
            continue
        before = splits.setdefault(split, [])
        if before and not (PART.search(path.stem) and PART.search(before[0].stem)):
            fault = f"{before[0].name} and {path.name} are both the {split} split"
            raise DataError(fault, where=str(folder), hint="keep one")
        before.append(path)
    whole = [p for p in files if p.stem.lower() == "cases"] if place == folder else []
    if len(whole) + bool(splits) > 1:
        names = listed(p.name for p in [*whole, *(p for many in splits.values() for p in many)])
        raise DataError(f"several files could hold the cases: {names}", where=str(folder), hint="keep one set of them")
    return _files(folder, whole, splits) if whole or splits else None


def _files(folder: Path, whole: list[Path], splits: Mapping[Split, list[Path]]) -> Files:
    def names(files: list[Path]) -> tuple[str, ...]:
        return tuple(p.relative_to(folder).as_posix() for p in files)

    return Files(names(whole), {split: names(files) for split, files in splits.items() if files})


def _saved(folder: Path) -> Files | None:
    """The files of a folder that `save_to_disk` wrote; None where it is none."""
    if (folder / "state.json").is_file():
        return Files(_arrow_files(folder, ""), {})
    if not (folder / "dataset_dict.json").is_file():
        return None
    noted = _read(folder / "dataset_dict.json").get("splits")
    names = [n for n in cast("list[Any]", noted) if isinstance(n, str)] if isinstance(noted, list) else []
    splits: dict[Split, tuple[str, ...]] = {}
    for name in names:
        split = spelled(name)
        if split is not None and split in splits:
            raise DataError(f"several of its parts are the {split} split: {listed(names)}", where=str(folder))
        if split is not None:
            splits[split] = _arrow_files(folder, f"{name}/")
    if not splits:
        hint = f"load one of them: {folder / names[0]}" if names else "save it again"
        raise DataError(f"none of its parts is train, dev or test: {listed(names)}", where=str(folder), hint=hint)
    return Files((), splits)


def _arrow_files(folder: Path, part: str) -> tuple[str, ...]:
    noted_in = folder / f"{part}state.json"
    state = _read(noted_in)
    if state.get("_indices_data_files"):
        raise DataError("was saved as a selection of rows by an old version of `datasets`", where=str(noted_in),
                        hint="load it there, and save it again after flatten_indices()")  # fmt: skip
    noted = state.get("_data_files")
    found = [cast("dict[str, Any]", f).get("filename") for f in cast("list[Any]", noted)] if _dicts(noted) else []
    names = [n for n in found if isinstance(n, str)]
    if not names:
        raise DataError("names no data file", where=str(noted_in), hint="save the dataset again")
    return tuple(f"{part}{name}" for name in names)


def _read(file: Path) -> dict[str, Any]:
    try:
        found: Any = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise DataError("is not as `datasets` writes it", where=str(file), hint="save the dataset again")
    return cast("dict[str, Any]", found)


def _dicts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in cast("list[Any]", value))


def _entries(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if not p.name.startswith(".")) if folder.is_dir() else []


def _nothing(folder: Path, suffixes: tuple[str, ...]) -> DataError:
    files = [p.name for p in _entries(folder) if p.suffix.lower() in suffixes]
    inner = [p.name for p in _entries(folder) if p.is_dir() and _has_data(p.iterdir(), suffixes)]
    hint = "name it cases.jsonl or cases.csv, or load the file itself"
    if inner and not files:
        hint = f"load one of its folders: {folder / inner[0]}" + (f" (or {listed(inner[1:])})" if inner[1:] else "")
    has = listed(files) or "no data file"
    fault = f"found no train, dev or test file and no cases file; the folder has {has}"
    return DataError(fault, where=str(folder), hint=hint)


def _has_data(entries: Iterable[Path], suffixes: tuple[str, ...]) -> bool:
    return any(p.suffix.lower() in suffixes or p.name in ("data", "state.json", "dataset_dict.json") for p in entries)
