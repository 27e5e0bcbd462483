"""The runner: order, concurrency, the window, the journal, and what becomes of every way in which a solution fails."""

from __future__ import annotations

import asyncio
import json
import queue
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import numpy as np
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suffice.errors import SolutionError, StoreError, StoreFull, UsageError
from suffice.evals import grade
from suffice.evals.runner import Job, Tally, outcomes
from suffice.programs.solution import Solution, from_function
from suffice.store.database import Store, open_store
from suffice.store.journal import in_flight, lookup
from suffice.store.runs import start_run
from suffice.values import ABSTAIN, Answer, Case, Outcome, content_hash


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "store") as opened:
        yield opened


@pytest.fixture
def run(store: Store) -> str:
    return start_run(store, "eval", "numbers", {})


def cases_of(inputs: Sequence[Any], expected: Any = None) -> list[Case]:
    return [
        Case(f"c{i}", text, text if expected is None else expected, f"c{i}", f"numbers.csv:{i + 2}", *_hashes(text))
        for i, text in enumerate(inputs)
    ]


def _hashes(inputs: Any) -> tuple[str, str]:
    return content_hash(inputs), content_hash(inputs)


def job_of(solution: Any, store: Store | None = None, run: str = "", **how: Any) -> Job:
    return Job(from_function(solution), grade.exact(), store, run, **how)


def done(job: Job, cases: Sequence[Case], **more: Any) -> list[Outcome]:
    async def collect() -> list[Outcome]:
        return [outcome async for outcome in outcomes(job, cases, **more)]

    return asyncio.run(collect())


class Gauge:
    """How many calls are under way, and the most that ever were."""

    def __init__(self) -> None:
        self.now = self.most = self.total = 0

    async def __call__(self, pause: float) -> float:
        self.now, self.total = self.now + 1, self.total + 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(pause)
        finally:
            self.now -= 1
        return pause


# ---------------------------------------------------------------- order and concurrency


@settings(max_examples=25, deadline=None)
@given(
    pauses=st.lists(st.integers(0, 4), min_size=1, max_size=20), concurrency=st.integers(1, 9), window=st.integers(0, 9)
)
def test_outcomes_come_in_the_order_of_the_cases_and_never_too_many_at_once(
    pauses: list[int], concurrency: int, window: int
) -> None:
    gauge = Gauge()
    cases = cases_of([[i, pause] for i, pause in enumerate(pauses)])
    finished: list[str] = []
    ahead = 0
    given = 0

    async def solve(inputs: list[int]) -> list[int]:
        nonlocal ahead
        ahead = max(ahead, gauge.total + 1 - given)
        await gauge(inputs[1] / 1000)
        return inputs

    async def main() -> list[Outcome]:
        nonlocal given
        out: list[Outcome] = []
        job = job_of(solve, concurrency=concurrency)
        async for outcome in outcomes(job, cases, lambda: window, lambda o: finished.append(o.case.id)):
            given += 1
            out.append(outcome)
        return out

    out = asyncio.run(main())
    assert [o.case for o in out] == cases and all(o.right for o in out)
    assert sorted(finished) == sorted(c.id for c in cases)
    assert gauge.total == len(cases) and gauge.most <= concurrency
    assert ahead <= max(window, 1)  # a window of nothing still lets the run go on


def test_a_slow_case_holds_back_those_behind_it_but_not_their_calls() -> None:
    heard: list[str] = []

    async def solve(pause: float) -> float:
        await asyncio.sleep(pause)
        return pause

    out = done(job_of(solve, concurrency=3), cases_of([0.05, 0.0, 0.001]), on_done=lambda o: heard.append(o.case.id))
    assert heard == ["c1", "c2", "c0"] and [o.case.id for o in out] == ["c0", "c1", "c2"]


def test_a_def_that_blocks_runs_side_by_side_as_wide_as_the_concurrency_and_no_wider() -> None:
    inside: queue.SimpleQueue[int] = queue.SimpleQueue()
    most: queue.SimpleQueue[int] = queue.SimpleQueue()

    def solve(number: int) -> int:
        inside.put(number)
        most.put(inside.qsize())
        time.sleep(0.05)
        inside.get()
        return number

    began = time.perf_counter()
    out = done(job_of(solve, concurrency=10), cases_of(range(40)))
    assert all(o.right for o in out)
    assert time.perf_counter() - began < 40 * 0.05 / 2
    seen = [most.get() for _ in range(40)]
    assert 5 <= max(seen) <= 10


