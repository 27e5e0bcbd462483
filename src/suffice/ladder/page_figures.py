"""The pictures of a decision page, as SVG: a score on its axis, the route as a stream, the coverage curve.

Positions are per cent of the width where a picture has to fit a telephone and a sheet of paper alike, so that nothing
scales its letters. Colours are classes of page.css.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from suffice.evals.report import figure
from suffice.ladder.page_text import Html, clipped, el
from suffice.ladder.sentence import rate as decimal

TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
STREAM = 64.0  # width of all inputs, px
STEP = 92.0  # height of one member, px
TOP = 34.0
BEND = 13.0  # radius of a branch's inner edge, px
FUNNEL = 122.0  # where the branches of the stream end, px


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a route: the share of the inputs seen that it answers, None where that was not recorded."""

    name: str
    threshold: float | None
    share: float | None


@dataclass(frozen=True, slots=True)
class Point:
    """A point of the coverage curve: share answered, rate right among them, and its 95% interval if n is known."""

    coverage: float
    rate: float
    threshold: float | None = None
    interval: tuple[float, float] | None = None


def strip(
    name: str, score: float | None, interval: tuple[float, float] | None, lines: Sequence[float], mark: str
) -> Html:
    """A score with its interval on the axis from 0 to 1. `lines` are claim and bar; `mark` is the verdict's class."""
    said = "not run" if score is None else f"{name}: {figure(score)}"
    if interval is not None:
        said += f", 95% interval {figure(interval[0])} to {figure(interval[1])}"
    parts = _guides(lines)
    if interval is not None:
        low, high = interval
        parts += [
            _line(low, "50%", high, "50%", "whisker"),
            *(_upright(x, "whisker", 5) for x in (low, high)),
        ]
    if score is not None:
        parts += _mark(score, mark)
    return el("svg", el("title", said), *parts, class_=f"strip {mark}", role="img")


def axis_top(claim: float | None, bar: float | None) -> Html:
    """The names of the vertical lines, over the strips."""
    parts: list[Html] = []
    for value, name, y in ((bar, "bar", 11), (claim, "claim", 25)):
        if value is None:
            continue
        left = value > 0.5
        parts.append(_text(value, f"{y}", f"{name} {decimal(value)}", -5 if left else 5, "end" if left else "start"))
        parts.append(el("line", x1=_pc(value), x2=_pc(value), y1=f"{y - 9}", y2="100%", class_=f"line {name}"))
    return el("svg", *parts, class_="names", aria_hidden="true")


def axis_bottom() -> Html:
    """The ticks under the strips."""
    parts = [_line(0, "1", 1, "1", "axis")]
    for tick in TICKS:
        anchor = "start" if tick == 0 else "end" if tick == 1 else "middle"
        parts.append(el("line", x1=_pc(tick), x2=_pc(tick), y1="1", y2="5", class_="axis"))
        parts.append(_text(tick, "18", f"{tick:g}".replace("0.", "."), 0, anchor))
    return el("svg", *parts, class_="ticks", aria_hidden="true")


def gauge(share: float) -> Html:
    """A share as a short bar. The figure stands beside it, so it is hidden from readers that cannot see it."""
    return el(
        "svg",
        el("rect", x="0", y="0", width="100%", height="100%", class_="all"),
        el("rect", x="0", y="0", width=_pc(share), height="100%", class_="some"),
        class_="gauge",
        aria_hidden="true",
    )


def route(members: Sequence[Member], rest: float | None, end: str, cases: str) -> Html:
    """The route as a stream: each member takes its share out of it, `end` takes the `rest`."""
    parts = [
        el("text", cases, x="0", y="13", class_="small"),
        el("rect", x="0", y="20", width=STREAM, height=TOP - 20, class_="flow"),
    ]
    left, y = 1.0, TOP
    for i, member in enumerate(members):
        last = i == len(members) - 1 and not rest
        share = left if last or member.share is None else min(member.share, left)
        after = 0.0 if last else max(left - share, 0.0)
        parts += _branch(left, after, y, f"answers m{i % 3}") + _member(member, last, y)
        left, y = after, y + STEP
    if rest:
        parts += _branch(left, 0.0, y, "answers person")
        parts += _label(y, end, f"the other {_share(rest)} of inputs seen", "")
        y += STEP
    steps = [f"{m.name} {_said(m, False)}" + (f", {_when(m)}" if m.threshold is not None else "") for m in members]
    told = "Inputs flow from the top. " + "; ".join(steps) + (f"; {end}: {_share(rest)}." if rest else ".")
    return el(
        "svg", el("title", "The route"), el("desc", told), *parts, class_="route", role="img", height=y, width="100%"
    )


