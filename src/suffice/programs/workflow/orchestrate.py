"""Pieces that a plan finds at run time, workers for them side by side, and one answer made of what they did."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

from suffice.arguments import Count, validated
from suffice.errors import SolutionError
from suffice.programs.workflow.made import Workflow, workflow
from suffice.programs.workflow.parallel import value_of
from suffice.programs.workflow.part import part, part_called
from suffice.programs.workflow.side_by_side import Bounds, Seconds, side_by_side
from suffice.values import ABSTAIN, Answer


@validated
def orchestrate(
    plan: Callable[..., Any],
    worker: Callable[..., Any],
    join: Callable[..., Any],
    *,
    most: Count = 16,
    concurrency: Count = 8,
    timeout: Seconds = None,
    name: str | None = None,
) -> Workflow:
    """`plan(inputs)` is a list of pieces, `worker(piece)` does one, and `join(inputs, results)` makes the answer.

    Results stand in the order of the pieces; a worker that fails, or takes more than `timeout` seconds, is a `Failure`
    among them. A piece that is a dict is bound by name. Without pieces, join is given an empty list. Raises UsageError
    for a join that does not take the two. When called it raises SolutionError for a plan that is no list or has more
    than `most` pieces (none of them is begun), and the first error where all workers fail.
    """
    planner, doer, joiner = part(plan), part(worker), part_called(join, "join", "inputs", "results")
    bounds = Bounds(concurrency, timeout)

    async def body(inputs: Any) -> Answer:
        planned = (await planner.inside("stage", inputs)).value
        if planned is ABSTAIN:
            return Answer(ABSTAIN)
        pieces = _pieces(planned, most, planner.name)
        calls = [(f"{doer.name} {number}", partial(doer, piece)) for number, piece in enumerate(pieces, 1)]
        done = await side_by_side(calls, bounds)
        return await joiner.inside("stage", inputs, [value_of(one) for one in done])

    return workflow("orchestrate", [planner, doer, joiner], body, (most, timeout), name)


def _pieces(planned: Any, most: int, who: str) -> list[Any]:
    if not isinstance(planned, list | tuple):
        raise SolutionError(f"the plan of {who} is a {type(planned).__name__}, not a list", hint="-> list[str], say")
    pieces = list(cast("list[Any]", planned))
    if len(pieces) > most:
        raise SolutionError(f"the plan of {who} has {len(pieces)} pieces, and at most {most} are done", hint="most=")
    return pieces
