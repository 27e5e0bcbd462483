"""`plan`: what these cases can show, what it takes to pass, what is left to spend, and what more cases would buy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from suffice.errors import BarError
from suffice.evals.claim import Stated
from suffice.evals.plan_text import plan_lines
from suffice.evals.report import rate
from suffice.evals.seal import Sealed
from suffice.shown import counted
from suffice.stats.betting_plan import equal_chance, smallest_margin
from suffice.stats.claim import SHARE_TOLERANCE, Claim
from suffice.stats.engine import Engine
from suffice.stats.ledger import TOTAL, alpha_of_try
from suffice.stats.plan import (
    ON_TIME,
    Power,
    cases_needed,
    certifiable,
    comfortable,
    largest_claim,
    least_right,
    pairs_needed,
    power,
)
from suffice.store.ledger import Try

DIFFERING = (0.1, 0.2, 0.3)  # shares of cases on which two solutions differ, for the chances of an equal one
FAIR = 0.2  # the chance to pass below which a try on a spent ledger is refused
MOST_POWER_CASES = 50_000  # beyond, power at the listed rates is 0 or 1 and takes long to say so
MOST_SIMULATED = 3_000  # the same where it is simulated


@dataclass(frozen=True, slots=True)
class Odds:
    """What happens to a solution of true rate `rate`: chances of PASS and FAIL, expected sealed cases."""

    rate: float
    passes: float
    fails: float
    cases: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What a climb on this task could show now. `print(plan)` says it in words.

    `n` counts sealed cases, or clusters (`per`); `alpha` is what the next try may spend of `total`; `least` is the
    number of right answers among all n that passes, None where betting decides; `fresh` is how many fresh sealed cases
    would give a solution halfway between bar and 1 an 80% chance at the first try's alpha (None: more than 100,000).
    """

    bar: float
    tolerance: float
    coverage: float | None
    n: int
    per: str | None
    alpha: float
    total: float
    least: int | None
    odds: tuple[Odds, ...]
    tries: tuple[Try, ...]
    fresh: int | None
    default: bool  # whether the tolerance is the resolution of this test, not the user's
    engine: Engine  # which one will speak, and why
    graded: bool = False  # the claim is about the mean score
    most: int = 1  # cases of a cluster that count at most; n counts clusters then
    unit: str = "case"  # what n counts, in the singular
    p95: float | None = None  # seconds
    in_time: int | None = None  # with it, how many of n calls in time it takes; None where betting decides
    likely_in_time: float | None = None  # and the chance to show it where `ON_TIME` of the calls are in time
    within: float | None = None  # a relative bar: at most so much worse than `of`
    of: str | None = None
    equal: tuple[tuple[float, float], ...] = ()  # where it differs on so many cases, the chance of an equal solution
    finite: bool = False  # the claim is about these cases alone
    note: str | None = None  # on cases that no longer count
    likely_share: float | None = None  # with a coverage, the chance to show it where `comfortable` many are answered
    shift: str | None = None  # what thinning clusters did to a score on dev
    calls: tuple[str, ...] = ()  # what rungs ask before dev, in sentences

    @property
    def bound(self) -> float:
        """The rate that a PASS would show."""
        return round(self.bar - self.tolerance, 10)

    def __str__(self) -> str:
        return "\n".join(plan_lines(self))


def plan_of(stated: Stated, sealed: Sealed, tries: Sequence[Try], default: bool) -> Plan:
    """The plan for this claim on these sealed cases; `default` says that nobody chose the tolerance."""
    bar, tolerance, coverage = stated.bar, stated.tolerance, stated.coverage
    answered = sealed.n if not coverage else max(1, round(sealed.n * coverage))
    asked = stated.numbers(sealed.alpha)
    claim, timing = replace(asked, n=answered, coverage=None), asked.timing
    middle, relative = (1 + bar) / 2, stated.within is not None
    sharing = asked.sharing
    shares = None if sharing is None else power(sharing, comfortable(sharing.bar))
    below = bar - (middle - bar) if stated.finite else bar - tolerance
    rates = {round(r, 3) for r in (below, bar - tolerance / 2, bar, middle, (1 + middle) / 2)}
    equal = [(d, equal_chance(stated.within or 0.0, sealed.n, sealed.alpha, d)) for d in DIFFERING]
    return Plan(
        bar=bar,
        tolerance=tolerance,
        coverage=coverage,
        n=sealed.n,
        per=stated.per,
        alpha=sealed.alpha,
        total=TOTAL,
        least=least_right(claim) if claim.exact else None,
        odds=() if relative else tuple(_odds(claim, rate, shares) for rate in sorted(rates) if rate < 1),
        tries=tuple(tries),
        fresh=None if relative or stated.finite else _fresh(claim),
        default=default,
        engine=claim.engine,
        graded=stated.graded,
        most=stated.most,
        unit=stated.unit,
        p95=stated.p95,
        in_time=least_right(timing) if timing is not None and timing.exact else None,
        likely_share=None if shares is None else shares.passes,
        likely_in_time=None if timing is None else power(timing, ON_TIME).passes,
        within=stated.within,
        of=stated.of,
        equal=tuple(equal) if relative else (),
        finite=stated.finite,
    )


