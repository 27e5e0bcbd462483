"""A JSON schema given as output=: what comes back is plain JSON that fits it, and what is not validated is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from output_samples import Kind, filled, fits, json_values, kinds

from suffice.errors import OutputError, UsageError
from suffice.models.output.strict import strict_schema
from suffice.models.output.typed import output_type

PARCEL: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "A parcel!",
    "type": "object",
    "properties": {
        "id": {"type": "string", "minLength": 2, "description": "as printed"},
        "weight": {"type": ["number", "null"], "minimum": 0},
        "state": {"enum": ["lost", "found", None]},
        "stops": {"type": "array", "items": {"$ref": "#/$defs/stop"}, "maxItems": 2},
    },
    "required": ["id", "weight"],
    "$defs": {"stop": {"type": "object", "properties": {"at": {"type": "string"}}, "additionalProperties": False}},
}


def written(value: Any) -> str:
    return json.dumps(value)


def test_the_value_is_the_json_that_fits_and_the_schema_goes_out_as_it_was() -> None:
    typed = output_type(PARCEL)
    good = {"id": "p1", "weight": None, "state": "lost", "stops": [{"at": "Graz"}, {}], "more": 1}
    assert typed.parse(written(good)) == good
    assert (typed.spec_schema, typed.name, typed.wrapped) == (PARCEL, "A_parcel", False)
    assert list(typed.spec_schema["properties"]) == ["id", "weight", "state", "stops"]  # type: ignore[index]
    assert output_type(dict(PARCEL)) is typed


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"id": "p", "weight": 1}, "$.id"),
        ({"id": "p1"}, "$.weight"),
        ({"id": "p1", "weight": -1}, "$.weight"),
        ({"id": "p1", "weight": "1"}, "$.weight"),
        ({"id": "p1", "weight": 1, "state": "sold"}, "$.state"),
        ({"id": "p1", "weight": 1, "stops": [{}, {"to": "Graz"}]}, "$.stops[1].to"),
        ({"id": "p1", "weight": 1, "stops": [{}, {}, {}]}, "$.stops"),
    ],
)
def test_an_answer_that_does_not_fit_names_the_place(wrong: Any, place: str) -> None:
    with pytest.raises(OutputError) as caught:
        output_type(PARCEL).parse(written(wrong))
    assert f"at `{place}`" in caught.value.message


@pytest.mark.parametrize(
    ("schema", "good", "wrong"),
    [
        ({"type": "array", "items": {"type": "integer"}}, [1, 2], ["1"]),
        ({"enum": ["yes", "no"]}, "no", "maybe"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, None, 3),
        ({"oneOf": [{"type": "boolean"}, {"$ref": "#/$defs/n"}], "$defs": {"n": {"type": "number"}}}, 2.5, "x"),
        ({"type": "string", "pattern": "^[a-z]+$"}, "abc", "A"),
        ({"type": "string", "description": "one word"}, "abc", 3),
        ({}, {"any": [1]}, None),
    ],
)
def test_an_answer_that_is_no_object_stands_in_its_field_answer(schema: Any, good: Any, wrong: Any) -> None:
    typed = output_type(schema)
    assert typed.wrapped and typed.parse(written({"answer": good})) == good
    if wrong is not None:
        with pytest.raises(OutputError):
            typed.parse(written({"answer": wrong}))


def test_a_schema_that_holds_itself_is_taken() -> None:
    tree: dict[str, Any] = {
        "type": "object",
        "properties": {"n": {"type": "integer"}, "left": {"$ref": "#"}, "right": {"$ref": "#"}},
        "required": ["n"],
    }
    value = {"n": 1, "left": {"n": 2, "right": {"n": 3}}}
    assert output_type(tree).parse(written(value)) == value
    with pytest.raises(OutputError, match=r"\$\.left\.right\.n"):
        output_type(tree).parse(written({"n": 1, "left": {"n": 2, "right": {"n": "3"}}}))


DEEP: dict[str, Any] = {"type": "string"}
for _ in range(3000):
    DEEP = {"type": "array", "items": DEEP}
REFUSED: dict[str, tuple[Any, str]] = {
    "a keyword": ({"type": "array", "uniqueItems": True}, r"uniqueItems is not validated there at `\$`"),
    "in a field": ({"type": "object", "properties": {"a": {"not": {}}}}, r"at `\$\.properties\.a`"),
    "all of": ({"allOf": [{"type": "object"}]}, "allOf|it has no type"),
    "a type": ({"type": "json_schema", "json_schema": {}}, "there is no type 'json_schema'"),
    "a word of another type": ({"type": "integer", "minLength": 1}, "minLength is not validated"),
    "beside a choice": ({"enum": ["a"], "minLength": 1}, "minLength is not validated"),
    "a reference": ({"$ref": "#/definitions/x", "definitions": {"x": {}}}, "leads to no schema"),
    "a circle": ({"$ref": "#/$defs/x", "$defs": {"x": {"$ref": "#/$defs/x"}}}, "leads to no schema"),
    "required": ({"type": "object", "properties": {"a": {}}, "required": ["b"]}, "does not describe"),
    "no fields": ({"type": "object", "additionalProperties": False}, "without fields"),
    "fields alone": ({"properties": {"a": {}}}, "it has no type"),
    "one choice": ({"anyOf": [{"type": "object", "properties": {"a": {}}}]}, "one choice"),
    "a pattern": ({"type": "string", "pattern": "("}, "cannot be kept"),
    "a bound": ({"type": "string", "minLength": "x"}, "cannot be kept"),
    "an enum of lists": ({"enum": [[1]]}, "its choices must be"),
    "values": ({"type": int}, "no JSON schema"),
    "example": ({"name": "str", "price": "float"}, "it has no type"),
    "deep": (DEEP, "nested too deeply|no JSON schema"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_validated_is_refused_in_one_line_before_anything_is_sent(case: str) -> None:
    schema, said = REFUSED[case]
    with pytest.raises(UsageError, match=said) as caught:
        output_type(schema)
    assert caught.value.hint and "\n" not in caught.value.message and len(caught.value.message) < 240


@given(st.data(), kinds().filter(lambda kind: kind.strict))
def test_whatever_is_read_fits_the_schema_and_whatever_fits_is_read(data: st.DataObject, kind: Kind) -> None:
    schema: Any = strict_schema(output_type(kind.tp).spec_schema or {})
    typed = output_type(schema)
    value, _ = data.draw(kind.pairs)
    answer = filled({"answer": value} if output_type(kind.tp).wrapped else value, schema, schema)
    assert typed.parse(written(answer)) == answer
    other = data.draw(json_values)
    try:
        found = typed.parse(written(other))
    except OutputError:
        return
    assert fits(found, schema, schema)
