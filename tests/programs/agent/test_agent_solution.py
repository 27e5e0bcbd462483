"""An agent is a solution everywhere: identity, the command line's names, bundles, models around it, functions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from agent_samples import answers, calls, plays
from program_samples import Write
from upstream_faults import Asked, Fault

import suffice as sf
from suffice.errors import BundleError, NoModel, UsageError
from suffice.programs.agent.bot import Agent
from suffice.programs.bundle import save_bundle
from suffice.programs.identity import function_identity
from suffice.programs.load import find_solution
from suffice.programs.solution import Solution, from_function
from upstream import upstream

SOURCE = '''
from typing import Literal
import suffice as sf

def helper(id):
    return {helper}

@sf.tool(repeat={repeat!r})
def look_up(id: str) -> str:
    """{words}"""
    return helper(id)

bot = sf.agent({model!r}, tools=[look_up], output=Literal[{labels}], instructions={told!r}, max_steps={steps},
               budget=sf.Budget(calls={calls}), dry_run={dry})
other = bot.using(planning=True)

async def around(ticket: str):
    return await bot(ticket)
'''
USUAL = {
    "helper": "id.upper()",
    "repeat": "safe",
    "words": "Find it.",
    "model": "openai:a",
    "labels": "'billing', 'shipping'",
    "told": "Sort.",
    "steps": 5,
    "calls": 9,
    "dry": False,
}
CHANGES = {
    "helper": "id.lower()",
    "repeat": "never",
    "words": "Look it up.",
    "model": "openai:b",
    "labels": "'shipping', 'billing'",
    "told": "Sort them.",
    "steps": 6,
    "calls": 8,
    "dry": True,
}


def test_its_identity_is_that_of_its_model_its_words_its_bounds_and_its_tools_code(user_module: Write) -> None:
    def identity(**changed: object) -> str:
        module = user_module(SOURCE.format(**USUAL | changed))
        return from_function(module.bot).identity

    usual = identity()
    assert identity() == usual
    assert len({usual, *(identity(**{name: value}) for name, value in CHANGES.items())}) == 1 + len(CHANGES)


def test_a_function_that_calls_an_agent_changes_with_it(user_module: Write) -> None:
    def identity(**changed: object) -> str:
        return function_identity(user_module(SOURCE.format(**USUAL | changed)).around)

    assert identity() == identity()
    assert (
        len({identity(), identity(helper="id.lower()"), identity(told="Sort them."), identity(model="openai:b")}) == 4
    )


def say(asked: Asked) -> Fault:
    return plays(calls(("look_up", {"id": "p1"})), answers("shipping"))(asked)


def test_it_is_found_by_its_variable_saved_by_it_and_loaded(user_module: Write, tmp_path: Path) -> None:
    with upstream(lambda asked: say(asked)) as up:
        module = user_module(SOURCE.format(**USUAL | {"model": f"{up.url}#m"}))
        solution = from_function(module.bot)
        assert solution.form is not None and solution.form.data["import"] == "mine:bot"
        assert from_function(module.other).form.data["import"] == "mine:other"  # type: ignore[union-attr]
        save_bundle(solution, tmp_path / "bot.suffice")
        loaded = sf.load(tmp_path / "bot.suffice")
        assert isinstance(loaded, Solution) and loaded.identity == solution.identity
        assert sf.run(loaded("where is p1?")) == "shipping"
        user_module(SOURCE.format(**USUAL | {"model": f"{up.url}#m", "helper": "id.lower()"}))
        with pytest.raises(BundleError, match="is not the function that was saved"):
            sf.load(tmp_path / "bot.suffice")


@pytest.mark.slow
def test_the_command_line_scores_it_and_goes_by_its_name(tmp_path: Path) -> None:
    rows = [{"ticket": f"parcel {n}", "team": "billing" if n % 4 == 0 else "shipping"} for n in range(40)]
    (tmp_path / "tickets.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")

    def reply(asked: Asked) -> Fault:
        last = asked.said["messages"][-1]
        number = int(asked.said["messages"][1]["content"].removeprefix("parcel "))
        right = answers("billing" if number % 4 == 0 else "shipping")
        return right if last["role"] == "tool" else calls(("look_up", {"id": "p1"}))

    with upstream(reply) as up:
        (tmp_path / "my.py").write_text(SOURCE.format(**USUAL | {"model": f"{up.url}#m"}), encoding="utf-8")
        command = [str(Path(sys.executable).parent / "suffice"), "eval", "tickets.jsonl", "my.py:bot"]
        place = {**os.environ, "SUFFICE_HOME": str(tmp_path / ".suffice")}
        said = subprocess.run(command, cwd=tmp_path, env=place, capture_output=True, text=True, check=False)
        assert said.returncode == 0, said.stderr
        assert "1.000" in said.stdout, said.stdout
        asked = len(up.log.asked)
        assert asked > 0
        subprocess.run(
            command, cwd=tmp_path, env={**os.environ, "SUFFICE_HOME": str(tmp_path / ".suffice")}, check=True
        )
        assert len(up.log.asked) == asked  # nothing is asked twice


def test_without_a_model_of_its_own_it_asks_the_one_around_it() -> None:
    bot = sf.agent(output=bool)
    with pytest.raises(NoModel):
        sf.run(bot("is it?"))
    with pytest.raises(NoModel):
        from_function(bot)
    with upstream(answers(True)) as up, sf.using(model=f"{up.url}#m"):
        assert sf.run(bot("is it?")) is True
        assert sf.run(from_function(bot).reply("is it?")) == sf.Answer(True, by="agent")


def test_an_end_without_an_answer_is_handed_on() -> None:
    with upstream(answers("no bool")) as up:
        solution = from_function(sf.agent(f"{up.url}#m", output=bool, max_steps=2))
        assert sf.run(solution("is it?")) is sf.ABSTAIN


def test_other_options_make_another_agent() -> None:
    bot = sf.agent("openai:a", name="desk")
    assert isinstance(bot, Agent) and repr(bot) == "<Agent desk with no tools>"
    assert bot.using(model="openai:b").setup.said_model == "openai:b" and bot.setup.said_model == "openai:a"
    with pytest.raises(UsageError):
        bot.using(permissions={"pay": "deny"})
    with pytest.raises(UsageError):
        bot.using(tools=[])  # type: ignore[call-arg]


def test_a_misspelt_variable_is_said(tmp_path: Path) -> None:
    (tmp_path / "my_bot.py").write_text(SOURCE.format(**USUAL), encoding="utf-8")
    with pytest.raises(Exception, match="has no bott"):
        find_solution(f"{tmp_path / 'my_bot.py'}:bott")