def refuse_hopeless(stated: Stated, sealed: Sealed) -> None:
    """Raise BarError where not even answering every sealed case right would show the claim, with what would do.

    Also where earlier tries have left so little to spend that a solution halfway between bar and 1 would hardly pass.
    """
    if stated.within is not None:
        return _refuse_unlikely(stated, sealed)
    claim, bar = replace(stated.numbers(sealed.alpha), coverage=None), stated.bar
    _refuse_slow(stated, sealed)
    _refuse_wide(stated, sealed)
    tries = f"{len(sealed.passed)} {'try' if len(sealed.passed) == 1 else 'tries'}"
    if certifiable(claim):
        middle = (1 + bar) / 2
        passes = power(claim, middle).passes if sealed.passed else 1.0
        if passes >= FAIR:
            return
        raise BarError(
            f"after {tries} on these cases the next may spend {rate(sealed.alpha)} of {rate(TOTAL)}: "
            f"even a solution of {rate(middle)} would pass in {passes:.0%}",
            hint=_more(claim, sealed),
        )
    best = largest_claim(sealed.n, sealed.alpha, exact=claim.exact).possible
    cases = counted(sealed.n, f"sealed {stated.unit}") + (f" after {tries}" if sealed.passed else "")
    if best is None or best >= bar:
        raise BarError(f"with {cases} I can show no bar of {rate(bar)}", hint=_more(claim, sealed))
    if best < bar / 2:
        raise BarError(f"with {cases} nothing worth saying can be shown", hint=_more(claim, sealed))
    slack = math.ceil(round((bar - best) * 1000, 6)) / 1000  # never rounded down: the hint must work
    raise BarError(
        f"with {cases} I can show {rate(bar)} only as at least {rate(best)}",
        hint=f"--tolerance {slack:g} says so, or {_more(claim, sealed)}",
    )


def _refuse_unlikely(stated: Stated, sealed: Sealed) -> None:
    within = stated.within or 0.0
    chance = equal_chance(within, sealed.n, sealed.alpha, DIFFERING[1])
    if chance >= FAIR:
        return
    smallest = smallest_margin(sealed.n, sealed.alpha, DIFFERING[1], FAIR)
    said = [] if smallest is None else [f"--within {smallest:g} is the smallest that these resolve"]
    needed = pairs_needed(within, alpha_of_try([]), DIFFERING[1], FAIR)
    said += [_add(needed, sealed)] if needed is not None else []
    raise BarError(
        f"with {counted(sealed.n, f'sealed {stated.unit}')} a solution as good as {stated.of} would be shown to be "
        f"within {rate(within)} of it in {chance:.0%}, where they differ on {DIFFERING[1]:.0%} of the cases",
        hint=", or ".join(said) or "a larger --within",
    )


def _refuse_slow(stated: Stated, sealed: Sealed) -> None:
    timing = stated.numbers(sealed.alpha).timing
    if timing is not None and not certifiable(timing):
        raise BarError(
            f"with {sealed.n} sealed {stated.units} no p95 can be shown at an error of {rate(sealed.alpha)}, not even "
            f"were every call in time",
            hint=f"add {stated.units}, or leave --p95 out",
        )


def _refuse_wide(stated: Stated, sealed: Sealed) -> None:
    """Raise BarError for a coverage that these cases cannot show, not even were every one of them answered."""
    sharing = stated.numbers(sealed.alpha).sharing
    if sharing is None or certifiable(sharing):
        return
    best = largest_claim(sealed.n, sealed.alpha, exact=sharing.exact).possible or 0.0
    said = f"--coverage {best + SHARE_TOLERANCE:g} is the most that they show, " if best else ""
    needed = cases_needed(sharing.bar, sharing.tolerance, comfortable(sharing.bar), alpha_of_try([]))
    more = "" if needed is None else f", or {_add(needed, sealed)}"
    raise BarError(
        f"with {counted(sealed.n, f'sealed {stated.unit}')} no coverage of {rate(sharing.bar)} can be shown (at least "
        f"{rate(sharing.bound)} answered), not even were every one answered",
        hint=f"{said}leave --coverage out where every input must be answered{more}",
    )


def _more(claim: Claim, sealed: Sealed) -> str:
    """How many more test cases would give a solution halfway between bar and 1 an 80% chance."""
    needed = _fresh(claim)
    return "no number of cases would show it so sharply" if needed is None else _add(needed, sealed)


def _fresh(claim: Claim) -> int | None:
    """How many fresh cases would give a solution halfway between bar and 1 an 80% chance."""
    middle = (1 + claim.bar) / 2
    return cases_needed(claim.bar, claim.tolerance, middle, alpha_of_try([]), exact=claim.exact, fast=claim.fast)


def _add(needed: int, sealed: Sealed) -> str:
    if sealed.passed:
        return f"add about {needed:,} fresh test cases: they start a ledger of their own"
    return f"add about {needed - sealed.n:,} test cases"


def _odds(claim: Claim, rate: float, shares: Power | None) -> Odds:
    """At this rate among the answered, and with the share answered that `shares` is about, where one is demanded."""
    most = MOST_POWER_CASES if claim.exact else MOST_SIMULATED
    small = claim if claim.n <= most else replace(claim, n=most)
    what: Power = power(small, rate)
    if shares is None:
        return Odds(rate, what.passes, what.fails, what.cases)
    fails = what.fails + shares.fails - what.fails * shares.fails
    return Odds(rate, what.passes * shares.passes, fails, what.cases)
