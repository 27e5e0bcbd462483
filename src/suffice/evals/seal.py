"""The seal: which test cases are still unseen, and in which order they are used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

from suffice.errors import UsageError
from suffice.evals.elsewhere import marks_of, refuse_claimed
from suffice.evals.fitted import fitted_clusters
from suffice.evals.hush import hushed as hushed
from suffice.evals.task import Task
from suffice.evals.units import Units, counted_per_cluster, flat, in_order, in_units
from suffice.shown import counted, listed
from suffice.stats.claim import Claim
from suffice.stats.engine import Kind
from suffice.stats.ledger import alpha_of_try
from suffice.stats.plan import default_tolerance, power
from suffice.store import ledger
from suffice.store.database import Store
from suffice.values import Case

RECORDED: Final = "recorded elsewhere"
"""Why cases of another tool's run count as shown."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """Sealed cases that share one error budget, unit by unit, in the order that every candidate meets."""

    block: ledger.Block
    units: Units
    passed: tuple[bool, ...]  # whether each earlier try handed its alpha on
    clusters: bool  # whether some cluster has more cases than one
    most: int  # cases of a cluster that count at most

    @property
    def n(self) -> int:
        """Units to use: cases, or clusters."""
        return len(self.units)

    @property
    def cases(self) -> tuple[Case, ...]:
        """The cases of all units, in order."""
        return flat(self.units)

    @property
    def alpha(self) -> float:
        """What the next try may spend."""
        return alpha_of_try(self.passed)

    def resolution(self, bar: float, *, graded: bool, kind: Kind = "population") -> float:
        """The tolerance where nobody chose one: none for a claim about these cases alone, which always settles."""
        if kind == "finite":
            return 0.0
        return default_tolerance(bar, self.n, exact=not graded and self.most == 1)

    def __repr__(self) -> str:
        return f"Sealed({len(self.cases)} cases, {len(self.passed)} tries so far)"


def sealed_blocks(
    store: Store, task: Task, learned: frozenset[str] = frozenset(), *, kind: Kind = "population"
) -> list[Sealed]:
    """Every block of the task's test split that still has unseen cases, the fresh one last. Raises StoreError.

    For a claim of `kind` "finite" every case is a unit, whatever its cluster.

    A cluster is used once: it belongs to the oldest block that has a case of it, and to none when one was shown, or
    was `learned` from by what is to be claimed on: a bundle that was fitted on another split of these cases. Raises
    UsageError where that leaves none.
    """
    test = task.sealed()
    shown = shown_keys(store, task)
    used = {c.cluster for c in test if c.key in shown} | fitted_clusters(learned, test)
    most = counted_per_cluster(task)
    found: list[Sealed] = []
    for block, cases in _blocks(store, task):
        fresh = [c for c in cases if c.cluster not in used]
        units = in_units(fresh, block.order_seed, most, alone=kind == "finite")
        used |= {c.cluster for c in fresh}
        if units:
            history = tuple(ledger.history(store, block.id))
            counted = most if any(len(unit) > 1 for unit in units) else 1
            found.append(Sealed(block, units, history, clusters=len(units) < len(fresh), most=counted))
    if not found and learned and len(shown) < len({c.key for c in test}):
        raise UsageError(
            "every sealed case is one that a solution here was fitted on, and a claim needs others",
            hint="add fresh cases to the file: about half of them are sealed",
        )
    return found


def dev_cases(store: Store, task: Task) -> tuple[Case, ...]:
    """The cases for looking, as `cases_for_looking` has them, noted as looked at (`look`)."""
    look(store, task)
    return cases_for_looking(store, task)


def cases_for_looking(store: Store, task: Task) -> tuple[Case, ...]:
    """The task's dev, and test cases that were unsealed. Nothing is noted: who shows them calls `look` first."""
    known = {c.key for c in (*task.train, *task.dev)}
    shown = shown_keys(store, task)
    retired = (c for c in task.sealed() if c.key in shown and c.key not in known)
    return (*task.dev, *(Case(**{f.name: getattr(c, f.name) for f in fields(Case)}) for c in retired))


def look(store: Store, task: Task) -> str | None:
    """Note for ever that train and dev were shown, and what is sealed; to be called before the first of them is shown.

    Gives back what to say of cases among them that are sealed elsewhere: under other flags, or in another task. Raises
    SealedError where a claim was made on these (`evals.elsewhere`), StoreError.
    """
    found = refuse_claimed(store, task)
    seal_cases(store, task)
    ledger.expose(store, marks_of((*task.train, *task.dev)), why=f"dev of {task.name}")
    recorded = _open_cases(store, task) if task.known_as else None
    return recorded if found is None else f"{found.told()}: they no longer count there"


def seal_cases(store: Store, task: Task) -> None:
    """Let the store know the sealed cases, so that nobody shows them without a word. Raises StoreError."""
    ledger.seal(store, marks_of(task.sealed()), task.name)


