"""Ways to take a field out of texts that cases suggest: kinds, the words near right values, lines, runs of lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from suffice.evals.numerals import read_number
from suffice.programs.patterns import SIZED, Near, Pick, Relation, Span, Take
from suffice.programs.recognize import KINDS, Found, Page
from suffice.values import Json, canonical, folded

SUPPORT: Final = 3  # cases in which something must be right before it is tried
SHARE: Final = 0.05  # and that share of the cases which have a value
KEPT: Final = 4  # kinds that are tried for a field
PHRASES: Final[dict[Relation, int]] = {"after": 40, "with": 20, "before": 15}
NEGATED: Final = (12, 5)  # so many phrases are tried with so many others ruled out
TOP: Final = 8  # lines from the top that may be meant by their number
BOTTOM: Final = 4
LONGEST: Final = 6  # lines of a run that is learned from
STARTS: Final = (5, 6)  # numbers and phrases that a run may start at
UNTIL: Final = (10, (2, 3, 5, 8))  # phrases that a run may end at, alone and together

Action = Take | Span


def same(got: Json, want: Json) -> bool:
    """Whether an answer agrees with what is expected, as the `fields` grader has it for one field."""
    if isinstance(want, str) and isinstance(got, str):
        return folded(got) == folded(want)
    if isinstance(want, bool) or isinstance(got, bool) or want is None or got is None:
        return want is got
    if isinstance(want, dict | list) or isinstance(got, dict | list):
        return canonical(got) == canonical(want)
    if not isinstance(got, str) and not isinstance(want, str):
        return got == want
    one, other = read_number(got), read_number(want)
    return one is not None and other is not None and one.value == other.value


def is_typed(kind: str) -> bool:
    """Whether a value of this kind is told by its form, not only by its place."""
    return kind not in ("line", "rest", "code")


def right_values(pages: Sequence[Page], wanted: Sequence[Json]) -> dict[str, list[list[Found]]]:
    """By kind, for each page, what stands there and is the value that is wanted of it."""
    pairs = [(page, want, folded(want)) for page, want in zip(pages, wanted, strict=True)]
    return {
        kind: [
            []
            if want is None
            else [f for f in page.found(kind) if isinstance(f.value, str) and folded(f.value) == plain]
            if isinstance(want, str)
            else [f for f in page.found(kind) if same(f.value, want)]
            for page, want, plain in pairs
        ]
        for kind in KINDS
    }


def suggested(
    pages: Sequence[Page], wanted: Sequence[Json], found: dict[str, list[list[Found]]]
) -> tuple[list[Action], bool]:
    """What could be tried for a field whose values on these pages are `wanted`, the plainest first, and whether most
    of its values have a form of their own (a date, an amount). `found` is `right_values` of the pages."""
    some = [i for i, want in enumerate(wanted) if want is not None]
    have = [(pages[i], wanted[i]) for i in some]
    right = {kind: [found[kind][i] for i in some] for kind in KINDS}
    hits = {kind: sum(map(bool, found)) for kind, found in right.items()}
    least = max(SUPPORT, SHARE * len(have))
    kinds = sorted((k for k in KINDS if hits[k] >= least), key=lambda k: -hits[k])[:KEPT]
    actions: list[Action] = []
    for kind in kinds:
        actions += _plain(kind)
        actions += _with_words(kind, [page for page, _ in have], right[kind])
    actions += _runs(have)
    typed = any(is_typed(kind) and hits[kind] >= 0.5 * len(have) for kind in kinds)
    return list(dict.fromkeys(actions)), typed


def stands_there(page: Page, want: Json) -> bool:
    """Whether a value can be taken out of a page at all, by the kinds that there are."""
    return any(same(found.value, want) for kind in KINDS for found in page.found(kind)) or bool(_runs_of(page, want))


def _picks(kind: str) -> tuple[Pick, ...]:
    return ("first", "last", "largest", "smallest") if kind in SIZED else ("first", "last")


def _plain(kind: str) -> list[Action]:
    if kind == "line":
        return [Take("line", at=n) for n in (*range(1, TOP + 1), *range(-1, -BOTTOM - 1, -1))]
    return [] if kind == "rest" else [Take(kind, pick) for pick in _picks(kind)]


def _with_words(kind: str, pages: Sequence[Page], right: Sequence[Sequence[Found]]) -> list[Action]:
    """Takes of a kind with words near it that stand near right values."""
    looks: dict[Relation, Callable[[Page, Found], set[str]]] = {
        "after": lambda page, f: phrases(page.before(f), end=kind == "rest"),
        "with": lambda page, f: phrases(page.words[f.line]),
        "before": lambda page, f: phrases(page.behind(f)),
    }
    actions: list[Action] = []
    for relation in ("after",) if kind == "rest" else ("after", "with", "before"):
        look = looks[relation]
        often = _often((look(page, f) for f in found) for page, found in zip(pages, right, strict=True))
        often = often[: PHRASES[relation]]
        actions += [Take(kind, pick, (Near(relation, p),)) for p in often for pick in _picks(kind)]
        if relation == "after" and is_typed(kind):
            for phrase in often[: NEGATED[0]]:
                for other in _misleading(kind, pages, right, phrase):
                    near = (Near("after", phrase), Near("after", other, negated=True))
                    actions += [Take(kind, pick, near) for pick in _picks(kind)]
    return actions


def _misleading(kind: str, pages: Sequence[Page], right: Sequence[Sequence[Found]], phrase: str) -> list[str]:
    """Words that stand with `phrase` before wrong values more often than before right ones."""
    told = Counter[str]()
    for page, found in zip(pages, right, strict=True):
        for f in page.found(kind):
            before = page.before(f)
            if f" {phrase} " in before:
                told.update(dict.fromkeys(phrases(before), -1 if f in found else 1))
    return [p for p, n in sorted(told.items(), key=lambda item: (-item[1], item[0])) if n >= SUPPORT][: NEGATED[1]]


def phrases(words: str, *, end: bool = False) -> set[str]:
    """Runs of one to three words; with `end` those that the words end with."""
    split = words.split()
    starts = range(len(split))
    runs = {(i, i + n) for i in starts for n in (1, 2, 3) if i + n <= len(split)}
    return {" ".join(split[i:j]) for i, j in runs if not end or j == len(split)}


def _often(cases: Iterable[Iterable[set[str]]]) -> list[str]:
    """Phrases by the number of cases that they occur in, the most frequent first."""
    told = Counter[str]()
    for found in cases:
        told.update(set[str]().union(*found))
    return [p for p, n in sorted(told.items(), key=lambda item: (-item[1], item[0])) if n >= SUPPORT]


def _runs(have: Sequence[tuple[Page, Json]]) -> list[Action]:
    """Runs of lines, where values stand over several of them."""
    met = [(page, run) for page, want in have for run in _runs_of(page, want)[:1]]
    if sum(last - first > 1 for _, (first, last) in met) < max(SUPPORT, SHARE * len(have)):
        return []
    numbers = [n for n, _ in Counter(first + 1 for _, (first, _) in met).most_common(STARTS[0])]
    above = _often([phrases(page.words[first - 1])] for page, (first, _) in met if first)[: STARTS[1]]
    counts = [n for n, _ in Counter(last - first for _, (first, last) in met).most_common(4)]
    below = _often([phrases(page.words[last])] for page, (_, last) in met if last < len(page.lines))
    below = _apart(below)[: UNTIL[0]]
    ends = [(p,) for p in below] + [tuple(below[:n]) for n in UNTIL[1] if n <= len(below)]
    return [
        span
        for start in (*numbers, *above)
        for span in (*(Span(start, count=n) for n in counts), *(Span(start, until=end) for end in ends))
    ]


def _apart(found: Sequence[str]) -> list[str]:
    """The phrases without those that hold a more frequent one: where that ends a run, they would, too."""
    kept: list[str] = []
    for phrase in found:
        if not any(f" {other} " in f" {phrase} " for other in kept):
            kept.append(phrase)
    return kept


def _runs_of(page: Page, want: Json) -> list[tuple[int, int]]:
    """Where a text stands as whole lines: the first line and the one behind the last."""
    if not isinstance(want, str) or not want.strip():
        return []
    target = folded(want)
    out: list[tuple[int, int]] = []
    for first in range(min(len(page.lines), 40)):
        joined = ""
        for last in range(first, min(first + LONGEST, len(page.lines))):
            joined = f"{joined} {page.lines[last]}".strip()
            if folded(joined) == target:
                out.append((first, last + 1))
            if len(joined) > len(want) + 20:
                break
    return out
