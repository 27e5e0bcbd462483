"""The parts of a decision page about rungs: the ladder with every dev score, the route, the coverage curve."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from suffice.evals.cost import PerCase, cost_text
from suffice.evals.report import figure
from suffice.ladder.page_claim import ends_of, graded, reference, shown, units
from suffice.ladder.page_figures import Member, Point, axis_bottom, axis_top, curve, gauge, route, strip
from suffice.ladder.page_shell import MARKS, section, sign
from suffice.ladder.page_text import (
    Html,
    clipped,
    code,
    count,
    el,
    items,
    join,
    number,
    numbers,
    part,
    parts,
    plain,
    string,
)
from suffice.ladder.sentence import confidence, floor_percent, percent, rate, when
from suffice.ladder.spending import EXPLAINED, taken
from suffice.shown import counted
from suffice.stats.intervals import wilson
from suffice.stats.paired import difference
from suffice.values import Json

Record = Mapping[str, Json]

STATES = {
    "waiting": ("not reached", "an easier rung decided"),
    "running": ("cut off", "while on dev"),
    "dropped": ("dropped", "on dev a PASS was too unlikely"),
    "kept": ("not tested", "not likely enough to spend a try on"),
    "changed": ("changed", "since it passed"),
    "to test": ("ready", "for test"),
    "not tried": ("not tried", ""),
    "paused": ("paused", ""),
    "would pass": ("would pass", "if nobody tuned on these cases"),
}
"""What the states of a rung without a verdict are called here, and what they mean."""


def ladder(decision: Record) -> Html | None:
    """Every rung with its dev score on one axis, the chance that dev predicted, and what test said."""
    rungs, claim = parts(decision, "rungs"), part(decision, "claim")
    if not rungs:
        return None
    ends = ends_of(claim)
    head = [
        el("th", "Rung", scope="col", role="columnheader"),
        el("th", "Dev score", scope="col", role="columnheader"),
        el("th", axis_top(*ends), scope="col", role="columnheader", class_="picture", aria_label="on the axis"),
        el("th", "Chance", scope="col", role="columnheader"),
        el("th", "Test", scope="col", role="columnheader"),
    ]
    rows = [_rung(k, rung, claim) for k, rung in reversed(list(enumerate(rungs, 1)))]
    ticks = el("td", axis_bottom(), class_="picture")
    foot = el("tr", el("td"), el("td"), ticks, el("td"), el("td"), class_="foot", aria_hidden="true")
    table = el(
        "table",
        el("caption", "The ladder, hardest rung first", class_="unseen"),
        el("thead", el("tr", *head, role="row"), role="rowgroup"),
        el("tbody", *rows, foot, role="rowgroup"),
        class_="ladder",
        role="table",
    )
    calls, saved = sum(count(r, "calls") for r in rungs), sum(count(r, "saved") for r in rungs)
    spent = part(decision, "spent")
    said = f"{taken(calls, spent)}; stopping early saved {saved:,} calls."
    said += f" {EXPLAINED[0].upper()}{EXPLAINED[1:]}." if count(spent, "attempts") else ""
    note = [el("p", said, class_="note")] if calls or saved else []
    return section("ladder", "The ladder", _how_to_read(claim), table, *note)


MARKED = {False: "share right", True: "mean score"}


def _how_to_read(claim: Record) -> str:
    said = f"Easiest at the bottom. The mark is the {MARKED[graded(claim)]} on dev"
    if reference(claim):
        said = f"Easiest at the bottom. The mark compares dev with {reference(claim)}: in the middle they are equal"
    said += " among answered cases" if number(claim, "coverage") is not None else ""
    said += ", the whisker its 95% interval"
    least, bar = ends_of(claim)
    if bar is not None and least is not None and not reference(claim):
        said += f"; the tint runs from what a PASS shows ({rate(least)}) to the bar ({rate(bar)})"
    test = "test cases, which others could look at" if claim.get("open") is True else "sealed test"
    return said + f". Chance is the predicted chance of a PASS on the {test}."


def _rung(k: int, rung: Record, claim: Record) -> Html:
    state, name = string(rung, "state"), string(rung, "name") or f"rung {k}"
    mark = MARKS.get(state, "none")
    route_name = string(rung, "candidate")
    via = [el("span", "as ", code(clipped(route_name, 120)), class_="via")] if route_name not in ("", name) else []
    said = [clipped(string(rung, "note"), 300), cost_said(part(rung, "cost"))]
    note = [el("span", text, class_="note") for text in said if text]
    number_ = el("span", f"{k}", class_="step", aria_hidden="true")
    first = el("th", number_, el("div", code(clipped(name, 60)), *via, *note), scope="row", role="rowheader")
    score, interval = score_of(rung, claim), _interval(rung)
    lines = [v for v in ends_of(claim) if v is not None]
    picture = el("td", strip(name, score, interval, lines, mark), role="cell", class_="picture")
    dev = el("td", *_dev(rung, claim, score, interval), role="cell", class_="dev")
    chance = number(rung, "chance")
    likely = [el("b", f"{chance:.0%}"), gauge(chance)] if chance is not None else [el("span", "–", class_="note")]
    test = el("td", *_test(rung, state, mark, claim), role="cell", class_="test")
    return el("tr", first, dev, picture, el("td", *likely, role="cell", class_="chance"), test, role="row")


def score_of(rung: Record, claim: Record) -> float | None:
    """The dev score: right among answered where the claim has a coverage, right among all else."""
    if number(rung, "dev_mean") is not None:
        return number(rung, "dev_mean")
    among = count(rung, "dev_answered" if number(claim, "coverage") is not None else "dev_seen")
    return min(count(rung, "dev_right") / among, 1.0) if among else number(rung, "dev_score")


def cost_said(cost: Record) -> str:
    """ "$1.20 per 1,000 cases; tokens a case: 412 in, 23 out", as recorded; "" where no model was called."""
    usd, (tokens_in, tokens_out) = number(cost, "usd"), (number(cost, f"{way}_tokens") for way in ("input", "output"))
    if not count(cost, "n") or usd == 0:
        return ""
    low, high = (number(cost, f"usd_{end}") for end in ("low", "high"))
    at_most = cost.get("at_most") is True
    return cost_text(PerCase(count(cost, "n"), usd, tokens_in, tokens_out, at_most, low, high))


def looked_at(rung: Record) -> str:
    """Where a rung's evidence is from: "dev", or "train and dev, out of fold"."""
    return "train and dev, out of fold" if rung.get("out_of_fold") is True else "dev"


