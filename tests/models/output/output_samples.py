"""Random output types with valid answers, and a small JSON schema validator, for the tests of structured output."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field, make_dataclass
from enum import Enum
from typing import Annotated, Any, Literal, NotRequired
from urllib.parse import unquote

from hypothesis import strategies as st
from pydantic import Field, create_model
from typing_extensions import TypedDict

Pair = tuple[Any, Any]
"""An answer as JSON, and the JSON that the parsed value must give back."""

ABSENT = object()
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=6), inner, max_size=5),
    max_leaves=20,
)


@dataclass(frozen=True)
class Kind:
    """A type, its valid answers, and whether strict mode can take it."""

    tp: Any
    pairs: st.SearchStrategy[Pair]
    strict: bool = True
    nullable: bool = False


def same(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Pair]:
    return strategy.map(lambda value: (value, value))


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Size(Enum):
    S = 1
    L = 2


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
LEAVES = [
    Kind(int, same(st.integers(-(10**12), 10**12))),
    Kind(float, same(st.floats(allow_nan=False, allow_infinity=False))),
    Kind(bool, same(st.booleans())),
    Kind(Annotated[str, Field(description="words")], same(words)),
    Kind(Annotated[str, Field(min_length=2, max_length=6)], same(st.text("abc", min_size=2, max_size=6))),
    Kind(Annotated[int, Field(ge=0, le=9, multiple_of=3)], same(st.sampled_from([0, 3, 6, 9]))),
    Kind(Annotated[str, Field(pattern="^[a-c]+$")], same(st.text("abc", min_size=1, max_size=6))),
    Kind(Literal["yes", "no"], same(st.sampled_from(["yes", "no"]))),
    Kind(Literal["one", 2, False], same(st.sampled_from(["one", 2, False]))),
    Kind(Literal["only"], same(st.just("only"))),
    Kind(Colour, same(st.sampled_from(["red", "blue"]))),
    Kind(Size, same(st.sampled_from([1, 2]))),
    Kind(datetime.date, same(st.dates().map(str))),
]


@st.composite
def kinds(draw: st.DrawFn, depth: int = 3) -> Kind:
    """A random type: leaves, lists, optionals, dicts, models, dataclasses and TypedDicts of them."""
    shape = draw(st.sampled_from(["leaf", "leaf", "list", "optional", "record", "record", "record", "dict"]))
    if depth == 0 or shape == "leaf":
        return draw(st.sampled_from(LEAVES))
    if shape == "record":
        return draw(records(depth))
    inner = draw(kinds(depth - 1))
    if shape == "optional":
        return Kind(inner.tp | None, st.just((None, None)) | inner.pairs, inner.strict, nullable=True)
    if shape == "list":
        pairs = st.lists(inner.pairs, max_size=3).map(lambda many: ([a for a, _ in many], [b for _, b in many]))
        return Kind(list[inner.tp], pairs, inner.strict)
    pairs = st.dictionaries(words, inner.pairs, max_size=3).map(
        lambda many: ({k: a for k, (a, _) in many.items()}, {k: b for k, (_, b) in many.items()})
    )
    return Kind(dict[str, inner.tp], pairs, strict=False)


@st.composite
def records(draw: st.DrawFn, depth: int) -> Kind:
    fields = draw(st.lists(kinds(depth - 1), min_size=1, max_size=3))
    optional = [draw(st.booleans()) for _ in fields]
    names = [f"field_{i}" for i in range(len(fields))]
    make = draw(st.sampled_from([_model, _dataclass, _typed_dict]))
    defaults = [DEFAULT if make is not _typed_dict else ABSENT for _ in fields]
    made = make(names, [one.tp for one in fields], optional)
    pairs = st.tuples(*(_given(one, o, d) for one, o, d in zip(fields, optional, defaults, strict=True)))
    return Kind(made, pairs.map(lambda many: _record(names, many)), all(one.strict for one in fields))


DEFAULT = None
"""The default of every optional field; it need not fit the field's type."""


