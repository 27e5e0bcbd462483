"""The seal's memory: which cases somebody has seen, and what every claim on the others has spent.

A block is a set of sealed cases fixed when it is first claimed on. Its tries share one error budget, in order,
whatever their bar or grader; blocks never share a case, so a growing split gets a fresh budget for its fresh cases
only, and an overlapping split inherits what was spent. Cases go by the hash of their folded inputs (`Case.key`), and
by those under which they are known beside other input columns (`Case.marks`).
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from suffice.errors import SealedError, StoreBusy, StoreError, UsageError
from suffice.store.database import Store, mapped, select_in, transaction
from suffice.store.runs import run_number
from suffice.values import Json, Verdict, canonical

FRESH: Final = 0  # stands for the block that is not stored yet
TRY: Final = (
    "SELECT try.id, block, try.number, candidate, claim, alpha, try.n, order_seed, kind || '-' || run.number,"
    " try.started, try.finished, verdict, used, bound, details, pauses"
)


@dataclass(frozen=True, slots=True)
class Block:
    """The sealed cases of one block that were asked for and are still sealed; `id` is None before its first try."""

    id: int | None
    keys: frozenset[str]
    n: int  # cases when it was first used
    order_seed: int  # one order for every candidate
    marks: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]], hash=False)  # of each key


@dataclass(frozen=True, slots=True)
class Try:
    """One claim on one block. An unfinished try has no verdict. Times are seconds since 1970, UTC."""

    id: int
    block: int
    number: int  # the j-th try of its block, from 1
    candidate: str
    claim: Json
    alpha: float
    n: int
    order_seed: int
    run: str | None
    started: float
    finished: float | None
    verdict: Verdict | None
    used: int | None  # cases
    bound: float | None
    details: Json
    pauses: int = 0  # how often it stopped because too many calls failed


def expose(store: Store, keys: Iterable[str], why: str) -> int:
    """Note for ever that these cases were shown ("dev", "unseal"); how many were sealed until now. Raises StoreError.

    Noting the same set again costs one look-up.
    """
    blobs = _sorted(keys)
    cases, now = _fingerprint(blobs), time.time()
    if not blobs or _known(store, "exposure", cases):
        return 0
    with transaction(store) as db:
        cursor = db.execute("INSERT OR IGNORE INTO exposure (cases, why, at) VALUES (?, ?, ?)", (cases, why, now))
        if not cursor.rowcount:
            return 0  # another process noted it in between
        number = cursor.lastrowid
        insert = "INSERT OR IGNORE INTO exposed (key, exposure) VALUES (?, ?)"
        return db.executemany(insert, ((blob, number) for blob in blobs)).rowcount


def retire(store: Store, keys: Iterable[str]) -> int:
    """What `suffice unseal` does: these cases may be looked at, and no later claim uses them. As `expose`."""
    return expose(store, keys, "unseal")


def exposed(store: Store, keys: Iterable[str]) -> set[str]:
    """Those of `keys` that were shown. Raises StoreError."""
    return {key.hex() for (key,) in select_in(store, "SELECT key FROM exposed WHERE key IN ({})", keys)}


def shown_for(store: Store, keys: Iterable[str]) -> dict[str, str]:
    """Those of `keys` that were shown, with what for: "dev of tickets". Raises StoreError."""
    query = "SELECT key, why FROM exposed JOIN exposure ON exposure.id = exposure WHERE key IN ({})"
    return {key.hex(): why for key, why in select_in(store, query, keys)}


def seal(store: Store, keys: Iterable[str], task: str) -> None:
    """Note that these are sealed cases of a task whose dev is looked at. Noting them again costs one look-up.

    Raises StoreError.
    """
    blobs = _sorted(keys)
    cases = _fingerprint(blobs)
    if not blobs or _known(store, "sealing", cases):
        return
    with transaction(store) as db:
        row = (cases, task, time.time())
        number = db.execute("INSERT OR IGNORE INTO sealing (cases, task, at) VALUES (?, ?, ?)", row).lastrowid
        insert = "INSERT OR IGNORE INTO sealed (key, sealing) VALUES (?, ?)"
        db.executemany(insert, ((blob, number) for blob in blobs))


def any_sealed(store: Store) -> bool:
    """Whether any task was looked at with this store. Raises StoreError."""
    with mapped(store.path):
        return store.connection.execute("SELECT 1 FROM sealed LIMIT 1").fetchone() is not None


def still_sealed(store: Store, keys: Iterable[str]) -> dict[str, str]:
    """Those of `keys` that are sealed cases of a task and were not shown, with the task's name. Raises StoreError."""
    query = "SELECT key, task FROM sealed JOIN sealing ON sealing.id = sealing WHERE key IN ({})"
    found = {key.hex(): task for key, task in select_in(store, query, keys)}
    shown = exposed(store, found)
    return {key: task for key, task in found.items() if key not in shown}


