"""What is said to a model whose answer did not fit: the faults and the part of the schema that they touch."""

from __future__ import annotations

import json
from typing import Any

from suffice.errors import OutputError
from suffice.exchange import OutputSpec
from suffice.models.output.place import Path, place, places
from suffice.models.output.schema import Schema, forms, items, mapping, resolved

LONGEST = 1_000
"""Characters of a repair message at most."""
_ASK = "Answer again with the whole corrected JSON value and nothing else."
_FAULTS = 500  # characters of the faults at most, so that some of the schema fits


def repair_message(error: OutputError, spec: OutputSpec) -> str:
    """The message, at most 1,000 characters, that asks a model to correct an answer that raised `error`.

    It names the faults and shows the schema at each of their places, as far as it fits; never the answer itself.
    """
    faults = error.message if len(error.message) <= _FAULTS else error.message[: _FAULTS - 1] + "…"
    lines = [f"Your answer cannot be used: {faults}."]
    left = LONGEST - len(lines[0]) - len(_ASK) - 2
    for path in places(error.message) or [()]:
        shown = _shown(path, spec.schema, left)
        if shown is not None and shown not in lines:
            lines.append(shown)
            left -= len(shown) + 1
    return "\n".join([*lines, _ASK])


def _shown(path: Path, root: Schema, left: int) -> str | None:
    found = _at(path, root)
    if found is None:
        return None
    head = f"Schema at `{place(path)}`: "
    room = left - len(head) - 1
    text = json.dumps(_plain(found), ensure_ascii=False, separators=(",", ":"))
    if room < 40:
        return None
    return head + (text if len(text) <= room else text[: room - 1] + "…")


def _at(path: Path, root: Schema) -> Schema | None:
    here = [root]
    for step in path:
        inner = [_under(step, form) for form in forms(here, root)]
        here = [mapping(one) for one in inner if isinstance(one, dict)]
    return resolved(here[0], root) if here else None


def _under(step: str | int, schema: Schema) -> Any:
    if isinstance(step, str):
        return mapping(schema.get("properties")).get(step, schema.get("additionalProperties"))
    first = items(schema.get("prefixItems"))
    return first[step] if step < len(first) else schema.get("items")


def _plain(schema: Schema) -> dict[str, Any]:
    """The schema without what tells a model nothing here: definitions and titles."""
    return {key: value for key, value in schema.items() if key not in ("$defs", "title")}
