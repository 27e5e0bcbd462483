"""Open the store: one SQLite file that anyone can open, with every way a disk can refuse it as a typed error."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

from suffice.errors import StoreBusy, StoreError, StoreFull, StoreNewer
from suffice.store.keep import Keep, Memory
from suffice.store.schema import APPLICATION, VERSIONS

T = TypeVar("T")

PATIENCE: Final = 10.0  # seconds to wait for another process's write before StoreBusy
CHUNK: Final = 900  # keys a query: SQLite before 3.32 takes 999 parameters
NEARLY_NOTHING: Final = 64 * 1024  # bytes free below which a failed write is told as a full disk
ELSEWHERE: Final = "or set SUFFICE_HOME to a folder that you can write to"


@dataclass(frozen=True, slots=True)
class Store:
    """An open store. Use it in the thread that opened it; a context manager closes it.

    `keep` says which texts are written (None: nobody has said, so all); those that are not stay in `memory` meanwhile.
    """

    path: Path  # the SQLite file
    connection: sqlite3.Connection
    inode: int  # of the file as it was opened
    keep: Keep | None = None
    memory: Memory = field(default_factory=Memory, repr=False, compare=False)

    @property
    def texts(self) -> bool:
        """Whether texts of inputs and outputs are written."""
        return self.keep in (None, "full")

    def close(self) -> None:
        """Close the file. What was committed is kept; closing twice is harmless."""
        with mapped(self.path):
            self.connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def store_file(folder: Path | str | None = None, *, here: Path | None = None) -> Path:
    """Where the store of `folder` is, whether it exists or not.

    Default: `$SUFFICE_HOME`, else `.suffice/` here (the working directory) or in the nearest folder above that has
    one, so that going into a subfolder forgets nothing. A store of another user is passed over.
    """
    said = folder or os.environ.get("SUFFICE_HOME")
    if said:
        return Path(said).expanduser().absolute() / "store.sqlite"
    here = here or Path.cwd()
    found = (place / ".suffice" / "store.sqlite" for place in (here, *here.parents))
    return next(filter(_own, found), here / ".suffice" / "store.sqlite")


def _own(file: Path) -> bool:
    try:
        return file.is_file() and (not hasattr(os, "getuid") or file.stat().st_uid == os.getuid())
    except OSError:
        return False


def open_store(folder: Path | str | None = None, *, patience: float = PATIENCE) -> Store:
    """Open the store in `folder` (default: as `store_file` finds it), making it if there is none.

    A folder made here is private (0700, the file 0600) and keeps itself out of git; a folder that already holds other
    things keeps its mode. `patience` is how many seconds a write waits for another process. Raises StoreFull,
    StoreBusy, StoreNewer, and StoreError for a file or folder that cannot be used.
    """
    path = store_file(folder)
    with mapped(path):
        _make(path.parent, path)
        connection = sqlite3.connect(path, timeout=patience, isolation_level=None)
        try:
            _prepare(connection, path, patience)
        except BaseException:
            connection.close()
            raise
    return Store(path, connection, path.stat().st_ino)


def beside(store: Store) -> Store:
    """The same store over a connection of its own, for one other thread at a time.

    Raises StoreError if the file is gone.
    """
    with mapped(store.path):
        connection = sqlite3.connect(
            f"{store.path.as_uri()}?mode=rw",
            uri=True,
            timeout=PATIENCE,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute("PRAGMA synchronous = NORMAL")
    return Store(store.path, connection, store.inode, store.keep, store.memory)


def _make(home: Path, path: Path) -> None:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    ignore = home / ".gitignore"
    if {entry.name for entry in home.iterdir()} <= {ignore.name}:  # ours alone: not somebody's full folder
        home.chmod(0o700)
        ignore.write_text("*\n", encoding="utf-8")
    with suppress(FileExistsError):  # SQLite gives its -wal and -shm files the mode of this one
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _prepare(connection: sqlite3.Connection, path: Path, patience: float) -> None:
    connection.execute("PRAGMA trusted_schema = OFF")  # a store that came with somebody's folder runs no code
    version = _version(connection, path)
    # Going over to WAL ignores the busy timeout when two processes open a new file at once.
    until = time.monotonic() + patience
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            break
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
    # NORMAL is safe against kills, and with a WAL against power loss; a disk that can do no WAL needs FULL.
    connection.execute(f"PRAGMA synchronous = {'NORMAL' if mode == 'wal' else 'FULL'}")
    if version < len(VERSIONS):
        _upgrade(connection, path)


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """The file's schema version, 0 for an empty file. Raises StoreNewer, and StoreError for someone else's file."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    empty = connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None
    if application != APPLICATION and not (empty and application == 0 and version == 0):
        raise StoreError(
            "this SQLite file is not a Suffice store; it was left as it is",
            hint=f"move it away, {ELSEWHERE}",
            where=str(path),
        )
    if version > len(VERSIONS):
        raise StoreNewer(
            f"this store has schema {version}, written by a newer Suffice; this one reads up to {len(VERSIONS)}",
            hint="pip install --upgrade suffice, or set SUFFICE_HOME to another folder",
            where=str(path),
        )
    return int(version)