def curve(
    points: Sequence[Point],
    lines: Sequence[tuple[str, float]],
    chosen: Point | None,
    title: str = "Coverage curve",
    across: str = "answered",
) -> Html:
    """Share answered (or another share) against rate right, with a 95% band and the chosen threshold."""
    floor = _floor(points, [v for _, v in lines])

    def height(rate: float) -> float:
        return 1 - (max(rate, floor) - floor) / (1 - floor)

    grid: list[Html] = []
    for k in range(int(round((1 - floor) / 0.1)) + 1):
        rate = floor + 0.1 * k
        grid.append(_line(0, _pc(height(rate)), 1, _pc(height(rate)), "grid"))
        grid.append(_text(0, _pc(height(rate)), decimal(rate), -8, "end", 4))
    for tick in TICKS:
        grid.append(el("line", x1=_pc(tick), x2=_pc(tick), y1="100%", y2="100%", class_="axis"))
        grid.append(_text(tick, "100%", f"{tick:.0%}", 0, "end" if tick == 1 else "middle", 18))
    for name, value in lines:
        grid.append(_line(0, _pc(height(value)), 1, _pc(height(value)), f"line {name}"))
        grid.append(_text(0, _pc(height(value)), f"{name} {decimal(value)}", 6, "start", -4 if name == "bar" else 13))
    band = [p for p in points if p.interval is not None]
    drawn = [_polygon(band, height)] if len(band) > 1 else []
    path = "M" + "L".join(_xy(p.coverage, height(p.rate)) for p in points)
    drawn.append(el("path", d=path, class_="curve"))
    plot = el("svg", *drawn, viewBox="0 0 1000 1000", preserveAspectRatio="none", width="100%", height="100%")
    first, last = points[0], points[-1]
    told = (
        f"From {figure(first.rate)} right at {_share(first.coverage)} {across} "
        f"to {figure(last.rate)} right at {_share(last.coverage)} {across}."
    )
    titled = [el("title", title), el("desc", told)]
    return el("svg", *titled, *grid, plot, *_chosen(chosen, height), class_="coverage", role="img")


def _chosen(chosen: Point | None, height: Callable[[float], float]) -> list[Html]:
    if chosen is None:
        return []
    x, y = _pc(chosen.coverage), _pc(height(chosen.rate))
    out = [el("line", x1=x, x2=x, y1=y, y2="100%", class_="drop")]
    if chosen.interval is not None:
        low, high = (_pc(height(v)) for v in chosen.interval)
        out.append(el("line", x1=x, x2=x, y1=low, y2=high, class_="whisker"))
    out.append(el("circle", cx=x, cy=y, r=5, class_="dot"))
    left = chosen.coverage > 0.5
    if chosen.threshold is not None:
        said = f"threshold {figure(chosen.threshold)}"
        out.append(_text(chosen.coverage, "100%", said, -7 if left else 7, "end" if left else "start", -8))
    return out


def _polygon(band: Sequence[Point], height: Callable[[float], float]) -> Html:
    upper = [_xy(p.coverage, height(p.interval[1])) for p in band if p.interval]
    lower = [_xy(p.coverage, height(p.interval[0])) for p in reversed(band) if p.interval]
    return el("path", d="M" + "L".join([*upper, *lower]) + "Z", class_="band")


def _floor(points: Sequence[Point], lines: Sequence[float]) -> float:
    """Where the vertical axis begins: a tenth below everything that rests on at least a tenth of the cases."""
    settled = [p for p in points if p.coverage >= 0.1] or list(points)
    lowest = min([*(p.rate for p in settled), *(p.interval[0] for p in settled if p.interval), *lines])
    return max(0, min(int(lowest * 10 + 1e-9), 8)) / 10


