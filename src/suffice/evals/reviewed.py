"""The column `reviewed`: false where the expected answer is what a model said and nobody has looked at it yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from suffice.evals.read import Table
from suffice.shown import counted

COLUMN: Final = "reviewed"
_SAID: Final = "not reviewed"


def unreviewed(table: Table) -> tuple[str, ...]:
    """A note with their number, where there are such rows. It counts sealed rows as well, and shows none."""
    n = sum(row.values.get(COLUMN) is False or row.values.get(COLUMN) in ("false", "False") for row in table.rows)
    if not n:
        return ()
    return (
        f"{counted(n, 'expected answer')} of {len(table.rows):,} {'is' if n == 1 else 'are'} {_SAID}: what a model "
        "said, so a score or a claim says how often a solution agrees with that model, not how often it is right",
    )


def unreviewed_notes(notes: Sequence[str]) -> list[str]:
    """Those of a task's notes that say so."""
    return [note for note in notes if _SAID in note]
