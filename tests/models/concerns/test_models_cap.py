"""A short answer holds little of a budget back; a model that reasons first gets the whole cap, and the budget holds."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from one_call import ask
from upstream_faults import Asked, Fault, Ok, Status, StreamOk, WrongJson, first

import suffice as sf
from suffice.errors import BudgetError, RefusedError, SufficeError, Truncated
from suffice.exchange import Tool
from suffice.models.belonging import Belonging, belonging
from suffice.models.concerns.cap import CUT, Reasons
from suffice.models.concerns.retry import Retry
from suffice.models.legs import route_of
from suffice.models.model import Model
from suffice.models.output.longest import LEAST
from suffice.models.stack import reasoning
from suffice.store.calls import CallJournal, spent
from suffice.store.database import open_store
from suffice.store.runs import start_run
from upstream import Upstream, upstream

WHOLE = 4096
PRICE = (10.0, 100.0)  # US dollars per million tokens: the whole cap alone costs $0.41
Label = Literal["yes", "no"]
YES = '{"answer":"yes"}'
TOLD = '{"error":{"message":"Could not finish the message because max_tokens or model output limit was reached."}}'


def model(up: Upstream, **options: Any) -> Model:
    """A priced model at the upstream."""
    return Model(f"{up.url}#any", **{"retry": Retry(base=0.001, cap=0.01), "price": PRICE, **options})


def caps(up: Upstream) -> list[int]:
    """The output caps that were asked for."""
    return [a.body["max_tokens"] for a in up.log.asked]


def thinking(tokens: int) -> Callable[[Asked], Fault]:
    """A model that spends so many output tokens before its answer, and does not say so."""

    def script(asked: Asked) -> Fault:
        cap = asked.body["max_tokens"]
        return Ok("", finish="length", usage=(12, cap)) if cap < tokens else Ok(YES, usage=(12, tokens))

    return script


def body(text: str, finish: str, reasoned: int, reasoning: str = "") -> WrongJson:
    """A reply with its reasoning."""
    message = {"role": "assistant", "content": text, **({"reasoning_content": reasoning} if reasoning else {})}
    details = {"reasoning_tokens": reasoned}
    usage = {"prompt_tokens": 12, "completion_tokens": reasoned + 3, "completion_tokens_details": details}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return WrongJson(json.dumps({"id": "1", "model": "any", "choices": [choice], "usage": usage}))


def test_a_label_is_asked_for_within_a_budget_that_the_whole_cap_would_pass() -> None:
    budget = sf.Budget(usd=0.1)
    with upstream(Ok(YES, usage=(12, 5))) as up:
        for _ in range(3):
            assert ask(model(up, budget=budget), output=Label).value == "yes"
        with pytest.raises(BudgetError):
            ask(model(up, budget=budget))  # a text may be of any length
        assert caps(up) == [LEAST] * 3
    assert budget.spent.usd == pytest.approx(3 * (12 * 10 + 5 * 100) / 1e6)


def test_many_labels_are_asked_for_at_once_where_the_whole_cap_would_let_one_through_at_a_time() -> None:
    async def calls(one: Model) -> None:
        await asyncio.gather(*(one(f"{i}", output=Label) for i in range(8)))

    with upstream(Ok(YES, usage=(12, 5), delay=0.1)) as up:
        asyncio.run(calls(model(up, budget=sf.Budget(usd=0.5))))
        assert up.log.most_in_flight == 8


def test_an_answer_that_is_cut_off_is_asked_for_again_with_the_whole_cap() -> None:
    with upstream(thinking(1000)) as up:
        reply = ask(model(up), output=Label)
        assert caps(up) == [LEAST, WHOLE]
    assert reply.value == "yes"
    assert [a.usage.output_tokens for a in reply.attempts] == [LEAST, 1000]
    assert reply.cost == pytest.approx((2 * 12 * 10 + (LEAST + 1000) * 100) / 1e6)


def test_a_model_that_is_cut_off_again_and_again_is_taken_to_reason() -> None:
    with upstream(thinking(1000)) as up:
        for _ in range(CUT + 2):
            assert ask(model(up), output=Label).value == "yes"
        assert caps(up) == [LEAST, WHOLE] * CUT + [WHOLE] * 2


def test_one_answer_that_rambles_is_not_taken_for_reasoning() -> None:
    with upstream(first(Ok("yes yes yes", finish="length"), then=Ok(YES))) as up:
        for _ in range(3):
            ask(model(up), output=Label)
        assert caps(up) == [LEAST, WHOLE, LEAST, LEAST]


@pytest.mark.parametrize("shown", [body(YES, "stop", 90), body(YES, "stop", 0, "let me see")])
def test_a_reply_that_shows_reasoning_gives_the_next_calls_the_whole_cap(shown: Fault) -> None:
    with upstream(shown) as up:
        for _ in range(2):
            ask(model(up), output=Label)
        assert caps(up) == [LEAST, WHOLE]


def test_a_refusal_of_the_small_cap_is_no_end_and_any_other_is() -> None:
    with upstream(first(Status(400, body=TOLD), then=Ok(YES))) as up:
        assert ask(model(up), output=Label).value == "yes"
        assert caps(up) == [LEAST, WHOLE]
    with upstream(Status(400)) as up:
        with pytest.raises(RefusedError):
            ask(model(up), output=Label)
        assert caps(up) == [LEAST]


def test_what_is_cut_off_at_the_whole_cap_is_truncated() -> None:
    with upstream(Ok("", finish="length")) as up:
        with pytest.raises(Truncated, match="4,096"):
            ask(model(up), output=Label)
        assert caps(up) == [LEAST, WHOLE]


@pytest.mark.parametrize(
    "said",
    [
        {"max_output_tokens": 700},
        {"tools": [Tool("f", "", {"type": "object", "properties": {}})]},
        {"extra": {"reasoning_effort": "high"}},
        {"continue_output": True},
        {"output": str},
        {"output": list[int]},
    ],
    ids=lambda said: next(iter(said)),
)
def test_where_something_may_take_more_or_a_cap_is_said_that_cap_is_sent(said: dict[str, Any]) -> None:
    with upstream(Ok('{"answer":[1]}' if said.get("output") == list[int] else YES)) as up:
        ask(model(up), **{"output": Label, **said})
        assert caps(up) == [said.get("max_output_tokens", WHOLE)]


def test_a_stream_is_given_the_whole_cap_because_it_cannot_start_over() -> None:
    async def streamed(one: Model) -> Any:
        async with one.stream("hello", output=Label) as s:
            async for _ in s:
                pass
        return s.reply.value

    with upstream(StreamOk((YES,))) as up:
        assert asyncio.run(streamed(model(up))) == "yes"
        assert caps(up) == [WHOLE]


@pytest.mark.parametrize(
    ("name", "reasons"),
    [
        ("openai:gpt-5-mini", True),
        ("openai:o3", True),
        ("openai:gpt-5-chat-latest", False),
        ("openai:gpt-4.1-mini", False),
        ("anthropic:claude-haiku-4-5", False),
        ("gemini:gemini-2.5-flash", True),
        ("deepseek:deepseek-chat", True),
    ],
)
def test_models_that_are_known_to_reason_are_given_the_whole_cap(
    name: str, reasons: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "DEEPSEEK_API_KEY"):
        monkeypatch.setenv(variable, "sk-none")
    assert reasoning(route_of(name, {}).first.address) == Reasons(known=reasons)


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 999), usd=st.floats(0.3, 2.0))
def test_dollars_are_never_passed_by_labels_of_which_some_are_reasoned_about(seed: int, usd: float) -> None:
    billed: list[tuple[int, int]] = []

    def script(asked: Asked) -> Fault:
        draw, cap = random.Random(seed * 1000 + asked.number), asked.body["max_tokens"]
        need = draw.choice([5, 100, 900])
        billed.append((draw.randint(1, 9), min(need, cap)))
        return Ok(YES if need <= cap else "", usage=billed[-1], finish="stop" if need <= cap else "length")

    async def calls(one: Model) -> list[Any]:
        return await asyncio.gather(*(one(f"{i}", output=Label) for i in range(64)), return_exceptions=True)

    budget = sf.Budget(usd=usd)
    with upstream(script) as up:
        ends = asyncio.run(calls(model(up, budget=budget)))
    assert all(isinstance(e, BudgetError) for e in ends if isinstance(e, SufficeError))
    cost = sum(i * PRICE[0] + o * PRICE[1] for i, o in billed) / 1e6
    assert cost <= budget.spent_usd + 1e-9 <= usd + 2e-9


def test_what_is_recorded_is_found_again_whichever_cap_it_was_asked_with(tmp_path: Path) -> None:
    with upstream(thinking(1000)) as up, open_store(tmp_path) as store:
        run = start_run(store, "evaluate", "task", {})
        journal = CallJournal(store, run)
        with belonging(Belonging(journal)):
            for text in ("a", "b", "c", "d", "a", "b", "c", "d"):
                ask(model(up), text, output=Label)
        assert caps(up) == [LEAST, WHOLE] * CUT + [WHOLE]
        assert spent(store, run).attempts == 2 * CUT + 1
        journal.close()


def test_a_tape_is_replayed_with_the_caps_that_it_was_recorded_with(tmp_path: Path) -> None:
    """Whether the model was known to reason then, or is known to now."""
    file = tmp_path / "tape.jsonl"
    with upstream(thinking(1000)) as up, sf.models.record(file):
        for n in range(CUT + 2):
            ask(model(up), f"{n}", output=Label)
    for order in (range(CUT + 2), reversed(range(CUT + 2))):
        for n in order:
            assert ask(Model(f"recorded:{file}"), f"{n}", output=Label).value == "yes"


def test_a_tape_with_the_small_cap_is_replayed_where_the_model_is_taken_to_reason(tmp_path: Path) -> None:
    file = tmp_path / "tape.jsonl"
    with upstream(Ok(YES)) as up, sf.models.record(file):
        one = model(up)
        ask(one, output=Label)
    reasoning(one.route.first.address).seen = True
    assert ask(Model(f"recorded:{file}"), output=Label).value == "yes"
