"""Cases to be looked at that are sealed elsewhere: the same rows under other flags, or those of another task."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from suffice.errors import SealedError
from suffice.evals.task import Task
from suffice.shown import counted, listed
from suffice.store import ledger
from suffice.store.database import Store
from suffice.values import Case

MOST: Final = 0.05  # share of claimed test cases that may be the same as cases here by chance


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """How many of `of` train and dev cases are still sealed in `tasks`; `spent` says that a claim was made on more of
    them than chance explains, and they are its test."""

    cases: int
    of: int
    tasks: tuple[str, ...]
    spent: bool

    def told(self) -> str:
        """ "40 of 100 cases to look at here are sealed as test cases of mails, under other flags or …"."""
        are = "is sealed as a test case" if self.cases == 1 else "are sealed as test cases"
        where = f" of {listed(self.tasks)}" if self.tasks else ""
        of = counted(self.of, "case")
        return f"{self.cases:,} of {of} to look at here {are}{where}, under other flags or in another file"


def marks_of(cases: Iterable[Case]) -> list[str]:
    """Everything that the store knows cases by: their keys, and those they have beside other input columns."""
    return [mark for c in cases for mark in (c.key, *c.marks)]


def sealed_elsewhere(store: Store, task: Task) -> Elsewhere | None:
    """What looking at train and dev of `task` would cost other readings; None where it costs nothing.

    What was looked at before costs nothing more, and neither does what is the same as a sealed case of this task: it
    is not fresh in its own split. Raises StoreError.
    """
    cases, own = (*task.train, *task.dev), set(marks_of(task.sealed()))
    marks = set(marks_of(cases))
    shown = ledger.exposed(store, marks)
    fresh = {c.key: {c.key, *c.marks} - own for c in cases if shown.isdisjoint({c.key, *c.marks})}
    wanted = set[str]().union(*fresh.values())
    sealed, claimed = ledger.still_sealed(store, wanted), ledger.claimed(store, wanted)
    found = [known & (sealed.keys() | claimed.keys()) for known in fresh.values()]
    if not any(found):
        return None
    hit = Counter(block for known in found for block in {claimed[mark] for mark in known if mark in claimed})
    spent = any(cases > MOST * n for (_, n), cases in hit.items())
    tasks = tuple(sorted({sealed[mark] for known in found for mark in known if mark in sealed}))
    return Elsewhere(sum(map(bool, found)), len({c.key for c in cases}), tasks, spent)


def refuse_claimed(store: Store, task: Task) -> Elsewhere | None:
    """What looking at train and dev would cost elsewhere. Raises SealedError where a claim was made on those cases:
    they are a test that somebody relies on, and what gives it up must be said."""
    found = sealed_elsewhere(store, task)
    if found is None or not found.spent:
        return found
    path = "TASK" if task.path is None else shlex.quote(str(task.path))
    raise SealedError(
        f"{found.told()}, and a claim was made on them; nothing was shown, and they are still sealed",
        hint=f"read it with the flags of that claim (suffice runs), or give them up for good: suffice unseal {path} "
        "--elsewhere, with the flags of now",
    )
