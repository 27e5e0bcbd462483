"""The cases and the instant solution that every tool of `overhead.py` gets. Standard library only."""

from __future__ import annotations

LABELS = ("late", "lost", "damaged", "refund")


def texts(n: int) -> list[tuple[str, str]]:
    """`n` different inputs of about 55 characters with their labels, each label its text's first word."""
    return [
        (f"{label(i)} parcel {i:06d}: order {i * 7919 % 1_000_003:06d} came to the wrong door", label(i))
        for i in range(n)
    ]


def label(i: int) -> str:
    """The label of the i-th case."""
    return LABELS[i % len(LABELS)]


def first_word(text: str) -> str:
    """The instant solution."""
    return text.partition(" ")[0]
