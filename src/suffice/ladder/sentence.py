"""The decision in words: one place, so that terminal, page, bundle and gate all say the same."""

from __future__ import annotations

import math
import time

from suffice.evals.claim import Stated
from suffice.evals.report import figure
from suffice.ladder.decision import Tested
from suffice.stats.trial import SHARE_TOLERANCE


def decided(name: str, claim: Stated, tested: Tested, seen_share: float | None, note: str = "") -> str:
    """The sentence for a candidate that met test. `seen_share` is the share of dev cases it answered."""
    if tested.paused:
        return (
            f"`{name}` is paused, not decided: {tested.failed} of {tested.calls} calls gave no answer "
            f"({', '.join(tested.failures)}); mend that and run the same command again."
        )
    if tested.verdict == "PASS":
        return _passed(name, claim, tested, seen_share) + (f" ({note})" if note else "")
    basis = _basis(claim, tested)
    if tested.verdict == "FAIL":
        return (
            f"`{name}` does not suffice: that it reaches the bar of {rate(claim.bar)} was refuted "
            f"(error {percent(0.2)}, {used(claim, tested)})."
        )
    return f"`{name}` is unproven: neither that it suffices nor that it does not was shown ({basis})."


def _passed(name: str, claim: Stated, tested: Tested, seen_share: float | None) -> str:
    bound = tested.bound if tested.bound is not None else claim.bound
    basis = _basis(claim, tested)
    if claim.coverage is None:
        return f"`{name}` suffices: at least {rate(bound)} of future inputs like these are right ({basis})."
    seen = f" ({seen_share:.0%} of those seen on dev)" if seen_share is not None else ""
    share = tested.share if tested.share is not None else max(claim.coverage - SHARE_TOLERANCE, 0.0)
    return (
        f"`{name}` answers at least {floor_percent(share)} of inputs{seen}, at least {rate(bound)} of them right "
        f"({basis}); the others go to a person."
    )


def _basis(claim: Stated, tested: Tested) -> str:
    asked = f"bar {rate(claim.bar)}, tolerance {rate(claim.tolerance)}"
    return f"{asked}, error {percent(tested.alpha)}, {used(claim, tested)}"


def used(claim: Stated, tested: Tested) -> str:
    """ "141 of 240 sealed cases", "141 of 240 sealed cases, one per customer"."""
    per = f", one per {claim.per}" if claim.per else ""
    return f"{tested.used} of {claim.n} sealed cases{per}"


def before_test(number: int, alpha: float, total: float, chance: float) -> str:
    """The line that stands before a try is spent."""
    return f"try {number}: uses {rate(alpha)} of {rate(total)}; predicted chance {chance:.0%}"


def rate(value: float) -> str:
    """.9 as ".90", .925 as ".925", 1 as "1.00"."""
    text = f"{value:.4f}".rstrip("0")
    whole, _, decimals = text.partition(".")
    return f"{'' if whole == '0' else whole}.{decimals.ljust(2, '0')}"


def percent(value: float) -> str:
    """.025 as "2.5%"."""
    return f"{100 * value:.3g}%"


def floor_percent(value: float) -> str:
    """A share rounded down to a whole per cent: a bound must not be rounded up."""
    return f"{math.floor(100 * value + 1e-9)}%"


def score(value: float) -> str:
    """A dev score."""
    return figure(value)


def when(at: float) -> str:
    """Seconds since 1970 as "2026-03-14 09:26" in local time."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
