"""Why a JSON schema has no form that OpenAI's strict mode takes: reasons in words, each with its path.

The limits are those of OpenAI's guide "Structured model outputs", section "Supported schemas": 5,000 properties, 10
levels of objects, 1,000 enum values and 120,000 characters of names and values in all.
"""

from __future__ import annotations

from typing import cast

from suffice.models.output.schema import Schema, branches, items, mapping, parts, resolved, target, types
from suffice.values import Json

FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})
KEPT = frozenset(
    "type enum const title description pattern format multipleOf minimum maximum exclusiveMinimum exclusiveMaximum"
    " minItems maxItems".split()
)
"""The keywords that strict mode takes as they are; of `format` only `FORMATS`, of `pattern` no look-around."""
ANNOTATIONS = frozenset(
    "title description default examples deprecated readOnly writeOnly $schema $comment discriminator $defs".split()
)
"""The keywords that say nothing about which values fit."""
_IMPOSSIBLE = {
    "not": "what an answer must not be cannot be forced",
    "if": "conditions cannot be forced",
    "then": "conditions cannot be forced",
    "else": "conditions cannot be forced",
    "dependentRequired": "fields that depend on each other cannot be forced",
    "dependentSchemas": "fields that depend on each other cannot be forced",
    "dependencies": "fields that depend on each other cannot be forced",
    "patternProperties": "its fields have no fixed names; use a list of objects",
    "propertyNames": "its fields have no fixed names; use a list of objects",
    "unevaluatedProperties": "it depends on what other parts allow",
    "unevaluatedItems": "it depends on what other parts allow",
    "prefixItems": "a tuple's places have types of their own; use an object with named fields",
    "contains": "what a list must contain cannot be forced",
    "minContains": "what a list must contain cannot be forced",
    "maxContains": "what a list must contain cannot be forced",
    "contentSchema": "JSON inside a string cannot be forced",
    **dict.fromkeys(
        ("$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor", "$vocabulary"),
        "it has an address or vocabulary of its own",
    ),
}
_KINDS = {"string", "number", "integer", "boolean", "object", "array", "null"}
_MOST_PROPERTIES, _MOST_LEVELS, _MOST_CHOICES, _MOST_CHARACTERS = 5_000, 10, 1_000, 120_000


def why_not_strict(schema: Schema) -> list[str]:
    """The reasons why `schema` has no strict form, empty where it has one.

    A caller that gets reasons asks for the type by a tool call or in JSON mode instead.
    """
    found: dict[str, None] = {}
    root = resolved(schema, schema)
    if "object" not in types(root) or branches(root):
        found["at `$`: the root must be one object"] = None
    _walk(schema, "$", schema, found)
    for name, one in mapping(schema.get("$defs")).items():
        _walk(one, f"$defs.{name}", schema, found)
    if not found:
        found |= dict.fromkeys(_too_large(schema))
    return list(found)


def kinds_of(schema: Schema) -> list[str]:
    """The JSON types of the values that fit: those that `type` names, else those of `enum` or `const`."""
    named = types(schema)
    if not named:
        values = items(schema["enum"]) if "enum" in schema else [schema["const"]] if "const" in schema else []
        named = [_kind(value) for value in values]
    return list(dict.fromkeys(str(kind) for kind in named))


def _kind(value: Json) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    if isinstance(value, int | float):
        return "integer" if isinstance(value, int) else "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def _walk(schema: Json, at: str, root: Schema, found: dict[str, None]) -> None:
    if not isinstance(schema, dict) or not schema:
        found[f"at `{at}`: anything or nothing fits; name a type"] = None
        return
    here = cast(Schema, schema)
    reasons = [reason for key, reason in _IMPOSSIBLE.items() if key in here]
    reasons += _reference(here, root) if "$ref" in here else _shape(here)
    found |= dict.fromkeys(f"at `{at}`: {reason}" for reason in reasons)
    for name, inner in mapping(here.get("properties")).items():
        _walk(inner, f"{at}.{name}", root, found)
    if "array" in types(here) and "items" in here:
        _walk(here["items"], f"{at}[]", root, found)
    for key in ("anyOf", "oneOf", "allOf"):
        for inner in items(here.get(key)):
            _walk(inner, at, root, found)