def test_the_window_is_asked_again_as_it_changes_and_decisions_see_the_prefix_alone() -> None:
    left = [2, 2, 5, 1, 1]
    seen: list[int] = []
    gauge = Gauge()

    async def solve(number: int) -> int:
        await gauge(random.Random(number).random() / 300)
        return number

    async def main() -> None:
        async for outcome in outcomes(job_of(solve, concurrency=8), cases_of(range(30)), lambda: left[0]):
            assert outcome.case.id == f"c{len(seen)}"
            seen.append(gauge.total)
            if len(left) > 1:
                left.pop(0)

    asyncio.run(main())
    assert seen[0] <= 2 and seen[1] <= 3 and seen[2] <= 7 and len(seen) == 30
    assert all(total <= given + 1 + 1 for given, total in list(enumerate(seen))[8:])


def test_leaving_the_loop_early_cancels_what_is_in_flight() -> None:
    cancelled: list[int] = []

    async def solve(number: int) -> int:
        if number:
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                cancelled.append(number)
                raise
        return number

    async def main() -> None:
        async with aclosing(outcomes(job_of(solve, concurrency=4), cases_of(range(9)))) as line:
            async for _ in line:
                break
        assert sorted(cancelled) == [1, 2, 3] or sorted(cancelled) == [1, 2, 3, 4]
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


def test_a_consumer_that_waits_between_outcomes_meets_each_case_once(store: Store, run: str) -> None:
    asked: queue.SimpleQueue[int] = queue.SimpleQueue()

    async def solve(number: int) -> int:
        asked.put(number)
        return number

    async def main(cases: list[Case], ticks: int) -> list[str]:
        heard: list[str] = []
        given = 0
        job = job_of(solve, store, run, concurrency=1)
        async for outcome in outcomes(job, cases, on_done=lambda o: heard.append(o.case.id)):
            assert outcome.right
            given += 1
            for _ in range(0 if given % 3 else ticks):  # to come back at every instant in the life of the next call
                await asyncio.sleep(0)
        return heard

    for ticks in range(24):
        cases = cases_of(range(100 * ticks, 100 * ticks + 12))
        done(job_of(solve, store, run), [c for i, c in enumerate(cases) if i % 3])
        before = asked.qsize()
        assert asyncio.run(main(cases, ticks)) == [c.id for c in cases]
        assert asked.qsize() - before == 4


def test_an_impossible_concurrency_or_timeout_is_refused_instead_of_waiting_for_ever() -> None:
    for wrong in (
        {"concurrency": 0},
        {"concurrency": -3},
        {"timeout": 0.0},
        {"timeout": -1.0},
        {"timeout": float("nan")},
    ):
        with pytest.raises(UsageError):
            job_of(str.upper, **wrong)


# ---------------------------------------------------------------- failures

CODE = """
import asyncio, sys, time
import numpy as np
import pandas
import pydantic
from suffice.values import Answer

class Wordless(Exception):
    def __str__(self): raise RuntimeError("no words")

class Form(pydantic.BaseModel):
    total: int

def raises(x): return {}["total"]  # raises
def in_a_library(x): import json; return json.loads("{")  # in_a_library
def many_lines(x): return Form.model_validate({"total": x})  # many_lines
def exits(x): sys.exit("bye\\nbye")  # exits
def stops(x): return next(iter(()))  # stops
def says_nothing(x): raise Wordless  # says_nothing
def generates(x): return (i for i in x)  # generates
def yields(x): yield x  # yields
def frame(x): return pandas.DataFrame({"a": [1]})  # frame
def thing(x): return object()  # thing
def a_set(x): return {1, 2}  # a_set
def array(x): return np.zeros(3)  # array
def too_sure(x): return Answer("a", 1.2)  # too_sure
def not_sure(x): return Answer("a", float("nan"))  # not_sure
def sure_in_words(x): return Answer("a", "very")  # sure_in_words
def screams(x): raise ValueError("x" * 10_000_000)  # screams
def half(x): raise ValueError("half \\ud83d of it")  # half
def sleeps(x):
    time.sleep(30)  # sleeps
async def a_raises(x): return {}["total"]  # a_raises
async def a_exits(x): sys.exit()  # a_exits
async def a_stops(x): raise StopIteration  # a_stops
async def a_yields(x): yield x  # a_yields
async def a_sleeps(x):
    await asyncio.sleep(30)  # a_sleeps
async def times_out_itself(x):
    async with asyncio.timeout(0.001):  # times_out_itself
        await asyncio.sleep(1)
async def forgets(x): return [a_raises(x)]  # forgets
async def cancels(x):
    await cancelled()
async def cancelled(): raise asyncio.CancelledError  # cancels
def refers_to_itself(x):
    loop = []
    loop.append(loop)
    return loop
"""

