"""What the dev failures of an evaluation have in common: pairs, fields, words, failed calls, hand-ons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, cast

from suffice.evals.report import shortened
from suffice.ladder.view_data import FAULT
from suffice.programs.ngrams import split_words
from suffice.shown import shown
from suffice.values import Json, from_json

FEWEST: Final = 3  # wrong answers that a word must be in
LIFT: Final = 2.0  # how many times as frequent it must be among wrong answers
GROUPS: Final = 5  # of each sort, the largest
ABSTAINED: Final[Json] = {"abstain": True}
INVALID: Final = ("OutputError", "MalformedReply", "Truncated")
KINDS: Final = {
    "timeout": "time-out",
    "type": "invalid output",
    "refused": "refused by the endpoint",
    "unreached": "endpoint not reached",
    "exit": "tried to end the program",
}

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Group:
    """Cases that failed alike: `n` of `of`, where each is from ("tickets.csv:17"), and the input of the first."""

    what: str
    n: int
    of: int
    cases: tuple[str, ...]
    example: str

    def to_json(self) -> dict[str, Json]:
        """As `suffice advise --json` has it."""
        return {**asdict(self), "cases": list(self.cases)}


@dataclass(frozen=True, slots=True)
class Word:
    """A word that is in `wrong` of `of_wrong` wrong answers' inputs, and in `right` of `of_right` others. `lift` is the
    ratio of the two shares, half a case added to each count."""

    word: str
    wrong: int
    of_wrong: int
    right: int
    of_right: int
    lift: float
    cases: tuple[str, ...]

    def to_json(self) -> dict[str, Json]:
        """As `suffice advise --json` has it."""
        return {**asdict(self), "cases": list(self.cases)}


@dataclass(frozen=True, slots=True)
class Failures:
    """The cases of an evaluation by how they ended, and the groups that the failures fall in, the largest first."""

    right: tuple[Row, ...]
    wrong: tuple[Row, ...]
    handed_on: tuple[Row, ...]
    failed: tuple[Row, ...]
    pairs: tuple[Group, ...]
    fields: tuple[Group, ...]
    words: tuple[Word, ...]
    calls: tuple[Group, ...]
    abstained: tuple[Group, ...]

    @property
    def n(self) -> int:
        """All cases."""
        return len(self.right) + len(self.wrong) + len(self.handed_on) + len(self.failed)

    def to_json(self) -> dict[str, Json]:
        """As `suffice advise --json` has it."""
        counts = {name: len(getattr(self, name)) for name in ("right", "wrong", "handed_on", "failed")}
        groups = ("pairs", "fields", "words", "calls", "abstained")
        return {"n": self.n, **counts, **{name: [g.to_json() for g in getattr(self, name)] for name in groups}}


def failures_of(rows: Sequence[Row]) -> Failures:
    """The failures among the cases of a report (`Report.to_json`), grouped."""
    by: dict[str, list[Row]] = {"right": [], "wrong": [], "handed_on": [], "failed": []}
    for row in rows:
        by[_ended(row)].append(row)
    wrong, n = by["wrong"], len(rows)
    records = [r for r in wrong if isinstance(r["expected"], dict)]
    flat = [r for r in wrong if not isinstance(r["expected"], dict)]
    return Failures(
        right=tuple(by["right"]),
        wrong=tuple(wrong),
        handed_on=tuple(by["handed_on"]),
        failed=tuple(by["failed"]),
        pairs=_grouped(flat, lambda r: [f"{_word(r['expected'])} → {_word(r['answer'])}"], len(wrong)),
        fields=_grouped(records, _fields, len(wrong)),
        words=_words(wrong, by["right"]),
        calls=_grouped(by["failed"], lambda r: [kind_of(str(r["error"]))], n),
        abstained=_grouped(by["handed_on"], lambda r: [f"expected {_word(r['expected'])}"], len(by["handed_on"])),
    )


def group(what: str, rows: Sequence[Row], of: int) -> Group:
    """These cases as one group."""
    example = shortened(rows[0]["inputs"], 80) if rows else ""
    return Group(what, len(rows), of, tuple(str(r["source"]) for r in rows), example)


def kind_of(error: str) -> str:
    """The kind of a failed call, in words, from "kind: message"."""
    kind, _, message = error.partition(": ")
    name = message.partition(":")[0].split(" ")[0]
    if kind != "raised":
        return KINDS.get(kind, kind)
    if name in INVALID:
        return KINDS["type"]
    return {"CallTimeout": KINDS["timeout"], "ContentFiltered": "refused by a content filter"}.get(
        name, f"raised {name}"
    )


def _ended(row: Row) -> str:
    if row.get("error"):
        return "failed"
    if row.get("answer") == ABSTAINED:
        return "handed_on"
    return "right" if (row.get("score") or 0.0) >= 1.0 else "wrong"


def _grouped(rows: Sequence[Row], names: Callable[[Row], Iterable[str]], of: int, least: int = 1) -> tuple[Group, ...]:
    members: dict[str, list[Row]] = {}
    for row in rows:
        for name in names(row):
            members.setdefault(name, []).append(row)
    found = [group(name, those, of) for name, those in members.items()]
    return tuple(sorted(found, key=lambda g: -g.n)[:GROUPS])


def _fields(row: Row) -> Iterable[str]:
    return dict.fromkeys(m[1].partition("[")[0].removeprefix(".") for m in FAULT.finditer(str(row.get("reason") or "")))


def _words(wrong: Sequence[Row], right: Sequence[Row]) -> tuple[Word, ...]:
    """Words that are over-represented among wrong answers: those that are in the most cases beyond their share."""
    given = [_words_of(r["inputs"]) for r in wrong]
    bad, good = Counter(w for ws in given for w in ws), Counter(w for r in right for w in _words_of(r["inputs"]))
    found: list[tuple[float, Word]] = []
    for word, n in bad.items():
        lift = ((n + 0.5) / (len(wrong) + 1)) / ((good[word] + 0.5) / (len(right) + 1))
        if n >= FEWEST and lift >= LIFT and right:
            beyond = n - len(wrong) * (n + good[word]) / (len(wrong) + len(right))
            cases = tuple(str(r["source"]) for r, ws in zip(wrong, given, strict=True) if word in ws)
            found.append((beyond, Word(word, n, len(wrong), good[word], len(right), lift, cases)))
    return tuple(word for _, word in sorted(found, key=lambda f: (-f[0], f[1].word))[:GROUPS])


def _words_of(inputs: Json) -> set[str]:
    if isinstance(inputs, str):
        return set(split_words(inputs))
    if isinstance(inputs, dict):
        return set[str]().union(*map(_words_of, cast("dict[str, Json]", inputs).values()))
    return set[str]().union(*map(_words_of, cast("list[Json]", inputs))) if isinstance(inputs, list) else set()


def _word(value: Json) -> str:
    return shown(from_json(value), 40)
