"""A budget is never passed, whatever happens at once, and refuses only when nothing can be given back."""

from __future__ import annotations

import asyncio
import random
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from upstream_faults import Asked, Fault, Hang, Html200, Ok, ResetBefore, Status, WrongJson, always, first, rate_limited

from suffice.errors import BudgetError, CallTimeout, PriceUnknown, SufficeError, UsageError
from suffice.models.belonging import Belonging, belonging
from suffice.models.concerns.budget import Amounts, Budget, Reservation
from suffice.models.concerns.retry import Retry
from suffice.models.model import Model
from suffice.models.sending.tape import record
from suffice.store.calls import CallJournal, spent
from suffice.store.database import open_store
from suffice.store.runs import start_run
from upstream import Upstream, upstream

FAST = Retry(base=0.001, cap=0.01)
CAP = 50
PRICE = (10.0, 100.0)  # US dollars per million tokens


def model(up: Upstream, **options: Any) -> Model:
    """A priced model at the upstream."""
    return Model(f"{up.url}#any", **{"retry": FAST, "price": PRICE, "max_output_tokens": CAP, **options})


def dollars(usage: tuple[int, int]) -> float:
    """What the upstream's usage costs at PRICE."""
    return (usage[0] * PRICE[0] + usage[1] * PRICE[1]) / 1e6


async def tried(one: Model, n: int, **options: Any) -> list[Any]:
    """`n` calls at once, each its reply or its typed error."""
    ends = await asyncio.gather(*(one(f"call {i}", **options) for i in range(n)), return_exceptions=True)
    assert all(isinstance(e, SufficeError) or not isinstance(e, BaseException) for e in ends)
    return list(ends)


def test_a_refusal_says_what_the_attempts_before_ended_in() -> None:
    with upstream(always(WrongJson("{"))) as up:
        error = asyncio.run(tried(model(up, budget=Budget(calls=3)), 1))[0]
    assert isinstance(error, BudgetError)
    assert "3 of 3 calls are spent; the last of 3 attempts failed: malformed (" in error.message
    with upstream(always(Status(500, body="no room"))) as up:
        error = asyncio.run(tried(model(up, budget=Budget(calls=1)), 1))[0]
    assert "the attempt before failed: server error (the endpoint answered 500: `no room`)" in error.message
    with upstream(always(Ok())) as up:
        one = model(up, budget=Budget(calls=1))
        error = asyncio.run(tried(one, 2))[1]
    assert error.message.endswith("1 of 1 calls are spent")


def test_a_refusal_on_sealed_cases_quotes_no_reply(tmp_path: Path) -> None:
    async def main() -> BudgetError:
        with open_store(tmp_path) as store:
            journal = CallJournal(store, start_run(store, "climb", "t", {}))
            with belonging(Belonging(journal, sealed=True)), pytest.raises(BudgetError) as caught:
                await model(up, budget=Budget(calls=2))("hello")
            journal.close()
        return caught.value

    with upstream(always(WrongJson('["a sealed case"]'))) as up:
        error = asyncio.run(main())
    assert error.message.endswith("the last of 2 attempts failed: malformed")


def spending(seed: int) -> Any:
    """A script that counts random tokens within the bounds, and now and then fails; and what it would bill."""
    billed: list[tuple[int, int]] = []

    def script(asked: Asked) -> Fault:
        draw = random.Random(seed * 1000 + asked.number)
        if draw.random() < 0.2:
            return draw.choice([Status(500), rate_limited(), ResetBefore(), Html200()])
        usage = (draw.randint(1, 9), draw.randint(1, CAP))
        billed.append(usage)
        return Ok(usage=usage, delay=draw.random() * 0.005)

    return script, billed


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 999), usd=st.floats(0.005, 0.2))
def test_dollars_are_never_passed_at_64_calls_at_once(seed: int, usd: float) -> None:
    script, billed = spending(seed)
    budget = Budget(usd=usd)
    with upstream(script) as up:
        ends = asyncio.run(tried(model(up, budget=budget), 64))
    assert sum(map(dollars, billed)) <= budget.spent_usd + 1e-9 <= usd + 2e-9
    assert budget.spent_calls == len(up.log.asked)
    refused = [e for e in ends if isinstance(e, BudgetError)]
    assert refused or budget.spent_usd <= usd


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 999), calls=st.integers(0, 70), tokens=st.integers(0, 5000))
def test_calls_and_tokens_are_never_passed_at_64_calls_at_once(seed: int, calls: int, tokens: int) -> None:
    script, billed = spending(seed)
    budget = Budget(calls=calls, tokens=tokens)
    with upstream(script) as up:
        asyncio.run(tried(model(up, budget=budget), 64))
    assert len(up.log.asked) == budget.spent_calls <= calls
    assert sum(map(sum, billed)) <= budget.spent_tokens <= tokens


