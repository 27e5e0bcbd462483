"""JSON text to rows with their first lines; what JSON cannot hold safely is refused with a reason."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, cast

from suffice.errors import DataError
from suffice.values import Json

MAX_COLUMNS = 2_000
MAX_DEPTH = 64
Found = tuple[int, dict[str, Json] | str]
"""The first line of a row, and the row or the reason why it cannot be used (never with a value in it)."""


class _Refused(ValueError):
    pass


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _Refused("an object names one key twice")
    return made


def _constant(name: str) -> float:
    raise _Refused(f"{name} is not a JSON value")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _Refused("a number is too large")
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant, parse_float=_finite)


def parse_json(text: str) -> Json:
    """The value of a JSON text. Raises ValueError whose text is a reason without any value."""
    value = _value(text.strip(), 0)
    if value[1] != len(text.strip()):
        raise ValueError("not valid JSON: something follows the value")
    return value[0]


def line_rows(text: str) -> Iterator[Found]:
    """The rows of JSON lines; blank lines are passed over."""
    for number, line in enumerate(text.split("\n"), 1):  # not splitlines: U+2028 may stand in a JSON string
        if line.strip():
            try:
                yield number, _row(parse_json(line), line)
            except ValueError as e:
                yield number, str(e)


def array_rows(text: str, name: str) -> list[Found] | None:
    """The rows of a JSON array, or of an object with one list in it; None where the text looks like JSON lines.

    Raises DataError where there is none, or where it is broken: what follows the fault cannot be read.
    """
    start = _skip(text, 0)
    try:
        if text[start : start + 1] == "[":
            return list(_items(text, start, alone=True))
        if text[start : start + 1] != "{":
            raise DataError("not a list of rows", hint='[{"input": ..., "expected": ...}, ...]', where=name)
        start = _only_list(text, start)
        return None if start is None else list(_items(text, start, alone=False))
    except _At as e:
        raise DataError(
            f"{e.reason}, so what follows cannot be read", where=f"{name}:{text.count(chr(10), 0, e.at) + 1}"
        ) from None


def starts_lines(text: str) -> bool:
    """Whether a text that begins with a list is JSON lines all the same: its first line is a value, and others follow.

    A list is no row, but what is wrong is then told line by line.
    """
    first, _, rest = text.strip().partition("\n")
    try:
        parse_json(first)
    except ValueError:
        return False
    return bool(rest)


class _At(Exception):
    def __init__(self, reason: str, at: int) -> None:
        super().__init__(reason)
        self.reason, self.at = reason, at


def _items(text: str, start: int, *, alone: bool) -> Iterator[Found]:
    """The items of the list that starts there; `alone` says that nothing may follow it."""
    at, line, counted = _skip(text, start + 1), 1, 0
    while text[at : at + 1] != "]":
        line, counted = line + text.count("\n", counted, at), at
        try:
            value, end = _value(text, at)
            yield line, _row(value, text[at:end])
        except _Refused as e:
            end = _end(text, at)
            yield line, str(e)
        except ValueError as e:
            raise _At(str(e), at) from None
        at = _skip(text, end)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        elif text[at : at + 1] != "]":
            raise _At("a comma or ] is missing in the array", at)
    after = _skip(text, at + 1)
    if alone and after < len(text):
        raise _At("the array has ended before this", after)


def _only_list(text: str, start: int) -> int | None:
    """Where the only list of objects of a wrapping object starts; None where this is not one whole object."""
    try:
        whole, end = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    lists = [k for k, v in whole.items() if isinstance(v, list) and v]
    if text[end:].strip() or len(lists) != 1:
        return None
    at = _skip(text, start + 1)
    while text[at] != "}":
        key, at = json.JSONDecoder().raw_decode(text, at)
        at = _skip(text, _skip(text, at) + 1)
        if key == lists[0]:
            return at
        at = _skip(text, json.JSONDecoder().raw_decode(text, at)[1])
        at = _skip(text, at + 1) if text[at] == "," else at
    return None


def _value(text: str, at: int) -> tuple[Json, int]:
    """One value and where it ends. Raises ValueError with a reason that holds no value."""
    try:
        return _DECODER.raw_decode(text, at)
    except _Refused:
        raise
    except json.JSONDecodeError as e:
        column = e.pos - text.rfind("\n", 0, e.pos)
        raise ValueError(f"not valid JSON (column {column}: {e.msg.split(':')[0].lower()})") from None
    except RecursionError:
        raise _Refused(f"nested more than {MAX_DEPTH} levels deep") from None
    except ValueError:  # Python's own limit on the digits of an integer
        raise _Refused("a number is too large") from None


def _end(text: str, at: int) -> int:
    """Where a value that was refused ends."""
    try:
        return json.JSONDecoder().raw_decode(text, at)[1]
    except (ValueError, RecursionError) as e:
        raise _At("not a value that can be read", at) from e


def _row(value: Json, text: str) -> dict[str, Json] | str:
    if not isinstance(value, dict):
        kind = "a list" if isinstance(value, list) else "null" if value is None else "a bare value"
        return f"is {kind}, not an object with named columns"
    row = cast(dict[str, Json], value)
    if len(row) > MAX_COLUMNS:
        return f"has {len(row):,} keys; at most {MAX_COLUMNS:,} are read"
    if text.count("{") + text.count("[") > MAX_DEPTH and _deep(row):
        return f"nested more than {MAX_DEPTH} levels deep"
    if "\\ud" in text.lower() and _broken(row):
        return "holds half of a surrogate pair, which is not text"
    return row


def _deep(value: Json) -> bool:
    level: list[Json] = [value]
    for _ in range(MAX_DEPTH):
        level = [
            item
            for outer in level
            for item in cast(list[Json], list(outer.values()) if isinstance(outer, dict) else outer)
            if isinstance(item, dict | list)
        ]
        if not level:
            return False
    return True


def _broken(value: Json) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
        return False
    except UnicodeEncodeError:
        return True


def _skip(text: str, at: int) -> int:
    while text[at : at + 1] in (" ", "\n", "\r", "\t"):
        at += 1
    return at
