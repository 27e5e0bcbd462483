"""Conditions on a text, as rules state them: words next to each other, beginnings of words, signs, patterns."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal

from suffice.programs.backtracking import most_ways
from suffice.programs.ngrams import MAX_CHARACTERS, split_words
from suffice.programs.rule_line import RuleLine, quoted

Kind = Literal["words", "begins", "contains", "pattern"]

SEARCHED: Final = 5_000  # characters that a pattern is searched in
MAX_STEPS: Final = 3e7  # that one search may take at worst: about 0.2 s

GRAMMAR: Final = """\
# "gift card"     these words, next to each other, whatever their case; "refund*" also matches longer words
# contains "€"    these characters, anywhere
# /no\\.? ?\\d+/   a regular expression, searched whatever the case
# and, not        join conditions; the number in parentheses is the confidence; a comment begins with #
"""


@dataclass(frozen=True, slots=True)
class Check:
    """One condition. `text` is folded as texts are, except for a pattern."""

    kind: Kind
    text: str
    negated: bool = False

    def __str__(self) -> str:
        said = {
            "words": quoted(self.text),
            "begins": quoted(f"{self.text}*"),
            "contains": f"contains {quoted(self.text)}",
            "pattern": f"/{_slashes(self.text)}/",
        }[self.kind]
        return f"not {said}" if self.negated else said


@dataclass(frozen=True, slots=True)
class Seen:
    """A text as conditions look at it."""

    text: str
    words: str  # all words, folded, with one space around each
    folded: str = field(repr=False)


def seen(text: str) -> Seen:
    """`text` made ready for conditions; its first 100,000 characters count."""
    folded = unicodedata.normalize("NFKC", text[:MAX_CHARACTERS]).casefold()
    return Seen(text, f" {' '.join(split_words(text))} ", folded)


def holds(check: Check, at: Seen) -> bool:
    """Whether a condition holds of a text."""
    if check.kind == "words":
        found = f" {check.text} " in at.words
    elif check.kind == "begins":
        found = f" {check.text}" in at.words
    elif check.kind == "contains":
        found = check.text in at.folded
    else:
        found = _compiled(check.text).search(at.text, 0, SEARCHED) is not None
    return found != check.negated


def all_hold(checks: Sequence[Check], at: Seen) -> bool:
    """Whether all conditions hold of a text."""
    return all(holds(check, at) for check in checks)


def read_checks(line: RuleLine) -> tuple[Check, ...]:
    """Conditions joined by "and". Raises SolutionError for what is none, and for a pattern that could run away."""
    checks = [_check(line)]
    while line.takes("and"):
        checks.append(_check(line))
    return tuple(checks)


def _check(line: RuleLine) -> Check:
    negated = line.takes("not")
    contains = line.takes("contains")
    text = line.quoted()
    if text is not None:
        return _contains(line, text, negated) if contains else _words(line, text, negated)
    pattern = None if contains else line.slashed()
    if pattern is None:
        raise line.fault(
            f"here a condition is missing: {line.rest()}", '"gift card", "refund*", contains "€" or /\\d{8}/'
        )
    _check_pattern(line, pattern)
    return Check("pattern", pattern, negated)


def _words(line: RuleLine, text: str, negated: bool) -> Check:
    words = " ".join(split_words(text))
    if not words:
        raise line.fault(f"{quoted(text)} has no word in it", f"for signs: contains {quoted(text)}")
    return Check("begins" if text.endswith("*") else "words", words, negated)


def _contains(line: RuleLine, text: str, negated: bool) -> Check:
    folded = unicodedata.normalize("NFKC", text).casefold()
    if not folded:
        raise line.fault('contains "" always holds', "name the characters")
    return Check("contains", folded, negated)


def _check_pattern(line: RuleLine, pattern: str) -> None:
    try:
        steps = most_ways(_compiled(pattern), SEARCHED) * (SEARCHED + 1)
    except (re.error, OverflowError, RecursionError) as error:
        raise line.fault(f"this is not a regular expression: {error}", "mend what stands between the slashes") from None
    if steps > MAX_STEPS:
        raise line.fault(
            "this pattern could search for very long in some texts",
            r"say how often at most: \d{1,12} instead of \d+; or join two conditions with and",
        )


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


def _slashes(pattern: str) -> str:
    return re.sub(r"\\.|/", lambda found: "\\/" if found[0] == "/" else found[0], pattern, flags=re.DOTALL)
