"""A type's schema and the reading of answers: what fits comes back as it was, nothing else gives a value."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from output_samples import Kind, filled, fits, json_values, kinds, pointed
from pydantic import AfterValidator, BaseModel, Field, TypeAdapter, field_validator, model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from suffice.errors import OutputError, SolutionError, UsageError
from suffice.models.output.meant import as_meant
from suffice.models.output.strict import strict_schema
from suffice.models.output.typed import OutputType, output_type
from suffice.models.output.unfit import why_not_strict


class Item(BaseModel):
    name: str
    price: float
    stock: int | None = None


class Order(BaseModel):
    items: list[Item]
    paid: bool
    copies: int = 1


@dataclass
class Point:
    x: int
    y: int


class Row(TypedDict):
    label: Literal["a", "b"]


class Colour(Enum):
    RED = "red"


class Node(BaseModel):
    value: int
    next: Node | None = None


def answer(output: OutputType, value: Any) -> str:
    return json.dumps({"answer": value} if output.wrapped else value)


def fault(tp: Any, text: str) -> str:
    with pytest.raises(OutputError) as caught:
        output_type(tp).parse(text)
    return caught.value.message


@pytest.mark.parametrize("tp", [str, None])
def test_str_and_none_mean_plain_text(tp: Any) -> None:
    output = output_type(tp)
    assert output.spec_schema is None
    assert output.parse(" any {text") == " any {text"


@pytest.mark.parametrize(
    ("tp", "value"),
    [
        (Literal["a", "b"], "a"),
        (int, 3),
        (list[str], ["x"]),
        (Item | None, None),
        (int | str, "3"),
        (Annotated[str, Field(min_length=1)], "x"),
        (list[Item], [{"name": "x", "price": 1.5, "stock": None}]),
    ],
)
def test_what_is_no_object_is_wrapped_into_one_and_unwrapped_again(tp: Any, value: Any) -> None:
    output = output_type(tp)
    assert output.wrapped
    assert output.spec_schema is not None and output.spec_schema["type"] == "object"
    assert list(output.spec_schema["properties"]) == ["answer"] and output.spec_schema["required"] == ["answer"]
    assert TypeAdapter(tp).dump_python(output.parse(json.dumps({"answer": value})), mode="json") == value


@pytest.mark.parametrize(
    ("tp", "text", "value"),
    [
        (Order, '{"items": [], "paid": true}', Order(items=[], paid=True)),
        (Point, '{"x": 1, "y": 2}', Point(1, 2)),
        (Row, '{"label": "a"}', {"label": "a"}),
        (dict[str, int], '{"x": 1}', {"x": 1}),
        (Node, '{"value": 1, "next": {"value": 2}}', Node(value=1, next=Node(value=2))),
    ],
)
def test_an_object_stands_for_itself(tp: Any, text: str, value: Any) -> None:
    output = output_type(tp)
    assert not output.wrapped
    assert output.spec_schema is not None and output.spec_schema["type"] == "object"
    assert output.parse(text) == value


def test_an_enum_goes_by_its_value() -> None:
    assert output_type(Colour).parse('{"answer": "red"}') is Colour.RED


@pytest.mark.parametrize(
    "text", ['{"answer": 3}', '\n {"answer":3}\t', '```json\n{"answer": 3}\n```', '```\n{"answer": 3}```\n']
)
def test_white_space_and_one_fence_may_stand_around_an_answer(text: str) -> None:
    assert output_type(int).parse(text) == 3


@pytest.mark.parametrize(
    "text",
    [
        "3", "[3]", "", "null", '{"answer": "3"}', '{"answer": 3.0}', '{"answer": true}', '{"answer": null}',
        'Sure: {"answer": 3}', '{"answer": 3} done', '{"answer": 3, "why": 1}', '{"answer": 3,}', "{'answer': 3}",
        '```json\n{"answer": 3}', '```json {"answer": 3}```', '{"answer": NaN}', '{"answer": 1e999}', "[" * 100_000,
        '{"answer": ' + "9" * 5_000 + "}",
    ],
)  # fmt: skip
def test_anything_else_is_an_error(text: str) -> None:
    fault(int, text)


@pytest.mark.parametrize(
    ("tp", "value"), [(Literal[1], True), (Literal[True], 1), (Literal[1, 2], 1.0), (list[Literal[0]], [0, False])]
)
def test_a_choice_is_not_met_by_what_only_python_takes_for_it(tp: Any, value: Any) -> None:
    assert "at `$.answer" in fault(tp, json.dumps({"answer": value}))


@pytest.mark.parametrize("tp", [int, Literal["a"], list[int], Item])
def test_null_is_an_answer_only_where_the_type_has_none(tp: Any) -> None:
    fault(tp, '{"answer": null}' if output_type(tp).wrapped else "null")
    assert output_type(tp | None).parse('{"answer": null}') is None


def test_null_in_a_field_that_may_be_left_out_means_left_out() -> None:
    assert output_type(Order).parse('{"items": [], "paid": true, "copies": null}').copies == 1
    fault(Order, '{"items": [], "paid": null}')


def test_a_fault_names_its_path_and_what_was_expected() -> None:
    text = '{"items": [{"name": "a", "price": 1}, {"name": 2, "price": "1"}], "copies": 2.5}'
    message = fault(Order, text)
    assert "at `$.items[1].price`: expected a valid number, got the string '1'" in message
    assert "at `$.items[1].name`: expected a valid string" in message
    assert "at `$.paid`: expected a value, it is missing" in message
    assert "at `$.copies`: expected a valid integer" in message


def test_the_path_through_a_union_is_a_path_in_the_answer() -> None:
    class Holder(BaseModel):
        what: Item | Point | list[int]

    message = fault(Holder, '{"what": {"name": "a"}}')
    assert "at `$.what.price`" in message
    assert "at `$.what.Item" not in message


class Minus(BaseModel):
    op: Literal["-"]
    parts: list[Minus | Plus]


class Plus(BaseModel):
    op: Literal["+"]
    parts: list[Annotated[Minus | Plus, Field(discriminator="op")]]
    note: int = 2


def test_left_out_fields_are_found_deep_in_a_union_that_holds_itself_in_good_time() -> None:
    # Not through `parse`: pydantic's own time doubles at every level of such a union without a discriminator.
    schema = output_type(Minus).spec_schema or {}
    deep = json.loads('{"op": "-", "parts": [' + '{"op": "+", "note": null, "parts": [' * 60 + "]}" * 61)
    assert "null" not in json.dumps(as_meant(deep, schema, schema))


def test_deep_nesting_is_read_or_is_an_error() -> None:
    start, end = '{"op": "+", "note": null, "parts": [', "]}"
    assert output_type(Plus).parse(start * 60 + end * 60).note == 2
    message = fault(Plus, start * 20 + '{"op": "+", "parts": [], "note": "x"}' + end * 20)
    assert f"at `${'.parts[0]' * 20}.note`: expected a valid integer" in message
    fault(Plus, start * 450 + end * 450)
    fault(Node, '{"value": 1, "next": ' * 900 + "null" + "}" * 900)


def test_at_most_five_faults_are_named() -> None:
    message = fault(list[int], json.dumps({"answer": ["x"] * 20}))
    assert message.count("at `$") == 5
    assert "and 15 more" in message


@given(
    st.dictionaries(st.text(st.sampled_from("XYZ\n`\x00é"), min_size=30, max_size=200), st.text("XYZ"), min_size=1),
    st.sampled_from([Order, dict[str, int], list[Item], Literal["a"]]),
)
def test_a_message_quotes_at_most_80_characters_of_the_model_and_all_can_be_printed(data: Any, tp: Any) -> None:
    message = fault(tp, json.dumps(data))
    assert sum(message.count(char) for char in "XYZ") <= 80
    assert message.isprintable()
    assert sum(fault(tp, json.dumps(data)[:-3] + "XYZ" * 99).count(char) for char in "XYZ") <= 80


def test_a_validator_of_the_user_may_not_leak_a_long_answer() -> None:
    class Picky(BaseModel):
        name: str

        @field_validator("name")
        @classmethod
        def known(cls, name: str) -> str:
            raise ValueError(f"unknown: {name}")

    class Custom(Picky):
        name: str

        @field_validator("name")
        @classmethod
        def known(cls, name: str) -> str:
            raise PydanticCustomError("unknown_name", "Input should be known: {name}", {"name": name})

    for tp, start in ((Picky, "unknown: XX"), (Custom, "known: XX")):
        message = fault(tp, json.dumps({"name": "X" * 500}))
        assert start in message
        assert message.count("X") <= 80


@pytest.mark.parametrize(
    "tp",
    [Callable[[], int], lambda: 3, 5, "Missing", object(), type("Plain", (), {}), Annotated[str, Field(pattern="(")]],
)
def test_a_type_without_a_json_schema_is_refused_with_a_hint(tp: Any) -> None:
    with pytest.raises(UsageError) as caught:
        output_type(tp)
    assert caught.value.hint


def test_equal_types_share_their_description_but_order_is_kept() -> None:
    assert output_type(Order) is output_type(Order)
    first, second = output_type(Literal["a", "b"]), output_type(Literal["b", "a"])
    assert first.spec_schema is not None and second.spec_schema is not None
    assert first.spec_schema["properties"]["answer"]["enum"] == ["a", "b"]
    assert second.spec_schema["properties"]["answer"]["enum"] == ["b", "a"]


def test_a_type_that_cannot_be_hashed_works_too() -> None:
    assert output_type(Annotated[int, {"not": "hashable"}]).parse('{"answer": 1}') == 1


@pytest.mark.parametrize(("tp", "name"), [(Order, "Order"), (list[int], "answer"), (Literal["a"], "answer")])
def test_a_name_is_one_that_endpoints_take(tp: Any, name: str) -> None:
    assert output_type(tp).name == name


@settings(max_examples=400, deadline=None)
@given(kinds(), st.data())
def test_a_valid_answer_of_any_type_comes_back_and_its_strict_form_is_strict(kind: Kind, data: st.DataObject) -> None:
    output = output_type(kind.tp)
    given_value, expected = data.draw(kind.pairs)
    text = answer(output, given_value)
    adapter = TypeAdapter(kind.tp)
    assert adapter.dump_python(output.parse(text), mode="json", warnings=False) == expected
    assert bool(why_not_strict(output.spec_schema or {})) is not kind.strict
    if kind.strict:
        schema = strict_schema(output.spec_schema or {})
        check_strict(schema)
        written = filled(json.loads(text), schema, schema)
        assert fits(written, schema, schema)
        again = output.parse(json.dumps(written))
        # A NotRequired[X | None] that was left out is the one thing that comes back as None.
        assert without_nulls(adapter.dump_python(again, mode="json", warnings=False)) == without_nulls(expected)
    cut = data.draw(st.integers(0, len(text) - 1))
    with pytest.raises(OutputError):
        output.parse(text[:cut])


@settings(max_examples=100, deadline=None)
@given(kinds(), st.data())
def test_every_cut_of_an_answer_is_an_error(kind: Kind, data: st.DataObject) -> None:
    output = output_type(kind.tp)
    plain = answer(output, data.draw(kind.pairs)[0])
    for text in (plain, f"```json\n{plain}\n```"):
        for cut in range(len(text)):
            with pytest.raises(OutputError):
                output.parse(text[:cut])


@given(json_values, st.sampled_from([Order, list[Item], Literal["a", 1] | None, dict[str, int], Node]))
def test_any_json_gives_a_value_or_an_output_error(value: Any, tp: Any) -> None:
    output = output_type(tp)
    try:
        made = output.parse(answer(output, value))
    except OutputError:
        return
    TypeAdapter(tp).validate_python(made, strict=True)


class Priced(BaseModel):
    """A type whose validators have faults of their own."""

    name: str
    price: float = 1.0

    @field_validator("name")
    @classmethod
    def known(cls, name: str) -> str:
        return {"tea": "tea"}[name]

    @model_validator(mode="after")
    def cheap(self) -> Priced:
        assert 1 / self.price < 100, "too cheap"
        return self


def test_what_a_validator_raises_by_a_fault_of_its_own_names_the_type_its_field_and_the_place() -> None:
    output = output_type(Priced)
    with pytest.raises(OutputError, match="too cheap"):
        output.parse('{"name": "tea", "price": 0.001}')
    for text, said in (
        (
            '{"name": "cof`fee\x1b", "price": 1}'.replace("\x1b", "\\u001b"),
            r"Priced raised KeyError: .* on its field name \(",
        ),
        ('{"name": "tea", "price": 0}', r"Priced raised ZeroDivisionError: float division by zero \("),
    ):
        with pytest.raises(SolutionError, match=said) as caught:
            output.parse(text)
        assert "(test_output_typed.py:" in caught.value.message and caught.value.message.isprintable()
        assert "ValueError" in str(caught.value.hint)
        assert isinstance(caught.value.__cause__, KeyError | ZeroDivisionError)


def test_a_fault_in_the_code_of_a_wrapped_type_is_told_alike() -> None:
    output = output_type(Annotated[int, AfterValidator(lambda n: 1 // n)])
    assert output.parse('{"answer": 1}') == 1
    with pytest.raises(SolutionError, match="the output type answer raised ZeroDivisionError"):
        output.parse('{"answer": 0}')


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [without_nulls(inner) for inner in value] if isinstance(value, list) else value


def check_strict(schema: Any) -> None:
    """Every object closed with all fields required, and only keywords that strict mode takes."""
    assert schema["type"] == "object" and "anyOf" not in schema
    taken = set("type enum const title description pattern format anyOf items properties required".split())
    taken |= set("additionalProperties $ref $defs multipleOf minimum maximum minItems maxItems".split())
    taken |= {"exclusiveMinimum", "exclusiveMaximum"}

    def walk(here: dict[str, Any]) -> None:
        assert here.keys() <= taken, here.keys() - taken
        assert {"$ref", "type", "anyOf"} & here.keys()
        if "$ref" in here:
            assert here.keys() == {"$ref"}
            assert pointed(here["$ref"], schema)
        if here.get("type") == "object":
            assert here["additionalProperties"] is False
            assert here["required"] == list(here["properties"])
        under = [*here.get("properties", {}).values(), *here.get("anyOf", ()), *here.get("$defs", {}).values()]
        for inner in [*under, *([here["items"]] if "items" in here else [])]:
            walk(inner)

    walk(schema)
