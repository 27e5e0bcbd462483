"""Functions as solutions: how they are called, what they may return, and how each of their faults is told."""

from __future__ import annotations

import asyncio
import functools
import sys
import time
import traceback
from typing import Any

import numpy as np
import pytest

from suffice.errors import SolutionError
from suffice.programs.route import route
from suffice.programs.solution import Solution, as_answer, attempt, check_inputs, from_function
from suffice.values import ABSTAIN, Answer, Failure


def tried(function: Any, inputs: Any = "x", timeout: float | None = 5.0) -> tuple[Answer | None, Failure | None]:
    return asyncio.run(attempt(from_function(function), inputs, timeout))


def failure(function: Any, timeout: float | None = 5.0) -> Failure:
    answer, failed = tried(function, timeout=timeout)
    assert answer is None and failed is not None
    return failed


# How it is called


def test_plain_and_async_functions_and_objects_are_called_alike() -> None:
    def plain(text: str) -> str:
        return text.upper()

    async def slow(text: str) -> str:
        await asyncio.sleep(0)
        return text.upper()

    class Object:
        def __call__(self, text: str) -> str:
            return text.upper()

        async def method(self, text: str) -> str:
            return text.upper()

    class Slow:
        async def __call__(self, text: str) -> str:
            return text.upper()

    ways = [plain, slow, Object(), Slow(), Object().method, str.upper, lambda t: t.upper(), lambda t: slow(t),
            functools.partial(plain), functools.partial(slow), functools.partial(Slow())]  # fmt: skip
    for way in ways:
        assert asyncio.run(from_function(way)("x")) == "X", way


def test_one_value_or_keyword_arguments() -> None:
    async def both(subject: str, body: str = "") -> str:
        return f"{subject}/{body}"

    made = from_function(both)
    assert asyncio.run(made("a")) == "a/"
    assert asyncio.run(made(subject="a", body="b")) == "a/b"
    assert asyncio.run(made.ask({"subject": "a", "body": "b"})).value == "a/b"
    for args, kwargs in (((), {}), (("a", "b"), {}), (("a",), {"body": "b"})):
        with pytest.raises(SolutionError, match="one value, or with keyword"):
            asyncio.run(made(*args, **kwargs))


@pytest.mark.parametrize(
    "function", [lambda row: sorted(row), lambda row, /: sorted(row), lambda *rows: sorted(rows[0])]
)
def test_one_parameter_takes_the_whole_row(function: Any) -> None:
    answer, failed = tried(function, {"subject": "a", "body": "b"})
    assert failed is None and answer is not None and answer.value == ["body", "subject"]


def test_several_columns_are_checked_before_the_first_call() -> None:
    def both(subject: str, body: str, sender: str = "") -> str:
        return ""

    def anything(subject: str, **others: str) -> str:
        return ""

    check_inputs(from_function(both), ["subject", "body"])
    check_inputs(from_function(both), ["subject", "body", "sender"])
    check_inputs(from_function(anything), ["subject", "else"])
    check_inputs(from_function(lambda ticket: ""), ["text"])  # one column is bound by its place
    with pytest.raises(SolutionError, match="needs body; it has no parameter for text"):
        check_inputs(from_function(both), ["subject", "text"])


def test_what_cannot_be_called_is_refused() -> None:
    with pytest.raises(SolutionError, match="not callable"):
        from_function("triage")
    with pytest.raises(SolutionError, match="takes no inputs"):
        from_function(lambda: "a")


def test_a_solution_passes_through_and_may_be_renamed() -> None:
    made = from_function(lambda t: t, "mine")
    assert from_function(made) is made
    assert (from_function(made, "other").name, made.name) == ("other", "mine")


# What it may return


@pytest.mark.parametrize("value", [None, "a", 1, 1.5, True, ["a"], {"a": {"b": [1]}}, ("a", "b"), np.float32(0.5)])
def test_what_has_a_json_form_is_an_answer(value: Any) -> None:
    answer, failed = tried(lambda t: value)
    assert failed is None and answer is not None and answer.value is value


def test_abstain_and_confidence() -> None:
    answer, _ = tried(lambda t: ABSTAIN)
    assert answer is not None and answer.value is ABSTAIN and not answer.value
    answer, _ = tried(lambda t: Answer("a", 0.25))
    assert answer == Answer("a", 0.25)
    for wrong in (1.5, -0.1, float("nan"), "high"):
        with pytest.raises(TypeError):
            as_answer(Answer("a", wrong))  # pyright: ignore[reportArgumentType]


# How each fault is told


def test_what_it_raises_is_told_with_its_place() -> None:
    def raises(text: str) -> str:
        return {}["total"]

    told = failure(raises)
    assert told.kind == "raised"
    assert told.message.startswith("KeyError: 'total' (test_solution.py:") and "in raises" in told.message


def test_wrong_types_exits_and_odd_exceptions_are_failures_of_their_own() -> None:
    def leaves(text: str) -> str:
        sys.exit("bye")

    async def leaves_too(text: str) -> str:
        sys.exit(3)

    def yields(text: str) -> Any:
        yield text

    async def raises_generator_exit(text: str) -> str:
        raise GeneratorExit

    assert failure(lambda t: object()).kind == "type"
    assert failure(lambda t: {"a": {1, 2}}).kind == "type"
    assert failure(yields).kind == "type"
    for way, code in ((leaves, "'bye'"), (leaves_too, "3")):
        assert failure(way).kind == "exit"
        assert failure(way).message.startswith(f"called sys.exit({code})")
    assert failure(raises_generator_exit).kind == "raised"
    assert failure(lambda t: next(iter([]))).kind == "raised"
    assert failure(lambda t: int("x" * 3)).message.startswith("ValueError: invalid literal")


