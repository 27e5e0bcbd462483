"""Near-duplicates: texts that have most of their 5-character pieces in common, found by MinHash and then compared.

Two texts are near-duplicates where at least 85% of the different pieces of both, folded, are in both (Jaccard). MinHash
with 16 bands of 4 finds such a pair with a probability above 99.999%, and every pair that it finds is compared.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from suffice.values import Json, canonical, folded

PIECE: Final = 5  # characters
LIKE: Final = 0.85
BANDS: Final = 16
ROWS: Final = 4
READ: Final = 5_000  # characters of a text that are looked at
KEPT: Final = 8  # texts of a bucket and group with which the next ones are compared


def near(values: Sequence[Json], groups: Sequence[str]) -> list[dict[str, int]]:
    """For each value, one near-duplicate in each group (a split, say) that has any, by its place in `values`."""
    import numpy as np

    pieces = [_pieces(value) for value in values]
    draw = np.random.default_rng(0)
    factors = draw.integers(1, 2**63, (BANDS * ROWS, 1), dtype=np.uint64) | np.uint64(1)
    buckets: dict[tuple[int, bytes], dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    found: list[dict[str, int]] = [{} for _ in values]
    for i, own in enumerate(pieces):
        least = _mixed(own[np.newaxis, :] * factors).min(axis=1)
        compared: set[int] = set()
        for band in range(BANDS):
            bucket = buckets[band, least[band * ROWS : (band + 1) * ROWS].tobytes()]
            for group, members in bucket.items():
                if group in found[i]:
                    continue
                for j in members:
                    if j not in compared and _alike(own, pieces[j]):
                        found[i].setdefault(group, j)
                        found[j].setdefault(groups[i], i)
                        break
                    compared.add(j)
            if len(bucket[groups[i]]) < KEPT:
                bucket[groups[i]].append(i)
    return found


def _pieces(value: Json) -> Any:
    """The different pieces of a text as numbers, sorted; a text shorter than a piece is one."""
    import numpy as np

    told = folded(value)
    text = (told if isinstance(told, str) else canonical(told))[:READ].ljust(PIECE)
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    made = np.zeros(len(codes) - PIECE + 1, dtype=np.uint64)
    for k in range(PIECE):
        made = made * np.uint64(1_000_003) + codes[k : len(codes) - PIECE + 1 + k]
    return np.unique(_mixed(made))


def _mixed(numbers: Any) -> Any:
    """Spread bits: products of neighbours are neighbours."""
    import numpy as np

    numbers = (numbers ^ (numbers >> np.uint64(31))) * np.uint64(0x9E3779B97F4A7C15)
    return numbers ^ (numbers >> np.uint64(29))


def _alike(one: Any, other: Any) -> bool:
    import numpy as np

    if min(len(one), len(other)) < LIKE * max(len(one), len(other)):
        return False
    both = len(np.intersect1d(one, other, assume_unique=True))
    return both >= LIKE * (len(one) + len(other) - both)
