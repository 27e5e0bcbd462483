"""A budget: what calls may cost together. Hard under any concurrency: each attempt reserves before it is sent."""

from __future__ import annotations

import asyncio
import math
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from suffice.errors import BudgetError, UsageError
from suffice.models.concerns.waiting import Place, wake
from suffice.models.standing import standing
from suffice.numbers import is_number


@dataclass(frozen=True, slots=True)
class Reservation:
    """What one attempt may cost at most: US dollars (None: nobody knows its price) and tokens, in and out."""

    usd: float | None
    tokens: int


@dataclass(frozen=True, slots=True)
class Amounts:
    """US dollars, calls (attempts on the wire) and tokens (in and out); None where a budget does not bound them."""

    usd: float | None
    calls: int | None
    tokens: int | None


HINTS: Final = {
    "usd": "raise the budget to ${least} (--budget {least}) or more, lower max_output_tokens (--max-tokens), or name a "
    "cheaper model",
    "calls": "raise the budget's calls",
    "tokens": "raise the budget's tokens to {least} or more, or lower max_output_tokens (--max-tokens)",
}
"""What to do where this is what lacks; `least` is the budget that would have allowed the attempt."""
MOST: Final = 1e12  # of anything that a budget counts; it keeps the sums exact, and refuses inf and nan