def claimed(store: Store, keys: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Those of `keys` that a claim was made on, with the number of their block and how many cases it had at first.

    Raises StoreError.
    """
    query = "SELECT key, block.id, n FROM block_case JOIN block ON block.id = block WHERE key IN ({})"
    return {key.hex(): (number, n) for key, number, n in select_in(store, query, keys)}


def blocks(store: Store, keys: Iterable[str], marks: Mapping[str, Iterable[str]] = MappingProxyType({})) -> list[Block]:
    """The blocks of these sealed cases, each restricted to them, oldest first; last the cases no block has, id None.

    A case belongs to the block that has its key, else to the oldest that has one of its `marks`. Cases that were shown
    are left out. Raises StoreError.
    """
    wanted = set(keys)
    known = {key: frozenset(marks.get(key, ())) for key in wanted - exposed(store, wanted)}
    select = "SELECT key, block FROM block_case WHERE key IN ({})"
    there = {key.hex(): int(number) for key, number in select_in(store, select, {*known}.union(*known.values()))}
    kept: dict[int, set[str]] = {}
    for key, own in known.items():
        number = there.get(key) or min((there[mark] for mark in own if mark in there), default=FRESH)
        kept.setdefault(number, set()).add(key)
    return [
        _block(store, number, {key: known[key] for key in members})
        for number, members in sorted(kept.items(), key=lambda one: (one[0] == FRESH, one[0]))
    ]


def begin_try(
    store: Store,
    block: Block,
    candidate: str,
    claim: Json,
    alpha_of: Callable[[Sequence[bool]], float],
    *,
    run: str | None = None,
) -> Try:
    """Begin to claim `claim` of `candidate` on `block`, or give back the try that is already there.

    The same candidate, claim and cases again are a look-up, finished or not. Else `alpha_of` gets, for each earlier
    try of the block in order, whether it passed, and its answer is spent at once, in one transaction, so that no two
    processes get the same. A try still unfinished when the next begins never counts as passed, even if it passes
    later: every alpha stays what `alpha_of` gave. A fresh block is stored with its cases, order seed and n.
    Raises SealedError if some of the cases were shown meanwhile, StoreBusy if another process took them, StoreError.
    """
    if not block.keys:
        raise UsageError(
            "there are no sealed cases to claim on", hint="add fresh test cases: suffice plan says how many"
        )
    blobs = _sorted(block.keys)
    cases = _fingerprint(blobs)
    with transaction(store) as db:
        shown = exposed(store, block.keys.union(*block.marks.values()))
        if shown:
            seen = sum(not shown.isdisjoint({key, *block.marks.get(key, ())}) for key in block.keys)
            raise SealedError(
                f"{seen} of these {len(blobs)} test cases were shown meanwhile; nothing was spent",
                hint="run the same command again: it uses the cases that are still sealed",
                where=str(store.path),
            )
        number = block.id if block.id is not None else _store_block(store, block, cases)
        known = known_try(store, replace(block, id=number), candidate, claim)
        if known is not None:
            return known
        db.execute("UPDATE try SET overtaken = 1 WHERE block = ? AND verdict IS NULL", (number,))
        passed = history(store, number)
        row = (number, len(passed) + 1, candidate, canonical(claim), cases, len(blobs), float(alpha_of(passed)))
        cursor = db.execute(
            "INSERT INTO try (block, number, candidate, claim, cases, n, alpha, run, started)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, None if run is None else run_number(run), time.time()),
        )
        return _tries(store, "WHERE try.id = ?", cursor.lastrowid)[0]


def known_try(store: Store, block: Block, candidate: str, claim: Json) -> Try | None:
    """The try that `begin_try` would give back instead of spending, None if it would spend. Raises StoreError."""
    same = "WHERE block = ? AND candidate = ? AND claim = ? AND try.cases = ?"
    found = _tries(store, same, block.id, candidate, canonical(claim), _fingerprint(_sorted(block.keys)))
    return found[0] if found else None


def note_pause(store: Store, try_id: int) -> None:
    """Note that a try stopped because too many calls failed, and goes on later. Raises StoreError."""
    with transaction(store) as db:
        db.execute("UPDATE try SET pauses = pauses + 1 WHERE id = ? AND verdict IS NULL", (try_id,))


def finish_try(
    store: Store, try_id: int, verdict: Verdict, used: int, bound: float | None = None, details: Json = None
) -> Try:
    """Note a try's verdict, the cases it used and the largest bound certified. The first verdict stands.

    Again with the same verdict changes nothing; with another one, or for an unknown try, raises StoreError.
    """
    with transaction(store) as db:
        db.execute(
            "UPDATE try SET verdict = ?, used = ?, bound = ?, details = ?, finished = ?"
            " WHERE id = ? AND verdict IS NULL",
            (verdict, used, bound, canonical(details), time.time(), try_id),
        )
        found = _tries(store, "WHERE try.id = ?", try_id)
        if not found or found[0].verdict != verdict:
            stands = f"already ended {found[0].verdict}, which stands" if found else "is not in this store"
            raise StoreError(f"try {try_id} {stands}", hint="suffice plan shows the ledger", where=str(store.path))
        return found[0]


def tries(store: Store, block: Block) -> list[Try]:
    """The block's tries in order; none for a fresh block. Raises StoreError."""
    return [] if block.id is None else _tries(store, "WHERE block = ? ORDER BY try.number", block.id)


def history(store: Store, block: int | None) -> list[bool]:
    """What the next `alpha_of` gets: for each try of block number `block` so far, whether it hands its alpha on."""
    sql = "SELECT verdict IS 'PASS' AND NOT overtaken FROM try WHERE block = ? ORDER BY number"
    with mapped(store.path):
        return [bool(passed) for (passed,) in store.connection.execute(sql, (block,))]


def _store_block(store: Store, block: Block, cases: bytes) -> int:
    """Store a fresh block inside a transaction, or find the one that was stored of the same cases meanwhile."""
    db = store.connection
    known = block.keys.union(*block.marks.values())
    taken = {row[0] for row in select_in(store, "SELECT block FROM block_case WHERE key IN ({})", known)}
    if taken:
        same = {row[0] for row in db.execute("SELECT id FROM block WHERE cases = ?", (cases,))}
        if taken <= same:
            return int(taken.pop())
        raise StoreBusy(
            "another process has just begun to claim on some of these test cases; nothing was spent",
            hint="run the same command again: it works with what is left",
            where=str(store.path),
        )
    cursor = db.execute(
        "INSERT INTO block (cases, n, order_seed, at) VALUES (?, ?, ?, ?)",
        (cases, block.n, block.order_seed, time.time()),
    )
    number = cursor.lastrowid
    assert number is not None
    db.executemany("INSERT INTO block_case (key, block) VALUES (?, ?)", ((blob, number) for blob in _sorted(known)))
    return number


def _block(store: Store, number: int, marks: Mapping[str, frozenset[str]]) -> Block:
    keys = frozenset(marks)
    if number == FRESH:
        return Block(None, keys, len(keys), _order_seed(_fingerprint(_sorted(keys))), marks)
    with mapped(store.path):
        row = store.connection.execute("SELECT n, order_seed FROM block WHERE id = ?", (number,)).fetchone()
    n, order_seed = row
    return Block(number, keys, n, order_seed, marks)


def _tries(store: Store, where: str, *given: Any) -> list[Try]:
    sql = f"{TRY} FROM try JOIN block ON block.id = block LEFT JOIN run ON run.number = run {where}"
    with mapped(store.path):
        rows = store.connection.execute(sql, given).fetchall()
    return [_try(row) for row in rows]


def _try(row: tuple[Any, ...]) -> Try:
    told = Try(*row)
    details = None if told.details is None else json.loads(told.details)
    return replace(told, claim=json.loads(told.claim), details=details)


def _known(store: Store, table: str, cases: bytes) -> bool:
    with mapped(store.path):
        found: sqlite3.Cursor = store.connection.execute(f"SELECT 1 FROM {table} WHERE cases = ?", (cases,))
        return found.fetchone() is not None


def _sorted(keys: Iterable[str]) -> list[bytes]:
    return sorted(map(bytes.fromhex, set(keys)))


def _fingerprint(blobs: Iterable[bytes]) -> bytes:
    return hashlib.blake2b(b"".join(blobs), digest_size=16).digest()


def _order_seed(fingerprint: bytes) -> int:
    """From the cases alone, so that the same cases get the same order in every store (48 bits: exact in any JSON)."""
    return int.from_bytes(fingerprint[:6])
