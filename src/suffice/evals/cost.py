"""What model calls cost: a case of a solution in production, and a run now."""

from __future__ import annotations

import math
import statistics
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from suffice.programs.solution import Solution
from suffice.stats.intervals import mean_interval
from suffice.store.calls import Spent
from suffice.values import NO_COST, Cost, Json

if TYPE_CHECKING:  # what calls a model is heavy, and most runs call none
    pass


@dataclass(frozen=True, slots=True)
class PerCase:
    """What a case takes on average over `n` cases: US dollars (None: of some it is unknown), tokens in and out.

    It is what a case costs in production: a reply that was looked up now counts as when it was made. `at_most`: some
    attempts ended without a count, and stand with all that they may have cost. `usd_low` and `usd_high` are the ends
    of a 95% interval of the mean, an estimate: nobody knows how dear a case can get. None where there are too few
    cases, or the dollars are a bound.
    """

    n: int
    usd: float | None
    input_tokens: float | None
    output_tokens: float | None
    at_most: bool = False
    usd_low: float | None = None
    usd_high: float | None = None

    @property
    def between(self) -> tuple[float, float] | None:
        """The ends of the interval."""
        return None if self.usd_low is None or self.usd_high is None else (self.usd_low, self.usd_high)

    def to_json(self) -> dict[str, Json]:
        """As reports and pages have it, with the dollars of 1,000 cases."""
        ends = None if self.between is None else [1000 * end for end in self.between]
        usd = None if self.usd is None else 1000 * self.usd
        return {**asdict(self), "usd_per_1000": usd, "usd_per_1000_interval95": ends}


def per_case(
    costs: Sequence[Cost | None], *, free: bool = False, clusters: Sequence[Hashable] | None = None
) -> PerCase | None:
    """The mean over cases; None where no case called a model, so that nothing is known but for a `free` solution.

    `clusters` says which costs belong together: cases of one customer, or calls for one case.
    """
    if free and costs:
        return PerCase(len(costs), 0.0, 0.0, 0.0)
    known = [c for c in costs if c is not None]
    if all(c == NO_COST for c in known):
        return None
    dollars = [c.usd if c is not None else None for c in costs]
    usd = None if None in dollars else statistics.fmean(d for d in dollars if d is not None)
    tokens_in, tokens_out = ([c.input_tokens for c in known], [c.output_tokens for c in known])
    at_most = any(c.at_most for c in known)
    ends = (None, None) if usd is None or at_most else _ends([d for d in dollars if d is not None], clusters)
    return PerCase(len(costs), usd, _mean(tokens_in), _mean(tokens_out), at_most, *ends)


def _ends(dollars: Sequence[float], clusters: Sequence[Hashable] | None) -> tuple[float | None, float | None]:
    """The interval of the mean, as if no case could cost more than twice what the dearest one seen did."""
    try:
        found = mean_interval(dollars, span=(0.0, 2.0 * max(dollars)), clusters=clusters)
    except ValueError:  # too few
        return None, None
    return found.low, found.high


def costs_nothing(solution: Solution) -> bool:
    """Whether asking it is free; a recording is free to ask, and tells nothing of what was recorded."""
    legs = [leg.solution for leg in solution.members]
    return solution.free and not solution.replays and all(map(costs_nothing, legs))


def cost_text(cost: PerCase) -> str:
    """ "$1.20 per 1,000 cases ($1.10 to $1.31 at 95%, an estimate; $0.0012 each); tokens a case: 412 in, 23 out", "at
    most $1.20 …" where it is a bound."""
    said = "unknown: no price is known of some of its calls"
    if cost.usd is not None:
        more = "; ".join([*filter(None, [between_text(cost)]), f"{money(cost.usd)} each"])
        said = f"{bounded(money(1000 * cost.usd), cost.at_most)} per 1,000 cases ({more})"
    if not cost.input_tokens and not cost.output_tokens:
        return said
    tokens = [f"{n:,.0f} {way}" for n, way in ((cost.input_tokens, "in"), (cost.output_tokens, "out")) if n is not None]
    return f"{said}; tokens a case: {', '.join(tokens)}"


def short_cost(cost: PerCase | None) -> str:
    """ "$1.20 ($1.10 to $1.31) per 1,000 cases", "at most" before it where it is a bound, "free", "unknown"."""
    if cost is None or cost.usd is None:
        return "unknown"
    between = f" ({_range(*cost.between)})" if cost.between is not None else ""
    return f"{bounded(money(1000 * cost.usd), cost.at_most)}{between} per 1,000 cases" if cost.usd else "free"


def between_text(cost: PerCase) -> str:
    """The interval for 1,000 cases: "$1.10 to $1.31 at 95%, an estimate"; "" where there is none."""
    return "" if cost.between is None else f"{_range(*cost.between)} at 95%, an estimate"


def _range(low: float, high: float) -> str:
    return f"{money(1000 * low)} to {money(1000 * high)}"


def bounded(said: str, at_most: bool) -> str:
    """ "$1.20", or "at most $1.20"."""
    return f"at most {said}" if at_most else said


def spent_text(spent: Spent) -> str:
    """ "$0.21 in 186 attempts", with the attempts of unknown price, and those that nobody counted, apart."""
    if not spent.attempts:
        return "nothing: every reply was recorded earlier"
    said = "unknown" if spent.unpriced == spent.attempts else bounded(money(spent.usd), spent.uncounted > 0)
    more = f", {spent.unpriced:,} of them at an unknown price" if spent.unpriced and said != "unknown" else ""
    if spent.uncounted:
        counted = money(spent.usd - spent.uncounted_usd)
        more += f": {counted} counted, the rest is the most that {spent.uncounted:,} without a count may cost"
    return f"{said} in {spent.attempts:,} attempt{'' if spent.attempts == 1 else 's'}{more}"


def spent_json(spent: Spent) -> dict[str, Json]:
    """As reports have it: US dollars are None where the price of an attempt is unknown. `uncounted` attempts ended
    without a count, and `uncounted_usd` of the dollars are the most that they may have cost."""
    usd = None if spent.unpriced else spent.usd
    more = {"uncounted": spent.uncounted, "uncounted_usd": spent.uncounted_usd}
    more |= {"input_tokens": spent.input_tokens, "output_tokens": spent.output_tokens}  # of those that were counted
    return {"usd": usd, "attempts": spent.attempts, "unpriced": spent.unpriced, "tokens": spent.tokens, **more}


def money(usd: float) -> str:
    """US dollars: cents, and below ten cents two digits that count: $1.20, $0.012, $0.00034."""
    places = 2 if usd == 0 or abs(usd) >= 0.1 else 1 - math.floor(math.log10(abs(usd)))
    return f"${usd:,.{places}f}"


def _mean(values: Sequence[int | None]) -> float | None:
    known = [v for v in values if v is not None]
    return statistics.fmean(known) if known else None
