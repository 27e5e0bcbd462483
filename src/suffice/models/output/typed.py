"""A Python type as an output: its JSON schema, its name, and the function that turns a model's text into a value."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError, create_model

from suffice.errors import OutputError, UsageError
from suffice.models.output.bare import bare_labels, compared
from suffice.models.output.faults import misfit
from suffice.models.output.fields import field_validators
from suffice.models.output.from_schema import type_of_schema
from suffice.models.output.given_schema import taken_schema
from suffice.models.output.lint import lint
from suffice.models.output.longest import answer_tokens
from suffice.models.output.meant import as_meant
from suffice.models.output.place import Path
from suffice.models.output.raised import raised
from suffice.models.output.reading import json_value, printable, unfenced
from suffice.models.output.schema import Schema, mapping, property_names, resolved
from suffice.values import Json

ANSWER = "answer"
"""The one field of the object around an answer that is no object itself."""

_HINT = 'for example output=Literal["yes", "no"] | None, a pydantic model, or list[str]'
_SAID = 240  # characters of what pydantic says of a type


@dataclass(frozen=True, slots=True)
class OutputType:
    """How answers of one type are asked for and read.

    `spec_schema` is the JSON schema (draft 2020-12) with an object at its root, None for plain text; it is shared, so
    never changed. `parse` turns a model's text into a value, or raises OutputError, and SolutionError where code of the
    type's own fails. `wrapped` says that the answer stands in the field "answer" of an object. `warnings` are what
    `lint` says of the type. `parse_field` validates one top-level field, None where the value means that the field was
    left out. `tokens` is how many output tokens any usual answer fits in, None where the type does not bound it.
    """

    spec_schema: Mapping[str, Json] | None
    name: str
    parse: Callable[[str], Any]
    wrapped: bool = False
    warnings: tuple[str, ...] = ()
    parse_field: Callable[[str, Json], Field | None] = field(default=lambda name, value: None, repr=False)
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """A validated top-level field of an answer."""

    path: Path
    value: Any


def output_type(tp: Any) -> OutputType:
    """How an answer of type `tp` is asked for and read: anything that pydantic can describe in JSON.

    `str` and None mean plain text. A type whose JSON is no object (a Literal, int, list or union) is wrapped into an
    object with the one field "answer", because strict endpoints want an object. An answer is validated strictly: a
    number in a string is no number, enums and Literals go by value, and null fits only where the type has None (or
    where a field may be left out: there it means left out). A JSON schema, as a dict, is a type whose values are plain
    JSON. An OutputType is given back. Raises UsageError for a type without a JSON schema.
    """
    if isinstance(tp, OutputType):
        return tp
    if isinstance(tp, Mapping):
        return _of_schema(*_shown_schema(cast("Mapping[Any, Any]", tp)))
    if tp is None or tp is str:
        return OutputType(None, "text", _text)
    try:
        hash(tp)
    except TypeError:
        return _made(tp)
    # Literal["a", "b"] equals Literal["b", "a"], but asks in another order: the text tells them apart.
    return _kept(tp, repr(tp))


def _shown_schema(given: Mapping[Any, Any]) -> tuple[str, bool]:
    schema, wrapped = taken_schema(given)
    return json.dumps(schema), wrapped  # in the order of its fields, which a model answers in


@lru_cache(maxsize=256)
def _of_schema(shown: str, wrapped: bool) -> OutputType:
    schema = json.loads(shown)
    title = schema.get("title")
    name = _name(title if isinstance(title, str) else ANSWER)
    try:
        made = output_type(type_of_schema(schema, wrapped=wrapped, name=name))
    except UsageError as error:  # a pattern or a bound that cannot be
        said = error.message.partition(" has no JSON schema: ")[2]
        raise UsageError(f"output= is a JSON schema that cannot be kept: {said}", hint=error.hint) from None
    if made.wrapped != wrapped:
        raise UsageError("output= is a JSON schema with one choice", hint="give that choice itself")
    return replace(made, spec_schema=schema, name=name)


@lru_cache(maxsize=1_024)
def _kept(tp: Any, shown: str) -> OutputType:
    return _made(tp)


def _made(tp: Any) -> OutputType:
    adapter, schema = _described(tp)
    wrapped = schema.get("type") != "object" or "anyOf" in schema or "oneOf" in schema
    if wrapped:
        around: Any = create_model("Answer", __config__=ConfigDict(extra="forbid"), answer=(tp, ...))
        adapter, schema = _described(around)
    names = frozenset(property_names(schema))
    validators = field_validators(adapter)
    labels = bare_labels(mapping(mapping(schema["properties"])[ANSWER]), schema) if wrapped else dict[str, str]()

    def parse(text: str) -> Any:
        inner = unfenced(text)
        label = labels.get(compared(inner)) if labels else None
        inner = inner if label is None else json.dumps({ANSWER: label})
        given = json_value(inner)
        try:
            value = as_meant(given, schema, schema)
        except OutputError as error:
            error.partial = text
            raise
        except RecursionError:
            raise OutputError("the answer is not usable JSON: it is nested too deeply", partial=text) from None
        try:
            made = adapter.validate_json(inner if value is given else json.dumps(value), strict=True)
        except ValidationError as error:
            raise misfit(error, value, names, text) from None
        except Exception as error:
            raise raised(error, value, {} if wrapped else validators, _name_of(tp)) from error
        return getattr(made, ANSWER) if wrapped else made

    def parse_field(name: str, value: Json) -> Field | None:
        kept = as_meant({name: value}, schema, schema)
        if name not in validators or name not in kept:
            if schema.get("additionalProperties") is False and name not in mapping(schema.get("properties")):
                raise OutputError("the answer does not fit its type: it has a field that is not in the schema")
            return None
        try:
            made = validators[name].validate_json(json.dumps(kept[name]), strict=True)
        except ValidationError as error:
            raise misfit(error, kept[name], names, "", (name,)) from None
        except Exception:  # the user's own validator wants the other fields: it is asked again when all are there
            return None
        return Field((name,), made)

    return OutputType(schema, _name_of(tp), parse, wrapped, tuple(lint(schema)), parse_field, answer_tokens(schema))


def _described(tp: Any) -> tuple[TypeAdapter[Any], Schema]:
    if inspect.isroutine(tp):  # pydantic would call it with the answer
        raise UsageError(f"output={tp!r} is a function, not a type", hint=_HINT)
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(tp)
        schema = adapter.json_schema()
    except Exception as error:  # pydantic's own, and whatever its looking into an object that is no type ends in
        said = (str(error) or type(error).__name__).splitlines()[0]
        raise UsageError(f"output={tp!r:.120} has no JSON schema: {printable(said, _SAID)}", hint=_HINT) from None
    if "$ref" in schema:  # a type that holds itself: an endpoint wants the object itself at the root
        schema = {**resolved(schema, schema), "$defs": schema["$defs"]}
    return adapter, schema


def _name_of(tp: Any) -> str:
    return _name(tp.__name__ if isinstance(tp, type) else ANSWER)


def _name(given: str) -> str:
    """A name as endpoints take it: at most 64 of a-z, A-Z, 0-9, "_" and "-"."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", given)[:64].strip("_") or ANSWER


def _text(text: str) -> str:
    return text
