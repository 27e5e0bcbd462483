"""The grader of worlds: the state to the letter, rules, and whether a person was asked when one had to be."""

from __future__ import annotations

from typing import Any

import pytest
from grader_samples import ANY, case, value
from hypothesis import given
from hypothesis import strategies as st

import suffice as sf
from suffice.errors import DataError
from suffice.evals import grade
from suffice.values import ABSTAIN, to_json

WORLD = grade.world()
FINAL = {"orders": {"a1": {"state": "refunded", "cents": 2000}}, "notes": ["x", "y"]}


def left(final: Any = FINAL, *, broken: tuple[str, ...] = (), asked: tuple[str, ...] = (), answer: Any = "ok") -> Any:
    questions = [{"question": q, "choices": [], "answer": None} for q in asked]
    return {"answer": answer, "final": final, "violations": list(broken), "questions": questions}


def reason(output: Any, expected: Any, grader: grade.Grader = WORLD) -> str:
    assert value(grader, output, expected) == 0
    return grader(output, case(expected)).reason


def test_the_state_as_expected_is_right() -> None:
    score = WORLD(left(), case({"final": FINAL}))
    assert (score.value, score.reason) == (1.0, "left the world as expected; no rule was broken")


@given(ANY)
def test_any_state_is_like_itself_and_order_of_fields_does_not_count(state: Any) -> None:
    state = to_json(state)
    if "nan" not in repr(state):
        assert value(WORLD, left(state), {"final": state}) == 1
    one, other = {"a": state, "b": 1}, {"b": 1, "a": state}
    if "nan" not in repr(state):
        assert value(WORLD, left(one), {"final": other}) == 1


@pytest.mark.parametrize(
    ("final", "said"),
    [
        ({**FINAL, "notes": ["x", "Y"]}, "final state: $.notes[1]: expected y, got Y"),
        ({**FINAL, "notes": ["x"]}, "final state: $.notes[1]: missing, expected y"),
        ({**FINAL, "notes": ["x", "y", "z"]}, "final state: $.notes[2]: not expected, got z"),
        ({"notes": ["x", "y"]}, "final state: $.orders: missing, expected "),
        ({**FINAL, "a b": None}, 'final state: $["a b"]: not expected, got nothing'),
        ({**FINAL, "notes": None}, "final state: $.notes: expected "),
        ({}, "final state: $.orders: missing, expected "),
        (None, "final state: $: expected "),
    ],
)
def test_a_state_that_differs_is_wrong_and_the_reason_says_where(final: Any, said: str) -> None:
    assert reason(left(final), {"final": FINAL}).startswith(said)


def test_a_boolean_is_no_number_and_nothing_is_folded() -> None:
    assert value(WORLD, left({"n": 1.0}), {"final": {"n": 1}}) == 1
    assert value(WORLD, left({"n": True}), {"final": {"n": 1}}) == 0
    assert value(WORLD, left({"n": "1"}), {"final": {"n": 1}}) == 0
    assert value(WORLD, left({"n": " a"}), {"final": {"n": "a"}}) == 0
    assert value(WORLD, left({"n": None}), {"final": {}}) == 0


def test_at_most_three_places_are_named() -> None:
    said = reason(left(dict.fromkeys("abcde", 1)), {"final": dict.fromkeys("abcde", 2)})
    assert said == ("final state: $.a: expected 2, got 1; $.b: expected 2, got 1; $.c: expected 2, got 1; and 2 more")


def test_a_rule_that_was_broken_is_wrong_whatever_the_state() -> None:
    assert reason(left(broken=("no refund over 100 without a person",)), {"final": FINAL}) == (
        "broke the rule: no refund over 100 without a person"
    )
    assert reason(left(broken=("r",), asked=("?",)), {"ask": True}) == "broke the rule: r"


@pytest.mark.parametrize(
    ("ask", "asked", "said"),
    [
        (True, ("Which order?",), ""),
        (True, (), "asked nobody, and should have"),
        (False, (), ""),
        (False, ("Sure?",), "asked without need: Sure?"),
        (["ORDER", "number"], ("Hello?", "What is the number of your  order?"), ""),
        (
            ["order", "number"],
            ("Which order?", "Which number?"),
            "no question holds number: Which order?, Which number?",
        ),
        (["order"], (), "asked nobody, and should have"),
    ],
)
def test_asking_is_judged(ask: Any, asked: tuple[str, ...], said: str) -> None:
    expected = {"final": FINAL, "ask": ask}
    if said:
        assert reason(left(asked=asked), expected) == said
    else:
        assert value(WORLD, left(asked=asked), expected) == 1


def test_asking_is_not_judged_where_nothing_is_said_of_it() -> None:
    assert value(WORLD, left(asked=("Sure?",)), {"final": FINAL}) == 1


def test_the_answer_is_compared_by_a_grader_of_its_own() -> None:
    expected = {"final": FINAL, "answer": "20.00"}
    assert value(WORLD, left(answer="You get 20.00 back."), expected) == 1
    assert reason(left(answer="Done."), expected) == "answer: Done. does not contain 20.00"
    exact = grade.world(answer=grade.exact())
    assert value(exact, left(answer="You get 20.00 back."), expected) == 0
    assert value(exact, left(answer="20.00"), expected) == 1
    assert exact.identity != WORLD.identity == grade.named("world").identity
    assert grade.named("world", {"answer": "exact"}).identity == exact.identity


def test_to_change_the_world_and_hand_the_case_on_is_wrong() -> None:
    assert reason(left(answer={"abstain": True}), {"final": FINAL}) == "handed the case on, and had changed the world"
    assert WORLD(ABSTAIN, case({"final": FINAL})).reason == "handed on"


@given(ANY | st.fixed_dictionaries({name: ANY for name in ("answer", "final", "violations", "questions")}))
def test_what_no_program_in_a_world_answered_is_wrong_and_never_an_error(output: Any) -> None:
    assert value(WORLD, output, {"final": {"never": ["this"]}}) == 0


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        ({}, "must be an object"),
        ({"Final": 1}, "has Final; known are final, answer, ask"),
        ({"ask": "order"}, '"ask" must be true, false, or a list'),
        ({"ask": []}, '"ask" must be true, false, or a list'),
        ({"ask": [""]}, '"ask" must be true, false, or a list'),
        ({"ask": None}, '"ask" must be true, false, or a list'),
    ],
)
def test_an_expected_value_that_cannot_be_is_found_before_anything_runs(expected: Any, said: str) -> None:
    rows = [{"text": f"case {i}", "expected": {"final": i}} for i in range(9)]
    with pytest.raises(DataError) as found:
        sf.Task([*rows, {"text": "last", "expected": expected}], grader=WORLD)
    assert said in str(found.value)
    assert sf.Task(rows, grader=WORLD).kind == "fields"
