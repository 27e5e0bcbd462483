"""A chat: a run that goes on from an earlier one, in both dialects, over a window, and in a durable run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from agent_samples import DIALECTS, Team, answers, calls, look_up, model, plays, told
from upstream_faults import Ok

import suffice as sf
from suffice.errors import UsageError, Waiting
from suffice.programs import durable
from suffice.programs.agent import agent
from suffice.programs.asking import ask_human
from upstream import upstream

both = pytest.mark.parametrize("dialect", DIALECTS)


@both
def test_a_run_goes_on_from_an_earlier_one(dialect: str) -> None:
    turns = (calls(("look_up", {"id": "p1"})), answers("shipping"), answers("billing"), answers("shipping"))
    with upstream(plays(*turns)) as up:
        bot = agent(model(up, dialect), tools=[look_up], output=Team, max_steps=2)
        first = sf.run(bot.run("where is p1?"))
        second = sf.run(bot.run("and my invoice?", after=first))
        third = sf.run(bot.run("thanks?", after=second))
    assert [run.value for run in (first, second, third)] == ["shipping", "billing", "shipping"]
    assert [run.steps for run in (first, second, third)] == [2, 1, 1]
    last = up.log.asked[-1].said["messages"]
    roles = [m["role"] for m in last if m["role"] != "system"]
    results = ["tool", "user"] if dialect == "openai" else ["user"]  # there a result and what follows are one turn
    assert roles == ["user", "assistant", results[0], "assistant", *results, "assistant", *results]
    assert "p1 is on its way" in str(last) and "taken" in str(last)  # every call has its result
    text = str(third.transcript)
    assert text.startswith("[task]\nwhere is p1?") and "(asked: and my invoice?)" in text and "(asked: thanks?)" in text
    assert "last turn" not in told(up.log.asked[-1])


@both
def test_a_chat_goes_on_after_a_run_that_ended_in_the_middle_of_its_calls(dialect: str) -> None:
    refund = sf.tool(permission="ask")(_refund)
    wanted = calls(("refund", {"order": "a"}), ("refund", {"order": "b"}))
    with upstream(plays(wanted, Ok("I am sorry."))) as up:
        bot = agent(model(up, dialect), tools=[refund])
        run = sf.run(bot.run("pay me back"))
        assert run.ended == "denied"
        assert sf.run(bot.run("why not?", after=run)).value == "I am sorry."
    assert "nobody can be asked" in str(up.log.asked[-1].said) and "not done: the run ended" in str(
        up.log.asked[-1].said
    )


def _refund(order: str) -> str:
    """Pay it back."""
    return order


_refund.__name__ = "refund"


def test_what_is_asked_now_is_told_also_where_older_turns_are_summed_up() -> None:
    def say(asked: Any) -> Ok:
        if "memory of an agent" in str(asked.said["messages"][0]):
            return Ok("It looked things up.")
        return Ok("done") if asked.number > 12 else calls(("look_up", {"id": str(asked.number) * 400}))

    with upstream(say) as up:
        bot = agent(model(up), tools=[look_up], window=1_000)
        run = sf.run(bot.run("begin", after=sf.run(bot.using(max_steps=1).run("the first of all"))))
    last = up.log.asked[-1]
    assert run.value == "done" and "It looked things up" in told(last)
    assert told(last).count("the first of all") == 1 and told(last).count("begin") == 1


def test_a_chat_in_a_durable_run_goes_on_where_it_was(tmp_path: Path) -> None:
    with upstream(plays(calls(("look_up", {"id": "p1"})), Ok("On its way."), Ok("Gladly."))) as up:
        bot = agent(model(up), tools=[look_up])

        async def desk(text: str) -> str:
            run = await bot.run(text)
            said = await ask_human(f"{run.value} What else?")
            return (await bot.run(said, after=run)).value  # type: ignore[return-value]

        async def go() -> str:
            return await durable.run(desk, "where is p1?", id="chat", store=tmp_path)

        with pytest.raises(Waiting):
            sf.run(go())
        durable.answer("chat", "thanks", store=tmp_path)
        assert sf.run(go()) == "Gladly." and len(up.log.asked) == 3
    assert "p1 is on its way" in str(up.log.asked[-1].said)


def test_what_is_no_run_is_refused_and_an_input_may_be_called_so() -> None:
    with upstream(Ok("hello")) as up:
        bot = agent(model(up))
        with pytest.raises(UsageError, match="after= is a former run"):
            sf.run(bot.run("x", after="y"))  # type: ignore[arg-type]
        assert sf.run(bot(before="x", after="y")) == "hello"
        blank = sf.run(bot.run(" "))
        assert sf.run(bot.run("go on", after=blank)).value == "hello"
