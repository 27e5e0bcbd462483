"""Traces: what a program did in a run, on a case of it or as a whole, as the tree of its spans."""

from __future__ import annotations

import json
from typing import Final

from suffice.spans import Span, span_json, span_of_json
from suffice.store.database import Store, mapped, transaction
from suffice.store.runs import run_number
from suffice.values import storable

KEEP: Final = "INSERT OR REPLACE INTO trace (run, solution, inputs, tree) VALUES (?, ?, ?, ?)"


def trace_row(run: str, root: Span, solution: str = "", inputs: str = "") -> tuple[int, str, bytes, str]:
    """The row of `KEEP`: of a run as a whole, or of what a solution did on a case (the hash of its inputs)."""
    return run_number(run), solution, bytes.fromhex(inputs), storable(span_json(root))


def keep_trace(store: Store, run: str, root: Span, solution: str = "", inputs: str = "") -> None:
    """Write it, in the place of an earlier one. Raises StoreError."""
    with transaction(store) as db:
        db.execute(KEEP, trace_row(run, root, solution, inputs))


def traces(store: Store, run: str) -> list[Span]:
    """The trees of a run, in the order of solutions and cases; the note of each root is its case. Raises StoreError."""
    with mapped(store.path):
        rows = store.connection.execute("SELECT tree FROM trace WHERE run = ?", (run_number(run),)).fetchall()
    return [span_of_json(json.loads(tree)) for (tree,) in rows]


def runs_with(store: Store, case: str) -> list[int]:
    """The numbers of the runs that have a tree of this case (id or place), the latest first. Raises StoreError."""
    sql = "SELECT DISTINCT run FROM trace WHERE instr(tree, ?) OR instr(tree, ?) ORDER BY run DESC"
    texts = f'"note":{storable(case)}', f'"source":{storable(case)}'
    with mapped(store.path):
        return [number for (number,) in store.connection.execute(sql, texts)]