# The function (its place is the line that ends with its name), the kind of the failure, and what its message says.
FAULTS: list[tuple[str, str, str]] = [
    ("raises", "raised", "KeyError: 'total'"),
    ("in_a_library", "raised", "JSONDecodeError"),
    ("many_lines", "raised", "ValidationError: 1 validation error for Form total Input should be"),
    ("exits", "exit", r"called sys.exit('bye\nbye')"),
    ("stops", "raised", "the function raised StopIteration"),
    ("says_nothing", "raised", "Wordless"),
    ("generates", "type", "generator"),
    ("yields", "type", "generator"),
    ("frame", "type", "DataFrame"),
    ("thing", "type", "object"),
    ("a_set", "type", "set"),
    ("array", "type", "ndarray"),
    ("too_sure", "type", "a confidence must be a number in [0, 1], not 1.2"),
    ("not_sure", "type", "not nan"),
    ("sure_in_words", "type", "not a str"),
    ("screams", "raised", "ValueError: xxx"),
    ("half", "raised", "ValueError: half"),
    ("sleeps", "timeout", "no answer within 0.5 s"),
    ("a_raises", "raised", "KeyError: 'total'"),
    ("a_exits", "exit", "called sys.exit(None)"),
    ("a_stops", "raised", "StopIteration"),
    ("a_yields", "type", "async_generator"),
    ("a_sleeps", "timeout", "no answer within 0.5 s"),
    ("times_out_itself", "raised", "TimeoutError"),
    ("forgets", "type", "coroutine"),
    ("cancels", "raised", "CancelledError"),
]


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("faulty")
    (folder / "faulty.py").write_text(CODE, encoding="utf-8")
    sys.path.insert(0, str(folder))
    try:
        yield __import__("faulty")
    finally:
        sys.path.remove(str(folder))
        del sys.modules["faulty"]


@pytest.mark.filterwarnings("ignore:coroutine 'a_raises' was never awaited")
def test_every_way_to_fail_is_a_failure_in_one_line_that_names_the_place_and_the_run_goes_on(
    faulty: Any, store: Store, run: str
) -> None:
    solutions = [(from_function(getattr(faulty, name)), kind, said) for name, kind, said in FAULTS]

    async def main() -> list[list[Outcome]]:
        async def one(solution: Solution) -> list[Outcome]:
            job = Job(solution, grade.exact(), store, run, timeout=0.5)
            return [o async for o in outcomes(job, cases_of(["a", "b"]))]

        return await asyncio.gather(*(one(solution) for solution, *_ in solutions))

    for (solution, kind, said), out in zip(solutions, asyncio.run(main()), strict=True):
        assert [o.case.id for o in out] == ["c0", "c1"], solution.name
        for outcome in out:
            failure = outcome.failure
            assert failure is not None and outcome.answer is None and outcome.score is None, solution.name
            assert (failure.kind, said in failure.message) == (kind, True), (solution.name, failure)
            assert failure.message.endswith(_place(solution.name)), failure.message
            assert "\n" not in failure.message and len(failure.message) < 700
        kept = lookup(store, solution.identity, [o.case.inputs_hash for o in out], run=run)
        assert len(kept) == 2 and all(row.answer is None for row in kept.values())


def _place(name: str) -> str:
    [line] = [i for i, text in enumerate(CODE.splitlines(), 1) if text.endswith(f"# {name}")]
    return f"(faulty.py:{line} in {'cancelled' if name == 'cancels' else name})"


def test_a_value_without_end_is_a_failure_too(faulty: Any) -> None:
    [outcome] = done(job_of(faulty.refers_to_itself), cases_of(["a"]))
    assert outcome.failure is not None and "RecursionError" in outcome.failure.message


async def _later(value: Any) -> Any:
    return value


class Bag(pydantic.BaseModel):
    name: str
    items: list[int]


