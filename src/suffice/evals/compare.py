"""`compare`: two solutions on the same dev cases, pair by pair, with every flip listed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from suffice.errors import UsageError
from suffice.evals.cost import PerCase, per_case, short_cost
from suffice.evals.evaluate import How, check_task, evaluated, refuse_sealed, refuse_stopped
from suffice.evals.report import Report, figure, shortened
from suffice.evals.task import Task
from suffice.models.places.opened import opened
from suffice.programs.using import maybe_using
from suffice.shown import one_line
from suffice.stats.intervals import exact_sign_test, tango
from suffice.store.database import Store
from suffice.values import ABSTAIN, Cost, Json, to_json

Pairs = Sequence[tuple[dict[str, Json], dict[str, Json]]]
"""Rows of two reports, case by case."""


@dataclass(frozen=True, slots=True)
class Flip:
    """One case that only one of the two got right."""

    source: str
    inputs: Json
    expected: Json
    before: Json
    after: Json
    gained: bool  # right after, wrong before


@dataclass(frozen=True, slots=True)
class Comparison:
    """`after` against `before` on the `n` cases that both ran: a call that failed counts as not right.

    `fitted` counts the cases that `before`, and that `after`, was fitted on; where there are any, `unfitted` is the
    comparison on the others, None where fewer than two are left.
    """

    before: str
    after: str
    n: int
    both: int
    gained: tuple[Flip, ...] = field(repr=False)
    lost: tuple[Flip, ...] = field(repr=False)
    difference: float  # share right after - share right before
    interval: tuple[float, float]  # 95%, Tango (1998)
    p_value: float  # exact sign test over the flips, two-sided
    costs: tuple[PerCase | None, PerCase | None] = (None, None)  # before, after; None where no model was called
    fitted: tuple[int, int] = (0, 0)
    unfitted: Comparison | None = None
    notes: tuple[str, ...] = ()  # as in the two reports

    def __str__(self) -> str:
        out = [
            f"{self.after} against {self.before}, the same {self.n} cases",
            f"  right      {self._right()} of {self.n}",
            f"  difference {self.difference_text()}",
            f"  flips      {len(self.gained)} gained, {len(self.lost)} lost",
        ]
        if any(c is not None and c.usd != 0 for c in self.costs):
            old, new = map(short_cost, self.costs)
            out.insert(3, f"  cost       {new} against {old}")
        if any(self.fitted):
            out.insert(3, f"  fitted on  {self.flattery()}")
        out += [f"  note       {one_line(note)}" for note in self.notes]
        for mark, flips in (("+", self.gained), ("-", self.lost)):
            out += [
                f"    {mark} {f.source}  {_text(f.before)} -> {_text(f.after)}  | {shortened(f.inputs)}" for f in flips
            ]
        return "\n".join(out)

    def flattery(self) -> str:
        """ "words: 120 of these 186 cases, so the difference flatters; on the other 66 …", where one was fitted on."""
        alike = self.before == self.after
        names = ("the first", "the second") if alike else (self.before, self.after)
        counts = zip(names, self.fitted, strict=True)
        said = ", ".join(f"{name}: {n} of these {self.n} cases" for name, n in counts if n)
        left = self.unfitted
        rest = "too few are left to compare them by"
        if left is not None:
            rest = f"on the other {left.n}: {left._right()} right, {left.difference_text()}"
        return f"{said}, so the difference flatters; {rest}"

    def _right(self) -> str:
        return f"{self.both + len(self.gained)} against {self.both + len(self.lost)}"

    def difference_text(self) -> str:
        """ "+.038 (-.004 to +.080 at 95%; sign test p = .143)"."""
        low, high = (f"{v:+.3f}" for v in self.interval)
        return f"{self.difference:+.3f} ({low} to {high} at 95%; sign test {self._p()})"

    def _p(self) -> str:
        return "p < .001" if self.p_value < 0.001 else f"p = {figure(self.p_value)}"


async def compare(
    task: Task, before: Any, after: Any, *, store: Store | Path | str | None = None, **options: Any
) -> Comparison:
    """Evaluate two solutions (or rungs) on dev and compare them case by case; `options` are those of `evaluate`.

    Both meet the same cases, whichever of them learns. Raises as `evaluate`, and SolutionError where the calls of one
    kept failing.
    """
    check_task(task)
    model = options.pop("model", None)
    how = How(**options)
    refuse_sealed(task, how.split)
    with opened(store) as db, maybe_using(model):
        reports = [await evaluated(db, task, solution, how) for solution in (before, after)]
    for report in reports:
        refuse_stopped(report)
    return replace(paired(*reports), notes=tuple(note for report in reports for note in report.notes))


def paired(before: Report | Mapping[str, Any], after: Report | Mapping[str, Any]) -> Comparison:
    """Compare two reports, live or saved.

    Of a case that was asked several times the answers must be right each time. Raises UsageError where they have
    hardly a case in common, were graded in different ways, or asked their cases unequally often.
    """
    old, new = (r.to_json() if isinstance(r, Report) else r for r in (before, after))
    if old.get("grader") != new.get("grader") and old.get("grader") and new.get("grader"):
        raise UsageError(
            "the two reports were graded in different ways, so that their scores say nothing of each other",
            hint="evaluate both with the same grader: `suffice eval TASK SOLUTION --save report.json`",
        )
    if _times(old) != _times(new) and not (old.get("free") or new.get("free")):
        raise UsageError(
            f"{old['solution']} was asked {_times(old)} times a case and {new['solution']} {_times(new)} times, and "
            "being right each time is harder the more often it is asked",
            hint="evaluate both with the same --repeats",
        )
    pairs = common_cases(old, new)
    if len(pairs) < 2:
        raise UsageError(
            f"the two reports have {len(pairs) or 'no'} case{'' if len(pairs) == 1 else 's'} in common",
            hint="save a new report with `suffice eval TASK SOLUTION --save report.json`",
        )
    found = _compared(pairs, old, new)
    fitted = sum(_fitted(a) for a, _ in pairs), sum(_fitted(b) for _, b in pairs)
    if not any(fitted):
        return found
    left = [(a, b) for a, b in pairs if not _fitted(a) and not _fitted(b)]
    return replace(found, fitted=fitted, unfitted=_compared(left, old, new) if len(left) > 1 else None)


def _compared(pairs: Pairs, old: Mapping[str, Any], new: Mapping[str, Any]) -> Comparison:
    flips = [_flip(a, b) for a, b in pairs if _right(a) != _right(b)]
    gained, lost = tuple(f for f in flips if f.gained), tuple(f for f in flips if not f.gained)
    between = tango(len(gained), len(lost), len(pairs))
    return Comparison(
        before=old["solution"],
        after=new["solution"],
        n=len(pairs),
        both=sum(_right(a) and _right(b) for a, b in pairs),
        gained=gained,
        lost=lost,
        difference=(len(gained) - len(lost)) / len(pairs),
        interval=(between.low, between.high),
        p_value=exact_sign_test(len(gained), len(lost)),
        costs=(_cost([a for a, _ in pairs], old), _cost([b for _, b in pairs], new)),
    )


def common_cases(old: Mapping[str, Any], new: Mapping[str, Any]) -> Pairs:
    """The rows of the cases that two saved reports share; where their tasks differ, of those expecting the same."""
    rows = {(r["id"], r["key"]): r for r in old["cases"]}
    pairs = [(rows[k], r) for r in new["cases"] if (k := (r["id"], r["key"])) in rows]
    return (
        pairs
        if old["fingerprint"] == new["fingerprint"]
        else [p for p in pairs if p[0]["expected"] == p[1]["expected"]]
    )


def _cost(rows: Sequence[Mapping[str, Json]], report: Mapping[str, Json]) -> PerCase | None:
    """What these cases of a report take; of one that was saved by an older version nothing is known."""
    costs = [Cost(**c) if (c := row.get("cost")) is not None else None for row in rows]
    return per_case(costs, free=bool(report.get("free")))


def _times(report: Mapping[str, Any]) -> float:
    """How often each case was asked; a solution that is free says the same each time."""
    return (report.get("repeats") or {"most": 1})["most"]


def _fitted(row: Mapping[str, Json]) -> bool:
    return bool(row.get("fitted"))


def _right(row: Mapping[str, Json]) -> bool:
    return row["score"] is not None and row["score"] >= 1.0


def _flip(old: Mapping[str, Json], new: Mapping[str, Json]) -> Flip:
    before = old["error"] or old["answer"]
    after = new["error"] or new["answer"]
    return Flip(new["source"], new["inputs"], new["expected"], before, after, gained=_right(new))


def _text(value: Json) -> str:
    if value == to_json(ABSTAIN):
        return "handed on"
    return shortened("nothing" if value is None else value, 40)
