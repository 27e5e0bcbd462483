"""One model in every event loop of a process: in a row, side by side, inside one another, closed early, forked."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import subprocess
import sys
import textwrap
import threading
import time
import urllib.request
from collections.abc import AsyncIterator, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from upstream_faults import Asked, Fault, Hang, Ok

from suffice.errors import BudgetError
from suffice.models.concerns.budget import Budget
from suffice.models.concerns.limit import Limits
from suffice.models.model import Model
from suffice.programs.bridge import run
from suffice.programs.threads import in_thread
from upstream import Upstream, upstream


def echo(delay: float = 0.0) -> Any:
    """A script whose answer is the question, so that answers cannot be mixed up unseen; "hang" is never answered."""

    def script(asked: Asked) -> Fault:
        return Hang() if asked.text.startswith("hang") else Ok(asked.text, delay=delay)

    return script


def model(up: Upstream, **options: Any) -> Model:
    """A model at the upstream."""
    return Model(f"{up.url}#any", **options)


async def several(one: Model, name: str, n: int = 8) -> list[str]:
    """Ask `n` questions at once."""
    replies = await asyncio.gather(*(one(f"{name} {i}") for i in range(n)))
    return [reply.value for reply in replies]


def answers(name: str, n: int = 8) -> list[str]:
    """What `several` is to give."""
    return [f"{name} {i}" for i in range(n)]


def test_loops_in_a_row_use_one_model_and_leave_no_connection_behind() -> None:
    with upstream(echo(0.005)) as up:
        one = model(up)
        for turn in range(6):  # each leaves eight idle connections to the next
            assert asyncio.run(several(one, f"turn {turn}")) == answers(f"turn {turn}")
        gc.collect()
        up.wait_until(lambda log: log.open <= 8)
    assert len(up.log.asked) == 48


def test_a_loop_that_is_dropped_with_calls_in_flight_takes_no_place_from_the_others() -> None:
    with upstream(echo(0.02)) as up:
        one = model(up, limits=Limits(concurrency=4))

        async def leaves() -> None:
            for i in range(6):  # four in flight, two waiting for a place
                asyncio.get_running_loop().create_task(one(f"hang {i}"))
            while len(up.log.asked) < 4:
                await asyncio.sleep(0.005)

        asyncio.run(leaves())  # cancels what is left
        assert asyncio.run(several(one, "next")) == answers("next")
        up.wait_until(lambda log: len(log.left) == 4)  # what nobody waits for is not asked any longer
    assert len(up.log.asked) == 12


# Closing a loop in the midst of its work is told by Python wherever its coroutines are collected.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_loops_closed_without_a_word_do_not_disturb_the_others_and_give_their_places_back() -> None:
    with upstream(echo(0.01)) as up:
        one = model(up, limits=Limits(concurrency=6))
        for turn in range(2):  # of six places, four are lost each time if they are lost
            dropped_without_a_word(one, up)
            assert run(several(one, f"bridge {turn}")) == answers(f"bridge {turn}")
            gc.collect()
        assert asyncio.run(several(one, "after")) == answers("after")


def dropped_without_a_word(one: Model, up: Upstream) -> None:
    """Close a loop that has four calls in flight while the bridge calls beside it."""
    loop, before = asyncio.new_event_loop(), len(up.log.asked)
    loop.set_exception_handler(lambda loop, context: None)  # "Task was destroyed but it is pending!"

    async def leaves() -> None:
        for i in range(4):
            loop.create_task(one(f"hang {i}"))
        while len(up.log.asked) < before + 4:
            await asyncio.sleep(0.005)

    def rude() -> None:
        loop.run_until_complete(leaves())
        loop.close()

    thread = threading.Thread(target=rude)
    thread.start()
    assert run(several(one, "beside", 4)) == answers("beside", 4)
    thread.join(5)


@contextlib.contextmanager
def served(app: Starlette) -> Generator[str]:
    """A real web server in a thread; its URL."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.005)
        host, port = server.servers[0].sockets[0].getsockname()
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        thread.join(5)


