"""What pydantic found wrong with an answer, in words: the path of each fault and what was expected there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast, get_args

from pydantic import ValidationError
from pydantic_core.core_schema import ErrorType

from suffice.errors import OutputError
from suffice.models.output.place import Path, place
from suffice.models.output.reading import QUOTED, quotable
from suffice.values import Json

FAULTS = 5
"""At most this many faults stand in a message."""
_EXPECTED = 160  # characters of one expectation: a Literal of two hundred labels is not repeated whole
_OWN = frozenset(get_args(ErrorType)) - {"value_error", "assertion_error", "union_tag_invalid", "import_error"}
"""Kinds of faults whose words are pydantic's own; the others' may hold the model's text."""
_MISSING: Any = object()


class _Quotes:
    """How much of the model's text may still be shown in this message."""

    def __init__(self) -> None:
        self.left = QUOTED

    def take(self, text: str, limit: int) -> str:
        shown = quotable(text, min(limit, self.left))
        self.left -= len(shown)
        return shown


def misfit(error: ValidationError, value: Json, names: frozenset[str], text: str, at: Path = ()) -> OutputError:
    """The OutputError for `value`, parsed from the model's `text`, that did not validate.

    `names` are the property names that the schema knows: other keys were written by the model and are shown short.
    `at` is the path of `value` in the whole answer.
    """
    found: dict[Path, list[dict[str, Any]]] = {}
    for one in cast(list[dict[str, Any]], error.errors(include_url=False)):
        found.setdefault(at + _path(one, value), []).append(one)
    quotes = _Quotes()
    shown = [_fault(path, some, names, quotes) for path, some in list(found.items())[:FAULTS]]
    more = len(found) - len(shown)
    if more:
        shown.append(f"and {more} more")
    return OutputError("the answer does not fit its type: " + "; ".join(shown), partial=text)


def _fault(path: Path, errors: Sequence[dict[str, Any]], names: frozenset[str], quotes: _Quotes) -> str:
    shown = tuple(_key(part, names, quotes) for part in path)
    expected = dict.fromkeys(_expected(error, quotes) for error in errors)
    wanted = " or ".join(expected)
    if len(wanted) > _EXPECTED:
        wanted = wanted[: _EXPECTED - 1] + "…"
    missing = all(error["type"] == "missing" for error in errors)
    got = "" if missing else f", got {_kind(errors[0]['input'], quotes)}"
    return f"at `{place(shown)}`: {wanted}{got}"


def _key(part: str | int, names: frozenset[str], quotes: _Quotes) -> str | int:
    return part if isinstance(part, int) or part in names else quotes.take(part, 20)


def _expected(error: dict[str, Any], quotes: _Quotes) -> str:
    kind, message = error["type"], error["msg"]
    if kind == "missing":
        return "expected a value, it is missing"
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        return "expected no such field"
    if kind not in _OWN:
        return quotes.take(message, QUOTED)
    known = message.removeprefix("Input should be ")
    if known != message:
        return f"expected {known}"
    return f"{message[:1].lower()}{message[1:]}" if message[1:2].islower() else message


def _kind(value: Any, quotes: _Quotes) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the string {quotes.take(value, 24)!r}"
    if isinstance(value, int | float):
        return f"the number {quotes.take(str(value) if abs(value) < 1e18 else 'a large one', 24)}"
    return "an object" if isinstance(value, dict) else "a list" if isinstance(value, list) else "something else"


def _path(error: dict[str, Any], value: Json) -> Path:
    """The part of pydantic's `loc` that is a path in `value`: it names the branches of unions, too."""
    path: list[str | int] = []
    here = value
    loc: tuple[str | int, ...] = error["loc"]
    for index, part in enumerate(loc):
        inner = _child(here, part)
        if inner is not _MISSING:
            path.append(part)
            here = inner
        elif error["type"] == "missing" and index == len(loc) - 1:
            path.append(part)
    return tuple(path)


def _child(value: Json, part: str | int) -> Any:
    if isinstance(value, dict) and isinstance(part, str):
        return cast(dict[str, Json], value).get(part, _MISSING)
    if isinstance(value, list) and isinstance(part, int):
        items = cast(list[Json], value)
        return items[part] if 0 <= part < len(items) else _MISSING
    return _MISSING
