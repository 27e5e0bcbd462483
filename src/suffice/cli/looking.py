"""The verbs that look back: `runs`, `show`, `report`, `view`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from suffice.arguments import is_path
from suffice.cli.program_runs import run_named
from suffice.cli.talk import data, data_json, talk
from suffice.shown import brief, one_line, shown

if TYPE_CHECKING:
    from suffice.ladder.program_graph import Node
    from suffice.programs.durable import Status
    from suffice.store.effect_record import Recorded
    from suffice.store.runs import Run

KINDS = ("climb", "eval", "apply", "program")

RunId = Annotated[str, typer.Argument(metavar="RUN", help="As `suffice runs` lists it: climb-7.")]


def runs_command(
    kind: Annotated[str | None, typer.Option("--kind", help="climb (also gate test), eval, apply, program.")] = None,
    most: Annotated[int, typer.Option("--most", help="How many.", min=1)] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON lines.")] = False,
) -> None:
    """List what was run, newest first."""
    from suffice.errors import UsageError
    from suffice.store.database import open_store
    from suffice.store.runs import list_runs

    if kind is not None and kind not in KINDS:
        raise UsageError(f"there is no kind of run called {brief(kind)}", hint=f"--kind {', '.join(KINDS)}")
    with open_store() as store:
        found = [(run, *_ended_in(store, run)) for run in list_runs(store, kind, most)]
    for run, state, end in found:
        if as_json:
            data_json({"run": run.id, "task": run.task, "state": state, "said": end})
        else:
            when = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.started))
            data(one_line(f"{run.id:<10} {when}  {state:<11} {run.task}  {end}".rstrip()))
    if not found:
        talk("no runs yet: suffice eval TASK SOLUTION, or suffice climb TASK --bar .9")


def show_command(
    what: Annotated[
        str,
        typer.Argument(
            metavar="RUN|BUNDLE", help="climb-7 of `suffice runs`, the id of a durable run, or a bundle's folder."
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, all that is recorded.")] = False,
) -> None:
    """Show what is recorded of a run, or what a bundle is.

    Of a run: what was asked, what it ended in, its rungs; of sealed cases counts and verdicts alone. Of a durable run:
    where it stands, what it asks and returned. Of a bundle: its claim, members, thresholds and models, on how many
    cases it was fitted, and versions. Nothing of it is run.
    """
    from suffice.cli.run_lines import program_json, program_lines, run_lines
    from suffice.programs.contents import contents_json, contents_lines
    from suffice.store.database import open_store

    if is_path(what) and Path(what).is_dir():
        if as_json:
            data_json(contents_json(what), indent=1)
        else:
            data("\n".join(contents_lines(what)))
        return
    with open_store() as store:
        found = run_named(store, what)
        program = _program(store, found) if found.kind == "program" else None
    if program is not None:
        if as_json:
            data_json(program_json(found, *program), indent=1)
        else:
            data("\n".join(program_lines(found, *program)))
        return
    if as_json:
        told = {"run": found.id, "state": found.state, "settings": found.settings, "result": found.result}
        data_json(told, indent=1)
        return
    data("\n".join(run_lines(found, said(found.result))))


def report_command(
    run: Annotated[
        str | None, typer.Argument(metavar="RUN", help="As `suffice runs` lists it: climb-7 (default: the latest).")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The file (default RUN.html).")] = None,
) -> None:
    """Make one self-contained HTML page of a climb or an eval."""
    from suffice.errors import UsageError
    from suffice.ladder.page import eval_page, page
    from suffice.store.database import open_store

    with open_store() as store:
        found = run_named(store, run if run is not None else _last(store, "climb", "eval"))
        run = found.id
        if found.kind == "program":
            hint = f"suffice trace {found.id} prints what it did, suffice show {found.id} where it stands"
            raise UsageError(f"{found.id} is a durable run, of which there is no page", hint=hint)
        programs, traced_in = _graphs(store, found)
    result: dict[str, Any] = found.result or {}
    if found.state != "done" or not result:
        gone = found.state == "done"
        why = "it was forgotten, or not kept (store.keep)" if gone else f"it is {found.state}"
        again = "run the same command again" + ("" if gone else "; it goes on")
        raise UsageError(f"{run} has no result: {why}", hint=again)
    if "rungs" in result and "suffice_decision" not in result:
        hint = f"suffice show {run}"
        raise UsageError(f"of {run} its verdict alone is kept (store.keep, or forgotten)", hint=hint)
    if not {"suffice_report", "suffice_decision"} & result.keys():
        raise UsageError(f"{run} is neither a climb nor an eval, so there is no page of it", hint=f"suffice show {run}")
    made = eval_page if "suffice_report" in result else page
    text = made(result, programs, traced_in)
    _write_page(out or Path(f"{run}.html"), text)


def _graphs(store: Any, run: Run) -> tuple[list[Node], dict[str, list[str]]]:
    """The graphs of the programs in a run, and of those whose answers it looked up the runs that asked for them."""
    from suffice.evals.repeats import sample_identity
    from suffice.ladder.page_graph import looked_up
    from suffice.ladder.program_graph import graphs
    from suffice.store.earlier_traces import earlier_traces
    from suffice.store.traces import traces

    result: Any = run.result or {}
    own = traces(store, run.id)
    asked = [[identity] for _, identity in looked_up(result) if identity]
    if "suffice_report" in result and not own:
        repeats: Any = result.get("repeats") or {}
        asked = [[sample_identity(result["identity"], k) for k in range(repeats.get("most", 1))]]
    programs, traced_in = graphs(own), dict[str, list[str]]()
    for identities in asked:
        found = earlier_traces(store, run.task, identities)
        for node in graphs([root for _, root in found]):
            programs.append(node)
            traced_in[node.name] = list(dict.fromkeys(name for name, root in found if root.name == node.name))
    return programs, traced_in


def view_command(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN", help="An eval or a climb, or a file that eval --save wrote (default: last eval)."
        ),
    ] = None,
    other: Annotated[str | None, typer.Argument(metavar="OTHER", help="Another eval, to see beside the first.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The file (default RUN.cases.html).")] = None,
    trust: Annotated[bool, typer.Option("--trust", help="Run the Python grader of a task folder.")] = False,
) -> None:
    """Look through every dev case, of one run or of two side by side.

    Makes one HTML page with search, filters and keys. Nothing is asked; sealed cases are never in it.
    """
    from suffice.cli.guest import aside
    from suffice.cli.places import check_file
    from suffice.ladder.view import view, view_two
    from suffice.store.database import open_store

    check_file(out, "--out")
    with open_store() as store, aside():
        named = [run if run is not None else _last(store, "eval"), *([other] if other is not None else [])]
        reports = [_cases_of(store, name, trust) for name in named]
    text = view(reports[0]) if len(reports) == 1 else view_two(*reports)
    _write_page(out or Path(f"{'-'.join(Path(name).stem for name in named)}.cases.html"), text)


def _ended_in(store: Any, run: Run) -> tuple[str, str]:
    """The state of a run and what it ended in, in a line; of a durable run its id and what it asks or returned."""
    if run.kind != "program":
        return run.state, said(run.result)
    from suffice.programs.durable.questions import standing

    at = standing(store, run)
    result: Any = run.result or {}
    end = at.question or (shown(result["value"]) if "value" in result else "")
    return at.state, f"{at.id}: {end}" if end else at.id


def _program(store: Any, run: Run) -> tuple[Status, list[Recorded]]:
    """Where a durable run stands, and its effects."""
    from suffice.programs.durable.questions import standing
    from suffice.store.effect_record import load

    effects = load(store, run.id)
    return standing(store, run, effects), effects


def _last(store: Any, *kinds: str) -> str:
    """The latest run of these kinds that is done."""
    from suffice.errors import UsageError
    from suffice.store.runs import list_runs

    latest = (run for kind in kinds for run in list_runs(store, kind, 20) if run.state == "done")
    found = max(latest, key=lambda run: run.started, default=None)
    if found is None:
        raise UsageError("there is no evaluation yet", hint="suffice eval TASK SOLUTION")
    return found.id


def _cases_of(store: Any, name: str, trust: bool) -> dict[str, Any]:
    """The report with the cases of a run, or of a file."""
    from suffice.evals.recalled import recalled
    from suffice.ladder.gate import read_report
    from suffice.ladder.view import of_climb
    from suffice.store.runs import get_run

    if Path(name).suffix == ".json":
        return read_report(name)
    found = get_run(store, name)
    result: Any = found.result or {}
    if found.state == "done" and "suffice_decision" in result:
        return of_climb(result)
    return recalled(store, found, trust=trust)


def _write_page(path: Path, text: str) -> None:
    from suffice.errors import DataError
    from suffice.programs.folder import write_file

    try:
        write_file(path, text.encode("utf-8", "replace"))
    except OSError as error:
        raise DataError(f"cannot write the page: {error.strerror}", where=str(path)) from None
    data(str(path))


def said(result: Any) -> str:
    """What a run ended in, in a line."""
    if not result:
        return ""
    if "sentence" in result:
        return f"{result['verdict']}: {result['sentence']}"
    if "suffice_report" in result:
        return f"{result['solution']}: {_scored(result)}"
    return ", ".join(f"{n:,} {status}" for status, n in result.items() if isinstance(n, int))


def _scored(report: dict[str, Any]) -> str:
    """ "0.742 (0.674 to 0.801 at 95%), 138 of 186 right": of the answered calls, and the failed ones beside them."""
    from suffice.shown import counted

    between, errors = report["interval95"], report["errors"]
    graded = report.get("graded", report["n"] - errors)  # an older report does not say
    failed = f", {counted(errors, 'failed call')}" if errors else ""
    if report["score"] is None:
        return f"no call gave an answer{failed}"
    at = f" ({between[0]:.3f} to {between[1]:.3f} at 95%)" if between else ""
    each = " each time" if report.get("calls", 0) > report["n"] else ""
    right = f"{report['right']:,} of {graded:,}{' answered calls' if errors and not each else ''} right{each}"
    flatters = f"; fitted on {report['fitted']} of these cases" if report.get("fitted") else ""
    return f"{report['score']:.3f}{at}, {right}{failed}{flatters}"