def cases_seen(rung: Record) -> str:
    """ "169 dev cases"; out of fold, a rung that learns is judged on the train cases, too."""
    return counted(count(rung, "dev_seen"), "train and dev case" if rung.get("out_of_fold") is True else "dev case")


def _interval(rung: Record) -> tuple[float, float] | None:
    ends = numbers(rung.get("interval"))
    return (ends[0], ends[1]) if len(ends) == 2 else None


def _dev(rung: Record, claim: Record, score: float | None, interval: tuple[float, float] | None) -> list[Html]:
    if score is None:
        return [el("span", "not run", class_="note")]
    against = reference(claim)
    says = _difference if against else figure
    between = [el("span", f"{says(interval[0])} to {says(interval[1])}")] if interval is not None else []
    right, answered, seen = (count(rung, f"dev_{key}") for key in ("right", "answered", "seen"))
    said: list[str] = []
    if seen:
        among = answered if number(claim, "coverage") is not None else seen
        said.append(
            f"{among:,} pairs with {against}" if against else f"{right:,} of {among:,}{' fully right' * graded(claim)}"
        )
        said += [f"answered {answered / seen:.0%} of {seen:,}"] if answered < seen else []
    total, failed = count(rung, "dev_total"), count(rung, "dev_failed")
    said += [f"stopped early, of {total:,}"] if total > seen else []
    said += [f"{failed:,} failed calls"] if failed else []
    said += ["out of fold"] if rung.get("out_of_fold") is True else []
    return [el("b", says(score)), Html(" "), *between, *(el("span", s, class_="note") for s in said)]


def _difference(mean: float) -> str:
    """Of pairs, whose mean is 1/2 where they are equal."""
    return f"{difference(mean):+.3f}"


def _test(rung: Record, state: str, mark: str, claim: Record) -> list[Html]:
    word, why = STATES.get(state, (state, ""))
    chip = el("span", sign(mark), el("span", word or "unknown"), class_=f"chip {mark}")
    tested = part(rung, "tested")
    if not tested:
        return [chip, *([el("span", why, class_="note")] if why else [])]
    n, used = number(claim, "n"), count(tested, "used")
    kind = units(claim)
    said = [f"{used:,} of {n:,.0f} {kind}" if n is not None else f"{used:,} {kind}"]
    said += [why] if why else []
    bound, share, alpha = number(tested, "bound"), number(tested, "share"), number(tested, "alpha")
    if bound is not None:
        said.append(shown(claim, bound))
        said += [f"at least {floor_percent(share)} answered"] if share is not None else []
    if alpha is not None:
        spent = f"error {percent(alpha)}" if state in ("PASS", "would pass") else f"{percent(alpha)} of error spent"
        said.append(f"try {count(tested, 'number')}, {spent}")
    failed, at = count(tested, "failed"), number(tested, "at")
    said += [f"{failed:,} failed calls"] if failed else []
    if at:
        said.append(("known since " if tested.get("known") is True else "") + when(at))
    return [chip, *(el("span", s, class_="note") for s in said)]


def paths(decision: Record) -> Html | None:
    """The route and its coverage curve, side by side where there is room."""
    rung = decided_rung(decision)
    found = [s for s in (_route(decision, rung), _coverage(decision, rung)) if s is not None]
    return el("div", *found, class_="pair-of-figures") if found else None


