"""The error ledger of one sealed test split: how much alpha the next try may use."""

from __future__ import annotations

from collections.abc import Sequence

TOTAL = 0.05
"""The chance, over all tries on one split together, that a solution below its claim ever passes."""


def alpha_of_try(passed: Sequence[bool], total: float = TOTAL) -> float:
    """The alpha of the next try, given which of the earlier tries passed, in order.

    The j-th try gets total / 2^j, plus the alpha of the try just before it if that one passed: a PASS costs nothing
    (online fallback procedure: Tian & Ramdas 1910.04900). A try that did not pass is spent, whatever stopped it.
    Raises ValueError unless 0 < total < 1.
    """
    if not 0.0 < total < 1.0:
        raise ValueError(f"a total alpha must lie in (0, 1), not {total!r}")
    alpha = total / 2
    for j, won in enumerate(passed, start=2):
        alpha = total / 2**j + (alpha if won else 0.0)
    return alpha
