"""What counting at most so many cases of each cluster does to a score: where it moves it, a claim is about another one.

The shift is measured on dev, where all cases of a cluster are asked; a plan finds it in the evaluations of its task.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from suffice.evals.report import shift_text
from suffice.evals.task import Task
from suffice.evals.units import sizes_of
from suffice.stats.clusters import Shift, most_counted, shift
from suffice.store import runs
from suffice.store.database import Store
from suffice.values import Outcome

WIDE = 0.9
"""The quantile of the sizes that is offered instead of the median."""


def shift_of(outcomes: Sequence[Outcome], most: int) -> Shift | None:
    """The mean score over all cases and over thinned ones, a failed call being 0; None where they hardly differ."""
    if most == 1 or not outcomes:
        return None
    scores = [0.0 if o.score is None else o.score.value for o in outcomes]
    found = shift(scores, [o.case.cluster for o in outcomes], most)
    return found if found.noted else None


def shift_note(store: Store, task: Task, most: int) -> str | None:
    """What the latest evaluation of this task on dev showed of its thinning, and what would count more of each
    cluster; None where nothing was shown. Raises StoreError."""
    if most == 1:
        return None
    for run in runs.list_runs(store, "eval"):
        told = cast("Mapping[str, Any]", run.result or {})
        if told.get("fingerprint") != task.fingerprint or told.get("split") != "dev":
            continue
        found: Any = told.get("shift")
        if not found or found.get("most") != most:
            return None
        wide = most_counted(list(sizes_of(task).values()), WIDE)
        more = f"; per_cluster = {wide} counts more of them, and takes more {task.cluster_name}s"
        text = shift_text(Shift(found["full"], found["thinned"]), most, task.cluster_name)
        return f"the dev score of {told.get('solution')} ({run.id}): {text}{more if wide > most else ''}"
    return None
