"""What dev showed of each solution, as arrays, and the thresholds of a route that follow from it. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suffice.stats.predict import chance, chance_coverage
from suffice.stats.trial import Claim
from suffice.values import Outcome

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

GRID = 60  # thresholds tried for one member of a route
WORTH = 0.03  # a member that answers less than this share of the cases is left out of a route
SLACK = 0.01  # predicted chance that may be given up for an easier route
LIKELY = 0.6  # the predicted chance that `coverage max` asks for


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one solution did on dev cases (one per cluster), in order: four arrays of equal length.

    `confidence` is nan where there was none. `failed` calls are neither answered nor right.
    """

    outcomes: tuple[Outcome, ...]
    answered: Bools
    right: Bools
    failed: Bools
    confidence: Floats

    def __len__(self) -> int:
        return len(self.outcomes)

    @property
    def confident(self) -> bool:
        """Whether answers carry confidences that tell one from another."""
        sure = self.confidence[self.answered]
        return bool(len(sure)) and not bool(np.isnan(sure).any()) and bool((sure != sure[0]).any())


@dataclass(frozen=True, slots=True)
class Fit:
    """A route's thresholds, by member (None: answers everything; inf: left out), and what dev lets one expect."""

    thresholds: tuple[float | None, ...]
    answered: Bools
    right: Bools
    chance: float  # predicted chance of PASS
    handled: tuple[float, ...]  # share of the cases that each member answers

    @property
    def seen(self) -> int:
        """Cases behind it."""
        return len(self.answered)


def evidence_of(outcomes: Sequence[Outcome]) -> Evidence:
    """The arrays of these outcomes."""
    confidence = [o.answer.confidence if o.answer is not None else None for o in outcomes]
    return Evidence(
        outcomes=tuple(outcomes),
        answered=np.array([o.answer is not None and not o.abstained for o in outcomes], dtype=np.bool_),
        right=np.array([o.right for o in outcomes], dtype=np.bool_),
        failed=np.array([o.failure is not None for o in outcomes], dtype=np.bool_),
        confidence=np.array([np.nan if c is None else c for c in confidence], dtype=np.float64),
    )


def common(members: Sequence[Evidence]) -> list[Evidence]:
    """The members' evidence on the cases that all of them have, in the order of the last one."""
    have = {o.case.id for o in members[-1].outcomes}
    for member in members[:-1]:
        have &= {o.case.id for o in member.outcomes}
    order = [o.case.id for o in members[-1].outcomes if o.case.id in have]
    return [_picked(m, order) for m in members]


def predicted_chance(right: int, answered: int, seen: int, claim: Claim) -> float:
    """The predicted chance of PASS from counts: without coverage what was not answered counts as wrong."""
    if seen == 0:
        return 0.0
    if claim.coverage is None:
        return chance(right, seen, claim)
    return chance_coverage(right, answered, seen, claim).both if answered else 0.0


def fit_route(members: Sequence[Evidence], claim: Claim) -> Fit:
    """Thresholds for the route over `members`, easiest first, with the best predicted chance of showing `claim`.

    The last member answers everything unless the claim has a coverage. From the last to the first, each easier member
    that gives confidences gets the threshold with the best predicted chance; within `SLACK` of it, the one at which it
    answers most, because it costs less. With coverage 0 ("max") the last threshold is the lowest with a predicted
    chance of `LIKELY`.
    """
    arrays = common(members)
    last = arrays[-1]
    thresholds: list[float | None] = [np.inf] * len(arrays)
    thresholds[-1] = None
    if claim.coverage is not None and last.confident:
        thresholds[-1] = _last_threshold(last, last.answered, last.right, claim)
    kept = _kept(last, thresholds[-1])
    answered, right = kept, last.right & kept
    for j in range(len(arrays) - 2, -1, -1):
        if arrays[j].confident:
            thresholds[j], answered, right = _easier(arrays[j], answered, right, claim)
    if claim.coverage is not None and last.confident and len(arrays) > 1:
        thresholds = _again(arrays, thresholds, claim)
    return measured(arrays, thresholds, claim)


