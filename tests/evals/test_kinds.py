"""Kinds: inferred from data with a reason that holds no value; declared by output=."""

from __future__ import annotations

import enum
from typing import Annotated, Any, Literal, Optional

import pydantic
import pytest
from typing_extensions import TypedDict

from suffice.errors import UsageError
from suffice.evals.kinds import brought, infer, labels_of
from suffice.evals.output import output_type


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Receipt(pydantic.BaseModel):
    company: str
    total: float


class Pair(TypedDict):
    a: int


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["billing", "shipping", "Billing ", "returns", "shipping", "returns"], "label"),
        ([True, False, True], "label"),
        ([0, 1, 2] * 10, "label"),
        (["0", "1"] * 10, "label"),
        ([12, 7, 430, 18], "number"),
        (["$1,200", "3.5", "12%", "−4"], "number"),
        ([1.5, 1.5, 1.5, 2.5] * 5, "number"),
        (["a long answer", "another one", "a third"], "text"),
        (["x" * 200] * 20, "text"),
        ([{"a": 1}, {"a": 2}], "fields"),
        (['{"a": 1}', '{"b": [2]}'], "fields"),
        (['["a"]', "[]"], "fields"),
        (["[1] a citation", "[2] another"], "text"),
        ([["a"], []], "fields"),
    ],
)
def test_the_kind_is_inferred(values: list[Any], kind: str) -> None:
    assert infer(values, [])[0] == kind


def test_letters_are_choices_only_where_the_inputs_offer_some() -> None:
    values = ["(A)", "(B)", "C", "B."]
    assert infer(values, ["Pick one:\n(A) red\n(B) blue\n(C) green"] * 4)[0] == "choice"
    assert infer(values * 3, ["grade this essay"] * 12)[0] == "label"
    assert infer(["red", "blue"], [], choices=True)[0] == "choice"


def test_the_reason_holds_counts_and_no_value() -> None:
    for values in (["canary"] * 4 + ["x"] * 4, ["canary 1", "canary 2"], [{"canary": 1}]):
        kind, reason = infer(values, ["canary"])
        assert reason and "canary" not in reason


def test_spellings_that_fold_to_one_are_one_label_under_the_most_frequent() -> None:
    assert labels_of(["Billing", "billing", "billing", "shipping", None]) == ("billing", "shipping")
    assert labels_of([2, 1, 10, 1]) == (1, 2, 10)


@pytest.mark.parametrize(
    ("declared", "kind", "labels", "nothing"),
    [
        (Literal["a", "b"], "label", ("a", "b"), False),
        (Literal["a", "b"] | None, "label", ("a", "b"), True),
        (Optional[Literal["a", None]], "label", ("a",), True),  # noqa: UP045
        (Literal["a"] | Literal["b"], "label", ("a", "b"), False),
        (Color, "label", ("red", "blue"), False),
        (Color | None, "label", ("red", "blue"), True),
        (bool, "label", (False, True), False),
        (int, "number", (), False),
        (float | None, "number", (), True),
        (Annotated[int, pydantic.Field(ge=0)], "number", (), False),
        (str, "text", (), False),
        (Receipt, "fields", (), False),
        (Pair | None, "fields", (), True),
        (dict[str, int], "fields", (), False),
        (list[str], "fields", (), False),
    ],
)
def test_a_declared_type_says_kind_labels_and_nothing(
    declared: object, kind: str, labels: tuple[Any, ...], nothing: bool
) -> None:
    made = output_type(declared)
    assert (made.kind, made.labels, made.nothing) == (kind, labels, nothing)


@pytest.mark.parametrize(
    ("declared", "value", "made"),
    [
        (Literal["Red", "blue"], " red ", "Red"),
        (Literal[1, 2], "2", 2),
        (Color, "BLUE", "blue"),
        (bool, "Yes", True),
        (int, "12", 12),
        (Receipt, '{"company": "x", "total": "9.50"}', {"company": "x", "total": 9.5}),
        (list[int], [1, 2], [1, 2]),
    ],
)
def test_expected_values_are_brought_into_the_declared_type(declared: object, value: Any, made: Any) -> None:
    assert brought(value, "text", output=output_type(declared)) == made


@pytest.mark.parametrize(
    ("declared", "value"),
    [(Literal["a", "b"], "canary"), (int, "canary"), (Receipt, {"company": "canary"}), (Receipt, "canary"), (Color, 3)],
)
def test_a_value_that_does_not_fit_is_refused_without_repeating_it(declared: object, value: Any) -> None:
    with pytest.raises(ValueError) as caught:
        output_type(declared).validated(value)
    assert "canary" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_the_words_of_a_users_validator_are_held_back() -> None:
    class Strict(pydantic.BaseModel):
        name: str

        @pydantic.field_validator("name")
        @classmethod
        def _no(cls, value: str) -> str:
            raise ValueError(f"no: {value}")

    with pytest.raises(ValueError, match="fails its validator") as caught:
        output_type(Strict).validated({"name": "canary"})
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("declared", [3, "Team", type(None)])
def test_what_is_no_type_is_refused(declared: object) -> None:
    with pytest.raises(UsageError):
        output_type(declared)


@pytest.mark.parametrize(("kind", "value"), [("number", "many"), ("fields", "x"), ("label", {"a": 1}), ("choice", [1])])
def test_expected_values_of_another_kind_are_refused(kind: Any, value: Any) -> None:
    with pytest.raises(ValueError, match="expected value|not valid JSON"):
        brought(value, kind)
