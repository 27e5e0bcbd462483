"""From a saved JSON schema back to a type, so that a step can be loaded without its source. The inverse of `typed`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, NotRequired, Required, Union, cast

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from suffice.models.output.schema import Schema, branches, items, mapping, resolved, types
from suffice.values import Json

DEEP: Final = 40  # levels; a schema that refers to itself is taken as it is from there on
ANSWER: Final = "answer"

_NUMBERS: Final = {
    "minimum": "ge",
    "maximum": "le",
    "exclusiveMinimum": "gt",
    "exclusiveMaximum": "lt",
    "multipleOf": "multiple_of",
}
_LIMITS: Final[Mapping[str, Mapping[str, str]]] = {
    "string": {"minLength": "min_length", "maxLength": "max_length", "pattern": "pattern"},
    "integer": _NUMBERS,
    "number": _NUMBERS,
    "array": {"minItems": "min_length", "maxItems": "max_length"},
}
"""What each JSON type may be limited by, and pydantic's name for it."""
_PLAIN: Final[dict[str, Any]] = {"string": str, "integer": int, "number": float, "boolean": bool, "null": None}


def type_of_schema(schema: Schema, *, wrapped: bool, name: str) -> Any:
    """A type whose answers are the JSON values that fit `schema`; of a wrapped one, what stands in its "answer".

    Objects become TypedDicts: a loaded answer is a dict. Raises ValueError for what is no schema.
    """
    inner = mapping(schema.get("properties")).get(ANSWER) if wrapped else schema
    if inner is None:
        raise ValueError("it is wrapped and has no field answer")
    made = _Types(schema).of(inner, name, 0)
    return Annotated[str, Field()] if wrapped and made is str else made  # str alone is plain text


@dataclass(frozen=True, slots=True)
class _Types:
    """The types of the schemas under `root`, each made once at a depth: one that refers to itself twice would double
    with every level."""

    root: Schema
    known: dict[tuple[int, int], Any] = field(default_factory=dict[tuple[int, int], Any])

    def of(self, given: Json, name: str, depth: int) -> Any:
        if not isinstance(given, dict) or depth > DEEP:
            return Any
        schema = resolved(cast("Schema", given), self.root)
        place = (id(schema), depth)
        if place not in self.known:
            self.known[place] = self._made(schema, name, depth)
        return self.known[place]

    def _made(self, schema: Schema, name: str, depth: int) -> Any:
        if "const" in schema:
            return Literal[schema["const"]]
        if "enum" in schema:
            return Literal[tuple(items(schema["enum"]))]
        parts = branches(schema)
        if parts:
            return _either([self.of(p, name, depth + 1) for p in parts])
        kinds = [str(t) for t in types(schema)]
        if not kinds:
            return Any
        return _either([self._one(kind, schema, name, depth) for kind in kinds])

    def _one(self, kind: str, schema: Schema, name: str, depth: int) -> Any:
        if kind == "object":
            return self._object(schema, name, depth)
        plain: Any = _PLAIN[kind] if kind != "array" else list[self.of(schema.get("items"), f"{name}Item", depth + 1)]
        limits = _LIMITS.get(kind, {})
        said = {ours: schema[theirs] for theirs, ours in limits.items() if theirs in schema}
        return Annotated[plain, Field(**said)] if said else plain

    def _object(self, schema: Schema, name: str, depth: int) -> Any:
        fields = mapping(schema.get("properties"))
        if not fields:
            extra = schema.get("additionalProperties", True)
            return dict[str, self.of(extra if isinstance(extra, dict) else True, f"{name}Value", depth + 1)]
        required = set(items(schema.get("required")))
        told: dict[str, Any] = {}
        for key, one in fields.items():
            inner = self.of(one, f"{name}{key.title()}", depth + 1)
            told[key] = Required[inner] if key in required else NotRequired[inner]
        made: Any = TypedDict(name, told)  # type: ignore[misc]
        closed = schema.get("additionalProperties") is False
        made.__pydantic_config__ = ConfigDict(extra="forbid" if closed else "allow")
        return made


def _either(choices: Sequence[Any]) -> Any:
    return Union[tuple(choices)]  # noqa: UP007 - made of a list
