"""The verbs that look back: `runs`, `show`, `report`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

RunId = Annotated[str, typer.Argument(metavar="RUN", help="As `suffice runs` lists it: climb-7.")]


def runs_command(
    kind: Annotated[str | None, typer.Option("--kind", help="climb, eval or gate.")] = None,
    most: Annotated[int, typer.Option("--most", help="How many.", min=1)] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON lines.")] = False,
) -> None:
    """List what was run, newest first."""
    from suffice.store.database import open_store
    from suffice.store.runs import list_runs

    with open_store() as store:
        found = list_runs(store, kind, most)
    for run in found:
        if as_json:
            print(json.dumps({"run": run.id, "task": run.task, "state": run.state, "said": said(run.result)}))
        else:
            when = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.started))
            print(f"{run.id:<10} {when}  {run.state:<11} {run.task}  {said(run.result)}".rstrip())
    if not found:
        print("no runs yet: suffice eval TASK SOLUTION, or suffice climb TASK --bar .9", file=sys.stderr)


def show_command(run: RunId) -> None:
    """Everything that is recorded of one run, as JSON (dev only: test is not recorded in words)."""
    from suffice.store.database import open_store
    from suffice.store.runs import get_run

    with open_store() as store:
        found = get_run(store, run)
    print(
        json.dumps(
            {"run": found.id, "state": found.state, "settings": found.settings, "result": found.result},
            ensure_ascii=False,
            indent=1,
        )
    )


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
    result: Any = found.result
    if found.state != "done" or not isinstance(result, dict):
        raise UsageError(f"{run} has no result: it is {found.state}", hint="run the same command again; it goes on")
    text = eval_page(result) if "suffice_report" in result else page(result)
    path = out or Path(f"{run}.html")
    try:
        path.write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise DataError(f"cannot write the page: {error.strerror}", where=str(path)) from None
    print(path)


def said(result: Any) -> str:
    """What a run ended in, in a line."""
    if not result:
        return ""
    if "sentence" in result:
        return f"{result['verdict']}: {result['sentence']}"
    if result.get("score") is not None:
        low, high = result["interval95"] or (0.0, 1.0)
        return f"{result['solution']}: {result['score']:.3f} ({low:.3f} to {high:.3f} at 95%), n {result['n']}"
    return ""
