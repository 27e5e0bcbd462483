"""Side-by-side work: parallel and orchestrate, their bounds, failures as values, what ends everything."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from workflow_samples import grown, lines

import suffice as sf
from suffice.errors import BudgetError, RefusedError, SolutionError, Stopped, UsageError
from suffice.programs.workflow import orchestrate, parallel
from suffice.values import ABSTAIN, Failure, to_json


def broken(text: str):
    raise KeyError("total")


async def slow(text: str) -> str:
    await asyncio.sleep(30)
    return text


class Counting:
    """Counts how many calls are under way at once."""

    def __init__(self) -> None:
        self.now = self.most = self.calls = 0

    async def __call__(self, piece: object) -> object:
        self.calls += 1
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.01)
        self.now -= 1
        return piece


def test_sections_answer_by_name_and_a_failing_one_is_a_value():
    made = parallel({"upper": str.upper, "broken": broken, "slow": slow, "gone": lambda text: ABSTAIN}, timeout=0.05)
    value, root = grown(lambda: made("x"))
    assert value["upper"] == "X" and value["gone"] is ABSTAIN
    assert value["broken"].kind == "raised" and "KeyError: 'total'" in value["broken"].message
    assert value["slow"] == Failure("timeout", value["slow"].message)
    assert list(value) == ["upper", "broken", "slow", "gone"]
    assert lines(root) == [
        "program parallel",
        "  branch upper",
        "  branch broken (raised)",
        "  branch slow (timeout)",
        "  branch gone",
    ]


def test_an_answer_with_a_failed_section_keeps_the_others_in_json():
    answer = sf.run(parallel({"a": len, "b": broken}).as_solution().ask("xy"))
    assert to_json(answer.value)["a"] == 2
    assert to_json(answer.value)["b"]["failure"]["kind"] == "raised"


def test_where_all_sections_fail_the_first_error_is_raised():
    def refused(text):
        raise RefusedError("no such model")

    with pytest.raises(RefusedError, match="no such model"):
        sf.run(parallel({"a": refused, "b": broken})("x"))
    with pytest.raises(SolutionError, match="every branch failed"):
        sf.run(parallel({"a": slow}, timeout=0.01)("x"))


@pytest.mark.parametrize(("n", "width"), [(1, 4), (7, 3), (9, 9)])
def test_no_more_run_at_once_than_may(n, width):
    count = Counting()
    values = sf.run(orchestrate(lambda x: list(range(n)), count, lambda x, r: r, concurrency=width)("x"))
    assert values == list(range(n)) and count.most == min(n, width)


def test_plain_functions_run_side_by_side_too():
    gate = threading.Barrier(3, timeout=5)  # passes only where three wait at once
    made = parallel({name: lambda text: gate.wait() is not None for name in "abc"})
    assert sf.run(made("x")) == {"a": True, "b": True, "c": True}


def test_a_spent_budget_is_raised_and_what_was_not_begun_is_not():
    begun = []

    async def spend(piece):
        begun.append(piece)
        raise BudgetError("spent")

    with pytest.raises(BudgetError):
        sf.run(orchestrate(lambda x: [1, 2, 3, 4], spend, lambda x, r: r, concurrency=1)("x"))
    assert begun == [1]


def test_who_waits_for_a_person_lets_the_others_finish_and_then_stops():
    done = []

    async def ask(piece):
        if piece == 1:
            raise Stopped("may I?")
        await asyncio.sleep(0.01)
        done.append(piece)

    made = orchestrate(lambda x: [1, 2, 3], ask, lambda x, r: r, concurrency=2)

    async def main():
        try:
            await made("x")
        except Stopped as stop:
            return stop.question

    assert sf.run(main()) == "may I?" and done == [2, 3]


def test_cancelled_from_outside_every_branch_is_cancelled():
    ended = []

    async def hang(piece):
        try:
            await asyncio.sleep(30)
        finally:
            ended.append(piece)

    async def main():
        task = asyncio.create_task(orchestrate(lambda x: [1, 2], hang, lambda x, r: r)("x"))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    began = time.monotonic()
    sf.run(main())
    assert sorted(ended) == [1, 2] and time.monotonic() - began < 5


@pytest.mark.parametrize("n", [0, 1, 5])
def test_a_plan_of_any_length_is_joined_in_its_order(n):
    async def late_first(piece):
        await asyncio.sleep(0.01 * (n - piece))
        return piece * 10

    made = orchestrate(lambda x: tuple(range(n)), late_first, lambda x, results: [x, results], name="report")
    value, root = grown(lambda: made("q"))
    assert value == ["q", [10 * i for i in range(n)]]
    branches = [f"  branch late_first {i + 1}" for i in range(n)]
    assert lines(root) == ["program report", "  stage <lambda>", *branches, "  stage <lambda>"]


def test_addresses_are_the_same_each_time_however_the_branches_overlap():
    def addresses(delays):
        async def work(piece):
            await asyncio.sleep(delays[piece])

        made = orchestrate(lambda x: [0, 1, 2, 3], work, lambda x, r: len(r), concurrency=2)
        return {str(span.address) for span in grown(lambda: made("x"))[1].walk()}

    assert addresses([0.03, 0, 0.01, 0]) == addresses([0, 0.02, 0, 0.01])


def test_a_worker_that_fails_is_a_value_among_the_results():
    def work(piece):
        return 1 / piece

    results = sf.run(orchestrate(lambda x: [1, 0], work, lambda x, results: results)("x"))
    assert results[0] == 1 and "ZeroDivisionError" in results[1].message


def test_a_join_that_does_not_take_inputs_and_results_is_refused_before_the_first_call():
    count = Counting()

    def join(results):
        return results

    with pytest.raises(UsageError, match=r"join\(inputs, results\), and join takes \(results\)") as found:
        orchestrate(lambda x: [1], count, join)
    assert found.value.hint == "def join(inputs, results): …" and count.calls == 0


@pytest.mark.parametrize(("planned", "message"), [("a, b", "is a str, not a list"), ([1] * 5, "5 pieces, and at most")])
def test_a_plan_that_cannot_be_done_begins_nothing(planned, message):
    count = Counting()
    with pytest.raises(SolutionError, match=message):
        sf.run(orchestrate(lambda x: planned, count, lambda x, r: r, most=4)("x"))
    assert count.calls == 0


def test_bounds_that_cannot_be_are_refused_at_once():
    with pytest.raises(UsageError, match="concurrency"):
        parallel({"a": len}, concurrency=0)
    with pytest.raises(UsageError, match="timeout"):
        parallel({"a": len}, timeout=0)
    with pytest.raises(UsageError, match="nothing to do"):
        parallel({})
