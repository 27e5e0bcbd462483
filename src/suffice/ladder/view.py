"""The page of `suffice view`: every dev case of an evaluation, or of two side by side, to look through in a browser.

Pure: reports in the form of `Report.to_json` go in, the text of one self-contained HTML file comes out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

from suffice.errors import SealedError, UsageError
from suffice.evals.compare import Comparison, common_cases, paired
from suffice.evals.cost import short_cost
from suffice.ladder.page import score_sentence
from suffice.ladder.page_shell import Live, document, hero
from suffice.ladder.page_text import Html, clipped, code, count, el, items, join, part, parts, quoted, string
from suffice.ladder.view_data import STATES, Shown, shown_cases
from suffice.shown import counted
from suffice.values import Json

Record = Mapping[str, Json]

KEYS = (
    ("j k, or arrows", "next and previous case"),
    ("Enter, Esc", "open a case, close it"),
    ("f", "failures; with two runs, what was broken"),
    ("1 to 5", "the filters, from left to right"),
    ("/", "search"),
    ("x", "clear all filters"),
    ("Home, End, PgUp, PgDn", "move further"),
    ("?", "this help"),
)


def view(report: Record) -> str:
    """The page of one report. Raises SealedError for a report on test cases, UsageError where it has no cases."""
    _check(report)
    cases = parts(report, "cases")
    name = clipped(string(report, "solution") or "the solution", 60)
    found = shown_cases([name], [[row] for row in cases])
    said = string(report, "sentence") or score_sentence(report, name)
    usual = [(word.capitalize(), f"{n:,}", "") for word, n in found.counts.items() if n or word in STATES[:2]]
    top = hero(_kicker(report, _run(report)), "", said, usual, _remarks(report))
    title = f"{name} on {string(report, 'task')}: cases · Suffice"
    return _page(title, top, found, report)


def view_two(before: Record, after: Record) -> str:
    """The page of two reports side by side, on the cases that both have, with what `after` fixed and broke.

    Raises as `view`, and UsageError where they have hardly a case in common or were graded in different ways.
    """
    for report in (before, after):
        _check(report)
        if "suffice_report" not in report:
            hint = "suffice eval TASK SOLUTION for each of the two, then suffice view RUN OTHER"
            raise UsageError("a climb keeps its failures alone: it cannot be seen beside another run", hint=hint)
    found = paired(before, after)
    rows = common_cases(before, after)
    names = _names(before, after)
    shown = shown_cases(names, rows)
    facts = [(word.capitalize(), f"{n:,}", what) for (word, n), what in zip(shown.counts.items(), _WHAT, strict=True)]
    if any(cost is not None and cost.usd for cost in found.costs):
        old, new = map(short_cost, found.costs)
        facts.append(("Cost", new, f"against {old}"))
    runs = " and ".join(filter(None, map(_run, (before, after))))
    left = [_left_out(r, name, len(rows)) for r, name in zip((before, after), names, strict=True)]
    extra = [*filter(None, left), *([found.flattery()] if any(found.fitted) else [])]
    more = _notes([*_said(before), *_said(after), *extra])
    top = hero(_kicker(after, runs), "", _sentence(found, names), facts, more)
    return _page(f"{names[1]} against {names[0]}: cases · Suffice", top, shown, after)


_WHAT = ("wrong before, right now", "right before, wrong now", "", "")


def of_climb(decision: Record) -> dict[str, Json]:
    """What a climb recorded of its candidate on dev, as a report for `view`: the failures alone, and the figures."""
    pages = part(decision, "pages")
    failures, name = parts(pages, "failures"), string(pages, "candidate")
    rungs = [r for r in parts(decision, "rungs") if string(r, "candidate") == name][:1]
    seen, right = (sum(count(r, key) for r in rungs) for key in ("dev_seen", "dev_right"))
    total = max(count(pages, "failures_total"), len(failures))
    said = f"`{name}` was right on {right:,} of {seen:,} dev cases; here are the {len(failures):,} it got wrong."
    kept = f" It got {total:,} wrong, of which {len(failures):,} were recorded." if total > len(failures) else ""
    note = f"A climb keeps the failures of its candidate alone.{kept} suffice eval TASK SOLUTION keeps every case."
    return {
        "task": decision.get("task"),
        "solution": name,
        "split": "dev",
        "run": decision.get("run"),
        "sentence": said,
        "notes": [note],
        "cases": [
            {**row, **({"reason": "", "score": None} if row.get("error") else {"score": 0.0})} for row in failures
        ],
    }


def _check(report: Record) -> None:
    if report.get("split") == "test":
        raise SealedError("these cases are sealed: their texts are not shown", hint="suffice eval TASK SOLUTION")
    if not parts(report, "cases"):
        raise UsageError("there is no case to look at", hint="suffice eval TASK SOLUTION, then suffice view")


def _kicker(report: Record, run: str) -> Html:
    task = clipped(string(report, "task"), 80)
    where = join([f"{string(report, 'split') or 'dev'} cases of ", code(task) if task else "a task"])
    return join([run + ": " if run else "", where])


def _run(report: Record) -> str:
    return clipped(string(report, "run"), 40)


def _names(before: Record, after: Record) -> list[str]:
    """What the two are called on the page: by solution, and by run where that is the same."""
    names = [clipped(string(r, "solution") or "the solution", 60) for r in (before, after)]
    if names[0] != names[1]:
        return names
    runs = [_run(r) for r in (before, after)]
    told = runs if all(runs) and runs[0] != runs[1] else ["the first", "the second"]
    return [f"{name} ({run})" for name, run in zip(names, told, strict=True)]


def _sentence(found: Comparison, names: Sequence[str]) -> str:
    old, new = found.both + len(found.lost), found.both + len(found.gained)
    return f"`{names[1]}` is right on {new:,} of {found.n:,} cases, `{names[0]}` on {old:,}: {found.difference_text()}."


def _left_out(report: Record, name: str, common: int) -> str | None:
    alone = len(items(report, "cases")) - common
    return (
        f"{counted(alone, 'case')} of `{name}` that the other has not, or expects otherwise: left out."
        if alone
        else None
    )


def _remarks(report: Record) -> list[Html]:
    sure = clipped(string(report, "confidence_from"), 60)
    return _notes([*_said(report), *([f"Confidence: {sure}."] if sure else [])])


def _said(report: Record) -> list[str]:
    stopped = string(report, "stopped")
    return [*([f"Stopped: {stopped}"] if stopped else []), *(n for n in items(report, "notes") if isinstance(n, str))]


def _notes(said: Sequence[str]) -> list[Html]:
    told = dict.fromkeys(said)  # of two runs, what is true of both once
    return [el("ul", *(el("li", quoted(text)) for text in told), class_="advice")] if told else []


def _page(title: str, top: Html, found: Shown, report: Record) -> str:
    split = string(report, "split") or "dev"
    ends = f"A text is here up to its {found.bound:,}th character; what is left out is counted where it ends."
    footer = el("p", f"Shown are {split} cases, which are for looking: none of the sealed test is here. {ends}")
    tools = el("section", _filters(found), _list(), id="cases", aria_label="Cases")
    live = Live(_file("view.css"), _file("view.js"), found.data)
    return document(title, top, [tools, _help()], footer, live)


def _filters(found: Shown) -> Html:
    """The tools above the list; the script fills the menus and hides those that have no choice."""
    total = sum(found.counts.values())
    chips = [("all", total), *found.counts.items()]
    show = el("div", *(_chip(i, word, n) for i, (word, n) in enumerate(chips, 1)), role="group", aria_label="Show")
    search = el("input", type="search", id="q", placeholder="Search  /", aria_label="Search in all texts")
    two = len(found.data["names"]) > 1
    menus = [
        *([_menu("side", "Answers of"), _menu("state", "Outcome")] if two else []),
        _menu("by", "Answered by"),
        _menu("expected", "Expected"),
        _menu("answer", "Answered"),
        _menu("field", "Wrong field"),
        *([_score()] if found.data["graded"] else []),
        _menu("sort", "Order"),
    ]
    clear = el("button", "Clear", type="button", id="clear")
    keys = el("button", "?", type="button", id="keys", aria_label="Keys")
    return el(
        "form", show, el("div", search, clear, keys, class_="find"), el("div", *menus, class_="menus"), id="tools"
    )


def _chip(key: int, word: str, n: int) -> Html:
    label = join([word.capitalize(), " ", el("b", f"{n:,}")])
    pressed = "true" if key == 1 else "false"
    return el("button", label, type="button", data_show=word, aria_pressed=pressed, aria_keyshortcuts=str(key))


def _menu(name: str, label: str) -> Html:
    return el("label", el("span", label), el("select", id=name), id=f"{name}-label")


def _score() -> Html:
    ends = [
        el("input", id=end, type="number", min=0, max=1, step=0.01, aria_label=f"Score, {word}", placeholder=word)
        for end, word in (("low", "from"), ("high", "to"))
    ]
    return el("div", el("span", "Score"), *ends, class_="score")


def _list() -> Html:
    no_script = el("p", "The list of cases needs JavaScript. suffice report makes a page without it.")
    cases = el("div", id="list", role="listbox", tabindex=0, aria_label="Cases")
    case = el("article", id="case", hidden="", tabindex=-1, aria_label="Case")
    status = el("p", id="count", role="status")
    return join([el("noscript", no_script), status, el("div", cases, case, id="split"), el("div", id="paper")])


def _help() -> Html:
    rows = [el("div", el("dt", key), el("dd", what)) for key, what in KEYS]
    close = el("form", el("button", "Close"), method="dialog")
    inside = [el("h2", "Keys", id="help-title"), el("dl", *rows), close]
    return el("dialog", *inside, id="help", aria_labelledby="help-title")


@cache
def _file(name: str) -> str:
    return files("suffice.ladder").joinpath(name).read_text("utf-8")
