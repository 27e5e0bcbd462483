"""A workflow is a solution everywhere: identity, evaluate, the command line, bundles, models, callers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from asked_samples import knows, said, triage
from program_samples import Write
from upstream_faults import Asked, Fault
from workflow_samples import grown, lines

import suffice as sf
from suffice.errors import BundleError, NoModel, SolutionError
from suffice.programs.bundle import save_bundle
from suffice.programs.constant import constant_solution
from suffice.programs.identity import function_identity
from suffice.programs.solution import from_function
from suffice.programs.workflow import branch, chain, gate, parallel, refine, vote
from suffice.values import ABSTAIN
from upstream import upstream

NOBODY = "http://127.0.0.1:1/v1#m"


def tidy(text: str) -> str:
    return text.strip()


def loud(text: str) -> str:
    return text.upper()


def fault(text: str, draft: str) -> str | None:
    return None if draft.isupper() else "it is not loud"


def mend(text: str, draft: str, reason: str) -> str:
    return draft.upper()


def identity(made, model: str = NOBODY) -> str:
    with sf.using(model=model):
        return made.as_solution().identity


ONE_CHANGED = {
    "the order of the stages": (chain(tidy, loud), chain(loud, tidy)),
    "a stage more": (chain(tidy, loud), chain(tidy, loud, loud)),
    "a lambda": (chain(lambda text: text + "a"), chain(lambda text: text + "b")),
    "what a gate checks": (chain(tidy, gate(str.isdigit), loud), chain(tidy, gate(str.isalpha), loud)),
    "what comes of a closed gate": (chain(tidy, gate(str.isdigit)), chain(tidy, gate(str.isdigit, None))),
    "the place of a gate": (chain(tidy, gate(str.isdigit), loud), chain(gate(str.isdigit), tidy, loud)),
    "the name of a label": (branch(tidy, {"a": loud}), branch(tidy, {"b": loud})),
    "a default": (branch(tidy, {"a": loud}), branch(tidy, {"a": loud}, default=tidy)),
    "the name of a section": (parallel({"a": tidy}), parallel({"b": tidy})),
    "how many votes": (vote(tidy, n=3), vote(tidy, n=5)),
    "a threshold": (vote(tidy, n=3), vote(tidy, n=3, threshold=0.5)),
    "the kind": (chain(tidy, loud), vote(tidy, loud)),
    "how many rounds": (refine(tidy, fault, mend, most=1), refine(tidy, fault, mend, most=2)),
    "an option of a step": (chain(triage), chain(triage.using(temperature=0.7))),
    "the model of a step": (chain(triage.using(model=NOBODY)), chain(triage.using(model=f"{NOBODY}2"))),
    "examples of a step": (chain(triage), chain(triage.using(examples=[("x", "billing")]))),
    "a solution in it": (chain(constant_solution("a")), chain(constant_solution("b"))),
    "what is inside of what is inside": (chain(chain(triage)), chain(chain(triage.using(temperature=0.7)))),
}


@pytest.mark.parametrize("name", ONE_CHANGED)
def test_its_identity_changes_with(name):
    one, other = ONE_CHANGED[name]
    assert identity(one) != identity(other)
    assert identity(one) == identity(one)


def test_its_identity_changes_with_the_model_that_holds_and_not_where_nobody_asks_one():
    assert identity(chain(triage)) != identity(chain(triage), f"{NOBODY}2")
    assert identity(chain(triage)) != identity(chain(triage), sf.Model(NOBODY, temperature=0.7))
    assert identity(chain(tidy, loud)) == identity(chain(tidy, loud), f"{NOBODY}2")


def test_what_was_answered_with_one_model_is_not_given_as_that_of_another(tmp_path):
    async def calls_a_step(ticket):
        return await triage(ticket)

    task = sf.Task(tickets(), inputs=["ticket"], expected="team", kind="label")
    for solution in (calls_a_step, chain(calls_a_step), chain(triage)):
        with upstream(lambda asked: said("returns") if asked.body["model"] == "bad" else knows(asked)) as up:
            for name, score in (("good", 1.0), ("bad", 0.0), ("good", 1.0)):
                report = sf.run(sf.evaluate(task, solution, store=tmp_path, model=f"{up.url}#{name}"))
                assert report.score == score
            assert len(up.log.served) == 2 * report.n


def test_who_says_its_own_model_does_not_hang_on_the_one_that_holds():
    own = triage.using(model=NOBODY)
    assert identity(chain(own), NOBODY) == identity(chain(own), f"{NOBODY}2")


def test_its_name_is_no_part_of_its_identity():
    assert identity(chain(tidy, loud)) == identity(chain(tidy, loud, name="shout"))


PROGRAM = """
import suffice as sf
from suffice.programs.workflow import chain

