"""Long runs under everything at once: each call ends in a value or a typed error, and the accounts are right."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from upstream_faults import Asked, Fault, Ok, Status, StreamOk, rate_limited, storm

from suffice.errors import BudgetError, CallError, SufficeError
from suffice.models.concerns.budget import Budget
from suffice.models.concerns.retry import Retry
from suffice.models.model import Model
from upstream import Upstream, upstream

pytestmark = pytest.mark.slow

CALLS, AT_ONCE, CAP = 20_000, 64, 40
PRICE = (1.0, 10.0)  # US dollars per million tokens
SEED = 20_261_126
LLMPERF = Path(__file__).resolve().parents[3] / "shared" / "data" / "llmperf" / "individual"


def dollars(usage: tuple[int, int]) -> float:
    """What a usage costs at PRICE."""
    return (usage[0] * PRICE[0] + usage[1] * PRICE[1]) / 1e6


async def ended(one: Model, i: int) -> tuple[str, int]:
    """How one call ended, and how many requests it made; every third one is streamed."""
    try:
        if i % 3:
            reply = await one(f"case {i}")
            assert reply.value == f"echo case {i}"
        else:
            async with one.stream(f"case {i}") as s:
                text = "".join([piece async for piece in s])
            reply = s.reply
            assert text == reply.value == f"echo case {i}"
    except CallError as error:
        return error.kind, len(error.attempts)
    except BudgetError:
        return "budget", 0
    return "value", len(reply.attempts)


async def drive(one: Model, n: int) -> list[tuple[str, int]]:
    """`n` calls, AT_ONCE of them at a time."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def call(i: int) -> tuple[str, int]:
        async with gate:
            return await ended(one, i)

    return await asyncio.gather(*(call(i) for i in range(n)))


def shaken(billed: list[tuple[int, int]]) -> Any:
    """The storm, with good replies that echo the question, take a moment and count random tokens."""
    bad = storm(0.3, SEED)

    def script(asked: Asked) -> Fault:
        fault = bad(asked)
        if not isinstance(fault, Ok):
            return fault
        draw = random.Random(SEED + asked.number)
        usage = (draw.randint(1, 8), draw.randint(1, CAP))
        billed.append(usage)
        text = f"echo {asked.text}"
        if asked.streams:
            return StreamOk((text[:4], text[4:]), usage=usage)
        return Ok(text, usage=usage, delay=draw.random() * 0.004)

    return script


def test_20_000_calls_under_30_percent_of_everything_at_once() -> None:
    billed: list[tuple[int, int]] = []
    budget = Budget(usd=1e6)
    with upstream(shaken(billed)) as up:
        one = Model(
            f"{up.url}#any",
            retry=Retry(attempts=30, base=0.002, cap=0.02),
            price=PRICE,
            budget=budget,
            max_output_tokens=CAP,
            total=60.0,
        )
        ends = asyncio.run(drive(one, CALLS))
        up.wait_until(lambda log: log.in_flight == 0)
    kinds = Counter(kind for kind, _ in ends)
    assert sum(kinds.values()) == CALLS
    # A stream that broke after its first piece is not begun again: only these may end otherwise.
    assert kinds["value"] >= 0.95 * CALLS, kinds
    assert set(kinds) <= {"value", "server error", "connection lost", "malformed"}, kinds
    assert sum(n for _, n in ends) == len(up.log.asked) == budget.spent_calls
    assert sum(map(dollars, billed)) <= budget.spent_usd + 1e-9


def test_5_000_calls_over_a_budget_that_does_not_last() -> None:
    billed: list[tuple[int, int]] = []
    budget = Budget(usd=0.5)
    with upstream(shaken(billed)) as up:
        one = Model(
            f"{up.url}#any",
            retry=Retry(attempts=30, base=0.002, cap=0.02),
            price=PRICE,
            budget=budget,
            max_output_tokens=CAP,
        )
        ends = asyncio.run(drive(one, 5_000))
        up.wait_until(lambda log: log.in_flight == 0)
    kinds = Counter(kind for kind, _ in ends)
    assert kinds["budget"] > 0 and kinds["value"] > 0
    assert sum(map(dollars, billed)) <= budget.spent_usd + 1e-9 <= 0.5 + 2e-9
    assert budget.spent_usd > 0.5 - dollars((600, CAP))  # and what can be spent is spent
    assert len(up.log.asked) == budget.spent_calls


@pytest.mark.skipif(not LLMPERF.is_dir(), reason=f"there are no measurements in {LLMPERF}")
def test_latencies_and_errors_of_real_providers_scaled_down_in_time() -> None:
    records: list[dict[str, Any]] = [r for file in sorted(LLMPERF.glob("*.json")) for r in json.loads(file.read_text())]
    random.Random(SEED).shuffle(records)
    records = records[:2_000]

    def script(asked: Asked) -> Fault:
        told = records[asked.number % len(records)]
        code = told.get("error_code")
        delay = (told.get("end_to_end_latency_s") or 0.0) / 300
        if not code or code < 0:  # below 0 it is the measurer's own remark
            tokens = int(told.get("number_input_tokens") or 1), int(told.get("number_output_tokens") or 1)
            return Ok(f"echo {asked.text}", delay=delay, usage=(min(tokens[0], 8), min(tokens[1], CAP)))
        return rate_limited() if code == 429 else Status(int(code) if 400 <= int(code) < 600 else 500, delay=delay)

    budget = Budget(usd=1.0)
    with upstream(script) as up:
        one = _patient(up, budget)
        began = time.monotonic()
        ends = asyncio.run(_whole(one, len(records)))
        took = time.monotonic() - began
    kinds = Counter(type(e).__name__ for e in ends)
    assert all(isinstance(e, SufficeError) or hasattr(e, "attempts") for e in ends)
    assert sum(len(e.attempts) for e in ends if hasattr(e, "attempts")) == len(up.log.asked), kinds
    assert kinds["Reply"] >= 0.99 * len(records), kinds
    assert budget.spent_usd <= 1.0
    assert took < 60


def _patient(up: Upstream, budget: Budget) -> Model:
    how = Retry(attempts=30, base=0.002, cap=0.02)
    return Model(f"{up.url}#any", retry=how, price=PRICE, budget=budget, max_output_tokens=CAP)


async def _whole(one: Model, n: int) -> list[Any]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def call(i: int) -> Any:
        async with gate:
            return await one(f"case {i}")

    return await asyncio.gather(*(call(i) for i in range(n)), return_exceptions=True)
