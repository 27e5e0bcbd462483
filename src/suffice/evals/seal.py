"""The seal: which test cases are still unseen, and in which order they are used."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

from suffice.errors import UsageError
from suffice.evals.hush import hushed as hushed
from suffice.evals.task import Task
from suffice.stats.ledger import alpha_of_try
from suffice.stats.plan import default_tolerance, power
from suffice.stats.trial import Claim
from suffice.store import ledger
from suffice.store.database import Store
from suffice.values import Case, canonical


@dataclass(frozen=True, slots=True)
class Sealed:
    """Sealed cases that share one error budget: one case of each cluster, in the order that every candidate meets."""

    block: ledger.Block
    cases: tuple[Case, ...]
    passed: tuple[bool, ...]  # whether each earlier try handed its alpha on
    clusters: bool  # whether cases were left out because their cluster already has one

    @property
    def n(self) -> int:
        """Cases to use."""
        return len(self.cases)

    @property
    def alpha(self) -> float:
        """What the next try may spend."""
        return alpha_of_try(self.passed)

    def __repr__(self) -> str:
        return f"Sealed({self.n} cases, {len(self.passed)} tries so far)"


def sealed_blocks(store: Store, task: Task) -> list[Sealed]:
    """Every block of the task's test split that still has unseen cases, the fresh one last. Raises StoreError.

    A cluster is used once: it belongs to the oldest block that has a case of it, and to none when one was shown.
    """
    test = task.sealed()
    shown = shown_keys(store, test)
    used = {c.cluster for c in test if c.key in shown}
    found: list[Sealed] = []
    for block, cases in _blocks(store, task):
        units = one_per_cluster((c for c in cases if c.cluster not in used), block.order_seed)
        used |= {c.cluster for c in units}
        if units:
            history = tuple(ledger.history(store, block.id))
            found.append(Sealed(block, units, history, clusters=len(units) < len(cases)))
    return found


def dev_cases(store: Store, task: Task) -> tuple[Case, ...]:
    """The cases for looking: the task's dev, and test cases that were unsealed.

    From now on train and dev count as shown, and the store knows the sealed cases. Raises StoreError.
    """
    ledger.seal(store, [c.key for c in task.sealed()], task.name)
    ledger.expose(store, _marks((*task.train, *task.dev)), why=f"dev of {task.name}")
    known = {c.key for c in (*task.train, *task.dev)}
    shown = shown_keys(store, task.sealed())
    retired = (c for c in task.sealed() if c.key in shown and c.key not in known)
    return (*task.dev, *(Case(**{f.name: getattr(c, f.name) for f in fields(Case)}) for c in retired))


def shown_keys(store: Store, cases: Sequence[Case]) -> set[str]:
    """The keys of those of `cases` that were shown: as they are, or as the same row under other input columns.

    Raises StoreError.
    """
    marks = ledger.exposed(store, _marks(cases))
    return {c.key for c in cases if c.key in marks or c.row in marks}


def _marks(cases: Iterable[Case]) -> list[str]:
    return [mark for c in cases for mark in (c.key, c.row) if mark]


def looked_at_note(store: Store, task: Task) -> str | None:
    """What to say where test cases of this split were looked at before and so no longer count; None where none were."""
    there, left = len(task.sealed()), sealed_count(store, task)
    if there == left:
        return None
    return (
        f"{there - left} of {there} test cases were looked at before (unsealed, or dev under other flags, or the same "
        f"input as a dev case): they no longer count"
    )


def unseal(store: Store, task: Task, most: int | None = None) -> tuple[Case, ...]:
    """Retire sealed cases (about `most`, in the order of use) and give them back to look at: they are dev from now.

    A cluster is shown as a whole, because a case is not fresh when another of its customer's was seen.
    Raises UsageError where none is left, StoreError.
    """
    order = [c for block, cases in _blocks(store, task) for c in _in_order(cases, block.order_seed)]
    if not order:
        raise UsageError("there are no sealed test cases left", hint="they are dev already: suffice eval shows them")
    mates: dict[str, list[Case]] = {}
    for case in order:
        mates.setdefault(case.cluster, []).append(case)
    chosen: dict[str, Case] = {}
    for case in order:
        if most is not None and len(chosen) >= most:
            break
        chosen |= {mate.id: mate for mate in mates[case.cluster]}
    keys = {c.key for c in chosen.values()}
    ledger.retire(store, _marks(chosen.values()))
    return tuple(c for c in dev_cases(store, task) if c.key in keys)


def sealed_count(store: Store, task: Task) -> int:
    """How many of the task's test cases are still sealed. Raises StoreError."""
    shown = shown_keys(store, task.sealed())
    return sum(c.key not in shown for c in task.sealed())


def choose_block(blocks: Sequence[Sealed], bar: float) -> Sealed:
    """The block whose next try is likeliest to pass a solution halfway between bar and 1; ties go to the older one.

    The choice looks at sizes and the ledger alone, never at an outcome. Raises UsageError where there is none.
    """
    if not blocks:
        raise UsageError(
            "there are no sealed test cases, and a claim needs some",
            hint="add fresh cases to the file: about half of them are sealed",
        )

    def promise(sealed: Sealed) -> float:
        claim = Claim(bar, default_tolerance(bar, sealed.n), sealed.n, sealed.alpha)
        return power(claim, (1.0 + bar) / 2).passes

    return max(blocks, key=promise) if len(blocks) > 1 else blocks[0]


def one_per_cluster(cases: Iterable[Case], seed: int) -> tuple[Case, ...]:
    """One case of each cluster, and all of them in an order that depends on `seed` and the cases alone."""
    first: dict[str, Case] = {}
    for case in _in_order(cases, seed):
        first.setdefault(case.cluster, case)
    return tuple(first.values())


def _blocks(store: Store, task: Task) -> list[tuple[ledger.Block, list[Case]]]:
    """The task's sealed cases by block, the fresh block last."""
    by_key: dict[str, list[Case]] = {}
    shown = shown_keys(store, task.sealed())
    for case in task.sealed():
        if case.key not in shown:
            by_key.setdefault(case.key, []).append(case)
    return [(block, [c for key in block.keys for c in by_key[key]]) for block in ledger.blocks(store, by_key)]


def _in_order(cases: Iterable[Case], seed: int) -> list[Case]:
    """By a hash of the inputs; cases with the same ones by what else they hold, never by their row."""
    return sorted(cases, key=lambda c: (_place(seed, c), c.inputs_hash, canonical(c.expected), c.id))


def _place(seed: int, case: Case) -> bytes:
    return hashlib.blake2b(f"{seed} {case.key}".encode(), digest_size=8).digest()
