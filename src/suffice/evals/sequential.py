"""Scores that come one by one, checked by a person: when is a bar shown, and between which bounds does the mean lie?

A climb knows its cases beforehand. Here nobody knows how many will be checked (a growing log), or all inputs are known
and only some are checked by hand (a batch). One may look after every score, and stop whenever one likes.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from suffice.arguments import Count, Rule, check, validated
from suffice.errors import BarError, UsageError
from suffice.evals.report import rate
from suffice.numbers import is_number
from suffice.shown import brief, counted
from suffice.stats.betting import BettingTest
from suffice.stats.claim import ALPHA_FAIL
from suffice.stats.engine import Engine, Shape, engine_for
from suffice.stats.exact import Null, SpendingTest
from suffice.stats.judged import PARTNERS, WEIGHT, judged_null, judged_score, partnered_null, partnered_score
from suffice.stats.ledger import TOTAL
from suffice.stats.sequences import Bounds, confidence_sequence

LEVEL: Final = 0.95


def _is_score(value: Any) -> bool:
    """Also a bool, and the numbers of numpy."""
    try:
        return not isinstance(value, str | bytes) and 0.0 <= float(value) <= 1.0
    except (TypeError, ValueError, OverflowError):
        return False


def _are_scores(value: Any) -> bool:
    """A list, a tuple, an array."""
    return hasattr(value, "__len__") and hasattr(value, "__getitem__") and all(map(_is_score, value))


SCORE: Final = Rule(_is_score, "a score between 0 and 1", "add(1.0) for right")
SCORES: Final = Rule(_are_scores, "a list of scores between 0 and 1", "[1.0, 0.0, 1.0]")
SURE: Final = Rule(lambda v: is_number(v, 0.0, 1.0) and 0.0 < v < 1.0, "a number between 0 and 1", "bounds(level=.95)")


@dataclass(slots=True)
class Sequential:
    """A bar on trial; made by `claim`, fed by `add`. `verdict` is PASS, FAIL, or None while neither is shown."""

    bar: float
    tolerance: float
    of: int | None  # the inputs there are, None: more may always come
    engine: Engine
    error: float
    judge_mean: float | None  # over all inputs there are
    judged: bool
    shown: SpendingTest | BettingTest
    refuted: SpendingTest | BettingTest
    verdict: Literal["PASS", "FAIL"] | None = None
    settled_after: int | None = None
    scores: list[float] = field(default_factory=list[float])  # as the engine sees them

    @property
    def n(self) -> int:
        """Scores so far."""
        return len(self.scores)

    def add(
        self, score: float, *, judge: float | None = None, unlabelled: Sequence[float] = ()
    ) -> Literal["PASS", "FAIL"] | None:
        """Take the next score, in the random order that was fixed beforehand, and say what is shown by now.

        `judge` is the judge's score of the same answer, `unlabelled` its scores of about ten answers that nobody
        checks and that are given with no other case. The verdict stands once it fell; scores after it only narrow the
        bounds. Raises UsageError for what is no score, for a judge's score that is missing or not asked for, and for
        more scores than there are inputs.
        """
        if self.n == self.of:
            raise UsageError(f"all {self.of:,} inputs have been scored", hint="print it")
        seen = self._seen(score, judge, unlabelled)
        self.scores.append(seen)
        shown, refuted = _observe(self.shown, seen), _observe(self.refuted, seen)
        if self.verdict is None and (shown or refuted):
            self.verdict, self.settled_after = "PASS" if shown else "FAIL", self.n
        return self.verdict

    def bounds(self, level: float = LEVEL) -> Bounds:
        """Between which the mean lies: they hold at every number of scores at once, with probability `level`."""
        check("level", level, SURE)
        if not self.scores:
            return Bounds(0.0, 1.0)
        last = confidence_sequence(self.scores, level, self.of, self.of is not None)[-1]
        return Bounds(*(min(max(self._plain(end), 0.0), 1.0) for end in last))

    def __str__(self) -> str:
        low, high = self.bounds()
        where = "future scores like these" if self.of is None else f"these {self.of:,}"
        between = f"the mean of {where} lies between {rate(low)} and {rate(high)} at {LEVEL:.0%}"
        error = ALPHA_FAIL if self.verdict == "FAIL" else self.error
        asked = f"bar {rate(self.bar)}, tolerance {rate(self.tolerance)}, error {100 * error:g}%"
        bound = round(self.bar - self.tolerance, 10)
        if self.verdict is None:
            return f"open after {counted(self.n, 'score')}: {between} ({asked})"
        passed = self.verdict == "PASS"
        said = f"it is at least {rate(bound)}" if passed else f"it is below {rate(self.bar)}"
        # A verdict is about one end and fell once: bounds beside it that allow the contrary would read as a mistake.
        less = low < bound if passed else high >= self.bar
        why = "; that is about both ends at every look, and so says less than the verdict" if less else ""
        return f"{self.verdict} after {counted(self.settled_after or 0, 'score')}: {said} ({asked}); {between}{why}"

    def _seen(self, score: float, judge: float | None, unlabelled: Sequence[float]) -> float:
        check("score", score, SCORE)
        check("judge", 0.0 if judge is None else judge, SCORE)
        check("unlabelled", unlabelled, SCORES)
        if self.engine.name == "exact spending" and score not in (0.0, 1.0):
            raise UsageError(f"this claim is about right and wrong, and {brief(score)} is neither", hint="graded=True")
        if (judge is not None) != self.judged:
            said = "has a judge" if self.judged else "has no judge"
            raise UsageError(
                f"the claim {said}, so each score needs {'its' if self.judged else 'none'}",
                hint="claim(bar=.9, judge=…)",
            )
        if judge is None:
            return float(score)
        if self.judge_mean is not None:
            return judged_score(score, judge)
        if not unlabelled:
            hint = f"add(score, judge=…, unlabelled=[about {PARTNERS} scores that are used once])"
            raise UsageError("a claim about future inputs needs the judge's scores of answers nobody checks", hint=hint)
        return partnered_score(score, judge, unlabelled)

    def _plain(self, mean: float) -> float:
        """A mean as the engine sees it, on the scale of a person's scores."""
        if not self.judged:
            return mean
        if self.judge_mean is not None:
            return mean * (1.0 + WEIGHT) - WEIGHT * (1.0 - self.judge_mean)
        return mean * (1.0 + 2.0 * WEIGHT) - WEIGHT


