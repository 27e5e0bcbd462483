"""Dev: where rungs are tried at no cost in error, cheaply, and given up or sent on early."""

from __future__ import annotations

from collections.abc import Sequence

from suffice.errors import UsageError
from suffice.evals.runner import Job, graded, outcomes
from suffice.evals.seal import one_per_cluster
from suffice.ladder.evidence import Evidence, Fit, evidence_of, fit_route, predicted_chance
from suffice.ladder.race import race
from suffice.ladder.rule import DevEnd, Judgement, judge_dev, least_to_judgement
from suffice.ladder.rung import Rung
from suffice.ladder.state import Candidate, Climb, DevRun
from suffice.programs.solution import check_inputs
from suffice.stats.intervals import wilson
from suffice.stats.trial import Claim
from suffice.values import Case, Outcome

ORDER = 0  # the seed of the order of dev cases: one for every rung, so that they meet the same cases first


async def run_dev(c: Climb, k: int) -> DevEnd:
    """Run rung `k` over dev until it is dropped, sent to test or at the end; notes the candidate that ends in it."""
    rung = c.rungs[k]
    if rung.family:
        rung = await race(c, rung)
    if rung.out_of_fold is not None:
        run = DevRun(rung, None, await _out_of_fold(c, rung), len(c.task.train) + len(c.dev), free=True)
        judgement = None
    else:
        run, judgement = await _called(c, k, rung)
    fit = fit_route([*(m.evidence for m in _earlier(c, k)), run.evidence], c.claim())
    candidate = Candidate((*_earlier(c, k), run), fit)
    c.candidates[k] = candidate
    judgement = judgement or judge_dev(fit.chance, len(run.evidence), len(run.evidence), c.rule)
    _show(c, k, candidate, judgement)
    return DevEnd("drop" if judgement == "go on" else judgement, fit.chance)


def paused(failed: int, calls: int) -> bool:
    """Whether so many calls failed that the rung must pause instead of being decided: above 5%, at least 3."""
    return failed >= 3 and failed > 0.05 * calls


def _earlier(c: Climb, k: int) -> list[DevRun]:
    """The easier rungs that can hand on: those that give confidences."""
    runs = [c.candidates[j].members[-1] for j in range(k) if j in c.candidates]
    return [r for r in runs if r.evidence.confident]


async def _out_of_fold(c: Climb, rung: Rung) -> Evidence:
    """What a rung that learns answers on train and dev, each case by a fit that has not seen it or its cluster."""
    assert rung.out_of_fold is not None
    cases = (*c.task.train, *c.dev)
    answers = await rung.out_of_fold(c.task, cases)
    done = {
        case.id: Outcome(case, a, graded(c.task.grader, a, case), None, None)
        for case, a in zip(cases, answers, strict=True)
    }
    return evidence_of([done[case.id] for case in one_per_cluster(cases, ORDER)])


async def _called(c: Climb, k: int, rung: Rung) -> tuple[DevRun, Judgement | None]:
    solution = await rung.fit(c.task, c.task.train)
    check_inputs(solution, c.task.columns.inputs)
    cases = one_per_cluster(c.dev, ORDER)
    if not cases:
        raise UsageError(f"{c.task.name} has no dev cases to look at", hint="add cases, or give a dev file")
    job = c.job(solution)
    if solution.free:
        done = [o async for o in outcomes(job, cases)]
        return DevRun(rung, solution, evidence_of(done), len(cases), free=True), None
    return await _judged(c, k, rung, job, cases)


async def _judged(c: Climb, k: int, rung: Rung, job: Job, cases: Sequence[Case]) -> tuple[DevRun, Judgement]:
    """Call case by case and stop as soon as the rule says; never more calls ahead than could still matter."""
    claim, earlier = c.claim(), [m.evidence for m in _earlier(c, k)]
    done: list[Outcome] = []
    judgement: Judgement = "go on"
    fit: Fit | None = None

    def window() -> int:
        return _ahead(fit, len(done), len(cases), claim, c)

    async for outcome in outcomes(job, cases, window=window, tally=c.tally):
        done.append(outcome)
        seen = len(done)
        failed = sum(o.failure is not None for o in done)
        c.show(k, dev_seen=seen, dev_total=len(cases), dev_right=sum(o.right for o in done), dev_failed=failed)
        if paused(failed, max(seen, 20)):
            judgement = "go on"
            break
        if seen < len(cases) and (seen < c.rule.drop_from or (seen > 200 and seen % (seen // 100))):
            continue  # beyond 200 cases a look at every hundredth is enough
        fit = fit_route([*earlier, evidence_of(done)], claim)
        judgement = judge_dev(fit.chance, seen, len(cases), c.rule)
        if judgement != "go on":
            break
    return DevRun(rung, job.solution, evidence_of(done), len(cases), free=False), judgement


def _ahead(fit: Fit | None, seen: int, total: int, claim: Claim, c: Climb) -> int:
    right = int(fit.right.sum()) if fit is not None else 0
    answered = int(fit.answered.sum()) if fit is not None else 0
    behind = seen - (fit.seen if fit is not None else 0)
    if seen < c.rule.drop_from:
        return min(c.rule.drop_from, total) - seen

    def best(further: int) -> float:
        d = further + behind
        return predicted_chance(right + d, answered + d, seen + further, claim)

    def worst(further: int) -> float:
        return predicted_chance(right, answered + further + behind, seen + further, claim)

    return max(1, least_to_judgement(best, worst, seen, total, c.rule))


def _show(c: Climb, k: int, candidate: Candidate, judgement: Judgement) -> None:
    run, fit = candidate.members[-1], candidate.fit
    failed = int(run.evidence.failed.sum())
    state = {"drop": "dropped", "keep": "kept", "test": "likely", "go on": "paused"}[judgement]
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
        dev_seen=fit.seen,
        dev_failed=failed,
        dev_total=run.total if run.solution is not None else fit.seen,
        out_of_fold=run.solution is None,
        interval=_interval(c, fit),
        chance=fit.chance,
        thresholds=tuple(t for _, t in candidate.kept),
        members=tuple(m.rung.name for m, _ in candidate.kept),
        handled=tuple(h for h, t in zip(fit.handled, fit.thresholds, strict=True) if t is None or t != float("inf")),
        calls=run.calls,
        saved=0 if run.free else run.total - run.calls,
        note=note,
    )


def _interval(c: Climb, fit: Fit) -> tuple[float, float] | None:
    n = int(fit.answered.sum()) if c.stated.coverage is not None else fit.seen
    found = wilson(int(fit.right.sum()), n) if n else None
    return (found.low, found.high) if found is not None else None
