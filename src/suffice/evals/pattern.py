"""Searching a text for a user's regular expression without letting it run away."""

from __future__ import annotations

import json
import re
import subprocess
import sys

from suffice.errors import UsageError
from suffice.programs.backtracking import most_ways
from suffice.shown import shown

MAX_TEXT = 20_000
SECONDS = 2.0
_STEPS = 2e6
_CHILD = """
import json, re, sys
pattern, text, flags = json.load(sys.stdin)
print(re.search(pattern, text, flags) is not None)
"""


def compiled(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """The compiled pattern. Raises UsageError that names the fault and its column."""
    try:
        return re.compile(pattern, flags)
    except (re.error, OverflowError, RecursionError) as e:
        raise UsageError(f"the pattern {shown(pattern)} is not a regular expression: {e}") from None


def found(pattern: re.Pattern[str], text: str) -> bool | None:
    """Whether `pattern` occurs in the first 20,000 characters of `text`; None where that takes over 2 seconds.

    `re` backtracks and cannot be interrupted, so an upper bound on its steps is worked out from the pattern first.
    Below it the search runs here; above it in a child process (about 20 ms) that is stopped at the time limit.
    """
    text = text[:MAX_TEXT]
    if most_ways(pattern, len(text)) * (len(text) + 1) <= _STEPS:
        return pattern.search(text) is not None
    told = json.dumps([pattern.pattern, text, pattern.flags & ~re.UNICODE]).encode()
    try:
        # The pattern and the text travel as data; the code is the constant above.
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _CHILD], input=told, capture_output=True, timeout=SECONDS, check=True
        )
    except subprocess.TimeoutExpired:
        return None
    return done.stdout.strip() == b"True"
