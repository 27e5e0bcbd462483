"""Traces: what a program did in a run, on a case of it or as a whole, as the tree of its spans."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final, cast

from suffice.spans import Kind, Span, Turn, span_json, span_of_json
from suffice.store.database import Store, mapped, transaction
from suffice.store.effect_record import Places, Recorded
from suffice.store.runs import reading, run_number
from suffice.strands import Lane
from suffice.values import NO_COST, Cost, Json, storable

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
    with reading(store, run, "a trace"):
        return [span_of_json(json.loads(tree)) for (tree,) in rows]


def runs_with(store: Store, case: str) -> list[str]:
    """The runs that have a tree of this case (id or place), the latest first. Raises StoreError."""
    texts = f'"note":{storable(case)}', f'"source":{storable(case)}'
    return _runs_where(store, "instr(tree, ?) OR instr(tree, ?)", texts)


def runs_of(store: Store, task: str, solutions: Sequence[str]) -> list[str]:
    """The runs of a task that have a tree of a solution of one of these names, the latest first. Raises StoreError."""
    names = ", ".join("?" * len(solutions))
    return _runs_where(store, f"task = ? AND json_extract(tree, '$.name') IN ({names})", (task, *solutions))


def asked_itself(store: Store, run: str) -> bool:
    """Whether any answer or failure is recorded as this run's own; others were looked up. Raises StoreError."""
    sql = "SELECT EXISTS (SELECT 1 FROM answer WHERE run = :n) OR EXISTS (SELECT 1 FROM failed WHERE run = :n)"
    with mapped(store.path):
        return bool(store.connection.execute(sql, {"n": run_number(run)}).fetchone()[0])


def _runs_where(store: Store, which: str, given: Sequence[str]) -> list[str]:
    sql = (
        "SELECT DISTINCT kind || '-' || number FROM trace JOIN run ON run.number = trace.run"
        f" WHERE {which} ORDER BY number DESC"
    )
    with mapped(store.path):
        return [name for (name,) in store.connection.execute(sql, given)]


def tree_of_effects(name: str, effects: Sequence[Recorded], kept: Span | None = None) -> Span:
    """The tree of a durable run that has not ended, of what is recorded: each call with its arguments as its note, and
    whether it failed, was cut off, or was begun and has no result.

    `effects` are in the order in which they were begun. What stands around a call (a step, a stage) is not recorded: it
    has its name of `kept`, the tree of when the run stopped before, else "…". The notes quote texts of the run.
    """
    known = {} if kept is None else dict(_placed(kept, ()))
    root = Span(name, "program", origin=min((e.begun for e in effects), default=0.0))
    spans: dict[Places, Span] = {(): root}

    def at(places: Places) -> Span:
        if places not in spans:
            parent, before = at(places[:-1]), known.get(places)
            called, kind = (before.name, before.kind) if before is not None else ("…", "stage")
            turn = Turn(*places[-1], called)
            spans[places] = Span(called, kind, (*parent.address, turn), parent, origin=root.origin)
            parent.children.append(spans[places])
        return spans[places]

    for effect in effects:
        made = at(effect.places) if not effect.left else _beside(at(effect.places[:-1]), effect)
        made.name, made.kind = effect.name, cast("Kind", effect.kind)
        made.began = effect.begun - root.origin
        made.seconds = None if effect.ended is None else max(0.0, effect.ended - effect.begun)
        made.cost, made.note = _cost_of(effect), _note_of(effect)
        if effect.state in ("failed", "retry"):
            made.error = str(cast("dict[str, Json]", effect.value)["type"])
    recorded = {effect.places for effect in effects if not effect.left}
    for places in sorted(spans.keys() - recorded - {()}, key=len, reverse=True):
        _span_over(spans[places])
    return root


def _beside(parent: Span, effect: Recorded) -> Span:
    """A span for what was done on the way out of an error, at whose address something else may stand now."""
    turn = Turn(*effect.places[-1], effect.name)
    made = Span(effect.name, "stage", (*parent.address, turn), parent, origin=parent.origin)
    parent.children.append(made)
    return made


def _placed(span: Span, places: Places) -> Iterator[tuple[Places, Span]]:
    """Each span of a tree with its places, which a tree that was kept does not say: they are counted by lane."""
    yield places, span
    counts: dict[Lane, int] = {}
    for child in span.children:
        lane = child.address[-1].lane
        counts[lane] = counts.get(lane, -1) + 1
        yield from _placed(child, (*places, (lane, counts[lane])))


def _span_over(span: Span) -> None:
    """Let it last from the first of its children to the last."""
    span.began = min(child.began for child in span.children)
    ended = max(child.ended for child in span.children)
    span.seconds = None if ended == float("inf") else ended - span.began


def _cost_of(effect: Recorded) -> Cost:
    if effect.kind != "model" or effect.state != "done":
        return NO_COST
    told: Any = effect.value
    usage = told["usage"]
    return Cost(told["cost"], usage["input_tokens"], usage["output_tokens"], bool(told.get("at_most")))


def _note_of(effect: Recorded) -> str:
    """What became of it where that is no result, and what was asked."""
    told: Any = json.loads(effect.arguments)
    if effect.kind == "model":
        asked = json.dumps(told["asked"], ensure_ascii=False)
    else:
        asked = told["question"] if effect.kind == "question" else str(effect) if told else ""
    said = {
        "open": "waits for an answer" if effect.kind == "question" else "begun, no result known",
        "held": "waits for the question inside",
        "retry": "is tried again",
        "cut": "cut off by the program",
    }
    left = "on the way out of an error" if effect.left else ""
    return ": ".join(filter(None, (left, said.get(effect.state, ""), asked)))
