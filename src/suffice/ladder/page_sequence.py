"""The part of a decision page that shows how sure dev became: the mean so far and its bounds, case by case."""

from __future__ import annotations

from collections.abc import Mapping

from suffice.evals.report import figure
from suffice.ladder.page_claim import ends_of, graded, reference
from suffice.ladder.page_figures import Point, curve
from suffice.ladder.page_shell import section
from suffice.ladder.page_text import Html, clipped, code, el, items, join, number, numbers, part, string
from suffice.shown import counted
from suffice.stats.sequences import Bounds, cluster_sequence
from suffice.values import Json

Record = Mapping[str, Json]

FEWEST = 10  # units that make a picture
MOST = 2_000  # units that are reckoned with
DRAWN = 120  # points


def narrowing(decision: Record) -> Html | None:
    """The confidence sequence over the dev cases of the candidate that the evidence is about; of sealed cases it would
    show, step by step, which were right. None where there are too few, or the bar is relative."""
    pages, claim = part(decision, "pages"), part(decision, "claim")
    rows = [(r[0], int(r[1])) for row in items(pages, "scores") if len(r := numbers(row)) == 2][:MOST]
    if len(rows) < FEWEST or reference(claim):
        return None
    try:
        bounds = cluster_sequence(*zip(*rows, strict=True), most=int(number(claim, "most") or 1))
    except ValueError:  # a record that is none of ours
        return None
    points = _points(rows, bounds)
    if len(points) < 2:
        return None
    least, bar = ends_of(claim)
    lines = [(name, v) for name, v in (("bar", bar), ("claim", least)) if v is not None]
    what, last = "mean score" if graded(claim) else "share right", bounds[-1]
    what += " among answered" if number(claim, "coverage") is not None else ""
    lead = [
        f"The {what} of ",
        code(clipped(string(pages, "candidate") or "the candidate", 60)),
        " as dev was looked at, and between which bounds it lies. All bounds hold at once at 95%, so it does not "
        "matter where one stops. They hold for a solution that was fixed before: what was chosen on dev looks a little "
        "better.",
    ]
    axes = el("p", f"across: share of dev used · up: {what}", class_="note axes")
    unit = string(claim, "per") if number(claim, "most") else ""
    said = (
        f"Between {figure(last.low)} and {figure(last.high)} after {counted(len(rows), clipped(unit, 40) or 'case')}. "
    )
    note = el("p", said + "Of test cases no such picture is drawn.", class_="note")
    picture = curve(points, lines, None, title="Dev, case by case", across="of dev")
    return section("sequence", "Dev, case by case", join(lead), picture, axes, note)


def _points(rows: list[tuple[float, int]], bounds: list[Bounds]) -> list[Point]:
    total, seen, points = 0.0, 0, list[Point]()
    step = max(len(rows) // DRAWN, 1)
    for i, ((score, cases), ends) in enumerate(zip(rows, bounds, strict=True), 1):
        total, seen = total + score, seen + cases
        if seen and (i % step == 0 or i == len(rows)):
            points.append(Point(i / len(rows), total / seen, None, (ends.low, ends.high)))
    return points
