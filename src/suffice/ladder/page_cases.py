"""The parts of a decision page that show single cases: the confusion table and the failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from suffice.evals.report import figure
from suffice.ladder.page_text import (
    Html,
    abridged,
    answer,
    clipped,
    el,
    folded,
    inputs,
    join,
    named,
    number,
    plain,
    string,
)
from suffice.shown import shown
from suffice.values import Json

LABELS = 20  # labels that a confusion table shows one by one
SHADES = 5
LAST = ("(nothing)", "(handed on)", "(error)")  # columns that stand after the labels
TABLE_CELLS = 24  # width of a label's name


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often each expected label was answered by which: what is not among the `rows` is summed in `rest`."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: Mapping[tuple[str, str], int]
    rest: str  # the name of the row and column for all other labels, empty where every label is shown
    among: int = 0  # cases of `rest` answered by another label of `rest`


def label(value: Json) -> str:
    """The name of a recorded value in a confusion table."""
    word = named(value)
    return f"({word})" if word is not None else clipped(plain(value), 40)


def confusion_of(pairs: Mapping[tuple[str, str], int]) -> Confusion | None:
    """The table of these counts by (expected, answered); None where it would say nothing: hardly two cases a label,
    or answers whose text was not recorded."""
    expected = Counter[str]()
    wrong = Counter[str]()
    for (asked, said), n in pairs.items():
        expected[asked] += n
        if asked != said:
            wrong[asked] += n
            wrong[said] += n
    given = {said for _, said in pairs if said not in ("(right)", "(wrong)", *LAST[1:])}
    free = len(expected) > 5 and 2 * len(expected) > expected.total()
    objects = any(asked.startswith("{") for asked in expected)  # as versions before wrote them of fields and worlds
    if not given or free or objects or any("(graded" in said for said in given):
        return None
    labels = {*expected, *given}
    kept = sorted(labels, key=lambda name: (-wrong[name], -expected[name], name))
    kept = kept if len(kept) <= LABELS + 1 else kept[:LABELS]
    others = labels - set(kept)
    rest = f"{len(others)} other labels" if others else ""
    cells = Counter[tuple[str, str]]()
    among = 0
    for (asked, said), n in pairs.items():
        cells[rest if asked in others else asked, rest if said in others else said] += n
        among += n if asked in others and said in others and asked != said else 0
    order = sorted(kept, key=lambda name: (name in LAST, name.casefold(), name)) + ([rest] if rest else [])
    rows = tuple(name for name in order if name in expected or name == rest and others & set(expected))
    columns = (*order, *(name for name in LAST[1:] if any(said == name for _, said in pairs)))
    return Confusion(rows, columns, cells, rest, among)


def confusion_table(table: Confusion) -> Html:
    """The confusion table: a row an expected label, a column an answer, shaded by the share of its row."""
    corner = el("th", "expected ↓  answered →", scope="col", class_="corner")
    names = [el("th", el("span", el("bdi", abridged(c, TABLE_CELLS))), scope="col") for c in table.columns]
    head = el("tr", corner, *names, el("th", el("span", "right"), scope="col"))
    caption = el("caption", "Cases by expected and answered label", class_="unseen")
    body = el("tbody", *(_row(table, name) for name in table.rows))
    whole = el("table", caption, el("thead", head), body, class_="heat")
    return el("div", whole, class_="scroll", tabindex="0", role="region", aria_label="Confusion table")


def _row(table: Confusion, asked: str) -> Html:
    total = sum(table.cells.get((asked, said), 0) for said in table.columns)
    cells: list[Html] = []
    for said in table.columns:
        n = table.cells.get((asked, said), 0)
        right = asked == said
        if not n:
            cells.append(el("td", "·", class_="none") if not right else el("td", "0", class_="d0"))
            continue
        confused = table.among if right and asked == table.rest else 0
        shade = max(1, round(SHADES * (n - confused) / total))
        more = [el("small", f" +{confused}")] if confused else []
        cells.append(el("td", str(n - confused), *more, class_=f"{'d' if right else 'e'}{shade}"))
    good = table.cells.get((asked, asked), 0) - (table.among if asked == table.rest else 0)
    head = el("th", el("bdi", abridged(asked, TABLE_CELLS)), scope="row")
    return el("tr", head, *cells, el("td", f"{good} of {total}", class_="sum"))


def failure_list(failures: Sequence[Mapping[str, Json]]) -> Html:
    """The failures, the surest first."""
    order = sorted(failures, key=lambda f: -(number(f, "confidence") or 0.0))
    return el("ol", *(_failure(f) for f in order), class_="failures")


def _failure(case: Mapping[str, Json]) -> Html:
    by, sure = string(case, "by"), number(case, "confidence")
    who = [el("span", "by ", el("bdi", clipped(by, 40)))] if by else []
    who += [el("span", f"confidence {figure(sure)}")] if sure is not None else []
    source = el("cite", el("bdi", clipped(string(case, "source") or "case", 80)))
    size = "long" if max(len(plain(case.get(key))) for key in ("expected", "answer")) > 60 else "short"
    verdict = el(
        "dl",
        el("div", el("dt", "expected"), el("dd", answer(case.get("expected")), class_=f"text {size}")),
        el("div", el("dt", "answered"), el("dd", _answered(case), class_=f"text wrong {size}")),
        class_="pair",
    )
    reason = string(case, "reason")
    if case.get("error") or reason == f"expected {shown(case.get('expected'))}, got {shown(case.get('answer'))}":
        reason = ""  # the line above says it
    why = [el("p", folded(reason), class_="reason")] if reason else []
    meta = el("div", source, *who, class_="meta")
    return el("li", meta, el("div", inputs(case.get("inputs")), verdict, *why, class_="case"))


def _answered(case: Mapping[str, Json]) -> Html:
    error = string(case, "error")
    return join([el("i", "no answer: "), folded(error)]) if error else answer(case.get("answer"))
