"""The manifest of a bundle: what it says of itself, checked before anything else in the folder is touched."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from suffice.errors import BundleError, SolutionError
from suffice.shown import brief
from suffice.values import Json, canonical

FORMAT: Final = 1
"""Goes up when an older Suffice could misread what a newer one saves."""

MANIFEST: Final = "manifest.json"
MAX_MANIFEST: Final = 2**24  # bytes
WEIGHTS: Final = re.compile(r"weights-[0-9a-f]{16}\.npz")
FITTED: Final = re.compile(r"fitted-[0-9a-f]{16}\.txt")
EDITABLE: Final = re.compile(r"(?:rules|patterns)-[0-9a-f]{16}\.txt")
AGAIN: Final = "copy the whole folder again from where it was saved, or save the decision again"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a bundle says of itself. `hash` is equal for equal content; `notes` are for whoever loads it."""

    path: Path
    name: str
    suffice: str  # the version that saved it
    python: str  # "3.11"
    claim: Mapping[str, Json] | None
    needs: Mapping[
        str, str
    ]  # packages, with the versions it was saved with, and models, with the variable of their key
    notes: tuple[str, ...]
    hash: str
    solution: Json = field(repr=False)
    files: Mapping[str, tuple[str, int]] = field(repr=False)  # SHA-256 and bytes
    fitted: str | None = None  # which of the files names the cases that its members were fitted on


def bundle_hash(path: str | Path) -> str:
    """The hash (64 hex digits) of the bundle at `path`: equal for equal content. Raises BundleError."""
    return read_manifest(path).hash


def is_bundle(path: Path) -> bool:
    """Whether `path` is a folder with a manifest in it."""
    return (path / MANIFEST).is_file()


def read_manifest(path: str | Path) -> Manifest:
    """What the bundle at `path` says of itself, without its weights and without importing anything.

    Raises BundleError where it is missing, newer, damaged or changed by hand.
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        what = "is a file, not a bundle folder" if folder.exists() else "there is no bundle here"
        raise BundleError(what, hint="a bundle is the folder that decision.save(...) made", where=str(folder))
    where = str(folder / MANIFEST)
    if not os.path.lexists(where):
        raise BundleError("its manifest.json is missing, or this folder is no bundle", hint=AGAIN, where=str(folder))
    data = read_plain(folder / MANIFEST, MAX_MANIFEST)
    try:
        body = json.loads(data, parse_constant=_refuse)
        if not isinstance(body, dict):
            raise ValueError("not an object")
        body = cast("dict[str, Json]", body)
        _check_format(body.get("format"), body.get("suffice"), where)
        return _manifest(folder, body)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        reason = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise BundleError(f"the manifest cannot be read ({reason[:200]})", hint=AGAIN, where=where) from None


def manifest_text(body: Mapping[str, Json], name: str) -> bytes:
    """The manifest of this content with its hash, as text. Raises SolutionError where it has no JSON form."""
    try:
        manifest = {**body, "hash": _hash(body)}
        # not sorted: a schema's fields are asked for in their order
        text = json.dumps(manifest, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise SolutionError(f"{name} cannot be written as JSON: {error}") from error
    try:
        data = text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair in a label
        data = (json.dumps(manifest, indent=1) + "\n").encode()
    if len(data) > MAX_MANIFEST:
        raise SolutionError(f"{name} and its claim take {len(data):,} bytes of text; a bundle holds {MAX_MANIFEST:,}")
    return data


def belongs(name: str) -> bool:
    """Whether a file of this name may be in a bundle."""
    return name == MANIFEST or _is_data(name)


def _is_data(name: str) -> bool:
    return any(kind.fullmatch(name) for kind in (WEIGHTS, FITTED, EDITABLE))


def _check_format(number: Json, version: Json, where: str) -> None:
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise ValueError("it has no format number")
    if number > FORMAT:
        raise BundleError(
            f"saved in format {number} by suffice {str(version)[:20]}; this version reads up to format {FORMAT}",
            hint="pip install --upgrade suffice",
            where=where,
        )


def _manifest(folder: Path, body: dict[str, Json]) -> Manifest:
    """The manifest checked. Raises ValueError, KeyError, TypeError."""
    stated = typed(body, "hash", str)
    if stated != _hash({k: v for k, v in body.items() if k != "hash"}):
        raise ValueError("its content does not fit its hash: it was changed by hand or damaged")
    files: dict[str, tuple[str, int]] = {}
    for name, entry in typed(body, "files", dict).items():
        if not _is_data(name):
            raise ValueError(f"a bundle has no file {brief(name)}")
        files[name] = typed(entry, "sha256", str), typed(entry, "bytes", int)
    claim = body["claim"]
    return Manifest(
        path=folder,
        name=typed(body, "name", str),
        suffice=typed(body, "suffice", str),
        python=typed(body, "python", str),
        claim=None if claim is None else typed(body, "claim", dict),
        needs={str(k): str(v) for k, v in typed(body, "needs", dict).items()},
        notes=tuple(str(note) for note in typed(body, "notes", list)),
        hash=stated,
        solution=typed(body, "solution", dict),
        files=files,
        fitted=None if "fitted" not in body else typed(body, "fitted", str),
    )


def typed(where: Json, key: str, kind: type[Any]) -> Any:
    """The value at `key`. Raises ValueError where it is not of this kind."""
    value: Any = cast("dict[str, Json]", where).get(key) if isinstance(where, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"{key} is not a {kind.__name__}")
    return value


def read_plain(file: Path, limit: int) -> bytes:
    """The bytes of a plain file of the bundle. Raises BundleError for links, devices, and what is too large."""
    try:
        info = file.lstat()
        if not stat.S_ISREG(info.st_mode):
            raise BundleError("is a link or a device, not a file", hint=AGAIN, where=str(file))
        if info.st_size > limit:
            raise BundleError(f"takes {info.st_size:,} bytes; {limit:,} are read at most", hint=AGAIN, where=str(file))
        return file.read_bytes()
    except FileNotFoundError:
        raise BundleError("a file of the bundle is missing", hint=AGAIN, where=str(file)) from None
    except OSError as error:
        raise BundleError(f"cannot be read: {error.strerror or error}", hint=AGAIN, where=str(file)) from error


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _hash(body: Mapping[str, Json]) -> str:
    return sha256(canonical(body).encode("utf-8", "surrogatepass"))


def sha256(data: bytes) -> str:
    """64 hex digits."""
    return hashlib.sha256(data).hexdigest()
