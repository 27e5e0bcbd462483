"""Rows with their answers added: how they are written, and what of them an interrupted run left in a file.

The text of the row itself is never touched: what is added stands at its end. In a CSV, a text that a spreadsheet
would run as a formula gets an apostrophe in front, because model output is data; `exact` leaves it off.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, TextIO

from suffice.errors import DataError
from suffice.evals.stream import Record, Table, csv_lines, records, without_end
from suffice.values import ABSTAIN, Json, Outcome, to_json

ADDED: Final = ("answer", "confidence", "answered_by", "status", "error")
STATUS: Final = ("answered", "nothing", "abstained", "failed")
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Layout:
    """How the rows of `table` are written. `names` are the added columns, in the order of ADDED."""

    table: Table
    names: tuple[str, ...]
    solution: str  # who answered where no member of a route is named
    exact: bool = False

    @property
    def codec(self) -> str:
        """The encoding of the output: the input's where it is a Unicode one, else UTF-8."""
        return self.table.codec if self.table.codec.startswith(("utf-8", "utf-16-", "utf-32-")) else "utf-8"

    @property
    def head(self) -> str:
        """The header's text, empty for JSONL."""
        if self.table.kind == "jsonl":
            return ""
        return f"{self.table.head}{self.table.delimiter}{_csv(self.names, self.table.delimiter)}{self.table.end}"

    def row(self, record: Record, outcome: Outcome) -> str:
        """The text of one row with its answer, line end included."""
        values = self._values(outcome)
        if self.table.kind == "jsonl":
            body, text = _open_object(record.raw), _json(dict(zip(self.names, values, strict=True)))
            return f"{body}{text[1:]}{self.table.end}"
        fields = [self._field(v) for v in values]
        return f"{record.raw}{self.table.delimiter}{_csv(fields, self.table.delimiter)}{self.table.end}"

    def status_of(self, record: Record, raw: str, fields: Sequence[str]) -> str | None:
        """The status in a written row; None where it is not wholly this record's row."""
        if not raw.endswith(self.table.end):
            return None
        if self.table.kind == "jsonl":
            try:
                row = json.loads(raw)
            except ValueError:
                return None
            start, status = _open_object(record.raw), row.get(self.names[3])
            complete = all(name in row for name in self.names)
        else:
            start, status = f"{record.raw}{self.table.delimiter}", fields[-2] if len(fields) > 1 else ""
            complete = len(fields) == len(self.table.names) + len(self.names)
        return status if complete and raw.startswith(start) and status in STATUS else None

    def _values(self, outcome: Outcome) -> tuple[Json, ...]:
        answer = outcome.answer
        if answer is None:
            failure = outcome.failure
            return None, None, None, "failed", f"{failure.kind}: {failure.message}" if failure else ""
        sure = None if answer.confidence is None else round(float(answer.confidence), 6)
        if answer.value is ABSTAIN:
            return to_json(ABSTAIN), sure, None, "abstained", None
        status = "nothing" if answer.value is None else "answered"
        return to_json(answer.value), sure, answer.by or self.solution, status, None

    def _field(self, value: Json) -> str:
        if value is None or value == to_json(ABSTAIN):
            return ""
        if not isinstance(value, str):
            return _json(value)
        return value if self.exact or not is_formula(value) else f"'{value}"


def is_formula(text: str) -> bool:
    """Whether a spreadsheet would take this text for a formula; a signed number is none."""
    if not text.startswith(FORMULA):
        return False
    try:
        float(text)
    except ValueError:
        return True
    return False


def added_names(names: Sequence[str]) -> tuple[str, ...]:
    """Names for the added columns that no column of the file has: the usual ones, else all with a prefix."""
    taken = {name.strip().casefold() for name in names}
    prefix = ""
    while any(f"{prefix}{name}" in taken for name in ADDED):
        prefix += "suffice_"
    return tuple(f"{prefix}{name}" for name in ADDED)


@dataclass(slots=True)
class Kept:
    """What of a file is wholly written: so many bytes, and rows by status."""

    size: int
    rows: int
    statuses: Counter[str]


def kept(path: Path, layout: Layout, *, failed: bool = True) -> Kept:
    """How far the file at `path` holds these rows, or holds them without one that `failed`. What a kill cut off in the
    middle does not count."""
    table, codec = layout.table, layout.codec
    head = table.mark + layout.head.encode(codec)
    found = Kept(len(head), 0, Counter())
    with path.open("rb") as binary:
        if binary.read(len(head)) != head:
            return Kept(0, 0, Counter())
        newline = "" if table.kind == "csv" else "\n"
        with io.TextIOWrapper(binary, encoding=codec, errors="replace", newline=newline) as file:
            written = csv_lines(file, table.delimiter) if table.kind == "csv" else ((0, [""], line) for line in file)
            for record, (_, fields, raw) in zip(records(table), written, strict=False):
                status = None if isinstance(fields, str) else layout.status_of(record, raw, fields)
                if status is None or (status == "failed" and not failed):
                    break
                found.size += len(raw.encode(codec))
                found.rows += 1
                found.statuses[status] += 1
    return found


class OutFile:
    """The output file, written to its end. Raises DataError where the disk refuses; what was written is kept."""

    def __init__(self, path: Path, layout: Layout, size: int) -> None:
        self._path, self._codec = path, layout.codec
        with _told(path):
            self._file: BinaryIO = path.open("r+b" if path.exists() else "w+b")
            self._file.truncate(size)
            self._file.seek(size)
            if size == 0:
                self._file.write(layout.table.mark + layout.head.encode(self._codec))

    def write(self, text: str) -> None:
        """Add one row."""
        with _told(self._path):
            try:
                self._file.write(text.encode(self._codec))
            except UnicodeEncodeError:  # half of a surrogate pair in an answer
                self._file.write(text.encode(self._codec, "backslashreplace"))

    def flush(self) -> None:
        """Hand what was added to the system, so that a kill cannot lose it."""
        with _told(self._path):
            self._file.flush()

    def close(self) -> None:
        """Write everything down and close."""
        with _told(self._path):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()


class OutText:
    """An open text file, such as standard output, which is left open at the end."""

    def __init__(self, file: TextIO, layout: Layout) -> None:
        self._file = file
        self.write(layout.head)

    def write(self, text: str) -> None:
        """Add one row."""
        with _told(Path("standard output")):
            self._file.write(text)

    def flush(self) -> None:
        """Hand on what was added."""
        with _told(Path("standard output")):
            self._file.flush()

    def close(self) -> None:
        """Hand on what was added; the file is the caller's."""
        self.flush()


class _told:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):  # `| head` has read enough
            raise DataError(
                f"cannot be written: {error.strerror or error}; the rows before are kept",
                hint="free some space or choose another place; the same command goes on where this one stopped",
                where=str(self.path),
            ) from error


class _Echo:
    """A file that hands back what is written."""

    def write(self, text: str) -> str:
        return text


def _csv(fields: Sequence[str], delimiter: str) -> str:
    line: Any = csv.writer(_Echo(), delimiter=delimiter, lineterminator="\r\n").writerow(fields)
    return without_end(line)


def _json(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value)
    return text


def _open_object(raw: str) -> str:
    """A JSON object's text up to its closing brace, ready for more members."""
    body = raw.rstrip()[:-1].rstrip()
    return body if body == "{" else f"{body}, "
