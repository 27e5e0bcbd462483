"""What must not happen twice: a tool that failed, a run that is begun twice, a budget, a program that changed."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import datetime
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from upstream_faults import Asked, Fault, Ok, always

import suffice as sf
from suffice import Model
from suffice.errors import BudgetError, JournalDiverged, NotDone, SolutionError, StoreBusy, UsageError, Waiting
from suffice.models.concerns.budget import Budget
from suffice.programs import durable
from suffice.programs.agent import agent
from suffice.programs.asking import ask_human
from suffice.programs.solution import describe
from suffice.programs.tool import tool
from upstream import upstream


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SUFFICE_HOME", str(tmp_path / "store"))
    return tmp_path / "store"


paid: list[int] = []


@pytest.fixture(autouse=True)
def nothing_paid() -> None:
    paid.clear()


@tool(repeat="never")
def pay(order: int) -> str:
    """Pay it back."""
    paid.append(order)
    return f"paid {order}"


@tool(repeat="never")
def pay_and_break(order: int) -> str:
    """Pay it back, and lose the connection."""
    paid.append(order)
    raise ConnectionError("the bank hung up")


def failing_once() -> Callable[[], Awaitable[str]]:
    """A tool whose first call fails."""
    tries = list[str]()

    @tool
    async def fetch() -> str:
        """Fails the first time."""
        tries.append("fetch")
        if len(tries) == 1:
            raise ConnectionError("first")
        return "a"

    return fetch


def go(program: Callable[..., Any], *args: Any, id: str = "one", **options: Any) -> Any:
    return asyncio.run(durable.run(program, *args, id=id, **options))


def test_a_tool_that_failed_is_not_called_again_before_a_person_says_that_it_was_not_done() -> None:
    async def program() -> str:
        return await pay_and_break(1)

    with pytest.raises(ConnectionError):
        go(program)
    for _ in range(2):
        with pytest.raises(Waiting, match="ended in ConnectionError: the bank hung up, and nobody knows"):
            go(program)
    assert paid == [1]
    durable.answer("one", "not done")
    with pytest.raises(ConnectionError):
        go(program)
    with pytest.raises(Waiting):
        go(program)  # the answer was to the first time
    durable.answer("one", "done")
    with pytest.raises(Waiting, match="return"):
        go(program)
    durable.answer("one", "paid 1")
    assert go(program) == "paid 1" and paid == [1, 1]


def test_a_tool_that_says_that_it_did_nothing_is_called_again() -> None:
    @tool(repeat="never")
    def pay_later(order: int) -> str:
        """Pay it back."""
        paid.append(order)
        if len(paid) == 1:
            raise NotDone("the bank is closed")
        return "paid"

    async def program() -> str:
        return await pay_later(1)

    with pytest.raises(NotDone):
        go(program)
    assert go(program) == "paid" and paid == [1, 1]


def test_a_tool_inside_that_did_nothing_does_not_say_so_of_the_one_around_it() -> None:
    @tool(repeat="never")
    def ship(order: int) -> str:
        """Ship it."""
        raise NotDone("the warehouse is closed")

    @tool(repeat="never")
    async def sell(order: int) -> str:
        """Charge, and ship."""
        paid.append(order)
        return await ship(order)

    async def program() -> str:
        return await sell(1)

    with pytest.raises(NotDone):
        go(program)
    with pytest.raises(Waiting, match=r"sell\(order=1\) was begun"):
        go(program)
    assert paid == [1]


@pytest.mark.parametrize("how", ["gathers", "swallows"])
def test_a_program_cannot_swallow_a_question(how: str) -> None:
    async def gathers() -> str:
        said = await asyncio.gather(ask_human("Pay it?"), pay(1), return_exceptions=True)
        return f"{said[0]} {await pay(2)}"

    async def swallows() -> str:
        said = "nobody"
        try:
            said = await ask_human("Pay it?")
        except:  # noqa: E722
            pass
        return f"{said} {await pay(2)}"

    program = {"gathers": gathers, "swallows": swallows}[how]
    with pytest.raises(Waiting, match="Pay it"):
        go(program)
    assert 2 not in paid and durable.status("one").state == "waiting"
    durable.answer("one", "yes")
    assert go(program) == "yes paid 2" and paid == ([1, 2] if how == "gathers" else [2])


def test_a_question_in_a_group_of_tasks_waits_as_any() -> None:
    async def program() -> str:
        async with asyncio.TaskGroup() as group:
            asked = group.create_task(ask_human("Pay it?"))
        return asked.result()

    with pytest.raises(Waiting):
        go(program)
    durable.answer("one", "yes")
    assert go(program) == "yes"


def test_a_task_that_waits_for_something_else_does_not_hold_a_question_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("suffice.store.effect_journal.IDLE", 0.2)

    async def program() -> str:
        async def waits() -> None:
            await durable_sleep()
            await asyncio.Event().wait()

        beside = asyncio.create_task(waits())
        said = await ask_human("Pay it?")
        beside.cancel()
        return said

    with pytest.raises(Waiting):
        go(program)
    durable.answer("one", "yes")
    assert go(program) == "yes"


@tool
async def durable_sleep() -> None:
    """Nothing much."""


def test_what_a_person_says_was_done_is_asked_for_its_result_also_where_none_is_one() -> None:
    @tool(repeat="never")
    def transfer(order: int) -> str | None:
        """Pay it, or None."""
        raise ConnectionError("lost")

    async def program() -> str | None:
        return await transfer(1)

    with pytest.raises(ConnectionError):
        go(program)
    for asked, said in (("Was it", "done"), ("return", "T-17")):
        with pytest.raises(Waiting, match=asked):
            go(program)
        durable.answer("one", said)
    assert go(program) == "T-17"


class Closed(Exception):
    """An error of the program's own, which wants two arguments."""

    def __init__(self, desk: str, until: int) -> None:
        super().__init__(f"{desk} is closed until {until}")


