"""What is a number: in bounds, and neither a bool, nor nan, nor an integer too large to reckon with."""

from __future__ import annotations

from typing import Final

DAY: Final = 86_400.0  # seconds; who waits longer than that waits without end


def is_number(value: object, least: float = -1e15, most: float = 1e15) -> bool:
    """A finite number from `least` to `most`, both included."""
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most


def is_whole(value: object, least: int = -(1 << 63), most: int = (1 << 63) - 1) -> bool:
    """A whole number from `least` to `most`, both included: 64 bits, unless said otherwise."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
