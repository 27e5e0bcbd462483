"""A value that is still arriving: each partial is a part of the next, and the last is the whole."""

from __future__ import annotations

import copy
import json
import time
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from output_samples import alike, json_values
from pydantic import BaseModel, field_validator
from typing_extensions import TypedDict

from suffice.errors import OutputError
from suffice.models.output.arriving import PartialOutput
from suffice.models.output.partial import PartialJson
from suffice.models.output.typed import output_type


def grows(a: Any, b: Any) -> bool:
    """Whether `b` is `a` or has more in it: keys and items are added, never changed or taken away."""
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b)[: len(a)] and all(grows(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) <= len(b) and all(grows(x, y) for x, y in zip(a, b, strict=False))
    return a is None or alike(a, b)


class Item(BaseModel):
    name: str
    price: float


class Order(BaseModel):
    name: str
    kind: Literal["old", "new"]
    items: list[Item]
    copies: int = 1

    @field_validator("name")
    @classmethod
    def short(cls, name: str) -> str:
        if len(name) > 9:
            raise ValueError("too long")
        return name.strip()


texts = st.builds(
    lambda value, indent, ascii_only: json.dumps(value, indent=indent, ensure_ascii=ascii_only),
    json_values,
    st.sampled_from([None, 0, 2]),
    st.booleans(),
)


@settings(max_examples=400, deadline=None)
@given(texts, st.data())
def test_every_piece_of_a_document_only_adds_to_the_value(text: str, data: st.DataObject) -> None:
    if data.draw(st.booleans()):
        pieces = list(text)
    else:
        cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
        pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    whole = json.loads(text)
    reader = PartialJson()
    last = None
    for piece in pieces:
        now = copy.deepcopy(reader.feed(piece))
        assert grows(last, now) and grows(now, whole)
        last = now
    final = reader.finish()
    assert alike(final, whole) and json.dumps(final) == json.dumps(whole)
    assert reader.done


@given(texts, st.data())
def test_every_prefix_of_a_document_is_no_whole_one(text: str, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(text) - 1))
    reader = PartialJson()
    reader.feed(text[:cut])
    try:
        value = reader.finish()
    except OutputError:
        return
    assert not isinstance(value, list | dict | str) and json.loads(text[:cut]) == value


@given(st.text(st.sampled_from('{}[]",:0123.eE+-truefalsn \\\n/u'), max_size=30), st.integers(1, 5))
def test_it_takes_what_json_takes_and_nothing_else(text: str, size: int) -> None:
    reader = PartialJson()
    try:
        for at in range(0, len(text), size):
            reader.feed(text[at : at + size])
        made, good = reader.finish(), True
    except OutputError:
        made, good = None, False
    try:
        wanted, valid = json.loads(text), True
    except ValueError:
        wanted, valid = None, False
    if valid and "Infinity" in json.dumps(wanted):
        assert not good  # json.loads takes 1e999, RFC 8259 has no such value
    else:
        assert (good, json.dumps(made)) == (valid, json.dumps(wanted))


def test_strings_and_numbers_appear_when_complete_and_containers_when_they_open() -> None:
    reader = PartialJson()
    seen = [
        copy.deepcopy(reader.feed(piece)) for piece in ['{"a', '": [', "1", "2, ", '"x', 'y"', "], ", '"b": tr', "ue}"]
    ]
    assert seen == [
        {}, {"a": []}, {"a": []}, {"a": [12]}, {"a": [12]}, {"a": [12, "xy"]}, {"a": [12, "xy"]}, {"a": [12, "xy"]},
        {"a": [12, "xy"], "b": True},
    ]  # fmt: skip


def test_a_key_that_comes_twice_has_its_last_value() -> None:
    assert PartialJson().feed('{"a": 1, "b": [2], "b": 3}') == {"a": 1, "b": 3}


def test_each_value_is_told_when_it_closes_inner_ones_first() -> None:
    told: list[tuple[Any, Any]] = []
    reader = PartialJson(closed=lambda path, value: told.append((path, copy.deepcopy(value))))
    for char in '{"a": [1, {"b": null}], "c": "x"}':
        reader.feed(char)
    assert told == [
        (("a", 0), 1),
        (("a", 1, "b"), None),
        (("a", 1), {"b": None}),
        (("a",), [1, {"b": None}]),
        (("c",), "x"),
        ((), {"a": [1, {"b": None}], "c": "x"}),
    ]


def test_nesting_without_end_is_refused() -> None:
    with pytest.raises(OutputError, match="deeply"):
        PartialJson().feed("[" * 100_000)