def measured(arrays: Sequence[Evidence], thresholds: Sequence[float | None], claim: Claim) -> Fit:
    """What the route over `arrays` (evidence on the same cases) did with these thresholds."""
    waiting = np.ones(len(arrays[-1]), dtype=np.bool_)
    answered, right = np.zeros_like(waiting), np.zeros_like(waiting)
    handled: list[float] = []
    for member, threshold in zip(arrays, thresholds, strict=True):
        mine = waiting & _kept(member, threshold)
        answered |= mine
        right |= mine & member.right
        left_out = threshold is not None and np.isinf(threshold)
        waiting &= ~mine if left_out else ~mine & ~member.failed  # a failed call ends its route
        handled.append(float(mine.mean()) if len(mine) else 0.0)
    seen = predicted_chance(int(right.sum()), int(answered.sum()), len(right), claim)
    return Fit(tuple(thresholds), answered, right, seen, tuple(handled))


def largest_coverage(members: Sequence[Evidence], claim: Claim) -> Fit | None:
    """The route with the largest coverage whose claim among answered cases would likely pass; None where none would."""
    fit = fit_route(members, replace(claim, coverage=0.0))
    return fit if fit.chance >= LIKELY and fit.answered.any() else None


def _kept(member: Evidence, threshold: float | None) -> Bools:
    if threshold is None:
        return member.answered
    with np.errstate(invalid="ignore"):
        return member.answered & (member.confidence >= threshold)


def _candidates(member: Evidence) -> Floats:
    sure = np.unique(member.confidence[member.answered])
    if len(sure) > GRID:
        sure = sure[np.linspace(0, len(sure) - 1, GRID).astype(int)]
    return sure


def _easier(member: Evidence, answered: Bools, right: Bools, claim: Claim) -> tuple[float, Bools, Bools]:
    """The threshold of a member put before what answers so far; inf where it does not help."""
    n = len(answered)
    best: list[tuple[float, float, float]] = []  # (chance, share handled, threshold)
    now = predicted_chance(int(right.sum()), int(answered.sum()), n, claim)
    for threshold in _candidates(member):
        mine = _kept(member, float(threshold))
        together = np.where(mine, member.right, right)
        said = mine | answered
        q = predicted_chance(int(together.sum()), int(said.sum()), n, claim)
        if mine.mean() >= WORTH:
            best.append((q, float(mine.mean()), float(threshold)))
    top = max([now, *(q for q, _, _ in best)])
    good = [(share, threshold) for q, share, threshold in best if q >= top - SLACK]
    if not good:
        return np.inf, answered, right
    threshold = max(good)[1]
    mine = _kept(member, threshold)
    return threshold, mine | answered, np.where(mine, member.right, right)


def _last_threshold(member: Evidence, allowed: Bools, right: Bools, claim: Claim, fixed: Any = None) -> float | None:
    """The threshold at the end of the route: best predicted chance, or with coverage "max" the lowest likely one."""
    n = len(allowed)
    before, before_right = fixed if fixed is not None else (np.zeros(n, np.bool_), np.zeros(n, np.bool_))
    best: tuple[float, float] | None = None
    for threshold in _candidates(member):
        mine = _kept(member, float(threshold)) & allowed & ~before
        said, good = before | mine, before_right | (mine & right)
        if not said.any():
            continue
        chances = chance_coverage(int(good.sum()), int(said.sum()), n, claim)
        if claim.coverage == 0.0 and chances.rate >= LIKELY:
            return float(threshold)
        if best is None or chances.smaller > best[0] + 1e-12:
            best = (chances.smaller, float(threshold))
    return best[1] if best is not None else None


def _again(arrays: Sequence[Evidence], thresholds: list[float | None], claim: Claim) -> list[float | None]:
    """The last threshold once more, now that the easier members take their share."""
    before = np.zeros(len(arrays[-1]), dtype=np.bool_)
    good = np.zeros_like(before)
    for member, threshold in zip(arrays[:-1], thresholds[:-1], strict=True):
        mine = _kept(member, threshold) & ~before
        good |= mine & member.right
        before |= mine
    last = _last_threshold(arrays[-1], arrays[-1].answered, arrays[-1].right, claim, (before, good))
    return [*thresholds[:-1], last]


def _picked(member: Evidence, order: Sequence[str]) -> Evidence:
    place = {o.case.id: i for i, o in enumerate(member.outcomes)}
    at = [place[case] for case in order]
    rows = np.array(at, dtype=np.intp)
    return Evidence(
        tuple(member.outcomes[i] for i in at),
        member.answered[rows],
        member.right[rows],
        member.failed[rows],
        member.confidence[rows],
    )
