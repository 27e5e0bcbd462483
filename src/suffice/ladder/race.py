"""The race of a family: several variants of one rung on dev, the ones clearly behind given up on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from suffice.evals.fitted import unfitted
from suffice.evals.grading import all_scored
from suffice.evals.runner import outcomes
from suffice.evals.task import Task
from suffice.evals.units import flat, in_units
from suffice.ladder.rung import Rung
from suffice.ladder.state import Climb
from suffice.programs.solution import Solution, check_inputs
from suffice.stats.intervals import exact_sign_test
from suffice.values import Case

LAP = 12  # cases between two looks
BEHIND = 0.1  # p of the sign test against the leader at which a variant is given up


async def race(c: Climb, family: Rung) -> tuple[Rung, int]:
    """The best variant on dev (most cases right, ties to the first named), and the paid calls that the others took.

    Costs no alpha: only dev is looked at. After every lap of 12 cases, variants that are behind the leader on the
    cases where they differ (exact sign test, p at most .1) stop running, so that a clear loser costs few calls.
    """
    suited = [r for r in family.family if r.unsuited(c.task) is None]
    if len(suited) == 1:
        return suited[0], 0
    if all(r.out_of_fold is not None for r in suited):
        return await _best_out_of_fold(c, suited), 0
    solutions = [await r.fit(c.task, c.task.train) for r in suited]
    for solution in solutions:
        check_inputs(solution, c.task.columns.inputs)
    right: list[list[bool]] = [[] for _ in suited]
    best = await _laps(c, family.name, solutions, right)
    lost = sum(len(right[i]) for i, s in enumerate(solutions) if i != best and not s.free)
    return settled(suited[best], solutions[best]) if suited[best].search else suited[best], lost


def settled(rung: Rung, solution: Solution) -> Rung:
    """A rung whose search is over: it makes this solution and no other."""

    async def fit(task: Task, cases: Sequence[Case]) -> Solution:
        return solution

    return replace(rung, fit=fit, search=None)


async def _laps(c: Climb, name: str, solutions: Sequence[Solution], right: list[list[bool]]) -> int:
    """Run lap after lap, noting in `right` what each variant got right; the index of the best."""
    shown = unfitted(c.task, frozenset[str]().union(*(s.learned for s in solutions)), c.dev)  # one for all variants
    cases = flat(in_units(shown, 0, c.stated.most))
    running = list(range(len(solutions)))
    for begin in range(0, len(cases), LAP):
        lap = cases[begin : begin + LAP]
        for i in running:
            right[i] += [o.right async for o in outcomes(c.job(solutions[i]), lap, tally=c.tally)]
        leader = max(running, key=lambda i: (sum(right[i]), -i))
        running = [i for i in running if i == leader or not behind(right[i], right[leader])]
        c.show(line=f"{name}: {len(running)} of {len(solutions)} variants after {begin + len(lap)} dev cases")
        if len(running) == 1:
            break
    return max(running, key=lambda i: (sum(right[i]), -i))


def behind(mine: Sequence[float], leading: Sequence[float]) -> bool:
    """Whether a variant is clearly behind the leader by their scores on the same cases."""
    gained = sum(m > o for m, o in zip(mine, leading, strict=True))
    lost = sum(o > m for m, o in zip(mine, leading, strict=True))
    return lost > gained and exact_sign_test(gained, lost) <= BEHIND


async def _best_out_of_fold(c: Climb, rungs: Sequence[Rung]) -> Rung:
    """The variant with most cases right when each is answered by a fit that has not seen it, one case a cluster."""
    cases: Sequence[Case] = (*c.task.train, *c.dev)
    counted = {case.id for case in flat(in_units(cases, 0, c.stated.most))}
    scores: list[int] = []
    for rung in rungs:
        assert rung.out_of_fold is not None
        answers = await rung.out_of_fold(c.task, cases)
        pairs = [(a, case) for a, case in zip(answers, cases, strict=True) if case.id in counted]
        scores.append(sum(score.value >= 1 for score in await all_scored(c.task.grader, pairs)))
    return rungs[max(range(len(rungs)), key=lambda i: (scores[i], -i))]
