"""Dev: where rungs are tried at no cost in error, cheaply, and given up or sent on early."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from itertools import takewhile

import numpy as np

from suffice.errors import BudgetError, UsageError
from suffice.evals.barred import barred_by
from suffice.evals.fitted import unfitted
from suffice.evals.grading import all_scored
from suffice.evals.report import by_cluster, figure
from suffice.evals.runner import Job, outcomes
from suffice.evals.split import NAME_THEM
from suffice.evals.units import flat, in_units
from suffice.ladder.barred import not_tried
from suffice.ladder.chosen import chosen
from suffice.ladder.evidence import OUT, Bools, Evidence, Fit, could_lead, evidence_of, fit_route, measured
from suffice.ladder.payable import told_so_far
from suffice.ladder.rule import DevEnd, Judgement, judge_dev, least_to_judgement
from suffice.ladder.rung import Rung
from suffice.ladder.state import Candidate, Climb, DevRun
from suffice.programs.solution import Solution, check_inputs
from suffice.stats.claim import Claim
from suffice.stats.intervals import mean_interval, wilson
from suffice.stats.predict import NOTHING, chances
from suffice.store import journal
from suffice.values import Case, Outcome

ORDER = 0  # the seed of the order of dev cases: one for every rung, so that they meet the same cases first
AHEAD = 64  # how far to look ahead for the end of dev, at least


async def run_dev(c: Climb, k: int) -> DevEnd:
    """Run rung `k` over dev until it is dropped, sent to test or at the end; notes the candidate that ends in it."""
    rung, lost = await chosen(c, k)
    judgement: Judgement | None = None
    if k in c.shown and not c.options.get("fresh"):
        return await _looked_up(c, k, rung)
    if rung.out_of_fold is not None:
        run = DevRun(rung, None, await _out_of_fold(c, rung), len(c.task.train) + len(c.dev), free=True)
    else:
        run, judgement = await _called(c, k, rung)
        if reason := barred_by(run.evidence.outcomes):
            return not_tried(c, k, reason)
    run = replace(run, lost=lost)
    if judgement in ("test", "keep"):
        await _catch_up(c, k, run)
    front = [r for r in _easier(c, k) if r.solution is None or len(r.evidence) >= len(run.evidence)]
    candidate = c.candidates[k] = _candidate(c, front, run)
    fit = candidate.fit
    judgement = judgement or judge_dev(fit.chance, len(run.evidence), len(run.evidence), c.rule)
    _show(c, k, candidate, judgement)
    if k in c.shown and contradicted(c, k):
        judgement = "drop"
    if judgement == "go on":
        journal.forgive(c.store, c.run)  # so that the same climb asks again once it is mended
        return DevEnd("drop", fit.chance)
    c.runs[k] = run
    return DevEnd(judgement, fit.chance)


def _unfitted(c: Climb, k: int, solution: Solution) -> tuple[Case, ...]:
    """The dev cases that count and that `solution`, made by rung `k`, was not fitted on; says how many are left out."""
    every, shown = _counted(c, c.dev), unfitted(c.task, solution.learned, c.dev)
    if len(shown) == len(c.dev):
        return every
    left = _counted(c, shown)
    lost = len(every) - len(left)
    of = f"{lost} of {len(every)} dev cases{by_cluster(c.task.cluster_name)}"
    note = f"it was fitted on {of}, which show nothing of it"
    line = f"{c.rungs[k].name}: {note}" if left else None  # where none is left, its row says so
    c.show(k, line, dev_fitted=lost, note=note)
    return left


async def run_reference(c: Climb) -> None:
    """Let the reference of a relative bar answer the dev cases, once: what every rung is paired with."""
    reference = c.reference
    if reference is None:
        return
    solution = await reference.rung.fit(c.task, c.task.train)
    reference.tested = None if reference.rung.learns else solution
    check_inputs(solution, c.task.columns.inputs)
    cases = _counted(c, unfitted(c.task, solution.learned, c.dev))
    c.look()
    done = [o async for o in outcomes(c.job(solution), cases, tally=c.tally)]
    reference.dev |= {o.case.id: o.score.value for o in done if o.score is not None}
    if paused(len(done) - len(reference.dev), len(done)) or not reference.dev:
        first = next((o.failure.message for o in done if o.failure is not None), "there is no dev case for it")
        raise UsageError(f"{reference.name}, which others are compared with, gave no answer: {first}", hint="mend it")
    mean = sum(reference.dev.values()) / len(reference.dev)
    c.show(line=f"{reference.name}, the reference: {figure(mean)} on {len(reference.dev)} dev cases")


def _evidence(c: Climb, outcomes: Sequence[Outcome]) -> Evidence:
    return evidence_of(outcomes, None if c.reference is None else c.reference.dev, c.stated.p95)


async def _looked_up(c: Climb, k: int, rung: Rung) -> DevEnd:
    """For a rung whose PASS need only be looked up: what is recorded of it on dev, without a call."""
    solution = await rung.fit(c.task, c.task.train)
    cases = _unfitted(c, k, solution)
    known = journal.lookup(c.store, solution.identity, [case.inputs_hash for case in cases])
    recorded = list(takewhile(lambda case: case.inputs_hash in known, cases))
    c.look()
    done = [o async for o in outcomes(c.job(solution), recorded)]
    run = DevRun(rung, solution, _evidence(c, done), len(cases), solution.free)
    candidate = c.candidates[k] = Candidate((run,), measured([run.evidence], [None], c.claim()))
    _show(c, k, candidate, "test")
    return DevEnd("drop" if contradicted(c, k) else "test", candidate.fit.chance)


def contradicted(c: Climb, k: int) -> bool:
    """Whether dev now speaks against a PASS that rung `k` once got: even its interval's upper end is below the claim.

    The same source may answer otherwise today, because a file or a service that it uses has changed. Says so.
    """
    between = c.rows[k].interval
    if between is None or between[1] >= c.stated.bound:
        return False
    c.show(k, state="changed", note="it passed before, and dev now contradicts that: what it reads or calls changed")
    return True


def paused(failed: int, calls: int) -> bool:
    """Whether so many calls failed that the rung must pause instead of being decided: above 5%, at least 3."""
    return failed >= 3 and failed > 0.05 * calls


def _easier(c: Climb, k: int) -> list[DevRun]:
    """The easier rungs that can hand on, easiest first."""
    return [c.runs[j] for j in range(k) if j in c.runs and c.runs[j].evidence.hands_on]


def _candidate(c: Climb, front: Sequence[DevRun], last: DevRun) -> Candidate:
    """The route that ends in `last`, with those of `front` that help; what the others have not seen still counts."""
    while True:
        members = [*front, last]
        fit = fit_route([m.evidence for m in members], c.claim(), as_is=last.rung.as_is)
        if OUT not in fit.thresholds:
            return Candidate(tuple(members), fit)
        front = [m for m, t in zip(members, fit.thresholds, strict=True) if t != OUT][:-1]


async def _out_of_fold(c: Climb, rung: Rung) -> Evidence:
    """What a rung that learns answers on train and dev, each case by a fit that has not seen it or its cluster."""
    assert rung.out_of_fold is not None
    cases = (*c.task.train, *c.dev)
    c.look()
    answers = await rung.out_of_fold(c.task, cases)
    scores = await all_scored(c.task.grader, list(zip(answers, cases, strict=True)))
    done = {case.id: Outcome(case, a, score, None, None) for case, a, score in zip(cases, answers, scores, strict=True)}
    return _evidence(c, [done[case.id] for case in _counted(c, cases)])


async def _called(c: Climb, k: int, rung: Rung) -> tuple[DevRun, Judgement | None]:
    solution = await rung.fit(c.task, c.task.train)
    check_inputs(solution, c.task.columns.inputs)
    if not c.dev:
        raise UsageError(f"{c.task.name} has no dev cases to look at", hint=NAME_THEM)
    cases = _unfitted(c, k, solution)
    job = c.job(solution)
    c.look()
    if not cases:
        return DevRun(rung, solution, evidence_of([]), 0, solution.free), None
    if solution.free:
        done = [o async for o in outcomes(job, cases)]
        return DevRun(rung, solution, _evidence(c, done), len(cases), free=True), None
    return await _judged(c, k, rung, job, cases)


async def _judged(c: Climb, k: int, rung: Rung, job: Job, cases: Sequence[Case]) -> tuple[DevRun, Judgement]:
    """Call case by case and stop as soon as the rule says; never more calls ahead than could still matter."""
    claim, front = c.claim(), [r for r in _easier(c, k) if r.whole and r.total >= len(cases)]
    run = DevRun(rung, job.solution, evidence_of([]), len(cases), free=False)
    done: list[Outcome] = []
    judgement: Judgement = "go on"
    fit: Fit | None = None

    def window() -> int:
        return _ahead(fit, len(done), len(cases), claim, c)

    try:
        async with aclosing(outcomes(job, cases, window=window, tally=c.tally)) as line:
            async for outcome in line:
                done.append(outcome)
                seen, failed = len(done), sum(o.failure is not None for o in done)
                c.show(k, dev_seen=seen, dev_total=len(cases), dev_right=sum(o.right for o in done), dev_failed=failed)
                if paused(failed, seen):
                    judgement = "go on"
                    break
                if seen < len(cases) and (seen < c.rule.drop_from or (seen > 200 and seen % (seen // 100))):
                    continue  # beyond 200 cases a look at every hundredth is enough
                fit = _candidate(c, front, replace(run, evidence=_evidence(c, done))).fit
                judgement = judge_dev(fit.chance, seen, len(cases), c.rule)
                if judgement != "go on":
                    break
    except BudgetError as error:
        raise told_so_far(error, done, len(cases)) from None
    return replace(run, evidence=_evidence(c, done)), judgement


async def _catch_up(c: Climb, k: int, run: DevRun) -> None:
    """Let easier rungs that were given up early answer the cases that this one has seen, if they may stand in front.

    A rung that is hopeless alone may be sure, and right, of half the cases. That is worth a few calls of an easier
    rung once a harder one is promising.
    """
    for j in range(k):
        easier = c.runs.get(j)
        if easier is None or easier.solution is None or len(easier.evidence) >= len(run.evidence):
            continue
        if not could_lead(easier.evidence, c.claim()):
            continue
        cases = unfitted(c.task, easier.solution.learned, [o.case for o in run.evidence.outcomes])
        if len(easier.evidence) >= len(cases):
            continue
        done = [o async for o in outcomes(c.job(easier.solution), cases, tally=c.tally)]
        if paused(sum(o.failure is not None for o in done), len(done)):
            continue
        c.runs[j] = replace(easier, evidence=_evidence(c, done))
        if not easier.free:
            c.show(j, calls=c.rows[j].calls + len(done) - len(easier.evidence))


def _ahead(fit: Fit | None, seen: int, total: int, claim: Claim, c: Climb) -> int:
    """How many cases may be ahead of the last one looked at."""
    if seen < c.rule.drop_from:
        return min(c.rule.drop_from, total) - seen
    shown = fit.showing if fit is not None else NOTHING
    behind = seen - (fit.seen if fit is not None else 0)  # cases since the last look

    def best(further: int) -> float:
        return chances(shown.further(further + behind, good=True), claim).together

    def worst(further: int) -> float:
        return chances(shown.further(further + behind, good=False), claim).together

    most = max(AHEAD, 2 * c.options.get("concurrency", 8))
    return max(1, least_to_judgement(best, worst, seen, total, c.rule, most))


def _show(c: Climb, k: int, candidate: Candidate, judgement: Judgement) -> None:
    run, fit = candidate.members[-1], candidate.fit
    failed = int(run.evidence.failed.sum())
    kept = "kept" if fit.seen else "not tried"
    state = {"drop": "dropped", "keep": kept, "test": "to test", "go on": "paused"}[judgement]
    note = c.rows[k].note
    if judgement == "go on":
        first = next(o.failure for o in run.evidence.outcomes if o.failure is not None)
        note = f"{failed} of {len(run.evidence)} calls gave no answer, the first: {first.kind}: {first.message}"
    c.show(
        k,
        candidate=candidate.name,
        state=state,
        dev_right=int(fit.right.sum()),
        dev_answered=int(fit.answered.sum()),
        dev_mean=_mean(c, fit),
        against="" if c.reference is None else c.reference.name,
        dev_seen=fit.seen,
        dev_failed=failed,
        dev_total=run.total if run.solution is not None else fit.seen,
        out_of_fold=run.solution is None,
        interval=_interval(c, fit),
        chance=fit.chance if fit.seen else None,
        thresholds=tuple(t for _, t in candidate.kept),
        members=tuple(m.rung.name for m, _ in candidate.kept),
        confidence_from=tuple(m.confidence_from for m, _ in candidate.kept),
        handled=fit.handled,
        calls=run.calls,
        saved=0 if run.free else run.total - len(run.evidence),
        cost=candidate.cost,
        note=note,
    )


def _mean(c: Climb, fit: Fit) -> float | None:
    """The mean score, where the claim is about one."""
    of = _asked(c, fit)
    return float(fit.score[of].mean()) if c.stated.graded and of.any() else None


def _asked(c: Climb, fit: Fit) -> Bools:
    """The cases that its score is about: those answered, with coverage."""
    return fit.answered if c.stated.coverage is not None else np.ones(fit.seen, dtype=np.bool_)


def _interval(c: Climb, fit: Fit) -> tuple[float, float] | None:
    """95%, of the share right or the mean score, among answered cases with coverage."""
    of = _asked(c, fit)
    if not of.any():
        return None
    if not c.stated.graded and c.stated.most == 1:
        found = wilson(int(fit.right.sum()), int(of.sum()))
        return found.low, found.high
    try:
        found = mean_interval(fit.score[of].tolist(), clusters=fit.unit[of].tolist())
    except ValueError:  # too few cases or clusters to say
        return None
    return found.low, found.high


def _counted(c: Climb, cases: Sequence[Case]) -> tuple[Case, ...]:
    """Those of the cases that count: all, or so many of each cluster, in the order of every rung; with a relative bar
    those that the reference has answered."""
    counted = flat(in_units(cases, ORDER, c.stated.most, alone=c.stated.finite))
    compared = c.reference.dev if c.reference is not None else None
    return tuple(x for x in counted if x.id in compared) if compared else counted
