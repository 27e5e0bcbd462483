"""Break-even: from how many cases a month a small model at a fixed price is cheaper than paying by the case."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from suffice.errors import UsageError
from suffice.evals.cost import money
from suffice.values import Json


@dataclass(frozen=True, slots=True)
class BreakEven:
    """Prices in US dollars: of 1,000 cases now, of 1,000 cases on the small model, and its fixed price a month.

    `cases` is the smallest monthly number of cases from which it costs no more; None where it never does.
    """

    price_per_1000: float
    fixed_per_month: float
    small_per_1000: float
    cases: int | None
    price_from: str

    def to_json(self) -> dict[str, Json]:
        """As `suffice advise --json` has it."""
        return asdict(self)


def break_even(
    price_per_1000: float, fixed_per_month: float, small_per_1000: float = 0.0, price_from: str = "said"
) -> BreakEven:
    """1,000 x fixed / (price - small), rounded up. `price_from` says where the price now is from.

    Raises UsageError for a price that is negative or no number.
    """
    prices = {
        "--price-per-1000": price_per_1000,
        "--fixed-per-month": fixed_per_month,
        "--small-per-1000": small_per_1000,
    }
    for flag, value in prices.items():
        if not (math.isfinite(value) and value >= 0):
            raise UsageError(f"{flag} is US dollars, 0 or more, not {value:g}", hint=f"{flag} 1.20")
    saved = price_per_1000 - small_per_1000
    cases = math.ceil(round(1000 * fixed_per_month / saved, 6)) if saved > 0 else None
    return BreakEven(price_per_1000, fixed_per_month, small_per_1000, cases, price_from)


def break_even_lines(found: BreakEven) -> list[str]:
    """The formula with its figures, in plain text."""
    price, small, fixed = map(money, (found.price_per_1000, found.small_per_1000, found.fixed_per_month))
    head = f"break-even: {price} per 1,000 cases now ({found.price_from}); small model {fixed} a month and {small}"
    if found.cases is None:
        return [f"{head} per 1,000", f"  never: each 1,000 cases cost {small} there, no less than {price} now"]
    return [
        f"{head} per 1,000",
        f"  1,000 x fixed / (now - small) = 1,000 x {fixed} / ({price} - {small}) = {found.cases:,} cases a month",
        "  what it takes to tune it and look after it is not in it; that it is as good is for a climb to show",
    ]
