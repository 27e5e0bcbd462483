"""Cases that a solution was fitted on: any figure on them flatters, and no claim may count them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from suffice.evals.task import Task
from suffice.programs.learned import case_mark
from suffice.values import Case


def fitted_ids(task: Task, learned: frozenset[str], cases: Iterable[Case]) -> frozenset[str]:
    """The ids of those of `cases` that a solution which `learned` was fitted on, or on others of their cluster."""
    if not learned:
        return frozenset()
    clusters = fitted_clusters(learned, (*task.train, *task.dev, *task.sealed()))
    return frozenset(case.id for case in cases if case.cluster in clusters)


def unfitted(task: Task, learned: frozenset[str], cases: Sequence[Case]) -> list[Case]:
    """Those of `cases` that it was fitted neither on nor on others of their cluster, in their order."""
    fitted = fitted_ids(task, learned, cases)
    return [case for case in cases if case.id not in fitted]


def fitted_clusters(learned: frozenset[str], cases: Sequence[Case]) -> set[str]:
    """The clusters that hold one of those of `cases` that were learned from; a case alone is its own."""
    return {case.cluster for case in cases if case_mark(case.key) in learned}
