"""Inside: runs a query from a model on SQLite, read-only, and compares its rows with the expected ones."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, cast
from urllib.parse import quote

_ALLOWED: Final = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
}
TOO_LONG: Final = "took too long"
_GRACE: Final = 0.25  # seconds over its time after which the system ends what SQLite cannot: a single call
_LONGEST: Final = 10_000_000  # bytes of one value
_INNER: Final = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/|\([^()]*\)", re.DOTALL)
_ORDERED: Final = re.compile(r"\border\s+by\b", re.IGNORECASE)
Row = tuple[Any, ...]


def main() -> None:
    """Read {"database", "script", "expected", "query", "seconds", "rows", "ordered"} from stdin, say the comparison.

    An alarm that nobody handles ends the process at its time."""
    told = json.loads(sys.stdin.buffer.read())
    signal.setitimer(signal.ITIMER_REAL, told["seconds"] + _GRACE)
    _say(compared(told))
    os._exit(0)


def _say(what: dict[str, Any]) -> None:
    """A line: the last one counts, so what is said before a query runs holds where that ends this process."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def compared(told: dict[str, Any]) -> dict[str, Any]:
    """{"right", "reason"}; {"broken": reason} where the database or the expected query is at fault."""
    _say({"broken": TOO_LONG})
    try:
        connection = _opened(told["database"], told["script"], told["seconds"])
        expected = told["expected"]
        ordered = told["ordered"]
        if isinstance(expected, str):
            want = _rows(connection, expected, told)
            ordered = is_ordered(expected) if ordered is None else ordered
        else:
            given = cast("list[dict[str, Any] | list[Any]]", expected)
            want = [tuple(row.values()) if isinstance(row, dict) else tuple(row) for row in given]
    except (sqlite3.Error, MemoryError, ValueError, TypeError) as error:
        return {"broken": _said(error)}
    _say({"right": False, "reason": TOO_LONG})
    try:
        got = _rows(connection, told["query"], told)
    except (sqlite3.Error, sqlite3.Warning, MemoryError, ValueError) as error:
        return {"right": False, "reason": _said(error)}
    reason = difference(want, got, ordered=bool(ordered))
    count = f"{len(got):,} row" + ("" if len(got) == 1 else "s")
    return {"right": not reason, "reason": reason or f"the same {count}{' in the same order' if ordered else ''}"}


def is_ordered(query: str) -> bool:
    """Whether a query says ORDER BY outside of all parentheses, texts and comments."""
    before = None
    while before != query:
        before, query = query, _INNER.sub(" ", query)
    return _ORDERED.search(query) is not None


def difference(want: Sequence[Row], got: Sequence[Row], *, ordered: bool) -> str:
    """What tells two results apart, "" where nothing does: 1 is 1.0, floats agree to nine digits."""
    left, right = [_plain(row) for row in want], [_plain(row) for row in got]
    wide = {len(row) for row in left} | {len(row) for row in right}
    if len(wide) > 1 and left and right:
        return f"{len(got[0])} columns instead of {len(want[0])}"
    missing, extra = Counter(left) - Counter(right), Counter(right) - Counter(left)
    if missing or extra:
        faults = [f"rows: {len(want):,} expected, {len(got):,} given"]
        faults += [f"missing {_shown(next(iter(missing)))}"] if missing else []
        faults += [f"not expected {_shown(next(iter(extra)))}"] if extra else []
        return "; ".join(faults)
    return "the same rows in another order" if ordered and left != right else ""


def _opened(database: str | None, script: str, seconds: float) -> sqlite3.Connection:
    """A connection on which nothing but reading is allowed, and nothing for longer than `seconds`."""
    where = f"file:{quote(database)}?mode=ro" if database else ":memory:"
    connection = sqlite3.connect(where, uri=True, isolation_level=None)
    until = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() > until, 10_000)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
    if script:
        connection.executescript(script)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA query_only = ON")

    def allow(action: int, one: str | None, two: str | None, *where: str | None) -> int:
        extension = action == sqlite3.SQLITE_FUNCTION and two == "load_extension"
        return sqlite3.SQLITE_OK if action in _ALLOWED and not extension else sqlite3.SQLITE_DENY

    connection.set_authorizer(allow)
    return connection


def _rows(connection: sqlite3.Connection, query: str, told: dict[str, Any]) -> list[Row]:
    rows = cast("list[Row]", connection.execute(query).fetchmany(told["rows"] + 1))
    if len(rows) > told["rows"]:
        raise ValueError(f"more than {told['rows']:,} rows")
    return rows


def _plain(row: Row) -> Row:
    made: list[Any] = []
    for value in row:
        if isinstance(value, bool | int):
            made.append(int(value))
        elif isinstance(value, float):
            short = float(f"{value:.9g}")
            made.append(int(short) if short.is_integer() else short)
        else:
            made.append(value if isinstance(value, str | bytes) else None if value is None else str(value))
    return tuple(made)


def _shown(row: Row) -> str:
    return str(row)[:150]


def _said(error: Exception) -> str:
    if isinstance(error, sqlite3.OperationalError) and str(error) == "interrupted":
        return TOO_LONG
    if isinstance(error, MemoryError):
        return "took too much memory"
    return (str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}")[:300]
