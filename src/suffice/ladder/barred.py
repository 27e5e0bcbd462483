"""Rungs whose model cannot be called: they are not tried, nothing is spent on them, and the climb goes on without."""

from __future__ import annotations

import shlex

from suffice.errors import NoEndpoint
from suffice.ladder.rule import DevEnd
from suffice.ladder.state import Climb
from suffice.programs.using import model_configured
from suffice.store import journal


def not_tried(c: Climb, k: int, reason: str) -> DevEnd:
    """The end of dev for rung `k`, none of whose calls could be made: the same climb asks again."""
    journal.forgive(c.store, c.run)
    c.show(k, state="not tried", note=reason, barred=reason, dev_seen=0, dev_right=0, dev_failed=0)
    return DevEnd("drop", 0.0)


def refuse_undecided(c: Climb) -> None:
    """Raise NoEndpoint where rungs could not be called and no other one is decided, or ready for test."""
    barred = [k for k, row in enumerate(c.rows) if row.barred]
    decided = any(row.tested is not None and not row.tested.paused for row in c.rows)
    if not barred or decided or any(row.state in ("to test", "paused") and not row.barred for row in c.rows):
        return
    names = ", ".join(f"`{c.rows[k].name}`" for k in barred)
    begun = any(c.rows[k].tested is not None for k in barred)
    kept = "the try that was begun stays open" if begun else "no try was spent"
    raise NoEndpoint(
        f"{names} could not be asked: {c.rows[barred[0]].barred}. Nothing was decided, and {kept}",
        hint=_next(c, barred[0]),
    )


def _next(c: Climb, k: int) -> str:
    """What to type: who answers there, then the same again."""
    model = c.rungs[k].model or model_configured()
    look = f"suffice models {shlex.quote(model)} --reach looks; " if model else ""
    return f"{look}mend that, then the same again: {c.options.get('command') or 'it goes on where it was'}"
