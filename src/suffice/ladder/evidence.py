"""What dev showed of each solution, as arrays, and the thresholds of a route that follow from it. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from suffice.stats.claim import Claim
from suffice.stats.exact import Bools, Floats, Ints
from suffice.stats.intervals import mean_interval, wilson
from suffice.stats.paired import paired_score
from suffice.stats.predict import Showing, chances
from suffice.values import Outcome

Threshold = float | None
"""The least confidence at which a member of a route answers; None: it answers whatever it does not hand on itself."""

OUT: Final = float("inf")  # the threshold of a member that is left out
GRID = 60  # thresholds tried for one member of a route
WORTH = 0.03  # a member that answers less than this share of the cases is left out of a route
SLACK = 0.01  # predicted chance that may be given up for an easier route
LIKELY = 0.6  # the predicted chance that `coverage max` asks for
ADVISED = 0.85  # and the one at which a coverage is recommended
SURE = 0.68  # level of the interval whose lower end must reach the bar before a member may stand in front


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one solution did on dev cases (those that count of each cluster), in order: arrays of equal length.

    `confidence` is nan where there was none. `failed` calls are neither answered nor right, and score 0, as
    abstentions do. `unit` numbers the clusters.
    """

    outcomes: tuple[Outcome, ...]
    answered: Bools
    right: Bools
    failed: Bools
    confidence: Floats
    score: Floats
    unit: Ints
    base: Floats  # what a case scores that is not answered: 0, or its pair with a reference
    time: Floats  # as a part of the time limit; nan where it is not known, or there is no limit

    def __len__(self) -> int:
        return len(self.outcomes)

    @property
    def confident(self) -> bool:
        """Whether answers carry confidences that tell one from another."""
        sure = self.confidence[self.answered]
        return bool(len(sure)) and not bool(np.isnan(sure).any()) and bool((sure != sure[0]).any())

    @property
    def hands_on(self) -> bool:
        """Whether it can stand in front of others: it tells sure answers from unsure ones, or abstains by itself."""
        return self.confident or bool(self.answered.any() and (~self.answered & ~self.failed).any())


@dataclass(frozen=True, slots=True)
class Fit:
    """A route's thresholds, by member (`OUT`: left out), and what dev lets one expect of it."""

    thresholds: tuple[Threshold, ...]
    answered: Bools
    right: Bools
    score: Floats  # in the scores of the claim
    unit: Ints
    showing: Showing  # the same by unit
    chance: float  # predicted chance of PASS
    smaller: float  # of the condition that is harder to show: what thresholds are chosen by
    handled: tuple[float, ...]  # share of the cases that each member answers

    @property
    def seen(self) -> int:
        """Cases behind it."""
        return len(self.answered)


def evidence_of(
    outcomes: Sequence[Outcome], reference: Mapping[str, float] | None = None, limit: float | None = None
) -> Evidence:
    """The arrays of these outcomes; with the scores of a `reference` by case id, each score is that of the pair.

    `limit` is the time limit of a call, in seconds.
    """
    confidence = [o.answer.confidence if o.answer is not None else None for o in outcomes]
    parts = [None if limit is None or o.seconds is None else o.seconds / limit for o in outcomes]
    return Evidence(
        outcomes=tuple(outcomes),
        answered=np.array([o.answer is not None and not o.abstained for o in outcomes], dtype=np.bool_),
        right=np.array([o.right for o in outcomes], dtype=np.bool_),
        failed=np.array([o.failure is not None for o in outcomes], dtype=np.bool_),
        confidence=np.array([np.nan if c is None else c for c in confidence], dtype=np.float64),
        score=_paired(outcomes, [0.0 if o.score is None else o.score.value for o in outcomes], reference),
        unit=_units(outcomes),
        base=_paired(outcomes, [0.0] * len(outcomes), reference),
        time=np.array([np.nan if part is None else part for part in parts], dtype=np.float64),
    )


def _paired(outcomes: Sequence[Outcome], scores: Sequence[float], reference: Mapping[str, float] | None) -> Floats:
    if reference is not None:
        scores = [paired_score(reference[o.case.id], s) for o, s in zip(outcomes, scores, strict=True)]
    return np.array(scores, dtype=np.float64)


