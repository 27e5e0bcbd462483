"""One try: a candidate meets the sealed test. What comes out is a verdict, a count and, for a PASS, a bound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import asdict, replace
from itertools import accumulate
from typing import Any

from suffice.evals.barred import barred_by
from suffice.evals.cost import PerCase, costs_nothing, per_case
from suffice.evals.runner import outcomes
from suffice.evals.seal import hushed
from suffice.ladder.decision import Tested
from suffice.ladder.dev import AHEAD, paused
from suffice.ladder.relative import Reference, Span, paired
from suffice.ladder.rule import PAUSES
from suffice.ladder.state import Climb
from suffice.programs.solution import Solution
from suffice.stats.ledger import alpha_of_try
from suffice.stats.trial import Observed, Trial
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
    After three pauses it is decided with what fails: no answer is not right, and is not counted as wrong either. A
    pause in which no call could be made at all, because the model's endpoint was not there, is not counted.
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
        trial = Trial(c.stated.numbers(began.alpha), free=solution.free)
        done, stopped = await _run(c, k, solution, trial, may_pause=began.pauses < PAUSES)
        details = _details(done, trial, solution)
        if stopped:
            journal.forgive(c.store, c.run)
            barred = _barred(done)
            if not barred:
                ledger.note_pause(c.store, began.id)
            return _paused(began, details, barred)
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
    ends = list(accumulate(len(unit) for unit in c.sealed.units))  # where each unit's cases are through
    jobs = [job]
    if c.reference is not None:
        jobs.append(c.job(await _tested_reference(c, c.reference), sealed=True))

    def window() -> int:
        return _ahead(trial, ends, len(done), most)

    lines = [outcomes(each, c.sealed.cases, window=window, tally=c.tally) for each in jobs]
    pairs: list[Observed] = []
    with hushed():
        async with AsyncExitStack() as stack:  # calls in flight end before anyone may speak again
            for line in lines:
                await stack.enter_async_context(aclosing(line))
            async for outcome in lines[0]:
                against = await anext(lines[1]) if c.reference is not None else None
                done.append(outcome)
                failed += outcome.failure is not None or (against is not None and against.failure is not None)
                pairs.append(_observed(c, outcome, against))
                if len(done) == ends[trial.used]:
                    trial.observe_cluster(pairs[ends[trial.used - 1] if trial.used else 0 :])
                if trial.verdict is None and paused(failed, len(done)) and (may_pause or _barred(done)):
                    return done, True
                if trial.verdict is not None and not trial.free:
                    break
                if len(done) % 10 == 0:
                    c.show(k, state=f"test {trial.used}/{c.stated.n}")
    return done, False


def _barred(done: list[Outcome]) -> str:
    """Why none of the calls made now could be made, without a word of a sealed case; "" where one could."""
    return barred_by([o for o in done if not o.recorded], texts=False)


async def _tested_reference(c: Climb, reference: Reference) -> Solution:
    """The reference as it goes to test: fitted on train and dev, as candidates are."""
    if reference.tested is None:
        cases = (*c.task.train, *c.dev) if reference.rung.learns else c.task.train
        reference.tested = await reference.rung.fit(c.task, cases)
    return reference.tested


def _observed(c: Climb, outcome: Outcome, against: Outcome | None) -> Observed:
    span, limit = _span(c, outcome), c.stated.p95
    fast = None if limit is None or outcome.seconds is None else outcome.seconds <= limit
    answered = outcome.failure is None and not outcome.abstained
    if against is not None:
        return paired(span, _span(c, against), fast)
    return Observed(span.low, span.high, answered, fast)


def _span(c: Climb, outcome: Outcome) -> Span:
    if outcome.score is None:
        return Span(0.0, 1.0)
    score = outcome.score.value if c.task.grader.graded else float(outcome.right)
    return Span(score, score)


def _ahead(trial: Trial, ends: Sequence[int], done: int, most: int) -> int:
    """How many cases may be ahead: up to the end of the first unit that could bring the verdict."""
    units = trial.least_to_verdict(most)
    return ends[trial.used + units - 1] - done if units else 0


def _details(done: list[Outcome], trial: Trial, solution: Solution) -> dict[str, Any]:
    kinds = Counter(o.failure.kind for o in done if o.failure is not None)
    clusters = [o.case.cluster for o in done]
    cost = per_case([o.cost for o in done], free=costs_nothing(solution), clusters=clusters)
    said = {"calls": len(done), "failed": sum(kinds.values()), "failures": dict(kinds), "used": trial.used}
    return said | {"cost": None if cost is None else asdict(cost), "late": trial.late}


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
        late=details.get("late", False),
    )


def _paused(t: ledger.Try, details: dict[str, Any], barred: str) -> Tested:
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
        pauses=t.pauses + (not barred),
        barred=barred,
        cost=_cost(details),
    )
