"""Going on after a cut: all items come back, none twice, and texts are joined without loss."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from output_samples import json_values

from suffice.errors import OutputError
from suffice.models.output.continuing import joined, list_so_far, merged_items

LINES = "".join(f"This is line {i} of the text.\n" for i in range(30))


@given(st.integers(20, len(LINES) - 1), st.integers(20, 200))
def test_a_repeat_of_the_end_is_said_once(cut: int, back: int) -> None:
    assert joined([LINES[:cut], LINES[max(cut - back, 0) :]]) == LINES


@given(st.lists(st.integers(0, len(LINES)), max_size=5).map(sorted))
def test_parts_without_a_repeat_are_just_joined(cuts: list[int]) -> None:
    parts = [LINES[a:b] for a, b in zip([0, *cuts], [*cuts, len(LINES)], strict=True)]
    assert joined(parts) == LINES


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        ([], ""),
        (["one"], "one"),
        (["first\nThe quick br", "The quick brown fox"], "first\nThe quick brown fox"),
        (["first\nsecond\n", "second\nthird"], "first\nsecond\nthird"),
        (["a\n}\n", "}\n}\n"], "a\n}\n}\n}\n"),
        (["ha ha ", "ha ha!"], "ha ha ha ha!"),
        (["x" * 30, "x" * 30 + "y"], "x" * 30 + "y"),
        (["abc", ""], "abc"),
    ],
)
def test_only_a_long_repeat_or_the_whole_last_line_is_one(parts: list[str], whole: str) -> None:
    assert joined(parts) == whole


def test_a_long_text_is_joined_in_linear_time() -> None:
    assert len(joined(["ab" * 200_000, "ab" * 200_000 + "c"])) == 400_001


def run(items: list[Any], ask: Any) -> list[Any]:
    """The items of a model that is asked to go on until it has given them all."""
    found: list[Any] = []
    for _ in range(500):
        text = ask(found)
        more, kept = list_so_far(text)
        assert text.startswith(kept)
        found = merged_items(found, more)
        if text.rstrip().endswith("]") or text.rstrip().endswith("]}"):
            try:
                json.loads(text)
            except ValueError:
                continue
            return found
    raise AssertionError("it never ends")


@pytest.mark.parametrize("repeats", [0, 1, 2])
@pytest.mark.parametrize("wrapped", [False, True])
def test_all_items_come_back_however_many_there_are(repeats: int, wrapped: bool) -> None:
    for number in range(201):
        items = [{"id": i, "name": f"item {i}"} for i in range(number)]

        def ask(found: list[Any], items: list[Any] = items, beyond: int = number % 20) -> str:
            start = max(len(found) - repeats, 0)
            text = json.dumps(items[start:])
            text = f'{{"answer": {text}}}' if wrapped else text
            stop = len(json.dumps(items[start : len(found) + 7]))
            return text if len(found) + 7 >= len(items) else text[: stop + beyond]

        assert run(items, ask) == items


@settings(max_examples=300)
@given(st.lists(json_values, max_size=8), st.booleans(), st.data())
def test_the_items_so_far_are_the_first_ones_and_the_text_ends_after_them(
    items: list[Any], wrapped: bool, data: st.DataObject
) -> None:
    text = json.dumps({"answer": items} if wrapped else items)
    cut = data.draw(st.integers(0, len(text)))
    found, kept = list_so_far(text[:cut])
    assert json.dumps(found) == json.dumps(items[: len(found)])
    assert text[:cut].startswith(kept)
    if kept:
        assert json.loads(kept + ("]}" if wrapped else "]")) == ({"answer": found} if wrapped else found)
    if cut == len(text):
        assert len(found) == len(items)
    elif found != items:
        # Nothing complete was left behind: the next item's text and what separates it do not fit into the cut.
        assert (len(kept) or text.index("[") + 1) + len(json.dumps(items[len(found)])) + 3 > cut


def test_a_number_at_the_cut_may_have_more_digits() -> None:
    assert list_so_far("[1, 23") == ([1], "[1")
    assert list_so_far("[1, 23,") == ([1, 23], "[1, 23")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", ""),
        ("  ", ""),
        ("[", "["),
        (' {"answer"', ""),
        ('{"answer": [', '{"answer": ['),
        ("```json\n[ {", "```json\n["),
    ],
)
def test_before_the_first_item_there_is_nothing(text: str, kept: str) -> None:
    assert list_so_far(text) == ([], kept)


@pytest.mark.parametrize("text", ['{"other": [1]}', '{"answer": "x"}', '"x"', "[1 2", "Sure: ["])
def test_what_is_no_list_is_an_error(text: str) -> None:
    with pytest.raises(OutputError):
        list_so_far(text)


@pytest.mark.parametrize(
    ("first", "more", "all_items"),
    [
        ([1, 2, 3], [4], [1, 2, 3, 4]),
        ([1, 2, 3], [2, 3, 4], [1, 2, 3, 4]),
        ([1, 1], [2, 2], [1, 1, 2, 2]),
        ([1, 2], [1, 2], [1, 2]),
        ([1, 2], [1, 3], [1, 2, 1, 3]),
        (["a"], ["a", "b"], ["a", "b"]),
        ([1], [True], [1, True]),
        ([], [1, 1], [1, 1]),
        ([{"a": 1, "b": 2}], [{"b": 2, "a": 1}, 3], [{"a": 1, "b": 2}, 3]),
    ],
)
def test_only_the_overlap_is_left_out(first: list[Any], more: list[Any], all_items: list[Any]) -> None:
    assert merged_items(first, more) == all_items


def test_a_longer_overlap_than_allowed_is_kept() -> None:
    assert merged_items([1, 2, 3], [2, 3, 4], at_most=1) == [1, 2, 3, 2, 3, 4]
    assert merged_items([1, 2, 3], [3, 4], at_most=1) == [1, 2, 3, 4]


@given(st.lists(st.integers(0, 99), unique=True, max_size=50), st.data())
def test_distinct_items_merge_without_loss_whatever_is_repeated(items: list[int], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(items)))
    back = data.draw(st.integers(0, cut))
    assert merged_items(items[:cut], items[cut - back :]) == items
