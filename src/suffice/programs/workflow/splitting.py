"""A long text in pieces that end where a paragraph, a sentence or at least a word does."""

from __future__ import annotations

import re
from typing import Final

_ENDS: Final = (
    re.compile(r"\n\s*\n\s*"),
    re.compile(r"[.!?…][\"'”’)\]]*\s+|[。！？]|\n"),
    re.compile(r"\s+"),
)
"""Where a text may be cut, the best places first."""


def pieces(text: str, most: int, overlap: int = 0) -> list[str]:
    """`text` in pieces of at most `most` characters, each beginning about `overlap` characters before the last ended.

    A piece ends at the last end of a paragraph in its second half, else of a sentence, else of a word, else at `most`;
    an overlap begins at the first end of a sentence or word in it. Every character that is no white space is in a
    piece.
    """
    made: list[str] = []
    start = 0
    while start < len(text):
        end = _end(text, start, most)
        if text[start:end].strip():
            made.append(text[start:end].strip())
        if end >= len(text):
            break
        start = max(_begin(text, end, overlap), start + 1)
    return made


def _end(text: str, start: int, most: int) -> int:
    last = start + most
    if last >= len(text):
        return len(text)
    for pattern in _ENDS:
        cuts = [m.end() for m in pattern.finditer(text, start + most // 2, last)]
        if cuts:
            return cuts[-1]
    return last


def _begin(text: str, end: int, overlap: int) -> int:
    for pattern in _ENDS[1:]:
        found = pattern.search(text, max(0, end - overlap), end) if overlap else None
        if found is not None and found.end() < end:
            return found.end()
    return end - overlap
