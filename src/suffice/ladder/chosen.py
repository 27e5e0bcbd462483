"""The variant of a rung that goes on to dev: the best of a family, or what the rung's own search found on train."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from suffice.errors import SufficeError
from suffice.evals.runner import outcomes
from suffice.evals.searching import SearchRun
from suffice.evals.task import Task
from suffice.ladder.race import race, settled
from suffice.ladder.rung import Rung
from suffice.ladder.state import Climb
from suffice.programs.solution import Solution
from suffice.values import Case, Outcome


async def chosen(c: Climb, k: int) -> tuple[Rung, int]:
    """Rung `k` as dev is to see it, and the calls that choosing it took."""
    if c.rungs[k].family or c.rungs[k].search:
        c.look()
    rung, lost = await race(c, c.rungs[k]) if c.rungs[k].family else (c.rungs[k], 0)
    if rung.search is None:
        return rung, lost

    async def put(solution: Solution, cases: Sequence[Case]) -> list[Outcome]:
        return [o async for o in outcomes(c.job(solution), cases, tally=c.tally)]

    found = await rung.search(c.task, SearchRun(put, lambda line: c.show(k, f"{rung.name}: {line}")))
    c.show(k, f"{rung.name}: {found.note}", note=found.note)
    return settled(rung, found.solution), lost + found.calls


def calls_before_dev(task: Task, rungs: Sequence[Rung]) -> Iterator[str]:
    """What the searches among the rungs and their variants take, in a line each. Asks nothing."""
    for rung in rungs:
        yield from calls_before_dev(task, rung.family)
        if rung.search is None:
            continue
        try:
            reason = rung.unsuited(task)
            takes = None if reason is not None or rung.takes is None else rung.takes(task)
        except SufficeError as error:  # a key that is missing, say: it is needed by the climb alone
            yield f"{rung.name}: what it takes is not known: {error.message}"
            continue
        if reason is not None:
            yield f"{rung.name}: not tried: {reason}"
        elif takes is None:
            yield f"{rung.name}: what it asks on train is not known beforehand; a budget holds for it (--budget)"
        else:
            yield f"{rung.name}: {takes}, before dev"
