"""Who comes first: a program that goes by it goes the same way at a replay, though nothing takes any time there."""

from __future__ import annotations

import asyncio
import gc
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import suffice as sf
from suffice.errors import JournalDiverged, Waiting
from suffice.programs import durable
from suffice.programs.asking import ask_human
from suffice.programs.tool import tool

called: list[str] = []
chance = random.Random(7)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUFFICE_HOME", str(tmp_path / "store"))
    called.clear()


@tool(repeat="never")
async def work(name: str, seconds: float = 0.0) -> str:
    """Work for so long."""
    called.append(name)
    await asyncio.sleep(seconds)
    return name.upper()


@tool(repeat="never")
async def note(text: str) -> int:
    """Note down."""
    called.append(text)
    return len(text)


def go(program: Callable[..., Any], *args: Any) -> Any:
    return asyncio.run(durable.run(program, *args, id="one"))


async def as_they_end(seconds: list[float]) -> list[str]:
    seen: list[str] = []
    for future in asyncio.as_completed([work(f"w{n}", s) for n, s in enumerate(seconds)]):
        seen.append(await future)
        await note(f"saw {seen[-1]}")
    return seen


async def the_first_of(seconds: list[float]) -> list[str]:
    tasks = [asyncio.create_task(work(f"w{n}", s)) for n, s in enumerate(seconds)]
    done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    return [await work(f"after {', '.join(sorted(t.result() for t in done))}")]


async def workers_on_a_queue(seconds: list[float]) -> list[str]:
    queue: asyncio.Queue[tuple[str, float]] = asyncio.Queue()
    seen: list[str] = []
    for n, s in enumerate([*seconds, *seconds]):
        queue.put_nowait((f"item{n}", s))

    async def worker(me: str) -> None:
        while not queue.empty():
            name, s = queue.get_nowait()
            seen.append(f"{me}: {await work(name, s)}")

    await asyncio.gather(*(worker(f"worker{n}") for n in range(3)))
    await note("; ".join(seen))
    return seen


async def threads(seconds: list[float]) -> list[str]:
    seen: list[str] = []

    def plain(n: int, s: float) -> None:
        for step in range(3):
            seen.append(sf.run(work(f"thread{n}, step {step}", s)))

    await asyncio.gather(*(asyncio.to_thread(plain, n, s) for n, s in enumerate(seconds)))
    await note("; ".join(seen))
    return seen


async def gathers_in_gathered_threads(seconds: list[float]) -> list[str]:
    def plain(n: int) -> list[str]:
        time.sleep(seconds[n])

        async def inside() -> list[str]:
            return await asyncio.gather(*(work(f"{n}.{i}", s) for i, s in enumerate(seconds)))

        return [*sf.run(inside()), *sf.run(inside())]

    found = await asyncio.gather(*(asyncio.to_thread(plain, n) for n in range(3)))
    return [name for names in found for name in names]


async def delays_of_its_own(seconds: list[float]) -> list[str]:
    async def branch(n: int, s: float) -> str:
        await asyncio.sleep(chance.random() * 0.02)  # as at a replay, where it is another one
        first = await work(f"branch{n}", s)
        await asyncio.sleep(chance.random() * 0.02)
        return await work(f"{first} again", s)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(branch(n, s)) for n, s in enumerate(seconds)]
    return [task.result() for task in tasks]


async def a_look_now_and_then(seconds: list[float]) -> list[str]:
    task, looks = asyncio.create_task(work("long", 0.35)), 0
    while not (await asyncio.wait({task}, timeout=0.1))[0]:
        looks += 1
        await note(f"look {looks}")
    return [task.result(), str(looks)]


WAYS = [
    as_they_end,
    the_first_of,
    workers_on_a_queue,
    threads,
    gathers_in_gathered_threads,
    delays_of_its_own,
    a_look_now_and_then,
]


@pytest.mark.parametrize("seconds", [[0.03, 0.02, 0.01, 0.04], [0.0, 0.0, 0.0, 0.0], [0.01, 0.0, 0.01, 0.0]], ids=str)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_replay_sees_results_in_the_order_in_which_they_came(
    way: Callable[[list[float]], Any], seconds: list[float]
) -> None:
    ways: list[list[str]] = []

    async def program() -> list[str]:
        ways.append(await way(seconds))
        for question in ("Is this right?", "And this?"):
            await ask_human(question)
            await note(question)
        return ways[-1]

    for answer in ("yes", "yes"):
        with pytest.raises(Waiting):
            go(program)
        durable.answer("one", answer)
    done = list(called)
    assert go(program) == ways[0] == ways[1] == ways[2]
    assert len(set(done)) == len(done) or way is gathers_in_gathered_threads
    assert called == [*done, "And this?"]


