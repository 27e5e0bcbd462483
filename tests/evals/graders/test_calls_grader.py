"""Tool calls: the right functions with the right arguments, in any order; and the leaderboard's published answers."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from grader_samples import ANY, case, value
from hypothesis import given

from suffice.evals import grade

ROOT = Path(__file__).parents[3]
WANT = [
    {"name": "maps.route", "arguments": {"to": "New York, NY", "stops": 2}},
    {"name": "play", "arguments": {"artist": "Maroon 5"}},
]


def test_calls_are_right_in_any_order_however_their_texts_are_written() -> None:
    told = [
        {"name": "play", "arguments": {"artist": "maroon 5"}},
        {"name": "maps_route", "arguments": {"to": "new york NY", "stops": 2}},
    ]
    assert value(grade.calls(), told, WANT) == 1.0
    as_openai = {"id": "c", "type": "function", "function": {"name": "play", "arguments": '{"artist": "Maroon 5"}'}}
    assert value(grade.calls(), as_openai, WANT[1]) == 1.0
    assert value(grade.calls(), [], []) == 1.0


def test_what_is_wrong_is_said() -> None:
    def reason(got: object) -> str:
        score = grade.calls()(got, case(WANT[:1]))
        assert score.value == 0.0
        return score.reason

    assert reason([]) == "expected 1 call, got 0"
    assert "is no list of calls" in reason("New York")
    assert "play was called" in reason([WANT[1]])
    right = {"to": "New York, NY", "stops": 2}
    for arguments, said in [
        ({**right, "stops": 3}, "stops is 3, expected 2"),
        ({**right, "stops": True}, "stops is true"),
        ({**right, "stops": "2"}, "stops is 2, expected 2"),
        ({"to": "New York, NY"}, "the argument stops is missing"),
        ({**right, "via": 1}, "unexpected argument via"),
    ]:
        assert said in reason([{"name": "maps.route", "arguments": arguments}])


def test_arguments_may_have_several_right_values_or_be_left_out() -> None:
    want = [{"name": "f", "arguments": {"unit": ["km", ""], "at": [{"x": [1, 2], "y": ["", 3]}], "n": [[1, "a"]]}}]

    def right(**arguments: object) -> bool:
        return value(grade.calls(alternatives=True), [{"name": "f", "arguments": arguments}], want) == 1.0

    assert right(unit="KM", at={"x": 2}, n=[1, "A"]) and right(at={"x": 1, "y": 3}, n=[1, "a"])
    assert right(unit="", at={"x": 2}, n=[1, "A"]) and not right(at={"x": 1, "y": ""}, n=[1, "a"])
    assert not right(unit="mi", at={"x": 1}, n=[1, "a"]) and not right(at={"y": 3}, n=[1, "a"])
    assert not right(at={"x": 1}) and not right(at={"x": 1}, n=["a", 1])


def test_each_call_stands_for_one_that_was_expected() -> None:
    want = [{"name": "f", "arguments": {"a": [1, 2]}}, {"name": "f", "arguments": {"a": [1]}}]
    one, two = ({"name": "f", "arguments": {"a": n}} for n in (1, 2))
    assert value(grade.calls(alternatives=True), [one, two], want) == 1.0  # the first that fits is not always the one
    assert value(grade.calls(alternatives=True), [two, two], want) == 0.0


@given(ANY, ANY)
def test_anything_is_graded(got: object, want: object) -> None:
    assert grade.calls(alternatives=True)(got, case(want)).value in (0.0, 1.0)


@pytest.fixture(scope="module")
def bfcl() -> Iterator[ModuleType]:
    """The benchmark of the published questions, where they are there."""
    pytest.importorskip("jsonschema")
    found = importlib.util.spec_from_file_location("bench_bfcl", ROOT / "bench" / "bfcl.py")
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules["bench_bfcl"] = module
    found.loader.exec_module(module)
    if not module.FOLDER.is_dir():
        pytest.skip(f"the questions of the Berkeley leaderboard are not in {module.FOLDER}")
    yield module
    del sys.modules["bench_bfcl"]


@pytest.mark.slow
def test_every_published_function_is_a_tool_and_every_published_answer_is_right(bfcl: ModuleType) -> None:
    found = bfcl.counts()
    assert found["questions"] == 2_000 and found["functions"] == 2_655 and found["answers"] == 1_249
    assert found["functions named as models take it"] == found["functions"]
    assert found["functions the same in both dialects"] == found["functions"]
    assert found["functions validated here to the last word"] == 2_651
    assert found["answers graded right"] == found["answers"]
    assert found["changed and still right, graded right"] == found["changed and still right"] > 9_000
    assert found["changed and wrong, graded wrong"] == found["changed and wrong"] > 16_000


def test_some_of_the_published_answers_and_what_is_changed_in_them(bfcl: ModuleType) -> None:
    some = [q for q in list(bfcl.questions(bfcl.FOLDER))[::40] if q.right]
    assert len(some) > 20
    for question in some:
        assert bfcl.graded(question, bfcl.answer(question))
        assert all(bfcl.graded(question, said) for said in bfcl.right_changes(question))
        assert not any(bfcl.graded(question, said) for said in bfcl.wrong_changes(question))
        for function in question.functions:
            assert bfcl.there_and_back(bfcl.tool_of(function))
