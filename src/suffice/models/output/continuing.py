"""Going on where a reply was cut off: texts and lists joined without loss and without what was said twice."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from suffice.errors import OutputError
from suffice.models.output.partial import PartialJson
from suffice.models.output.place import Path
from suffice.models.output.reading import FENCE
from suffice.models.output.schema import mapping
from suffice.models.output.typed import ANSWER
from suffice.values import Json

OVERLAP = 20
"""Characters that must be the same before a repeat is taken for one, unless it is the whole last line."""
_WORDS = re.compile(r"\w.*\w.*\w", re.DOTALL)


def joined(parts: Sequence[str]) -> str:
    """The text that `parts` make up, where each part goes on after the last and may first repeat its end.

    The longest repeat is left out, when it has at least 20 characters or is the whole last line (one with at least
    three letters or digits: a lone bracket is more likely meant twice). A text that truly says the same 20
    characters twice, with the cut exactly between, cannot be told from a repeat and is said once.
    """
    text = ""
    for part in parts:
        text += part[_repeated(text, part) :]
    return text


def list_so_far(text: str) -> tuple[list[Any], str]:
    """The complete items of a JSON list that was cut off, and the text up to and with the last of them.

    The list is the whole text, or the field "answer" of an object; a Markdown fence may stand before it. A number at
    the very end counts as incomplete: more digits may follow. Without a complete item the text ends after the
    bracket, or is empty where no list has begun. Raises OutputError where the text is not the start of such a list.
    """
    start = _after_fence(text)
    found: list[Any] = []
    end = 0

    def keep(path: Path, value: Json) -> None:
        nonlocal end
        if len(path) == depth and path[:-1] == ((ANSWER,) if depth == 2 else ()):
            found.append(value)
            end = reader.position

    depth = 2 if text[start:].lstrip().startswith("{") else 1
    reader = PartialJson(closed=keep)
    reader.consume(text[start:])
    value = reader.value
    items = mapping(value).get(ANSWER) if depth == 2 else value
    if items is None and not reader.done:
        return [], ""
    if not isinstance(items, list):
        raise OutputError("the text is not a list that was cut off", partial=text)
    if not found:
        return [], text[: text.index("[", start) + 1] if depth == 1 else text[: start + reader.opened]
    return found, text[: start + end]


def merged_items(first: Sequence[Any], more: Sequence[Any], at_most: int | None = None) -> list[Any]:
    """`first` and then `more`, where `more` may begin by repeating the last items of `first`.

    The longest such repeat (of at most `at_most` items, where given) is left out; all else is kept, equal neighbours
    too. One case is ambiguous and taken for a repeat: items at the end of `first` that truly come again at the start
    of `more` ([a] and [a, b] may mean a, a, b, but give a, b). Items are JSON values; 1, 1.0 and true differ.
    """
    limit = min(len(first), len(more), len(first) if at_most is None else at_most)
    tail = [_key(item) for item in first[len(first) - limit :]]
    head = [_key(item) for item in more[:limit]]
    return [*first, *more[_overlap(tail, head) :]]


def _repeated(before: str, after: str) -> int:
    limit = min(len(before), len(after))
    found = _overlap(before[len(before) - limit :], after[:limit])
    if found >= OVERLAP:
        return found
    body = before[:-1] if before.endswith("\n") else before
    line = before[body.rfind("\n") + 1 :]
    return len(line) if _WORDS.search(line) and after.startswith(line) else 0


def _overlap(before: Sequence[Any], after: Sequence[Any]) -> int:
    """The length of the longest end of `before` that `after` starts with, in linear time (Knuth, Morris, Pratt)."""
    borders = _borders(after)
    matched = 0
    for one in before:
        while matched and (matched == len(after) or after[matched] != one):
            matched = borders[matched - 1]
        if matched < len(after) and after[matched] == one:
            matched += 1
    return matched


def _borders(pattern: Sequence[Any]) -> list[int]:
    borders = [0] * len(pattern)
    matched = 0
    for index in range(1, len(pattern)):
        while matched and pattern[index] != pattern[matched]:
            matched = borders[matched - 1]
        if pattern[index] == pattern[matched]:
            matched += 1
        borders[index] = matched
    return borders


def _key(item: Any) -> str:
    return json.dumps(item, sort_keys=True, default=repr)


def _after_fence(text: str) -> int:
    start = len(text) - len(text.lstrip())
    if not FENCE.startswith(text[start : start + len(FENCE)] or " "):
        return start
    newline = text.find("\n", start)
    return len(text) if newline < 0 else newline + 1