def fetched(url: str) -> str:
    """The body behind a URL."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def test_a_web_framework_serves_from_a_model_that_plain_code_uses_at_the_same_time() -> None:
    with upstream(echo(0.02)) as up:
        one = model(up)

        async def awaited(request: Request) -> PlainTextResponse:
            return PlainTextResponse((await one(f"web {request.path_params['n']}")).value)

        def plain(request: Request) -> PlainTextResponse:  # the framework calls it on a thread of its own
            return PlainTextResponse(run(one(f"plain {request.path_params['n']}")).value)

        async def streamed(request: Request) -> StreamingResponse:
            async def pieces() -> AsyncIterator[str]:
                async with one.stream(f"stream {request.path_params['n']}") as story:
                    async for text in story:
                        yield text

            return StreamingResponse(pieces(), media_type="text/plain")

        ways = {"web": awaited, "plain": plain, "stream": streamed}
        app = Starlette(routes=[Route(f"/{way}/{{n}}", handler) for way, handler in ways.items()])
        with served(app) as url, ThreadPoolExecutor(32) as pool:
            wanted = [f"{way} {n}" for n in range(20) for way in ways]
            pages = [pool.submit(fetched, f"{url}/{one.replace(' ', '/')}") for one in wanted]
            beside = [pool.submit(run, several(one, f"script {i}", 4)) for i in range(10)]
            assert [page.result(10) for page in pages] == wanted
            assert [found.result(10) for found in beside] == [answers(f"script {i}", 4) for i in range(10)]
    assert len(up.log.asked) == 60 + 40


def test_200_threads_nest_the_bridge_on_one_model_one_budget_and_one_limit() -> None:
    threads, most = 200, 16
    budget = Budget(calls=2 * threads)
    with upstream(echo(0.002)) as up:
        one = model(up, budget=budget, limits=Limits(concurrency=most))
        gate = threading.Barrier(threads)

        def plain(n: int) -> str:
            return run(one(f"inner {n}")).value

        async def outer(n: int) -> tuple[str, str]:
            return await in_thread(lambda: plain(n)), (await one(f"outer {n}")).value

        def work(n: int) -> tuple[str, str]:
            gate.wait(10)
            return run(outer(n))

        with ThreadPoolExecutor(threads) as pool:
            found = list(pool.map(work, range(threads)))
        with pytest.raises(BudgetError):
            run(one("one more"))
    assert found == [(f"inner {n}", f"outer {n}") for n in range(threads)]
    assert budget.spent_calls == len(up.log.asked) == 2 * threads
    assert up.log.most_in_flight <= most


def test_a_call_nested_without_a_thread_gets_a_place_though_its_loop_stands_still() -> None:
    with upstream(echo(0.02)) as up:
        one = model(up, limits=Limits(concurrency=2), total=0.7)

        async def outer(n: int) -> str:
            await one(f"before {n}")
            return run(one(f"inner {n}")).value

        async def all_of_them() -> list[str]:
            return await asyncio.gather(*(outer(n) for n in range(4)))

        assert run(all_of_them()) == answers("inner", 4)


def test_200_threads_with_loops_of_their_own_never_pass_a_budget_that_they_share() -> None:
    threads, most = 200, 150
    budget = Budget(calls=most)
    with upstream(echo(0.005)) as up:
        one = model(up, budget=budget, limits=Limits(concurrency=32))
        gate = threading.Barrier(threads)

        async def asked(n: int) -> str | None:
            try:
                return (await one(f"call {n}")).value
            except BudgetError:
                return None

        def work(n: int) -> str | None:
            gate.wait(10)
            return asyncio.run(asked(n)) if n % 2 else run(asked(n))

        with ThreadPoolExecutor(threads) as pool:
            found = list(pool.map(work, range(threads)))
    assert all(value in (None, f"call {n}") for n, value in enumerate(found))
    assert sum(value is not None for value in found) == budget.spent_calls == len(up.log.asked) == most


FORKS = """
    import asyncio, multiprocessing, signal, sys
    from suffice.models.concerns.limit import Limits
    from suffice.models.model import Model
    from suffice.programs.bridge import run

    one = Model(sys.argv[1] + "#any", limits=Limits(concurrency=4))

    async def several(name):
        return [r.value for r in await asyncio.gather(*(one(f"{name} {i}") for i in range(8)))]

    def used(name):
        signal.alarm(3)
        wanted = [f"{name} {i}" for i in range(8)]
        assert run(several(name)) == asyncio.run(several(name)) == wanted

    async def under_way():
        return asyncio.create_task(several("before"))

    used("parent")
    task = run(under_way()) if sys.argv[2] == "during" else None
    run(asyncio.sleep(0.05))
    fork = multiprocessing.get_context("fork")
    children = [fork.Process(target=used, args=(f"child {n}",)) for n in range(3)]
    for child in children:
        child.start()
    used("beside")
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0, 0]
    used("after")
    print("ok")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no fork there")
@pytest.mark.parametrize("when", ["after", "during"])
def test_forked_processes_and_their_parent_call_on(when: str) -> None:
    with upstream(echo(0.05 if when == "during" else 0.005)) as up:
        command = [sys.executable, "-c", textwrap.dedent(FORKS), up.url, when]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.stdout == "ok\n", done.stderr[-2000:]
    assert len(up.log.asked) == (3 + 3) * 16 + (8 if when == "during" else 0)
