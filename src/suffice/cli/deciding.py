"""The verbs that decide: `plan`, `climb`, `gate`, and `unseal`."""

from __future__ import annotations

import re
import shlex
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from suffice.cli.daily import TaskPath, counted_run
from suffice.cli.flags import ClaimFlags, ModelFlags, RunFlags, TaskFlags, rung_of, shares, task_of
from suffice.cli.forgetting import say_keep
from suffice.cli.talk import data, data_json, talk
from suffice.shown import brief

TaskOrRuns = Annotated[
    Path | None, typer.Argument(metavar="TASK", help="A file of examples or a task folder; none with runs alone.")
]
Replayed = Annotated[list[str] | None, typer.Option("--replay", help="Recorded answers: table or run, FILE[#COLUMN].")]
EXIT = {"PASS": 0, "FAIL": 1, "UNPROVEN": 3}


@shares
def plan_command(
    task: TaskPath,
    solutions: Annotated[
        list[str] | None,
        typer.Argument(metavar="SOLUTION", help="As in climb: of `search`, what it asks (default: the task's ladder)."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Whose prices count: openai:gpt-5-mini.", show_default=False)
    ] = None,
    *,
    claim: ClaimFlags,
    what: TaskFlags,
) -> None:
    """Say what these cases can show. Runs nothing.

    What it takes to pass, what is left to spend, and what more cases would buy.
    """
    from suffice.cli.guest import aside
    from suffice.ladder.climb import plan

    calls = ModelFlags(model=model)
    calls.options()
    loaded = task_of(task, what, claim)
    talk(repr(loaded))
    with aside():
        rungs = [rung_of(text, loaded, calls) for text in solutions or []]
        planned = plan(loaded, rungs or None, **claim.asked())
    data(str(planned))


@shares
def climb_command(
    task: TaskOrRuns = None,
    solutions: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOLUTION", help="Easiest first: rules, words, my.py:triage, a bundle (default: what suits)."
        ),
    ] = None,
    replay: Replayed = None,
    dev: Annotated[bool, typer.Option("--dev", help="Stop before the sealed test: spends nothing.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Decide earlier: fewer calls, more misses.")] = False,
    untouched: Annotated[
        bool, typer.Option("--untouched", help="Nobody tuned on or picked by --replay's cases.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Only go on with an interrupted climb.")] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Bundle folder (default: TASK.suffice).")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the bundle of another claim.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The decision on stdout as JSON.")] = False,
    *,
    claim: ClaimFlags,
    what: TaskFlags,
    how: RunFlags,
    calls: ModelFlags,
) -> None:
    """Find the easiest solution that suffices, and save it.

    Exit 0 PASS, 1 FAIL, 3 UNPROVEN; 2 for wrong use, 130 when interrupted. With --dev: 0 if a candidate is ready for
    test, else 3. The same command again goes on, or looks its verdict up.
    """
    from suffice.cli.guest import aside
    from suffice.cli.places import check_bundle, check_own

    check_bundle(out, "-o")
    say_keep()
    place, paid = Path.cwd(), calls.options()
    path, named, replays = _told(task, solutions or [], replay or [])
    with aside(sealed=not dev):
        if path is None:
            loaded, rungs = _task_of_runs(named, replays, what, claim)
        else:
            loaded = task_of(path, what, claim)
            rungs = _rungs(loaded, path, named, replays, calls)
    options: dict[str, Any] = {**claim.asked(), **how.options(), **paid, "dev_only": dev, "quick": quick}
    options |= {"resume": resume, "untouched": untouched, "command": shlex.join(["suffice", *sys.argv[1:]])}
    options["to_save"] = out is not None and not dev
    bundle = place / (out or f"{plain_name(loaded.name)}.suffice")
    if not (dev or overwrite):
        options["on_claim"] = partial(check_own, bundle, loaded.name)
    decision = _watched(loaded, rungs, claim, options)
    _say(decision, as_json=as_json)
    if not dev:
        _saved(decision, out, place)
    _say_run(decision)
    ready = any(row.state == "to test" or row.tested is not None for row in decision.rungs)
    raise typer.Exit((0 if ready else EXIT["UNPROVEN"]) if dev else EXIT[decision.verdict])


