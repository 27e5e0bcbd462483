"""The verbs that look back: `runs`, `show`, `report`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from suffice.cli.talk import data, data_json, talk

KINDS = ("climb", "eval", "apply")

RunId = Annotated[str, typer.Argument(metavar="RUN", help="As `suffice runs` lists it: climb-7.")]


def runs_command(
    kind: Annotated[str | None, typer.Option("--kind", help="climb (gate test is one), eval or apply.")] = None,
    most: Annotated[int, typer.Option("--most", help="How many.", min=1)] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON lines.")] = False,
) -> None:
    """List what was run, newest first."""
    from suffice.errors import UsageError
    from suffice.store.database import open_store
    from suffice.store.runs import list_runs

    if kind is not None and kind not in KINDS:
        raise UsageError(f"there is no kind of run called {kind!r}", hint=f"--kind {', '.join(KINDS)}")
    with open_store() as store:
        found = list_runs(store, kind, most)
    for run in found:
        if as_json:
            data_json({"run": run.id, "task": run.task, "state": run.state, "said": said(run.result)})
        else:
            when = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.started))
            data(f"{run.id:<10} {when}  {run.state:<11} {run.task}  {said(run.result)}".rstrip())
    if not found:
        talk("no runs yet: suffice eval TASK SOLUTION, or suffice climb TASK --bar .9")


def show_command(run: RunId) -> None:
    """Show what is recorded of a run, as JSON.

    Of sealed cases that is counts and verdicts alone.
    """
    from suffice.store.database import open_store
    from suffice.store.runs import get_run

    with open_store() as store:
        found = get_run(store, run)
    shown = {"run": found.id, "state": found.state, "settings": found.settings, "result": found.result}
    data_json(shown, indent=1)


def report_command(
    run: RunId, out: Annotated[Path | None, typer.Option("--out", "-o", help="The file (default RUN.html).")] = None
) -> None:
    """Make one self-contained HTML page of a climb or an eval."""
    from suffice.errors import DataError, UsageError
    from suffice.ladder.page import eval_page, page
    from suffice.store.database import open_store
    from suffice.store.runs import get_run

    with open_store() as store:
        found = get_run(store, run)
    result: dict[str, Any] = found.result or {}
    if found.state != "done" or not result:
        raise UsageError(f"{run} has no result: it is {found.state}", hint="run the same command again; it goes on")
    if not {"suffice_report", "suffice_decision"} & result.keys():
        raise UsageError(f"{run} is neither a climb nor an eval, so there is no page of it", hint=f"suffice show {run}")
    text = eval_page(result) if "suffice_report" in result else page(result)
    path = out or Path(f"{run}.html")
    try:
        path.write_text(text, encoding="utf-8", errors="replace")
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
        between = result["interval95"]
        score = "no call gave an answer" if result["score"] is None else f"{result['score']:.3f}"
        at = f" ({between[0]:.3f} to {between[1]:.3f} at 95%)" if between else ""
        return f"{result['solution']}: {score}{at}, n {result['n']}"
    return ", ".join(f"{n:,} {status}" for status, n in result.items() if isinstance(n, int))
