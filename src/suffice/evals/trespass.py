"""Sealed test cases among the rows of a file that is to be answered: whoever reads the answers has looked at them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from suffice.errors import SealedError
from suffice.evals.marks import passage_keys, telling_keys
from suffice.evals.stream import Table, records
from suffice.shown import counted
from suffice.store import ledger
from suffice.store.database import Store, chunks, open_store, store_file
from suffice.values import Json, case_key

MOST: Final = 0.05  # share of a file's rows that may be the same as sealed cases by chance
ROWS: Final = 5_000  # rows looked up at a time


def refuse_sealed_rows(table: Table, inputs: Sequence[str], store: Store | Path | str | None) -> list[str]:
    """What is worth saying of rows that are sealed cases of a task which this store knows.

    A few are chance: people ask the same things. Raises SealedError above 5% of the rows, as that is the test itself.
    """
    if isinstance(store, Store):
        return _found(table, inputs, store)
    if not store_file(store).is_file():  # loading and answering need no writable disk
        return []
    with open_store(store) as home:
        return _found(table, inputs, home)


def _found(table: Table, inputs: Sequence[str], store: Store) -> list[str]:
    if not ledger.any_sealed(store):
        return []
    places: list[str] = []
    tasks: set[str] = set()
    for some in chunks(records(table), ROWS):
        known = [_known_by(asked(record.values, inputs)) for record in some]
        sealed = ledger.still_sealed(store, (key for keys in known for key in keys))
        places += [record.source for record, keys in zip(some, known, strict=True) if not keys.isdisjoint(sealed)]
        tasks |= set(sealed.values())
    if not places:
        return []
    same = f"{counted(len(places), 'row')} of {table.rows:,}, the first at {places[0]},"
    of = f"sealed test case{'s' if len(places) > 1 else ''} of {', '.join(sorted(tasks))}"
    if len(places) > MOST * table.rows:
        raise SealedError(
            f"{same} {'are' if len(places) > 1 else 'is a'} {of}; nothing was asked",
            hint="apply to new inputs; `suffice unseal TASK` makes test cases dev, for good",
            where=table.path.name,
        )
    return [f"{same} ask the same as {of}: no claim should come from somebody who tunes on their answers"]


def _known_by(inputs: Json) -> set[str]:
    return {case_key(inputs), *telling_keys(inputs).values(), *passage_keys(inputs)}


def asked(values: dict[str, Json], inputs: Sequence[str]) -> Json:
    """A row's inputs: the bare value of one column, a dict of several."""
    return {name: values[name] for name in inputs} if len(inputs) > 1 else values[next(iter(inputs))]