def test_the_time_is_linear_in_the_length() -> None:
    def seconds(items: int) -> float:
        text = json.dumps([{"name": "x" * 20, "n": i} for i in range(items)])
        output = PartialOutput(output_type(list[dict[str, str | int]]))
        pieces = ['{"answer": ', *(text[at : at + 4] for at in range(0, len(text), 4)), "}"]
        started = time.process_time()
        for piece in pieces:
            output.feed(piece)
        return time.process_time() - started

    small = min(seconds(1_000) for _ in range(3))
    assert seconds(10_000) < 40 * small  # ten times the text; a square would be a hundred times


def test_one_long_string_in_single_characters_is_linear_too() -> None:
    reader = PartialJson()
    started = time.process_time()
    reader.feed('"')
    for _ in range(300_000):
        reader.feed("x")
    reader.feed('"')
    assert reader.finish() == "x" * 300_000
    assert time.process_time() - started < 10


@dataclass
class Point:
    x: int
    y: int


class Row(TypedDict):
    x: int
    y: int


ORDER = '{"name": " ann ", "kind": "new", "items": [{"name": "a", "price": 1}], "copies": 2}'


@given(st.lists(st.integers(0, len(ORDER)), max_size=9).map(sorted))
def test_fields_come_validated_as_they_close(cuts: list[int]) -> None:
    arriving = PartialOutput(output_type(Order))
    seen: list[Any] = []
    for a, b in zip([0, *cuts], [*cuts, len(ORDER)], strict=True):
        arriving.feed(ORDER[a:b])
        seen += arriving.fields()
    assert seen == [
        (("name",), "ann"), (("kind",), "new"), (("items",), [Item(name="a", price=1)]), (("copies",), 2),
    ]  # fmt: skip
    assert arriving.finish() == Order(name="ann", kind="new", items=[Item(name="a", price=1)], copies=2)


@pytest.mark.parametrize(
    ("start", "place"),
    [
        ('{"name": "x", "kind": "used"', "$.kind"),
        ('{"name": "much too long", ', "$.name"),
        ('{"name": 3,', "$.name"),
        ('{"kind": null,', "$.kind"),
        ('{"items": [{"name": "a", "price": "1"}]', "$.items[0].price"),
    ],
)
def test_a_field_that_cannot_fit_ends_the_stream_at_once(start: str, place: str) -> None:
    arriving = PartialOutput(output_type(Order))
    with pytest.raises(OutputError) as caught:
        arriving.feed(start)
    assert f"at `{place}`" in caught.value.message
    assert caught.value.partial == start


@pytest.mark.parametrize("tp", [Point, Row])
def test_dataclasses_and_typed_dicts_have_fields_too(tp: Any) -> None:
    arriving = PartialOutput(output_type(tp))
    arriving.feed('{"x": 1, "y": 2')
    assert list(arriving.fields()) == [(("x",), 1)]
    arriving.feed("}")
    assert list(arriving.fields()) == [(("y",), 2)]
    with pytest.raises(OutputError):
        PartialOutput(output_type(tp)).feed('{"x": "one",')


def test_a_wrapped_answer_is_the_field_answer() -> None:
    arriving = PartialOutput(output_type(Literal["a", "b"]))
    with pytest.raises(OutputError, match="answer"):
        arriving.feed('{"answer": "c"')
    arriving = PartialOutput(output_type(list[int]))
    arriving.feed('{"answer": [1, 2')
    assert arriving.value == {"answer": [1]}
    arriving.feed("]}")
    assert list(arriving.fields()) == [(("answer",), [1, 2])] and arriving.finish() == [1, 2]


def test_a_field_that_no_schema_knows_ends_a_closed_type() -> None:
    with pytest.raises(OutputError, match="not in the schema"):
        PartialOutput(output_type(int)).feed('{"why": 1,')


@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_a_fence_around_a_stream_is_passed_over(size: int) -> None:
    text = f"\n```json\n{ORDER}\n```\n"
    arriving = PartialOutput(output_type(Order))
    for at in range(0, len(text), size):
        arriving.feed(text[at : at + size])
    assert [path for path, _ in arriving.fields()] == [("name",), ("kind",), ("items",), ("copies",)]
    assert arriving.finish().copies == 2


def test_plain_text_arrives_as_it_is() -> None:
    arriving = PartialOutput(output_type(str))
    arriving.feed("not {")
    arriving.feed(" json")
    assert arriving.finish() == "not { json" and not list(arriving.fields())
