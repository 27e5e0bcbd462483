"""The verb that uses a decision: `apply`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from suffice.cli.flags import RunFlags, shares


@shares
def apply_command(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="A saved bundle, or a solution as in eval.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or JSONL with new inputs.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where to write (default: stdout).")] = None,
    *,
    how: RunFlags,
) -> None:
    """Answer every row of a file: the same rows with answer, confidence and who answered."""
    del bundle, file, out, how