def test_a_hundred_tasks_are_given_back_in_their_order() -> None:
    orders: list[list[int]] = []

    async def one(n: int, seen: list[int]) -> None:
        await work(f"w{n}", (n * 37 % 100) / 1000)
        seen.append(n)

    async def program() -> None:
        seen: list[int] = []
        await asyncio.gather(*(one(n, seen) for n in range(100)))
        orders.append(seen)
        await ask_human("Is this right?")

    with pytest.raises(Waiting):
        go(program)
    durable.answer("one", "yes")
    began = time.monotonic()
    go(program)
    assert orders[0] == orders[1] != sorted(orders[0]) and len(called) == 100
    assert time.monotonic() - began < 20


def test_of_a_hundred_tasks_that_do_something_else_the_first_stops_the_run_at_once() -> None:
    async def program() -> None:
        await asyncio.gather(*(work(f"w{n} {changed}") for n in range(100)))
        await ask_human("Is this right?")

    changed = ""
    with pytest.raises(Waiting):
        go(program)
    changed, began = "otherwise", time.monotonic()
    with pytest.raises(JournalDiverged):
        go(program)
    assert len(called) == 100 and time.monotonic() - began < 20


def test_tasks_may_be_made_in_another_order_and_killed_before_they_began() -> None:
    async def one(name: str) -> str:
        if name in ("b", "d"):
            await ask_human(f"{name}?")
        return await work(name)

    async def program() -> list[str]:
        return sorted(await asyncio.gather(*(one(name) for name in order)))

    order = ["a", "b", "c", "d"]
    with pytest.raises(Waiting):
        go(program)
    assert called == ["a", "c"]
    for order in (["d", "c", "b", "a"], ["b", "a", "d", "c"]):
        durable.answer("one", "yes")
        if order[0] == "d":
            with pytest.raises(Waiting):
                go(program)
    assert go(program) == ["A", "B", "C", "D"]
    assert sorted(called) == ["a", "b", "c", "d"]


def test_a_result_waits_no_longer_than_it_took_for_what_does_not_come_again() -> None:
    look = True

    async def looks() -> None:
        if look:
            await note("look")

    async def program() -> list[str]:
        found = await asyncio.gather(work("a", 0.2), looks(), work("b", 0.1))
        await ask_human("Is this right?")
        return [str(one) for one in found]

    with pytest.raises(Waiting):
        go(program)
    look, began = False, time.monotonic()
    durable.answer("one", "yes")
    with pytest.raises(JournalDiverged, match=r"recorded is note\(text=.look.\), asked for is now nothing more"):
        go(program)
    assert 1.0 < time.monotonic() - began < 4.0


def test_an_answer_comes_after_what_had_happened_beside_its_question() -> None:
    async def program() -> list[str]:
        items, seen = ["1", "2", "3", "4", "5"], list[str]()

        async def worker(asks: bool) -> None:
            if asks:
                seen.append(await ask_human("Go on?"))
            while items:
                seen.append(await work(items.pop(0), 0.01))

        await asyncio.gather(worker(True), worker(False))
        return seen

    with pytest.raises(Waiting):
        go(program)
    assert called == ["1", "2", "3", "4", "5"]
    durable.answer("one", "yes")
    began = time.monotonic()
    assert go(program) == ["1", "2", "3", "4", "5", "yes"]
    assert len(called) == 5 and time.monotonic() - began < 1


def test_what_is_beside_a_tool_that_asks_for_itself_is_there_at_once() -> None:
    @tool(repeat="never")
    async def careful() -> str:
        """Asks before it pays."""
        return await ask_human("Pay?", choices=["yes", "no"])

    async def program() -> str:
        paying, working = asyncio.create_task(careful()), asyncio.create_task(work("w", 0.01))
        done, _ = await asyncio.wait([working], timeout=0.5)
        await note("it was there" if done else "it was not there")
        return await paying

    began = time.monotonic()
    for answers in (["yes"], ["done"], ["yes"]):
        with pytest.raises(Waiting):
            go(program)
        for text in answers:
            durable.answer("one", text)
    assert go(program) == "yes" and called == ["w", "it was there"]
    assert time.monotonic() - began < 6


def test_a_look_that_ends_while_a_result_is_written_is_the_same_at_a_replay() -> None:
    async def program() -> str:
        for n in range(40):
            task = asyncio.create_task(work(f"w{n}", 0.009 + 0.0005 * (n % 6)))
            done, _ = await asyncio.wait([task], timeout=0.01)
            await note(f"{n} is {'done' if done else 'not done'}")
            await task
        return await ask_human("Done?")

    for _ in range(2):
        with pytest.raises(Waiting):
            go(program)
    assert len(called) == 80


def test_tasks_that_wait_for_one_that_asks_say_nothing_when_the_run_stops(capfd: pytest.CaptureFixture[str]) -> None:
    async def program() -> None:
        event = asyncio.Event()

        async def sets() -> None:
            await asyncio.gather(ask_human("a"), ask_human("b"))
            event.set()

        async def grouped() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(event.wait())
                group.create_task(sets())

        await asyncio.gather(grouped(), ask_human("c"))

    with pytest.raises(Waiting):
        go(program)
    gc.collect()
    assert capfd.readouterr().err == ""