@pytest.mark.parametrize(
    ("solution", "answer"),
    [
        (lambda x: None, None),
        (lambda x: ABSTAIN, ABSTAIN),
        (lambda x: _later("awaited for you"), "awaited for you"),
        (lambda x: _later(Answer({"a": (1, 2)}, 0.5)), {"a": (1, 2)}),
        (lambda x: np.float64(0.5), 0.5),
        (lambda x: np.int64(7), 7),
        (lambda x: Bag(name="n", items=[1]), Bag(name="n", items=[1])),
        (lambda x: "half \ud83d of it", "half \ud83d of it"),
        (lambda x: "x" * 5_000_000, "x" * 5_000_000),
        (lambda x: "\0\x1b[31m<script>'; DROP TABLE answer; --", "\0\x1b[31m<script>'; DROP TABLE answer; --"),
    ],
    ids=lambda v: "",
)
def test_odd_answers_are_answers_graded_recorded_and_found_again(
    store: Store, run: str, solution: Callable[[Any], Any], answer: Any
) -> None:
    cases = cases_of(["a"])
    [first] = done(job_of(solution, store, run), cases)
    assert first.failure is None and first.answer is not None and first.answer.value == answer
    [again] = done(job_of(solution, store, run), cases)
    assert again.recorded and again.score == first.score
    if not isinstance(answer, Bag | dict):
        assert again.answer == first.answer


def test_a_task_that_cancels_itself_ends_the_run_instead_of_hanging_it() -> None:
    async def solve(number: int) -> int:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(1)
        return number

    with pytest.raises(SolutionError, match="cancelled its own call"):
        done(job_of(solve), cases_of(range(3)))


def test_a_plain_def_after_its_timeout_leaves_the_others_their_room() -> None:
    def solve(number: int) -> int:
        time.sleep(0.6 if number == 0 else 0.01)
        return number

    out = done(job_of(solve, concurrency=2, timeout=0.2), cases_of(range(12)))
    assert [o.failure is not None for o in out] == [True] + [False] * 11


# ---------------------------------------------------------------- the journal


def test_what_is_recorded_is_not_asked_again_unless_fresh_and_failures_belong_to_their_run(
    store: Store, run: str
) -> None:
    asked: queue.SimpleQueue[int] = queue.SimpleQueue()

    def solve(number: int) -> int:
        asked.put(number)
        if number % 5 == 0:
            raise ValueError(number)
        return number

    def calls(job: Job) -> int:
        before = asked.qsize()
        out = done(job, cases)
        assert [o.case for o in out] == cases
        assert [o.failure is None for o in out] == [i % 5 != 0 for i in range(20)]
        assert sum(not o.recorded for o in out) == asked.qsize() - before
        return asked.qsize() - before

    cases = cases_of(range(20))
    other = start_run(store, "eval", "numbers", {})
    assert calls(job_of(solve, store, run)) == 20
    assert calls(job_of(solve, store, run)) == 0  # the same run sees what it saw
    assert calls(job_of(solve, store, run, retry=True)) == 4
    assert calls(job_of(solve, store, other)) == 4
    assert calls(job_of(solve, store, other, fresh=True)) == 20
    assert calls(job_of(solve)) == 20  # without a store nothing is remembered


def test_an_input_that_comes_more_than_once_is_asked_once_and_graded_for_each_case(store: Store, run: str) -> None:
    asked: queue.SimpleQueue[str] = queue.SimpleQueue()

    async def solve(text: str) -> str:
        asked.put(text)
        await asyncio.sleep(0.001)
        if text == "bad":
            raise ValueError(text)
        return "a"

    cases = [*cases_of(["x", "x", "bad", "y"], "a"), *cases_of(["x", "bad"], "b")]
    heard: list[Outcome] = []
    tally = Tally()
    out = done(job_of(solve, store, run), cases, on_done=heard.append, tally=tally)
    assert [o.score and o.score.value for o in out] == [1.0, 1.0, None, 1.0, 0.0, None]
    assert [o.case for o in out] == cases and len(heard) == 6
    assert sorted(asked.get() for _ in range(asked.qsize())) == ["bad", "x", "y"]
    assert tally.sent_again == 0
    assert [o.score for o in done(job_of(solve, store, run), cases)] == [o.score for o in out] and asked.empty()
    assert len(done(job_of(solve), cases)) == 6 and asked.qsize() == 6  # nothing is remembered without a store


def test_another_grader_grades_what_is_recorded_and_asks_nothing(store: Store, run: str) -> None:
    cases = cases_of(["YES", "no"], expected="yes")
    asked: queue.SimpleQueue[int] = queue.SimpleQueue()

    def solve(text: str) -> str:
        asked.put(1)
        return text

    assert [o.right for o in done(job_of(solve, store, run), cases)] == [False, False]
    job = Job(from_function(solve), grade.text(), store, run)
    assert [o.right for o in done(job, cases)] == [True, False] and asked.qsize() == 2