def decided_rung(decision: Record) -> Record:
    """The rung that the dev evidence is about: the winner, or what came closest."""
    rungs, candidate = parts(decision, "rungs"), string(part(decision, "pages"), "candidate")
    same = [r for r in rungs if string(r, "candidate") == candidate and candidate]
    passed = [r for r in rungs if string(r, "state") == "PASS"]
    order = [*(r for r in same if r in passed), *same, *passed]
    return order[0] if order else {}


def _route(decision: Record, rung: Record) -> Html | None:
    members = _members(rung, part(decision, "pages"))
    if not members:
        return None
    shares = [m.share for m in members]
    known = [s for s in shares if s is not None]
    rest = max(1 - sum(known), 0.0) if len(known) == len(shares) else None
    rest = None if rest is not None and rest < 0.0005 else rest
    to_person = number(part(decision, "claim"), "coverage") is not None
    cases = f"all inputs ({cases_seen(rung)})" if count(rung, "dev_seen") else "all inputs"
    said = "Each member answers what it is sure enough of and hands the rest on."
    said = said if len(members) > 1 or rest else "One member answers every input."
    sure = _confidence(rung)
    said += f" {sure[:1].upper()}{sure[1:]}." if sure else ""
    title = "The route" if string(decision, "verdict") == "PASS" else "The closest route"
    return section("route", title, said, route(members, rest, "a person" if to_person else "no answer", cases))


def _confidence(rung: Record) -> str:
    names = [clipped(plain(n), 60) for n in items(rung, "members")]
    sources = [clipped(s, 60) if isinstance(s, str) else None for s in items(rung, "confidence_from")]
    return confidence(names, items(rung, "thresholds"), sources)


def _members(rung: Record, pages: Record) -> list[Member]:
    names = [n for n in items(rung, "members") if isinstance(n, str)]
    names = names or [n for n in items(pages, "members") if isinstance(n, str)]
    thresholds, handled = items(rung, "thresholds") or items(pages, "thresholds"), items(rung, "handled")
    out: list[Member] = []
    for i, name in enumerate(names):
        threshold = thresholds[i] if i < len(thresholds) and isinstance(thresholds[i], int | float) else None
        share = handled[i] if i < len(handled) and isinstance(handled[i], int | float) else None
        if threshold is None or math.isfinite(threshold):  # an infinite threshold leaves a member out
            out.append(Member(name, threshold, share))
    return out


def _coverage(decision: Record, rung: Record) -> Html | None:
    pages, claim = part(decision, "pages"), part(decision, "claim")
    if not pages:
        return None
    points = _points(items(pages, "curve"), count(rung, "dev_seen"))
    members = _members(rung, pages)
    if not members:
        return None
    last = code(clipped(members[-1].name, 60))
    if len(points) < 2:
        said = join([last, " gives no confidence that tells one answer from another, so there is no curve."])
        return section("coverage", "Coverage", said)
    threshold = members[-1].threshold
    chosen = _chosen(points, threshold)
    least, bar = ends_of(claim)
    lines = [(name, v) for name, v in (("bar", bar), ("claim", least)) if v is not None]
    band = " The band is its 95% interval, point by point." if points[0].interval is not None else ""
    alone = " on its own" if len(members) > 1 else ""
    lead = [
        "How often ",
        last,
        f"{alone} is right on {looked_at(rung)}, if it answers only what it is surest of.{band}",
    ]
    where = "answered" if threshold is not None else "It hands nothing on:"
    note = f"{figure(chosen.rate)} right at {chosen.coverage:.0%} answered"
    note += f", where its confidence is at least {figure(threshold)}." if threshold is not None else "."
    note = note if threshold is not None else f"{where} {note}"
    axes = el("p", "across: share answered · up: rate right among answered", class_="note axes")
    picture = curve(points, lines, chosen)
    return section("coverage", "Coverage", join(lead), picture, axes, el("p", note, class_="note"))


def _points(rows: Sequence[Json], n: int) -> list[Point]:
    """The recorded curve; with intervals where the counts behind its rates can be told."""
    found = [r for row in rows if len(r := numbers(row)) == 3]
    whole = n > 0 and all(abs(c * n - round(c * n)) < 1e-6 and c * n > 0.5 for c, _, _ in found)
    out: list[Point] = []
    for coverage, right, threshold in found:
        answered = round(coverage * n)
        ends = wilson(round(right * answered), answered) if whole else None
        out.append(Point(coverage, right, threshold, (ends.low, ends.high) if ends is not None else None))
    return out


def _chosen(points: Sequence[Point], threshold: float | None) -> Point:
    """The point at which the member answers: the last one at or above its threshold."""
    if threshold is None:
        last = points[-1]
        return Point(last.coverage, last.rate, None, last.interval)
    at = [p for p in points if p.threshold is not None and p.threshold >= threshold - 1e-9]
    found = at[-1] if at else points[0]
    return Point(found.coverage, found.rate, threshold, found.interval)
