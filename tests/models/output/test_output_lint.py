"""What is unwise in a type is said in plain words, with its path; what is fine gives no warning."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from suffice.models.output.typed import output_type


class Line(BaseModel):
    price: float
    label: Literal["a", "b"]
    note: str | None
    amount: int = 1


class Bill(BaseModel):
    lines: list[Line]
    total: Line
    sizes: Annotated[list[str], Field(min_length=1)]
    team: Literal[tuple(range(11))] | None  # type: ignore[valid-type]


def test_each_warning_names_its_path_and_what_to_write() -> None:
    warnings = output_type(Bill).warnings
    assert [one.split("`")[1] for one in warnings] == ["$.lines[].price", "$.sizes", "$.team"]
    assert "`float | None`" in warnings[0]
    assert "empty" in warnings[1]
    assert "11 bare integers" in warnings[2]


@pytest.mark.parametrize("tp", [int, str, bool, Annotated[str, Field(max_length=3)], int | str])
def test_a_bare_value_without_none_is_invented(tp: Any) -> None:
    if tp is str:
        assert output_type(tp).warnings == ()
    else:
        (warning,) = output_type(tp).warnings
        assert warning.startswith("at `$.answer`") and "| None`" in warning
        assert output_type(tp | None).warnings == ()


@pytest.mark.parametrize(
    "tp",
    [
        Literal["yes", "no"],
        Literal[tuple(range(10))],
        IntEnum("Few", "A B C"),
        list[str],
        dict[str, int],
        list[Literal["x"]],
    ],
)
def test_a_closed_choice_or_a_list_is_no_fault(tp: Any) -> None:
    assert output_type(tp).warnings == ()


class Add(BaseModel):
    left: Sum
    right: Sum


class Mul(BaseModel):
    left: Sum
    right: Sum


class Lit(BaseModel):
    value: int | None


class Both(BaseModel):
    kind: Literal["both"]
    all: list[Told]


class Any_(BaseModel):
    kind: Literal["any"]
    all: dict[str, Told]


class Open(BaseModel):
    kind: Literal["open"]
    all: dict[str, Open | Shut | None]


class Shut(BaseModel):
    kind: Literal["shut"]
    pair: tuple[Shut | Open | None, str | None]


Sum = Add | Mul | Lit
Told = Annotated[Both | Any_, Field(discriminator="kind")]
for one in (Add, Mul, Both, Any_, Open, Shut):
    one.model_rebuild()


@pytest.mark.parametrize(
    ("tp", "at", "names"),
    [
        (Sum, "$.answer", "Add | Lit | Mul"),
        (list[Sum | None], "$.answer[]", "Add | Lit | Mul"),
        (Add, "$.left", "Add | Lit | Mul"),
        (Open, "$.all[]", "Open | Shut"),  # a field that tells them apart helps only where it is the discriminator
    ],
)
def test_a_union_that_holds_itself_is_named_once_with_what_to_write(tp: Any, at: str, names: str) -> None:
    (warning,) = output_type(tp).warnings
    assert warning.startswith(f"at `{at}`: `{names}` holds itself")
    assert 'Field(discriminator="kind")' in warning and "Literal" in warning


class Node(BaseModel):
    children: list[Node]


class Leafy(BaseModel):
    left: Leafy | Lit
    right: Leafy | Lit


class Here(BaseModel):
    there: There | None


class There(BaseModel):
    here: Here | None


for one in (Here, There):
    one.model_rebuild()


@pytest.mark.parametrize("tp", [Told, Both, Told | None, Node, Leafy, Leafy | Lit, Here | There, list[Here]])
def test_a_type_that_holds_itself_and_is_read_at_once_is_no_fault(tp: Any) -> None:
    assert output_type(tp).warnings == ()


def test_a_type_that_holds_itself_is_spoken_of_once() -> None:
    class Node(BaseModel):
        value: int
        children: list[Node]

    assert len(output_type(Node).warnings) == 1
