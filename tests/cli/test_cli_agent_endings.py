"""An agent that ends without an answer hands its case on: each command that shows the case says how it ended."""

from __future__ import annotations

import json

import pytest
from cli_samples import Command
from upstream_faults import Asked, Fault, Ok, always

from upstream import upstream

AGENTS = '''
from typing import Literal
import suffice as sf

@sf.tool(permission="ask")
def refund(order: str) -> str:
    """Pay it back."""
    return "paid"

@sf.tool
def look_up(id: str) -> str:
    """Find it."""
    return id

Label = Literal["billing", "shipping"]
bot = sf.agent(tools=[refund], output=Label, name="bot")
short = sf.agent(tools=[look_up], output=Label, max_steps=2, name="short")

async def around(text: str):
    return await bot(text)

'''
PAY = Ok("", tools=(("refund", json.dumps({"order": "o1"})),))
LOOK = Ok("", tools=(("look_up", json.dumps({"id": "p1"})),))
DENIED = "the agent bot ended without an answer, denied: a person said stop, or nobody could be asked"
STEPS = "the agent short ended without an answer, max_steps: it had made as many replies as it may"


@pytest.mark.parametrize("solution", ["bot", "around"])
def test_the_report_the_trace_and_every_case_say_how_the_agent_ended(suffice: Command, solution: str) -> None:
    suffice.write("bots.py", AGENTS)
    with upstream(always(PAY)) as up:
        settings = {"SUFFICE_MODEL": f"{up.url}#m"}
        done = suffice("eval", "t.csv", f"bots.py:{solution}", "--save", "r.json", **settings)
        assert done.code == 0
        again = suffice("eval", "t.csv", f"bots.py:{solution}", **settings)
        assert len(up.log.asked) == (n := len(suffice_rows(suffice)))
    said = f"note       {n} of {n} handed on: {DENIED}"
    assert said in done.out and said in again.out  # the second looked all of it up
    assert {row["reason"] for row in suffice_rows(suffice)} == {f"handed on: {DENIED}"}
    assert f"note       {n} of {n} handed on: {DENIED}" in suffice("show", "eval-1").out
    case = suffice("trace", "eval-1").err.split()[-1]
    assert "agent, denied: a person said stop, or nobody could be asked" in suffice("trace", "eval-1", case).out
    assert suffice("view", "eval-2").code == 0
    assert DENIED in (suffice.folder / "eval-2.cases.html").read_text(encoding="utf-8")


def suffice_rows(suffice: Command) -> list[dict[str, str]]:
    return json.loads((suffice.folder / "r.json").read_text(encoding="utf-8"))["cases"]


def test_endings_are_counted_apart_and_repeats_and_other_reasons_too(suffice: Command) -> None:
    suffice.write("bots.py", AGENTS)

    def reply(asked: Asked) -> Fault:
        invoice = "invoice" in asked.said["messages"][1]["content"]
        return Ok("", tools=(("final_answer", json.dumps({"answer": "billing"})),)) if invoice else LOOK

    with upstream(reply) as up:
        done = suffice(
            "eval", "t.csv", "bots.py:short", "--repeats", "2", "--save", "r.json", SUFFICE_MODEL=f"{up.url}#m"
        )
    held = [row for row in suffice_rows(suffice) if "parcel" in row["inputs"]]
    assert done.code == 0 and 0 < len(held) < len(suffice_rows(suffice))
    assert f"note       {2 * len(held)} of {2 * len(held)} handed on: {STEPS}" in done.out
    assert all(STEPS in row["reason"] for row in held)


def test_what_a_function_handed_on_by_itself_has_no_such_note(suffice: Command) -> None:
    suffice.write("held.py", "import suffice as sf\n\n\ndef all_of_it(text):\n    return sf.ABSTAIN\n")
    done = suffice("eval", "t.csv", "held.py:all_of_it", "--save", "r.json")
    assert done.code == 0 and "handed on" in done.out and "note  " not in done.out
    assert {row["reason"] for row in suffice_rows(suffice)} == {"handed on"}