def _watched(loaded: Any, rungs: list[Any], claim: ClaimFlags, options: dict[str, Any]) -> Any:
    """The climb, with the ladder on the screen."""
    from rich.text import Text

    from suffice.cli.guest import aside
    from suffice.cli.screen import Ladder, console
    from suffice.ladder.climb import climb
    from suffice.programs.bridge import run
    from suffice.shown import harmless

    cover = (loaded.coverage if claim.coverage is None else claim.coverage) is not None
    with aside(), console() as screen:
        screen.print(Text(harmless(repr(loaded)), style="dim"), soft_wrap=True)
        with Ladder(screen, cover, sealed=not loaded.known_as) as ladder:
            return run(climb(loaded, rungs or None, watch=ladder.watch, **options))


def _say(decision: Any, *, as_json: bool) -> None:
    """Print the decision."""
    from suffice.ladder.closing import to_json_decision

    if as_json:
        data_json(to_json_decision(decision))
    else:
        data("\n".join([f"{decision.verdict}: {decision.sentence}", *decision.advice]))


def _say_run(decision: Any) -> None:
    """Say what was spent, and where more of it stands."""
    if decision.spent_line:
        talk(decision.spent_line)
    talk(f"run {decision.run}: suffice report {decision.run} makes a page of it")


def _told(task: Path | None, solutions: list[str], replay: list[str]) -> tuple[Path | None, list[str], list[str]]:
    """Task, solutions and recordings, as meant: `--replay a.json b.json` is two of them, also where b.json stands in
    the place of a task or a solution, because another tool wrote it."""
    from suffice.ladder.replayed import is_run

    if task is not None and is_run(str(task)):
        replay, task = [*replay, str(task)], None
    runs = [s for s in solutions if is_run(s)]
    return task, [s for s in solutions if s not in runs], [*replay, *runs]


def _rungs(loaded: Any, path: Path, solutions: list[str], replay: list[str], calls: ModelFlags) -> list[Any]:
    from suffice.ladder.replayed import replays
    from suffice.ladder.rung import proposed

    rungs = [rung_of(s, loaded, calls) for s in solutions]
    rungs += [rung for text in replay for rung in replays(text)]
    return rungs or proposed(loaded, loaded.path if path.is_dir() else None)


def _task_of_runs(solutions: list[str], replay: list[str], what: TaskFlags, claim: ClaimFlags) -> tuple[Any, list[Any]]:
    """The task that recorded runs make, and their rungs; says what was taken and what cannot be claimed."""
    from suffice.errors import UsageError
    from suffice.ladder.replayed import task_of_runs

    if solutions or not replay:
        fault = f"there is no task to run {solutions[0]} on" if solutions else "there is no task, and no recorded run"
        raise UsageError(fault, hint="suffice climb TASK SOLUTION, or suffice climb --replay RUN.json")
    if any(what.options().values()):
        raise UsageError("runs alone make their own task: no flag changes how it is read", hint="name the task first")
    task, rungs, said = task_of_runs(replay, **claim.options())
    for line in said:
        talk(line)
    return task, rungs


@shares
def gate_command(
    solution: Annotated[str, typer.Argument(metavar="SOLUTION", help="A solution or bundle, as in climb.")],
    task: TaskPath,
    on: Annotated[str, typer.Option("--on", help="test: the sealed claim. dev: paired with a saved report.")] = "test",
    against: Annotated[Path | None, typer.Option("--against", help="The saved report, for --on dev.")] = None,
    margin: Annotated[
        float, typer.Option("--margin", help="How much worse than the report is still fine, as a share.")
    ] = 0.05,
    anyway: Annotated[bool, typer.Option("--anyway", help="Spend a try though dev says it is hopeless.")] = False,
    junit: Annotated[Path | None, typer.Option("--junit", help="Write a JUnit XML file.")] = None,
    *,
    claim: ClaimFlags,
    what: TaskFlags,
    how: RunFlags,
    calls: ModelFlags,
) -> None:
    """Say whether a solution may ship, for CI.

    Exit 0 PASS, 1 FAIL, 3 UNPROVEN, 2 wrong use, each with a sentence.
    """
    from suffice.cli.guest import aside
    from suffice.cli.places import check_file
    from suffice.cli.screen import Ladder, console
    from suffice.errors import UsageError
    from suffice.ladder.gate import gate_dev, gate_test, junit_xml
    from suffice.programs.bridge import run

    check_file(junit, "--junit")
    loaded, place = task_of(task, what, claim), Path.cwd()
    paid = calls.options()
    if on not in ("test", "dev"):
        hint = "--on dev at every commit, --on test at a release"
        raise UsageError(f"--on is test or dev, not {brief(on)}", hint=hint)
    if on == "dev" and against is None:
        saves = shlex.join(["suffice", "eval", str(task), solution, "--save", "report.json"])
        raise UsageError("--on dev compares with a saved report", hint=f"{saves}, then --against report.json")
    with aside(sealed=on == "test"):
        rung = rung_of(solution, loaded, calls)
    if against is not None and on == "dev":
        report = against

        def call(**heard: Any) -> Any:
            sealed = shlex.join(["suffice", "gate", solution, str(task)])
            options: dict[str, Any] = {"margin": margin, "instead": sealed, **how.options(), **paid, **heard}
            return gate_dev(loaded, rung, report, **options)

        gated = counted_run(call, loaded, [rung], "dev")
    else:
        say_keep()
        with aside(), console() as screen:
            with Ladder(screen, (loaded.coverage if claim.coverage is None else claim.coverage) is not None) as ladder:
                options = {**claim.asked(), **how.options(), **paid, "watch": ladder.watch}
                gated = run(gate_test(loaded, rung, anyway=anyway, **options))
    if junit is not None:
        _write(place / junit, junit_xml(gated))
    data("\n".join([f"{gated.verdict}: {gated.sentence}", *gated.details]))
    raise typer.Exit(EXIT[gated.verdict])