def test_what_does_not_fit_at_all_is_refused_and_nothing_is_sent() -> None:
    with upstream() as up:
        with pytest.raises(BudgetError, match=r"\$0\.0001 are left|\$0\.0001 of"):
            asyncio.run(model(up, budget=Budget(usd=0.0001))("hello"))
        with pytest.raises(BudgetError, match="0 of 0 calls"):
            asyncio.run(model(up, budget=Budget(calls=0))("hello"))
        with pytest.raises(BudgetError, match="tokens"):
            asyncio.run(model(up, budget=Budget(tokens=20))("hello"))
        assert up.log.connections == 0


def test_a_call_waits_while_another_may_give_back_what_it_needs() -> None:
    budget = Budget(tokens=120)  # one reservation at a time
    with upstream(Ok(usage=(5, 5), delay=0.02)) as up:
        ends = asyncio.run(tried(model(up, budget=budget), 4))
    assert [e.value for e in ends] == ["ok"] * 4
    assert up.log.most_in_flight == 1
    assert budget.spent_tokens == 40


def test_what_was_answered_and_what_took_nothing_settle_at_what_they_cost() -> None:
    budget = Budget()
    with upstream(first(Status(500), rate_limited(), then=Ok(usage=(7, 3)))) as up:
        reply = asyncio.run(model(up, budget=budget)("hello"))
    assert budget.spent_usd == reply.cost == pytest.approx(dollars((7, 3)))
    assert (budget.spent_calls, budget.spent_tokens) == (3, 10)


@pytest.mark.parametrize("how", ["timeout", "cancelled"])
def test_a_call_without_an_end_settles_at_its_whole_reservation(how: str) -> None:
    budget = Budget()

    async def call(one: Model, up: Upstream) -> None:
        task = asyncio.ensure_future(one("hello", total=0.15 if how == "timeout" else 5.0))
        while not up.log.asked:
            await asyncio.sleep(0.005)
        if how == "cancelled":
            task.cancel()
        with pytest.raises(CallTimeout if how == "timeout" else asyncio.CancelledError):
            await task

    with upstream(Hang()) as up:
        asyncio.run(call(model(up, budget=budget, timeout=0.5), up))
    assert budget.spent_usd >= dollars((len("hello"), CAP))
    assert budget.spent_tokens >= len("hello") + CAP
    assert budget.spent_calls == 1


def test_a_call_that_was_never_sent_spends_nothing_not_even_a_call() -> None:
    """Two budgets: the first one has room, the second refuses."""
    room, none = Budget(), Budget(calls=0)
    with upstream() as up:
        inner = model(up, budget=none)
        with pytest.raises(BudgetError):
            asyncio.run(Model("http://127.0.0.1:9#gone", budget=room, fallbacks=[inner], attempts=1)("hello"))
        assert up.log.connections == 0
    assert room.spent_calls == 1  # the model itself, whose port is closed


def test_the_budget_of_a_fallback_counts_what_the_fallback_does_and_no_more() -> None:
    whole, own = Budget(), Budget()
    with upstream(Status(500)) as bad, upstream(Ok(usage=(4, 2))) as good:
        one = model(bad, budget=whole, attempts=2, fallbacks=[model(good, budget=own)])
        asyncio.run(one("hello"))
    assert (whole.spent_calls, own.spent_calls) == (3, 1)
    assert own.spent_tokens == 6


