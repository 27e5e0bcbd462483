"""A dry run holds for everything inside: what changes something is called by no tool, workflow or agent below it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from agent_samples import calls, model, plays, shown
from upstream_faults import Ok

import suffice as sf
from suffice.programs import durable
from suffice.programs.agent import agent
from suffice.programs.agent.transcript import AgentRun
from suffice.programs.dry_run import LeftOut, running_dry
from suffice.programs.solution import from_function
from upstream import Upstream, upstream

paid: list[float] = []


@sf.tool(repeat="never")
def pay(usd: float) -> str:
    """Pay."""
    paid.append(usd)
    return "paid"


async def settle(order: str) -> str:
    return await pay(3.5)


def settle_plainly(order: str) -> str:
    return sf.run(pay(3.5))


async def settle_side_by_side(order: str) -> str:
    async with asyncio.TaskGroup() as group:
        group.create_task(pay(3.5))
    return "settled"


@sf.tool
async def settle_as_tool(order: str) -> str:
    """Settle an order."""
    return await settle(order)


@pytest.fixture(autouse=True)
def nothing_paid() -> None:
    paid.clear()


def dry(up: Upstream, tool: Callable[..., Any]) -> AgentRun[Any]:
    return sf.run(agent(model(up), tools=[tool], dry_run=True).run("o1"))


@pytest.mark.parametrize(
    "tool",
    [
        sf.workflow.chain(settle, name="settle"),
        sf.workflow.chain(settle_plainly, name="settle"),
        sf.workflow.chain(settle_side_by_side, name="settle"),
        from_function(settle),
        settle_as_tool.using(name="settle"),
    ],
    ids=["workflow", "plain", "group", "solution", "tool"],
)
def test_what_a_tool_would_do_inside_is_left_out_and_told(tool: Any) -> None:
    with upstream(plays(calls(("settle", {"order": "o1"})), Ok("done"))) as up:
        run = dry(up, tool)
        (note,) = shown(up.log.asked[1])
    assert paid == [] and run.value == "done"
    assert note["note"].startswith("dry run: pay(usd=3.5) was not called, because it changes something")
    assert "(dry) {" in run.transcript.text


def test_an_agent_as_a_tool_runs_dry_with_the_one_that_calls_it() -> None:
    with (
        upstream(plays(calls(("pay", {"usd": 2.0})), Ok("inner done"))) as below,
        upstream(plays(calls(("clerk", {"input": "o1"})), Ok("done"))) as up,
    ):
        run = dry(up, agent(model(below), tools=[pay], name="clerk"))
        assert "dry run: this was not done" in shown(below.log.asked[1])[0]["note"]
        (result,) = shown(up.log.asked[1])
    assert paid == [] and run.value == "done" and result["result"]["value"] == "inner done"


def test_it_holds_inside_of_it_alone() -> None:
    with upstream(plays(calls(("settle", {"order": "o1"})), Ok("done"))) as up:
        dry(up, sf.workflow.chain(settle, name="settle"))
    assert sf.run(settle("o1")) == "paid" and paid == [3.5]
    with running_dry(), pytest.raises(LeftOut):
        sf.run(settle("o1"))
    assert paid == [3.5]


def test_in_a_durable_run_it_is_the_same_each_time(tmp_path: Path) -> None:
    with upstream(plays(calls(("settle", {"order": "o1"})), Ok("done"))) as up:
        bot = agent(model(up), tools=[sf.workflow.chain(settle, name="settle")], dry_run=True)

        async def program(order: str) -> str:
            return (await bot.run(order)).transcript.text

        first, again = (sf.run(durable.run(program, "o1", id="dry", store=tmp_path)) for _ in range(2))
        assert len(up.log.asked) == 2
    assert first == again and "dry run: pay(usd=3.5)" in first and paid == []