def _branch(before: float, after: float, y: float, kind: str) -> list[Html]:
    """What leaves the stream to the right, and what flows on."""
    out: list[Html] = []
    if after > 0:
        out.append(el("rect", x="0", y=y - 0.5, width=max(STREAM * after, 1), height=STEP + 1, class_="flow"))
    right, left, middle = STREAM * before, STREAM * after, y + STEP / 2
    thick = max(right - left, 1.5)
    top, bottom = middle - thick / 2, middle + thick / 2
    bend = min(BEND, top - y)  # of the inner edge; the outer one bends about the same centre
    ribbon = (
        f"M{right:.1f} {y - 0.5:.1f}V{top - bend:.1f}A{bend:.1f} {bend:.1f} 0 0 0 {right + bend:.1f} {top:.1f}"
        f"H{FUNNEL:g}L{FUNNEL + min(thick / 2, 9):.1f} {middle:.1f}L{FUNNEL:g} {bottom:.1f}H{right + bend:.1f}"
        f"A{bend + thick:.1f} {bend + thick:.1f} 0 0 1 {right - thick:.1f} {top - bend:.1f}V{y - 0.5:.1f}Z"
    )
    out.append(el("path", d=ribbon, class_=kind))
    return out


def _member(member: Member, last: bool, y: float) -> list[Html]:
    return _label(y, member.name, _said(member, last), _when(member) if member.threshold is not None else "")


def _label(y: float, name: str, said: str, when: str) -> list[Html]:
    middle, x = y + STEP / 2, FUNNEL + 20
    above = 14 if when else 6
    out = [el("text", clipped(name, 22), el("title", name), x=x, y=middle - above + 4, class_="name")]
    out.append(el("text", said, x=x, y=middle - above + 22, class_="small"))
    if when:
        out.append(el("text", when, x=x, y=middle - above + 39, class_="small"))
    return out


def _said(member: Member, last: bool) -> str:
    if member.share is None:
        return "answers its share"
    if last and member.share > 0.9995:
        return "answers every input"
    return f"answers {_share(member.share)} of inputs seen"


def _when(member: Member) -> str:
    return f"when at least {figure(member.threshold or 0.0)} sure"


def _guides(lines: Sequence[float]) -> list[Html]:
    out = [_upright(t, "grid") for t in TICKS]
    if len(lines) == 2:
        low, high = lines
        out.append(el("rect", x=_pc(low), y="0", width=_pc(high - low), height="100%", class_="tolerance"))
    names = ("claim", "bar") if len(lines) == 2 else ("bar",)
    return out + [_upright(v, f"line {name}") for v, name in zip(lines, names, strict=False)]


def _mark(score: float, mark: str) -> list[Html]:
    """The score: a disc for PASS, a cross for FAIL, a ring for UNPROVEN, a small disc without a verdict."""
    x = _pc(score)
    if mark == "fail":
        cross = el("path", d="M-5 -5L5 5M5 -5L-5 5", class_="cross")
        return [el("svg", cross, x=x, y="50%", overflow="visible", width="1", height="1")]
    return [el("circle", cx=x, cy="50%", r=4 if mark == "none" else 6, class_="dot")]


def _upright(x: float, kind: str, half: float | None = None) -> Html:
    if half is None:
        return el("line", x1=_pc(x), x2=_pc(x), y1="0", y2="100%", class_=kind)
    tick = el("line", x1="0", x2="0", y1=-half, y2=half, class_=kind)
    return el("svg", tick, x=_pc(x), y="50%", overflow="visible", width="1", height="1")


def _line(x1: float, y1: str, x2: float, y2: str, kind: str) -> Html:
    return el("line", x1=_pc(x1), y1=y1, x2=_pc(x2), y2=y2, class_=kind)


def _text(x: float, y: str, said: str, dx: float, anchor: str, dy: float = 0) -> Html:
    return el("text", said, x=_pc(x), y=y, dx=dx, dy=dy, text_anchor=anchor)


def _xy(x: float, y: float) -> str:
    return f"{1000 * x:.1f} {1000 * y:.1f}"


def _pc(x: float) -> str:
    return f"{100 * min(max(x, 0.0), 1.0):.4g}%"


def _share(value: float) -> str:
    return f"{value:.0%}" if 0.01 <= value <= 0.99 or value in (0.0, 1.0) else f"{value:.1%}"
