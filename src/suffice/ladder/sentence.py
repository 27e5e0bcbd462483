"""The decision in words: one place, so that terminal, page, bundle and gate all say the same."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from suffice.evals.claim import Stated
from suffice.evals.cost import PerCase, between_text, bounded, money
from suffice.evals.report import figure
from suffice.evals.report import rate as rate
from suffice.ladder.rule import PAUSES
from suffice.stats.claim import ALPHA_FAIL, SHARE_TOLERANCE
from suffice.stats.paired import difference

if TYPE_CHECKING:
    from suffice.ladder.decision import Tested


def decided(name: str, claim: Stated, tested: Tested, seen_share: float | None, note: str = "") -> str:
    """The sentence for a candidate that met test. `seen_share` is the share of dev cases it answered."""
    if tested.paused:
        last = "; the next run decides with what fails" if tested.pauses >= PAUSES else ""
        counted = f"pause {tested.pauses} of {PAUSES}{last}" if not tested.barred else f"{tested.barred}; not counted"
        return (
            f"`{name}` is paused, not decided: {tested.failed} of {tested.calls} calls gave no answer "
            f"({', '.join(tested.failures)}); mend that and run the same command again ({counted})."
        )
    if tested.verdict == "PASS":
        return _passed(name, claim, tested, seen_share) + (f" ({note})" if note else "")
    basis = _basis(claim, tested, limit=True)
    if tested.verdict == "FAIL":
        falls = "did not score so" if claim.finite else "does not suffice"
        return f"`{name}` {falls}: that it {_goal(claim)} was refuted ({_error(claim)}, {used(claim, tested)})."
    late = f", and that {_in_time(claim)} was not" if tested.late else ""
    good = "scores so" if claim.finite else "suffices"
    return f"`{name}` is unproven: neither that it {good} nor that it does not was shown{late} ({basis})."


def if_untouched(shown: str) -> str:
    """What is said of a PASS on cases that others could look at, where nobody says that they are untouched."""
    return (
        f"if nobody tuned on these cases or picked by them, it would be shown that {shown.rstrip('.')}. Say so with "
        "--untouched, or decide on fresh cases: suffice climb TASK SOLUTION."
    )


def _goal(claim: Stated) -> str:
    more = f" with 95% of calls within {seconds(claim.p95)}" if claim.p95 is not None else ""
    more += f" on these {claim.n:,} inputs" if claim.finite else ""
    if claim.within is not None:
        return f"scores as well as `{claim.of}`{more}"
    what = "reaches" if not claim.graded else "has a mean score that reaches"
    if claim.coverage is None:
        return f"{what} the bar of {rate(claim.bar)}{more}"
    answers = f"answers {claim.coverage:.0%} of inputs and " if claim.coverage else ""
    return f"{answers}{what} the bar of {rate(claim.bar)} among those it answers{more}"


def _error(claim: Stated) -> str:
    """Each of several conditions may be refuted, at its own error."""
    conditions = 1 + bool(claim.coverage) + (claim.p95 is not None)
    each = {1: "", 2: " for each of the two", 3: " for each of the three"}[conditions]
    return f"error {percent(ALPHA_FAIL)}{each}"


def _passed(name: str, claim: Stated, tested: Tested, seen_share: float | None) -> str:
    bound = tested.bound if tested.bound is not None else claim.bound
    basis = _basis(claim, tested)
    if claim.p95 is not None:
        basis = f"and {_in_time(claim)}, {claim.concurrency} side by side; {basis}"
    if claim.within is not None:
        worse = f"at most {at_most(-difference(bound))} worse than `{claim.of}`"
        return f"`{name}` suffices: on future inputs like these its score is {worse} ({basis})."
    if claim.coverage is None and claim.finite:
        scored = f"a mean of at least {at_least(bound)}" if claim.graded else f"at least {at_least(bound)} right"
        return f"`{name}` scored {scored} on these {claim.n:,} inputs ({basis})."
    if claim.coverage is None and claim.graded:
        return f"`{name}` suffices: its mean score on future inputs like these is at least {at_least(bound)} ({basis})."
    if claim.coverage is None:
        return f"`{name}` suffices: at least {at_least(bound)} of future inputs like these are right ({basis})."
    seen = f" ({seen_share:.0%} of those seen)" if seen_share is not None else ""
    share = tested.share if tested.share is not None else max(claim.coverage - SHARE_TOLERANCE, 0.0)
    least = at_least(bound)
    right = f"their mean score at least {least}" if claim.graded else f"at least {least} of them right"
    inputs = f"these {claim.n:,} inputs" if claim.finite else "inputs"
    return (
        f"`{name}` answers at least {floor_percent(share)} of {inputs}{seen}, {right} ({basis}); the others go to a "
        f"person."
    )


def _in_time(claim: Stated) -> str:
    return f"95% of calls end within {seconds(claim.p95)}"


def _basis(claim: Stated, tested: Tested, *, limit: bool = False) -> str:
    asked = f"bar {rate(claim.bar)}, tolerance {rate(claim.tolerance)}"
    if claim.within is not None:
        asked = f"within {rate(claim.within)} asked"
    if limit and claim.p95 is not None:
        asked += f", 95% of calls within {seconds(claim.p95)}, {claim.concurrency} side by side"
    if limit and claim.coverage:
        asked += f", coverage {claim.coverage:.0%}"
    return f"{asked}, error {percent(tested.alpha)}, {used(claim, tested)}"


def used(claim: Stated, tested: Tested) -> str:
    """ "141 of 240 sealed cases", "141 of 240 sealed customers, counting at most 2 cases of each"."""
    kind = "test" if claim.open else "sealed"
    if claim.most > 1:
        return f"{tested.used} of {claim.n} {kind} {claim.units}, counting at most {claim.most} cases of each"
    per = f", one per {claim.per}" if claim.per else ""
    return f"{tested.used} of {claim.n} {kind} cases{per}"


def costs(cost: PerCase | None) -> str:
    """ " It costs $1.20 per 1,000 inputs ($1.10 to $1.31 at 95%, an estimate; mean of 141 cases)." after the sentence;
    "" where no model was called."""
    if cost is None or cost.usd == 0:
        return ""
    of = f"mean of {cost.n:,} cases"
    if cost.usd is None:
        return f" What it costs is unknown: no price is known of some of its model calls ({of})."
    of = "; ".join([*filter(None, [between_text(cost)]), of])
    return f" It costs {bounded(money(1000 * cost.usd), cost.at_most)} per 1,000 inputs ({of})."


def before_test(number: int, alpha: float, total: float, chance: float | None) -> str:
    """The line that stands before a try is spent; the chance is None where dev shows nothing of the candidate."""
    likely = "unknown" if chance is None else f"{chance:.0%}"
    return f"try {number}: uses {rate(alpha)} of {rate(total)}; predicted chance {likely}"


def confidence(members: Sequence[str], thresholds: Sequence[float | None], sources: Sequence[str | None]) -> str:
    """What the thresholds of a route go by: "confidence: log-probabilities (prompt), vote share (vote)"; "" without."""
    rows = zip(members, thresholds, sources, strict=False)
    said = [f"{source or 'its own'} ({name})" for name, threshold, source in rows if threshold is not None]
    return f"confidence: {', '.join(said)}" if said else ""


def at_least(bound: float) -> str:
    """A lower bound as a rate, rounded down where it must be rounded: what was shown is never overstated."""
    return rate(math.floor(bound * 1e4 + 1e-6) / 1e4)


def at_most(bound: float) -> str:
    """An upper bound, rounded up where it must be rounded."""
    return rate(math.ceil(bound * 1e4 - 1e-6) / 1e4)


def seconds(value: float | None) -> str:
    """ "2 s", "150 ms"."""
    at = value or 0.0
    return f"{at:g} s" if at >= 1 else f"{1000 * at:g} ms"


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
