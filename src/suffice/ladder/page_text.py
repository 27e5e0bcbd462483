"""Markup that escapes by default, and recorded values as text that is safe to show and to read."""

from __future__ import annotations

import html
import json
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping

from suffice.values import Json

BEGINNING = 480  # characters of a long text that are shown before it is unfolded
LONGEST = 20_000  # characters of one text that a page holds
VOID = {"meta", "br", "input"}
HIDDEN = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Controls but line end and tab, half surrogate pairs, and the characters that turn the reading direction."""


class Html(str):
    """Finished markup. `el` escapes every other string, so data cannot become markup by oversight."""

    __slots__ = ()


def el(name: str, /, *inside: str, **attributes: str | float | None) -> Html:
    """An element. `class_` and `aria_label` become `class` and `aria-label`; an attribute of None is left out."""
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(printable(_figure(value)))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{told}>" if name in VOID else f"<{name}{told}>{join(inside)}</{name}>")


def join(parts: Iterable[str], between: str = "") -> Html:
    """Markup and texts one after the other, the texts escaped."""
    return Html(between.join(p if isinstance(p, Html) else html.escape(printable(p)) for p in parts))


def printable(text: str) -> str:
    """`text` without what an HTML file cannot hold (controls, lone surrogates) and without what turns the reading
    direction of its surroundings; each of these is named instead of dropped."""
    return HIDDEN.sub(lambda c: "" if c[0] == "\r" else f"⟨U+{ord(c[0]):04X}⟩", text)


def code(text: str) -> Html:
    """A name, set apart from the sentence and from its reading direction."""
    return el("code", el("bdi", text))


def quoted(text: str) -> Html:
    """A sentence with its `names` set as code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # a stray back-tick: show it as it is
        return join([text])
    return join(code(p) if i % 2 else p for i, p in enumerate(parts))


def plain(value: Json) -> str:
    """A recorded value in one text: a string as it is, nothing, handed on, right and wrong by name, else its JSON."""
    word = named(value)
    return value if isinstance(value, str) else word or json.dumps(value, ensure_ascii=False, default=str)


def named(value: Json) -> str | None:
    """The name of a value that is no text: "nothing", "handed on", "right"; None for everything else."""
    if value is None:
        return "nothing"
    if value == {"abstain": True}:
        return "handed on"
    if not isinstance(value, dict) or list(value) != ["graded"]:  # pyright: ignore[reportUnknownArgumentType]
        return None
    score = number(value, "graded")  # pyright: ignore[reportUnknownArgumentType]
    return None if score is None else {1.0: "right", 0.0: "wrong"}.get(score, f"graded {score:g}")


def answer(value: Json) -> Html:
    """A recorded answer: a text in its own direction, what is no text in italics."""
    word = named(value)
    return el("i", word) if word is not None else folded(plain(value))


def inputs(value: Json) -> Html:
    """A case's inputs: the text, or each column by name."""
    if not isinstance(value, Mapping) or named(value) is not None:
        return el("div", answer(value), class_="text")
    rows = [
        join([el("dt", el("bdi", str(k))), el("dd", answer(v), class_="text")])  # pyright: ignore[reportUnknownArgumentType]
        for k, v in value.items()  # pyright: ignore[reportUnknownVariableType]
    ]
    return el("dl", *rows, class_="columns")


def folded(text: str) -> Html:
    """`text`; a long one goes on where it is unfolded."""
    if len(text) <= BEGINNING * 5 // 4:
        return el("bdi", text)
    cut = text.rfind(" ", BEGINNING - 40, BEGINNING)
    cut = cut if cut > 0 else BEGINNING
    left = len(text) - LONGEST
    more = [el("p", f"{left:,} more characters are in the recording.", class_="note")] if left > 0 else []
    rest = el("div", el("bdi", text[cut:LONGEST]), *more)
    summary = el("summary", el("bdi", text[:cut]), el("span", f" … all {len(text):,} characters", class_="more"))
    return el("details", summary, rest)


def clipped(text: str, cells: int) -> str:
    """One line of at most `cells` columns, wide characters counting two."""
    line, used = "", 0
    for c in " ".join(printable(text).split()):
        used += 2 if unicodedata.east_asian_width(c) in "WF" else 1
        if used > cells:
            return line[:-1] + "…"
        line += c
    return line


def abridged(text: str, cells: int) -> str:
    """One line of at most about `cells` columns that keeps both ends: long labels often differ at theirs."""
    line = clipped(text, 10_000)
    if clipped(line, cells) == line:
        return line
    return clipped(line, cells * 2 // 3) + clipped(line[::-1], cells // 3)[-2::-1]


def number(record: Mapping[str, Json], key: str) -> float | None:
    """A finite number of a recording, None where it has none."""
    value = record.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def count(record: Mapping[str, Json], key: str) -> int:
    """A count of a recording, 0 where it has none."""
    return int(number(record, key) or 0)


def string(record: Mapping[str, Json], key: str) -> str:
    """A text of a recording, empty where it has none."""
    value = record.get(key)
    return value if isinstance(value, str) else ""


def items(record: Mapping[str, Json], key: str) -> list[Json]:
    """A list of a recording, empty where it has none."""
    value = record.get(key)
    return list(value) if isinstance(value, list | tuple) else []  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def numbers(values: Json) -> list[float]:
    """`values` where all of it is finite numbers, else nothing."""
    row: list[Json] = list(values) if isinstance(values, list | tuple) else []  # pyright: ignore[reportUnknownArgumentType]
    found = [v for i in range(len(row)) if (v := number({"": row[i]}, "")) is not None]
    return found if len(found) == len(row) else []


def part(record: Mapping[str, Json], key: str) -> Mapping[str, Json]:
    """A nested record of a recording, empty where it has none."""
    value = record.get(key)
    return value if isinstance(value, Mapping) else {}  # pyright: ignore[reportUnknownVariableType]


def parts(record: Mapping[str, Json], key: str) -> list[Mapping[str, Json]]:
    """The nested records in a list of a recording."""
    return [r for r in items(record, key) if isinstance(r, Mapping)]


def _figure(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.5g}"
