"""Where a quote stands in a text: word for word, but for how white space is written."""

from __future__ import annotations

import re


def place_of_quote(quote: str, text: str, start: int = 0) -> tuple[int, int] | None:
    """Where `quote` first stands in `text` from `start` on, as (start, end); None where it does not.

    A number is found only as a whole number: "5" does not stand in "15" or "5.2".
    """
    words = quote.split()
    if not words:
        return None
    before = r"(?<!\d)(?<!\d[.,])" if words[0][0].isdigit() else ""
    behind = r"(?![.,]?\d)" if words[-1][-1].isdigit() else ""
    found = re.compile(before + r"\s+".join(map(re.escape, words)) + behind).search(text, start)
    return None if found is None else found.span()