class Budget:
    """The most that may be spent: US dollars, calls (attempts on the wire) and tokens (input and output), None: any.

    Share one among any number of models, tasks, threads and event loops of this process. An attempt waits while
    others hold what it needs and may give some of it back; it is refused with BudgetError when nobody does,
    or when an event loop stands still for it: the others may be of that loop. `spent` and `left` say how it stands.
    """

    def __init__(self, usd: float | None = None, calls: int | None = None, tokens: int | None = None) -> None:
        for name, value in (("usd", usd), ("calls", calls), ("tokens", tokens)):
            if value is not None and not (is_number(value, 0, MOST) and (name == "usd" or value == int(value))):
                kind = "number" if name == "usd" else "whole number"
                raise UsageError(f"a budget's {name} is a {kind} from 0 to {MOST:g}", hint="sf.Budget(usd=2)")
        self.usd = usd
        self.calls, self.tokens = (None if n is None else int(n) for n in (calls, tokens))  # 1e6 is a whole number, too
        self.spent_usd, self.spent_calls, self.spent_tokens = 0.0, 0, 0
        self.before_usd = 0.0  # of what is spent: by runs that were interrupted
        self._runs: set[str] = set()
        self._held: list[Reservation] = []
        self._lock = threading.Lock()
        self._waiting: deque[Place] = deque()

    def __repr__(self) -> str:
        parts = [
            f"${self.spent_usd:.4f} of ${self.usd:g}" if self.usd is not None else f"${self.spent_usd:.4f}",
            f"{self.spent_calls} of {self.calls} calls" if self.calls is not None else f"{self.spent_calls} calls",
            f"{self.spent_tokens:,}" + (f" of {self.tokens:,} tokens" if self.tokens is not None else " tokens"),
        ]
        return f"Budget({', '.join(parts)} spent)"

    @property
    def spent(self) -> Amounts:
        """What attempts that have ended cost: one that ended without a count, all that it may have cost. Any thread."""
        with self._lock:
            return Amounts(self.spent_usd, self.spent_calls, self.spent_tokens)

    @property
    def left(self) -> Amounts:
        """What another attempt may still cost at this moment: neither spent nor held back for attempts under way; None
        where it is not bounded. Any thread."""
        with self._lock:
            held_usd = sum(r.usd or 0.0 for r in self._held)
            held_tokens = sum(r.tokens for r in self._held)
            return Amounts(
                None if self.usd is None else max(0.0, self.usd - self.spent_usd - held_usd),
                None if self.calls is None else max(0, self.calls - self.spent_calls - len(self._held)),
                None if self.tokens is None else max(0, self.tokens - self.spent_tokens - held_tokens),
            )

    async def reserve(self, wanted: Reservation) -> None:
        """Hold `wanted` back, waiting for others to settle where that may help. Raises BudgetError."""
        while True:
            with self._lock:
                lacking = self._lacking(wanted, self._held)
                if lacking is None:
                    self._held.append(wanted)
                    return
                never = self._lacking(wanted, ())  # as if all that is held were given back
                if never or standing.get():
                    raise self._refused(wanted, *(never or lacking), held=never is None)
                loop = asyncio.get_running_loop()
                place = (loop, loop.create_future())
                self._waiting.append(place)
            try:
                await place[1]
            finally:
                with self._lock:
                    if place in self._waiting:
                        self._waiting.remove(place)

    def check(self, wanted: Reservation) -> None:
        """Raise BudgetError where what is not spent yet does not pay for `wanted`. Holds nothing back. Any thread."""
        with self._lock:
            lacking = self._lacking(wanted, ())
            if lacking is not None:
                raise self._refused(wanted, *lacking, held=False)

    def settle(self, held: Reservation, usd: float | None, tokens: int | None) -> None:
        """An attempt has ended: what it cost is spent (all that was held where nobody knows), the rest is free."""
        self._end(held, usd if usd is not None else held.usd or 0.0, 1, tokens if tokens is not None else held.tokens)

    def release(self, held: Reservation) -> None:
        """Nothing was sent after all: all that was held is free."""
        self._end(held, 0.0, 0, 0)

    def _end(self, held: Reservation, usd: float, calls: int, tokens: int) -> None:
        with self._lock:
            self._held.remove(held)
            self.spent_usd += usd
            self.spent_calls += calls
            self.spent_tokens += tokens
            waiting, self._waiting = list(self._waiting), deque()
        if waiting:
            wake(waiting)

    def already(self, usd: float, calls: int, tokens: int, of: str = "") -> None:
        """Count what the run called `of` had spent before it was interrupted, unless this budget was there itself."""
        with self._lock:
            if of and of in self._runs:
                return
            self._runs.add(of)
            self.before_usd += usd
            self.spent_usd, self.spent_calls = self.spent_usd + usd, self.spent_calls + calls
            self.spent_tokens += tokens

    def _lacking(self, wanted: Reservation, held: Sequence[Reservation]) -> tuple[str, str] | None:
        """What does not fit beside what is spent and `held`: its name, and in words; None where all does."""
        if self.calls is not None and self.spent_calls + len(held) + 1 > self.calls:
            return "calls", f"{self.spent_calls:,} of {self.calls:,} calls are spent"
        tokens = self.spent_tokens + sum(r.tokens for r in held)
        if self.tokens is not None and tokens + wanted.tokens > self.tokens:
            left = self.tokens - self.spent_tokens
            return "tokens", f"it may take {wanted.tokens:,} tokens, and {left:,} of {self.tokens:,} are left"
        usd = self.spent_usd + sum(r.usd or 0.0 for r in held)
        if self.usd is not None and usd + (wanted.usd or 0.0) > self.usd + 1e-12:
            cost, left = _apart(wanted.usd or 0.0, max(self.usd - self.spent_usd, 0.0))
            before = f" (${self.before_usd:.4f} went before this run was interrupted)" if self.before_usd else ""
            return "usd", f"it may cost {cost}, and {left} of ${self.usd:g} are left{before}"
        return None

    def _refused(self, wanted: Reservation, what: str, lacking: str, held: bool) -> BudgetError:
        others = f", part of it held for {len(self._held):,} other attempts that it cannot wait for" if held else ""
        least = (
            f"{self.spent_tokens + wanted.tokens:,}" if what == "tokens" else _up(self.spent_usd + (wanted.usd or 0))
        )
        message, hint = f"the budget allows no further attempt: {lacking}{others}", HINTS[what].format(least=least)
        return BudgetError(message, hint=hint, budget=self, wanted=wanted)


def _up(usd: float) -> str:
    """Dollars rounded up: to cents, and below ten cents to two digits that count."""
    places = 2 if usd >= 0.1 or usd == 0 else 1 - math.floor(math.log10(usd))
    return f"{math.ceil(usd * 10**places - 1e-9) / 10**places:.{places}f}"


def _apart(one: float, other: float) -> tuple[str, str]:
    """Two amounts of dollars with four decimals, or as many as it takes for them to look different."""
    for places in range(4, 13):
        said = f"${one:.{places}f}", f"${other:.{places}f}"
        if said[0] != said[1]:
            return said
    return f"${one:g}", f"${other:g}"
