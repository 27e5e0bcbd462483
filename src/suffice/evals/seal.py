"""The seal: which test cases are still unseen, in which order they are used, and silence while they run."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import sys
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, fields

from suffice.errors import UsageError
from suffice.evals.task import Task
from suffice.stats.ledger import alpha_of_try
from suffice.stats.plan import default_tolerance, power
from suffice.stats.trial import Claim
from suffice.store import ledger
from suffice.store.database import Store
from suffice.values import Case


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
    """Every block of the task's test split that still has unseen cases, the fresh one last. Raises StoreError."""
    by_key: dict[str, list[Case]] = {}
    for case in task.sealed():
        by_key.setdefault(case.key, []).append(case)
    found: list[Sealed] = []
    for block in ledger.blocks(store, by_key):
        members = [c for key in block.keys for c in by_key[key]]
        units = one_per_cluster(members, block.order_seed)
        history = tuple(ledger.history(store, block.id))
        found.append(Sealed(block, units, history, clusters=len(units) < len(members)))
    return found


def dev_cases(store: Store, task: Task) -> tuple[Case, ...]:
    """The cases for looking: the task's dev, and test cases that were unsealed. Train and dev count as shown from now.

    Raises StoreError.
    """
    ledger.expose(store, [c.key for c in (*task.train, *task.dev)], why=f"dev of {task.name}")
    known = {c.key for c in (*task.train, *task.dev)}
    shown = ledger.exposed(store, [c.key for c in task.sealed()])
    retired = (c for c in task.sealed() if c.key in shown and c.key not in known)
    return (*task.dev, *(Case(**{f.name: getattr(c, f.name) for f in fields(Case)}) for c in retired))


def in_shape(store: Store, task: Task, learns: bool) -> Task:
    """The task with more cases for dev and test where no rung learns (10/30/60), unless one of those test cases was
    already looked at, or the task says its shape."""
    if learns or task.shape_said:
        return task
    wide = task.with_shape("10/30/60")
    return task if ledger.exposed(store, [c.key for c in wide.sealed()]) else wide


def unseal(store: Store, task: Task, most: int | None = None) -> tuple[Case, ...]:
    """Retire sealed cases (at most `most`, in the order of use) and give them back to look at: they are dev from now.

    Raises UsageError where none is left, StoreError.
    """
    blocks = sealed_blocks(store, task)
    keys = [key for b in blocks for key in dict.fromkeys(c.key for c in _in_order(task, b))]
    if not keys:
        raise UsageError("there are no sealed test cases left", hint="they are dev already: suffice eval shows them")
    chosen = set(keys if most is None else keys[:most])
    ledger.retire(store, chosen)
    return tuple(c for c in dev_cases(store, task) if c.key in chosen)


def sealed_count(store: Store, task: Task) -> int:
    """How many of the task's test cases are still sealed. Raises StoreError."""
    shown = ledger.exposed(store, [c.key for c in task.sealed()])
    return sum(c.key not in shown for c in task.sealed())


def _in_order(task: Task, sealed: Sealed) -> list[Case]:
    members = [c for c in task.sealed() if c.key in sealed.block.keys]
    return sorted(members, key=lambda c: (_place(sealed.block.order_seed, c), c.id))


def choose_block(blocks: Sequence[Sealed], bar: float) -> Sealed:
    """The block whose next try is likeliest to pass a solution halfway between bar and 1; ties go to the older one.

    The choice looks at sizes and the ledger alone, never at an outcome. Raises UsageError where there is none.
    """
    if not blocks:
        raise UsageError(
            "there are no sealed test cases left", hint="add fresh cases; `suffice plan` says how many it takes"
        )

    def promise(sealed: Sealed) -> float:
        claim = Claim(bar, default_tolerance(bar, sealed.n), sealed.n, sealed.alpha)
        return power(claim, (1.0 + bar) / 2).passes

    return max(blocks, key=promise) if len(blocks) > 1 else blocks[0]


def one_per_cluster(cases: Iterable[Case], seed: int) -> tuple[Case, ...]:
    """One case of each cluster, and all of them in an order that depends on `seed` and the cases alone."""
    first: dict[str, Case] = {}
    for case in sorted(cases, key=lambda c: (_place(seed, c), c.id)):
        first.setdefault(case.cluster, case)
    return tuple(first.values())


@contextlib.contextmanager
def hushed() -> Generator[None]:
    """Hold back what a solution prints or logs while sealed cases run: Python's streams and the process's own.

    Everything that this process, its threads and its children write to stdout and stderr meanwhile is dropped; a
    caller who has something to say keeps a duplicate of the descriptor.
    """
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.ExitStack() as stack:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        for number in (1, 2):
            with contextlib.suppress(OSError):  # a process without that stream
                kept = os.dup(number)
                os.dup2(nowhere.fileno(), number)
                stack.callback(_restore, kept, number)
        stack.enter_context(contextlib.redirect_stdout(nowhere))
        stack.enter_context(contextlib.redirect_stderr(nowhere))
        before = logging.root.manager.disable
        logging.disable(logging.CRITICAL)
        stack.callback(logging.disable, before)
        yield


def _restore(kept: int, number: int) -> None:
    os.dup2(kept, number)
    os.close(kept)


def _place(seed: int, case: Case) -> bytes:
    return hashlib.blake2b(f"{seed} {case.key}".encode(), digest_size=8).digest()
