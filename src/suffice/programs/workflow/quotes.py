"""Where a quote stands in a text: word for word, but for how white space is written."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from operator import itemgetter
from typing import Final

_NUMBER: Final = re.compile(
    r"""
    (?: (?<! [\w%‰°.)\]}″′] ) (?<! \d["'”’] ) [-−–‐‑－] )?  # a minus, unless it joins words or the ends of a range
    (?:
        \d{1,3} (?: ['’\u00a0\u2007\u2009\u202f] \d{3} )+ (?!\d) (?: [.,]\d+ )*  # groups of three
      | \d+ (?: [.,]\d+ )*
      | (?<! [\w.)\]}"'”’%] ) \.\d+  # .5, which "No.5" is not
    )
    (?: [eE][-−+]?\d+ )?
    """,
    re.VERBOSE,
)
_DIGIT: Final = re.compile(r"\d")


def place_of_quote(quote: str, text: str, start: int = 0) -> tuple[int, int] | None:
    """Where `quote` first stands in `text` from `start` on, as (start, end); None where it does not.

    A number is found only as a whole number: "5" stands neither in "15", "5.2", ".5", "1e5" nor "-5".
    """
    words = quote.split()
    if not words:
        return None
    pattern = re.compile(r"\s+".join(map(re.escape, words)))
    found = pattern.search(text, start)
    if found is None or not _DIGIT.search(quote):
        return None if found is None else found.span()
    numbers = [one.span() for one in _NUMBER.finditer(text)]
    while found is not None:
        if _alone(found) == _within(numbers, found.span()):
            return found.span()
        found = pattern.search(text, found.start() + 1)
    return None


def _alone(found: re.Match[str]) -> list[tuple[int, int]]:
    """Where the numbers of a quote stand, when nothing around it is seen."""
    at = found.start()
    return [(at + one.start(), at + one.end()) for one in _NUMBER.finditer(found[0])]


def _within(numbers: list[tuple[int, int]], place: tuple[int, int]) -> list[tuple[int, int]]:
    """Those that have a part in this place."""
    first = bisect_right(numbers, place[0], key=itemgetter(1))
    last = bisect_left(numbers, place[1], key=itemgetter(0))
    return numbers[first:last]
