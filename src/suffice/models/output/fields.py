"""The validators of a type's top-level fields, one by one, so that a field can be checked before the rest is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pydantic import TypeAdapter
from pydantic_core import SchemaError, SchemaValidator

_AROUND = {"definitions", "model", "dataclass", "function-after", "function-before", "function-wrap", "default"}


def field_validators(adapter: TypeAdapter[Any]) -> Mapping[str, SchemaValidator]:
    """A validator for each top-level field of a model, dataclass or TypedDict, by its name in JSON.

    The field's own constraints and validators are in it; those of the whole model are not. Empty for other types.
    """
    here = cast(dict[str, Any], adapter.core_schema)
    definitions: list[Any] = []
    config: Any = None
    while here.get("type") in _AROUND or here.get("type") == "definition-ref":
        definitions += here.get("definitions", [])
        config = here.get("config", config)
        if here["type"] == "definition-ref":
            here = next(one for one in definitions if one.get("ref") == here["schema_ref"])
        else:
            here = here["schema"]
    config = here.get("config", config)
    made: dict[str, SchemaValidator] = {}
    for name, field in _fields(here):
        inner: Any = {"type": "definitions", "schema": field["schema"], "definitions": definitions}
        try:
            made[field.get("validation_alias", name)] = SchemaValidator(inner, config)
        except (SchemaError, TypeError):  # an alias that is a path, or a schema that cannot stand alone: checked whole
            continue
    return made


def _fields(schema: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    if schema.get("type") in ("model-fields", "typed-dict"):
        return list(schema["fields"].items())
    if schema.get("type") == "dataclass-args":
        return [(field["name"], field) for field in schema["fields"]]
    return []
