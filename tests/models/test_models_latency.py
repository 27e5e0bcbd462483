"""A latency is what the endpoint took: attempts and pauses between them, but no waiting in this process."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from upstream_faults import Ok, Status, StreamOk, first

import suffice as sf
from suffice.models.belonging import Belonging, Meter, belonging
from suffice.models.concerns.retry import Retry
from suffice.models.model import Model
from suffice.store.calls import CallJournal
from suffice.store.database import open_store
from suffice.store.runs import start_run
from suffice.values import NO_COST
from upstream import Upstream, upstream

FAST = Retry(base=0.001, cap=0.01)
DELAY = 0.15


def model(up: Upstream, **options: Any) -> Model:
    """A priced model at the upstream."""
    return Model(f"{up.url}#any", **{"retry": FAST, "price": (1.0, 1.0), "max_output_tokens": 50, **options})


async def side_by_side(one: Model, n: int = 3) -> tuple[list[Any], float]:
    """The replies of `n` calls at once, and the seconds until all were there."""
    began = time.perf_counter()
    replies = await asyncio.gather(*(one(f"{i}") for i in range(n)))
    return list(replies), time.perf_counter() - began


@pytest.mark.parametrize(
    "said",
    [{"budget": sf.Budget(tokens=100)}, {"limits": sf.models.Limits(concurrency=1)}],
    ids=["budget", "limit"],
)
def test_waiting_for_money_that_others_hold_or_for_a_place_is_no_latency(said: dict[str, Any]) -> None:
    with upstream(Ok(usage=(2, 2), delay=DELAY)) as up:
        replies, seconds = asyncio.run(side_by_side(model(up, **said)))
        assert up.log.most_in_flight == 1
    assert seconds >= 3 * DELAY
    for reply in replies:
        assert DELAY <= reply.attempts[0].seconds <= reply.latency < 2 * DELAY
    assert max(r.attempts[0].started for r in replies) >= 2 * DELAY  # since the call began, waiting included


def test_the_time_to_the_first_token_is_counted_alike() -> None:
    async def both(one: Model) -> list[Any]:
        async def streamed(text: str) -> Any:
            async with one.stream(text) as s:
                async for _ in s:
                    pass
            return s.reply

        return await asyncio.gather(*map(streamed, "ab"))

    with upstream(StreamOk(("a", "b"), delay=DELAY / 2)) as up:
        replies = asyncio.run(both(model(up, budget=sf.Budget(tokens=100))))
    for reply in replies:
        assert reply.ttft is not None and DELAY / 2 <= reply.ttft < reply.latency < 1.9 * DELAY


def test_attempts_and_the_pauses_between_them_are_latency() -> None:
    slow = Status(503, headers=(("retry-after-ms", "100"),), delay=0.05)
    with upstream(first(slow, then=Ok(delay=0.05))) as up:
        reply = asyncio.run(model(up)("hello"))
    assert len(reply.attempts) == 2 and 0.2 <= reply.latency < 0.4


def test_a_hedged_call_takes_what_the_winner_took() -> None:
    with upstream(first(*[Ok()] * 20, Ok(delay=1.0), then=Ok(delay=DELAY))) as up:
        hedged = model(up, hedge=0.9, limits=sf.models.Limits(concurrency=2))
        for _ in range(21):
            reply = asyncio.run(hedged("hello"))
    assert len(up.log.asked) == 22 and DELAY <= reply.latency < 0.5


def test_a_repaired_answer_takes_the_sum_with_its_first_part_as_recorded(tmp_path: Path) -> None:
    """Asked for again, its first exchange is looked up, and the repair is not."""
    with upstream(first(Ok("no JSON", delay=DELAY), then=Ok('{"answer":1}', delay=0.05))) as up:
        with open_store(tmp_path) as store:
            journal = CallJournal(store, start_run(store, "evaluate", "task", {}))
            meter = Meter()
            with belonging(Belonging(journal, meter=meter)):
                whole = asyncio.run(model(up)("hello", output=int))
                with store.connection as db:
                    db.execute("DELETE FROM reply WHERE value LIKE '%answer%'")
                again = asyncio.run(model(up)("hello", output=int))
                known = asyncio.run(model(up)("hello", output=int))
            journal.close()
        assert len(up.log.asked) == 3
    for reply in (whole, again, known):
        assert reply.value == 1 and DELAY + 0.05 <= reply.latency < 2 * DELAY + 0.1
    assert (again.cached, known.cached) == (False, True)


def metered(*calls: tuple[float, bool]) -> Meter:
    """Calls one after another in this task: the seconds beyond the endpoint's, and whether they were looked up."""
    meter = Meter()
    for beyond, looked_up in calls:
        meter.add(NO_COST, beyond, looked_up=looked_up)
    return meter


def test_a_case_takes_what_its_calls_take_without_waiting_and_without_a_record() -> None:
    assert Meter().seconds(0.5) == 0.5
    assert metered((0.2, False), (0.1, False)).seconds(1.0) == pytest.approx(0.7)
    assert metered((-0.4, True), (0.1, False)).seconds(1.0) == pytest.approx(1.3)


def test_of_calls_side_by_side_only_what_all_waited_is_taken_off_and_a_lookup_among_them_is_not_measured() -> None:
    async def case(*calls: tuple[float, bool]) -> Meter:
        meter = Meter()

        async def one(beyond: float, looked_up: bool) -> None:
            meter.add(NO_COST, beyond, looked_up=looked_up)

        await asyncio.gather(*(one(*call) for call in calls))
        return meter

    assert asyncio.run(case((0.3, False), (0.1, False))).seconds(1.0) == pytest.approx(0.9)
    assert asyncio.run(case((0.3, False), (-0.1, True))).seconds(1.0) is None
