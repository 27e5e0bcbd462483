"""What a climb took: calls, attempts at models, tokens, dollars; in the same words on the screen and on the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from suffice.evals.cost import bounded, money
from suffice.ladder.page_text import count, number
from suffice.shown import counted
from suffice.values import Json

EXPLAINED: Final = (
    "a call puts a case to a rung; an attempt is a request to a model: retries, repairs and repeated samples count, "
    "recorded replies do not"
)


def line_of(run: str, calls: int, spent: Mapping[str, Json]) -> str:
    """What the run spent, now and before it was interrupted, in a line for the screen; `spent` is as it is recorded."""
    if not count(spent, "attempts"):
        return f"{run} spent nothing: {counted(calls, 'call')}, every reply was recorded earlier"
    return f"{run} spent {paid(spent)}: {taken(calls, spent)} ({EXPLAINED})"


def paid(spent: Mapping[str, Json]) -> str:
    """ "$0.21", "at most $0.21" where attempts ended without a count, "unknown" where no price is known."""
    usd = number(spent, "usd")
    return "an unknown price" if usd is None else bounded(money(usd), count(spent, "uncounted") > 0)


def taken(calls: int, spent: Mapping[str, Json]) -> str:
    """ "310 calls took 480 attempts, 120,400 tokens in and 3,100 out"; without attempts the calls alone."""
    attempts = count(spent, "attempts")
    if not attempts:
        return f"{counted(calls, 'call')} that may have cost something"
    tokens = [count(spent, f"{way}_tokens") for way in ("input", "output")]
    said = f"{tokens[0]:,} tokens in and {tokens[1]:,} out" if any(tokens) else ""
    if count(spent, "uncounted"):
        said = f"at most {count(spent, 'tokens'):,} tokens"
    return f"{counted(calls, 'call')} took {counted(attempts, 'attempt')}" + (f", {said}" if said else "")
