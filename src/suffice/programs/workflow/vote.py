"""Several answers to one question: that of the most, with its share as the confidence."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated, Any, Final, Literal

from suffice.arguments import Count, Rule, Share, validated
from suffice.errors import SolutionError, UsageError
from suffice.models.belonging import belonging, current
from suffice.numbers import is_number, is_whole
from suffice.programs.counting import winner
from suffice.programs.workflow.made import Workflow, workflow
from suffice.programs.workflow.part import Part, part
from suffice.programs.workflow.side_by_side import Bounds, Seconds, side_by_side
from suffice.values import ABSTAIN, Answer, Failure, to_json

MOST: Final = 1_000  # voters, and times each is asked

Weight = Annotated[float, Rule(lambda v: is_number(v, 0.0) and v > 0, "a number above 0")]
Votes = Annotated[int, Rule(lambda v: is_whole(v, 1, MOST), f"a whole number from 1 to {MOST:,}")]


@validated
def vote(
    *voters: Any,
    n: Votes | None = None,
    threshold: Share | None = None,
    weights: Sequence[Weight] | Literal["confidence"] | None = None,
    concurrency: Count = 8,
    timeout: Seconds = None,
    name: str | None = None,
) -> Workflow:
    """Each voter is asked `n` times (one voter alone 5 times, several once each); the commonest answer wins.

    A voter is `voter(inputs)`. Ties go to the answer that came first, in the order of the voters. The confidence is its
    share of all that could vote: whose model call fails (CallError), who takes more than `timeout` seconds or abstains
    votes for nothing; whatever else a voter raises is raised. Under the share `threshold` the answer is ABSTAIN.
    `weights` is one number a voter, or "confidence": each vote counts by its own. A step that is asked several times
    needs a temperature to say more than one thing: `step.using(temperature=0.7)`. Where all fail, the first one's error
    is raised (Wang et al. 2203.11171).
    """
    parts = [part(voter) for voter in voters]
    each = n or (5 if len(parts) == 1 else 1)
    if len(parts) * each < 2:
        raise UsageError("a vote needs at least two votes", hint="sf.workflow.vote(step, n=5)")
    if isinstance(weights, Sequence) and not isinstance(weights, str) and len(weights) != len(parts):
        raise UsageError(f"{len(parts)} voters need {len(parts)} weights, not {len(weights)}")
    asked = [(voter, k) for voter in range(len(parts)) for k in range(each)]
    bounds = Bounds(concurrency, timeout)

    async def body(inputs: Any) -> Answer:
        calls = [(f"{parts[v].name} {k + 1}", _sample(parts[v], k, inputs)) for v, k in asked]
        done = await side_by_side(calls, bounds, forgiving=False)
        heavy = [_weight(one, weights, voter, parts[voter].name) for one, (voter, _) in zip(done, asked, strict=True)]
        return _counted(done, heavy, threshold)

    return workflow("vote", parts, body, (each, threshold, weights, timeout), name)


def _counted(done: Sequence[Answer | Failure], weights: Sequence[float], threshold: float | None) -> Answer:
    cast = [(one, w) for one, w in zip(done, weights, strict=True) if isinstance(one, Answer) and w > 0]
    cast = [(one, w) for one, w in cast if one.value is not ABSTAIN]
    if not cast:
        return Answer(ABSTAIN)
    best = winner([to_json(one.value) for one, _ in cast], [w for _, w in cast])
    share = min(1.0, best.weight / sum(weights))
    if threshold is not None and share < threshold - 1e-9:  # shares are quotients of floats
        return Answer(ABSTAIN, share)
    return Answer(cast[best.place][0].value, share)


def _weight(done: Answer | Failure, weights: Sequence[float] | str | None, voter: int, name: str) -> float:
    """What a vote counts; one that was not cast counts as any other does in the whole."""
    if weights is None:
        return 1.0
    if not isinstance(weights, str):
        return weights[voter]
    if isinstance(done, Failure) or done.value is ABSTAIN:
        return 1.0
    if done.confidence is None:
        raise SolutionError(
            f"votes are weighed by confidence, and an answer of {name} has none",
            hint="return sf.Answer(value, confidence), or give a number for each voter: weights=[2, 1]",
        )
    return done.confidence


def _sample(voter: Part, number: int, inputs: Any) -> Any:
    async def ask() -> Answer:
        with _sampled(number):
            return await voter(inputs)

    return ask


@contextmanager
def _sampled(number: int) -> Generator[None]:
    """Let equal requests of several samples be several calls: in a run, what was asked before is looked up."""
    run = current()
    if run is None:
        yield
        return
    with belonging(replace(run, sample=run.sample * MOST + number)):
        yield