@validated
def claim(
    bar: float,
    tolerance: float = 0.0,
    *,
    of: Count | None = None,
    graded: bool = False,
    error: Annotated[float, SURE] = TOTAL,
    judge: Annotated[Any, Rule(lambda v: isinstance(v, bool) or _are_scores(v), "a list of scores, True or False")] = (
        False
    ),
) -> Sequential:
    """The claim "the mean score is at least bar - tolerance" (PASS, at `error`), against "it is below the bar" (FAIL,
    at .2), on scores that are added one by one.

    `of`: the claim is about these so many inputs and no others, so it always settles; None: about future ones, however
    many come. `graded`: scores may lie between 0 and 1. `judge`: each score comes with a judge's, which need not be
    good: a poor one costs cases, never the error (R-AutoEval+ 2505.18659). With `of` it is the judge's scores of all
    those inputs; without, say True and give its scores of unchecked answers with each. Its prompt must be fixed
    beforehand. Raises BarError for impossible bars, UsageError for a judge that does not fit.
    """
    if not (0.0 < bar <= 1.0 and 0.0 <= tolerance < bar):
        raise BarError(f"no score can be at least {bar!r:.20} - {tolerance!r:.20}", hint="claim(bar=.9, tolerance=.05)")
    judged, mean = judge is not False, None
    if not isinstance(judge, bool):
        if of is None or len(judge) != of:
            raise UsageError(
                "a judge's scores are one of each input there is, between 0 and 1", hint="judge=True without `of`"
            )
        mean = statistics.fmean(judge)
    elif judge and of is not None:
        raise UsageError("of a known set the judge scores every input", hint=f"judge=[…], {of:,} scores")
    engine = engine_for(Shape(graded, n=of, judged=judged, kind="population" if of is None else "finite"))
    nulls = [_null(round(b, 10), of, judged, mean) for b in (bar - tolerance, bar)]
    if engine.name == "exact spending":
        assert of is not None
        sides = SpendingTest(nulls[0], of, error), SpendingTest(nulls[1], of, ALPHA_FAIL, "fail")
    else:
        sides = BettingTest(nulls[0], of, error), BettingTest(nulls[1], of, ALPHA_FAIL, "fail")
    return Sequential(bar, tolerance, of, engine, error, mean, judged, *sides)


def bounds(scores: Sequence[float], level: float = LEVEL) -> list[Bounds]:
    """The bounds of the mean after each of the scores of a growing log, in [0, 1] and in their order: a confidence
    sequence. They hold at all numbers of scores at once, so one may look every day.

    Raises UsageError for what is no score.
    """
    check("scores", scores, SCORES)
    check("level", level, SURE)
    return confidence_sequence(scores, level)


def _null(bound: float, of: int | None, judged: bool, mean: float | None) -> Null:
    null = Null(bound, of is not None)
    if not judged:
        return null
    return partnered_null(null) if mean is None else judged_null(null, mean)


def _observe(side: SpendingTest | BettingTest, seen: float) -> bool:
    return side.observe(seen >= 1.0) if isinstance(side, SpendingTest) else side.observe(seen)
