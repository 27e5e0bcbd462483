"""What counts as one in a test: a case, or the counted cases of a cluster; chosen and ordered before any score."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable

from suffice.evals.task import Task
from suffice.stats.clusters import most_counted
from suffice.values import Case, canonical

Units = tuple[tuple[Case, ...], ...]


def counted_per_cluster(task: Task) -> int:
    """How many cases of a cluster count at most: what the task says, else the median size of the clusters, at least 2.

    By the clusters of train and dev, because sizes must not be chosen by those that are tested; 1 where no case has
    company.
    """
    if task.cluster_name is None:
        return 1
    if task.per_cluster is not None:
        return task.per_cluster
    sizes, tested = sizes_of(task), Counter(c.cluster for c in task.sealed())
    if max((*sizes.values(), *tested.values()), default=1) == 1:
        return 1
    return most_counted(list((sizes or tested).values()))


def sizes_of(task: Task) -> Counter[str]:
    """How many cases each cluster has in train and dev."""
    return Counter(c.cluster for c in (*task.train, *task.dev))


def in_units(cases: Iterable[Case], seed: int, most: int, *, alone: bool = False) -> Units:
    """At most `most` cases of each cluster, by cluster, in an order that depends on `seed` and the cases alone.

    `alone`: every case by itself, for a claim about these cases, which are drawn one by one whatever they share.
    """
    ordered = in_order(cases, seed)
    if alone:
        return tuple((case,) for case in ordered)
    units: dict[str, list[Case]] = {}
    for case in ordered:
        mates = units.setdefault(case.cluster, [])
        if len(mates) < most:
            mates.append(case)
    return tuple(map(tuple, units.values()))


def flat(units: Units) -> tuple[Case, ...]:
    """All cases of the units, in order."""
    return tuple(case for unit in units for case in unit)


def in_order(cases: Iterable[Case], seed: int) -> list[Case]:
    """By a hash of the inputs; cases with the same ones by what else they hold, never by their row."""
    return sorted(cases, key=lambda c: (_place(seed, c), c.inputs_hash, canonical(c.expected), c.id))


def _place(seed: int, case: Case) -> bytes:
    return hashlib.blake2b(f"{seed} {case.key}".encode(), digest_size=8).digest()
