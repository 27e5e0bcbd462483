"""`plan`: what these cases can show, what it takes to pass, what is left to spend, and what more cases would buy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from suffice.errors import BarError
from suffice.evals.claim import Stated
from suffice.evals.report import rate
from suffice.evals.seal import Sealed
from suffice.stats.ledger import TOTAL, alpha_of_try
from suffice.stats.plan import Power, cases_needed, certifiable, largest_claim, least_right, power
from suffice.stats.trial import SHARE_TOLERANCE, Claim
from suffice.store.ledger import Try

FAIR = 0.2  # the chance to pass below which a try on a spent ledger is refused
MOST_POWER_CASES = 50_000  # beyond, power at the listed rates is 0 or 1 and takes long to say so


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

    `n` counts sealed cases, one per cluster (`per`); `alpha` is what the next try may spend of `total`; `least` is the
    number of right answers among all n that passes; `fresh` is how many fresh sealed cases would give a solution
    halfway between bar and 1 an 80% chance at the first try's alpha (None: more than 100,000).
    """

    bar: float
    tolerance: float
    coverage: float | None
    n: int
    per: str | None
    alpha: float
    total: float
    least: int
    odds: tuple[Odds, ...]
    tries: tuple[Try, ...]
    fresh: int | None
    default: bool  # whether the tolerance is the resolution of this test, not the user's
    note: str | None = None  # on cases that no longer count

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
    claim = Claim(bar, tolerance, answered, sealed.alpha)
    middle = (1 + bar) / 2
    rates = {round(r, 3) for r in (bar - tolerance, bar - tolerance / 2, bar, middle, (1 + middle) / 2)}
    return Plan(
        bar=bar,
        tolerance=tolerance,
        coverage=coverage,
        n=sealed.n,
        per=stated.per,
        alpha=sealed.alpha,
        total=TOTAL,
        least=least_right(claim),
        odds=tuple(_odds(claim, rate) for rate in sorted(rates) if rate < 1),
        tries=tuple(tries),
        fresh=cases_needed(bar, tolerance, middle, alpha_of_try([])),
        default=default,
    )


def refuse_hopeless(bar: float, tolerance: float, sealed: Sealed) -> None:
    """Raise BarError where not even answering every sealed case right would show the claim, with what would do.

    Also where earlier tries have left so little to spend that a solution halfway between bar and 1 would hardly pass.
    """
    claim = Claim(bar, tolerance, sealed.n, sealed.alpha)
    tries = f"{len(sealed.passed)} {'try' if len(sealed.passed) == 1 else 'tries'}"
    if certifiable(claim):
        middle = (1 + bar) / 2
        passes = power(claim, middle).passes if sealed.passed else 1.0
        if passes >= FAIR:
            return
        raise BarError(
            f"after {tries} on these cases the next may spend {rate(sealed.alpha)} of {rate(TOTAL)}: "
            f"even a solution of {rate(middle)} would pass in {passes:.0%}",
            hint=_more(bar, tolerance, sealed),
        )
    best = largest_claim(sealed.n, sealed.alpha).possible
    cases = f"{sealed.n} sealed case{'s' if sealed.n != 1 else ''}" + (f" after {tries}" if sealed.passed else "")
    if best is None or best >= bar:
        raise BarError(f"with {cases} I can show no bar of {rate(bar)}", hint=_more(bar, tolerance, sealed))
    if best < bar / 2:
        raise BarError(f"with {cases} nothing worth saying can be shown", hint=_more(bar, tolerance, sealed))
    slack = math.ceil(round((bar - best) * 1000, 6)) / 1000  # never rounded down: the hint must work
    raise BarError(
        f"with {cases} I can show {rate(bar)} only as at least {rate(best)}",
        hint=f"--tolerance {slack:g} says so, or {_more(bar, tolerance, sealed)}",
    )


def _more(bar: float, tolerance: float, sealed: Sealed) -> str:
    """How many more test cases would give a solution halfway between bar and 1 an 80% chance."""
    needed = cases_needed(bar, tolerance, (1 + bar) / 2, alpha_of_try([]))
    if needed is None:
        return "no number of cases would show it so sharply"
    if sealed.passed:
        return f"add about {needed:,} fresh test cases: they start a ledger of their own"
    return f"add about {needed - sealed.n:,} test cases"


def plan_lines(plan: Plan) -> list[str]:
    """The plan in plain text."""
    per = f", one per {plan.per}" if plan.per else ""
    among = " of the answered inputs" if plan.coverage is not None else " of future inputs like these"
    out = [
        f"claim      at least {rate(plan.bound)}{among} are right (bar {rate(plan.bar)}, tolerance "
        f"{rate(plan.tolerance)}{_resolution(plan)})",
        f"cases      {plan.n:,} sealed{per}",
        *(f"           {plan.note}" for _ in range(plan.note is not None)),
    ]
    if plan.coverage:
        out.append(
            f"coverage   at least {plan.coverage - SHARE_TOLERANCE:.0%} answered must be shown, too "
            f"(asked {plan.coverage:.0%}); the figures below are for {round(plan.n * plan.coverage)} answered cases"
        )
    base = plan.n if not plan.coverage else round(plan.n * plan.coverage)
    if plan.least > base:
        out.append(f"to pass    more than {base} answered cases, even were all of them right")
    else:
        out.append(f"to pass    at least {plan.least} of {base} right, fewer cases where it is clear earlier")
    out += [
        f"ledger     {_ledger(plan)}",
        "chances    true rate   PASS   FAIL   sealed cases used",
        *(f"           {rate(o.rate):>9}   {o.passes:>4.0%}   {o.fails:>4.0%}   {o.cases:>6.0f}" for o in plan.odds),
    ]
    middle = (1 + plan.bar) / 2
    what = f"fresh{' answered' if plan.coverage else ''} cases on their first try"
    if plan.fresh is None:
        out.append(f"more       no number of cases up to 100,000 gives a solution of {rate(middle)} an 80% chance")
    elif plan.fresh > base:
        out.append(f"more       {plan.fresh:,} {what} would give a solution of {rate(middle)} an 80% chance")
    else:
        out.append(f"more       not needed: {plan.fresh:,} {what} give a solution of {rate(middle)} an 80% chance")
    return out


def _resolution(plan: Plan) -> str:
    """What a tolerance that nobody chose is: the resolution, where a solution at the bar passes every second time."""
    if not plan.default:
        return ""
    at_bar = next((o.passes for o in plan.odds if o.rate == round(plan.bar, 3)), 0.0)
    if at_bar >= 0.5:
        return ", the resolution of this test"
    return ", the most that this bar allows" if plan.tolerance >= 1 - plan.bar - 1e-9 else ", the default"


def _ledger(plan: Plan) -> str:
    if not plan.tries:
        return f"no try yet; the first may spend {rate(plan.alpha)} of {rate(plan.total)}"
    passed = sum(t.verdict == "PASS" for t in plan.tries)
    return (
        f"{len(plan.tries)} {'try' if len(plan.tries) == 1 else 'tries'} so far, {passed} passed; "
        f"the next may spend {rate(plan.alpha)} of {rate(plan.total)}; fresh cases start a ledger of their own"
    )


def _odds(claim: Claim, rate: float) -> Odds:
    small = claim if claim.n <= MOST_POWER_CASES else Claim(claim.bar, claim.tolerance, MOST_POWER_CASES, claim.alpha)
    what: Power = power(small, rate)
    return Odds(rate, what.passes, what.fails, what.cases)
