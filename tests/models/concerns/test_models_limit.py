"""The limit finds what an endpoint takes, holds everybody when told to, and never loses a place."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from upstream_faults import Asked, Fault, Hang, Ok, RateHeaders, Status, capacity, drawn, first, rate_limited

from suffice.errors import CallTimeout, RateLimited
from suffice.models.concerns.limit import FLOOR, START, Limiter, Limits, Round
from suffice.models.concerns.retry import Retry
from suffice.models.model import Model
from upstream import Upstream, upstream

FAST = Retry(base=0.02, cap=0.1, attempts=60)


def simulation() -> Any:
    """The simulated endpoints of `bench/limits.py`, whose clock costs nothing."""
    found = importlib.util.spec_from_file_location("bench_limits", Path(__file__).parents[3] / "bench" / "limits.py")
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module  # where its dataclasses look their types up
    found.loader.exec_module(module)
    return module


SIMULATION = simulation()
Endpoint, simulated, LATENCY = SIMULATION.Endpoint, SIMULATION.simulated, SIMULATION.LATENCY


def model(up: Upstream, **options: Any) -> Model:
    """A model at the upstream that waits little between attempts."""
    return Model(f"{up.url}#any", **{"retry": FAST, **options})


def test_who_waits_for_another_models_pause_is_told_so() -> None:
    async def main() -> str:
        with pytest.raises(RateLimited):
            await Model(f"{up.url}#busy", total=2.0)("hello")
        with pytest.raises(CallTimeout) as caught:
            await Model(f"{up.url}#healthy", total=0.2)("hello")
        return caught.value.message

    with upstream(first(rate_limited(86_400), then=Ok())) as up:
        message = asyncio.run(main())
    assert "all calls to this endpoint wait, because it asked for 86,400 s in an answer to one of them" in message
    assert len(up.log.asked) == 1


def test_a_total_that_is_over_says_what_the_last_attempt_failed_by() -> None:
    with upstream(first(Status(503, body="no room"), then=Hang())) as up, pytest.raises(CallTimeout) as caught:
        asyncio.run(model(up, total=0.5)("hello"))
    assert "server error (the endpoint answered 503: `no room`)" in caught.value.message


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


def test_waiters_that_are_cancelled_while_everybody_is_held_wake_those_behind_them() -> None:
    async def story() -> None:
        limiter = Limiter(Limits(concurrency=2))
        sent = [await limiter.enter(1) for _ in range(2)]
        front = [asyncio.ensure_future(limiter.enter(1)) for _ in range(2)]
        back = asyncio.ensure_future(limiter.enter(1))
        await asyncio.sleep(0)
        refused = RateLimited("no", retry_after=0.2)
        for one in sent:
            limiter.leave(one, refused)
        await asyncio.sleep(0.05)  # those in front were woken and wait for the time to pass
        for task in front:
            task.cancel()
        await asyncio.wait_for(back, 2)
        assert limiter.in_flight == 1

    asyncio.run(story())


def test_refusals_at_the_same_time_leave_what_was_taken_and_never_less_than_the_floor() -> None:
    async def story() -> None:
        limiter = Limiter()
        sent = [await limiter.enter(1) for _ in range(int(START))]
        for one in sent[:10]:
            limiter.leave(one, RateLimited("no"))
        assert limiter.window.size == START - 10
        for one in sent[10:]:
            limiter.leave(one, RateLimited("no"))
        assert limiter.window.size == FLOOR

    asyncio.run(story())


def test_who_waited_on_a_loop_that_closed_does_not_take_the_place_of_the_others() -> None:
    limiter = Limiter(Limits(concurrency=1))
    gone = asyncio.new_event_loop()
    sent = gone.run_until_complete(limiter.enter(1))
    waiting = [gone.create_task(limiter.enter(1)) for _ in range(5)]
    gone.run_until_complete(asyncio.sleep(0))
    for task in waiting:
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # they are left pending on purpose
    gone.close()

    async def other() -> Round:
        task = asyncio.ensure_future(limiter.enter(1))
        await asyncio.sleep(0)
        limiter.leave(sent)
        return await asyncio.wait_for(task, 2)

    taken = asyncio.run(other())
    waiting.clear()
    gc.collect()  # what is left of them gives nothing back that was not theirs
    assert limiter.in_flight == 1
    limiter.leave(taken)
    assert limiter.in_flight == 0


def test_a_place_is_handed_over_in_order_and_nobody_comes_between() -> None:
    async def story() -> list[int]:
        limiter, order = Limiter(Limits(concurrency=1)), list[int]()

        async def call(i: int) -> None:
            sent = await limiter.enter(1)
            order.append(i)
            assert limiter.in_flight == 1
            await asyncio.sleep(0)
            limiter.leave(sent)

        first = await limiter.enter(1)
        waiting = [asyncio.ensure_future(call(i)) for i in range(5)]
        await asyncio.sleep(0)
        limiter.leave(first)  # the place is the first waiter's, though it has not run yet
        assert limiter.in_flight == 1
        await asyncio.gather(call(5), *waiting)
        return order

    assert asyncio.run(story()) == [0, 1, 2, 3, 4, 5]


def test_a_waiter_that_is_cancelled_after_a_place_was_handed_to_it_passes_it_on() -> None:
    async def story() -> None:
        limiter = Limiter(Limits(concurrency=1))
        sent = await limiter.enter(1)
        early, handed, last = (asyncio.ensure_future(limiter.enter(1)) for _ in range(3))
        await asyncio.sleep(0)
        early.cancel()  # before: it is still in the queue when the place is free
        limiter.leave(sent)
        handed.cancel()
        sent = await asyncio.wait_for(last, 2)
        assert limiter.in_flight == 1 and not limiter.waiting and not limiter.handed
        limiter.leave(sent)
        assert limiter.in_flight == 0

    asyncio.run(story())


def test_200_threads_with_a_loop_each_share_the_places_and_lose_none() -> None:
    limiter, lock, now, most = Limiter(Limits(concurrency=7)), threading.Lock(), 0, 0

    async def call(i: int) -> None:
        nonlocal now, most
        task = asyncio.ensure_future(limiter.enter(1))
        await asyncio.sleep(0)
        if i % 5 == 0:
            task.cancel()
        try:
            sent = await task
        except asyncio.CancelledError:
            return
        with lock:
            now += 1
            most = max(most, now)
        await asyncio.sleep(0.0001 * (i % 3))
        with lock:
            now -= 1
        limiter.leave(sent)

    async def calls() -> None:
        await asyncio.wait_for(asyncio.gather(*(call(i) for i in range(20))), 30)

    threads = [threading.Thread(target=lambda: asyncio.run(calls())) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert most <= 7
    assert limiter.in_flight == 0 and not limiter.waiting and not limiter.handed


# From here on endpoints are simulated: see bench/limits.py. A round trip is 0.2 s of a clock that costs nothing.


@pytest.mark.parametrize(("most", "rounds", "seconds"), [(8, 1, 0.8), (50, 2, 0.8), (500, 5, 1.4), (2_000, 7, 1.8)])
def test_the_limit_doubles_each_round_trip_until_the_endpoint_refuses(most: int, rounds: int, seconds: float) -> None:
    seen, _ = simulated(Endpoint(most), 3 * most, seconds)
    reached = seen.reached(0.9 * most)
    assert reached is not None and reached <= rounds


@pytest.mark.parametrize(("most", "seconds"), [(8, 20.0), (50, 10.0), (500, 3.4)])
def test_an_endpoint_that_takes_so_many_is_kept_busy_and_refuses_little(most: int, seconds: float) -> None:
    seen, _ = simulated(Endpoint(most), 3 * most, seconds)
    assert seen.at_once(1.6, seconds) >= 0.88 * most
    assert seen.share(1.6, seconds) <= 0.03


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_refusals_at_random_leave_it_as_fast_as_no_limit_would_be(share: float) -> None:
    endpoint = Endpoint(share=share)
    seen, _ = simulated(endpoint, 128, 12.0)
    free, _ = simulated(endpoint, 128, 12.0, shared=0)
    assert seen.at_once(4.0, 12.0) >= 0.85 * free.at_once(4.0, 12.0)


@pytest.mark.parametrize(("share", "callers"), [(0.1, 150), (0.3, 200), (0.5, 300)])
def test_it_finds_what_an_endpoint_takes_that_refuses_at_random_besides(share: float, callers: int) -> None:
    seen, _ = simulated(Endpoint(50, share), callers, 16.0)
    assert seen.at_once(6.0, 16.0) >= 0.8 * 50
    assert seen.share(6.0, 16.0) <= share + 0.1


def test_it_follows_an_endpoint_that_takes_less_for_a_while() -> None:
    def takes(now: float) -> float:
        return 50 if 2.0 <= now < 5.0 else 500

    seen, _ = simulated(Endpoint(takes), 1_000, 8.4)
    assert seen.at_once(3.0, 5.0) >= 0.85 * 50
    assert seen.share(3.0, 5.0) <= 0.03
    assert seen.at_once(7.6, 8.4) >= 0.85 * 500  # 13 round trips after it takes 500 again


def test_once_random_refusals_are_over_the_capacity_is_not_passed_for_long() -> None:
    seen, _ = simulated(Endpoint(50, 0.3, calm=4.0), 200, 10.0)
    assert seen.at_once(5.0, 10.0) >= 0.8 * 50
    assert seen.share(6.0, 10.0) <= 0.05


def test_refusals_that_take_as_long_as_answers_are_told_apart_too() -> None:
    slow, _ = simulated(Endpoint(50, refusal=LATENCY), 150, 12.0)
    assert slow.at_once(4.0, 12.0) >= 0.85 * 50
    assert slow.share(4.0, 12.0) <= 0.06
    random, _ = simulated(Endpoint(share=0.3, refusal=LATENCY), 100, 10.0)
    free, _ = simulated(Endpoint(share=0.3, refusal=LATENCY), 100, 10.0, shared=0)
    assert random.at_once(4.0, 10.0) >= 0.85 * free.at_once(4.0, 10.0)


def test_two_processes_share_what_an_endpoint_takes() -> None:
    seen, limiters = simulated(Endpoint(100), 300, 10.0, shared=2)
    assert seen.share(2.0, 10.0) <= 0.05
    assert min(one.window.size for one in limiters) >= 25


def test_what_is_said_is_never_passed_and_refusals_at_random_do_not_take_it_away() -> None:
    seen, _ = simulated(Endpoint(share=0.3), 64, 20.0, limits=Limits(concurrency=16))
    assert seen.most <= 16
    assert seen.at_once(4.0, 20.0) >= 0.75 * 16


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.5])
@pytest.mark.parametrize("most", [8, 50, 500, 2_000])
def test_every_capacity_with_every_share_of_refusals(most: int, share: float, seed: int) -> None:
    seconds = {8: 40.0, 50: 16.0}.get(most, 10.0)
    seen, _ = simulated(Endpoint(most, share), most * (6 if share > 0.4 else 3), seconds, seed=seed)
    assert seen.at_once(seconds / 2, seconds) >= (0.55 if most == 8 else 0.8) * most
    assert seen.share(seconds / 2, seconds) <= share + (0.02 if share == 0.0 else 0.15)
