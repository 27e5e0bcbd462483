"""A recorded claim in the words of the page: what was scored, what a PASS shows, what the test counts."""

from __future__ import annotations

from collections.abc import Mapping

from suffice.evals.report import rate
from suffice.ladder.page_text import clipped, number, string
from suffice.ladder.sentence import at_most, floor_percent, seconds
from suffice.stats.paired import difference
from suffice.values import Json

Record = Mapping[str, Json]
Fact = tuple[str, str, str]


def ends_of(claim: Record) -> tuple[float | None, float | None]:
    """What a PASS shows (bar less tolerance), and the bar; None where unknown."""
    bar, slack = number(claim, "bar"), number(claim, "tolerance")
    return (round(bar - slack, 10) if bar is not None and slack is not None else None), bar


def graded(claim: Record) -> bool:
    """Whether it is about a mean score."""
    return claim.get("graded") is True


def reference(claim: Record) -> str:
    """The solution that a relative bar compares with; "" where the bar is none."""
    return clipped(string(claim, "of"), 60) if number(claim, "within") is not None else ""


def scored(claim: Record) -> str:
    """What the score is: "right", "mean score among answered"."""
    if reference(claim):
        return f"against {reference(claim)}"
    among = " among answered" if number(claim, "coverage") is not None else ""
    these = " of these inputs alone" if finite(claim) else ""
    return ("mean score" if graded(claim) else "right") + among + these


def finite(claim: Record) -> bool:
    """Whether it is about the tested inputs alone."""
    return claim.get("kind") == "finite"


def shown(claim: Record, bound: float) -> str:
    """A certified bound: "at least .93 right", "at most .03 worse than big"."""
    if reference(claim):
        return f"at most {at_most(-difference(bound))} worse than {reference(claim)}"
    return f"mean score at least {rate(bound)}" if graded(claim) else f"at least {rate(bound)} right"


def asked(claim: Record) -> list[Fact]:
    """The bar and a time limit, as facts."""
    least, bar = ends_of(claim)
    facts: list[Fact] = []
    within = number(claim, "within")
    if within is not None:
        facts.append(("Within", rate(within), f"of {reference(claim)}, paired case by case"))
    elif bar is not None:
        facts.append(("Bar", rate(bar), scored(claim) + (f"; a PASS shows {rate(least)}" if least is not None else "")))
    p95 = number(claim, "p95")
    if p95 is not None:
        facts.append(("Time", f"95% ≤ {seconds(p95)}", f"{number(claim, 'concurrency') or 0:.0f} side by side"))
    return facts


def proved(claim: Record, bound: float | None, share: float | None) -> list[Fact]:
    """What was certified, as facts."""
    facts: list[Fact] = []
    if bound is not None and reference(claim):
        facts.append(("Shown", f"≤ {at_most(-difference(bound))}", f"worse than {reference(claim)}"))
    elif bound is not None:
        facts.append(("Shown", f"≥ {rate(bound)}", scored(claim)))
    if share is not None:
        facts.append(("Answered", f"≥ {floor_percent(share)}", "of inputs"))
    return facts


def units(claim: Record) -> str:
    """ "sealed cases", "sealed cases, one per customer", "sealed customers, at most 2 cases of each"."""
    per, most = clipped(string(claim, "per"), 40), number(claim, "most")
    if per and most is not None:
        return f"{seal_of(claim)} {per}s, at most {most:.0f} cases of each"
    return f"{seal_of(claim)} cases" + (f", one per {per}" if per else "")


def seal_of(claim: Record) -> str:
    """The word for the cases that decide: "sealed", or "test" where others could look at them."""
    return "test" if claim.get("open") is True else "sealed"
