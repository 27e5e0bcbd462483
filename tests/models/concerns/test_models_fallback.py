"""Who answers when one cannot: fallbacks, the circuit breaker, hedging, and the policy that holds over all of them."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Literal

import pytest
from one_call import ask
from upstream_faults import (
    Asked,
    ErrorInside,
    Fault,
    Hang,
    Ok,
    Status,
    StreamOk,
    always,
    first,
    rate_limited,
    too_long,
)

from suffice.errors import (
    CallError,
    ContentFiltered,
    InputTooLong,
    PolicyError,
    RefusedError,
    ServerError,
    Truncated,
)
from suffice.models.concerns.breaker import FAILURES, LONGEST, REST, Breaker, CircuitOpen
from suffice.models.concerns.budget import Budget
from suffice.models.concerns.hedge import KNOWN
from suffice.models.concerns.retry import Retry
from suffice.models.model import Model
from suffice.models.places.policy import Policy
from upstream import Upstream, upstream

FAST = Retry(base=0.001, cap=0.01, attempts=3)


def model(up: Upstream, **options: Any) -> Model:
    """A model at the upstream that hardly waits between attempts."""
    return Model(f"{up.url}#any", **{"retry": FAST, **options})


def streamed(one: Model) -> tuple[list[str], Any]:
    """The pieces and the reply of one streamed call."""

    async def call() -> tuple[list[str], Any]:
        async with one.stream("hello") as s:
            return [piece async for piece in s], s.reply

    return asyncio.run(call())


@pytest.mark.parametrize("fault", [Status(500), Status(401), Status(404), rate_limited()], ids=repr)
def test_the_next_model_answers_and_both_are_accounted(fault: Fault) -> None:
    with upstream(fault) as bad, upstream(Ok("there")) as good:
        second = Model(f"anthropic+{good.origin}#other", retry=FAST)
        reply = ask(model(bad, fallbacks=[second]))
    assert reply.value == "there"
    assert len(reply.attempts) == len(bad.log.asked) + 1
    assert [a.endpoint for a in reply.attempts[-2:]] == [f"{bad.url}#any", f"anthropic+{good.origin}#other"]
    assert good.log.asked[0].model == "other"


def test_what_makes_a_value_fit_is_said_of_the_model_that_answered() -> None:
    def script(asked: Asked) -> Ok:
        tool = asked.said["tools"][0]["name"]
        return Ok(tool=(tool, '{"answer":"yes"}'))

    with upstream(Status(500)) as bad, upstream(script) as good:
        reply = ask(model(bad, fallbacks=[f"anthropic+{good.origin}#other"]), output=Literal["yes", "no"])
    assert (reply.value, reply.guarantee) == ("yes", "validated")


@pytest.mark.parametrize(
    ("fault", "kind"),
    [(too_long(), InputTooLong), (Ok(finish="content_filter"), ContentFiltered), (Ok(finish="length"), Truncated)],
)
def test_a_fault_of_the_request_itself_goes_to_no_other_model(fault: Fault, kind: type[CallError]) -> None:
    with upstream(fault) as bad, upstream() as good:
        with pytest.raises(kind):
            ask(model(bad, fallbacks=[model(good)]))
        assert (len(bad.log.asked), good.log.connections) == (1, 0)


def test_when_all_fail_the_first_error_tells_of_the_others() -> None:
    with upstream(Status(401)) as bad, upstream(Status(500)) as worse:
        with pytest.raises(RefusedError) as caught:
            ask(model(bad, fallbacks=[model(worse)]))
    assert any("500" in note for note in caught.value.__notes__)
    assert len(caught.value.attempts) == 4


def test_no_fallback_once_a_piece_was_delivered() -> None:
    with upstream(ErrorInside()) as bad, upstream() as good:
        with pytest.raises(CallError):
            streamed(model(bad, fallbacks=[model(good)]))
        assert good.log.connections == 0


def test_no_fallback_after_the_deadline() -> None:
    with upstream(Hang()) as bad, upstream() as good:
        with pytest.raises(CallError):
            ask(model(bad, fallbacks=[model(good)], total=0.2))
        assert good.log.connections == 0


FAR = "https://models.invalid/v1#any"


@pytest.mark.parametrize("where", ["policy", "fallback's policy"])
def test_a_forbidden_fallback_is_never_contacted(where: str) -> None:
    with upstream(Status(500)) as bad, upstream() as forbidden:
        allow = Policy(allow=[f"127.0.0.1:{bad.port}"])
        if where == "policy":
            one = model(bad, policy=allow, fallbacks=[model(forbidden)])
        else:
            one = model(bad, fallbacks=[model(forbidden, policy=allow)])
        with pytest.raises(PolicyError, match=r"127\.0\.0\.1"):
            ask(one)
        with pytest.raises(PolicyError):
            streamed(one)
        with pytest.raises(PolicyError):
            asyncio.run(model(forbidden, policy=allow).embed(["hello"]))
        assert (bad.log.connections, forbidden.log.connections) == (0, 0)


def test_a_policy_in_the_projects_settings_holds_for_every_model(tmp_path: Any, monkeypatch: Any) -> None:
    (tmp_path / "suffice.toml").write_text('[policy]\nallow = ["openai"]\n')
    monkeypatch.chdir(tmp_path)
    with upstream() as up:
        with pytest.raises(PolicyError):
            ask(model(up))
        assert up.log.connections == 0


class Clock:
    """A clock that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def fail(breaker: Breaker, n: int) -> None:
    """`n` calls that fail one after another."""
    for _ in range(n):
        breaker.leave(ServerError("no"), breaker.enter("there"))


