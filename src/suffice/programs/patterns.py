"""The `patterns` solution: for each field an ordered list of ways to take it out of a text, kept as a text to edit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from suffice.errors import BundleError, SolutionError
from suffice.programs.conditions import GRAMMAR, Check, Seen, all_hold, read_checks, seen
from suffice.programs.ngrams import split_words
from suffice.programs.recognize import KINDS, Found, Page, size
from suffice.programs.rule_line import RuleLine, quoted, rule_lines
from suffice.programs.solution import Form, Solution
from suffice.programs.text_solution import text_solution
from suffice.values import ABSTAIN, Answer, Json, content_hash, from_json, to_json

Relation = Literal["after", "before", "with"]
Pick = Literal["first", "last", "largest", "smallest"]

KIND: Final = "patterns"
FROM: Final = "product over the fields of the precision of the pattern that fired, out of fold"
"""Where the confidence of learned patterns comes from."""

STATED: Final = "as the file of patterns says"
"""And that of patterns that somebody wrote."""

SIZED: Final = ("amount", "amount-text", "number", "number-text")
"""The kinds of which one can be the largest."""

HEAD: Final = f"""\
# Patterns: for each field, tried from the top; the first that finds something is taken. Edit them as you like, then
# decide again: suffice climb TASK patterns:THIS-FILE
# take first date-dmy after "date"   a value of a kind; first, last, largest or smallest of those that fit
# after, before, with, not after …   words before it, behind it or in its line (else in the line above, or below)
# take line 2, take line -1          the second line, the last line (blank lines do not count)
# take lines 2 to 4, take lines after "ltd" until "tel" or "vat"   joined by a space
# if … then "EUR", if … then take …  only where the condition holds of the text
# kinds: {", ".join(KINDS)}
# (date-dmy, date-mdy: as YYYY-MM-DD, where day and month leave it open the day or the month first)
{GRAMMAR}"""


@dataclass(frozen=True, slots=True)
class Near:
    """Words that must stand near a value, or must not."""

    relation: Relation
    phrase: str
    negated: bool = False

    def __str__(self) -> str:
        return f"{'not ' if self.negated else ''}{self.relation} {quoted(self.phrase)}"


@dataclass(frozen=True, slots=True)
class Take:
    """One value of a kind: the picked one of those with the right words near it; with `at`, a line by its number."""

    kind: str
    pick: Pick = "first"
    near: tuple[Near, ...] = ()
    at: int = 0

    def __str__(self) -> str:
        if self.at:
            return f"take line {self.at}"
        return " ".join(["take", self.pick, self.kind, *map(str, self.near)])


@dataclass(frozen=True, slots=True)
class Span:
    """Several lines, joined by a space: from a line, or the one below words, on for `count` lines, or until words."""

    start: int | str
    count: int = 0
    until: tuple[str, ...] = ()

    def __str__(self) -> str:
        head = f"take lines after {quoted(self.start)}" if isinstance(self.start, str) else f"take lines {self.start}"
        if self.until:
            return f"{head} until {' or '.join(map(quoted, self.until))}"
        return f"{head} for {self.count}" if isinstance(self.start, str) else f"{head} to {self.start + self.count - 1}"


MOST_LINES: Final = 8  # of a span that ends at words


@dataclass(frozen=True, slots=True)
class Value:
    """A value that is known beforehand."""

    value: Json

    def __str__(self) -> str:
        return "abstain" if self.value is ABSTAIN else quoted(to_json(self.value))


@dataclass(frozen=True, slots=True)
class Pattern:
    """One way to fill a field: what to do, and on which conditions. `note` is a comment."""

    action: Take | Span | Value
    checks: tuple[Check, ...] = ()
    confidence: float | None = None
    note: str = ""

    def __str__(self) -> str:
        if self.checks:
            said = f"if {' and '.join(map(str, self.checks))} then {self.action}"
        else:
            said = f"otherwise {self.action}" if isinstance(self.action, Value) else str(self.action)
        sure = "" if self.confidence is None else f" ({self.confidence:g})"
        return said + sure + (f"  # {self.note}" if self.note else "")


Fields = Mapping[str, tuple[Pattern, ...]]


def taken(page: Page, action: Take | Span) -> Found | None:
    """What an action finds on a page."""
    if isinstance(action, Span):
        return _span(page, action)
    if action.at:
        n = action.at - 1 if action.at > 0 else len(page.lines) + action.at
        return next((f for f in page.found("line") if f.line == n), None)
    fits = _fitting(page, action.kind, action.near)
    if not fits:
        return None
    if action.pick in ("first", "last"):
        return fits[0 if action.pick == "first" else -1]
    best = max if action.pick == "largest" else min
    return best(fits, key=lambda f: size(f.value) or 0.0)


def filled(patterns: Sequence[Pattern], page: Page, at: Seen) -> tuple[Json, float | None]:
    """The value of one field and its confidence; (None, None) where no pattern fires."""
    for pattern in patterns:
        if not all_hold(pattern.checks, at):
            continue
        if isinstance(pattern.action, Value):
            return pattern.action.value, pattern.confidence
        found = taken(page, pattern.action)
        if found is not None:
            return found.value, pattern.confidence
    return None, None


def answer_of(fields: Fields, text: str, *, single: bool = False) -> Answer:
    """All fields of a text, or with `single` the one there is; as sure as all of them together."""
    page, at = Page(text), seen(text)
    got = {name: filled(patterns, page, at) for name, patterns in fields.items()}
    if any(value is ABSTAIN for value, _ in got.values()):
        return Answer(ABSTAIN)
    values: dict[str, Json] = {name: value for name, (value, _) in got.items()}
    return Answer(next(iter(values.values())) if single else values, together([sure for _, sure in got.values()]))


def together(sure: Sequence[float | None]) -> float | None:
    """The confidence of an answer from those of its fields: their product; None where one has none."""
    return None if None in sure else math.prod(s for s in sure if s is not None)


def patterns_text(fields: Fields) -> str:
    """The patterns as a text, with a head that explains it."""
    parts = ["\n".join([f"[{_name(name)}]", *map(str, patterns)]) for name, patterns in fields.items()]
    return HEAD + "\n" + "\n\n".join(parts) + "\n"


def read_patterns(text: str, file: str) -> dict[str, tuple[Pattern, ...]]:
    """The patterns of a text, by field. Raises SolutionError with file and line where one is not understood."""
    fields: dict[str, list[Pattern]] = {}
    name: str | None = None
    for line in rule_lines(text, file):
        if line.takes("["):
            name = _field(line)
            if name in fields:
                raise line.fault(f"the field {quoted(name)} is here for the second time", "put its patterns together")
            fields[name] = []
        elif name is None:
            raise line.fault("this pattern belongs to no field", "a field begins with its name: [total]")
        elif fields[name] and isinstance(fields[name][-1].action, Value) and not fields[name][-1].checks:
            raise line.fault("nothing comes after otherwise", "put this pattern above it")
        else:
            fields[name].append(_pattern(line))
    empty = [n for n, patterns in fields.items() if not patterns]
    if empty or not fields:
        what = f"the field {quoted(empty[0])} has no pattern" if empty else "there is no field in it"
        raise SolutionError(what, hint='[total], and below it: take last amount after "total"', where=file)
    return {n: tuple(patterns) for n, patterns in fields.items()}


def patterns_solution(
    name: str,
    text: str,
    columns: Sequence[str] = (),
    file: str = "patterns.txt",
    *,
    single: bool = False,
    sure: str = STATED,
) -> Solution:
    """The patterns in `text` as a solution over a bare value or a dict with these input columns.

    With `single` its answer is the value of the one field, not an object. `file` names the text in messages; `sure`
    is where its confidences come from. Raises SolutionError where a line is not understood.
    """
    fields = read_patterns(text, file)
    if single and len(fields) != 1:
        raise SolutionError(f"the answer is one value, and here are {len(fields)} fields", where=file)

    def read(texts: Sequence[str]) -> list[Answer]:
        return [answer_of(fields, text, single=single) for text in texts]

    said = [[n, [str(Pattern(p.action, p.checks, p.confidence)) for p in patterns]] for n, patterns in fields.items()]
    form = Form(KIND, {"name": name, "columns": list(columns), "single": single, "sure": sure}, text=text)
    identity = content_hash([KIND, list(columns), single, said])
    confident = all(p.confidence is not None for patterns in fields.values() for p in patterns)
    return text_solution(name, read, columns, form, identity, confident=confident, confidence_from=sure)


def from_form(form: Form) -> Solution:
    """The solution that a form describes. Raises BundleError where its text is missing or not understood."""
    if form.text is None:
        raise BundleError("the text of its patterns is missing", hint="save the decision again")
    try:
        data, file = form.data, form.file or "patterns.txt"
        columns, single = [str(c) for c in data["columns"]], data["single"] is True
        return patterns_solution(str(data["name"]), form.text, columns, file, single=single, sure=str(data["sure"]))
    except SolutionError as error:
        raise BundleError(error.message, hint=error.hint, where=error.where) from None


def _fitting(page: Page, kind: str, near: tuple[Near, ...]) -> list[Found]:
    """The values of a kind with the right words near them; worked out once a page."""
    if not near:
        return page.found(kind)
    key = (kind, near)
    if key not in page.fitting:
        last = near[-1]
        there = last.negated or f" {last.phrase} " in page.all_words
        fits = _fitting(page, kind, near[:-1]) if there else []
        page.fitting[key] = [f for f in fits if _near(page, f, kind, last)]
    return page.fitting[key]


def _near(page: Page, found: Found, kind: str, near: Near) -> bool:
    if near.relation == "with":
        there = f" {near.phrase} " in page.words[found.line]
    elif near.relation == "before":
        there = f" {near.phrase} " in page.behind(found)
    elif kind == "rest":  # it follows its words at once
        there = page.before(found).endswith(f" {near.phrase} ")
    else:
        there = f" {near.phrase} " in page.before(found)
    return there != near.negated


def _span(page: Page, span: Span) -> Found | None:
    if isinstance(span.start, str):
        first = next((n + 1 for n, words in enumerate(page.words) if f" {span.start} " in words), None)
    else:
        first = span.start - 1
    if first is None or first >= len(page.lines):
        return None
    last = first + span.count
    if span.until:
        ends = range(first, min(first + MOST_LINES + 1, len(page.lines)))
        end = next((n for n in ends if any(f" {u} " in page.words[n] for u in span.until)), None)
        if end is None:
            return None
        last = end
    if last <= first or last > len(page.lines):
        return None
    return Found(" ".join(page.lines[first:last]), first, 0, len(page.lines[last - 1]))


def _name(name: str) -> str:
    return name if name.isidentifier() else quoted(name)


def _field(line: RuleLine) -> str:
    name = line.quoted()
    if name is None:
        name, _, _ = line.text[line.at :].partition("]")
        line.at += len(name)
        name = name.strip()
    if not name or not line.takes("]"):
        raise line.fault("the name of a field stands in brackets", '[total], or ["net total"]')
    line.end()
    return name


def _pattern(line: RuleLine) -> Pattern:
    checks: tuple[Check, ...] = ()
    if line.takes("if"):
        checks = read_checks(line)
        if not line.takes("then"):
            raise line.fault(f"here and or then is missing: {line.rest()}", 'if contains "€" then "EUR" (0.9)')
        action = _take(line) if line.takes("take") else _value(line)
    elif line.takes("take"):
        action = _take(line)
    elif line.takes("otherwise"):
        action = _value(line)
    else:
        raise line.fault(f"a pattern begins with take, if or otherwise, not with {line.rest()}", "take first date-dmy")
    sure = line.confidence()
    line.end()
    return Pattern(action, checks, sure)


def _value(line: RuleLine) -> Value:
    return Value(ABSTAIN if line.takes("abstain") else from_json(line.value()))


def _take(line: RuleLine) -> Take | Span:
    if line.takes("lines"):
        return _lines(line)
    if line.takes("line"):
        number = line.whole()
        if not number:
            raise line.fault(f"which line? Here is {line.rest()}", "take line 2, or take line -1")
        return Take("line", at=number)
    pick = line.word()
    if pick not in ("first", "last", "largest", "smallest"):
        raise line.fault(
            f"take which one? Here is {pick or line.rest()}", "first, last, largest, smallest, line, lines"
        )
    kind = line.word()
    if kind is None or kind not in KINDS:
        raise line.fault(f"there is no kind {kind or line.rest()}", f"one of {', '.join(KINDS)}")
    if pick in ("largest", "smallest") and kind not in SIZED:
        raise line.fault(f"a {kind} has no size", f"largest and smallest go with {', '.join(SIZED)}")
    near: list[Near] = []
    while (relation := _relation(line)) is not None:
        near.append(Near(relation[0], _phrase(line), relation[1]))
    return Take(kind, pick, tuple(near))


def _relation(line: RuleLine) -> tuple[Any, bool] | None:
    negated = line.takes("not")
    found = next((r for r in ("after", "before", "with") if line.takes(r)), None)
    if found is None and negated:
        raise line.fault(f"not what? Here is {line.rest()}", 'not after "sub"')
    return None if found is None else (found, negated)


def _phrase(line: RuleLine) -> str:
    text = line.quoted()
    phrase = " ".join(split_words(text or ""))
    if not phrase:
        raise line.fault(f"here words in quotes are missing: {line.rest()}", 'after "total"')
    return phrase


def _lines(line: RuleLine) -> Span:
    start = _phrase(line) if line.takes("after") else line.whole()
    if start is None or (isinstance(start, int) and start < 1):
        raise line.fault("from which line on?", 'take lines 2 to 4, or take lines after "ltd" for 3')
    if line.takes("until"):
        until = [_phrase(line)]
        while line.takes("or"):
            until.append(_phrase(line))
        return Span(start, until=tuple(until))
    if isinstance(start, int) and line.takes("to"):
        end = line.whole()
        count = 0 if end is None else end - start + 1
    else:
        count = line.whole() or 0 if line.takes("for") else 0
    if not 1 <= count <= 50:
        raise line.fault("up to which line?", 'take lines 2 to 4, or take lines 2 until "tel"')
    return Span(start, count)
