"""A declared answer type (`output=Team | None`): its kind, its label set, and the check of expected values."""

from __future__ import annotations

import dataclasses
import enum
import functools
import types
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

import typing_extensions
from pydantic import BaseModel, TypeAdapter, ValidationError

from suffice.errors import UsageError
from suffice.programs.output import adapter_of
from suffice.shown import counted, listed, shown
from suffice.values import Json, folded


@dataclass(frozen=True, slots=True)
class OutputType:
    """What `output=` says. `nothing` is True where None is among the answers; `labels` is empty for an open type."""

    kind: Literal["label", "number", "text", "fields"]
    reason: str
    labels: tuple[Json, ...]
    nothing: bool
    adapter: TypeAdapter[Any] | None
    by_text: dict[str, Any]  # the value that a text of a CSV stands for

    def validated(self, value: Json) -> Json:
        """`value` as JSON of this type. Raises ValueError with a reason that does not hold the value."""
        if self.adapter is None:
            return value
        if self.labels:
            known = self.by_text.get(str(folded(value))) if isinstance(value, str) else value
            value = value if known is None else known
        try:
            if self.kind == "fields" and isinstance(value, str):
                made = self.adapter.validate_json(value)
            else:
                made = self.adapter.validate_python(value)
            return self.adapter.dump_python(made, mode="json")
        except ValidationError as e:
            reason = _reason(e)
        except Exception as e:  # a user's validator; its text may hold the value
            reason = f"its validator raised {type(e).__name__}"
        if self.labels:
            reason = f"is none of the {counted(len(self.labels), 'label')} of output= ({listed(self.labels, 6)})"
        raise ValueError(f"the expected value {reason}")


def output_type(declared: object) -> OutputType:
    """Reads a type: Literal, enum, bool, int, float, str, a model, a TypedDict, a list, each also with `| None`.

    Raises UsageError for what is not a type that pydantic can check.
    """
    inner, nothing = _without_none(declared)
    if isinstance(inner, str):
        raise UsageError(f"output= is the text {shown(inner)}, not a type", hint="pass the type itself: output=Team")
    adapter = adapter_of(inner)
    labels, by_text = _labels(inner)
    kind, what = _kind(inner, bool(labels))
    return OutputType(kind, f"output= declares {what}", labels, nothing, adapter, by_text)


def _without_none(declared: object) -> tuple[object, bool]:
    """The type without its None, aliases and annotations resolved, and whether None was in it."""
    while True:
        if hasattr(declared, "__value__"):  # a type alias; where its class lives depends on the Python version
            declared = cast(Any, declared).__value__
        elif get_origin(declared) is Annotated and type(None) in get_args(get_args(declared)[0]):
            declared = get_args(declared)[0]
        else:
            break
    if get_origin(declared) is Literal and None in get_args(declared):
        rest = tuple(v for v in get_args(declared) if v is not None)
        declared = _either(cast(Any, Literal)[rest], None) if rest else None
    if get_origin(declared) not in (Union, types.UnionType):
        if declared is None or declared is type(None):
            raise UsageError("output=None leaves no answer but nothing", hint="name the type of the other answers")
        return declared, False
    parts = [part for part in get_args(declared) if part is not type(None)]
    inner = [_without_none(part) for part in parts]
    nothing = len(parts) < len(get_args(declared)) or any(has for _, has in inner)
    kept: list[Any] = [part for part, _ in inner]
    return functools.reduce(_either, kept), nothing


def _either(one: Any, other: Any) -> Any:
    return one | other


def _labels(inner: object) -> tuple[tuple[Json, ...], dict[str, Any]]:
    """The closed set of a type, and the value behind each text."""
    if inner is bool:
        return (False, True), {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}
    if isinstance(inner, type) and issubclass(inner, enum.Enum):
        members = list(inner)
        named = {str(folded(m.name)): m.value for m in members}
        return tuple(m.value for m in members), named | {str(folded(str(m.value))): m.value for m in members}
    if get_origin(inner) in (Union, types.UnionType):
        parts = [_labels(part) for part in get_args(inner)]
        if all(labels for labels, _ in parts):
            texts: dict[str, Any] = {}
            for _, each in parts:
                texts |= each
            return tuple(v for labels, _ in parts for v in labels), texts
        return (), {}
    if get_origin(inner) is Literal:
        values = get_args(inner)
        plain = tuple(v.value if isinstance(v, enum.Enum) else v for v in values)
        return plain, {str(folded(str(v))): v for v in plain}
    return (), {}


def _kind(inner: object, closed: bool) -> tuple[Literal["label", "number", "text", "fields"], str]:
    origin = get_origin(inner) or inner
    origin = get_origin(get_args(inner)[0]) or get_args(inner)[0] if origin is Annotated else origin
    if closed:
        return "label", "a closed set"
    if origin in (int, float, Decimal):
        return "number", "a number"
    if typing_extensions.is_typeddict(origin) or dataclasses.is_dataclass(origin):
        return "fields", "named fields"
    if isinstance(origin, type) and issubclass(origin, BaseModel):
        return "fields", "named fields"
    if isinstance(origin, type) and issubclass(origin, dict | list | tuple | set | frozenset):
        return "fields", "a list" if not issubclass(origin, dict) else "named fields"
    return "text", "a text" if origin is str else "a free value"


def _reason(error: ValidationError) -> str:
    """The first fault with its place, in pydantic's words; where a user wrote the words, only its kind."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    first = faults[0]
    place = ".".join(str(p) for p in first["loc"])
    own = first["type"] in ("value_error", "assertion_error") or "unexpected" in first["type"] or "tag" in first["type"]
    words = f"fails its validator ({first['type']})" if own else first["msg"][:1].lower() + first["msg"][1:]
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return (f"at {shown(place)}: " if place and not own else "does not fit output=: ") + words + more
