"""What is unwise in an output type: warnings in plain words, with the path of each."""

from __future__ import annotations

from typing import cast

from suffice.models.output.schema import Schema, branches, items, mapping, parts, resolved, takes_null, target, types
from suffice.values import Json

OPAQUE = 10
"""More bare integers than this in one enum are a list of identifiers that a model cannot tell apart."""
_INVENTED = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}


def lint(schema: Schema) -> list[str]:
    """Warnings about an output's JSON schema, in the order of its fields; none is an error.

    A required text or number that may not be null makes the model invent one where the input holds none. A choice
    among labels (a Literal or an Enum) without None gives no warning: it is a closed choice, and its author has said
    that one of the labels always applies; add None or a label like "other" where that is not so. A list may be empty,
    and an object's own fields speak for it, so neither is warned about. A union whose members hold it again is tried
    member by member at every level, so that reading an answer takes pydantic twice as long with each level, unless a
    discriminator names the one to try.
    """
    found: dict[str, None] = {}
    own = {key: value for key, value in schema.items() if key != "$defs"}
    seen = {f"#/$defs/{name}" for name, one in mapping(schema.get("$defs")).items() if one == own}
    _walk(schema, "$", schema, seen, found)
    return list(found)


def _walk(schema: Schema, at: str, root: Schema, seen: set[str], found: dict[str, None]) -> None:
    ref = schema.get("$ref")
    if isinstance(ref, str):
        inner = target(ref, root)
        if inner is not None and ref not in seen:
            seen.add(ref)  # a type that is used in several places is spoken of once
            _walk(inner, at, root, seen, found)
        return
    _choices(schema, at, found)
    _doubling(schema, at, root, found)
    if int(schema.get("minItems") or 0) >= 1 and "prefixItems" not in schema:
        found[
            f"at `{at}`: a list of at least {schema['minItems']} makes the model invent an item; allow an empty one"
        ] = None
    for branch in branches(schema):
        _walk(branch, at, root, seen, found)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            _walk(cast(Schema, schema[key]), f"{at}[]", root, seen, found)
    for index, inner in enumerate(items(schema.get("prefixItems"))):
        if isinstance(inner, dict):
            _walk(cast(Schema, inner), f"{at}[{index}]", root, seen, found)
    for name, inner in mapping(schema.get("properties")).items():
        if isinstance(inner, dict):
            field = cast(Schema, inner)
            if name in items(schema.get("required")):
                _required(field, f"{at}.{name}", root, found)
            _walk(field, f"{at}.{name}", root, seen, found)


def _required(field: Schema, at: str, root: Schema, found: dict[str, None]) -> None:
    kinds = _invented(field, root)
    if kinds and not takes_null(field, root):
        wanted = " | ".join(kinds)
        found[
            f"at `{at}`: a required {wanted} makes the model invent one where there is none; write `{wanted} | None`"
        ] = None


def _invented(field: Schema, root: Schema, seen: tuple[Json, ...] = ()) -> list[str]:
    """The Python types of the free values that a model may have to invent here, none for a closed choice."""
    if "$ref" in field:
        inner = target(field["$ref"], root)
        return [] if inner is None or field["$ref"] in seen else _invented(inner, root, (*seen, field["$ref"]))
    if "enum" in field or "const" in field:
        return []
    found = [_INVENTED[kind] for kind in types(field) if kind in _INVENTED]
    for branch in branches(field):
        found += _invented(branch, root, seen)
    return list(dict.fromkeys(found))


def _choices(schema: Schema, at: str, found: dict[str, None]) -> None:
    values = items(schema.get("enum"))
    whole = [value for value in values if isinstance(value, int) and not isinstance(value, bool)]
    if len(whole) > OPAQUE and len(whole) >= len(values) - 1:  # a None among them changes nothing
        found[f"at `{at}`: a choice among {len(whole)} bare integers; names are answered more reliably than ids"] = None


def _doubling(schema: Schema, at: str, root: Schema, found: dict[str, None]) -> None:
    union = _members(schema)
    again = [ref for ref in union if any(_members(one) == union for one in _under(ref, root))]
    names = " | ".join(ref.rpartition("/")[2] for ref in union)
    if len(again) > 1 and not any(f"`{names}`" in one for one in found):  # its own fields are the same union
        found[
            f"at `{at}`: `{names}` holds itself, so that the time to read an answer doubles with each level; give each "
            'a field like kind: Literal["…"] and write Annotated[…, Field(discriminator="kind")]'
        ] = None


def _members(schema: Schema) -> list[str]:
    """The types in a union without a discriminator, by name: pydantic writes one that has it as `oneOf`."""
    return sorted(one["$ref"] for one in map(mapping, items(schema.get("anyOf"))) if isinstance(one.get("$ref"), str))


def _under(ref: str, root: Schema) -> list[Schema]:
    """Every schema that an answer of the type behind `ref` can reach."""
    found: dict[int, Schema] = {}
    waiting: list[Schema] = [{"$ref": ref}]
    while waiting:
        here = resolved(waiting.pop(), root)
        if id(here) not in found:
            found[id(here)] = here
            more = [here.get("additionalProperties"), *items(here.get("prefixItems"))]
            waiting += [*parts(here), *(cast(Schema, one) for one in more if isinstance(one, dict))]
    return list(found.values())
