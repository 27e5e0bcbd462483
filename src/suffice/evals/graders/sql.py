"""The grader of SQL: a model's query and the expected one give the same rows on SQLite."""

from __future__ import annotations

import dataclasses
import json
import re
import signal
import subprocess
from pathlib import Path
from typing import Any, cast

from suffice.arguments import AnyPath, Count, validated
from suffice.errors import DataError
from suffice.evals.confined.queries import TOO_LONG
from suffice.evals.graders.forms import as_text
from suffice.evals.graders.grader import Grader, built
from suffice.programs.confined.limits import Limits
from suffice.programs.confined.start import Seconds, end, place, start
from suffice.shown import one_line, shown
from suffice.values import Case, Json, Score, content_hash

_FENCED = re.compile(r"(?s)```[^\n`]*\n(.*?)```")
_PLACES = "NAME.sqlite or NAME/NAME.sqlite"
_SUFFIXES = (".sqlite", ".db", ".sqlite3")


@validated
def sql(
    database: AnyPath | None = None,
    *,
    column: str = "db_id",
    schema: str = "schema",
    ordered: bool | None = None,
    timeout: Seconds = 5.0,
    rows: Count = 100_000,
) -> Grader:
    """Right where the query that a model wrote gives the expected rows on SQLite.

    The expected value is a query, or the rows (a list of lists, or of objects in the order of their columns). The
    database is a SQLite file; or a folder, in which the inputs' `column` names NAME.sqlite or NAME/NAME.sqlite; or
    without `database` what the SQL script in the inputs' column `schema` makes. Rows are compared in any order, and
    in order where the expected query says ORDER BY (or `ordered`); repeats count, names of columns do not, their
    order does, floats agree to nine digits. Of Markdown the first block is the query.

    Queries run in a process of their own, read-only: whatever is not reading is refused, PRAGMA and ATTACH included.
    A query is wrong that takes longer than `timeout` seconds, 512 MiB, or gives more than `rows` rows. Raises
    DataError for a case whose own query fails, and where a database is missing.
    """
    where = None if database is None else Path(database).expanduser().absolute()
    held = None if where is None else _held(where)

    def fn(output: Any, case: Case) -> Score:
        text = as_text(output)
        block = _FENCED.search(text)
        file = None if where is None else _file(where, case, column)
        rows_given = isinstance(case.expected, list)
        told = {
            "database": None if file is None else str(file),
            "script": _input(case, schema) if file is None else "",
            "expected": case.expected if rows_given else as_text(case.expected),
            "query": block[1] if block else text,
            "seconds": timeout,
            "rows": rows,
            "ordered": ordered,
        }
        said = _run(told, timeout)
        if "broken" in said:
            fault = f"the expected query or the database of case {case.id} is at fault: {shown(said['broken'], 200)}"
            raise DataError(fault, where=case.source)
        return Score(float(said.get("right") is True), one_line(str(said.get("reason"))[:300]))

    settings: dict[str, Any] = {
        "column": column,
        "schema": schema,
        "ordered": ordered,
        "timeout": timeout,
        "rows": rows,
        "held": held,
    }
    return dataclasses.replace(built("sql", fn, **settings), kind="text", slow=True)


def _run(told: dict[str, Any], seconds: float) -> dict[str, Any]:
    """What `confined.queries` says. Its process sees files, because no SQL that it runs can."""
    limits = Limits(seconds=seconds + 2, isolated=False)
    with place() as folder:
        process = start(
            "suffice.evals.confined.queries", limits, folder / "query", stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        try:
            said, _ = process.communicate(json.dumps(told).encode(), timeout=seconds + 10)  # it begins late, maybe
        except subprocess.TimeoutExpired:
            return {"right": False, "reason": TOO_LONG}
        finally:
            end(process)
    if process.returncode not in (0, -signal.SIGALRM):
        return {"right": False, "reason": "the query ended its process: too much memory, most likely"}
    return cast("dict[str, Any]", json.loads(said.splitlines()[-1]))


def _file(where: Path, case: Case, column: str) -> Path:
    """The database of a case. Raises DataError where it is missing or outside of the folder."""
    if not where.is_dir():
        return where
    name = _input(case, column)
    for path in (where / f"{name}{suffix}" for suffix in _SUFFIXES):
        for file in (path, where / name / path.name):
            if name and file.is_file() and file.resolve().is_relative_to(where.resolve()):
                return file
    raise DataError(
        f"there is no database {shown(name)} in {where}",
        where=case.source,
        hint=f"the input {shown(column)} names {_PLACES} (column=...)",
    )


def _held(where: Path) -> str:
    """What stands for the content of a file, or of a folder by its names and sizes. Raises DataError if missing."""
    if where.is_dir():
        try:
            sizes = [[str(p.relative_to(where)), p.stat().st_size] for p in _databases(where)]
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror}", where=str(error.filename or where)) from None
        if not sizes:
            raise DataError("there is no database in this folder", where=str(where), hint=_PLACES)
        return content_hash(sizes)
    if not where.is_file():
        raise DataError("there is no such database", where=str(where), hint="the path of a SQLite file, or a folder")
    import hashlib

    with where.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _databases(where: Path) -> list[Path]:
    """The files that a case can name: no folder is searched to its end, which may be a whole disk."""
    found = [*where.iterdir(), *(p for folder in where.iterdir() if folder.is_dir() for p in folder.glob("*.*"))]
    return sorted(p for p in found if p.suffix in _SUFFIXES and p.is_file())


def _input(case: Case, column: str) -> str:
    inputs: Json = case.inputs
    value: Json = cast("dict[str, Json]", inputs).get(column) if isinstance(inputs, dict) else None
    return value if isinstance(value, str) else ""
