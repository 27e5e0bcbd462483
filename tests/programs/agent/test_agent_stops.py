"""A person who says yes, no and stop to the calls of one turn, and answers in words: what the transcript has of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from agent_samples import DIALECTS, calls, look_up, model, plays, shown
from upstream_faults import Fault, Ok

import suffice as sf
from suffice.errors import UsageError, Waiting
from suffice.models.model import Model
from suffice.programs import durable
from suffice.programs.agent import agent
from suffice.programs.mcp import tools_of_mcp
from suffice.programs.tool import tool
from upstream import upstream

paid: list[str] = []


@pytest.fixture(autouse=True)
def nothing_paid() -> None:
    paid.clear()


@tool(repeat="never", permission="ask")
def refund(order: str) -> str:
    """Pay money back."""
    paid.append(order)
    return "paid"


THREE = calls(*(("refund", {"order": order}) for order in ("o1", "o2", "o3")))
WORDS = "(yes, no, stop, or in words what to do instead)"
BESIDE = "not done: the run ended, because a person said stop to another call of this turn"
WHAT_BECAME_OF_THEM = f"""\
refund(order="o1")
  -> (stopped) {{"error": "{BESIDE} (to this one they said yes)"}}
refund(order="o2")
  -> (denied) {{"error": "a person did not allow this, and said: no"}}
refund(order="o3")
  -> (denied) {{"error": "a person said stop"}}
