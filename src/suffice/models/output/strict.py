"""A JSON schema in the form that OpenAI's strict mode takes; what it does not take is said in words.

The rules are those of OpenAI's guide "Structured model outputs", section "Supported schemas": an object at the root,
every property required, `additionalProperties` false everywhere, `anyOf` and `$defs` allowed, a fixed set of keywords
and string formats. Whatever is turned into words here is still validated by pydantic when the answer is read.
"""

from __future__ import annotations

import json
from typing import Any, cast

from suffice.errors import UsageError
from suffice.models.output.schema import Schema, branches, items, mapping, resolved, takes_null
from suffice.models.output.unfit import FORMATS, KEPT, kinds_of, why_not_strict
from suffice.values import Json

_WORDS = {
    "default": "Where nothing else is known: {}.",
    "minLength": "Length at least {}.",
    "maxLength": "Length at most {}.",
    "minProperties": "At least {} fields.",
    "maxProperties": "At most {} fields.",
    "format": "Format: {}.",
    "pattern": "Matches the regular expression {}.",
    "examples": "Examples: {}.",
    "contentMediaType": "Its content is {}.",
    "contentEncoding": "Its content is encoded as {}.",
}
_SILENT = {"$schema", "$comment", "discriminator"}  # they say nothing about values
_BUILT = {"$ref", "$defs", "properties", "required", "additionalProperties", "items", "anyOf", "oneOf", "allOf"}
_ABSENT = "Null where it is left out."


def strict_schema(schema: Schema) -> dict[str, Json]:
    """`schema` as strict mode takes it; the given one is not changed.

    An optional property becomes required and nullable: null stands for leaving it out (so a
    `NotRequired[X | None]` that is left out comes back as None). A keyword that strict mode does not take
    is removed and said in `description`. Raises UsageError with the reasons of `why_not_strict` where there are any:
    ask for such a type in another mode.
    """
    reasons = why_not_strict(schema)
    if reasons:
        raise UsageError(
            "the schema has no strict form: " + "; ".join(reasons),
            hint="ask for it by a tool call or in JSON mode, or give every object its fields",
        )
    top = resolved(schema, schema)  # the root must be the object itself
    beside = {} if top is schema else {key: value for key, value in schema.items() if key not in ("$ref", "$defs")}
    said = [one["description"] for one in (beside, top) if one.get("description")]
    made = _strict({**top, **beside, **({"description": " ".join(dict.fromkeys(said))} if said else {})}, schema)
    defs = mapping(schema.get("$defs"))
    if defs:
        made["$defs"] = {name: _strict(cast(Schema, one), schema) for name, one in defs.items()}
    return made


def _strict(schema: Schema, root: Schema) -> dict[str, Json]:
    made: dict[str, Json] = {key: value for key, value in schema.items() if key in KEPT and not _worded(key, value)}
    kinds = kinds_of(schema)
    if kinds:
        made["type"] = kinds[0] if len(kinds) == 1 else kinds
    words = [_said(key, value) for key, value in schema.items() if _worded(key, value)]
    if "$ref" in schema:
        made["$ref"] = schema["$ref"]
    if "items" in schema:
        made["items"] = _strict(schema["items"], root)
    alternatives = branches(schema) + items(schema.get("allOf"))  # an allOf of one is an anyOf of one
    if alternatives:
        made["anyOf"] = [_strict(one, root) for one in alternatives]
    if "properties" in schema:
        made.update(_fields(schema, root))
    if len(items(schema.get("oneOf"))) > 1 and "discriminator" not in schema:
        words.append("Exactly one of these forms fits.")
    return _alone(_described(made, words))


def _alone(made: dict[str, Json]) -> dict[str, Json]:
    """A `$ref` without neighbours, which strict mode does not allow: they go around it."""
    if "$ref" not in made or len(made) == 1:
        return made
    return {"anyOf": [{"$ref": made["$ref"]}], **{key: value for key, value in made.items() if key != "$ref"}}


def _fields(schema: Schema, root: Schema) -> dict[str, Json]:
    fields = mapping(schema["properties"])
    required = items(schema.get("required"))
    made = {name: _field(one, name in required, root) for name, one in fields.items()}
    return {"properties": made, "required": list(fields), "additionalProperties": False}


def _field(schema: Schema, required: bool, root: Schema) -> dict[str, Json]:
    made = _strict(schema, root)
    if required or takes_null(schema, root):
        return made
    said = made.pop("description", None)
    forms = made["anyOf"] if set(made) == {"anyOf"} else [made]
    return _described({"anyOf": [*forms, {"type": "null"}]}, [said, _ABSENT])


def _worded(key: str, value: Json) -> bool:
    if key == "format":
        return str(value) not in FORMATS
    if key == "pattern":
        return "(?" in str(value)  # look-around is not taken
    return key not in KEPT and key not in _SILENT | _BUILT


def _said(key: str, value: Json) -> str:
    if key == "uniqueItems":
        return "No item twice." if value else ""
    if key in ("readOnly", "writeOnly", "deprecated"):
        return f"{key}." if value else ""
    text = value if key in ("format", "contentMediaType", "contentEncoding") else json.dumps(value, ensure_ascii=False)
    return _WORDS.get(key, key + ": {}.").replace("{}", str(text), 1)


def _described(made: dict[str, Json], words: list[Any]) -> dict[str, Json]:
    said = [str(part) for part in [made.get("description"), *words] if part]
    if said:
        ended = [part if part.rstrip().endswith((".", "!", "?", ":", ";")) else f"{part}." for part in said[:-1]]
        made["description"] = " ".join([*ended, said[-1]])
    return made