def give_up_elsewhere(store: Store, task: Task) -> None:
    """What `suffice unseal --elsewhere` does: train and dev may be looked at, whatever is sealed of them under other
    flags or in another task. Raises StoreError."""
    ledger.retire(store, marks_of((*task.train, *task.dev)))


def refuse_touched(store: Store, task: Task) -> None:
    """Raise UsageError where cases of a task which is open to others are said to be untouched and were dev here."""
    tested = {mark for c in task.sealed() for mark in task.known_as.get(c.key, ())}
    looked = {why for why in ledger.shown_for(store, tested).values() if not why.startswith(RECORDED)}
    if looked:
        raise UsageError(
            f"some of these cases were looked at here ({listed(sorted(looked))}), so nobody can say that they are "
            "untouched",
            hint="leave --untouched out, or decide on fresh cases: suffice climb TASK SOLUTION",
        )


def _open_cases(store: Store, task: Task) -> str | None:
    """Note for ever that the cases of a task which is open to others were shown; what to say of cases among them that
    are sealed in another task here."""
    marks = {mark for known in task.known_as.values() for mark in known}
    sealed = ledger.still_sealed(store, marks)
    ledger.expose(store, marks, why=f"{RECORDED} as {task.name}")
    if not sealed:
        return None
    there = sum(any(mark in sealed for mark in known) for known in task.known_as.values())
    return (
        f"{counted(there, 'case')} here {'is' if there == 1 else 'are'} sealed in "
        f"{listed(sorted(set(sealed.values())))}: whoever recorded these runs could look, so they no longer count there"
    )


def shown_keys(store: Store, task: Task) -> set[str]:
    """The keys of those of the task's test cases that were shown, or are the same as a train or dev case: as they are,
    or under other input columns (`evals.marks`). Raises StoreError."""
    test = task.sealed()
    marks = ledger.exposed(store, marks_of(test)).union(marks_of((*task.train, *task.dev)))
    return {c.key for c in test if not marks.isdisjoint({c.key, *c.marks})}


def looked_at_note(store: Store, task: Task) -> str | None:
    """What to say where test cases of this split were looked at before and so no longer count; None where none were."""
    there, left = len(task.sealed()), sealed_count(store, task)
    if there == left:
        return None
    return (
        f"{there - left} of {there} test cases were looked at before (unsealed, or dev under other flags, or in a run "
        f"of another tool, or the same input as a dev case): they no longer count"
    )


def fitted_note(store: Store, task: Task, learned: frozenset[str]) -> str | None:
    """What to say where sealed cases are left out because a solution `learned` from them; None where none is."""
    test = task.sealed()
    shown, fitted = shown_keys(store, task), fitted_clusters(learned, test)
    lost, there = sum(c.cluster in fitted and c.key not in shown for c in test), sum(c.key not in shown for c in test)
    return f"{lost} of {there} sealed cases are left out: a solution here was fitted on them" if lost else None


def unseal(store: Store, task: Task, most: int | None = None) -> tuple[Case, ...]:
    """Retire sealed cases (about `most`, in the order of use) and give them back to look at: they are dev from now.

    A cluster is shown as a whole, because a case is not fresh when another of its customer's was seen.
    Raises UsageError where none is left, StoreError.
    """
    order = [c for block, cases in _blocks(store, task) for c in in_order(cases, block.order_seed)]
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
    ledger.retire(store, marks_of(chosen.values()))
    return tuple(c for c in cases_for_looking(store, task) if c.key in keys)


def sealed_count(store: Store, task: Task) -> int:
    """How many of the task's test cases are still sealed. Raises StoreError."""
    shown = shown_keys(store, task)
    return sum(c.key not in shown for c in task.sealed())


def choose_block(blocks: Sequence[Sealed], bar: float, *, graded: bool = False, kind: Kind = "population") -> Sealed:
    """The block whose next try is likeliest to pass a solution halfway between bar and 1; ties go to the older one.

    The choice looks at sizes and the ledger alone, never at an outcome. Raises UsageError where there is none.
    """
    if not blocks:
        raise UsageError(
            "there are no sealed test cases, and a claim needs some",
            hint="add fresh cases to the file, about half of them are sealed; those that were looked at are no longer",
        )

    def promise(sealed: Sealed) -> float:
        slack = sealed.resolution(bar, graded=graded, kind=kind)
        claim = Claim(bar, slack, sealed.n, sealed.alpha, kind=kind, graded=graded, most=sealed.most)
        return power(claim, (1.0 + bar) / 2).passes

    return max(blocks, key=promise) if len(blocks) > 1 else blocks[0]


def _blocks(store: Store, task: Task) -> list[tuple[ledger.Block, list[Case]]]:
    """The task's sealed cases by block, the fresh block last."""
    by_key: dict[str, list[Case]] = {}
    shown = shown_keys(store, task)
    for case in task.sealed():
        if case.key not in shown:
            by_key.setdefault(case.key, []).append(case)
    found = ledger.blocks(store, by_key, {key: cases[0].marks for key, cases in by_key.items()})
    return [(block, [c for key in block.keys for c in by_key[key]]) for block in found]
