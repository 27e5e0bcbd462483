"""Lists: F1 of the items, in any order or in order, repeats counted."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from grader_samples import ANY, case, value
from hypothesis import given
from hypothesis import strategies as st

from suffice.errors import UsageError
from suffice.evals import grade

LETTERS = st.lists(st.sampled_from("abc"), max_size=6)


def test_items_count_in_any_order_and_as_often_as_they_stand_there() -> None:
    assert value(grade.list_f1(), ["B", "a "], ["a", "b"]) == 1.0
    assert value(grade.list_f1(), ["a", "a"], ["a", "b"]) == 0.5
    score = grade.list_f1()(["a", "x", "a"], case(["a", "b", "c"]))
    assert score.value == pytest.approx(1 / 3)
    assert score.reason == "F1 0.333 (1 of 3 expected items, 3 given); missing: b, c; not expected: a, x"


def test_in_order_the_longest_common_subsequence_counts() -> None:
    score = grade.list_f1(ordered=True)(["b", "c", "a"], case(["a", "b", "c"]))
    assert score.value == pytest.approx(2 / 3)
    assert score.reason.endswith("; in another order")


def test_texts_are_read_as_json_or_split() -> None:
    assert value(grade.list_f1(separator=","), "red, blue", ["blue", "red"]) == 1.0
    assert value(grade.list_f1(), '["red", "blue"]', ["blue", "red"]) == 1.0
    assert value(grade.list_f1(), "red", "RED") == 1.0
    assert value(grade.list_f1(), [], []) == 1.0 and value(grade.list_f1(), [], ["a"]) == 0.0
    assert value(grade.list_f1(), {3, 1}, [1, 3]) == 1.0
    with pytest.raises(UsageError, match="separator"):
        grade.list_f1(separator="")


def test_items_may_be_compared_by_another_grader() -> None:
    near = grade.list_f1(item=grade.number(0.5))
    assert value(near, ["3.1", 1], [1.2, 3]) == 1.0
    assert value(grade.list_f1(item=grade.number(0.5), ordered=True), ["3.1", 1], [1.2, 3]) == 0.5
    assert grade.list_f1(item=grade.levenshtein())(["cat"], case(["car", "dog"])).value == pytest.approx(2 * 2 / 3 / 3)
    assert "missing: 3" in near([1], case([1, 3])).reason
    score = grade.list_f1(item=grade.levenshtein())(["blu"], case(["red", "blue"]))
    assert score.reason == "F1 0.5 (0.75 of 2 expected items, 1 given); missing: red; right in part: blu"


@given(LETTERS, LETTERS)
def test_f1_is_1_for_equal_lists_alone_and_the_same_from_either_side(one: list[str], other: list[str]) -> None:
    for ordered in (True, False):
        grader = grade.list_f1(ordered=ordered)
        there = value(grader, one, other)
        assert there == pytest.approx(value(grader, other, one))
        assert (there == 1.0) == (one == other if ordered else Counter(one) == Counter(other))


@given(ANY, ANY)
def test_no_json_makes_it_raise(one: Any, other: Any) -> None:
    for grader in (grade.list_f1(), grade.list_f1(ordered=True), grade.list_f1(item=grade.text(), separator=",")):
        value(grader, one, other)
