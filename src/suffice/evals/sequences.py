"""How alike two sequences are: edit distance and longest common subsequence, bit-parallel over Python's integers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence


def edit_distance(one: Sequence[Hashable], other: Sequence[Hashable], longest: int = 20_000) -> int:
    """The fewest insertions, deletions and substitutions that make `other` of `one` (Levenshtein).

    Hyyrö (2003): one row of the table is one integer, so it takes len(other) steps on integers of len(one) bits.
    What is beyond `longest` items after the common ends counts as different, an upper bound.
    """
    one, other = _between(one, other)
    beyond = max(len(one[longest:]), len(other[longest:]))
    one, other = one[:longest], other[:longest]
    if not one or not other:
        return max(len(one), len(other)) + beyond
    places, mask, last = _places(one), (1 << len(one)) - 1, 1 << (len(one) - 1)
    up, down, distance = mask, 0, len(one)
    for item in other:
        match = places.get(item, 0)
        diagonal = (((match & up) + up) ^ up) | match | down
        right = down | (mask & ~(diagonal | up))
        left = diagonal & up
        distance += 1 if right & last else -1 if left & last else 0
        right, left = (right << 1) | 1, left << 1
        up = (left | ~(diagonal | right)) & mask
        down = right & diagonal & mask
    return distance + beyond


def common_length(one: Sequence[Hashable], other: Sequence[Hashable], longest: int = 20_000) -> int:
    """The length of the longest common subsequence (Hyyrö 2004); nothing beyond `longest` items is looked at."""
    ends = len(one)
    one, other = _between(one, other)
    ends -= len(one)
    one, other = one[:longest], other[:longest]
    if not one or not other:
        return ends
    places, mask = _places(one), (1 << len(one)) - 1
    row = mask
    for item in other:
        match = row & places.get(item, 0)
        row = ((row + match) | (row - match)) & mask
    return ends + len(one) - row.bit_count()


def _between(one: Sequence[Hashable], other: Sequence[Hashable]) -> tuple[Sequence[Hashable], Sequence[Hashable]]:
    """Both without what they begin and end with alike."""
    short = min(len(one), len(other))
    start = next((i for i in range(short) if one[i] != other[i]), short)
    end = next((i for i in range(short - start) if one[-1 - i] != other[-1 - i]), short - start)
    return one[start : len(one) - end], other[start : len(other) - end]


def _places(items: Sequence[Hashable]) -> dict[Hashable, int]:
    """Where each item occurs, as the bits of one integer."""
    found: defaultdict[Hashable, list[int]] = defaultdict(list)
    for i, item in enumerate(items):
        found[item].append(i)
    return {item: _bits(places, len(items)) for item, places in found.items()}


def _bits(places: Sequence[int], length: int) -> int:
    held = bytearray(length // 8 + 1)
    for i in places:
        held[i >> 3] |= 1 << (i & 7)
    return int.from_bytes(held, "little")
