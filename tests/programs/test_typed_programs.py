"""What pyright and mypy make of a program with steps and models: the types that the program says, and its mistakes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = '''
from typing import Literal

from pydantic import BaseModel

import suffice as sf

Team = Literal["billing", "shipping"]


class Order(BaseModel):
    item: str


@sf.step
async def triage(ticket: str) -> Team | None:
    """Which team should handle this ticket? Answer None if no team fits."""
    ...


@sf.step(temperature=0.2)
async def title(ticket: str, tone: str = "dry") -> str | None:
    """A title."""
    ...


@sf.tool
def look_up(id: str, day: int = 1) -> list[int]:
    """Find it."""
    return [day]


@sf.tool(repeat="never")
async def order(item: str) -> Order:
    """Order it."""
    return Order(item=item)


async def main() -> None:
    model = sf.Model("openai:gpt-5-mini", temperature=0.1)
    reveal_type(await triage("x"))  # team
    reveal_type((await triage.reply("x")).value)  # team
    reveal_type(await triage.using(model=model)("x"))  # team
    reveal_type(sf.run(triage("x")))  # team
    reveal_type(await title("x", tone="warm"))  # text
    reveal_type((await model("x")).value)  # str
    reveal_type((await model("x", output=Order)).value)  # Order
    reveal_type((await model("x", output=Team | None)).value)  # team
    reveal_type((await model("x", output=list[int])).value)  # list
    async with model.stream("x", output=Order) as stream:
        reveal_type(stream)  # stream
    reveal_type(await sf.load("a.suffice", output=Team)("x"))  # loaded
    reveal_type(await look_up("x", day=2))  # list
    reveal_type(await order("x"))  # Order
    bot = sf.agent(model, tools=[look_up, order], output=Team, max_steps=5, dry_run=True)
    reveal_type(await bot("x"))  # loaded
    reveal_type((await sf.agent(tools=[triage]).run("x")).value)  # said
    await look_up(1)  # error
    sf.agent(model, max_stps=5)  # error
    await triage(1)  # error
    await triage.using(model=model)("x", "y")  # error
    await model("x", temprature=1)  # error
'''
SHOWN = {
    "pyright": {
        "team": "Literal['billing', 'shipping'] | None",
        "text": "str | None",
        "str": "str",
        "Order": "Order",
        "list": "list[int]",
        "stream": "Stream[Order]",
        "loaded": "Abstain | Literal['billing', 'shipping']",
        "said": "str | Abstain",
    },
    "mypy": {
        "team": "Literal['billing'] | Literal['shipping'] | None",
        "text": "str | None",
        "str": "str",
        "Order": "program.Order",
        "list": "list[int]",
        "stream": "suffice.models.stream.Stream[program.Order]",
        "loaded": "Literal['billing'] | Literal['shipping'] | suffice.values.Abstain",
        "said": "str | suffice.values.Abstain",
    },
}
COMMANDS = {
    "pyright": ["pyright", "--pythonpath", sys.executable],
    "mypy": ["mypy", "--strict", "--python-executable", sys.executable],
}


@pytest.mark.slow
@pytest.mark.parametrize("checker", COMMANDS)
def test_a_checker_sees_the_types_that_a_program_says_and_its_mistakes(tmp_path: Path, checker: str) -> None:
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    command, *options = COMMANDS[checker]
    tool = Path(sys.executable).parent / command
    ran = subprocess.run(
        [tool, *options, "program.py"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
    )
    shown = dict(re.findall(r'program\.py:(\d+).*?[Tt]ype (?:of .* )?is "(.*)"$', ran.stdout, re.MULTILINE))
    wrong = set(re.findall(r"program\.py:(\d+)\S* (?:- )?error", ran.stdout))
    lines = {str(n): line.rpartition("# ")[2] for n, line in enumerate(PROGRAM.splitlines(), 1) if "  # " in line}
    expected = {n: SHOWN[checker][word] for n, word in lines.items() if word != "error"}
    assert shown == expected, ran.stdout
    assert wrong == {n for n, word in lines.items() if word == "error"}, ran.stdout