def test_this_machine_is_free() -> None:
    budget = Budget(usd=0)
    with upstream() as up:
        reply = asyncio.run(Model(f"{up.url}#any", budget=budget)("hello"))
    assert reply.cost == 0.0
    assert (budget.spent_usd, budget.spent_calls) == (0.0, 1)


@pytest.mark.parametrize("name", ["https://models.invalid/v1#any"])
def test_dollars_over_an_unknown_price_are_refused_with_the_line_that_sets_it(name: str) -> None:
    one = Model(name, budget=Budget(usd=1.0), attempts=1)
    for call in (lambda: one("hello"), lambda: one.embed(["hello"])):
        with pytest.raises(PriceUnknown, match="DOLLARS_PER_MILLION_TOKENS"):
            asyncio.run(call())  # type: ignore[arg-type]


def test_a_fallback_without_a_price_is_refused_before_the_first_request() -> None:
    with upstream() as up:
        one = model(up, budget=Budget(usd=1.0), fallbacks=["https://models.invalid/v1#any"])
        with pytest.raises(PriceUnknown):
            asyncio.run(one("hello"))
        assert up.log.connections == 0


def test_a_budget_of_less_than_nothing_is_refused() -> None:
    for said in ({"usd": -1}, {"calls": -1}, {"tokens": float("nan")}):
        with pytest.raises(UsageError):
            Budget(**said)  # type: ignore[arg-type]


def test_what_lacks_is_told_apart_from_what_is_left_and_the_hint_is_about_it() -> None:
    def refused(budget: Budget, held: Reservation) -> BudgetError:
        with pytest.raises(BudgetError) as caught:
            asyncio.run(budget.reserve(held))
        return caught.value

    budget = Budget(usd=0.1)
    budget.already(0.1 - 0.09069, 1, 1)
    error = refused(budget, Reservation(0.090694, 10))
    assert "may cost $0.090694, and $0.090690 of $0.1 are left" in error.message
    assert error.hint is not None and "max_output_tokens (--max-tokens)" in error.hint
    error = refused(Budget(usd=1), Reservation(2.5, 10))
    assert "may cost $2.5000, and $1.0000 of $1 are left" in error.message
    assert error.hint is not None and "raise the budget to $2.50 (--budget 2.50) or more" in error.hint
    error = refused(Budget(usd=9, calls=0), Reservation(0.1, 10))
    assert "0 of 0 calls are spent" in error.message and error.hint == "raise the budget's calls"
    error = refused(Budget(tokens=5), Reservation(0.1, 10))
    assert error.hint is not None and "tokens" in error.hint and "max_output_tokens" in error.hint


def test_what_is_spent_and_what_is_left_can_be_read_and_what_is_held_is_not_left() -> None:
    budget = Budget(usd=2, calls=10)
    assert (budget.spent, budget.left) == (Amounts(0.0, 0, 0), Amounts(2.0, 10, None))
    held = Reservation(0.5, 100)
    asyncio.run(budget.reserve(held))
    assert (budget.spent, budget.left) == (Amounts(0.0, 0, 0), Amounts(1.5, 9, None))
    budget.settle(held, 0.25, 40)
    assert (budget.spent, budget.left) == (Amounts(0.25, 1, 40), Amounts(1.75, 9, None))
    budget.already(9.0, 90, 900)
    assert budget.left == Amounts(0.0, 0, None)
    assert Budget().left == Amounts(None, None, None) and Budget(tokens=1e3).left.tokens == 1000  # type: ignore[arg-type]


