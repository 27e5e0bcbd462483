"""From what a user asks ("--bar .9", "--within .05 --of big") to the claim about a task's sealed cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from suffice.errors import BarError, UsageError
from suffice.evals.claim import Stated
from suffice.evals.seal import Sealed, choose_block, sealed_blocks
from suffice.evals.task import Task
from suffice.ladder.relative import Reference, reference_of
from suffice.ladder.rung import Rung, as_rung, from_text
from suffice.shown import brief, shown
from suffice.stats.engine import Kind
from suffice.store.database import Store
from suffice.values import content_hash, to_json

MANY = 1e9  # no share, time or difference is as large


class Conditions(TypedDict, total=False):
    """What may be asked beside the bar: `p95` in seconds; `within` of the solution `of`, instead of a bar; `finite`: of
    these sealed inputs alone."""

    p95: float | None
    within: float | None
    of: Any
    finite: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a solution. None: what the task says.

    `coverage` is a share or "max". `p95` is the time in seconds within which 95% of the calls must end, at
    `concurrency` side by side. With a `reference` the bar is relative.
    """

    bar: float | None = None
    tolerance: float | None = None
    coverage: float | str | None = None
    p95: float | None = None
    reference: Reference | None = None
    concurrency: int = 8
    kind: Kind = "population"


def asked_of(task: Task, rungs: Sequence[Rung], claim: dict[str, Any], more: Conditions) -> Asked:
    """What these options ask; `claim` holds bar, tolerance and coverage. `of` is a rung of the ladder by name, another
    solution as in a command, or one itself.

    Raises UsageError where options contradict one another, BarError for impossible shares and times.
    """
    p95, within = _number("p95", more.get("p95")), _number("within", more.get("within"))
    of, finite = more.get("of"), more.get("finite", False)
    if p95 is not None and not 0 < p95 < float("inf"):
        raise BarError(f"--p95 is a time in seconds, not {p95:g}", hint="--p95 2")
    if (within is None) != (of is None):
        raise UsageError("--within and --of go together", hint="--within .05 --of my.py:big_model")
    if finite and (p95 is not None or within is not None):
        said = "--p95" if p95 is not None else "--within"
        raise UsageError(f"--finite is about these inputs alone, {said} about calls to come", hint="leave one out")
    if within is None:
        return Asked(**claim, p95=p95, kind="finite" if finite else "population")
    said = [name for name, value in claim.items() if value is not None]
    if said:
        raise UsageError(f"--within is a bar of its own: {said[0]} says another one", hint=f"leave --{said[0]} out")
    named = next((r for r in rungs if r.name == of), None)
    rung = named or (from_text(of, task.path) if isinstance(of, str) else as_rung(of))
    return Asked(p95=p95, reference=reference_of(rung, within))


def state_claim(store: Store, task: Task, asked: Asked, learned: frozenset[str] = frozenset()) -> tuple[Stated, Sealed]:
    """The claim that is asked of the task, and the sealed cases for it: none that a rung `learned` from.

    Raises UsageError without a bar or sealed cases, and BarError for impossible shares.
    """
    relative = asked.reference
    bar = 0.5 if relative is not None else _bar(task, asked.bar)
    graded = task.grader.graded or relative is not None
    sealed = choose_block(sealed_blocks(store, task, learned, kind=asked.kind), bar, graded=graded, kind=asked.kind)
    labels = content_hash(sorted([c.key, to_json(c.expected)] for c in sealed.cases))
    cover = None if relative is not None else _coverage(task.coverage if asked.coverage is None else asked.coverage)
    return Stated(
        bar=bar,
        tolerance=_tolerance(task, asked, bar, sealed, graded),
        coverage=cover,
        n=sealed.n,
        per=task.cluster_name if sealed.clusters else None,
        grader=task.grader.identity,
        labels=labels,
        graded=graded,
        most=sealed.most,
        p95=asked.p95,
        concurrency=asked.concurrency if asked.p95 is not None else None,
        within=None if relative is None else relative.within,
        of=None if relative is None else relative.name,
        reference=None if relative is None else content_hash([relative.rung.identity, task.fingerprint]),
        open=bool(task.known_as),
        kind=asked.kind,
    ), sealed


def _tolerance(task: Task, asked: Asked, bar: float, sealed: Sealed, graded: bool) -> float:
    if asked.reference is not None:
        return round(asked.reference.within / 2, 10)
    slack = _number("tolerance", task.tolerance if asked.tolerance is None else asked.tolerance)
    if slack is None:
        slack = sealed.resolution(bar, graded=graded, kind=asked.kind)
    if not 0 <= slack < bar:
        raise BarError(f"a tolerance must lie between 0 and the bar {bar:g}, not {slack:g}")
    return slack


def _bar(task: Task, bar: float | None) -> float:
    asked = _number("bar", task.bar if bar is None else bar)
    if asked is None:
        raise UsageError("how good is good enough? There is no bar", hint="--bar .9, or bar = 0.9 in task.toml")
    if not 0 < asked <= 1:
        raise BarError(f"a bar is a share of right answers between 0 and 1, not {asked:g}", hint="--bar .9")
    return float(asked)


def _number(name: str, value: Any) -> float | None:
    """A number as it was said. Raises BarError for what is none."""
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool) and not abs(value) >= MANY):
        return value
    raise BarError(f"{name} is a number, not {shown(value)}", hint=f"{name}=0.9")


def _coverage(said: float | str | None) -> float | None:
    if said is None:
        return None
    if said == "max":
        return 0.0
    if isinstance(said, str) or not 0 < said <= 1:
        told = f'a coverage is a share of inputs between 0 and 1, or "max", not {brief(said)}'
        raise BarError(told, hint="--coverage .6")
    return None if said == 1 else float(said)  # every input: what a claim without coverage is about
