"""Places in a JSON value, as `$.items[1].price`, and what is wrong there, as the reasons of graders name them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from suffice.shown import shown
from suffice.values import Json

_WORD: Final = re.compile(r"[^\W\d]\w*")
NAMED: Final = 3
"""So many faults are named; of the others the number is given."""


def step_to(name: str) -> str:
    """From an object to its field."""
    return f".{name}" if _WORD.fullmatch(name) else f'["{name}"]'


def differs_at(place: str, want: Json, got: Json) -> str:
    """That another value is there."""
    return fault_at(place, f"expected {shown(want)}, got {shown(got)}")


def fault_at(place: str, fault: str) -> str:
    """What is wrong at a place."""
    return f"{shown(place, 100)}: {fault}"


def listed_faults(faults: Sequence[str]) -> str:
    """The first faults, and how many more there are."""
    more = f"; and {len(faults) - NAMED} more" if len(faults) > NAMED else ""
    return "; ".join(faults[:NAMED]) + more
