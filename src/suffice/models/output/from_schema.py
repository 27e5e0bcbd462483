"""From a saved JSON schema back to a type, so that a step can be loaded without its source. The inverse of `typed`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, NotRequired, Required, Union, cast

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from suffice.models.output.schema import Schema, branches, items, mapping, resolved, types
from suffice.values import Json

DEEP: Final = 40  # levels; a schema that refers to itself is taken as it is from there on
ANSWER: Final = "answer"

_LIMITS: Final = {
    "minLength": "min_length",
    "maxLength": "max_length",
    "pattern": "pattern",
    "minimum": "ge",
    "maximum": "le",
    "exclusiveMinimum": "gt",
    "exclusiveMaximum": "lt",
    "multipleOf": "multiple_of",
    "minItems": "min_length",
    "maxItems": "max_length",
}
_PLAIN: Final[dict[str, Any]] = {"string": str, "integer": int, "number": float, "boolean": bool, "null": None}


def type_of_schema(schema: Schema, *, wrapped: bool, name: str) -> Any:
    """A type whose answers are the JSON values that fit `schema`; of a wrapped one, what stands in its "answer".

    Objects become TypedDicts: a loaded answer is a dict. Raises ValueError for what is no schema.
    """
    inner = mapping(schema.get("properties")).get(ANSWER) if wrapped else schema
    if inner is None:
        raise ValueError("it is wrapped and has no field answer")
    return _type(inner, schema, name, 0)


def _type(given: Json, root: Schema, name: str, depth: int) -> Any:
    if not isinstance(given, dict) or depth > DEEP:
        return Any
    schema = resolved(cast("Schema", given), root)
    if "const" in schema:
        return Literal[schema["const"]]
    if "enum" in schema:
        return Literal[tuple(items(schema["enum"]))]
    parts = branches(schema)
    if parts:
        return _either([_type(p, root, name, depth + 1) for p in parts])
    kinds = [str(t) for t in types(schema)]
    if not kinds:
        return Any
    return _either([_one(kind, schema, root, name, depth) for kind in kinds])


def _one(kind: str, schema: Schema, root: Schema, name: str, depth: int) -> Any:
    if kind == "object":
        return _object(schema, root, name, depth)
    plain: Any = _PLAIN[kind] if kind != "array" else list[_type(schema.get("items"), root, f"{name}Item", depth + 1)]
    said = {ours: schema[theirs] for theirs, ours in _LIMITS.items() if theirs in schema}
    return Annotated[plain, Field(**said)] if said else plain


def _object(schema: Schema, root: Schema, name: str, depth: int) -> Any:
    fields = mapping(schema.get("properties"))
    if not fields:
        extra = schema.get("additionalProperties", True)
        return dict[str, _type(extra if isinstance(extra, dict) else True, root, f"{name}Value", depth + 1)]
    required = set(items(schema.get("required")))
    told: dict[str, Any] = {}
    for key, field in fields.items():
        inner = _type(field, root, f"{name}{key.title()}", depth + 1)
        told[key] = Required[inner] if key in required else NotRequired[inner]
    made: Any = TypedDict(name, told)  # type: ignore[misc]
    made.__pydantic_config__ = ConfigDict(extra="forbid" if schema.get("additionalProperties") is False else "allow")
    return made


def _either(choices: Sequence[Any]) -> Any:
    return Union[tuple(choices)]  # noqa: UP007 - made of a list
