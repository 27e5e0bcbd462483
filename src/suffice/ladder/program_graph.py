"""What a program did over many cases, as one graph: how often each step ran, how long it took, what it cost.

A node is a place in the program by its names: spans with the same names above them are one node, however often they
ran and wherever in time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from suffice.spans import Kind, Span

Key = tuple[str, Kind]


@dataclass(slots=True)
class Node:
    """One place in a program, over `cases` cases, each asked once or several times, `trials` in all. `runs` says how
    often it ran, `seconds` and `usd` what that took in all (`usd` None where a price is unknown), with everything below
    it; `critical` is the number of trials in which it was on the critical path, `failed` how often it raised, `cached`
    how often its result was recorded, `beside` how often it began while a sibling went on."""

    name: str
    kind: Kind
    cases: int = 0
    trials: int = 0
    runs: int = 0
    seconds: float = 0.0
    usd: float | None = 0.0
    critical: int = 0
    failed: int = 0
    cached: int = 0
    beside: int = 0
    children: dict[Key, Node] = field(default_factory=dict[Key, "Node"])

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Node]]:
        """This node and all below it with their depths, each before its children."""
        yield depth, self
        for child in self.children.values():
            yield from child.walk(depth + 1)


def graphs(trees: Sequence[Span]) -> list[Node]:
    """A graph for each program by the name of its root, in the order in which they first come."""
    found: dict[str, Node] = {}
    cases: dict[str, set[str | int]] = {}
    for root in trees:
        top = found.setdefault(root.name, Node(root.name, root.kind))
        _add(top, root, set(map(id, root.critical_path())))
        cases.setdefault(root.name, set()).add(root.note or id(root))
    for name, top in found.items():
        _counted(top, len(cases[name]))
    return list(found.values())


def _add(node: Node, span: Span, critical: set[int]) -> None:
    node.runs += 1
    node.seconds += span.seconds or 0.0
    usd = span.spent.usd
    node.usd = None if usd is None or node.usd is None else node.usd + usd
    node.failed += span.error is not None
    node.cached += span.cached
    until = 0.0
    on_path = set[Key]()
    for child in span.children:
        key = (child.name, child.kind)
        below = node.children.setdefault(key, Node(child.name, child.kind))
        below.beside += child.began < until - 1e-6
        until = max(until, child.ended)
        _add(below, child, critical)
        if id(child) in critical:
            on_path.add(key)
    for key in on_path:
        node.children[key].critical += 1


def _counted(top: Node, cases: int) -> None:
    """A node that ran several times in a trial was on the path of at most every trial."""
    top.critical = top.runs
    for _, node in top.walk():
        node.cases, node.trials = cases, top.runs
        node.critical = min(node.critical, node.trials)
