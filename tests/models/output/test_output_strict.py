"""The strict form of a schema: what it keeps, what it says in words, what it refuses; on the JSON Schema Test Suite."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from output_samples import TYPES, filled, fits
from pydantic import AnyUrl, BaseModel, Field
from test_output_typed import check_strict

from suffice.errors import UsageError
from suffice.models.output.strict import strict_schema
from suffice.models.output.typed import output_type
from suffice.models.output.unfit import why_not_strict

SUITE = Path(__file__).resolve().parents[3] / ".." / "shared" / "data" / "json_schema_test_suite" / "draft2020-12"


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]
    trick: str | None


class Home(BaseModel):
    """Where pets live."""

    pet: Annotated[Cat | Dog, Field(discriminator="kind", description="who lives there")]
    site: AnyUrl
    code: Annotated[str, Field(min_length=2, max_length=4, pattern=r"^\w+$", description="the code!")] = "ab"
    rent: Decimal
    seats: Annotated[list[int], Field(min_length=1, max_length=3)]
    tags: set[str] = set()
    first: Cat = Field(description="the first pet")
    next: Home | None = None


def strict(tp: Any) -> dict[str, Any]:
    return strict_schema(output_type(tp).spec_schema or {})


def reasons(tp: Any) -> list[str]:
    return why_not_strict(output_type(tp).spec_schema or {})


def test_a_rich_model_becomes_strict_and_nothing_is_lost_without_a_word() -> None:
    schema = strict(Home)
    check_strict(schema)
    fields = schema["properties"]
    assert schema["description"] == "Where pets live."
    assert fields["site"]["description"] == "Format: uri. Length at least 1."
    said = fields["code"]["description"]
    assert said.startswith("the code! ")
    assert 'Where nothing else is known: "ab".' in said
    assert "Length at least 2." in said and "Length at most 4." in said and "Null where it is left out." in said
    assert fields["code"]["anyOf"][0]["pattern"] == r"^\w+$"
    assert (fields["seats"]["minItems"], fields["seats"]["maxItems"]) == (1, 3)
    assert "No item twice." in fields["tags"]["description"]
    assert fields["first"] == {"anyOf": [{"$ref": "#/$defs/Cat"}], "description": "the first pet"}
    assert fields["pet"]["anyOf"] == [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}]


def test_a_pattern_that_looks_around_is_said_in_words() -> None:
    field = {"type": "string", "pattern": "^(?!x)"}
    made = strict_schema({"type": "object", "properties": {"a": field}, "required": ["a"]})
    assert made["properties"]["a"] == {"type": "string", "description": 'Matches the regular expression "^(?!x)".'}


def test_an_unknown_keyword_is_said_as_it_stands() -> None:
    field = {"type": "string", "x-{unit}": "{kg}", "format": ["odd"]}
    made = strict_schema({"type": "object", "properties": {"a": field}, "required": ["a"]})
    assert made["properties"]["a"] == {"type": "string", "description": "x-{unit}: \"{kg}\". Format: ['odd']."}


def test_what_was_put_into_words_is_still_checked() -> None:
    answer = '{"answer": "toolong"}'
    with pytest.raises(Exception, match="at `\\$.answer`"):
        output_type(Annotated[str, Field(max_length=3)]).parse(answer)


def test_a_default_that_is_null_by_type_stays_an_answer() -> None:
    field = strict(Home)["properties"]["next"]
    assert field["anyOf"] == [{"$ref": "#/$defs/Home"}, {"type": "null"}]


def test_the_given_schema_is_not_changed() -> None:
    schema = output_type(Home).spec_schema or {}
    before = copy.deepcopy(schema)
    strict_schema(schema)
    assert schema == before


@pytest.mark.parametrize(
    ("tp", "reason"),
    [
        (dict[str, int], "no fixed names"),
        (dict, "no fixed names"),
        (list[dict[str, int]], "at `$.answer[]`"),
        (tuple[int, str], "tuple"),
        (Any, "anything"),
        (list, "anything"),
    ],
)
def test_a_type_without_a_strict_form_is_refused_with_the_reason(tp: Any, reason: str) -> None:
    assert any(reason in one for one in reasons(tp))
    with pytest.raises(UsageError, match="no strict form"):
        strict(tp)


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"type": "array", "items": {"type": "string"}}, "one object"),
        ({"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}}, "points to nothing"),
        ({"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}, "itself"),
        ({"type": "object", "properties": {}, "patternProperties": {"x": {}}}, "no fixed names"),
        ({"type": "object", "properties": {"a": {"not": {"type": "null"}}}}, "must not be"),
        ({"type": "object", "properties": {}, "required": ["a"]}, "does not describe"),
        ({"type": "object", "properties": {"a": {"enum": list(range(1_001))}}}, "1,001 choices"),
        ({"type": "object", "properties": {f"f{i}": {"type": "null"} for i in range(5_001)}}, "5,001 fields"),
    ],
)
def test_other_schemas_are_refused_with_the_reason(schema: dict[str, Any], reason: str) -> None:
    assert any(reason in one for one in why_not_strict(schema))


def test_objects_too_deep_in_each_other_are_refused() -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {}}
    for _ in range(10):
        assert why_not_strict(schema) == []
        schema = {"type": "object", "properties": {"a": schema}}
    assert "deep" in why_not_strict(schema)[0]


def groups() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(SUITE.rglob("*.json")):
        for group in json.loads(path.read_text(encoding="utf-8")):
            yield f"{path.stem}: {group['description']}", group


def under_a_field(schema: Any) -> dict[str, Any]:
    """An object with the one field "it" of `schema`, as a wrapped type has; its `$defs` stay at the root."""
    inner = {key: value for key, value in schema.items() if key not in ("$defs", "$schema")}
    defs = {"$defs": schema["$defs"]} if "$defs" in schema else {}
    return {"type": "object", "properties": {"it": inner}, "required": ["it"], **defs}


@pytest.mark.skipif(not SUITE.is_dir(), reason="the JSON Schema Test Suite is not in ../shared/data")
def test_each_schema_of_the_suite_is_refused_with_reasons_or_keeps_its_valid_instances() -> None:
    accepted = checked = 0
    for name, group in groups():
        if isinstance(group["schema"], bool):
            assert why_not_strict({"type": "object", "properties": {"it": group["schema"]}}), name
            continue
        for schema, tests in with_a_type(group["schema"], group["tests"]):
            if not why_not_strict(schema):
                accepted += 1
                checked += same_instances(name, schema, schema, tests, lambda value: value)
            wrapped = under_a_field(schema)
            if not why_not_strict(wrapped) and '"$ref": "#"' not in json.dumps(schema):
                accepted += 1
                checked += same_instances(name, schema, wrapped, tests, lambda value: {"it": value})
    assert accepted >= 200 and checked >= 400, (accepted, checked)


def with_a_type(schema: dict[str, Any], tests: list[Any]) -> Iterator[tuple[dict[str, Any], list[Any]]]:
    """The schema itself; where it names no type, also once for each type, with the instances of that type."""
    yield schema, tests
    if "type" not in schema and '"$ref": "#"' not in json.dumps(schema):
        for kind, is_one in TYPES.items():
            yield {**schema, "type": kind}, [test for test in tests if is_one(test["data"])]


def same_instances(name: str, given: Any, schema: dict[str, Any], tests: list[Any], wrap: Any) -> int:
    made = strict_schema(schema)
    check_strict(made)
    if "\\\\" in json.dumps(schema) or name.startswith("float-overflow"):
        return 0  # ECMAScript's patterns and exact decimals, which the validator of these tests cannot judge
    exact = no_words(made, schema)
    checked = 0
    for test in tests:
        written = filled(wrap(test["data"]), made, made)
        if test["valid"]:
            assert fits(written, made, made) or more_than_asked(written, made), f"{name}: {test['description']}"
            checked += 1
        elif exact:
            assert not fits(written, made, made), f"{name}: {test['description']}"
            checked += 1
    return checked


def no_words(made: dict[str, Any], schema: dict[str, Any]) -> bool:
    """Whether the strict form says nothing in words that the schema says in keywords."""
    ours = ("Format: ", "Length at ", " fields.", "No item twice.", "Exactly one", "Matches", "Null where")
    return not any(mark in json.dumps(made) for mark in ours) and "format" not in json.dumps(schema)


def more_than_asked(value: Any, schema: dict[str, Any]) -> bool:
    """Whether an object has fields that the schema does not know: valid in JSON Schema, never written under strict."""
    if isinstance(value, dict):
        known = schema.get("properties", {})
        return bool(value.keys() - known.keys()) or any(more_than_asked(value[k], known[k]) for k in value)
    return False