def test_the_breaker_opens_after_failures_in_a_row_and_lets_one_call_try() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    fail(breaker, FAILURES - 1)
    breaker.leave(None, breaker.enter("there"))
    fail(breaker, FAILURES)
    with pytest.raises(CircuitOpen, match="left alone") as caught:
        breaker.enter("there")
    assert caught.value.retry_after == pytest.approx(REST)
    clock.now += REST
    assert breaker.enter("there")
    with pytest.raises(CircuitOpen):
        breaker.enter("there")  # one tries, the others wait
    breaker.leave(None, True)
    assert not breaker.enter("there")


def test_calls_that_were_under_way_when_it_opened_do_not_make_it_rest_longer() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    under_way = [breaker.enter("there") for _ in range(64)]
    for tries in under_way:
        breaker.leave(ServerError("no"), tries)
    clock.now += REST
    assert breaker.enter("there")
    breaker.leave(ServerError("no"), True)
    clock.now += 2 * REST
    assert breaker.enter("there")


def test_a_straggler_does_not_end_anothers_try_and_the_rest_grows_to_its_longest() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    straggler = breaker.enter("there")
    fail(breaker, FAILURES)
    clock.now += REST
    tries = breaker.enter("there")
    breaker.leave(ServerError("late"), straggler)
    with pytest.raises(CircuitOpen):
        breaker.enter("there")
    breaker.leave(ServerError("no"), tries)
    for _ in range(10):
        clock.now += LONGEST
        breaker.leave(ServerError("no"), breaker.enter("there"))
    with pytest.raises(CircuitOpen) as caught:
        breaker.enter("there")
    assert caught.value.retry_after == pytest.approx(LONGEST)


def test_a_refusal_or_a_cancelled_call_opens_nothing() -> None:
    breaker = Breaker(Clock())
    for error in (RefusedError("key"), asyncio.CancelledError()):
        for _ in range(2 * FAILURES):
            breaker.leave(error, breaker.enter("there"))


def test_an_endpoint_that_keeps_failing_is_left_alone_also_by_those_who_waited_and_a_fallback_answers_at_once() -> None:
    with upstream(always(Status(500))) as bad, upstream() as good:
        one = model(bad, retry=Retry(attempts=2, base=0.001), fallbacks=[model(good)])

        async def calls() -> list[Any]:
            return await asyncio.gather(*(one(f"call {i}") for i in range(200)))

        replies = asyncio.run(calls())
    assert [r.value for r in replies] == ["ok"] * 200
    assert len(bad.log.asked) < 100  # of 400 that it would be asked otherwise
    assert sum(len(r.attempts) for r in replies) == len(bad.log.asked) + len(good.log.asked)