def shared(members: Sequence[Evidence]) -> list[Evidence]:
    """The members' evidence on the cases that all of them have, in the order of the last one."""
    have = {o.case.id for o in members[-1].outcomes}
    for member in members[:-1]:
        have &= {o.case.id for o in member.outcomes}
    order = [o.case.id for o in members[-1].outcomes if o.case.id in have]
    return [_picked(m, order) for m in members]


def fit_route(members: Sequence[Evidence], claim: Claim, *, as_is: bool = False, likely: float = LIKELY) -> Fit:
    """Thresholds for the route over `members`, easiest first, with the best predicted chance of showing `claim`.

    Without coverage the last member answers everything. With coverage it gets a threshold, too, unless it goes
    `as_is`: the one with the best smaller chance; with coverage 0 ("max") from there down as long as `likely` is kept.
    An easier member may stand in front from a threshold on at which its own answers, on all the cases that it has
    seen, reach the bar at the lower end of a `SURE` interval; without that, the luckiest of many thresholds is chosen
    on few cases, and a useless member costs up to a fifth of the chance to pass (simulated: dev 30 to 60 cases, bar
    .90). Among those thresholds, within `SLACK` of the best chance, it gets the one at which it answers most.
    """
    arrays = shared(members)
    last = len(arrays) - 1
    thresholds: list[Threshold] = [OUT] * last + [None]
    tuned = claim.coverage is not None and arrays[last].confident and not as_is
    if tuned:
        thresholds = _tuned_last(arrays, thresholds, claim, likely)
    for j in range(last - 1, -1, -1):
        thresholds = _put_in_front(arrays, thresholds, j, _worthy(members[j], claim), claim)
    if tuned and last:  # once more, now that the easier members take their share
        thresholds = _tuned_last(arrays, thresholds, claim, likely)
    return measured(arrays, thresholds, claim)


def measured(arrays: Sequence[Evidence], thresholds: Sequence[Threshold], claim: Claim) -> Fit:
    """What the route over `arrays` (evidence on the same cases) did with these thresholds."""
    waiting = np.ones(len(arrays[-1]), dtype=np.bool_)
    answered, right, score = np.zeros_like(waiting), np.zeros_like(waiting), arrays[-1].base.copy()
    handled: list[float] = []
    for member, threshold in zip(arrays, thresholds, strict=True):
        mine = waiting & _kept(member, threshold)
        answered |= mine
        right |= mine & member.right
        score[mine] = scored(member, claim)[mine]
        if threshold != OUT:
            waiting &= ~mine & ~member.failed  # a failed call ends its route
        handled.append(float(mine.mean()) if len(mine) else 0.0)
    unit = np.arange(len(waiting)) if claim.kind == "finite" else arrays[-1].unit
    every = np.ones_like(waiting)
    showing = replace(_by_unit(unit, score, answered, every), time=_timed(arrays, thresholds))
    likely = chances(showing, claim)
    # The end of a route was chosen on these very cases, and luck had a part in it. With one right answer less, the
    # chance predicted is on average the one met (simulated: without, .54 is said where .36 is true, at 200 cases).
    tuned = claim.coverage is not None and thresholds[-1] not in (None, OUT) and score.sum() > 0
    expected = chances(showing.spoilt(), claim) if tuned else likely
    return Fit(
        tuple(thresholds), answered, right, score, unit, showing, expected.together, likely.smaller, tuple(handled)
    )


def scored(member: Evidence, claim: Claim) -> Floats:
    """The scores that `claim` speaks of: right and wrong unless it is graded."""
    return member.score if claim.graded else member.right.astype(np.float64)


def _timed(arrays: Sequence[Evidence], thresholds: Sequence[Threshold]) -> Showing | None:
    """What the route showed about the time limit: on each case the time of all members that it was put to, together.

    A member that was answered out of fold has no times: it is fitted here and asks nobody, so it takes none. A failed
    call is late, as on test. None where nothing is known.
    """
    waiting = np.ones(len(arrays[-1]), dtype=np.bool_)
    spent, late = np.zeros(len(waiting)), np.zeros_like(waiting)
    clocked = [not np.isnan(member.time).all() and t != OUT for member, t in zip(arrays, thresholds, strict=True)]
    if not any(clocked):
        return None
    for member, threshold, known in zip(arrays, thresholds, clocked, strict=True):
        if threshold != OUT:
            spent[waiting] += member.time[waiting] if known else 0.0
            late |= waiting & member.failed
            waiting &= ~_kept(member, threshold) & ~member.failed
    known = late | ~np.isnan(spent)
    return _by_unit(arrays[-1].unit, (known & ~late & (spent <= 1.0)).astype(np.float64), known, known)


