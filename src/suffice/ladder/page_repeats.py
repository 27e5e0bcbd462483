"""The part of an evaluation's page on repeats: pass^k, whether a case is right again and again; and its calls."""

from __future__ import annotations

from collections.abc import Mapping

from suffice.evals.report import figure
from suffice.ladder.page_figures import axis_bottom, strip
from suffice.ladder.page_shell import section
from suffice.ladder.page_text import Html, count, el, number, numbers, part, parts
from suffice.values import Json


def repeats_section(report: Mapping[str, Json]) -> Html | None:
    """A strip for each k; None where cases were asked once, or an older version recorded it."""
    repeats = part(report, "repeats")
    rows = parts(repeats, "pass_k")
    if not rows:
        return None
    asked, cases = count(repeats, "most"), count(report, "n")
    said = f"Each case was asked {asked:,} times; {count(repeats, 'unsteady'):,} of {cases:,} were answered in "
    said += "different ways. pass^k is the chance that one case is right k times in a row; the whiskers are 95% "
    said += "intervals over cases."
    return section("repeats", "Again and again", said, el("div", *map(_row, rows), axis_bottom(), class_="again"))


def calls_of(report: Mapping[str, Json]) -> int:
    """How many calls an evaluation made: one a case, or as many as it has samples."""
    if "cases" in report:
        return sum(len(call_rows(case)) for case in parts(report, "cases"))
    most = max(1, count(part(report, "repeats"), "most"))
    return count(report, "calls") or count(report, "n") * most  # an older record does not say


def call_rows(case: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    """A row for each call of a case: what came of it, with the case's own inputs and expected answer."""
    return [{**case, **sample} for sample in parts(case, "samples")] or [case]


def _row(row: Mapping[str, Json]) -> Html:
    name, estimate, ends = f"pass^{count(row, 'k')}", number(row, "estimate"), numbers(row.get("interval95"))
    interval = (ends[0], ends[1]) if len(ends) == 2 else None
    told = "" if estimate is None else figure(estimate)
    told += f" ({figure(interval[0])} to {figure(interval[1])})" if interval else ""
    return el("div", el("span", f"{name} {told}"), strip(name, estimate, interval, [], "none"))
