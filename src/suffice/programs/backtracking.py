"""How long a regular expression may search: an upper bound on its steps, worked out from the pattern before it runs."""

from __future__ import annotations

import importlib
import re
from typing import Any, cast


def most_ways(pattern: re.Pattern[str], length: int) -> float:
    """An upper bound on the ways to match from one place in `length` characters: what backtracking may have to try."""
    parser: Any = importlib.import_module("re._parser")
    return _of(parser.parse(pattern.pattern, pattern.flags), length)


def _of(node: Any, length: int) -> float:
    """Products along a sequence, sums over alternatives, powers for repeats; 1e18 stands for "too many"."""
    ways = 1.0
    for op, argument in node:
        name = str(op)
        if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            low, high, body = argument
            inner, most = _of(body, length), min(int(high), length + 1)
            ways *= (most - min(int(low), most) + 1) * (inner ** min(most, 64) if inner > 1 else 1.0)
        elif name == "BRANCH":
            ways *= sum(_of(branch, length) for branch in argument[1])
        elif name in ("SUBPATTERN", "ATOMIC_GROUP", "ASSERT", "ASSERT_NOT", "GROUPREF_EXISTS"):
            parts = cast(tuple[Any, ...], argument if isinstance(argument, tuple) else (argument,))
            for part in parts:
                if hasattr(part, "getwidth"):
                    ways *= _of(part, length)
        elif name == "GROUPREF":  # it is compared sign by sign
            ways *= length
        ways = min(ways, 1e18)
    return ways
