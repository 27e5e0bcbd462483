"""What a case is known by under other input columns: the hash of its row, and of each cell that no other case has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final, cast

from suffice.values import Json, canonical, case_key

LETTERS: Final = 16
"""That a cell has at least, to tell a case: of 10,000 questions to a bank (Banking77) 99% have as many. Numbers, times,
ids and most names have fewer, and two tasks may share them by chance."""


def telling_keys(inputs: Json) -> dict[str, str]:
    """By name, the key that each cell of these inputs with enough letters would have as the only input."""
    if not isinstance(inputs, dict):
        return {}
    cells = cast("dict[str, Json]", inputs).items()
    return {name: case_key(cell) for name, cell in cells if _telling(cell)}


def cell_marks(cases: Sequence[tuple[str, Json]]) -> Iterator[tuple[str, ...]]:
    """For each case, by its key and its inputs, the keys of those of its cells that tell it from all others.

    A cell tells where it has enough letters, no other of these cases has it, and most of them have one of their own in
    that column: a template or a passage that several share tells none, and neither does a category that happens to
    occur once. As an input alone it would be this case, and so it is looked at wherever the case is.
    """
    told = [telling_keys(inputs) for _, inputs in cases]
    owners: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for (key, _), cells in zip(cases, told, strict=True):
        for cell in cells.items():
            owners[cell].add(key)
    own: defaultdict[str, set[str]] = defaultdict(set)
    for (name, _), keys in owners.items():
        if len(keys) == 1:
            own[name] |= keys
    most = len({key for key, _ in cases}) / 2
    for (key, _), cells in zip(cases, told, strict=True):
        yield tuple(mark for name, mark in cells.items() if key in own[name] and len(own[name]) > most)


def row_mark(values: dict[str, Any], split: str | None) -> str:
    """The hash of a whole row, but for its split: looked at under other columns, it was looked at all the same."""
    return case_key({name: value for name, value in values.items() if name != split})


def _telling(cell: Json) -> bool:
    letters = filter(str.isalpha, cell if isinstance(cell, str) else canonical(cell))
    return next(islice(letters, LETTERS - 1, None), None) is not None
