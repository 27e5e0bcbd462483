"""Graders of texts: the same value, the same text, a part of it, a pattern in it."""

from __future__ import annotations

import dataclasses
import re
import string
import unicodedata
from typing import Any

from suffice.arguments import validated
from suffice.evals import pattern as patterns
from suffice.evals.graders.forms import as_text, jsoned, plain_text, same, several
from suffice.evals.graders.grader import Grader, built, right_or_wrong
from suffice.shown import listed, shown
from suffice.values import Case, Json, Score

_PUNCTUATION = dict.fromkeys(map(ord, string.punctuation))
_MATCHES = "Answer as briefly as the question allows, with nothing around the answer."


def exact() -> Grader:
    """Right where output and expected are the same JSON value (1 and 1.0 are, 1 and "1" and True are not)."""

    def fn(output: Any, case: Case) -> Score:
        return right_or_wrong(same(jsoned(output), case.expected), case.expected, output)

    return built("exact", fn)


@validated
def text(*, ignore_case: bool = True, ignore_punctuation: bool = False) -> Grader:
    """Right where the texts agree after Unicode NFKC, with white space collapsed; case and punctuation as said."""

    def normal(value: Any) -> str:
        plain = unicodedata.normalize("NFKC", as_text(value))
        plain = plain.translate(_PUNCTUATION) if ignore_punctuation else plain
        return " ".join((plain.casefold() if ignore_case else plain).split())

    def fn(output: Any, case: Case) -> Score:
        return right_or_wrong(normal(output) == normal(case.expected), case.expected, output)

    return built("text", fn, ignore_case=ignore_case, ignore_punctuation=ignore_punctuation)


@validated
def contains(*, ignore_case: bool = True) -> Grader:
    """Right where the output contains the expected text; where it is a list, all of its texts."""

    def fn(output: Any, case: Case) -> Score:
        wanted = several(case.expected)
        whole = plain_text(output, ignore_case=ignore_case)
        lacking = [w for w in wanted if plain_text(w, ignore_case=ignore_case) not in whole]
        if lacking:
            return Score(0.0, f"{shown(output)} does not contain {listed(lacking, 3)}")
        return Score(1.0, f"contains {listed(wanted, 3)}")

    return built("contains", fn, ignore_case=ignore_case)


@validated
def regex(pattern: str | None = None, *, ignore_case: bool = False) -> Grader:
    """Right where the pattern (else the expected text, read as one) occurs in the first 20,000 characters.

    A search that could backtrack for long runs in a child process and counts as wrong after 2 seconds
    (`pattern.found`). Anchor with ^ and $ to match the whole output. Raises UsageError for a broken `pattern`.
    """
    flags = re.IGNORECASE if ignore_case else 0
    fixed = patterns.compiled(pattern, flags) if pattern is not None else None

    def fn(output: Any, case: Case) -> Score:
        wanted = fixed or patterns.compiled(as_text(case.expected), flags)
        hit = patterns.found(wanted, as_text(output))
        if hit is None:
            return Score(0.0, f"gave up on {shown(wanted.pattern)} after {patterns.SECONDS:g} s: simplify the pattern")
        return Score(float(hit), f"{shown(output)} {'matches' if hit else 'does not match'} {shown(wanted.pattern)}")

    made = built("regex", fn, pattern=pattern, ignore_case=ignore_case)
    if fixed is not None:
        return dataclasses.replace(made, slow=True)
    return dataclasses.replace(made, slow=True, answer=_MATCHES, check=_check_pattern)


def _check_pattern(expected: Json) -> None:
    """Raises ValueError where an expected value is no regular expression; its text is not in the message."""
    try:
        re.compile(as_text(expected))
    except (re.error, OverflowError, RecursionError):
        raise ValueError("the expected value is not a regular expression") from None
