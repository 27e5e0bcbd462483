"""`compare`: two solutions on the same dev cases, pair by pair, with every flip listed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suffice.errors import UsageError
from suffice.evals.cost import PerCase, per_case, short_cost
from suffice.evals.evaluate import How, evaluated, opened, refuse_sealed
from suffice.evals.report import Report, figure, shortened
from suffice.evals.task import Task
from suffice.programs.using import maybe_using
from suffice.stats.intervals import exact_sign_test, tango
from suffice.store.database import Store
from suffice.values import ABSTAIN, Cost, Json, to_json


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
    """`after` against `before` on the `n` cases that both ran: a call that failed counts as not right."""

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

    def __str__(self) -> str:
        low, high = (f"{v:+.3f}" for v in self.interval)
        right = self.both + len(self.lost), self.both + len(self.gained)
        out = [
            f"{self.after} against {self.before}, the same {self.n} cases",
            f"  right      {right[1]} against {right[0]} of {self.n}",
            f"  difference {self.difference:+.3f} ({low} to {high} at 95%; sign test {self._p()})",
            f"  flips      {len(self.gained)} gained, {len(self.lost)} lost",
        ]
        if any(c is not None and c.usd != 0 for c in self.costs):
            old, new = map(short_cost, self.costs)
            out.insert(3, f"  cost       {new} against {old}")
        for mark, flips in (("+", self.gained), ("-", self.lost)):
            out += [
                f"    {mark} {f.source}  {_text(f.before)} -> {_text(f.after)}  | {shortened(f.inputs)}" for f in flips
            ]
        return "\n".join(out)

    def _p(self) -> str:
        return "p < .001" if self.p_value < 0.001 else f"p = {figure(self.p_value)}"


async def compare(
    task: Task, before: Any, after: Any, *, store: Store | Path | str | None = None, **options: Any
) -> Comparison:
    """Evaluate two solutions (or rungs) on dev and compare them case by case; `options` are those of `evaluate`.

    Both meet the same cases, whichever of them learns. Raises as `evaluate`.
    """
    model = options.pop("model", None)
    how = How(**options)
    refuse_sealed(task, how.split)
    with opened(store) as db, maybe_using(model):
        reports = [await evaluated(db, task, solution, how) for solution in (before, after)]
    return paired(*reports)


def paired(before: Report | Mapping[str, Any], after: Report | Mapping[str, Any]) -> Comparison:
    """Compare two reports, live or saved.

    Raises UsageError where they have hardly a case in common, or were graded in different ways.
    """
    old, new = (r.to_json() if isinstance(r, Report) else r for r in (before, after))
    if old.get("grader") != new.get("grader") and old.get("grader") and new.get("grader"):
        raise UsageError(
            "the two reports were graded in different ways, so that their scores say nothing of each other",
            hint="evaluate both with the same grader: `suffice eval TASK SOLUTION --save report.json`",
        )
    if old["fingerprint"] != new["fingerprint"]:
        pairs = _common(old["cases"], new["cases"], same_expected=True)
    else:
        pairs = _common(old["cases"], new["cases"])
    if len(pairs) < 2:
        raise UsageError(
            f"the two reports have {len(pairs) or 'no'} case{'' if len(pairs) == 1 else 's'} in common",
            hint="save a new report with `suffice eval TASK SOLUTION --save report.json`",
        )
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


def _common(
    old: list[dict[str, Json]], new: list[dict[str, Json]], same_expected: bool = False
) -> list[tuple[dict[str, Json], dict[str, Json]]]:
    rows = {(r["id"], r["key"]): r for r in old}
    pairs = [(rows[k], r) for r in new if (k := (r["id"], r["key"])) in rows]
    return [(a, b) for a, b in pairs if not same_expected or a["expected"] == b["expected"]]


def _cost(rows: Sequence[Mapping[str, Json]], report: Mapping[str, Json]) -> PerCase | None:
    """What these cases of a report take; of one that was saved by an older version nothing is known."""
    costs = [Cost(**c) if (c := row.get("cost")) is not None else None for row in rows]
    return per_case(costs, free=bool(report.get("free")))


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