@pytest.mark.parametrize(
    "error", [Closed("refunds", 9), KeyError("k"), OSError(2, "no file"), json.JSONDecodeError("bad", "{", 1)]
)
def test_an_error_that_is_raised_again_is_of_its_class_and_says_the_same(error: Exception) -> None:
    seen: list[tuple[type, str, str]] = []

    @tool
    def fails() -> None:
        """Fail."""
        raise error

    async def program() -> str:
        try:
            await fails()
        except type(error) as caught:
            seen.append((type(caught), str(caught), describe(caught)))
        return await ask_human("Go on?")

    with pytest.raises(Waiting):
        go(program)
    durable.answer("one", "yes")
    assert go(program) == "yes" and seen[0] == seen[1] and "test_durable_twice.py" in seen[0][2]


def test_an_agent_goes_on_past_a_tool_that_failed() -> None:
    @tool
    def check(order: int) -> str:
        """Check it."""
        raise ValueError("no such order")

    def said(asked: Asked) -> Fault:
        turns = [m for m in asked.said["messages"] if m["role"] == "tool"]
        return (
            Ok("done") if len(turns) == 2 else Ok(tool=[("check", '{"order": 1}'), ("pay", '{"order": 1}')][len(turns)])
        )

    with upstream(said) as up:
        bot = agent(f"{up.url}#m", tools=[check, pay.using(permission="ask")])
        with pytest.raises(Waiting):
            go(bot, "my order")
        durable.answer("one", "yes")
        assert go(bot, "my order") == "done" and paid == [1]


def test_what_a_tool_asked_and_called_inside_comes_back_when_it_is_called_again() -> None:
    @tool
    def look(order: int) -> int:
        """Look it up."""
        paid.append(-order)
        return order

    @tool(repeat="never")
    async def careful(order: int) -> str:
        """Pay it back, if it may be."""
        await look(order)
        said = await ask_human("Pay it?", ["yes", "no"])
        return f"{said} {await pay(order)}"

    async def program() -> str:
        return await careful(3)

    for asked, said in (("Pay it?", "yes"), ("was begun at", "not done")):
        with pytest.raises(Waiting, match=asked.replace("?", r"\?")):
            go(program)
        durable.answer("one", said)
    assert go(program) == "yes paid 3" and paid == [-3, 3]


def test_a_budget_holds_over_all_the_times_that_a_run_goes_on() -> None:
    with upstream(always(Ok("well"))) as up:

        async def program() -> None:
            for i in range(9):
                await Model(f"{up.url}#m")(f"question {i}")

        for _ in range(3):
            with pytest.raises(BudgetError):
                go(program, budget=Budget(calls=2))
        assert len(up.log.asked) == 2
        with pytest.raises(BudgetError):
            go(program, budget=Budget(calls=5))
        assert len(up.log.asked) == 5
    with pytest.raises(UsageError, match="budget is a Budget"):
        go(program, budget=5, id="another")


