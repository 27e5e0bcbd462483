"""JSON of other tools into typed values: what has another shape is refused with its place, never with a value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from suffice.errors import DataError

T = TypeVar("T")
MOST: Final = 1 << 29
"""Bytes of one text that are read: 512 MiB."""
CONSTANTS: Final = (b"NaN", b"Infinity")


def read_bytes(path: Path) -> bytes:
    """The bytes of a file. Raises DataError where it is too large or cannot be read."""
    try:
        size = path.stat().st_size
        if size > MOST:
            raise DataError(f"{size:,} bytes; at most {MOST:,} are read", where=path.name, hint="split the run")
        return path.read_bytes()
    except OSError as e:
        raise DataError(f"cannot be read: {e.strerror or e}", where=path.name) from None


def decoded(data: bytes | msgspec.Raw, kind: type[T], tool: str, where: str) -> T:
    """`data` as a `kind`. NaN and Infinity, which Python's json writes, are read as null. Raises DataError."""
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as e:
        raise DataError(f"is not as {tool} writes it: {_lower(str(e))}", where=where) from None
    except msgspec.DecodeError as e:
        cleaned = _without_constants(bytes(data))
        if cleaned is not None:
            return decoded(cleaned, kind, tool, where)
        raise DataError(f"is not whole or not JSON: {_lower(str(e))}", where=where) from None
    except RecursionError:
        raise DataError("is nested too deeply", where=where) from None


def keys_of(data: bytes) -> frozenset[str]:
    """The keys of one whole JSON object, none where this is something else."""
    try:
        return frozenset(msgspec.json.decode(data, type=dict[str, msgspec.Raw]))
    except (msgspec.ValidationError, RecursionError):
        return frozenset()
    except msgspec.DecodeError:
        cleaned = _without_constants(data)
        return frozenset() if cleaned is None else keys_of(cleaned)


def _without_constants(data: bytes) -> bytes | None:
    if not any(word in data for word in CONSTANTS):
        return None
    try:
        return msgspec.json.encode(json.loads(data, parse_constant=lambda _: None))
    except (ValueError, RecursionError, msgspec.MsgspecError):
        return None


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
