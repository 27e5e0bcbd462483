"""A repair message names the faults and the schema at their places, and is short whatever the answer was."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from output_samples import json_values, kinds
from pydantic import BaseModel

from suffice.errors import OutputError
from suffice.exchange import OutputSpec
from suffice.models.output.place import Path, place, places
from suffice.models.output.repair import repair_message
from suffice.models.output.strict import strict_schema
from suffice.models.output.typed import output_type
from suffice.models.output.unfit import why_not_strict


class Item(BaseModel):
    name: str
    price: float
    kind: Literal["old", "new"]


class Order(BaseModel):
    items: list[Item]
    note: str | None = None


def repair(tp: Any, text: str) -> str:
    output = output_type(tp)
    with pytest.raises(OutputError) as caught:
        output.parse(text)
    assert output.spec_schema is not None
    schema = output.spec_schema if why_not_strict(output.spec_schema) else strict_schema(output.spec_schema)
    return repair_message(caught.value, OutputSpec(output.name, schema))


def test_it_names_the_fault_and_shows_the_schema_there_and_no_other() -> None:
    text = '{"items": [{"name": "SECRETNAME", "price": 2, "kind": "used"}]}'
    message = repair(Order, text)
    assert "at `$.items[0].kind`: expected 'old' or 'new'" in message
    assert 'Schema at `$.items[0].kind`: {"enum":["old","new"],"type":"string"}' in message
    assert "SECRETNAME" not in message and "price" not in message
    assert message.endswith("nothing else.")


def test_what_is_no_json_gets_the_whole_schema_as_far_as_it_fits() -> None:
    message = repair(Order, "Sure! Here it is")
    assert "is not JSON" in message
    assert "Schema at `$`: {" in message and '"items"' in message


@settings(max_examples=300, deadline=None)
@given(kinds(), json_values, st.booleans())
def test_it_is_never_longer_than_a_thousand_characters(kind: Any, value: Any, cut: bool) -> None:
    output = output_type(kind.tp)
    try:
        output.parse(json.dumps(value)[: -1 if cut else None] * (1 + cut))
    except OutputError as error:
        assert output.spec_schema is not None
        assert len(repair_message(error, OutputSpec(output.name, output.spec_schema))) <= 1_000


def test_a_huge_choice_and_many_faults_stay_bounded() -> None:
    labels = Literal[tuple(f"label number {i}" for i in range(500))]  # type: ignore[valid-type]
    message = repair(list[labels], json.dumps({"answer": ["x" * 1_000] * 50}))
    assert len(message) <= 1_000
    assert "label number 0" in message and "x" * 81 not in message


class Left(BaseModel):
    parts: list[Left | Right]


class Right(BaseModel):
    parts: list[Left | Right]
    note: int = 1


def test_a_fault_deep_in_a_union_that_holds_itself_is_found_in_good_time() -> None:
    spec = OutputSpec("Right", output_type(Right).spec_schema or {})
    for field, shown in (("note", '{"default":1,"type":"integer"}'), ("missing", "")):
        path = "$" + ".parts[0]" * 20 + f".{field}"
        message = repair_message(OutputError(f"at `{path}`: expected a valid integer"), spec)
        assert (f"Schema at `{path}`: {shown}" in message) is bool(shown)


@given(st.lists(st.text(max_size=9) | st.integers(0, 99)).map(tuple))
def test_a_path_is_read_back_from_its_text(path: Path) -> None:
    assert places(f"wrong at `{place(path)}`: it is") == [path]
    assert place(path).isprintable()