def _upgrade(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection, path)  # another process may have been first
        for statement in (s for statements in VERSIONS[version:] for s in statements):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {len(VERSIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def transaction(store: Store) -> Generator[sqlite3.Connection]:
    """Everything inside is written together or not at all, and no other process writes meanwhile.

    Never await inside. Raises the mapped StoreError; whatever is raised inside rolls back.
    """
    with mapped(store.path):
        _still_there(store)
        store.connection.execute("BEGIN IMMEDIATE")
        try:
            yield store.connection
            store.connection.execute("COMMIT")
        except BaseException:
            if store.connection.in_transaction:  # on a full disk SQLite has rolled back already
                with suppress(sqlite3.Error):  # the first error is the one to tell
                    store.connection.execute("ROLLBACK")
            raise


def _still_there(store: Store) -> None:
    # SQLite goes on writing to a file that somebody deleted (git clean -x), and all of it would be lost in silence.
    with suppress(FileNotFoundError):
        if os.stat(store.path).st_ino == store.inode:
            return
    raise StoreError(
        "the store was deleted or replaced while in use; what was recorded since it was opened is lost with it",
        hint="put the file back if it was moved, and run the same command again",
        where=str(store.path),
    )


def select_in(store: Store, sql: str, keys: Iterable[str], before: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
    """Rows of `sql`, where `{}` stands for the hashes in `keys` (32 hex digits) and `before` for the `?` ahead of it.

    One query per 900 keys, in the order of the table, so that neighbours are read together.
    """
    for chunk in chunks(sorted(map(bytes.fromhex, keys)), CHUNK):
        query = sql.format(",".join("?" * len(chunk)))
        with mapped(store.path):
            rows = store.connection.execute(query, (*before, *chunk)).fetchall()
        yield from rows


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """`items` in lists of `size`, the last one shorter."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk


@contextmanager
def mapped(path: Path) -> Generator[None]:
    """Turn what SQLite or the disk raises inside into the matching StoreError, by error code and never by words."""
    try:
        yield
    except sqlite3.Error as error:
        if not hasattr(error, "sqlite_errorcode"):  # misuse of the driver: a fault of ours, not of the disk
            raise
        raise _of_sqlite(error, path) from error
    except UnicodeDecodeError as error:  # what SQLite took for a text is none
        raise _damaged(path, "text that is none") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _full(path) from error
        raise _unusable(path, error.strerror or str(error)) from error


def _damaged(path: Path, what: str) -> StoreError:
    return StoreError(
        f"the store is damaged or not a database ({what}); it was left as it is",
        hint=f"put back a backup, or move the file away (mv {path} {path}.damaged) and start a new store; "
        "what it knew of sealed cases is then lost, so test claims need fresh cases",
        where=str(path),
    )


def _of_sqlite(error: sqlite3.Error, path: Path) -> StoreError:
    code = error.sqlite_errorcode & 0xFF  # the low byte is the kind, the rest the detail
    match code:
        case sqlite3.SQLITE_FULL:
            return _full(path)
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreBusy(
                "another process has been writing to the store for too long; what was recorded before is kept",
                hint="wait until it ends, then run the same command again",
                where=str(path),
            )
        case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_FORMAT:
            return _damaged(path, error.sqlite_errorname)
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_AUTH:
            # A disk with no byte left cannot make the -shm file, and SQLite calls that "cannot open".
            return _full(path) if _nearly_full(path) else _unusable(path, error.sqlite_errorname)
        case sqlite3.SQLITE_IOERR if _nearly_full(path):
            return _full(path)
        case _:
            return StoreError(
                f"the store cannot be read or written ({error.sqlite_errorname}: {error}); "
                "what was recorded before is kept",
                hint=f"check the disk and its quota, {ELSEWHERE}",
                where=str(path),
            )


def _full(path: Path) -> StoreFull:
    free = _free(path)
    return StoreFull(
        f"no space left for the store ({'unknown' if free is None else f'{free:,}'} bytes free); "
        "everything recorded before this is kept",
        hint="free some space and run the same command again: what is recorded is not paid for twice",
        where=str(path),
    )


def _unusable(path: Path, why: str) -> StoreError:
    return StoreError(
        f"the store cannot be opened for writing ({why})",
        hint=f"make {path.parent} a folder that you own and can write to, {ELSEWHERE}",
        where=str(path),
    )


def _free(path: Path) -> int | None:
    with suppress(OSError):
        return shutil.disk_usage(path.parent).free
    return None


def _nearly_full(path: Path) -> bool:
    free = _free(path)
    return free is not None and free < NEARLY_NOTHING
