"""Counting votes: the value with the most weight behind it, and its share of all that was cast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from suffice.values import Json, canonical


class Winner(NamedTuple):
    """The place of the winning value among those that were counted, and the weight behind it."""

    place: int
    weight: float


def winner(values: Sequence[Json], weights: Sequence[float] | None = None) -> Winner:
    """The winner among values that are equal as JSON; ties go to the one that came first. Raises ValueError of none."""
    behind: dict[str, float] = {}
    first: dict[str, int] = {}
    for place, value in enumerate(values):
        text = canonical(value)
        first.setdefault(text, place)
        behind[text] = behind.get(text, 0.0) + (1.0 if weights is None else weights[place])
    best = max(behind, key=lambda text: behind[text])  # the first of equals
    return Winner(first[best], behind[best])
