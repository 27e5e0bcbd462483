"""A plan in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suffice.evals.report import rate
from suffice.stats.claim import SHARE_TOLERANCE
from suffice.stats.plan import ON_TIME, comfortable

if TYPE_CHECKING:
    from suffice.evals.plan import Plan


def plan_lines(plan: Plan) -> list[str]:
    """The plan in plain text."""
    out = [
        f"claim      {_claimed(plan)}",
        f"cases      {_cases(plan)}",
        *(f"           {note}" for note in (plan.note, plan.shift) if note is not None),
        *(f"engine     {plan.engine.name}: {plan.engine.reason}" for _ in range(plan.engine.name == "betting")),
    ]
    if plan.p95 is not None:
        out.append(f"time       {_timed(plan)}")
    if plan.coverage:
        out.append(f"coverage   {_answered(plan, plan.coverage)}")
    ledger = f"ledger     {_ledger(plan)}"
    calls = [f"calls      {line}" for line in plan.calls]
    if plan.within is not None:
        return [*out, ledger, *_equal(plan), *calls]
    return [*out, _to_pass(plan), ledger, *_chances(plan), _more(plan), *calls]


def _claimed(plan: Plan) -> str:
    if plan.finite:
        those = f"the answered of these {plan.n:,}" if plan.coverage is not None else f"these {plan.n:,}"
        asked = f"(bar {rate(plan.bar)}, tolerance {rate(plan.tolerance)})"
        what = f"the mean score of {those} sealed inputs is at least {rate(plan.bound)}"
        what = what if plan.graded else f"at least {rate(plan.bound)} of {those} sealed inputs are right"
        return f"{what}, and of no others {asked}"
    inputs = "the answered inputs" if plan.coverage is not None else "future inputs like these"
    if plan.within is not None:
        return f"on {inputs} the score is at most {rate(plan.within)} below that of {plan.of}, paired case by case"
    asked = f"(bar {rate(plan.bar)}, tolerance {rate(plan.tolerance)}{_resolution(plan)})"
    if plan.graded:
        return f"the mean score of {inputs} is at least {rate(plan.bound)} {asked}"
    return f"at least {rate(plan.bound)} of {inputs} are right {asked}"


def _timed(plan: Plan) -> str:
    at_least = "" if plan.in_time is None else f"at least {plan.in_time} of {plan.n} in time; "
    return (
        f"95% of the calls within {plan.p95:g} s must be shown, too: {at_least}where {ON_TIME:.0%} are, that is shown "
        f"in {plan.likely_in_time or 0:.0%}; the chances below are those of the answers alone"
    )


def _answered(plan: Plan, coverage: float) -> str:
    of = f"the figures below are for {round(plan.n * coverage)} answered {plan.unit}s"
    said = f"at least {coverage - SHARE_TOLERANCE:.0%} answered must be shown, too (asked {coverage:.0%}); {of}"
    if plan.likely_share is None:
        return said
    many = f"{comfortable(coverage):.1%}".replace(".0%", "%")
    return f"{said}, and the chances where {many} are answered, which shows it in {plan.likely_share:.0%}"


def _to_pass(plan: Plan) -> str:
    base = _base(plan)
    if plan.least is None:
        return "to pass    a mean clearly above the claim; how many cases that takes depends on how much scores vary"
    if plan.least > base:
        return f"to pass    more than {base} answered cases, even were all of them right"
    return f"to pass    at least {plan.least} of {base} right, fewer cases where it is clear earlier"


def _chances(plan: Plan) -> list[str]:
    return [
        f"chances    true rate   PASS   FAIL   sealed {plan.unit}s used",
        *(f"           {rate(o.rate):>9}   {o.passes:>4.0%}   {o.fails:>4.0%}   {o.cases:>6.0f}" for o in plan.odds),
    ]


def _equal(plan: Plan) -> list[str]:
    return [
        f"chances    of a solution exactly as good as {plan.of}",
        *(f"           where they differ on {differing:.0%} of the cases: {c:.0%}" for differing, c in plan.equal),
    ]


def _more(plan: Plan) -> str:
    if plan.finite:
        return "more       not needed: these inputs are all there is, and the last of them settles it"
    middle = (1 + plan.bar) / 2
    what = f"fresh{' answered' if plan.coverage else ''} {plan.unit}s on their first try"
    whom = f"a solution of {rate(middle)}" + (
        f" with {ON_TIME:.0%} of its calls in time" if plan.p95 is not None else ""
    )
    if plan.fresh is None:
        return f"more       no number of cases up to 100,000 gives {whom} an 80% chance"
    if plan.fresh > _base(plan):
        return f"more       {plan.fresh:,} {what} would give {whom} an 80% chance"
    return f"more       not needed: {plan.fresh:,} {what} give {whom} an 80% chance"


def _base(plan: Plan) -> int:
    """How many cases the figures are for."""
    return plan.n if not plan.coverage else round(plan.n * plan.coverage)


def _cases(plan: Plan) -> str:
    if plan.most > 1:
        return f"{plan.n:,} sealed {plan.unit}s, counting at most {plan.most} cases of each"
    return f"{plan.n:,} sealed" + (f", one per {plan.per}" if plan.per else "")


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
