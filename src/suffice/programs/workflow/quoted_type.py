"""Whether a type of items has a field for the words that say so, and none that the place of these words takes.

Checked when an extraction is made; what no type says, `extract` checks when it comes.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import types
import typing
from collections.abc import Collection
from typing import Any, Final

from typing_extensions import is_typeddict

from suffice.errors import UsageError

QUOTE: Final = "quote"
"""The field of an item that holds its words, and those of a result."""
PLACE: Final = ("start", "end")
"""The fields of a result that say where its words stand."""
RENAME: Final = "name it otherwise, such as starts_on; in Pydantic, serialization_alias= is enough"
_LISTS: Final = (list, tuple, collections.abc.Sequence, collections.abc.Iterable)


def refuse_unquoted(said: Any) -> None:
    """Raise UsageError, with the line to add, where `said` is a list of items that can have no quote. Of a type that
    does not say it (Any, dict) nothing is refused."""
    for item in _items(said):
        names = _fields(item)
        if names is not None and QUOTE not in names:
            hint = f"add to {item.__name__}: {QUOTE}: str  (its words in the text), or say them with spans="
            raise UsageError(f"{item.__name__} has no field {QUOTE}, so nothing of it would be kept", hint=hint)
        if item in (int, float, bool):
            hint = f"a class with the fields value: {item.__name__} and {QUOTE}: str, or spans="
            raise UsageError(f"a bare {item.__name__} has no words of its own, so nothing would be kept", hint=hint)


def refuse_taken(said: Any) -> None:
    """Raise UsageError where `said` is a list of items with fields that the place of their words would overwrite."""
    for item in _items(said):
        message = taken(_declared(item) or (), item)
        if message is not None:
            raise UsageError(message, hint=RENAME)


def taken(names: Collection[str], item: Any) -> str | None:
    """What is wrong with an item of these fields, if anything: `start` and `end` of a result are those of its words."""
    both = [name for name in PLACE if name in names]
    if not both:
        return None
    who = item.__name__ if isinstance(item, type) else f"an item of {item}"
    return f"{who} has a field {' and a field '.join(both)} of its own, and a result has the place of its words there"


def _items(said: Any) -> list[Any]:
    """The types of the items of a list, out of Annotated and unions."""
    origin, inner = typing.get_origin(said), typing.get_args(said)
    if origin is typing.Annotated:
        return _items(inner[0])
    if origin in (typing.Union, types.UnionType):
        return [item for one in inner for item in _items(one)]
    if origin in _LISTS:
        return [item for one in inner for item in _members(one)]
    return []


def _members(item: Any) -> list[Any]:
    origin, inner = typing.get_origin(item), typing.get_args(item)
    if origin is typing.Annotated:
        return _members(inner[0])
    return [m for one in inner for m in _members(one)] if origin in (typing.Union, types.UnionType) else [item]


def _fields(item: Any) -> set[str] | None:
    """As `_declared`, None of a type that may have others, too."""
    open_ended = getattr(item, "model_fields", None) is not None and item.model_config.get("extra") == "allow"
    return None if open_ended else _declared(item)


def _declared(item: Any) -> set[str] | None:
    """The names under which an item's fields are written as JSON, None of a type that does not say them."""
    declared: dict[str, Any] | None = getattr(item, "model_fields", None)  # of pydantic, which is heavy to import
    if declared is not None:
        names = {field.serialization_alias or field.alias or name for name, field in declared.items()}
        return names | set(item.model_computed_fields)
    if is_typeddict(item):
        return set(item.__annotations__)
    return {field.name for field in dataclasses.fields(item)} if dataclasses.is_dataclass(item) else None
