"""JSON by field: what is right, how much of it, and which path is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from grader_samples import ANY, FEW, case, value
from hypothesis import given
from hypothesis import strategies as st

from suffice.errors import UsageError
from suffice.evals import grade
from suffice.values import folded

RECEIPT = {
    "company": "ACME Ltd",
    "date": "25/12/2018",
    "items": [{"name": "tea", "price": 3.0}, {"name": "cup", "price": 9.0}],
    "total": "12.00",
}


def test_a_nested_fault_is_named_by_its_path() -> None:
    output = {**RECEIPT, "items": [{"name": "tea", "price": 3.0}, {"name": "cup", "price": 8.0}]}
    assert grade.fields()(output, case(RECEIPT)).reason == "$.items[1].price: expected 9.0, got 8.0"
    assert grade.fields_f1()(output, case(RECEIPT)).reason == (
        "F1 0.857 (precision 6/7, recall 6/7); $.items[1].price: expected 9.0, got 8.0"
    )
    assert grade.fields()({"a b": 1}, case({"a b": 2})).reason == '$["a b"]: expected 2, got 1'


def test_f1_counts_what_is_missing_and_what_was_not_expected() -> None:
    output = {"company": "acme ltd", "vat": 7, "items": RECEIPT["items"]}
    score = grade.fields_f1()(json.dumps(output), case(RECEIPT))
    assert score.value == pytest.approx(2 * 5 / (7 + 6))
    assert score.reason == (
        "F1 0.769 (precision 5/6, recall 5/7); $.date: missing, expected 25/12/2018; "
        "$.total: missing, expected 12.00; $.vat: not expected, got 7"
    )


def test_a_missed_item_costs_itself_alone_in_order_and_in_any_order() -> None:
    items = [{"name": name, "price": i} for i, name in enumerate("abcd")]
    for ordered in (True, False):
        grader = grade.fields_f1(ordered=ordered)
        assert value(grader, items[1:], items) == pytest.approx(2 * 6 / (8 + 6))
    assert "$[0]: missing" in grade.fields_f1()(items[1:], case(items)).reason
    turned = [items[1], {"name": "a", "price": 5}, items[3], items[2]]
    assert value(grade.fields_f1(ordered=False), turned, items) == pytest.approx(7 / 8)
    assert value(grade.fields_f1(), turned, items) < 7 / 8


def test_null_empty_and_left_out_are_the_same_to_f1() -> None:
    for want, got in (({"a": None}, {}), ({}, {"a": []}), ({"a": {}}, {"a": None}), ([], {})):
        assert value(grade.fields_f1(), got, want) == 1.0
    assert value(grade.fields_f1(), {"a": 1}, {"a": None}) == 0.0


def test_each_field_is_compared_as_its_path_says() -> None:
    compare = {
        "date": grade.date(order="DMY"),
        "$.total": grade.number(),
        "items[*].price": grade.number(0.5),
        "company": grade.levenshtein(),
    }
    output = {
        "company": "ACME Ltt",
        "date": "2018-12-25",
        "items": [{"name": "tea", "price": "3.2"}, {"name": "cup", "price": 9}],
        "total": "$12",
    }
    assert value(grade.fields_f1(compare=compare), output, RECEIPT) == pytest.approx((6 + 7 / 8) / 7)
    assert grade.fields(compare=compare)(output, case(RECEIPT)).reason.startswith("$.company: expected ACME Ltd")
    assert value(grade.fields(compare=compare), {**output, "company": "acme ltd"}, RECEIPT) == 1.0
    assert value(grade.fields(compare={"[*].n": grade.number(1)}), [{"n": 2}], [{"n": 1}]) == 1.0
    assert value(grade.fields(compare={"unit price": grade.number(1)}), {"unit price": 2}, {"unit price": 1}) == 1.0


@pytest.mark.parametrize("path", ["", "$", "a..b", "a[0]", "a[", "."])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(UsageError, match="is no path of a field"):
        grade.fields_f1(compare={path: grade.exact()})
    with pytest.raises(UsageError, match=r"^compare\['a'\] is a Grader, not 'number'\nhint: sf\.grade\.number"):
        grade.fields(compare={"a": "number"})  # type: ignore[dict-item]


@given(FEW, FEW, st.booleans())
def test_f1_is_1_for_equal_values_alone_and_the_same_from_either_side(one: Any, other: Any, ordered: bool) -> None:
    grader = grade.fields_f1(ordered=ordered)
    assert value(grader, one, one) == 1.0
    there = value(grader, one, other)
    assert there == pytest.approx(value(grader, other, one))
    if ordered and _typed(one) != _typed(other):
        assert there < 1.0


@given(ANY, ANY)
def test_no_json_makes_a_field_grader_raise(one: Any, other: Any) -> None:
    for grader in (grade.fields(), grade.fields_f1(), grade.fields_f1(ordered=False), grade.fields(partial=True)):
        value(grader, one, other)


def test_lists_of_thousands_and_deep_nesting_are_compared_in_good_time() -> None:
    many = [{"name": f"n{i}", "price": i} for i in range(3000)]
    other = [{"name": f"n{i}", "price": i + 1} for i in range(3000)]
    assert value(grade.fields_f1(ordered=False), other, many) == pytest.approx(0.5)
    deep: Any = "x"
    for _ in range(300):
        deep = [deep, {"a": 1}]
    changed: Any = "y"
    for _ in range(300):
        changed = [changed, {"a": 1}]
    assert 0 <= value(grade.fields_f1(), changed, deep) < 1


def _typed(item: Any) -> Any:
    """A value in which texts that are numbers, and numbers, are told from true and false."""
    if isinstance(item, dict):
        return {k: _typed(v) for k, v in item.items()}
    if isinstance(item, list):
        return [_typed(v) for v in item]
    return (isinstance(item, bool), folded(item))
