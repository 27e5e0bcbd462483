"""Traces of an earlier run: of a solution whose answers were looked up, by the run that asked for them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from suffice.spans import Span, span_of_json
from suffice.store.database import Store, mapped
from suffice.store.runs import reading

BEHIND = """SELECT run.kind || '-' || run.number, trace.tree, answer.inputs FROM solution
    JOIN answer ON answer.solution = solution.id
    JOIN trace ON trace.run = answer.run AND trace.solution = solution.name AND trace.inputs = answer.inputs
    JOIN run ON run.number = trace.run"""
"""The traces behind recorded answers: the run that asked, the tree, and the hash of the inputs."""
FOUND = f"""{BEHIND}
    WHERE run.task = ? AND coalesce(json_extract(run.settings, '$.split'), 'dev') = 'dev' AND solution.name = ?
    ORDER BY run.number, trace.inputs"""


def earlier_traces(store: Store, task: str, identities: Sequence[str]) -> list[tuple[str, Span]]:
    """The trees behind the recorded dev answers of solutions, by their identities, each with the run that asked: a
    solution of the same name with another identity has no part in them. Raises StoreError."""
    with mapped(store.path):
        rows = [row for name in identities for row in store.connection.execute(FOUND, (task, name))]
    found = list[tuple[str, Span]]()
    for run, tree, _ in rows:
        with reading(store, run, "a trace"):
            found.append((run, span_of_json(json.loads(tree))))
    return found