"""


def says(*answers: str) -> Any:
    said = iter(answers)

    async def person(question: str, choices: tuple[str, ...]) -> str:
        return next(said)

    return person


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_turn_that_was_stopped_shows_what_became_of_each_of_its_calls(dialect: str) -> None:
    with upstream(plays(THREE, Ok("as you like"))) as up:
        bot = agent(model(up, dialect), tools=[refund], ask=says("yes", "no", "stop"))
        run = sf.run(bot.run("three refunds"))
        assert (run.ended, run.value, paid) == ("denied", sf.ABSTAIN, [])
        assert WHAT_BECAME_OF_THEM in run.transcript.text
        sf.run(bot.run("go on", after=run))  # whoever goes on from there knows it, too
    assert "they said yes" in str(up.log.asked[1].said) and "said: no" in str(up.log.asked[1].said)


def test_calls_behind_the_stop_and_those_that_nobody_is_asked_about_are_in_it_too() -> None:
    wanted = calls(("look_up", {"id": "p1"}), ("refund", {"order": "o1"}), ("refund", {"order": "o2"}), ("pay", {}))
    with upstream(wanted) as up:
        bot = agent(model(up), tools=[look_up, refund])
        stopped, nobody = (sf.run(bot.using(ask=ask).run("it")).transcript.text for ask in (says("stop"), None))
    beside = f'{{"error": "{BESIDE}"}}'
    assert f'look_up(id="p1")\n  -> (stopped) {beside}' in stopped
    assert f'refund(order="o2")\n  -> (stopped) {beside}' in stopped
    assert "pay()\n  -> (unknown)" in stopped
    assert 'refund(order="o1")\n  -> (denied) {"error": "a person must allow this, and nobody can be asked"}' in nobody
    assert "(stopped) " in nobody and "nobody could be asked whether to allow another call of this turn" in nobody


def test_a_plan_made_beside_a_call_that_was_stopped_is_in_the_transcript() -> None:
    wanted = calls(("plan", {"steps": ["pay"]}), ("refund", {"order": "o1"}))
    with upstream(wanted) as up:
        run = sf.run(agent(model(up), tools=[refund], ask=says("stop"), planning=True).run("it"))
    assert run.ended == "denied"
    assert 'plan(steps=["pay"])\n  -> {"result": "kept"}\nrefund(order="o1")\n  -> (denied)' in run.transcript.text


def durably(bot: Any, folder: Path) -> str:
    async def program(order: str) -> str:
        run = await bot.run(order)
        return f"{run.ended}\n{run.transcript}"

    async def go() -> str:
        return await durable.run(program, "o1", id="refunds", store=folder)

    return sf.run(go())


def answered(bot: Any, folder: Path, *answers: str) -> list[str]:
    """The questions of a durable run, each answered in its turn."""
    asked: list[str] = []
    for said in answers:
        with pytest.raises(Waiting) as waits:
            durably(bot, folder)
        asked.append(waits.value.question)
        durable.answer("refunds", said, store=folder)
    return asked


def bot_of(made: Model) -> Any:
    return agent(made, tools=[refund], name="clerk")


def test_a_durable_run_that_was_stopped_shows_all_calls_each_time(tmp_path: Path) -> None:
    with upstream(THREE) as up:
        bot = bot_of(model(up))
        asked = answered(bot, tmp_path, "yes", "no", "stop")
        for _ in range(2):
            text = durably(bot, tmp_path)
            assert text.startswith("denied\n") and WHAT_BECAME_OF_THEM in text
    assert asked[0] == f'clerk wants to call refund(order="o1"). May it? {WORDS}'
    assert paid == []


def test_a_question_of_a_durable_run_is_answered_in_words(tmp_path: Path) -> None:
    with upstream(plays(calls(("refund", {"order": "o1"})), Ok("done"))) as up:
        bot = bot_of(model(up))
        (asked,) = answered(bot, tmp_path, "only half of it")
        assert durably(bot, tmp_path).startswith("answered\n")
        (told,) = shown(up.log.asked[1])
    assert asked == f'clerk wants to call refund(order="o1"). May it? {WORDS}'
    assert told == {"error": "a person did not allow this, and said: only half of it"} and paid == []


def test_an_empty_text_is_no_answer_to_a_question_of_a_durable_run(tmp_path: Path) -> None:
    with upstream(calls(("refund", {"order": "o1"}))) as up:
        with pytest.raises(Waiting):
            durably(bot_of(model(up)), tmp_path)
        with pytest.raises(UsageError, match="an empty text is no answer"):
            durable.answer("refunds", " ", store=tmp_path)


def test_a_run_that_waits_goes_on_where_a_function_answers_from_now_on(tmp_path: Path) -> None:
    with upstream(plays(calls(("refund", {"order": "o1"})), Ok("done"))) as up:
        bot = bot_of(model(up))
        with pytest.raises(Waiting):
            durably(bot, tmp_path)
        assert durably(bot.using(ask=says("yes")), tmp_path).startswith("answered\n")
    assert paid == ["o1"]


@pytest.mark.parametrize(
    ("said", "ended", "done"),
    [
        ("Yes.", "answered", ["o1"]),
        (" YES ", "answered", ["o1"]),
        ("Stop!", "denied", []),
        ("yes, half", "answered", []),
    ],
)
def test_yes_and_stop_are_read_as_people_write_them_and_nothing_else_is_a_yes(
    said: str, ended: str, done: Sequence[str], tmp_path: Path
) -> None:
    played: list[Fault] = [calls(("refund", {"order": "o1"})), Ok("done")]
    with upstream(plays(*played)) as up:
        assert sf.run(agent(model(up), tools=[refund], ask=says(said)).run("o1")).ended == ended
    assert paid == done
    with upstream(plays(*played)) as up:
        bot = bot_of(model(up))
        answered(bot, tmp_path, said)
        assert durably(bot, tmp_path).startswith(f"{ended}\n")
    assert paid == [*done, *done]


SERVER = '''
from mcp.server.mcpserver import MCPServer

server = MCPServer("shop")

@server.tool()
def refund(order: str) -> str:
    """Pay money back."""
    return "paid"

server.run()
'''


def test_tools_of_a_server_are_shown_in_the_same_way(tmp_path: Path) -> None:
    pytest.importorskip("mcp")
    (tmp_path / "shop.py").write_text(SERVER, encoding="utf-8")

    async def main(made: Model) -> str:
        async with tools_of_mcp(f"{sys.executable} {tmp_path / 'shop.py'}") as tools:
            bot = agent(made, tools=tools, permissions={"refund": "ask"}, ask=says("yes", "no", "stop"))
            return (await bot.run("three refunds")).transcript.text

    with upstream(THREE) as up:
        assert WHAT_BECAME_OF_THEM in sf.run(main(model(up)))
