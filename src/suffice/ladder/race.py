"""The race of a family: several variants of one rung on dev, the ones clearly behind given up on the way."""

from __future__ import annotations

from collections.abc import Sequence

from suffice.evals.runner import graded, outcomes
from suffice.evals.seal import one_per_cluster
from suffice.ladder.rung import Rung
from suffice.ladder.state import Climb
from suffice.stats.intervals import exact_sign_test
from suffice.values import Case

LAP = 12  # cases between two looks
BEHIND = 0.1  # p of the sign test against the leader at which a variant is given up


async def race(c: Climb, family: Rung) -> Rung:
    """The best variant on dev: most cases right, ties to the first named. Costs no alpha: only dev is looked at.

    After every lap of 12 cases, variants that are behind the leader on the cases where they differ (exact sign test,
    p at most .1) stop running, so that a clear loser costs few calls.
    """
    suited = [r for r in family.family if r.unsuited(c.task) is None]
    if len(suited) <= 1:
        return suited[0] if suited else family.family[0]
    if all(r.out_of_fold is not None for r in suited):
        return await _best_out_of_fold(c, suited)
    cases = one_per_cluster(c.dev, 0)
    right: dict[int, list[bool]] = {i: [] for i in range(len(suited))}
    running = list(right)
    for begin in range(0, len(cases), LAP):
        lap = cases[begin : begin + LAP]
        for i in running:
            right[i] += await _right(c, suited[i], lap)
        leader = max(running, key=lambda i: (sum(right[i]), -i))
        running = [i for i in running if i == leader or not _behind(right[i], right[leader])]
        c.show(line=f"{family.name}: {len(running)} of {len(suited)} variants after {begin + len(lap)} dev cases")
        if len(running) == 1:
            break
    return suited[max(running, key=lambda i: (sum(right[i]), -i))]


def _behind(mine: Sequence[bool], leading: Sequence[bool]) -> bool:
    gained = sum(m and not o for m, o in zip(mine, leading, strict=True))
    lost = sum(o and not m for m, o in zip(mine, leading, strict=True))
    return lost > gained and exact_sign_test(gained, lost) <= BEHIND


async def _right(c: Climb, rung: Rung, cases: Sequence[Case]) -> list[bool]:
    solution = await rung.fit(c.task, c.task.train)
    return [o.right async for o in outcomes(c.job(solution), cases)]


async def _best_out_of_fold(c: Climb, rungs: Sequence[Rung]) -> Rung:
    cases = (*c.task.train, *c.dev)
    best: tuple[int, Rung] | None = None
    for rung in rungs:
        assert rung.out_of_fold is not None
        answers = await rung.out_of_fold(c.task, cases)
        right = sum(graded(c.task.grader, a, case).value >= 1 for a, case in zip(answers, cases, strict=True))
        if best is None or right > best[0]:
            best = right, rung
    assert best is not None
    return best[1]