def test_a_budget_is_read_while_other_threads_spend_it() -> None:
    budget = Budget(usd=1000, calls=4000, tokens=400_000)

    async def spend() -> None:
        for _ in range(500):
            held = Reservation(0.2, 100)
            await budget.reserve(held)
            budget.settle(held, 0.1, 50)

    threads = [threading.Thread(target=lambda: asyncio.run(spend())) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        spent = budget.spent
        assert spent.calls is not None and spent.tokens == 50 * spent.calls
        assert spent.usd == pytest.approx(0.1 * spent.calls)
    assert budget.left == Amounts(pytest.approx(800.0), 2000, 300_000)


def test_a_budget_of_a_call_holds_beside_that_of_its_model() -> None:
    whole, own = Budget(calls=3), Budget(calls=1)
    with upstream() as up:
        one = model(up, budget=whole)
        asyncio.run(one("hello", budget=own))
        with pytest.raises(BudgetError, match="1 of 1 calls"):
            asyncio.run(one("hello", budget=own))
        asyncio.run(one("hello"))
        asyncio.run(one("hello", budget=whole))  # the same one twice counts once
        with pytest.raises(BudgetError, match="3 of 3 calls"):
            asyncio.run(one("hello", budget=Budget(calls=9)))
    assert (whole.spent.calls, own.spent.calls) == (3, 1)
    with pytest.raises(PriceUnknown):
        asyncio.run(Model("https://models.invalid/v1#any", attempts=1)("hello", budget=Budget(usd=1)))


def test_a_budget_of_a_call_holds_for_its_repairs_and_its_hedges() -> None:
    own = Budget()
    with upstream(first(Ok("no JSON"), then=Ok('{"answer":1}'))) as up:
        asyncio.run(model(up)("hello", output=int, budget=own))
    assert own.spent.calls == 2
    with upstream(first(*[Ok()] * 20, Ok(delay=0.3), then=Ok())) as up:
        hedged = model(up, hedge=0.9)
        for _ in range(21):
            asyncio.run(hedged("hello", budget=own))
        assert own.spent.calls == 2 + len(up.log.asked) == 2 + 22


def test_on_a_tape_nothing_is_spent(tmp_path: Path) -> None:
    tape, budget = tmp_path / "tape.jsonl", Budget(calls=1)
    with upstream() as up, record(tape):
        asyncio.run(model(up)("hello"))
    with open_store(tmp_path) as store:
        journal = CallJournal(store, run := start_run(store, "evaluate", "task", {}))
        with belonging(Belonging(journal, budget=budget)):
            one = Model(f"recorded:{tape}", max_output_tokens=CAP, cache=False)
            assert [asyncio.run(one("hello")).value for _ in range(3)] == ["ok"] * 3
        journal.close()
        assert (budget.spent.calls, spent(store, run).attempts) == (0, 0)


def test_it_says_what_is_spent() -> None:
    budget = Budget(usd=2, calls=10)
    budget.already(0.5, 3, 12345)
    assert repr(budget) == "Budget($0.5000 of $2, 3 of 10 calls, 12,345 tokens spent)"


def test_one_budget_over_two_event_loops_in_two_threads() -> None:
    budget = Budget(calls=30)

    async def both(one: Model) -> list[Any]:
        here = tried(one, 25)
        there = asyncio.to_thread(lambda: asyncio.run(tried(one, 25)))
        return [e for ends in await asyncio.gather(here, there) for e in ends]

    with upstream(Ok(delay=0.002)) as up:
        ends = asyncio.run(both(model(up, budget=budget)))
    assert sum(isinstance(e, BudgetError) for e in ends) == 20
    assert len(up.log.asked) == budget.spent_calls == 30


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 60)), max_size=40), st.integers(1, 200))
def test_waiters_are_served_or_refused_and_none_is_forgotten(jobs: list[tuple[int, int]], tokens: int) -> None:
    budget = Budget(tokens=tokens)

    async def job(spends: int, holds: int) -> str:
        held = Reservation(None, max(spends, holds))
        try:
            await budget.reserve(held)
        except BudgetError:
            return "refused"
        await asyncio.sleep(0)
        budget.settle(held, None, spends)
        return "served"

    async def all_of_them() -> list[str]:
        return await asyncio.wait_for(asyncio.gather(*(job(*j) for j in jobs)), 5)

    ends = asyncio.run(all_of_them())
    assert sum(s for (s, _), end in zip(jobs, ends, strict=True) if end == "served") == budget.spent_tokens <= tokens
