"""A TOML file by somebody: its text and values, what cannot be read or held refused with file and line."""

from __future__ import annotations

import datetime
import re
import tomllib
from pathlib import Path
from typing import Any, Final, cast

from suffice.errors import DataError

DEEP: Final = 50  # levels of a value
NUL: Final = "\0"
LONGEST: Final = 4096  # bytes of a name or path in a value
_MOST: Final = 2**63  # TOML's integers have 64 bits
_DIGITS: Final = re.compile(r"[0-9_]{1000,}")
_AT: Final = re.compile(r"\(at line (\d+), ")


def toml_of(path: Path) -> tuple[str, dict[str, Any]]:
    """The text of a TOML file, without a byte order mark, and what it says. Raises DataError."""
    try:
        data = path.read_bytes()
    except OSError as e:
        raise DataError(f"cannot be read: {e.strerror or e}", where=str(path)) from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        line = data.count(b"\n", 0, e.start) + 1
        raise DataError(f"byte {e.start} is not UTF-8", where=f"{path.name}:{line}", hint="save it as UTF-8") from None
    if NUL in text:
        where = f"{path.name}:{_line(text, text.index(NUL))}"
        raise DataError("holds a null character, as UTF-16 does", where=where, hint="save it as UTF-8")
    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        said, at = str(e), _AT.search(str(e))
        line = at[1] if at else _line(text, len(text.rstrip()))
        raise DataError(f"is not valid TOML: {said[:1].lower()}{said[1:]}", where=f"{path.name}:{line}") from None
    except RecursionError:
        lines = [line.count("[") + line.count("{") for line in text.split("\n")]
        raise DataError("is nested too deeply", where=f"{path.name}:{lines.index(max(lines)) + 1}") from None
    except ValueError:  # Python's own limit on the digits of an integer
        digits = _DIGITS.search(text)
        where = f"{path.name}:{_line(text, digits.start())}" if digits else path.name
        raise DataError("holds an integer of more than 64 bits", where=where) from None


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1


def why_unfit(value: Any) -> str | None:
    """Why a value of a TOML file cannot be an option's: what no JSON holds, and what no name or path can be."""
    waiting: list[tuple[Any, int]] = [(value, 0)]
    while waiting:
        one, depth = waiting.pop()
        if depth > DEEP:
            return "is nested too deeply"
        if isinstance(one, dict):
            waiting += [(inner, depth + 1) for inner in cast("dict[str, Any]", one).values()]
        elif isinstance(one, list):
            waiting += [(inner, depth + 1) for inner in cast("list[Any]", one)]
        elif isinstance(one, datetime.date | datetime.time):
            return "holds a date or time; write it as a text"
        elif isinstance(one, int) and not -_MOST <= one < _MOST:
            return "holds an integer of more than 64 bits"
        elif isinstance(one, str) and NUL in one:
            return "holds a null character"
    return None