@shares
def unseal_command(
    task: TaskPath,
    cases: Annotated[int | None, typer.Option("--cases", help="How many; default all.", min=1)] = None,
    elsewhere: Annotated[
        bool, typer.Option("--elsewhere", help="Instead: give up what other flags or tasks seal of train and dev.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    *,
    what: TaskFlags,
) -> None:
    """Look at sealed cases: they become dev for good.

    They come as JSON lines. Claims use the cases that are still sealed.
    """
    from suffice.errors import UsageError
    from suffice.evals.seal import sealed_count, unseal
    from suffice.store.database import open_store

    loaded = task_of(task, what)
    if elsewhere and cases is not None:
        raise UsageError("--elsewhere gives up all that is sealed elsewhere", hint="leave --cases out")
    with open_store() as store:
        if elsewhere:
            _give_up(store, loaded, yes=yes)
            return
        there = sealed_count(store, loaded)
        many = there if cases is None else min(cases, there)
        retires = f"{many} of {there} sealed cases for good: no claim will use them again"
        if there and not _agreed(retires, yes=yes):
            return
        shown = unseal(store, loaded, cases)
        for case in shown:
            data_json({"id": case.id, "inputs": case.inputs, "expected": case.expected, "source": case.source})
    talk(f"retired {len(shown)} of {there} sealed cases for good: no claim will use them again")


def _give_up(store: Any, task: Any, *, yes: bool) -> None:
    """Let train and dev of the task be looked at, whatever is sealed of them elsewhere; shows nothing."""
    from suffice.evals.elsewhere import sealed_elsewhere
    from suffice.evals.seal import give_up_elsewhere

    found = sealed_elsewhere(store, task)
    if found is None:
        talk("no case to look at here is sealed elsewhere")
        return
    if _agreed(f"{found.cases} cases for good: {found.told()}", yes=yes):
        give_up_elsewhere(store, task)
        talk(f"given up: {found.told()}; no claim will use them again")


def _agreed(retires: str, *, yes: bool) -> bool:
    """Whether whoever typed the command wants to retire these cases. Raises UsageError where nobody can be asked."""
    from suffice.errors import UsageError

    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError(f"this retires {retires}", hint="add --yes to do it")
    agreed = typer.confirm(f"This retires {retires}. Go on?", err=True)
    if not agreed:
        talk("nothing was unsealed")
    return agreed


def _write(path: Path, text: str) -> None:
    from suffice.errors import DataError
    from suffice.programs.folder import write_file

    try:
        write_file(path, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise DataError(f"cannot be written: {error.strerror}", hint="choose another place", where=str(path)) from None


def _saved(decision: Any, out: Path | None, place: Path) -> None:
    from suffice.errors import SufficeError

    if decision.solution is None:
        return
    path = out or Path(f"{plain_name(decision.task)}.suffice")
    try:
        decision.save(place / path)
    except SufficeError as error:
        if out is not None:
            raise
        talk(f"not saved: {error}")
        return
    talk(f"saved {path}: suffice apply {path} NEW.csv, or sf.load({str(path)!r}) in a program")


def plain_name(task: str) -> str:
    """A task's name as one of a file here: a task folder from elsewhere must not choose where we write."""
    return re.sub(r"[^\w.-]+", "-", task).strip(".-") or "task"