def _reference(schema: Schema, root: Schema) -> list[str]:
    if target(schema["$ref"], root) is None:
        return ["its $ref points to nothing in $defs"]
    if "$ref" in resolved(schema, root):
        return ["its $ref leads only to itself"]
    beside = sorted(set(schema) - ANNOTATIONS - {"$ref"})
    return [f"{', '.join(beside)} beside a $ref narrows it further"] if beside else []


def _shape(schema: Schema) -> list[str]:
    kinds = kinds_of(schema)
    several = [key for key in ("anyOf", "oneOf", "allOf") if key in schema]
    found: list[str] = []
    if not kinds and not several:
        found.append("it has no type, so anything fits")
    if not _KINDS.issuperset(kinds):
        found.append("it has an unknown type")
    if len(several) > 1 or len(items(schema.get("allOf"))) > 1:
        found.append("several parts must fit at once; write them as one")
    if several and ("properties" in schema or "items" in schema):
        found.append("it has fields or items of its own beside alternatives")
    values = items(schema.get("enum")) + ([schema["const"]] if "const" in schema else [])
    if ("enum" in schema and not schema["enum"]) or any(isinstance(value, list | dict) for value in values):
        found.append("its choices must be texts, numbers, booleans or null")
    return found + _object(schema) + _array(schema)


def _object(schema: Schema) -> list[str]:
    if "object" not in types(schema):
        return ["it has fields but is not only an object"] if "properties" in schema else []
    if "properties" not in schema or schema.get("additionalProperties", False) is not False:
        return ["its fields have no fixed names; use a model, or a list of objects with a name and a value"]
    unknown = set(items(schema.get("required"))) - set(mapping(schema["properties"]))
    return ["it requires a field that it does not describe"] if unknown else []


def _array(schema: Schema) -> list[str]:
    if "array" not in types(schema):
        return ["it has items but is not a list"] if "items" in schema else []
    return [] if "items" in schema else ["it is a list of anything; name the type of its items"]


def _too_large(schema: Schema) -> list[str]:
    properties, choices, characters = _sizes(schema)
    found: list[str] = []
    if properties > _MOST_PROPERTIES:
        found.append(f"it has {properties:,} fields, more than {_MOST_PROPERTIES:,}")
    if choices > _MOST_CHOICES:
        found.append(f"it has {choices:,} choices, more than {_MOST_CHOICES:,}")
    if characters > _MOST_CHARACTERS:
        found.append(f"its names and choices have {characters:,} characters, more than {_MOST_CHARACTERS:,}")
    if _levels(schema) > _MOST_LEVELS:
        found.append(f"its objects stand in each other more than {_MOST_LEVELS} deep")
    return [f"at `$`: {reason}" for reason in found]


def _sizes(schema: Schema) -> tuple[int, int, int]:
    """How many properties and choices a schema has, and the characters of their names and texts."""
    fields, defs = mapping(schema.get("properties")), mapping(schema.get("$defs"))
    values = items(schema.get("enum")) + ([schema["const"]] if "const" in schema else [])
    texts = [*fields, *defs, *(value for value in values if isinstance(value, str))]
    inner = [_sizes(one) for one in [*parts(schema), *map(mapping, defs.values())]]
    characters = sum(map(len, texts)) + sum(one[2] for one in inner)
    return len(fields) + sum(one[0] for one in inner), len(values) + sum(one[1] for one in inner), characters


def _levels(root: Schema) -> int:
    """How deep objects stand in each other; a reference to what it stands in adds nothing, as recursion is allowed."""
    deepest: dict[str, int] = {}

    def levels(here: Schema, inside: tuple[str, ...]) -> int:
        ref = here.get("$ref")
        if isinstance(ref, str):
            found = target(ref, root)
            if found is None or ref in inside:
                return 0
            if ref not in deepest:
                deepest[ref] = levels(found, (*inside, ref))
            return deepest[ref]
        inner = max((levels(one, inside) for one in parts(here)), default=0)
        return inner + (1 if "properties" in here else 0)

    return levels(root, ())
