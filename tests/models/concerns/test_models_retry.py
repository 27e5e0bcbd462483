"""What is tried again and what is not, for how long, and that every attempt is accounted."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from one_call import FAST, ask, model
from upstream_faults import (
    CutBody,
    ErrorInside,
    Fault,
    HalfEvent,
    Hang,
    Html200,
    Ok,
    ResetBefore,
    ResetMidBody,
    SlowDrip,
    Status,
    StreamOk,
    WrongJson,
    always,
    first,
    rate_limited,
    too_long,
)

from suffice.errors import (
    CallError,
    CallTimeout,
    ConnectionLost,
    InputTooLong,
    RateLimited,
    RefusedError,
    ServerError,
    WebPage,
)
from suffice.models.concerns.retry import Retry, waiting
from suffice.models.model import Model
from upstream import Upstream, upstream

PASSING: list[Fault] = [
    rate_limited(),
    Status(500),
    Status(503, body="upstream connect error"),
    Status(408),
    Status(529),
    ResetBefore(),
    ResetMidBody(),
    CutBody(),
    Html200(),
    WrongJson(),
    WrongJson("{"),
]


def streamed(one: Model, **options: Any) -> tuple[list[str], Any]:
    """The pieces and the reply of one streamed call."""

    async def call() -> tuple[list[str], Any]:
        async with one.stream("hello", **options) as s:
            pieces = [piece async for piece in s]
        return pieces, s.reply

    return asyncio.run(call())


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
@pytest.mark.parametrize("fault", PASSING, ids=repr)
def test_a_fault_that_may_pass_is_tried_again(fault: Fault, dialect: str) -> None:
    with upstream(first(fault, fault, then=Ok("there"))) as up:
        reply = ask(model(up, dialect))
    assert reply.value == "there"
    assert len(reply.attempts) == len(up.log.asked) == 3
    assert [a.outcome == "ok" for a in reply.attempts] == [False, False, True]
    assert [a.started for a in reply.attempts] == sorted(a.started for a in reply.attempts)


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
@pytest.mark.parametrize(
    "fault",
    [*PASSING, HalfEvent(()), HalfEvent((), clean=True), ErrorInside(())],
    ids=repr,
)
def test_a_stream_that_breaks_before_its_first_piece_is_tried_again(fault: Fault, dialect: str) -> None:
    if isinstance(fault, ResetMidBody):
        fault = ResetMidBody(10)
    if isinstance(fault, CutBody):
        fault = CutBody(10_000)
    good = StreamOk(("Once ", "upon"))
    with upstream(first(fault, then=good)) as up:
        pieces, reply = streamed(model(up, dialect))
    assert pieces == ["Once ", "upon"]
    assert reply.value == "Once upon"
    assert len(up.log.asked) == 2
    # After a clean end the connection is used again, and the upstream closes it with the second request unread.
    assert len(reply.attempts) == (3 if fault == HalfEvent((), clean=True) else 2)


@pytest.mark.parametrize("fault", [HalfEvent(), HalfEvent(clean=True), ErrorInside()], ids=repr)
def test_nothing_is_tried_again_once_a_piece_was_delivered(fault: Fault) -> None:
    pieces: list[str] = []

    async def call(one: Model) -> None:
        async with one.stream("hello") as s:
            async for piece in s:
                pieces.append(piece)

    with upstream(fault) as up:
        with pytest.raises(CallError) as caught:
            asyncio.run(call(model(up)))
        assert len(up.log.asked) == 1
    assert pieces[:2] == ["Once ", "upon "]
    assert len(caught.value.attempts) == 1


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Status(400), RefusedError),
        (Status(401), RefusedError),
        (Status(403), RefusedError),
        (Status(404), RefusedError),
        (Status(429, code="insufficient_quota"), RefusedError),
        (Status(500, headers=(("x-should-retry", "false"),)), ServerError),
        (too_long(), InputTooLong),
    ],
)
@pytest.mark.parametrize("streams", [False, True])
def test_what_will_never_pass_is_asked_exactly_once(fault: Fault, kind: type[CallError], streams: bool) -> None:
    with upstream(fault) as up:
        with pytest.raises(kind) as caught:
            streamed(model(up)) if streams else ask(model(up))
        assert len(up.log.asked) == 1
    assert [a.status for a in caught.value.attempts] == [caught.value.status]  # type: ignore[attr-defined]


def test_retry_after_is_obeyed() -> None:
    with upstream(first(rate_limited(1))) as up:
        ask(model(up))
    assert 1.0 <= up.log.asked[1].at - up.log.asked[0].at < 1.5


def test_retry_after_in_milliseconds_is_obeyed() -> None:
    with upstream(first(rate_limited(milliseconds=300))) as up:
        ask(model(up))
    assert 0.3 <= up.log.asked[1].at - up.log.asked[0].at < 0.7


def test_a_wait_that_ends_past_the_deadline_is_not_begun() -> None:
    began = time.monotonic()
    with upstream(rate_limited(30)) as up, pytest.raises(RateLimited) as caught:
        ask(model(up, total=0.5))
    assert time.monotonic() - began < 0.5
    assert len(caught.value.attempts) == len(up.log.asked) == 1


def test_after_all_attempts_the_last_error_says_what_was_tried() -> None:
    with upstream(Status(500)) as up, pytest.raises(ServerError) as caught:
        ask(model(up, attempts=4))
    assert len(caught.value.attempts) == len(up.log.asked) == 4


def test_a_hanging_attempt_is_given_up_and_the_next_one_answers() -> None:
    with upstream(first(Hang(), Hang(after_head=True))) as up:
        reply = ask(model(up, timeout=0.15))
        up.wait_until(lambda log: len(log.left) == 2)
    assert [a.outcome for a in reply.attempts] == ["timeout", "timeout", "ok"]
    assert all(0.15 <= a.seconds < 0.4 for a in reply.attempts[:2])


@pytest.mark.parametrize("fault", [Hang(), Hang(after_head=True), SlowDrip(0.05)], ids=repr)
@pytest.mark.parametrize("streams", [False, True])
def test_the_total_time_out_is_kept_and_leaves_no_connection_open(fault: Fault, streams: bool) -> None:
    began = time.monotonic()
    with upstream(always(fault)) as up:
        with pytest.raises(CallTimeout) as caught:
            streamed(model(up, total=0.3)) if streams else ask(model(up, total=0.3))
        assert 0.3 <= time.monotonic() - began < 0.8
        up.wait_until(lambda log: log.open == 0 and len(log.left) == 1)
    assert [a.outcome for a in caught.value.attempts] == ["timeout"]  # type: ignore[attr-defined]


def test_the_total_time_out_holds_where_nothing_is_on_the_wire() -> None:
    """Waiting between attempts and for a place is time, too."""
    with upstream(first(rate_limited(2), then=Hang())) as up:
        one = model(up)

        async def calls() -> float:
            holding = asyncio.ensure_future(one("held", total=5.0))
            up_to = time.monotonic() + 2
            while not up.log.asked and time.monotonic() < up_to:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
            began = time.monotonic()
            with pytest.raises(CallTimeout):
                await one("waits at the limit, which Retry-After holds", total=0.2)
            took = time.monotonic() - began
            holding.cancel()
            await asyncio.gather(holding, return_exceptions=True)
            return took

        assert 0.2 <= asyncio.run(calls()) < 0.5
        assert len(up.log.asked) == 1


def test_a_closed_port_is_a_lost_connection_that_sent_nothing() -> None:
    with upstream() as up:
        one = model(up, attempts=2, price=(1.0, 1.0))
    with pytest.raises(ConnectionLost, match="is a server running") as caught:
        ask(one)
    assert not caught.value.sent
    assert [a.cost for a in caught.value.attempts] == [0.0, 0.0]  # type: ignore[attr-defined]


def test_cancelling_a_call_before_its_answer_begins_closes_its_connection() -> None:
    async def call(one: Model, up: Upstream) -> None:
        task = asyncio.ensure_future(one("hello"))
        while not up.log.asked:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with upstream(Hang()) as up:
        asyncio.run(call(model(up), up))
        up.wait_until(lambda log: log.open == 0, seconds=1.0)


def test_a_cancelled_call_ends_at_once_and_its_connection_with_the_attempts_time() -> None:
    async def call(one: Model, up: Upstream) -> float:
        task = asyncio.ensure_future(one("hello"))
        while not up.log.asked:
            await asyncio.sleep(0.005)
        began = time.monotonic()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return time.monotonic() - began

    with upstream(Hang()) as up:
        assert asyncio.run(call(model(up, timeout=0.4), up)) < 0.2
        up.wait_until(lambda log: log.open == 0 and len(log.left) == 1, seconds=1.0)


def test_waits_grow_to_the_cap_and_are_drawn_in_full() -> None:
    how = Retry(base=0.5, cap=30.0)
    assert [waiting(how, n, lambda: 1.0) for n in (1, 2, 3, 7, 1000)] == [0.5, 1.0, 2.0, 30.0, 30.0]
    assert waiting(how, 5, lambda: 0.0) == 0.0


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_web_page_is_asked_for_three_times_and_said_to_be_a_wrong_url(dialect: str) -> None:
    with upstream(Html200()) as up:
        with pytest.raises(WebPage, match="the URL is probably wrong") as caught:
            ask(model(up, dialect))
        assert len(up.log.asked) == len(caught.value.attempts) == 3
        assert f"is {up.url if dialect == 'openai' else up.origin} the base URL" in (caught.value.hint or "")


def test_a_page_at_a_url_without_its_version_says_which_was_meant() -> None:
    page = WrongJson("\n<!doctype html><title>Welcome</title>")  # with a content type of JSON
    with upstream(page) as up, pytest.raises(WebPage) as caught:
        ask(Model(f"{up.origin}#any", retry=FAST))
    assert caught.value.hint == f"did you mean {up.origin}/v1?"


def test_a_page_now_and_then_is_a_proxy_and_no_end() -> None:
    with upstream(first(Html200(), Html200(), Status(500), Html200(), Html200(), then=Ok("fine"))) as up:
        assert ask(model(up)).value == "fine"
