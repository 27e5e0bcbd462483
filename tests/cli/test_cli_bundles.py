"""A saved bundle in the commands that score it: what it was fitted on is said, and which model is asked."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import pytest
from cli_samples import Command, table
from upstream_faults import Ok

import suffice as sf
from suffice.ladder.climb import climb
from suffice.programs.bundle import save_bundle
from suffice.programs.constant import constant_solution
from upstream import Upstream, upstream


@pytest.fixture
def fitted(suffice: Command) -> Command:
    """With the bundle of a climb: `w.suffice`, fitted on train and dev of `t.csv`."""
    task = sf.Task.load(suffice.folder / "t.csv", bar=0.8)
    asyncio.run(climb(task, ["words"], store=suffice.home)).save(suffice.folder / "w.suffice")
    return suffice


def test_eval_says_that_a_bundle_was_fitted_on_the_cases_and_so_do_its_run_and_its_page(fitted: Command) -> None:
    ran = fitted("eval", "t.csv", "w.suffice", "--save", "r.json")
    n = json.loads((fitted.folder / "r.json").read_text("utf-8"))["n"]
    assert f"fitted on  {n} of these {n} cases, so the score flatters; none is left to judge it by" in ran.out
    assert f"; fitted on {n} of these cases" in fitted("runs", "--kind", "eval").out
    assert fitted("report", "eval-2").code == 0
    assert f"It was fitted on {n} of these cases, so that flatters" in (fitted.folder / "eval-2.html").read_text(
        "utf-8"
    )


def test_eval_gives_the_figure_on_the_cases_that_came_later(fitted: Command) -> None:
    fitted.write("more.csv", (fitted.folder / "t.csv").read_text("utf-8") + table(200, seed=9).partition("\n")[2])
    assert ", so the score flatters; on the other " in fitted("eval", "more.csv", "w.suffice").out


def test_compare_says_which_of_the_two_was_fitted_on_the_cases(fitted: Command) -> None:
    ran = fitted("compare", "t.csv", "my.py:good", "w.suffice")
    assert ", so the difference flatters; too few are left to compare them by" in ran.out
    assert "fitted on  words: " in ran.out


def test_on_dev_the_gate_refuses_a_bundle_that_was_fitted_on_it_with_the_command_to_type(fitted: Command) -> None:
    assert fitted("eval", "t.csv", "my.py:good", "--save", "r.json").code == 0
    ran = fitted("gate", "w.suffice", "t.csv", "--on", "dev", "--against", "r.json")
    ran.refused("was fitted on these dev cases, so that they cannot judge it", "suffice gate w.suffice t.csv")


def test_the_sealed_gate_of_such_a_bundle_is_still_a_look_up(fitted: Command) -> None:
    ran = fitted("gate", "w.suffice", "t.csv", "--bar", ".8")
    assert ran.code == 0 and "Known: decided on" in ran.out, ran.err


def test_a_climb_takes_no_chance_from_cases_that_a_bundle_was_fitted_on(fitted: Command) -> None:
    ran = fitted("climb", "t.csv", "w.suffice", "--bar", ".85", "--dev")
    assert ran.code == 3 and "predicted chance" not in ran.out + ran.err
    assert "dev cases, which show nothing of it: not tried" in ran.err
    assert "Its chance is unknown, and no try was spent; `suffice gate` with --anyway spends one." in ran.out


# Which model


@sf.step
async def team(text: str) -> Literal["billing", "shipping"]:
    """Which team?"""
    ...


@pytest.fixture
def own() -> Iterator[Upstream]:
    with upstream(Ok('{"answer": "billing"}')) as running:
        yield running


@pytest.fixture
def other() -> Iterator[Upstream]:
    with upstream(Ok('{"answer": "billing"}')) as running:
        yield running


@pytest.fixture
def pinned(suffice: Command, own: Upstream) -> Command:
    """With the bundle `b` of a step that asks the model `own`."""
    step = team.using(model=f"{own.url}#own").as_solution()
    save_bundle(step, suffice.folder / "b", claim={"bar": 0.8, "sentence": "it suffices"})
    suffice.write("new.csv", "text\nmy parcel\n")
    return suffice


@pytest.mark.parametrize(
    "typed",
    [
        ["eval", "t.csv", "b"],
        ["compare", "t.csv", "my.py:bad", "b"],
        ["climb", "t.csv", "b", "--bar", ".8", "--dev"],
        ["gate", "b", "t.csv", "--bar", ".8"],
        ["apply", "b", "new.csv"],
    ],
    ids=lambda typed: typed[0],
)
def test_a_model_that_a_command_says_is_asked_and_the_claim_is_dropped(
    pinned: Command, own: Upstream, other: Upstream, typed: list[str]
) -> None:
    ran = pinned(*typed, "--model", f"{other.url}#said")
    assert {asked.model for asked in other.log.asked} == {"said"} and not own.log.served, ran.err
    assert ran.err.count("note: b is asked with http") == 1 and "and is dropped" in ran.err


def test_a_model_in_the_environment_or_its_own_changes_nothing(pinned: Command, own: Upstream, other: Upstream) -> None:
    for said in ({"SUFFICE_MODEL": f"{other.url}#environment"}, {}):
        ran = pinned("apply", "b", "new.csv", *([] if said else ["--model", f"{own.url}#own"]), **said)
        assert ran.code == 0 and "note: " not in ran.err and own.log.served and not other.log.served


def test_show_says_what_a_bundle_is_without_running_it(fitted: Command) -> None:
    ran = fitted("show", "w.suffice")
    assert ran.code == 0 and not ran.err
    lines = dict(reversed([line.split(maxsplit=1) for line in ran.out.replace("fitted on", "fitted_on").splitlines()]))
    assert lines["claim"].startswith("PASS: `words` suffices: at least .") and lines["claim"].endswith("(task t)")
    told = json.loads(fitted("show", "w.suffice", "--json").out)
    assert lines["fitted_on"] == f"{told['fitted_on']} cases" and told["fitted_on"] > 50
    assert [m["name"] for m in told["members"]][-1] == "words" and told["claim"]["verdict"] == "PASS"
    assert "numpy" in told["needs"] and told["python"] and told["hash"][:16] in lines["bundle"]


def test_show_names_thresholds_models_and_functions_of_a_route(suffice: Command) -> None:
    first = replace(constant_solution("a"), name="first")
    model = sf.Model("openai:gpt-5-mini")

    @sf.step
    async def triage(text: str) -> Literal["a", "b"]:
        """Which?"""
        ...

    save_bundle(sf.route(first, triage.using(model=model), thresholds=[0.8, None]), suffice.folder / "r.suffice")
    out = suffice("show", "r.suffice").out
    assert re.search(r"member +first, constant: answers from confidence 0\.8 up\n", out)
    assert re.search(r"member +triage, step, asks openai:gpt-5-mini\n", out)
    assert "claim      none" in out and "fitted on  no case that is known" in out
    assert "needs      openai:gpt-5-mini OPENAI_API_KEY" in out


def test_show_refuses_what_is_neither(suffice: Command) -> None:
    suffice("show", ".").refused("its manifest.json is missing", "")
    suffice("show", "nothing-7").refused("nothing-7", "suffice runs")


# ---------------------------------------------------------------- what a climb writes over


CLIMB = ("climb", "t.csv", "my.py:good")


def test_the_same_climb_twice_leaves_the_same_bundle(suffice: Command) -> None:
    assert suffice(*CLIMB, "--bar", ".8").code == 0
    manifest = (suffice.folder / "t.suffice" / "manifest.json").read_bytes()
    assert suffice(*CLIMB, "--bar", ".8").code == 0
    assert (suffice.folder / "t.suffice" / "manifest.json").read_bytes() == manifest


@pytest.mark.parametrize("named", [(), ("--out", "t.suffice")])
def test_the_bundle_of_another_claim_is_not_written_over_unasked(suffice: Command, named: tuple[str, ...]) -> None:
    assert suffice(*CLIMB, "--bar", ".8").code == 0
    before = (suffice.folder / "t.suffice" / "manifest.json").read_bytes()
    runs = suffice("runs").out
    other = (*CLIMB, "--bar", ".85", *named)
    suffice(*other).refused("t.suffice", "another claim", "--out", "--overwrite")
    assert (suffice.folder / "t.suffice" / "manifest.json").read_bytes() == before
    assert suffice("runs").out == runs  # nothing was begun, and no try was spent
    assert suffice(*other, "--overwrite").code == 0
    assert json.loads((suffice.folder / "t.suffice" / "manifest.json").read_text("utf-8"))["claim"]["bar"] == 0.85


def test_a_bundle_of_another_task_and_one_without_a_claim_are_left_alone(suffice: Command) -> None:
    save_bundle(constant_solution("billing"), suffice.folder / "t.suffice")
    suffice(*CLIMB, "--bar", ".8").refused("--overwrite")
    assert suffice(*CLIMB, "--bar", ".8", "--out", "mine.suffice").code == 0
    suffice.write("u.csv", table(300, seed=5))
    suffice("climb", "u.csv", "my.py:good", "--bar", ".8", "--out", "mine.suffice").refused("--overwrite")


def test_climbing_on_dev_alone_writes_no_bundle_and_minds_none(suffice: Command) -> None:
    assert suffice(*CLIMB, "--bar", ".8", "--out", "a.suffice").code == 0
    assert suffice(*CLIMB, "--bar", ".8", "--dev").code == 0  # its verdict is known
    assert not (suffice.folder / "t.suffice").exists()
    before = (suffice.folder / "a.suffice" / "manifest.json").stat().st_mtime_ns
    assert suffice(*CLIMB, "--bar", ".85", "--dev", "--out", "a.suffice").code == 0
    assert (suffice.folder / "a.suffice" / "manifest.json").stat().st_mtime_ns == before


UNSAVED = """
from suffice.programs.world import World

def good(text):
    return "billing" if "invoice" in text else "shipping"

def program(tools):
    return lambda text: good(text)

def closed():
    def answer(text):
        return good(text)
    return answer

desk = World(lambda inputs: {}, lambda state: []).solution(program, name="desk")
short = lambda text: good(text)
answer = closed()

def right(output, expected):
    return (output["answer"] if isinstance(output, dict) else output) == expected
"""


@pytest.mark.parametrize(
    ("name", "said"),
    [("desk", "a world's solution is for judging"), ("short", "a lambda"), ("answer", "made inside a function")],
)
def test_what_cannot_be_saved_is_refused_with_out_before_anything_runs(suffice: Command, name: str, said: str) -> None:
    suffice.write("unsaved.py", UNSAVED)
    climb = ("climb", "t.csv", f"unsaved.py:{name}", "--bar", ".8", "--grader", "unsaved.py:right", "--trust")
    suffice(*climb, "--out", "desk.suffice").refused("cannot be saved", said, "nothing was run", "without --out")
    assert "climb-1" not in suffice("runs").out
    assert suffice(*climb, "--dev", "--out", "desk.suffice").code == 0  # writes none
    ran = suffice(*climb)
    assert ran.code == 0 and "not saved: " in ran.err and said in ran.err
