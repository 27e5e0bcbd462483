"""One try: a candidate meets the sealed test. What comes out is a verdict, a count and, for a PASS, a bound."""

from __future__ import annotations

from collections import Counter
from contextlib import aclosing
from dataclasses import asdict, replace
from typing import Any

from suffice.evals.cost import PerCase, costs_nothing, per_case
from suffice.evals.runner import outcomes
from suffice.evals.seal import hushed
from suffice.ladder.decision import Tested
from suffice.ladder.dev import AHEAD, paused
from suffice.ladder.rule import PAUSES
from suffice.ladder.state import Climb
from suffice.programs.solution import Solution
from suffice.stats.ledger import alpha_of_try
from suffice.stats.trial import Claim, Trial
from suffice.store import journal, ledger
from suffice.store.lease import lease
from suffice.values import Outcome


async def candidate_solution(c: Climb, k: int) -> Solution:
    """The candidate that ends in rung `k`, as it goes to test."""
    if k not in c.solutions:
        c.solutions[k] = await c.candidates[k].refitted(c.task, c.dev)
    return c.solutions[k]


def known_try(c: Climb, solution: Solution) -> ledger.Try | None:
    """The try that this candidate has had, or has begun, with this claim on these cases."""
    return ledger.known_try(c.store, c.sealed.block, solution.identity, c.stated.to_json())


async def run_try(c: Climb, k: int) -> Tested:
    """Spend one try on the candidate of rung `k`, or look its verdict up. Only right or wrong leaves a sealed case.

    A pause (too many failed calls) leaves the try open: the same command goes on with it, and asks again what failed.
    After three pauses it is decided with what fails: no answer is not right, and is not counted as wrong either.
    Raises StoreBusy when another process runs the same try.
    """
    solution = await candidate_solution(c, k)
    name = f"the try of {c.candidates[k].name} ({solution.identity[:8]}) on sealed cases {c.sealed.block.order_seed:x}"
    with lease(c.store, name):
        began = ledger.begin_try(
            c.store, c.sealed.block, solution.identity, c.stated.to_json(), alpha_of_try, run=c.run
        )
        c.sealed = replace(c.sealed, block=replace(c.sealed.block, id=began.block))
        if began.verdict is not None:
            return _tested(began, known=True)
        s = c.stated
        trial = Trial(Claim(s.bar, s.tolerance, s.n, began.alpha, s.coverage), free=solution.free)
        done, stopped = await _run(c, k, solution, trial, may_pause=began.pauses < PAUSES)
        details = _details(done, trial, solution)
        if stopped:
            journal.forgive(c.store, c.run)
            ledger.note_pause(c.store, began.id)
            return _paused(began, details)
        certified = trial.certified() if trial.verdict == "PASS" else None
        details["share"] = certified.share if certified is not None else None
        bound = certified.rate if certified is not None else None
        ended = ledger.finish_try(c.store, began.id, trial.conclude(), trial.used, bound, details)
    return _tested(ended, known=False)


async def _run(c: Climb, k: int, solution: Solution, trial: Trial, *, may_pause: bool) -> tuple[list[Outcome], bool]:
    """The outcomes in order, and whether the trial was stopped by too many failures."""
    done: list[Outcome] = []
    failed = 0
    job = c.job(solution, sealed=True)
    most = max(AHEAD, 2 * job.concurrency)
    line = outcomes(job, c.sealed.cases, window=lambda: trial.least_to_verdict(most), tally=c.tally)
    with hushed():
        async with aclosing(line):  # calls in flight end before anyone may speak again
            async for outcome in line:
                done.append(outcome)
                lost = outcome.failure is not None
                failed += lost
                trial.observe(outcome.right, outcome.right or lost, answered=not outcome.abstained and not lost)
                if trial.verdict is None and may_pause and paused(failed, len(done)):
                    return done, True
                if trial.verdict is not None and not trial.free:
                    break
                if len(done) % 10 == 0:
                    c.show(k, state=f"test {len(done)}/{c.stated.n}")
    return done, False


def _details(done: list[Outcome], trial: Trial, solution: Solution) -> dict[str, Any]:
    kinds = Counter(o.failure.kind for o in done if o.failure is not None)
    cost = per_case([o.cost for o in done], free=costs_nothing(solution))
    said = {"calls": len(done), "failed": sum(kinds.values()), "failures": dict(kinds), "used": trial.used}
    return said | {"cost": None if cost is None else asdict(cost)}


def _cost(details: dict[str, Any]) -> PerCase | None:
    return PerCase(**details["cost"]) if details.get("cost") else None


def _tested(t: ledger.Try, known: bool) -> Tested:
    assert t.verdict is not None
    details: dict[str, Any] = t.details or {}
    return Tested(
        number=t.number,
        alpha=t.alpha,
        verdict=t.verdict,
        used=t.used or 0,
        calls=details.get("calls", 0),
        failed=details.get("failed", 0),
        failures=tuple(details.get("failures", {})),
        bound=t.bound,
        share=details.get("share"),
        at=t.finished or t.started,
        known=known,
        cost=_cost(details),
    )


def _paused(t: ledger.Try, details: dict[str, Any]) -> Tested:
    return Tested(
        number=t.number,
        alpha=t.alpha,
        verdict="UNPROVEN",
        used=details["used"],
        calls=details["calls"],
        failed=details["failed"],
        failures=tuple(details["failures"]),
        bound=None,
        share=None,
        at=t.started,
        known=False,
        paused=True,
        pauses=t.pauses + 1,
        cost=_cost(details),
    )
