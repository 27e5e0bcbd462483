"""Looking around in a JSON schema (draft 2020-12, as pydantic writes it): references, null, property names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast
from urllib.parse import unquote

from suffice.values import Json

Schema = Mapping[str, Json]


def target(ref: Json, root: Schema) -> Schema | None:
    """What a `$ref` points to: the root ("#") or one of its `$defs`; None for anything else."""
    if ref == "#":
        return root
    if not isinstance(ref, str) or not ref.startswith("#/$defs/"):
        return None
    name = unquote(ref.removeprefix("#/$defs/"))
    if "/" in name:
        return None
    found = mapping(root.get("$defs")).get(name.replace("~1", "/").replace("~0", "~"))
    return cast(Schema, found) if isinstance(found, dict) else None


def resolved(schema: Schema, root: Schema) -> Schema:
    """`schema`, or what its chain of bare references ends at (itself where the chain is broken or a circle)."""
    seen: list[Json] = []
    here = schema
    while "$ref" in here and here["$ref"] not in seen:
        seen.append(here["$ref"])
        found = target(here["$ref"], root)
        if found is None:
            return schema
        here = found
    return here


def mapping(value: Json) -> dict[str, Any]:
    """`value` where it is an object, else an empty one."""
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}


def items(value: Json) -> list[Any]:
    """`value` where it is a list, else an empty one."""
    return cast(list[Any], value) if isinstance(value, list) else []


def types(schema: Schema) -> list[Json]:
    """The JSON types that `type` names."""
    named = schema.get("type")
    return items(named) if isinstance(named, list) else [] if named is None else [named]


def branches(schema: Schema) -> list[Schema]:
    """The schemas under `anyOf` and `oneOf`."""
    both = items(schema.get("anyOf")) + items(schema.get("oneOf"))
    return [cast(Schema, one) for one in both if isinstance(one, dict)]


def forms(starts: Iterable[Schema], root: Schema) -> list[Schema]:
    """Every schema that a value under one of `starts` may take: references followed, unions opened, each once."""
    found: dict[int, Schema] = {}
    waiting = list(starts)
    while waiting:
        here = resolved(waiting.pop(), root)
        if id(here) not in found:  # once each: the forms of a union that holds itself would double at every level
            found[id(here)] = here
            waiting += branches(here)
    return list(found.values())


def takes_null(schema: Schema, root: Schema, seen: tuple[Json, ...] = ()) -> bool:
    """Whether null fits `schema`."""
    if "$ref" in schema:
        ref = schema["$ref"]
        found = target(ref, root)
        return found is not None and ref not in seen and takes_null(found, root, (*seen, ref))
    named = types(schema)
    if named and "null" not in named:
        return False
    if "enum" in schema:
        return None in items(schema["enum"])
    if "const" in schema:
        return schema["const"] is None
    if "anyOf" in schema or "oneOf" in schema:
        return any(takes_null(branch, root, seen) for branch in branches(schema))
    return True


def property_names(schema: Json) -> Iterator[str]:
    """Every name under any `properties` in `schema`."""
    if isinstance(schema, dict):
        here = mapping(cast(Json, schema))
        yield from mapping(here.get("properties"))
        for inner in here.values():
            yield from property_names(inner)
    elif isinstance(schema, list):
        for inner in items(cast(Json, schema)):
            yield from property_names(inner)


def parts(schema: Schema) -> list[Schema]:
    """The schemas right under `schema` that an answer can reach, without its `$defs`."""
    lists = [*items(schema.get("anyOf")), *items(schema.get("oneOf")), *items(schema.get("allOf"))]
    under = [*mapping(schema.get("properties")).values(), schema.get("items"), *lists]
    return [cast(Schema, one) for one in under if isinstance(one, dict)]
