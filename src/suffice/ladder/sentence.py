"""The decision in words: one place, so that terminal, page, bundle and gate all say the same."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from suffice.evals.claim import Stated
from suffice.evals.cost import PerCase, money
from suffice.evals.report import figure
from suffice.evals.report import rate as rate
from suffice.ladder.rule import PAUSES
from suffice.stats.trial import ALPHA_FAIL, SHARE_TOLERANCE

if TYPE_CHECKING:
    from suffice.ladder.decision import Tested


def decided(name: str, claim: Stated, tested: Tested, seen_share: float | None, note: str = "") -> str:
    """The sentence for a candidate that met test. `seen_share` is the share of dev cases it answered."""
    if tested.paused:
        return (
            f"`{name}` is paused, not decided: {tested.failed} of {tested.calls} calls gave no answer "
            f"({', '.join(tested.failures)}); mend that and run the same command again (pause {tested.pauses} of "
            f"{PAUSES}{'; the next run decides with what fails' if tested.pauses >= PAUSES else ''})."
        )
    if tested.verdict == "PASS":
        return _passed(name, claim, tested, seen_share) + (f" ({note})" if note else "")
    basis = _basis(claim, tested)
    if tested.verdict == "FAIL":
        return (
            f"`{name}` does not suffice: that it {_goal(claim)} was refuted ({_error(claim)}, {used(claim, tested)})."
        )
    return f"`{name}` is unproven: neither that it suffices nor that it does not was shown ({basis})."


def _goal(claim: Stated) -> str:
    if claim.coverage is None:
        return f"reaches the bar of {rate(claim.bar)}"
    answers = f"answers {claim.coverage:.0%} of inputs and " if claim.coverage else ""
    return f"{answers}reaches the bar of {rate(claim.bar)} among those it answers"


def _error(claim: Stated) -> str:
    """Either of the two conditions may be refuted, each at its own error."""
    return f"error {percent(ALPHA_FAIL)}" + (" for each of the two" if claim.coverage else "")


def _passed(name: str, claim: Stated, tested: Tested, seen_share: float | None) -> str:
    bound = tested.bound if tested.bound is not None else claim.bound
    basis = _basis(claim, tested)
    if claim.coverage is None:
        return f"`{name}` suffices: at least {at_least(bound)} of future inputs like these are right ({basis})."
    seen = f" ({seen_share:.0%} of those seen)" if seen_share is not None else ""
    share = tested.share if tested.share is not None else max(claim.coverage - SHARE_TOLERANCE, 0.0)
    return (
        f"`{name}` answers at least {floor_percent(share)} of inputs{seen}, at least {at_least(bound)} of them right "
        f"({basis}); the others go to a person."
    )


def _basis(claim: Stated, tested: Tested) -> str:
    asked = f"bar {rate(claim.bar)}, tolerance {rate(claim.tolerance)}"
    return f"{asked}, error {percent(tested.alpha)}, {used(claim, tested)}"


def used(claim: Stated, tested: Tested) -> str:
    """ "141 of 240 sealed cases", "141 of 240 sealed cases, one per customer"."""
    per = f", one per {claim.per}" if claim.per else ""
    return f"{tested.used} of {claim.n} sealed cases{per}"


def costs(cost: PerCase | None) -> str:
    """ " It costs $1.20 per 1,000 inputs (mean of 141 cases)." after the sentence; "" where no model was called."""
    if cost is None or cost.usd == 0:
        return ""
    of = f"mean of {cost.n:,} cases"
    if cost.usd is None:
        return f" What it costs is unknown: no price is known of some of its model calls ({of})."
    return f" It costs {money(1000 * cost.usd)} per 1,000 inputs ({of})."


def before_test(number: int, alpha: float, total: float, chance: float) -> str:
    """The line that stands before a try is spent."""
    return f"try {number}: uses {rate(alpha)} of {rate(total)}; predicted chance {chance:.0%}"


def confidence(members: Sequence[str], thresholds: Sequence[float | None], sources: Sequence[str | None]) -> str:
    """What the thresholds of a route go by: "confidence: log-probabilities (prompt), vote share (vote)"; "" without."""
    rows = zip(members, thresholds, sources, strict=False)
    said = [f"{source or 'its own'} ({name})" for name, threshold, source in rows if threshold is not None]
    return f"confidence: {', '.join(said)}" if said else ""


def at_least(bound: float) -> str:
    """A lower bound as a rate, rounded down where it must be rounded: what was shown is never overstated."""
    return rate(math.floor(bound * 1e4 + 1e-6) / 1e4)


def percent(value: float) -> str:
    """.025 as "2.5%", .003125 as "0.3125%"."""
    return f"{100 * value:.6g}%"


def floor_percent(value: float) -> str:
    """A share rounded down to a whole per cent: a bound must not be rounded up."""
    return f"{math.floor(100 * value + 1e-9)}%"


def score(value: float) -> str:
    """A dev score."""
    return figure(value)


def when(at: float) -> str:
    """Seconds since 1970 as "2026-03-14 09:26" in local time."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
