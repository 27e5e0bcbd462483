"""The verb that uses a decision: `apply`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from suffice.cli.flags import ModelFlags, RunFlags, say_dropped, shares
from suffice.cli.forgetting import say_keep
from suffice.cli.talk import rows, talk
from suffice.shown import counted


@shares
def apply_command(
    bundle: Annotated[
        str, typer.Argument(metavar="BUNDLE", help="A saved bundle, my.py:function, or package.module:function.")
    ],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, JSONL, Parquet or Arrow with new inputs.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where to write (default: stdout).")] = None,
    columns: Annotated[
        str | None,
        typer.Option("--input", help="Input column, or several: subject,body (default: what it was decided on)."),
    ] = None,
    encoding: Annotated[
        str | None, typer.Option("--encoding", help="Encoding of the file (default: UTF-8, or as its mark says).")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the output file.")] = False,
    exact: Annotated[bool, typer.Option("--exact", help="CSV: leave formulas and control characters alone.")] = False,
    *,
    how: RunFlags,
    calls: ModelFlags,
) -> None:
    """Answer every row of a file.

    Out come the same rows with answer, confidence, answered_by, status and error. Interrupted, the same command goes
    on behind the last row that was written. Exit 2 where rows failed: the same command asks them again.
    """
    from suffice.cli.guest import aside
    from suffice.cli.screen import console, counting
    from suffice.errors import SolutionError
    from suffice.evals.apply import ApplyOptions, apply
    from suffice.evals.cost import spent_text
    from suffice.programs.bridge import run
    from suffice.programs.load import find_solution

    named = tuple(c.strip() for c in columns.split(",")) if columns else None
    say_keep()
    options = ApplyOptions(named, encoding, overwrite=overwrite, exact=exact, **how.options(), **calls.options())
    with rows() as stdout, aside(), console() as screen:
        solution = find_solution(bundle, model=calls.model)
        say_dropped(bundle, solution, calls)
        seen = out is None and stdout.isatty()  # the rows themselves show how far it is
        with counting(screen, solution.name, None, silent=seen) as done:

            def on_rows(many: int) -> None:
                done(0, many)

            target: Any = stdout if out is None else out
            applied = run(apply(solution, file, target, options=options, on_rows=on_rows, on_done=done))
    parts = [f"{applied.answered:,} answered", f"{applied.nothing:,} nothing", f"{applied.abstained:,} for a person"]
    failed = [f"{applied.failed:,} failed"] if applied.failed else []
    again = [f"{applied.resumed:,} were there already"] if applied.resumed else []
    talk(f"{counted(applied.rows, 'row')}: {', '.join([*parts, *failed, *again])}")
    if applied.spent is not None and applied.spent.attempts:
        talk(f"spent {spent_text(applied.spent)}")
    for note in applied.notes:
        talk(f"note: {note}")
    if applied.failed:
        raise SolutionError(
            f"{applied.failed:,} of {applied.rows:,} rows failed: the column {applied.columns[-1]} says why",
            hint="the same command again asks these rows again, and looks the others up",
        )
