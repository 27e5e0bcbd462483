"""How the agents in recorded answers ended: the notes of their spans, in the traces of the runs that asked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from suffice.spans import Span, span_of_json
from suffice.store.database import Store, select_in
from suffice.store.earlier_traces import BEHIND
from suffice.store.runs import reading

FOUND = BEHIND + " WHERE solution.name = ? AND answer.inputs IN ({})"


def agent_endings(store: Store, solution: str, inputs_hashes: Iterable[str]) -> dict[str, list[tuple[str, str]]]:
    """Name and ending of each agent that ended without an answer, by the hash of the inputs, of a solution known by its
    identity. Of agents within an agent only the outer one is asked. Raises StoreError."""
    found: dict[str, list[tuple[str, str]]] = {}
    for run, tree, inputs in select_in(store, FOUND, inputs_hashes, (solution,)):
        with reading(store, run, "a trace"):
            ended = [(span.name, span.note) for span in _outer(span_of_json(json.loads(tree))) if span.note]
        if ended:
            found[inputs.hex()] = ended
    return found


def _outer(span: Span) -> Iterator[Span]:
    """The agents of a tree that stand in no other agent."""
    if span.kind == "agent":
        yield span
        return
    for child in span.children:
        yield from _outer(child)