def test_a_program_that_leaves_out_what_it_did_or_does_it_elsewhere_is_stopped() -> None:
    async def both() -> None:
        await pay(1)
        await pay(2)
        raise OSError("later")

    async def less() -> str:
        return await pay(1)

    async def branches() -> None:
        await asyncio.gather(pay(1), pay(2))
        raise OSError("later")

    for first, then, said in ((both, less, r"pay\(order=2\), asked for is now nothing"), (branches, both, "task")):
        paid.clear()
        with pytest.raises(OSError, match="later"):
            go(first, id=then.__name__)
        with pytest.raises(JournalDiverged, match=said):
            go(then, id=then.__name__)
        assert paid == [1, 2]


def test_a_program_cannot_swallow_that_it_goes_another_way() -> None:
    async def first() -> None:
        await pay(1)
        raise OSError("later")

    async def swallows() -> str:
        for order in (2, 3):
            try:
                await pay(order)
            except Exception:
                pass
        return "all paid"

    with pytest.raises(OSError, match="later"):
        go(first)
    with pytest.raises(JournalDiverged, match="order=1.*order=2"):
        go(swallows)
    assert paid == [1] and durable.status("one").state == "failed"


def odd(value: Any, kind: Any = Any) -> Any:
    """A tool that returns just that, whatever it says it returns."""

    def pays() -> Any:
        """Pay."""
        paid.append(1)
        return value

    pays.__annotations__["return"] = kind
    return tool(repeat="never")(pays)


@pytest.mark.parametrize(
    "value", [(1, 2), datetime.date(2026, 1, 2), {1: "a"}, Decimal("1.5"), {"b", "a"}, b"\xff", float("inf"), [print]]
)
def test_a_program_sees_the_same_result_the_first_time_and_at_a_replay(value: Any) -> None:
    seen: list[str] = []
    pays = odd(value)

    async def program() -> str:
        seen.append(repr(await pays()))
        return await ask_human("Is it fine?")

    with pytest.raises(Waiting):
        go(program)
    durable.answer("one", "yes")
    assert go(program) == "yes" and seen[0] == seen[1] and paid == [1]


def test_a_result_that_does_not_fit_is_kept_for_when_its_annotation_does() -> None:
    def program(kind: Any) -> Any:
        async def told() -> str:
            return str(await odd("all of it", kind)())

        return told

    for _ in range(2):
        with pytest.raises(SolutionError, match="what pays returned, 'all of it', does not fit its annotation"):
            go(program(int))
    assert go(program(str)) == "all of it" and paid == [1]


def test_a_program_whose_result_does_not_fit_can_be_corrected() -> None:
    async def wrong() -> int:
        return await pay(1)  # pyright: ignore[reportReturnType]

    async def right() -> str:
        return "another"

    for _ in range(2):
        with pytest.raises(SolutionError, match="what the program returned, 'paid 1', does not fit"):
            go(wrong)
    assert go(right) == "paid 1" and paid == [1]


PROGRAM = """
import asyncio, os, sys, time
import suffice as sf

@sf.tool(repeat="never")
def pay(order: int, tags: set[str]) -> str:
    "Pay it back."
    with open(sys.argv[1], "a") as log:
        print(order, file=log, flush=True)
    time.sleep(0.05)
    return "paid"

async def program(tags) -> str:
    for order in range(int(sys.argv[3])):
        await pay(order, {"aa", "bb", "cc", "dd", "ee"})
        if order == 1 and sys.argv[4] == "kill":
            os._exit(9)
    return "fin"

try:
    print(sf.run(sf.durable.run(program, {"x", "y", "z"}, id=sys.argv[2])))
except sf.errors.SufficeError as error:
    print(type(error).__name__)
"""


def started(folder: Path, id: str, orders: int = 6, end: str = "") -> subprocess.Popen[str]:
    told = [sys.executable, "-c", PROGRAM, str(folder / f"{id}.log"), id, str(orders), end]
    return subprocess.Popen(told, stdout=subprocess.PIPE, text=True)


def test_one_new_id_that_is_begun_in_several_processes_at_once_runs_once(tmp_path: Path) -> None:
    said = sorted(str(p.communicate(timeout=60)[0]).strip() for p in [started(tmp_path, "race") for _ in range(3)])
    assert (tmp_path / "race.log").read_text().split() == ["0", "1", "2", "3", "4", "5"]
    assert "fin" in said and set(said) <= {"fin", "StoreBusy"}


