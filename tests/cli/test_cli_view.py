"""`suffice view`: one page of the last evaluation, of two, of a saved report or a climb, and never of a sealed case."""

from __future__ import annotations

import json
import re
from typing import Any

from cli_samples import Command

from suffice.evals.task import Task


def data(suffice: Command, name: str) -> Any:
    text = (suffice.folder / name).read_text(encoding="utf-8")
    found = re.search('<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1])


def inputs(page: Any) -> list[str]:
    return [case[1] for case in page["cases"]]


def test_without_a_run_it_is_the_last_evaluation_with_every_dev_case(suffice: Command) -> None:
    suffice("eval", "t.csv", "my.py:bad")
    suffice("eval", "t.csv", "my.py:middling")
    ran = suffice("view")
    assert (ran.code, ran.out, ran.err) == (0, "eval-2.cases.html\n", "")
    page = data(suffice, "eval-2.cases.html")
    task = Task.load(suffice.folder / "t.csv")
    assert page["names"] == ["middling"] and inputs(page) == [c.inputs for c in task.dev]


def test_no_sealed_case_is_in_a_page_of_an_evaluation_or_a_climb(suffice: Command) -> None:
    suffice("eval", "t.csv", "my.py:bad")
    assert suffice("climb", "t.csv", "my.py:middling", "--bar", ".7").code in (0, 1, 3)
    assert suffice("view", "eval-1").code == suffice("view", "climb-2").code == 0
    pages = "".join((suffice.folder / f"{run}.cases.html").read_text("utf-8") for run in ("eval-1", "climb-2"))
    sealed = Task.load(suffice.folder / "t.csv").sealed()
    assert len(sealed) > 50 and not [c.id for c in sealed if c.inputs in pages]
    assert inputs(data(suffice, "climb-2.cases.html"))


def test_an_edit_can_be_seen_beside_what_was_before_it(suffice: Command) -> None:
    suffice("eval", "t.csv", "my.py:bad")
    suffice.write("my.py", 'def bad(text):\n    return "billing" if "invoice" in text else "shipping"\n')
    suffice("eval", "t.csv", "my.py:bad")
    ran = suffice("view", "eval-1", "eval-2", "--out", "both.html")
    assert (ran.code, ran.out) == (0, "both.html\n")
    page = data(suffice, "both.html")
    assert page["names"] == ["bad (eval-1)", "bad (eval-2)"]
    assert {case[4][0] for case in page["cases"]} == {0} and {case[3][0] for case in page["cases"]} == {0, 1}


def test_a_saved_report_is_seen_like_a_run_also_beside_one(suffice: Command) -> None:
    suffice("eval", "t.csv", "words", "--save", "saved.json")
    suffice("eval", "t.csv", "my.py:good")
    assert suffice("view", "saved.json", "eval-2").out == "saved-eval-2.cases.html\n"
    suffice("view", "eval-1")
    suffice("view", "saved.json")
    assert data(suffice, "eval-1.cases.html") == data(suffice, "saved.cases.html")


def test_nothing_is_asked(suffice: Command) -> None:
    suffice("eval", "t.csv", "my.py:good")
    (suffice.folder / "my.py").unlink()
    assert suffice("view").code == 0


def test_what_cannot_be_shown_is_refused_with_the_next_step(suffice: Command) -> None:
    suffice("view").refused("there is no evaluation yet", "suffice eval TASK SOLUTION")
    suffice("eval", "t.csv", "my.py:good")
    suffice("view", "eval-9").refused("there is no run 'eval-9'", "suffice runs")
    suffice("view", "t.csv").refused("is not a run")
    suffice("view", "none.json").refused("cannot read the report")
    suffice("view", "--out", "none/x.html").refused("there is no folder none")
    suffice("climb", "t.csv", "my.py:middling", "--bar", ".9", "--dev")
    suffice("view", "climb-2", "eval-1").refused("a climb keeps its failures alone")
    suffice.write("new.csv", "text\nan invoice\n")
    assert suffice("apply", "my.py:good", "new.csv", "-o", "out.csv").code == 0
    suffice("view", "apply-3").refused("it is an apply")
    (suffice.folder / "t.csv").unlink()
    suffice("view", "eval-1").refused("t.csv")
    assert not list(suffice.folder.glob("*.html"))