def test_a_closed_circuit_opens_again_by_itself() -> None:
    with upstream(first(*[Status(500)] * FAILURES)) as up:
        one = model(up, retry=Retry(base=0.001, cap=0.01, attempts=FAILURES + 3))
        began = time.monotonic()
        assert ask(one).value == "ok"
        assert REST <= time.monotonic() - began < REST + 1
    assert len(up.log.asked) == FAILURES + 1


async def learn(one: Model, n: int = KNOWN) -> None:
    """Make `n` calls, so that latencies are known."""
    for i in range(n):
        await one(f"learn {i}")


def slow_first(slow: Fault, fast: Fault) -> Any:
    """The first request after those of `learn` is slow."""
    return lambda asked: slow if asked.number == KNOWN else fast


def test_a_slow_call_is_sent_again_and_the_first_answer_wins() -> None:
    with upstream(slow_first(Ok("slow", delay=1.0), Ok("fast"))) as up:
        budget = Budget()
        one = model(up, hedge=0.95, budget=budget, price=(1.0, 1.0), timeout=1.5)

        async def calls() -> tuple[Any, float]:
            await learn(one)
            began = time.monotonic()
            return await one("hello"), time.monotonic() - began

        reply, took = asyncio.run(calls())
    assert (reply.value, took < 0.5) == ("fast", True)
    assert len(up.log.asked) == KNOWN + 2
    assert sorted(a.outcome for a in reply.attempts) == ["cancelled", "ok"]
    lost = next(a for a in reply.attempts if a.outcome == "cancelled")
    assert lost.cost is not None and lost.cost > 4096 / 1e6  # it may have been billed, so it counts whole
    assert budget.spent_calls == KNOWN + 2


def test_a_hedge_holds_for_a_call_that_says_its_own_time_out() -> None:
    with upstream(slow_first(Ok("slow", delay=1.0), Ok("fast"))) as up:
        one = model(up, hedge=0.95)

        async def calls() -> Any:
            await learn(one)
            return await one("hello", timeout=1.5)

        assert asyncio.run(calls()).value == "fast"


def test_no_second_call_for_a_fast_one_or_while_little_is_known() -> None:
    with upstream(Ok(delay=0.01)) as up:
        one = model(up, hedge=0.95)

        async def calls() -> None:
            await one("while nothing is known")

        asyncio.run(calls())
        assert len(up.log.asked) == 1


def test_a_hedged_call_that_fails_on_both_sides_raises_one_error() -> None:
    def script(asked: Asked) -> Fault:
        return Ok() if asked.number < KNOWN else Status(400, delay=0.2)

    with upstream(script) as up:
        one = model(up, hedge=0.95)

        async def calls() -> None:
            await learn(one)
            with pytest.raises(RefusedError) as caught:
                await one("hello")
            assert len(caught.value.attempts) == 2

        asyncio.run(calls())


def test_a_hedged_stream_never_mixes_two_replies_and_the_loser_is_closed() -> None:
    slow = StreamOk(("slow ",) * 20, delay=0.3)
    fast = StreamOk(("fast ",) * 20, delay=0.005)

    with upstream(slow_first(slow, fast)) as up:
        one = model(up, hedge=0.5)

        async def calls() -> tuple[list[str], Any]:
            for _ in range(KNOWN):
                async with one.stream("learn") as s:
                    _ = [piece async for piece in s]
            async with one.stream("hello") as s:
                return [piece async for piece in s], s.reply

        pieces, reply = asyncio.run(calls())
        up.wait_until(lambda log: len(log.left) == 1, seconds=1.0)
    assert pieces == ["fast "] * 20
    assert reply.value == "fast " * 20
    assert len(reply.attempts) == 2
    assert up.log.left[0].fault == slow
    assert reply.ttft is not None and reply.ttft <= reply.latency


def test_the_slower_of_two_whole_calls_is_closed_at_once() -> None:
    with upstream(slow_first(Ok("slow", delay=3.0), Ok("fast"))) as up:
        one = model(up, hedge=0.95)

        async def calls() -> None:
            await learn(one)
            await one("hello")

        asyncio.run(calls())
        up.wait_until(lambda log: len(log.left) == 1, seconds=1.0)
