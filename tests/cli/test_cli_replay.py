"""`suffice climb --replay`: runs of other tools from the command line, with a task and without one."""

from __future__ import annotations

from pathlib import Path

from cli_samples import Command

FILES = Path(__file__).parents[1] / "evals" / "foreign" / "files"
TICKETS = Path(__file__).parents[2] / "examples" / "runs" / "tickets.csv"
A, B = str(FILES / "deepeval_plain.json"), str(FILES / "deepeval_careful.json")


def test_runs_alone_are_climbed_in_the_order_given_and_claim_nothing_by_themselves(suffice: Command):
    ran = suffice("climb", "--replay", A, B, "--bar", ".8")
    assert ran.code == 3 and ran.out.startswith("UNPROVEN: if nobody tuned on these cases")
    assert "`careful` suffices" in ran.out and "careful: would pass on test cases" in ran.err
    assert ran.err.index("`plain`, recorded by DeepEval") < ran.err.index("`careful`, recorded by DeepEval")
    assert "could look at every case" in ran.err
    said = suffice("climb", "--replay", A, B, "--bar", ".8", "--untouched")
    assert said.code == 0 and said.out.startswith("PASS: `careful` suffices") and "as you said" in said.out
    assert "careful: PASS on test cases" in said.err
    assert "sealed" not in (ran.out + ran.err + said.out + said.err).replace("nothing here is sealed", "")


def test_with_a_task_runs_are_rungs_of_it(suffice: Command):
    ran = suffice(
        "climb", str(TICKETS), "--input", "ticket", "--expected", "team", "--replay", A, B, "--bar", ".8", "--dev"
    )
    assert ran.code == 0 and "`careful` is ready for test" in ran.out


def test_without_a_task_nothing_else_can_run(suffice: Command):
    suffice("climb", "--bar", ".8").refused("no task", "--replay")
    suffice("climb", A, "my.py:good", "--bar", ".8").refused("there is no task to run my.py:good on")
    suffice("climb", "--replay", A, "--grader", "exact").refused("runs alone make their own task")