@sf.step
async def team(ticket: str) -> str | None:
    \"\"\"Which team?\"\"\"
    ...

def tidy(text: str) -> str:
    return text.strip()

desk = chain(tidy, team)

async def answer(ticket):
    return await desk(ticket)

async def alone(ticket):
    return await team(ticket)
"""


@pytest.mark.parametrize("name", ["desk", "answer", "alone"])
def test_a_changed_prompt_changes_whatever_calls_the_step(user_module: Write, name):
    before = function_identity(getattr(user_module(PROGRAM), name))
    assert before == function_identity(getattr(user_module(PROGRAM + "# a comment\n"), name))
    assert before != function_identity(getattr(user_module(PROGRAM.replace("Which team?", "Whose is it?")), name))


def test_its_name_is_that_of_its_variable_or_as_it_is_said(user_module: Write):
    assert user_module(PROGRAM).desk.name == "desk"
    assert chain(tidy).name == "chain" and chain(tidy, name="x").as_solution().name == "x"


def test_a_workflow_that_calls_itself_has_an_identity(user_module: Write):
    module = user_module("""
    from suffice.programs.workflow import chain
    def again(n: int):
        return chain_down(n - 1) if n > 0 else "done"
    chain_down = chain(again)
    """)
    assert function_identity(module.chain_down) == function_identity(module.chain_down)
    assert sf.run(module.chain_down(3)) == "done"


def test_without_a_model_it_is_refused_before_anything_is_called(monkeypatch):
    monkeypatch.delenv("SUFFICE_MODEL", raising=False)
    with pytest.raises(NoModel):
        from_function(chain(tidy, triage))
    from_function(chain(tidy, loud))


def test_as_a_solution_it_keeps_the_model_that_held_when_it_was_made():
    with upstream(knows) as up:
        with sf.using(model=f"{up.url}#m"):
            solution = from_function(chain(tidy, triage))
        assert sf.run(solution(" my parcel ")) == "shipping" and len(up.log.served) == 1


def test_a_blank_input_is_handed_on_as_by_a_step_alone():
    @sf.step
    async def summary(text: str) -> str:
        """Sum it up."""
        ...

    with sf.using(model=NOBODY):
        assert sf.run(from_function(chain(tidy, summary))("  ")) is ABSTAIN
        assert sf.run(from_function(chain(tidy, triage))("  ")) is None


def test_steps_agents_and_workflows_nest_in_one_tree():
    with upstream(knows) as up, sf.using(model=f"{up.url}#m"):
        made = chain(tidy, branch(triage, {"shipping": chain(loud, name="ship")}, default=tidy), name="desk")
        value, root = grown(lambda: made(" my parcel "))
        assert value == "MY PARCEL"
        told = [line for line in lines(root) if " model " not in line]
        assert told == [
            "program desk",
            "  stage tidy",
            "  stage branch",
            "    program branch",
            "      stage triage",
            "        step triage",
            "      branch ship",
            "        program ship",
            "          stage loud",
        ]


def tickets(n: int = 40) -> list[dict]:
    return [
        {"ticket": f"my parcel {i}" if i % 2 else f"an invoice {i}", "team": ("billing", "shipping")[i % 2]}
        for i in range(n)
    ]


def test_evaluate_asks_it_and_asks_nothing_twice(tmp_path):
    task = sf.Task(tickets(), inputs=["ticket"], expected="team", kind="label")
    with upstream(knows) as up, sf.using(model=f"{up.url}#m"):
        report = sf.run(sf.evaluate(task, chain(tidy, triage), store=tmp_path))
        assert report.score == 1.0 and len(up.log.served) == report.n
        sf.run(sf.evaluate(task, chain(tidy, triage), store=tmp_path))
        assert len(up.log.served) == report.n


def test_a_failing_branch_costs_its_section_not_the_run(tmp_path):
    def fails_on_odd(text):
        return 1 // (1 - int(text.split()[-1]) % 2)

    task = sf.Task(tickets(), inputs=["ticket"], expected="team", kind="label")
    made = chain(
        parallel({"team": lambda t: "shipping" if "parcel" in t else "billing", "more": fails_on_odd}),
        lambda found: found["team"],
    )
    report = sf.run(sf.evaluate(task, made, store=tmp_path))
    assert report.score == 1.0 and not report.errors


def answering(asked: Asked) -> Fault:
    return said("shipping" if "parcel" in asked.text else "billing")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "my.py").write_text(PROGRAM, encoding="utf-8")
    rows = [json.dumps(row) for row in tickets(60)]
    (tmp_path / "tickets.jsonl").write_text("\n".join(rows), encoding="utf-8")
    return tmp_path


def ran(project: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "SUFFICE_MODEL"} | {"NO_COLOR": "1", **variables}
    return subprocess.run(
        ["suffice", *command],
        cwd=project,
        env={**environment, "PATH": f"{Path(sys.executable).parent}:{environment['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_on_the_command_line_it_goes_by_its_variable(project: Path):
    with upstream(answering) as up:
        done = ran(project, "eval", "tickets.jsonl", "my.py:desk", SUFFICE_MODEL=f"{up.url}#m")
        assert done.returncode == 0 and "desk" in done.stdout, done.stdout + done.stderr


def test_saved_it_asks_the_model_that_it_was_saved_with_and_is_refused_when_it_changed(user_module: Write, tmp_path):
    with upstream(answering) as up:
        with sf.using(model=f"{up.url}#m"):
            solution = from_function(user_module(PROGRAM, name="shop").desk)
        bundle = save_bundle(solution, tmp_path / "desk.suffice")
        loaded = sf.load(bundle)
        assert sf.run(loaded("my parcel")) == "shipping" and loaded.identity == solution.identity
        other = sf.load(bundle, model=f"{up.url}#other")
        assert other.identity != solution.identity and sf.run(other("my parcel")) == "shipping"
        assert [a.body["model"] for a in up.log.asked] == ["m", "other"]
    user_module(PROGRAM.replace("Which team?", "Whose?"), name="shop")
    with pytest.raises(BundleError, match="not the function that was saved"):
        sf.load(bundle)


def test_the_options_of_the_model_around_it_hold_in_a_bundle_too(user_module: Write, tmp_path, monkeypatch):
    monkeypatch.setenv("COOL_KEY", "k")
    with upstream(answering) as up:
        cool = sf.Model("openai:m", base_url=up.url, key_env="COOL_KEY", temperature=0.25, seed=7)
        with sf.using(model=cool):
            solution = from_function(user_module(PROGRAM, name="cool").desk)
            assert sf.run(solution("my parcel")) == "shipping"
        loaded = sf.load(save_bundle(solution, tmp_path / "cool.suffice"))
        assert sf.run(loaded("my parcel")) == "shipping" and loaded.identity == solution.identity
        assert [(a.body["temperature"], a.body["seed"]) for a in up.log.asked] == [(0.25, 7)] * 2


def test_what_was_made_inside_a_function_cannot_be_saved(tmp_path):
    with pytest.raises(SolutionError, match="cannot be saved"):
        save_bundle(from_function(chain(tidy)), tmp_path / "x.suffice")
