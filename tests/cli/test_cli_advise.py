"""`suffice advise`: failures of the latest or a named evaluation, possible label errors, break-even; nothing sealed."""

from __future__ import annotations

import subprocess
import sys

from cli_samples import Command, table

from suffice.evals.task import Task


def test_it_tells_of_the_latest_evaluation_and_of_a_named_one(suffice: Command) -> None:
    suffice("eval", "t.csv", "my.py:bad")
    suffice("eval", "t.csv", "my.py:middling")
    last = suffice("advise", "t.csv")
    assert last.code == 0 and last.out.startswith("middling on t, dev (eval-2): ")
    assert "billing → shipping" in last.out and "SOLUTION" not in last.out + last.err
    named = suffice("advise", "t.csv", "my.py:bad")
    assert named.out.startswith("bad on t, dev (eval-1): ") and "shipping → billing" in named.out
    assert "suffice climb t.csv words --bar .9 --dev" in named.out
    assert suffice("advise", "t.csv", "eval-1").out.startswith("bad on t")


SHY = """
import suffice as sf

def shy(text):
    return sf.ABSTAIN if int(text.split()[2]) % 3 == 0 else "billing" if "invoice" in text else "shipping"
"""


def test_the_command_to_type_next_names_the_solution_as_it_was_typed(suffice: Command) -> None:
    suffice.write("rules of mine/own.py", SHY)
    suffice("eval", "t.csv", "rules of mine/own.py:shy")
    last = suffice("advise", "t.csv")
    assert "next: suffice climb t.csv 'rules of mine/own.py:shy' words --bar .9 --dev" in last.out
    assert "SOLUTION" not in last.out + last.err
    assert suffice("advise", "t.csv", "eval-1").out == suffice("advise", "t.csv", "shy").out == last.out
    suffice("advise", "t.csv", "eval-9").refused("was not evaluated", "suffice eval t.csv 'rules of mine/own.py:shy'")


def test_of_an_evaluation_from_python_nobody_knows_what_is_typed_and_that_is_said(suffice: Command) -> None:
    suffice.write("own.py", SHY)
    suffice.write("run.py", "import suffice as sf, own\nsf.run(sf.evaluate(sf.Task.load('t.csv'), own.shy))\n")
    ran = subprocess.run(
        [sys.executable, "run.py"], cwd=suffice.folder, env=suffice.environment(), capture_output=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    said = suffice("advise", "t.csv")
    assert "SOLUTION stands for shy" in said.err and "suffice climb t.csv SOLUTION words" in said.out


def test_a_wrong_label_is_shown_with_its_line_and_no_sealed_case_is(suffice: Command) -> None:
    task = Task.load(suffice.folder / "t.csv")
    case = task.dev[0]
    other = "billing" if case.expected == "shipping" else "shipping"
    lines = table(200).replace(f"{case.inputs},{case.expected}", f"{case.inputs},{other}")
    suffice.write("t.csv", lines)
    before = (suffice.folder / "t.csv").read_bytes()
    ran = suffice("advise", "t.csv", "--json")
    suspects = ran.json["label_noise"]["suspects"]
    assert [s["source"] for s in suspects] == [case.source] and suspects[0]["expected"] == other
    assert "suffice eval t.csv SOLUTION" in ran.err and ran.json["advice"] == []
    assert not [c.id for c in Task.load(suffice.folder / "t.csv").sealed() if c.inputs in ran.out]
    assert (suffice.folder / "t.csv").read_bytes() == before


def test_the_break_even_is_from_the_users_prices(suffice: Command) -> None:
    ran = suffice("advise", "t.csv", "--price-per-1000", "1.2", "--fixed-per-month", "200", "--small-per-1000", ".1")
    assert "181,819 cases a month" in ran.out


def test_what_cannot_be_told_is_refused_with_the_next_step(suffice: Command) -> None:
    suffice("advise", "t.csv", "my.py:good").refused("was not evaluated", "suffice eval t.csv my.py:good")
    suffice("advise", "t.csv", "--price-per-1000", "1").refused("--fixed-per-month")
    suffice("advise", "t.csv", "--fixed-per-month", "1").refused("no price of a case", "--price-per-1000")
    suffice("advise", "none.csv").refused("none.csv")