def test_when_the_journal_cannot_be_written_no_further_call_starts_and_what_was_recorded_stays(
    store: Store, run: str
) -> None:
    asked: queue.SimpleQueue[int] = queue.SimpleQueue()

    async def solve(number: int) -> str:
        asked.put(number)
        await asyncio.sleep(0.001)
        return f"{number}" * 4000

    cases = cases_of(range(400))
    (pages,) = store.connection.execute("PRAGMA page_count").fetchone()
    store.connection.execute(f"PRAGMA max_page_count = {pages + 120}")
    heard: list[Outcome] = []
    with pytest.raises(StoreFull):
        done(job_of(solve, store, run, concurrency=6), cases, on_done=heard.append)
    kept = lookup(store, from_function(solve).identity, [c.inputs_hash for c in cases])
    assert 10 < len(heard) <= len(kept) < 400
    assert asked.qsize() <= len(kept) + 6
    store.connection.execute("PRAGMA max_page_count = 1000000")
    before = asked.qsize()
    assert len(done(job_of(solve, store, run, concurrency=6), cases)) == 400
    assert asked.qsize() - before == 400 - len(kept)


def test_a_cancelled_run_leaves_a_journal_that_the_next_one_goes_on_with(store: Store, run: str) -> None:
    asked: queue.SimpleQueue[int] = queue.SimpleQueue()

    async def solve(number: int) -> int:
        asked.put(number)
        await asyncio.sleep(30 if number >= 20 and asked.qsize() <= 25 else 0)
        return number

    cases, tally = cases_of(range(60)), Tally()

    async def cut_off() -> None:
        async def all_of_it() -> None:
            async for _ in outcomes(job_of(solve, store, run, concurrency=5), cases):
                pass

        task = asyncio.create_task(all_of_it())
        while asked.qsize() < 25:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cut_off())
    assert len(in_flight(store, run)) == 5
    out = done(job_of(solve, store, run, concurrency=5), cases, tally=tally)
    assert all(o.right for o in out) and sum(o.recorded for o in out) == 20
    assert asked.qsize() == 25 + 40
    assert tally.sent_again == 5 and in_flight(store, run) == []


def test_a_store_that_is_deleted_under_a_run_ends_it_with_a_store_error(tmp_path: Path) -> None:
    async def solve(number: int) -> int:
        if number == 20:
            for file in (tmp_path / "gone").iterdir():
                file.unlink()
        return number

    with open_store(tmp_path / "gone") as store:
        with pytest.raises(StoreError, match="deleted"):
            done(job_of(solve, store, start_run(store, "eval", "t", {}), concurrency=2), cases_of(range(90)))


def test_memory_and_time_stay_small_for_many_recorded_cases(store: Store, run: str) -> None:
    cases = cases_of([f"text {i}" for i in range(5_000)])

    async def solve(text: str) -> str:
        return text

    assert all(o.right for o in done(job_of(solve, store, run, concurrency=64), cases))
    began = time.perf_counter()
    assert all(o.recorded for o in done(job_of(solve, store, run), cases))
    assert time.perf_counter() - began < 2.0  # .1 s on an idle machine


# ---------------------------------------------------------------- free solutions


def test_a_free_solution_answers_in_batches_and_is_not_journaled(store: Store, run: str) -> None:
    sizes: list[int] = []

    def batch(inputs: Sequence[Any]) -> list[Answer]:
        sizes.append(len(inputs))
        return [Answer(i, 0.5) for i in inputs]

    async def ask(inputs: Any) -> Answer:
        raise AssertionError("asked one by one")

    solution = Solution("free", ask, "free", free=True, batch=batch)
    heard: list[Outcome] = []
    out = done(Job(solution, grade.exact(), store, run), cases_of(range(4_500)), on_done=heard.append)
    assert sizes == [2_000, 2_000, 500] and all(o.right for o in out) and heard == out
    assert store.connection.execute("SELECT count(*) FROM answer").fetchone() == (0,)


def test_no_cases_give_no_outcomes(store: Store, run: str) -> None:
    assert done(job_of(str.upper, store, run), []) == []


def test_rows_of_an_answer_are_plain_json(store: Store, run: str) -> None:
    done(job_of(lambda x: Answer({"b": 1, "a": [x]}, 0.25), store, run), cases_of(["é"]))
    [(value, confidence)] = store.connection.execute("SELECT value, confidence FROM answer").fetchall()
    assert json.loads(value) == {"b": 1, "a": ["é"]} and confidence == 0.25
