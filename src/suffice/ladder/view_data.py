"""What the page of `suffice view` holds of each case: texts made safe and cut to a bound, numbers, flips. Pure.

The forms: a text is a string; `{"t", "more"}` is one whose end, of so many characters, is left out; `{"word"}` is a
value that is no text ("nothing"). Expected values, answers and members are numbers of entries in `texts`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from suffice.evals.report_rows import called
from suffice.ladder.page_text import clipped, named, number, parts, plain, printable, string
from suffice.shown import shown
from suffice.values import Json

BOUNDS = (100_000, 20_000, 4_000, 1_000, 250)
"""Characters of one text that a page holds: the most with which all texts together stay below MOST."""
MOST = 40_000_000
STATES = ("right", "wrong", "handed on", "failed")
FLIPS = ("fixed", "broken", "both wrong", "both right")
FAULT = re.compile(r"(?:^|; )'?\$([^:]+): ")
"""A field in the reason of the `fields` grader: "$.items[0].price: expected 3, got 4"."""

Rows = Sequence[Mapping[str, Json]]


@dataclass(frozen=True, slots=True)
class Shown:
    """The data of a page: the JSON for its script, how many cases are in which state or flip, the bound of a text."""

    data: dict[str, Json]
    counts: dict[str, int]
    bound: int


def shown_cases(names: Sequence[str], pairs: Sequence[Rows]) -> Shown:
    """The data of these cases: `pairs` has for each case its row in every report, in the order of `names`."""
    bound = _bound(pairs)
    texts: dict[str, int] = {}
    fields: dict[str, int] = {}

    def entry(value: Json) -> int:
        made = _value(value, bound)
        key = json.dumps(made)
        return texts.setdefault(key, len(texts))

    cases: list[Json] = []
    counts: dict[str, int] = dict.fromkeys(FLIPS if len(names) > 1 else STATES, 0)
    graded = False
    for rows in pairs:
        last = rows[-1]
        states = [_state(row) for row in rows]
        word = STATES[states[0]] if len(rows) == 1 else FLIPS[_flip(*states)]
        counts[word] += 1
        graded = graded or any(number(row, "score") not in (None, 0.0, 1.0) for row in rows)
        sides = [_side(row, state, bound, entry, fields) for row, state in zip(rows, states, strict=True)]
        source = clipped(called(string(last, "source") or "case", string(last, "id")), 120)
        cases.append([source, _inputs(last.get("inputs"), bound), entry(last.get("expected")), *sides])
    data: dict[str, Json] = {
        "names": list(names),
        "graded": graded,
        "texts": [json.loads(key) for key in texts],
        "fields": list(fields),
        "cases": cases,
    }
    return Shown(data, counts, bound)


def _side(
    row: Mapping[str, Json], state: int, bound: int, entry: Callable[[Json], int], fields: dict[str, int]
) -> list[Json]:
    """One report's part of a case: state, answer, score, confidence, by, seconds, dollars, reason, error, fitted,
    wrong fields, and each sample where it was asked several times. What there is none of is null or an empty text."""
    reason, error, by = string(row, "reason"), string(row, "error"), string(row, "by")
    cost = row.get("cost")
    usd = number(cost, "usd") if isinstance(cost, Mapping) else None  # pyright: ignore[reportUnknownArgumentType]
    faults = (
        dict.fromkeys(_field(m[1]) for m in FAULT.finditer(reason)) if isinstance(row.get("expected"), dict) else {}
    )
    wanted, got = shown(row.get("expected")), shown(row.get("answer"))
    if reason in (f"expected {wanted}, got {got}", f"{got} is right", "handed on"):
        reason = ""  # what stands beside it says so
    return [
        state,
        _said(row, entry),
        _figure(number(row, "score")),
        _figure(number(row, "confidence")),
        entry(clipped(by, 80)) if by else None,
        _figure(number(row, "seconds")),
        _figure(usd),
        _text(reason, bound),
        _text(error, bound),
        bool(row.get("fitted")),
        [fields.setdefault(name, len(fields)) for name in faults],
        [[_state(s), _said(s, entry), _figure(number(s, "score"))] for s in parts(row, "samples")],
    ]


def _said(row: Mapping[str, Json], entry: Callable[[Json], int]) -> int | None:
    return None if row.get("error") else entry(row.get("answer"))


def _state(row: Mapping[str, Json]) -> int:
    if row.get("error"):
        return STATES.index("failed")
    if row.get("answer") == {"abstain": True}:
        return STATES.index("handed on")
    return STATES.index("right" if (number(row, "score") or 0.0) >= 1.0 else "wrong")


def _flip(before: int, after: int) -> int:
    """As `compare` counts: what is not right is wrong, also where it was handed on or failed."""
    return {(1, 0): 0, (0, 1): 1, (1, 1): 2, (0, 0): 3}[int(before != 0), int(after != 0)]


def _field(path: str) -> str:
    """The path of a field, any item of a list alike: "items[*].price"."""
    return clipped(re.sub(r"\[\d+\]", "[*]", path).removeprefix("."), 80)


def _inputs(value: Json, bound: int) -> Json:
    if not isinstance(value, Mapping) or named(value) is not None:
        return _value(value, bound)
    columns: list[tuple[Any, Any]] = list(value.items())  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
    return {"c": [[clipped(str(name), 80), _value(v, bound)] for name, v in columns]}


def _value(value: Json, bound: int) -> Json:
    word = named(value)
    if word is not None:
        return {"word": word}
    if isinstance(value, dict | list):
        return _text(json.dumps(value, ensure_ascii=False, default=str, indent=1), bound)
    return _text(plain(value), bound)


def _text(text: str, bound: int) -> Json:
    safe = printable(text[:bound])  # what is made visible is longer than it was
    return safe if len(text) <= bound else {"t": safe, "more": len(text) - bound}


def _bound(pairs: Sequence[Rows]) -> int:
    lengths = [len(text) for rows in pairs for row in rows for text in _long_texts(row)]
    for bound in BOUNDS:
        if sum(min(length, bound) for length in lengths) <= MOST:
            return bound
    return BOUNDS[-1]


def _long_texts(row: Mapping[str, Json]) -> list[str]:
    given = row.get("inputs")
    inputs: list[Any] = list(given.values()) if isinstance(given, Mapping) else [given]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return [plain(v) for v in (*inputs, row.get("expected"), row.get("answer"), row.get("reason"), row.get("error"))]


def _figure(value: float | None) -> float | None:
    """Four digits that count: what a person compares."""
    return None if value is None else float(f"{value:.4g}")