def test_sets_are_the_same_arguments_in_another_process(tmp_path: Path) -> None:
    killed = started(tmp_path, "sets", end="kill")
    assert killed.communicate(timeout=60)[0] == "" and killed.returncode == 9
    assert started(tmp_path, "sets").communicate(timeout=60)[0].strip() == "fin"
    assert (tmp_path / "sets.log").read_text().split() == ["0", "1", "2", "3", "4", "5"]


def test_a_run_says_that_it_lives_for_as_long_as_it_does(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Seen from another machine, where nobody can look its process up."""
    import sqlite3

    from suffice.store import lease

    monkeypatch.setattr(lease, "BEAT", 0.05)

    def beat() -> float:
        with sqlite3.connect(next(home.rglob("store.sqlite"))) as store:
            (last,) = store.execute("SELECT max(beat) FROM process").fetchone()
        return float(last)

    async def program() -> bool:
        before = beat()
        with pytest.raises(StoreBusy):
            await asyncio.to_thread(contextvars.Context().run, go, program)
        end = time.monotonic() + 5
        while beat() == before and time.monotonic() < end:
            await asyncio.sleep(0.02)
        return beat() > before

    assert go(program)


def test_what_was_done_on_the_way_out_of_an_error_does_not_stand_in_the_way_of_what_comes_next() -> None:
    open_, seen = False, list[str]()

    @tool
    def charge(order: int) -> str:
        """Charge."""
        seen.append("charge")
        if not open_:
            raise ConnectionError("the bank is closed")
        return "charged"

    @tool(repeat="never")
    def tell(text: str) -> str:
        """Tell somebody."""
        seen.append(text)
        return text

    @tool
    async def sell(order: int) -> str:
        """Charge, in a tool around it."""
        return await charge(order)

    async def program(inside: bool) -> str:
        await tell("begun")
        try:
            await (sell(1) if inside else charge(1))
        except ConnectionError:
            await tell("failed")
            raise
        finally:
            await tell("left")
        return await tell("done")

    for inside in (False, True):
        open_ = False
        seen.clear()
        for _ in range(2):
            with pytest.raises(ConnectionError):
                go(program, inside, id=str(inside))
        assert seen == ["begun", "charge", "failed", "left", "charge"]  # told once, though it failed twice
        open_ = True
        assert go(program, inside, id=str(inside)) == "done"
        assert seen[5:] == ["charge", "left", "done"]  # another place than before: after "failed" it was the second


def test_what_cuts_off_a_run_as_a_whole_is_no_time_out_of_the_program() -> None:
    seen = list[str]()

    @tool
    async def slow() -> str:
        """Take long the first time."""
        seen.append("slow")
        await asyncio.sleep(30 if len(seen) == 1 else 0)
        return "slow"

    @tool
    async def tidy() -> str:
        """Tidy up."""
        seen.append("tidy")
        return "tidy"

    async def program() -> str:
        try:
            return await slow()
        finally:
            await tidy()

    async def main() -> Any:
        return await asyncio.wait_for(durable.run(program, id="one"), 0.3)

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    assert seen == ["slow"] and durable.status("one").state == "interrupted"
    began = time.monotonic()
    assert go(program) == "slow" and seen == ["slow", "slow", "tidy"]
    assert time.monotonic() - began < 5 and durable.status("one").again == 1


def test_a_tool_that_waited_for_its_own_question_was_not_cut_off() -> None:
    @tool
    async def careful() -> str:
        """Ask first."""
        return await ask_human("Sure?")

    async def program() -> str:
        return await careful()

    with pytest.raises(Waiting):
        go(program)
    durable.answer("one", "yes")
    assert go(program) == "yes" and durable.status("one").again == 0


def test_a_program_that_ends_its_process_does_not_end_the_loop_of_others() -> None:
    async def program() -> None:
        raise SystemExit(3)

    async def main() -> str:
        with pytest.raises(SystemExit):
            await durable.run(program, id="one")
        return durable.status("one").state

    assert asyncio.run(main()) == "interrupted"


def test_what_was_done_about_an_error_of_the_program_does_not_stand_in_the_way_once_it_is_mended() -> None:
    seen = list[str]()

    @tool(repeat="never")
    def tell(text: str) -> str:
        """Tell somebody."""
        seen.append(text)
        return text

    @contextlib.asynccontextmanager
    async def told() -> AsyncIterator[None]:
        try:
            yield
        except ValueError:
            await tell("it failed")
            raise

    async def program() -> str:
        async with told():
            amount = await tell("ten")
            try:
                int(amount)
            finally:
                await tell("read")
        return await tell("done")

    async def corrected() -> str:
        async with told():
            await tell("ten")
            await tell("read")
        return await tell("done")

    for _ in range(2):
        with pytest.raises(ValueError, match="ten"):
            go(program)
    assert seen == ["ten", "read", "it failed"]
    assert go(corrected) == "done" and seen[3:] == ["done"]


def test_what_the_program_did_because_of_an_error_is_not_done_again_when_it_raises_it_later() -> None:
    seen = list[str]()

    @tool
    async def get(n: int) -> int:
        """Fails the first time for 2."""
        seen.append(f"get {n}")
        if seen.count("get 2") == 1 and n == 2:
            raise ConnectionError("first")
        return n

    async def program() -> str:
        found = await asyncio.gather(get(1), get(2), return_exceptions=True)
        await pay(sum(n for n in found if isinstance(n, int)))
        for one in found:
            if isinstance(one, Exception):
                raise one
        return "all paid"

    with pytest.raises(ConnectionError):
        go(program)
    with pytest.raises(JournalDiverged, match=r"recorded is pay\(order=1\), asked for is now pay\(order=3\)"):
        go(program)
    assert paid == [1]


def test_what_a_tool_makes_of_an_error_inside_is_tried_again_inside() -> None:
    fetch = failing_once()

    @tool
    async def wrapped() -> str:
        """Says what went wrong."""
        try:
            return await fetch()
        except ConnectionError as error:
            await pay(1)
            raise RuntimeError("no connection") from error

    with pytest.raises(RuntimeError, match="no connection"):
        go(wrapped)
    assert go(wrapped) == "a" and paid == [1]


def test_an_effect_of_finally_keeps_its_place_once_the_error_is_gone() -> None:
    tries = list[int]()

    @tool
    async def get(n: int) -> str:
        """Fails the first time for each n."""
        tries.append(n)
        if tries.count(n) == 1:
            raise ConnectionError(f"first {n}")
        return "got"

    async def program() -> str:
        for n in range(3):
            try:
                await asyncio.wait_for(get(n), 0.5)
            finally:
                await pay(n)
        return await ask_human("Done?")

    for _ in range(3):
        with pytest.raises(ConnectionError):
            go(program)
    for _ in range(3):
        began = time.monotonic()
        with pytest.raises(Waiting):
            go(program)
        assert time.monotonic() - began < 0.5
    assert paid == [0, 1, 2]


def test_plain_code_that_handles_an_error_is_on_the_way_out_too() -> None:
    fetch = failing_once()

    def program() -> str:
        try:
            found = sf.run(fetch())
        except ConnectionError:
            sf.run(pay(1))
            raise
        return found + sf.run(pay(2))

    with pytest.raises(ConnectionError):
        go(program)
    assert go(program) == "apaid 2" and paid == [1, 2]


def test_time_and_chance_are_not_noted_on_the_way_out_of_a_question() -> None:
    times = list[float]()

    async def program() -> float:
        try:
            await ask_human("Go on?")
        finally:
            times.append(durable.now().timestamp())
        return times[-1]

    with pytest.raises(Waiting):
        go(program)
    assert not times  # it is not begun
    durable.answer("one", "yes")
    before = time.time()
    assert go(program) >= before - 0.001


def test_an_error_that_was_taken_out_of_its_group_is_told() -> None:
    async def fails() -> None:
        raise ValueError(await pay(1))

    async def program() -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(fails())
        except ExceptionGroup as several:
            raise several.exceptions[0]  # noqa: B904 - as it is usually done

    with pytest.raises(ValueError, match="paid 1"):
        go(program)


def test_a_program_in_a_group_that_goes_another_way_is_told_so() -> None:
    async def program() -> str:
        async with asyncio.TaskGroup() as group:
            group.create_task(pay(order))
        return await ask_human("Done?")

    order = 1
    with pytest.raises(Waiting):
        go(program)
    order = 2
    with pytest.raises(JournalDiverged, match=r"pay\(order=1\), asked for is now pay\(order=2\)"):
        go(program)
