"""Routes and constants: who answers what, and what is handed on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from program_samples import make_words

import suffice as sf
from suffice.errors import SolutionError, UsageError
from suffice.programs.constant import constant_solution
from suffice.programs.constant import from_form as constant_from_form
from suffice.programs.route import Leg, route, route_of
from suffice.programs.solution import Solution
from suffice.values import ABSTAIN, Answer, Json


def ask(solution: Solution, inputs: Any) -> Answer:
    return asyncio.run(solution.ask(inputs))


def sure(value: Any, confidence: float | None, name: str = "sure") -> Any:
    def answer(text: str) -> Answer:
        return Answer(value, confidence)

    answer.__name__ = name
    return answer


def test_the_first_that_is_sure_enough_answers_and_is_named() -> None:
    first, second = sure("a", 0.8, "first"), sure("b", 0.6, "second")
    for thresholds, value, by in (
        ([0.8, 0.6], "a", "first"),
        ([0.81, 0.6], "b", "second"),
        ([0.81, None], "b", "second"),
        ([0.81, 0.61], ABSTAIN, None),
    ):
        answer = ask(route(first, second, thresholds=thresholds), "x")
        assert (answer.value, answer.by) == (value, by)


def test_without_thresholds_a_member_hands_on_only_by_abstaining() -> None:
    asked: list[str] = []

    async def first(text: str) -> Any:
        asked.append("first")
        return ABSTAIN if text == "hard" else None

    def second(text: str) -> str:
        asked.append("second")
        return "b"

    both = route(first, second)
    assert ask(both, "easy").value is None  # nothing is an answer
    assert ask(both, "hard").value == "b"
    assert asked == ["first", "first", "second"]
    assert asyncio.run(route(first, first)("hard")) is ABSTAIN


def test_a_threshold_needs_a_confidence() -> None:
    with pytest.raises(TypeError, match="first has a threshold but gave no confidence"):
        ask(route(sure("a", None, "first"), sure("b", 1.0), thresholds=[0.5, None]), "x")
    assert ask(route(lambda t: ABSTAIN, sure("b", 1.0), thresholds=[0.5, None]), "x").value == "b"


@pytest.mark.parametrize("bad", [[0.5], [0.5, None, None]])
def test_thresholds_that_fit_no_member_are_refused(bad: list[float | None]) -> None:
    with pytest.raises(SolutionError, match="2 solutions need 2 thresholds"):
        route(sure("a", 0.5), sure("b", 0.5), thresholds=bad)


@pytest.mark.parametrize("bad", [1.5, -0.1, float("nan")])
def test_a_threshold_that_is_no_confidence_is_refused(bad: float) -> None:
    with pytest.raises(UsageError, match=r"thresholds\[0\] is a confidence from 0 to 1"):
        route(sure("a", 0.5), sure("b", 0.5), thresholds=[bad, None])


def test_an_empty_route_is_refused() -> None:
    with pytest.raises(SolutionError):
        route()


def test_a_route_of_one_without_a_threshold_is_that_solution() -> None:
    one = constant_solution("a")
    assert route(one) is one
    assert route(one, name="other").name == "other"
    assert route(one, thresholds=[0.5]).identity != one.identity


@given(st.lists(st.sampled_from(["invoice", "parcel", "hello", ""]), max_size=12), st.floats(0, 1), st.floats(0, 1))
def test_a_batch_gives_what_single_calls_give(texts: list[str], first: float, second: float) -> None:
    easy, hard = make_words(1.0), make_words(4.0)
    both = route(easy, hard, thresholds=[first, second])
    assert both.batch is not None
    assert both.batch(texts) == [ask(both, t) for t in texts]


def test_a_route_is_free_and_batched_only_where_all_its_members_are() -> None:
    words = make_words()
    free = route(words, constant_solution("a"), thresholds=[0.9, None])
    assert free.free and free.batch is not None
    paid = route(words, lambda text: "a", thresholds=[0.9, None])
    assert not paid.free and paid.batch is None and paid.form is None
    assert ask(paid, "parcel").by == "words"


def test_the_identity_covers_members_their_order_and_thresholds_but_not_names() -> None:
    a, b = constant_solution("a"), constant_solution("b")
    base = route(a, b, thresholds=[0.5, None])
    assert base.identity == route(a, b, thresholds=[0.5, None], name="other").identity
    others = [
        route(b, a, thresholds=[0.5, None]),
        route(a, b, thresholds=[0.6, None]),
        route(a, b),
        route(a, b, a, thresholds=[0.5, None, None]),
    ]
    assert len({base.identity, *(o.identity for o in others)}) == 5


def test_a_member_of_a_member_is_named() -> None:
    inner = route(sure("a", 0.9, "inner one"), thresholds=[0.5], name="inner")
    assert ask(route(inner, sure("b", 1.0), thresholds=[0.6, None]), "x").by == "inner one"


def test_a_route_binds_only_what_every_member_can_bind() -> None:
    def both(subject: str, body: str) -> str:
        return "a"

    def more(subject: str, body: str = "", sender: str = "") -> str:
        return "a"

    made = route(both, more)
    assert made.parameters == ("subject", "body")
    assert made.required == ("subject", "body")
    assert asyncio.run(made(subject="a", body="b")) == "a"
    assert route_of([Leg(constant_solution("a")), Leg(constant_solution("b"))]).parameters is None


@pytest.mark.parametrize("value", [None, "a", 1.5, {"a": [1]}, ABSTAIN])
def test_a_constant_answers_the_same_to_everything(value: Json) -> None:
    made = constant_solution(value)
    assert made.batch is not None and made.form is not None
    assert [a.value for a in made.batch(["x", {"a": 1}])] == [value, value]
    back = constant_from_form(made.form)
    assert ask(back, "x") == ask(made, "x")
    assert back.identity == made.identity != constant_solution("else").identity


def test_route_is_public() -> None:
    assert sf.route is route
