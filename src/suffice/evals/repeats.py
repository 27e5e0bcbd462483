"""Repeats: every case asked several times, each call a sample of its own; a case's score is the mean of its samples.

A sample is recorded under an identity of its own, so that repeats go through journal and resume as everything does:
the first is the solution itself (what was recorded of it counts), the others are the same with a number.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace

from suffice.errors import UsageError
from suffice.numbers import is_whole
from suffice.programs.solution import Solution
from suffice.shown import brief
from suffice.stats.repeats import Passes, Variances, pass_hats, variances
from suffice.values import Answer, Json, Outcome, Score, canonical, content_hash, to_json

MOST = 1_000
Samples = tuple[tuple[Outcome, ...], ...]
"""What was answered each time, case by case; a case that was not reached again has fewer."""


def checked_repeats(repeats: int, solution: Solution | None = None) -> int:
    """How often to ask each case. A free solution says the same each time, so once is enough.

    Raises UsageError for what is no number of times, and for a recording, which has no second answer.
    """
    if not is_whole(repeats, 1) or repeats > MOST:
        raise UsageError(f"repeats are 1 to {MOST:,} times, not {brief(repeats)}", hint="--repeats 3")
    if solution is None or repeats == 1:
        return repeats
    if solution.replays:
        raise UsageError(
            f"{solution.name} is a recording: it has one answer to a case, and cannot be asked again",
            hint="leave repeats out, or repeat what made the recording",
        )
    return 1 if solution.free else repeats


def sampled(solution: Solution, number: int) -> Solution:
    """The solution as it is asked for the sample with this number, from 0."""
    return replace(solution, identity=sample_identity(solution.identity, number)) if number else solution


def sample_identity(identity: str, number: int) -> str:
    """What the journal calls a solution as it is asked for the sample with this number, from 0."""
    return content_hash([identity, "sample", number]) if number else identity


def by_case(passes: Sequence[Sequence[Outcome]]) -> Samples:
    """The samples of each case, of passes over the same cases in the same order, of which the last may be cut off."""
    return tuple(tuple(done[i] for done in passes if i < len(done)) for i in range(len(passes[0])))


def merged(samples: Sequence[Outcome]) -> Outcome:
    """One outcome for a case: the mean score of the samples that were answered, with the first answer that was worst.

    It is handed on where every sample was, and failed where every sample did. Its confidence is left out: it is that
    of one answer, and the score is of several.
    """
    done = [o for o in samples if o.score is not None and o.answer is not None]
    if len(samples) == 1 or not done:
        return samples[0]
    worst = min((o for o in done if not o.abstained), key=_value, default=done[0])
    assert worst.answer is not None and worst.score is not None
    times = [o.seconds for o in samples if o.seconds is not None]
    return replace(
        worst,
        answer=Answer(worst.answer.value, None, worst.answer.by),
        score=Score(statistics.fmean(map(_value, done)), _reason(samples, worst)),
        seconds=statistics.fmean(times) if times else None,
        cost=samples[0].cost,
        recorded=all(o.recorded for o in samples),
    )


def spread(samples: Samples) -> Variances | None:
    """The variance of scores within cases and between cases; None where no two cases, or no second sample, have one."""
    scores = [[_value(o) for o in case if o.score is not None] for case in samples]
    try:
        return variances([s for s in scores if s])
    except ValueError:
        return None


def unsteady(samples: Samples) -> int:
    """How many cases were not answered alike each time; a call that failed is an answer of its own."""
    return sum(len({_said(o) for o in case}) > 1 for case in samples)


def repeats_text(samples: Samples) -> str:
    """ "3 a case: 12 of 186 cases were answered in different ways; variance .020 within cases, .110 between"."""
    asked = max(map(len, samples))
    text = f"{asked} a case: {unsteady(samples)} of {len(samples)} cases were answered in different ways"
    found = spread(samples)
    if found is None:
        return text
    return (
        f"{text}; variance {found.within:.3f} within cases, {found.between:.3f} between; asking once more is worth "
        f"{found.worth:.0%} of as many new cases"
    ).replace(" 0.", " .")


def passes(samples: Samples) -> tuple[Passes, ...]:
    """pass^k of each k: that the same case is right k times in a row. A failed call is not right; a score counts as
    right where it is 1."""
    right = [sum(o.right for o in case) for case in samples]
    return pass_hats(right, [len(case) for case in samples], [case[0].case.cluster for case in samples])


def repeats_json(samples: Samples) -> dict[str, Json]:
    """The figures of repeats, as a report saves them."""
    found = spread(samples)
    return {
        "most": max(map(len, samples)),
        "unsteady": unsteady(samples),
        "within": None if found is None else found.within,
        "between": None if found is None else found.between,
        "pass_k": [
            {"k": p.k, "estimate": p.estimate, "interval95": None if p.interval is None else [*p.interval[1:3]]}
            for p in passes(samples)
        ],
    }


def _reason(samples: Sequence[Outcome], worst: Outcome) -> str:
    right, failed = sum(o.right for o in samples), sum(o.failure is not None for o in samples)
    said = worst.score.reason if worst.score is not None else ""
    lost = f", {failed} failed" if failed else ""
    if right == len(samples):
        return said
    return f"right {right} of {len(samples)} times{lost}" + (f": {said}" if said and not worst.right else "")


def _value(outcome: Outcome) -> float:
    return outcome.score.value if outcome.score is not None else 0.0


def _said(outcome: Outcome) -> str:
    return "failed" if outcome.answer is None else canonical(to_json(outcome.answer.value))