def _by_unit(unit: Ints, score: Floats, answered: Bools, counted: Bools) -> Showing:
    totals = np.bincount(unit, score).astype(np.float64)
    said, cases = (np.bincount(unit, of.astype(np.float64)).astype(np.int64) for of in (answered, counted))
    return Showing(totals, said, cases)


def largest_coverage(members: Sequence[Evidence], claim: Claim) -> Fit | None:
    """The route with the largest coverage whose claim among answered cases can be recommended; None where none can."""
    fit = fit_route(members, replace(claim, coverage=0.0), likely=ADVISED)
    return fit if fit.chance >= ADVISED and fit.answered.any() else None


def could_lead(member: Evidence, claim: Claim) -> bool:
    """Whether its surest answers (three at least) are right at the bar so far: then more of its answers are worth a
    call, to learn whether it may stand in front of others."""
    options = _thresholds(member)
    kept = [_kept(member, t) for t in options]
    score = scored(member, claim)
    return any(mine.sum() >= 3 and score[mine].mean() >= claim.bar for mine in kept)


def _tuned_last(
    arrays: Sequence[Evidence], thresholds: Sequence[Threshold], claim: Claim, likely: float
) -> list[Threshold]:
    """With another threshold at the end of the route: the best, the lower where two are equal."""
    fits = [measured(arrays, [*thresholds[:-1], t], claim) for t in _grid(arrays[-1])]
    at = max(range(len(fits)), key=lambda i: (fits[i].smaller, -i))
    if claim.coverage == 0.0:  # down from the best, not up from the lowest: a lucky one alone is no reason
        while at > 0 and fits[at - 1].chance >= likely:
            at -= 1
    return list(fits[at].thresholds)


def _put_in_front(
    arrays: Sequence[Evidence], thresholds: Sequence[Threshold], j: int, worthy: Sequence[Threshold], claim: Claim
) -> list[Threshold]:
    """With member j at the threshold that serves best, or left out where none does."""
    before, after = thresholds[:j], thresholds[j + 1 :]
    fits = [measured(arrays, [*before, t, *after], claim) for t in (OUT, *worthy)]
    top = max(f.smaller for f in fits)
    useful = [f for f in fits[1:] if f.handled[j] >= WORTH and f.smaller >= top - SLACK]
    return list(max(useful, key=lambda f: f.handled[j], default=fits[0]).thresholds)


def _worthy(member: Evidence, claim: Claim) -> list[Threshold]:
    """The thresholds from which on a member's own answers reach the bar."""
    return [t for t in _thresholds(member) if _least(member, _kept(member, t), claim) >= claim.bar]


def _least(member: Evidence, mine: Bools, claim: Claim) -> float:
    """The lower end of a `SURE` interval of its score on these cases."""
    if not claim.graded:
        return wilson(int(member.right[mine].sum()), int(mine.sum()), SURE).low
    try:
        return mean_interval(member.score[mine].tolist(), SURE).low
    except ValueError:  # too few
        return 0.0


def _thresholds(member: Evidence) -> list[Threshold]:
    """The thresholds that it could have in front of others."""
    if not member.hands_on:
        return []
    return list(_grid(member)) if member.confident else [None]


def _kept(member: Evidence, threshold: Threshold) -> Bools:
    if threshold is None:
        return member.answered
    with np.errstate(invalid="ignore"):
        return member.answered & (member.confidence >= threshold)


def _grid(member: Evidence) -> list[float]:
    """Thresholds that tell its answers apart, rising: at most `GRID` of them."""
    sure = np.unique(member.confidence[member.answered])
    if len(sure) > GRID:
        sure = sure[np.linspace(0, len(sure) - 1, GRID).astype(int)]
    return sure.tolist()


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
        member.score[rows],
        _units([member.outcomes[i] for i in at]),
        member.base[rows],
        member.time[rows],
    )


def _units(outcomes: Sequence[Outcome]) -> Ints:
    """The number of each case's cluster, in order of appearance."""
    number: dict[str, int] = {}
    return np.array([number.setdefault(o.case.cluster, len(number)) for o in outcomes], dtype=np.int64)
