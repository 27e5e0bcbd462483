"""The limit finds what an endpoint takes, holds everybody when told to, and never loses a place."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from upstream_faults import Asked, Fault, Hang, Ok, RateHeaders, capacity, drawn, first, rate_limited

from suffice.errors import RateLimited
from suffice.models.concerns.limit import FLOOR, Limiter, Limits
from suffice.models.concerns.retry import Retry
from suffice.models.model import Model
from upstream import Upstream, upstream

FAST = Retry(base=0.02, cap=0.1, attempts=60)


def model(up: Upstream, **options: Any) -> Model:
    """A model at the upstream that waits little between attempts."""
    return Model(f"{up.url}#any", **{"retry": FAST, **options})


async def many(one: Model, n: int, at_once: int) -> list[Any]:
    """`n` calls, at most `at_once` of them at a time."""
    gate = asyncio.Semaphore(at_once)

    async def call(i: int) -> Any:
        async with gate:
            return await one(f"call {i}")

    return await asyncio.gather(*(call(i) for i in range(n)))


def test_it_finds_the_capacity_of_an_endpoint_and_is_refused_little() -> None:
    most, delay, n = 12, 0.03, 600
    with upstream(capacity(most, delay)) as up:
        began = time.monotonic()
        asyncio.run(many(model(up), n, 100))
        took = time.monotonic() - began
    after = up.log.served[len(up.log.served) // 3 :]
    refused = sum(not isinstance(s.fault, Ok) for s in after)
    assert refused / len(after) < 0.10
    assert n / took > 0.5 * most / delay


def test_random_refusals_do_not_stop_it() -> None:
    with upstream(drawn({rate_limited(): 0.3}, seed=1, otherwise=Ok(delay=0.005))) as up:
        replies = asyncio.run(many(model(up), 200, 64))
    assert len(replies) == 200
    assert sum(len(r.attempts) for r in replies) == len(up.log.asked)


def test_concurrency_that_is_said_is_never_passed_by_two_models_in_two_threads() -> None:
    with upstream(Ok(delay=0.01)) as up:
        limits = Limits(concurrency=5)
        threads = [
            threading.Thread(target=lambda: asyncio.run(many(model(up, limits=limits), 60, 60))) for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert len(up.log.asked) == 180
    assert up.log.most_in_flight == 5


def test_requests_per_minute_flow_evenly_and_the_first_need_not_wait() -> None:
    with upstream() as up:
        began = time.monotonic()
        asyncio.run(many(model(up, limits=Limits(requests_per_minute=1200)), 30, 30))
        took = time.monotonic() - began
    assert 0.45 <= took < 1.5  # 20 a second, and one second's worth in store
    with upstream() as up:
        began = time.monotonic()
        asyncio.run(many(model(up, limits=Limits(requests_per_minute=2)), 1, 1))
        assert time.monotonic() - began < 1.0


def test_retry_after_holds_everybody() -> None:
    with upstream(first(rate_limited(1), then=Ok())) as up:

        async def calls() -> None:
            held = asyncio.ensure_future(model(up)("held"))
            while not up.log.asked:
                await asyncio.sleep(0.005)
            await asyncio.sleep(0.05)
            await asyncio.gather(held, *(model(up)(f"other {i}") for i in range(5)))

        asyncio.run(calls())
    assert min(a.at for a in up.log.asked[1:]) - up.log.asked[0].at >= 1.0


def test_a_header_that_says_nothing_is_left_holds_everybody_until_the_reset() -> None:
    def script(asked: Asked) -> Fault:
        return RateHeaders(0, "400ms") if asked.number == 0 else RateHeaders(7, "400ms")

    with upstream(script) as up:

        async def calls() -> None:
            await model(up)("the first")
            await asyncio.gather(*(model(up)(f"other {i}") for i in range(5)))

        asyncio.run(calls())
    assert min(a.at for a in up.log.asked[1:]) - up.log.asked[0].at >= 0.4


def test_a_cancelled_waiter_leaves_no_place_taken() -> None:
    with upstream(first(Hang(), then=Ok())) as up:
        one = model(up, limits=Limits(concurrency=1))

        async def calls() -> str:
            holder = asyncio.ensure_future(one("holds the place", timeout=0.6, total=0.6))
            while not up.log.asked:
                await asyncio.sleep(0.005)
            waiters = [asyncio.ensure_future(one(f"waits {i}")) for i in range(10)]
            await asyncio.sleep(0.05)
            for waiter in waiters[:9]:
                waiter.cancel()
            await asyncio.gather(holder, *waiters[:9], return_exceptions=True)
            return (await asyncio.wait_for(waiters[9], 5)).value

        assert asyncio.run(calls()) == "ok"
    assert [a.text for a in up.log.asked] == ["holds the place", "waits 9"]


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_waiters_that_are_cancelled_while_everybody_is_held_wake_those_behind_them() -> None:
    async def story() -> None:
        limiter = Limiter(Limits(concurrency=2))
        for _ in range(2):
            await limiter.enter(1)
        front = [asyncio.ensure_future(limiter.enter(1)) for _ in range(2)]
        back = asyncio.ensure_future(limiter.enter(1))
        await asyncio.sleep(0)
        refused = RateLimited("no", retry_after=0.2)
        limiter.leave(refused)
        limiter.leave(refused)
        await asyncio.sleep(0.05)  # those in front were woken and wait for the time to pass
        for task in front:
            task.cancel()
        await asyncio.wait_for(back, 2)
        assert limiter.in_flight == 1

    asyncio.run(story())


def test_refusals_at_the_same_time_cut_it_once_to_what_was_taken_and_never_below_the_floor() -> None:
    async def story() -> None:
        clock = Clock()
        limiter = Limiter(clock=clock)
        before = limiter.limit
        for _ in range(int(before)):
            await limiter.enter(1)
        for _ in range(10):
            limiter.leave(RateLimited("no"))
        assert limiter.threshold == pytest.approx(0.7 * before)
        assert limiter.limit == before - 10
        for _ in range(100):
            clock.now += 1
            limiter.in_flight += 1
            limiter.leave(RateLimited("no"))
        assert limiter.limit == FLOOR

    asyncio.run(story())


def test_who_waited_on_a_loop_that_closed_does_not_take_the_wake_of_the_others() -> None:
    limiter = Limiter(Limits(concurrency=1))
    gone = asyncio.new_event_loop()
    gone.run_until_complete(limiter.enter(1))
    waiting = gone.create_task(limiter.enter(1))
    gone.run_until_complete(asyncio.sleep(0))
    waiting._log_destroy_pending = False  # type: ignore[attr-defined]  # it is left pending on purpose
    gone.close()

    async def other() -> None:
        task = asyncio.ensure_future(limiter.enter(1))
        await asyncio.sleep(0)
        limiter.leave(None)
        await asyncio.wait_for(task, 2)

    asyncio.run(other())
