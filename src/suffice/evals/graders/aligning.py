"""Which item of one list is compared with which of another: equal ones first, then so that most agrees."""

from __future__ import annotations

import importlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final

from suffice.values import Json, canonical, folded

MOST: Final = 40_000  # pairs that are weighed; larger lists are compared in the order they come in
Weigh = Callable[[int, int], float]


def aligned(want: Sequence[Json], got: Sequence[Json], weigh: Weigh, *, ordered: bool) -> list[tuple[int, int]]:
    """Pairs of places, one in each list, no place twice, sorted; `weigh(i, j)` says how much of `want[i]` is `got[j]`.

    Items that are equal after folding are paired first. Of the rest the pairs of the largest total weight: any of
    them, or with `ordered` only pairs that do not cross.
    """
    if len(want) == 1 and len(got) == 1:
        return [(0, 0)]
    keys = [[canonical(folded(item)) for item in side] for side in (want, got)]
    pairs = _ends(*keys) if ordered else _equal(*keys)
    taken = {i for i, _ in pairs}, {j for _, j in pairs}
    rows, columns = ([i for i in range(len(s)) if i not in t] for s, t in zip((want, got), taken, strict=True))
    if not rows or not columns:
        return sorted(pairs)
    if len(rows) * len(columns) > MOST or len(rows) == len(columns) == 1:
        return sorted([*pairs, *zip(rows, columns, strict=False)])
    weights = [[weigh(i, j) for j in columns] for i in rows]
    chosen = _in_order(weights) if ordered else _any(weights)
    return sorted([*pairs, *((rows[i], columns[j]) for i, j in chosen)])


def _ends(want: Sequence[str], got: Sequence[str]) -> list[tuple[int, int]]:
    """What both begin with, and what both end with."""
    short = min(len(want), len(got))
    start = next((i for i in range(short) if want[i] != got[i]), short)
    end = next((i for i in range(short - start) if want[-1 - i] != got[-1 - i]), short - start)
    return [(i, i) for i in range(start)] + [(len(want) - 1 - i, len(got) - 1 - i) for i in range(end)]


def _equal(want: Sequence[str], got: Sequence[str]) -> list[tuple[int, int]]:
    places: defaultdict[str, list[int]] = defaultdict(list)
    for j in reversed(range(len(got))):
        places[got[j]].append(j)
    return [(i, places[key].pop()) for i, key in enumerate(want) if places[key]]


def _any(weights: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """The assignment of the largest total (Hungarian algorithm)."""
    if len(weights) == 1:
        return [(0, max(range(len(weights[0])), key=weights[0].__getitem__))]
    optimize: Any = importlib.import_module("scipy.optimize")  # heavy, and only lists that differ need it
    rows, columns = optimize.linear_sum_assignment(weights, maximize=True)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True)]


def _in_order(weights: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """The pairs of the largest total that do not cross (Needleman & Wunsch 1970, gaps cost nothing)."""
    n, m = len(weights), len(weights[0])
    best = [[0.0] * (m + 1) for _ in range(n + 1)]
    for i in reversed(range(n)):
        for j in reversed(range(m)):
            best[i][j] = max(best[i + 1][j + 1] + weights[i][j], best[i + 1][j], best[i][j + 1])
    pairs: list[tuple[int, int]] = []
    i = j = 0
    while i < n and j < m:
        if best[i][j] == best[i + 1][j + 1] + weights[i][j]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return pairs