def test_a_call_that_takes_too_long_is_a_timeout() -> None:
    async def sleeps(text: str) -> None:
        await asyncio.sleep(30)

    for way in (sleeps, lambda t: time.sleep(1)):
        told = failure(way, timeout=0.02)
        assert told.kind == "timeout" and told.message.startswith("no answer within 0.02 s (test_solution.py:")
    for way in (lambda t: asyncio.sleep(30), functools.partial(lambda wait, t: wait(1), time.sleep)):
        assert "tasks.py" not in failure(way, timeout=0.02).message  # a place inside of Python says nothing


def test_a_timeout_of_its_own_is_not_ours() -> None:
    async def gives_up(text: str) -> None:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(30)

    async def waits(text: str) -> None:
        await asyncio.wait_for(asyncio.sleep(30), 0.01)

    def raises(text: str) -> None:
        raise TimeoutError("the database is slow")

    for way in (gives_up, waits, raises):
        assert failure(way).kind == "raised"
    assert "database" in failure(raises).message


def test_a_cancellation_of_its_own_is_a_failure_and_ours_passes_through() -> None:
    async def cancels_itself(text: str) -> None:
        task = asyncio.create_task(asyncio.sleep(30))
        task.cancel()
        await task

    assert failure(cancels_itself).kind == "raised"

    async def main() -> bool:
        slow = from_function(lambda t: asyncio.sleep(30))
        task = asyncio.create_task(attempt(slow, "x", 60.0))
        await asyncio.sleep(0.01)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            return True
        return False

    assert asyncio.run(main())


def test_ctrl_c_passes_through() -> None:
    def interrupted(text: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tried(interrupted)


@pytest.mark.parametrize("is_async", [False, True])
def test_ctrl_c_of_its_own_carries_no_text_out(is_async: bool) -> None:
    def interrupted(text: str) -> None:
        raise KeyboardInterrupt(f"canary {text}")

    async def slow(text: str) -> None:
        interrupted(text)

    with pytest.raises(KeyboardInterrupt) as caught:
        tried(slow if is_async else interrupted)
    assert "canary" not in "".join(traceback.format_exception(caught.value)) and caught.value.args == ()


def test_what_it_does_to_its_inputs_no_other_call_sees() -> None:
    def spoils(row: dict[str, Any]) -> Any:
        row["tags"].append("spoilt")
        row["more"]["of"] = None
        return hands_on(row)

    def hands_on(row: dict[str, Any]) -> Any:
        return ABSTAIN if len(row["tags"]) == 2 else "saw another's"

    async def looks(row: dict[str, Any]) -> Any:
        return row.pop("tags") + [row["more"]["of"]]

    inputs = {"tags": ["a"], "more": {"of": 1}}
    both = route(spoils, looks)
    assert tried(spoils, inputs) == tried(spoils, inputs) == (Answer(ABSTAIN), None)
    assert tried(both, inputs)[0] == Answer(["a", 1], by="looks")
    assert tried(lambda items: items.pop(), items := [["x"], ["y"]])[0] == Answer(["y"])
    assert inputs == {"tags": ["a"], "more": {"of": 1}} and items == [["x"], ["y"]]


def test_a_text_is_handed_on_as_it_is() -> None:
    text = "x" * 1000
    assert asyncio.run(from_function(lambda t: t is text).ask(text)).value is True


@pytest.mark.parametrize(
    "huge",
    [lambda text: 10**5000, lambda text: [1, 10**5000], lambda text: {"n": {"m": -(10**5000)}}],
    ids=["bare", "list", "dict"],
)
def test_an_integer_that_python_does_not_write_is_no_answer(huge: Any) -> None:
    failed = failure(huge)
    assert failed.kind == "type" and "cannot be an answer" in failed.message and "test_solution.py" in failed.message
    assert tried(lambda text: 10**4000)[0] == Answer(10**4000)


def test_what_it_prints_is_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    def prints(text: str) -> str:
        print("looking at", text)
        return "a"

    answer, failed = tried(prints)
    assert failed is None and answer is not None and answer.value == "a"
    assert capsys.readouterr().out == "looking at x\n"


def test_a_plain_function_may_block_without_holding_up_the_others() -> None:
    def blocks(text: str) -> str:
        time.sleep(0.1)
        return text

    async def main() -> list[Any]:
        made = from_function(blocks)
        return await asyncio.gather(*(made(str(n)) for n in range(50)))

    began = time.perf_counter()
    assert asyncio.run(main()) == [str(n) for n in range(50)]
    assert time.perf_counter() - began < 2.5  # one after the other takes 5 s


def test_solutions_are_compared_by_what_they_are() -> None:
    made = from_function(lambda t: t)
    assert isinstance(made, Solution) and made != from_function(lambda t: "a")


def test_a_generator_exit_raised_by_a_plain_function_is_its_own_failure():
    def leave(text: str) -> str:
        raise GeneratorExit(text)

    answer, failure = asyncio.run(attempt(from_function(leave), "secret", 5.0))
    assert answer is None and failure is not None and failure.kind == "raised"
