"""What every page of Suffice has: the document with its style sheet and policy, the verdict, the facts, sections.

No picture and no font from anywhere, and no script but in a page to look through: the Content-Security-Policy allows
the style sheet and that one script by their hashes and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from suffice.ladder.page_text import Html, clipped, el, quoted
from suffice.values import Json

MARKS = {"PASS": "pass", "FAIL": "fail", "UNPROVEN": "unproven"}
SIGNS = {
    "pass": "M4.5 8.4L7 11l4.6-5.6",
    "fail": "M5.2 5.2l5.6 5.6M10.8 5.2l-5.6 5.6",
    "unproven": "M6 6.3a2 2 0 1 1 2.9 1.8c-.6.3-.9.7-.9 1.3M8 11.6v.1",
    "none": "M5 8h6",
}


@dataclass(frozen=True, slots=True)
class Live:
    """What makes a page more than paper: its own style sheet and script, and the data that the script shows."""

    style: str
    script: str
    data: Json


def document(title: str, hero: Html, sections: Sequence[Html | None], footer: Html, live: Live | None = None) -> str:
    """The whole file. `title` names it among other tabs."""
    style = _style() + (live.style if live is not None else "")
    allowed = f"style-src {_digest(style)}" + (f"; script-src {_digest(live.script)}" if live is not None else "")
    policy = f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=policy),
        el("meta", name="referrer", content="no-referrer"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", clipped(title, 120)),
        el("style", Html(style)),
    )
    main = el("main", hero, *(s for s in sections if s is not None))
    body = el("body", main, el("footer", footer), *(_scripts(live) if live is not None else ()))
    return "<!doctype html>\n" + el("html", head, body, lang="en") + "\n"


def hero(
    kicker: Html, verdict: str, sentence: str, facts: Sequence[tuple[str, str, str]], more: Sequence[Html]
) -> Html:
    """The verdict with its sentence, the facts (term, figure, what it refers to), and what follows from them."""
    mark = MARKS.get(verdict, "none")
    line = el("span", sign(mark), el("span", verdict), class_="verdict") if verdict else Html()
    head = el("h1", line, Html(" "), el("span", quoted(sentence), class_="sentence"))
    rows = [
        el("div", el("dt", term), el("dd", el("b", value), *([el("span", said)] if said else [])))
        for term, value, said in facts
    ]
    return el(
        "header",
        el("p", kicker, class_="kicker"),
        head,
        *([el("dl", *rows, class_="facts")] if rows else []),
        *more,
        class_=mark,
    )


def section(name: str, title: str, said: Html | str, *inside: Html) -> Html:
    """A part of the page with its heading and, in a sentence or two, how to read it."""
    lead = [el("p", said, class_="lead")] if said else []
    title_id = f"{name}-title"
    return el("section", el("h2", title, id=title_id), *lead, *inside, id=name, aria_labelledby=title_id)


def sign(mark: str) -> Html:
    """A verdict's sign, so that it never rests on colour alone."""
    ring = el("circle", cx=8, cy=8, r=7)
    return el("svg", ring, el("path", d=SIGNS[mark]), class_="sign", viewBox="0 0 16 16", aria_hidden="true")


def terms(rows: Sequence[tuple[str, str]], kind: str) -> Html:
    """A list of terms and what they are."""
    return el("dl", *(el("div", el("dt", term), el("dd", said)) for term, said in rows), class_=kind)


def data_text(value: Json) -> str:
    """`value` as JSON that ends no script element and opens no comment, whatever its texts say."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _scripts(live: Live) -> tuple[Html, Html]:
    data = el("script", Html(data_text(live.data)), type="application/json", id="data")
    return data, el("script", Html(live.script))


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _style() -> str:
    return files("suffice.ladder").joinpath("page.css").read_text("utf-8")
