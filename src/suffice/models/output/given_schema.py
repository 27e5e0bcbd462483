"""A JSON schema that a caller gives as output=: taken where every word of it is validated here, else refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, cast

from suffice.errors import UsageError
from suffice.models.output.from_schema import ANSWER, DEEP
from suffice.models.output.place import place
from suffice.models.output.schema import Schema, branches, items, mapping, resolved, target, types
from suffice.models.output.unfit import ANNOTATIONS
from suffice.values import Json

HINT: Final = "leave it out, or give a pydantic model"
_SAYS_NOTHING: Final = ANNOTATIONS | {"format", "$id", "contentMediaType", "contentEncoding"}
_NUMBER: Final = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
_WORDS: Final[Mapping[str, frozenset[str]]] = {
    "object": frozenset({"properties", "required", "additionalProperties"}),
    "array": frozenset({"items", "minItems", "maxItems"}),
    "string": frozenset({"minLength", "maxLength", "pattern"}),
    "integer": _NUMBER,
    "number": _NUMBER,
    "boolean": frozenset(),
    "null": frozenset(),
}
"""The JSON types, and what each may be narrowed by."""


def taken_schema(given: Mapping[Any, Any]) -> tuple[dict[str, Json], bool]:
    """`given` with an object at its root, and whether it was wrapped for that into the field "answer".

    Raises UsageError with the path of what is no JSON schema, or is more than is validated here. `format` and titles
    go to the model and narrow nothing; of a `oneOf` any branch may fit.
    """
    try:
        schema: dict[str, Json] = json.loads(json.dumps(given))
    except (TypeError, ValueError, RecursionError):
        raise UsageError("output= is a dict, and no JSON schema", hint='output={"type": "object", …}') from None
    if "$ref" in schema:
        schema = {**resolved(schema, schema), "$defs": schema.get("$defs", {})}
    inner = {key: value for key, value in schema.items() if key != "$defs"}
    defs = mapping(schema.get("$defs"))
    wrapped = schema.get("type") != "object" or bool({"anyOf", "oneOf", "enum", "const"} & schema.keys())
    _check(inner, (), schema, whole=not wrapped)
    for name, one in defs.items():
        _check(one, ("$defs", name), schema, whole=not wrapped)
    if not wrapped:
        return schema, False
    around = {"type": "object", "properties": {ANSWER: inner}, "required": [ANSWER], "additionalProperties": False}
    return {**around, "$defs": defs} if defs else around, True


def _check(given: Json, at: tuple[str, ...], root: Schema, whole: bool) -> None:
    """Refuses what of the schema at the path `at` is not validated; `whole` allows references to the root."""
    if not isinstance(given, dict) or len(at) > DEEP:
        raise _refused("it is nested too deeply" if len(at) > DEEP else "this is no schema", at)
    here = cast("Schema", given)
    said = set(here) - _SAYS_NOTHING
    if "$ref" in said:
        if target(here["$ref"], root) is None or "$ref" in resolved(here, root):
            raise _refused("its $ref leads to no schema under $defs", at)
        if here["$ref"] == "#" and not whole:
            raise _refused("its $ref is to a root that is no object", at)
        _only(said, {"$ref"}, at)
    elif "enum" in said or "const" in said:
        values = items(here["enum"]) if "enum" in said else [here["const"]]
        if not values or any(isinstance(value, list | dict | float) for value in values):
            raise _refused("its choices must be texts, whole numbers, booleans or null", at)
        _only(said, {"enum", "const", "type"}, at)
    elif "anyOf" in said or "oneOf" in said:
        _only(said, {"anyOf"} if "anyOf" in said else {"oneOf"}, at)
        if len(branches(here)) != len(items(here.get("anyOf")) + items(here.get("oneOf"))) or not branches(here):
            raise _refused("its branches are no schemas", at)
        for n, one in enumerate(branches(here)):
            _check(one, (*at, "anyOf" if "anyOf" in said else "oneOf", str(n)), root, whole)
    elif said:
        _check_kind(here, said, at, root, whole)


def _check_kind(here: Schema, said: set[str], at: tuple[str, ...], root: Schema, whole: bool) -> None:
    kinds = [str(kind) for kind in types(here)]
    unknown = [kind for kind in kinds if kind not in _WORDS]
    if unknown or not kinds:
        raise _refused(f"there is no type {unknown[0]!r:.40}" if unknown else "it has no type", at)
    _only(said, {"type", *(word for kind in kinds for word in _WORDS[kind])}, at)
    fields, more = mapping(here.get("properties")), here.get("additionalProperties", True)
    if more is False and not fields:
        raise _refused("it is an object without fields", at)
    if fields and not isinstance(more, bool):
        raise _refused("additionalProperties beside fields is true or false", at)
    if not set(items(here.get("required"))) <= set(fields):
        raise _refused("it requires a field that it does not describe", at)
    for name, one in fields.items():
        _check(one, (*at, "properties", name), root, whole)
    for name in ("items", "additionalProperties"):
        if name in here and not isinstance(here[name], bool):
            _check(here[name], (*at, name), root, whole)


def _only(said: set[str], known: set[str], at: tuple[str, ...]) -> None:
    more = sorted(said - known)
    if more:
        raise _refused(f"{', '.join(more)} is not validated there", at)


def _refused(why: str, at: tuple[str, ...]) -> UsageError:
    return UsageError(f"output= is a JSON schema that cannot be kept: {why} at `{place(at)}`", hint=HINT)
