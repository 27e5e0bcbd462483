"""The JSON schema that expected values have in common: what a prompt asks for where a task declares no type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

from suffice.values import Json, canonical

MOST_FIELDS: Final = 60  # an object of more different names is a table by name, not a record
DEEPEST: Final = 12


def schema_of(values: Sequence[Json], depth: int = 0) -> dict[str, Json]:
    """The schema of what all of `values` are: objects field by field, lists by their items, texts, numbers, booleans.

    A field that is null or left out in some value may be null. Whole numbers alone are integers. A closed set of
    texts is not closed: a value that nobody has seen may still be right. {} where nothing is known.
    """
    some = [v for v in values if v is not None]
    forms: list[dict[str, Json]] = []
    if depth < DEEPEST:
        objects = [cast("dict[str, Json]", v) for v in some if isinstance(v, dict)]
        lists = [cast("list[Json]", v) for v in some if isinstance(v, list)]
        forms += [_object(objects, depth)] if objects else []
        forms += [{"type": "array", "items": _items(lists, depth)}] if lists else []
    scalars = [v for v in some if not isinstance(v, dict | list)]
    forms += [{"type": "boolean"}] if any(isinstance(v, bool) for v in scalars) else []
    numbers = [v for v in scalars if isinstance(v, int | float) and not isinstance(v, bool)]
    if numbers:
        forms.append({"type": "integer" if all(isinstance(v, int) for v in numbers) else "number"})
    forms += [{"type": "string"}] if any(isinstance(v, str) for v in scalars) else []
    if forms and len(some) < len(values):
        forms.append({"type": "null"})
    return forms[0] if len(forms) == 1 else {"anyOf": list[Json](forms)} if forms else {}


def field_names(schema: dict[str, Json]) -> tuple[str, ...]:
    """The names of the fields of an object's schema; empty for any other."""
    properties = cast("dict[str, Json]", schema.get("properties") or {})
    return tuple(properties)


def _object(objects: Sequence[dict[str, Json]], depth: int) -> dict[str, Json]:
    names = dict.fromkeys(name for value in objects for name in value)
    shared = sum(map(len, objects)) / max(1, len(names))
    if len(names) > MOST_FIELDS and shared < len(objects) / 10 or not names:
        inner = schema_of([v for value in objects for v in value.values()], depth + 1)
        return {"type": "object", "additionalProperties": inner or True}
    fields: dict[str, Json] = {}
    for name in names:
        fields[name] = schema_of([value.get(name) for value in objects], depth + 1) or _UNKNOWN
    return {"type": "object", "properties": fields, "required": list[Json](names), "additionalProperties": False}


def _items(lists: Sequence[list[Json]], depth: int) -> Json:
    different = {canonical(item): item for value in lists for item in value}
    return schema_of(list(different.values()), depth + 1) or {"type": "string"}


_UNKNOWN: Final[dict[str, Json]] = {"anyOf": [{"type": "string"}, {"type": "null"}]}  # null wherever it was seen
