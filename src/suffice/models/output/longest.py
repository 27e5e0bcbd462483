"""How many tokens the longest answer of a type can take, where its JSON schema bounds it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from suffice.models.output.schema import Schema, branches, items, mapping, resolved, types
from suffice.values import Json

LEAST: Final = 256
"""Output tokens that even the shortest answer is given: a model may put a fence, blanks or a word around it."""
_AROUND: Final = 128  # tokens around an answer whose own length is more than that
_BLANKS: Final = 16  # indentation and signs around one value, where a model writes JSON over many lines
_ESCAPED: Final = 6  # bytes of one character that is written as \uXXXX
_NUMBER: Final = 32  # digits of a number; one that has more is no usual answer
_FORMATS: Final = {"date-time": 40, "date": 16, "time": 32, "duration": 32, "uuid": 40}  # bytes of a text


def answer_tokens(schema: Schema) -> int | None:
    """The output tokens that any usual answer of `schema` fits in, None where nothing bounds it (a text, a list).

    Counted are the UTF-8 bytes of its longest JSON, because no token is less than one, with non-ASCII letters escaped,
    every value on a line of its own, and room around it. A model that reasons first, or rambles, takes more.
    """
    longest = _Lengths(schema).of(schema)
    return None if longest is None else max(LEAST, longest + _AROUND)


@dataclass(frozen=True, slots=True)
class _Lengths:
    """The longest JSON of each schema under `root`, in bytes; None for one without an end, as of one that is not yet
    known because it holds itself."""

    root: Schema
    known: dict[int, int | None] = field(default_factory=dict[int, "int | None"])

    def of(self, schema: Json) -> int | None:
        here = resolved(mapping(schema), self.root)
        if id(here) not in self.known:
            self.known[id(here)] = None
            self.known[id(here)] = self._longest(here)
        return self.known[id(here)]

    def _longest(self, here: Schema) -> int | None:
        if "const" in here or "enum" in here:
            values = [here["const"]] if "const" in here else items(here["enum"])
            return max((len(json.dumps(value)) for value in values), default=0) + _BLANKS
        choices = [*branches(here), *items(here.get("allOf"))]
        if choices:
            return _most(map(self.of, choices))
        return _most(self._of_kind(str(kind), here) for kind in types(here)) if types(here) else None

    def _of_kind(self, kind: str, here: Schema) -> int | None:
        if kind in ("null", "boolean"):
            return len("false") + _BLANKS
        if kind in ("integer", "number"):
            return _NUMBER + _BLANKS
        if kind == "string":
            length = here.get("maxLength")
            bound = _FORMATS.get(str(here.get("format"))) if length is None else _ESCAPED * int(length)
            return None if bound is None else bound + _BLANKS
        if kind == "object":
            return self._object(here)
        return self._list(here) if kind == "array" else None

    def _object(self, here: Schema) -> int | None:
        fields = mapping(here.get("properties"))
        if not fields or here.get("additionalProperties", False) is not False:
            return None
        return _sum([_BLANKS, *(len(json.dumps(name)) + _BLANKS for name in fields), *map(self.of, fields.values())])

    def _list(self, here: Schema) -> int | None:
        if "maxItems" not in here:
            return None
        most, first = int(here["maxItems"]), items(here.get("prefixItems"))
        more = most - len(first)
        each = self.of(here.get("items")) if more > 0 else 0
        return _sum([_BLANKS, *map(self.of, first), None if each is None else each * more])


def _most(found: Iterable[int | None]) -> int | None:
    every = list(found)
    return None if None in every else max((n for n in every if n is not None), default=0)


def _sum(found: Iterable[int | None]) -> int | None:
    every = list(found)
    return None if None in every else sum(n for n in every if n is not None)
