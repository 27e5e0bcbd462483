"""The forms in which graders compare values: as JSON, as a text, folded, read from a JSON text."""

from __future__ import annotations

import dataclasses
import enum
import unicodedata
from typing import Any, cast

from suffice.evals.json_rows import parse_json
from suffice.values import Json, canonical, folded, to_json


def jsoned(value: Any) -> Json:
    """A value as JSON; dataclasses and enums by what they hold, anything else by the name of its type."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return jsoned(dataclasses.asdict(value))
    if isinstance(value, enum.Enum):
        return jsoned(value.value)
    try:
        return to_json(value)
    except (TypeError, RecursionError):
        return f"<{type(value).__name__}>"


def as_text(value: Any) -> str:
    """A value as the text that a CSV file would hold."""
    form = jsoned(value)
    if isinstance(form, str):
        return form
    if isinstance(form, float) and form.is_integer():
        return str(int(form)) if abs(form) < 1e15 else str(form)
    return canonical(form)


def as_label(value: Any) -> str:
    """A value as a text whose case and white space do not matter."""
    return str(folded(as_text(value)))


def plain_text(value: Any, *, ignore_case: bool) -> str:
    """A value as a text after Unicode NFKC, with white space collapsed."""
    plain = " ".join(unicodedata.normalize("NFKC", as_text(value)).split())
    return plain.casefold() if ignore_case else plain


def read_object(output: Any) -> Json:
    """An output as JSON; a text that is a JSON object or list is read."""
    form = jsoned(output)
    if isinstance(form, str) and form.lstrip()[:1] in ("{", "["):
        try:
            return parse_json(form)
        except ValueError:
            return form
    return form


def several(value: Json) -> list[Json]:
    """The items of a list; anything else as the one item."""
    return cast(list[Json], value) if isinstance(value, list) else [value]


def same(one: Json, other: Json) -> bool:
    """Whether two JSON values are the same: 1 and 1.0 are, 1 and True are not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        left, right = cast(dict[str, Json], one), cast(dict[str, Json], other)
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(one, list) and isinstance(other, list):
        first, second = cast(list[Json], one), cast(list[Json], other)
        return len(first) == len(second) and all(map(same, first, second))
    return one == other
