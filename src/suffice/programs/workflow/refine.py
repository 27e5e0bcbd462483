"""A draft, a check of it, a better draft: until it passes, nothing gets better, or the rounds are over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from suffice.arguments import Count, Share, validated
from suffice.errors import CallError, SolutionError
from suffice.numbers import is_number
from suffice.programs.workflow.made import Workflow, workflow
from suffice.programs.workflow.part import Part, part, part_called
from suffice.spans import here
from suffice.values import ABSTAIN, Answer, Score, canonical, to_json


class Verdict(NamedTuple):
    """A score with its reason, and whether it has degrees: of what is only right or wrong nothing gets better."""

    score: Score
    graded: bool


@dataclass(frozen=True, slots=True)
class Loop:
    """Who checks a draft, who makes a better one of it and of what was found, how often, and what score is enough."""

    evaluate: Callable[[Any], Awaitable[Verdict]]
    improve: Callable[[Any, str], Awaitable[Answer]]
    most: int
    enough: float = 1.0


@validated
def refine(
    generate: Callable[..., Any],
    evaluate: Callable[..., Any],
    improve: Callable[..., Any],
    *,
    most: Count = 3,
    enough: Share = 1.0,
    name: str | None = None,
) -> Workflow:
    """`generate(inputs)` is a draft, `evaluate(inputs, draft)` judges it, and `improve(inputs, draft, reason)` makes
    the next one, at most `most` times.

    A judgement is a score in [0, 1], a `Score` with its reason, or without degrees: True or False, or a text that says
    what is wrong, None where nothing is. It stops at a score of `enough` (right is 1), at a draft that was there
    before, at a score that is no better than the best, and where a model call of a later round fails (CallError). The
    answer is the best draft that was seen, the first of equals, with its score as the confidence. Several inputs come
    to `evaluate` and `improve` as one dict. Raises UsageError for a function that does not take what it is called with,
    and when called what the first round raises, and of later ones everything but a CallError
    (Madaan et al. 2303.17651).
    """
    parts = [
        part(generate),
        part_called(evaluate, "evaluate", "inputs", "draft"),
        part_called(improve, "improve", "inputs", "draft", "reason"),
    ]

    async def body(inputs: Any) -> Answer:
        loop = Loop(
            evaluate=lambda draft: _judged(parts[1], inputs, draft),
            improve=lambda draft, reason: parts[2].inside("stage", inputs, draft, reason),
            most=most,
            enough=enough,
        )
        return await refined(await parts[0].inside("stage", inputs), loop)

    return workflow("refine", parts, body, (most, enough), name)


async def refined(draft: Answer, loop: Loop) -> Answer:
    """The best draft, beginning with `draft`, with its score as the confidence (`refine`)."""
    if draft.value is ABSTAIN:
        return draft
    found = await loop.evaluate(draft.value)
    best, best_score = draft, found.score.value
    seen = {canonical(to_json(draft.value))}
    for _ in range(loop.most):
        if found.score.value >= loop.enough:
            break
        later = await _next(draft, found, loop, seen)
        if isinstance(later, str):
            _note(later)
            break
        draft, found = later
        if found.score.value > best_score:
            best, best_score = draft, found.score.value
        elif found.graded:
            _note("no better score")
            break
    return Answer(best.value, best_score, best.by)


async def _next(draft: Answer, found: Verdict, loop: Loop, seen: set[str]) -> tuple[Answer, Verdict] | str:
    """The next draft with its judgement, or why there is none: the best so far outlives a model call that failed, and
    nothing else, because who wrote the loop would never hear of it."""
    try:
        answer = await loop.improve(draft.value, found.score.reason)
    except CallError:
        return "the next draft failed"
    if answer.value is ABSTAIN:
        return "no next draft"
    text = canonical(to_json(answer.value))
    if text in seen:
        return "the same draft again"
    seen.add(text)
    try:
        return answer, await loop.evaluate(answer.value)
    except CallError:
        return "the check of the next draft failed"


async def _judged(evaluate: Part, inputs: Any, draft: Any) -> Verdict:
    return verdict((await evaluate.inside("stage", inputs, draft)).value)


def verdict(said: Any) -> Verdict:
    """What an evaluator said, as a score. Raises SolutionError for what is none."""
    if said is None or isinstance(said, bool | str):
        right = said is None or said is True
        return Verdict(Score(float(right), said if isinstance(said, str) else ""), graded=False)
    if isinstance(said, Score):
        return Verdict(said, graded=True)
    if is_number(said, 0.0, 1.0):
        return Verdict(Score(float(said)), graded=True)
    raise SolutionError(
        f"an evaluator says a bool, what is wrong, or a score from 0 to 1, not a {type(said).__name__}",
        hint="from suffice.values import Score; return Score(0.5, 'the date is missing')",
    )


def _note(why: str) -> None:
    grown = here()
    if grown is not None:
        grown.note = why
