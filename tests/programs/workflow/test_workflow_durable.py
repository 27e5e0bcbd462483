"""Workflows in a durable run: nothing is done twice, and branches finish while one waits for a person."""

from __future__ import annotations

import asyncio

import pytest
from asked_samples import knows, triage

import suffice as sf
from suffice.errors import Waiting
from suffice.programs import workflow
from upstream import upstream


def ticket(text: str) -> str:
    return text.strip()


async def approve(team: str) -> str:
    await asyncio.sleep(0)
    return team if await sf.ask_human(f"Send it to {team}?", ["yes", "no"]) == "yes" else "nobody"


def test_branches_finish_while_one_waits_for_a_person_and_nothing_is_asked_twice(tmp_path):
    with upstream(knows) as up:
        step = triage.using(model=f"{up.url}#m")
        desk = workflow.parallel(
            {
                "one": workflow.chain(ticket, step, approve),
                "two": workflow.chain(ticket, lambda text: f"{text} broken", step),
                "votes": workflow.vote(step.using(temperature=0.7), n=3),
            },
            name="desk",
        )

        async def program(text: str):
            return await desk(text)

        with pytest.raises(Waiting, match="Send it to shipping"):
            sf.run(sf.durable.run(program, "my parcel", id="t1", store=tmp_path))
        asked = len(up.log.served)
        assert asked == 5  # one each, and three votes: nobody waited for the person
        sf.durable.answer("t1", "yes", store=tmp_path)
        value = sf.run(sf.durable.run(program, "my parcel", id="t1", store=tmp_path))
        assert value == {"one": "shipping", "two": "shipping", "votes": "shipping"}
        assert len(up.log.served) == asked
