"""The graph of a program as SVG: a node for each step, tool and call, with time, money, and the critical path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from suffice.evals.cost import money
from suffice.evals.latency import duration
from suffice.ladder.page_shell import section
from suffice.ladder.page_text import Html, clipped, code, el, items, join, part, parts, string
from suffice.ladder.program_graph import Node
from suffice.shown import counted, listed
from suffice.values import Json

ROW = 52.0  # px
INDENT = 22.0  # px a level
NAME = 46  # columns of a name
DEEPEST = 6  # levels that are indented further


TracedIn = Mapping[str, Sequence[str]]
"""By the names of programs whose answers were looked up: the runs that asked for them, and traced what they did."""
NOWHERE: Final[TracedIn] = MappingProxyType({})


def program_section(
    programs: Sequence[Node], recorded: Sequence[str] = (), traced_in: TracedIn = NOWHERE
) -> Html | None:
    """A picture of each program that was traced, in this run or in those of `traced_in`, and why there is none of those
    that were only looked up: `recorded` are their names. None where there is neither."""
    lacking = [name for name in recorded if name not in {top.name for top in programs}]
    notes = [_not_drawn(lacking)] if lacking else []
    if not programs:
        return section("program", "The program", "", *notes) if notes else None
    one = "trial" if any(top.trials > top.cases for top in programs) else "case"
    said = (
        f"What each step took on dev, with all below it: how often it ran a {one} (once, if nothing is said), the mean "
        f"time a {one}, US dollars for 1,000 {one}s. The bar is its part of the time; what is strong was mostly on the "
        "critical path. Recorded calls took no time."
    )
    pictures = [
        el("figure", el("figcaption", code(clipped(top.name, 80)), f", {_asked(top, traced_in)}"), graph(top))
        for top in programs
    ]
    return section("program", "The program", said, *pictures, *notes)


def _asked(top: Node, traced_in: TracedIn) -> str:
    trials = f", {counted(top.trials, 'trial')}" if top.trials > top.cases else ""
    where = f", asked in {listed(traced_in[top.name])}" if top.name in traced_in else ""
    return counted(top.cases, "case") + trials + where


def looked_up(decision: Mapping[str, Json]) -> list[tuple[str, str]]:
    """The programs of a climb's recording all of whose answers were looked up: name and identity, which is "" in a
    recording of an older version."""
    pages = part(decision, "pages")
    found = [(string(one, "name"), string(one, "identity")) for one in parts(pages, "recorded")]
    older = [(name, "") for name in items(pages, "recorded") if isinstance(name, str)]
    return [pair for pair in (*found, *older) if pair[0]]


def _not_drawn(names: Sequence[str]) -> Html:
    listed = join([code(clipped(name, 80)) for name in names], ", ")
    said = join([
        "No graph of ", listed, ": the answers on dev were recorded by an earlier run, and no traces of it are "
        "kept. The same command with ", code("--fresh"), " asks again, and pays again.",
    ])  # fmt: skip
    return el("p", said, class_="note")


def graph(top: Node) -> Html:
    """The picture of one program. As wide as its place, whatever that is."""
    parts: list[Html] = []
    above: list[float] = []  # the row of the last node at each depth
    y = 0.0
    for depth, node in top.walk():
        del above[depth:]
        if depth:
            parts.append(_edge(_left(depth - 1), above[depth - 1], _left(depth), y, _strong(node)))
        parts += _node(node, _left(depth), y, _part(node, top))
        above.append(y)
        y += ROW
    told = ", ".join(f"{node.name}: {_figures(node)}" for _, node in top.walk())
    title = el("title", f"The program {top.name}")
    return el("svg", title, el("desc", told), *parts, class_="program", role="img", height=y or 1.0, width="100%")


def _node(node: Node, x: float, y: float, part: float) -> list[Html]:
    strong = " critical" if _strong(node) else ""
    name = el("tspan", clipped(node.name, NAME), class_="name")
    kind = el("tspan", f"  {node.kind}" + (", side by side" if node.beside else ""), class_="small")
    return [
        el("circle", cx=x + 5, cy=y + 12, r=4.5, class_=f"dot{strong}"),
        el("text", join([name, kind]), x=x + 18, y=y + 16),
        el("text", _figures(node), x=x + 18, y=y + 32, class_="small"),
        el("rect", x=x + 18, y=y + 38, width=f"{max(part, 0.002) * 70:.2f}%", height=4, rx=2, class_=f"bar{strong}"),
    ]


def _edge(x: float, y: float, to_x: float, to_y: float, strong: bool) -> Html:
    path = f"M{x + 5:g} {y + 18:g}V{to_y + 12:g}H{to_x:g}" if to_x > x else f"M{x + 5:g} {y + 18:g}V{to_y + 6:g}"
    return el("path", d=path, class_="edge critical" if strong else "edge")


def _figures(node: Node) -> str:
    runs, trials = node.runs, max(node.trials, 1)
    usd = "price unknown" if node.usd is None else f"{money(1000 * node.usd / trials)} / 1,000" if node.usd else ""
    said = [
        f"{runs / trials:.2g}×" if runs != trials else "",
        duration(node.seconds / trials),
        usd,
        f"{node.cached:,} recorded" if node.cached else "",
        f"{node.failed:,} failed" if node.failed else "",
    ]
    return " · ".join(filter(None, said))


def _part(node: Node, top: Node) -> float:
    return min(node.seconds / top.seconds, 1.0) if top.seconds else 0.0


def _strong(node: Node) -> bool:
    return 2 * node.critical >= node.trials > 0


def _left(depth: int) -> float:
    return INDENT * min(depth, DEEPEST)
