"""Whether a budget pays for a candidate: asked before a try begins, because a try is spent by beginning it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from suffice.errors import BudgetError
from suffice.evals.cost import PerCase, money, per_case
from suffice.evals.runner import first_unrecorded
from suffice.evals.seal import hushed
from suffice.ladder.state import Climb
from suffice.models.belonging import Belonging, belonging
from suffice.models.concerns.budget import Budget, Reservation
from suffice.programs.solution import Solution, attempt
from suffice.store.calls import CallJournal
from suffice.values import Case, Outcome

ASKING = frozenset({"step", "examples", "vote"})
"""Kinds of solutions that do nothing before their first model call, so that they can be led up to it and stopped."""


async def refuse_unpayable(c: Climb, k: int, solution: Solution) -> None:
    """Raise BudgetError where what is left of the budget does not pay one call of the candidate of rung `k`.

    What a user's function asks is known only when it runs, and is not looked at. Raises what every call would raise:
    PriceUnknown, NoKey, PolicyError.
    """
    budget = c.options.get("budget")
    first = None if budget is None else first_unrecorded(c.job(solution, sealed=True), c.sealed.cases)
    if budget is None or first is None:
        return
    for asking in _asking(solution):
        with hushed():
            wanted = await _reservation(c, asking, first)
        try:
            if wanted is not None:
                budget.check(wanted)
        except BudgetError as error:
            about = _about(c.candidates[k].cost, len(c.sealed.cases))
            more = f"; by dev, all {len(c.sealed.cases)} sealed cases cost {about}" if about else ""
            raise _told(error, " for the sealed test; no try was begun", more) from None


def told_so_far(error: BudgetError, done: Sequence[Outcome], cases: int) -> BudgetError:
    """A refusal on dev, with what all its cases cost by those that are done."""
    about = _about(per_case([o.cost for o in done if not o.failure]), cases)
    return _told(error, "", f"; by those so far, the {cases} dev cases cost {about}" if about else "")


async def _reservation(c: Climb, asking: Solution, case: Case) -> Reservation | None:
    """What the first model call made for a sealed case would hold back; None where it makes none. Sends nothing."""
    calls = CallJournal(c.store, None)
    try:
        with belonging(Belonging(calls, cache=False, sealed=True, budget=Budget(calls=0))):
            await attempt(asking, case.inputs, c.options.get("timeout", 120.0))
    except BudgetError as error:
        return cast("Reservation", error.wanted)
    finally:
        calls.close()
    return None


def _asking(solution: Solution) -> Iterator[Solution]:
    """The members of a route that ask a model and do nothing else, itself where it is none."""
    for leg in solution.members:
        yield from _asking(leg.solution)
    if solution.form is not None and solution.form.kind in ASKING:
        yield solution


def _about(cost: PerCase | None, cases: int) -> str:
    return f"about {money(cases * cost.usd)}" if cost is not None and cost.usd else ""


def _told(error: BudgetError, message: str, hint: str) -> BudgetError:
    hint = f"{error.hint}{hint}"
    return BudgetError(error.message + message, hint=hint, budget=error.budget, wanted=error.wanted)