def _given(kind: Kind, optional: bool, default: Any) -> st.SearchStrategy[Pair]:
    if not optional:
        return kind.pairs
    left_out = st.just((ABSENT, default))
    # Where the type has no None, the strict form's null means "left out".
    return kind.pairs | left_out | (st.nothing() if kind.nullable else st.just((None, default)))


def _record(names: list[str], many: tuple[Pair, ...]) -> Pair:
    given = {name: a for name, (a, _) in zip(names, many, strict=True) if a is not ABSENT}
    return given, {name: b for name, (_, b) in zip(names, many, strict=True) if b is not ABSENT}


def _model(names: list[str], types: list[Any], optional: list[bool]) -> Any:
    fields: dict[str, Any] = {n: (t, DEFAULT if o else ...) for n, t, o in zip(names, types, optional, strict=True)}
    return create_model("Random", **fields)


def _dataclass(names: list[str], types: list[Any], optional: list[bool]) -> Any:
    fields = [
        (n, t, field(default=DEFAULT)) if o else (n, t, field()) for n, t, o in zip(names, types, optional, strict=True)
    ]
    return make_dataclass("Random", fields, kw_only=True)


def _typed_dict(names: list[str], types: list[Any], optional: list[bool]) -> Any:
    return TypedDict("Random", {n: NotRequired[t] if o else t for n, t, o in zip(names, types, optional, strict=True)})


TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
    "number": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
    "integer": lambda v: not isinstance(v, bool) and (isinstance(v, int) or isinstance(v, float) and v.is_integer()),
}


def alike(a: Any, b: Any) -> bool:
    """Equal as JSON values: 1 is 1.0, but true is not 1."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(alike(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(alike(a[k], b[k]) for k in a)
    return a == b


def pointed(ref: str, root: dict[str, Any]) -> dict[str, Any]:
    """What a `$ref` points to (RFC 6901, in a URI fragment). Raises KeyError where it points to nothing."""
    if ref == "#":
        return root
    return root["$defs"][unquote(ref.removeprefix("#/$defs/")).replace("~1", "/").replace("~0", "~")]


def fits(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    """Whether `value` is valid under a strict schema: only the keywords that strict mode takes are known."""
    if "$ref" in schema:
        return fits(value, pointed(schema["$ref"], root), root)
    kinds = schema.get("type", list(TYPES))
    if not any(TYPES[kind](value) for kind in ([kinds] if isinstance(kinds, str) else kinds)):
        return False
    if "enum" in schema and not any(alike(value, one) for one in schema["enum"]):
        return False
    if "const" in schema and not alike(value, schema["const"]):
        return False
    if "anyOf" in schema and not any(fits(value, one, root) for one in schema["anyOf"]):
        return False
    return _inside(value, schema, root)


def _inside(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    if isinstance(value, dict) and "properties" in schema:
        fields = schema["properties"]
        return value.keys() == fields.keys() and all(fits(value[k], fields[k], root) for k in fields)
    if isinstance(value, list):
        long = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", math.inf)
        return long and ("items" not in schema or all(fits(one, schema["items"], root) for one in value))
    if isinstance(value, str):
        return "pattern" not in schema or re.search(schema["pattern"], value) is not None
    if TYPES["number"](value):
        low = schema.get("minimum", -math.inf) <= value and schema.get("exclusiveMinimum", -math.inf) < value
        high = value <= schema.get("maximum", math.inf) and value < schema.get("exclusiveMaximum", math.inf)
        return low and high and ("multipleOf" not in schema or (value / schema["multipleOf"]) % 1 == 0)
    return True


def filled(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> Any:
    """`value` as a model writes it under the strict form: null for what was left out."""
    if "$ref" in schema:
        return filled(value, pointed(schema["$ref"], root), root)
    for branch in schema.get("anyOf", ()):
        made = filled(value, branch, root)
        if fits(made, branch, root):
            return made
    if isinstance(value, dict):
        fields = schema.get("properties", {})
        return {k: filled(value[k], fields[k], root) if k in value else None for k in fields} | {
            k: v for k, v in value.items() if k not in fields
        }
    if isinstance(value, list) and "items" in schema:
        return [filled(one, schema["items"], root) for one in value]
    return value
