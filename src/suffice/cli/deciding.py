"""The verbs that decide: `plan`, `climb`, `gate`, and `unseal`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from suffice.cli.daily import TaskPath
from suffice.cli.flags import ClaimFlags, RunFlags, TaskFlags, shares, task_of

EXIT = {"PASS": 0, "FAIL": 1, "UNPROVEN": 3}


@shares
def plan_command(task: TaskPath, *, claim: ClaimFlags, what: TaskFlags) -> None:
    """Say what these cases can show, what it takes to pass, and what is left to spend. Runs nothing."""
    from suffice.ladder.climb import plan

    loaded = task_of(task, what)
    print(repr(loaded), file=sys.stderr)
    print(plan(loaded, **claim.options()))


@shares
def climb_command(
    task: TaskPath,
    solutions: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SOLUTION]...", help="Easiest first: words, my.py:triage, a bundle. Default: proposed."
        ),
    ] = None,
    replay: Annotated[
        list[str] | None, typer.Option("--replay", help="Answers recorded elsewhere: FILE or FILE#COLUMN. Repeatable.")
    ] = None,
    dev: Annotated[bool, typer.Option("--dev", help="Stop before the sealed test.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer calls, more misses.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Only go on with an interrupted climb.")] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Bundle folder (default: TASK.suffice).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The decision on stdout as JSON.")] = False,
    *,
    claim: ClaimFlags,
    what: TaskFlags,
    how: RunFlags,
) -> None:
    """Find the easiest solution that suffices, and save it. Exit 0 PASS, 1 FAIL, 3 UNPROVEN."""
    from suffice.cli.screen import Ladder, console
    from suffice.ladder.climb import climb
    from suffice.ladder.closing import to_json_decision
    from suffice.ladder.rung import from_name, from_text
    from suffice.programs.bridge import run

    loaded = task_of(task, what)
    named = [from_text(s, loaded.path) for s in solutions or ()] + [from_name(f"replay:{r}") for r in replay or ()]
    options: dict[str, Any] = {**claim.options(), **how.options(), "dev_only": dev, "quick": quick, "resume": resume}
    with console() as screen:
        screen.print(repr(loaded), markup=False, style="dim", soft_wrap=True)
        asked = claim.coverage if claim.coverage is not None else loaded.coverage
        with Ladder(screen, asked is not None) as ladder:
            decision = run(climb(loaded, named or None, watch=ladder.watch, **options))
    if as_json:
        print(json.dumps(to_json_decision(decision), ensure_ascii=False))
    else:
        print(f"{decision.verdict}: {decision.sentence}")
        for line in decision.advice:
            print(line)
    _saved(decision, out)
    print(f"run {decision.run}: suffice report {decision.run} makes a page of it", file=sys.stderr)
    raise typer.Exit(0 if dev else EXIT[decision.verdict])


@shares
def gate_command(
    solution: Annotated[str, typer.Argument(metavar="SOLUTION", help="A solution or bundle, as in climb.")],
    task: TaskPath,
    on: Annotated[str, typer.Option("--on", help="test: the sealed claim. dev: paired with a saved report.")] = "test",
    against: Annotated[Path | None, typer.Option("--against", help="The saved report, for --on dev.")] = None,
    margin: Annotated[float, typer.Option("--margin", help="How much worse than the report is still fine.")] = 0.05,
    anyway: Annotated[bool, typer.Option("--anyway", help="Spend a try though dev says it is hopeless.")] = False,
    junit: Annotated[Path | None, typer.Option("--junit", help="Write a JUnit XML file.")] = None,
    *,
    claim: ClaimFlags,
    what: TaskFlags,
    how: RunFlags,
) -> None:
    """For CI: exit 0 PASS, 1 FAIL, 3 UNPROVEN, 2 wrong use, each with a sentence."""
    from suffice.cli.screen import console, counting
    from suffice.errors import UsageError
    from suffice.ladder.gate import gate_dev, gate_test, junit_xml
    from suffice.ladder.rung import from_text
    from suffice.programs.bridge import run

    loaded = task_of(task, what)
    rung = from_text(solution, loaded.path)
    with console() as screen, counting(screen, rung.name, len(loaded.dev)) as done:
        if on == "dev":
            if against is None:
                raise UsageError(
                    "--on dev compares with a saved report",
                    hint=f"suffice eval {task} {solution} --save report.json, then --against report.json",
                )
            gated = run(gate_dev(loaded, rung, against, margin=margin, on_done=done, **how.options()))
        elif on == "test":
            gated = run(gate_test(loaded, rung, anyway=anyway, **claim.options(), **how.options()))
        else:
            raise UsageError(f"--on is test or dev, not {on!r}")
    if junit is not None:
        junit.write_text(junit_xml(gated), encoding="utf-8")
    print(f"{gated.verdict}: {gated.sentence}")
    for line in gated.details:
        print(line)
    raise typer.Exit(EXIT[gated.verdict])


@shares
def unseal_command(
    task: TaskPath,
    cases: Annotated[int | None, typer.Option("--cases", help="How many; default all.", min=1)] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    *,
    what: TaskFlags,
) -> None:
    """Look at sealed cases, as JSON lines. They become dev for good: claims use the others only."""
    from suffice.errors import UsageError
    from suffice.evals.seal import sealed_count, unseal
    from suffice.store.database import open_store

    loaded = task_of(task, what)
    with open_store() as store:
        there = sealed_count(store, loaded)
        many = there if cases is None else min(cases, there)
        warning = f"this retires {many} of {there} sealed cases for good: no claim will use them again"
        if not yes:
            if not sys.stdin.isatty():
                raise UsageError(warning, hint="add --yes to do it")
            typer.confirm(f"{warning}. Go on?", abort=True, err=True)
        for case in unseal(store, loaded, cases):
            row = {"id": case.id, "inputs": case.inputs, "expected": case.expected, "source": case.source}
            print(json.dumps(row, ensure_ascii=False))
    print(warning.replace("this retires", "retired"), file=sys.stderr)


def _saved(decision: Any, out: Path | None) -> None:
    from suffice.errors import SufficeError

    if decision.solution is None:
        return
    path = out or Path(f"{decision.task}.suffice")
    try:
        decision.save(path)
    except SufficeError as error:
        if out is not None:
            raise
        print(f"not saved: {error}", file=sys.stderr)
        return
    print(f"saved {path}: suffice apply {path} NEW.csv, or sf.load({str(path)!r}) in a program", file=sys.stderr)
