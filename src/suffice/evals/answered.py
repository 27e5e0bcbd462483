"""Rows with their answers added: how they are written, and what of them an interrupted run left in a file.

The text of the row itself is never touched: what is added stands at its end. Model output is data, so what is added to
a CSV (`cell`) drives neither a spreadsheet nor a terminal.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
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
_CONTROL: Final = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # all but tab and the two of line ends
_WIDE: Final = str.maketrans("＝＋－＠", "=+-@")
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
    def notes(self) -> list[str]:
        """How the output differs from what one would expect."""
        named = f"the file has a column of such a name: the answers are in {self.names[0]} and so on"
        coded = f"the file is {self.table.codec}; the output is UTF-8, which holds every answer"
        packed = "the file is packed (Parquet or Arrow); the output is JSON lines"
        differs = {named: self.names != ADDED, packed: self.table.packed, coded: self.codec != self.table.codec}
        return [note for note, so in differs.items() if so]

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
        return cell(value, exact=self.exact)


def cell(text: str, *, exact: bool = False) -> str:
    """A text as a field of a CSV: with an apostrophe in front where a spreadsheet would run it as a formula, and with
    control characters, which RFC 4180 has no place for and terminals obey, as visible escapes ("\\x1b").

    `exact` leaves all but NUL, at which readers of CSV stop, or which they refuse.
    """
    if exact:
        return text.replace("\0", "\\x00")
    text = _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
    return f"'{text}" if is_formula(text) else text


def is_formula(text: str) -> bool:
    """Whether a spreadsheet would take this text for a formula, its first sign of full width, too; a signed number is
    none."""
    text = text[:1].translate(_WIDE) + text[1:]
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


class Known:
    """A file that is there already, held against what would be written: `same` while it holds just that."""

    def __init__(self, path: Path, layout: Layout) -> None:
        self._codec, self._file = layout.codec, path.open("rb")
        head = layout.table.mark + layout.head.encode(self._codec)
        self._same = self._file.read(len(head)) == head

    def write(self, text: str) -> None:
        """Compare one row."""
        data = text.encode(self._codec, "backslashreplace")
        self._same = self._same and self._file.read(len(data)) == data

    def flush(self) -> None:
        """There is nothing to hand on."""

    def same(self) -> bool:
        """Whether the file held all rows and nothing else; it is closed."""
        with self._file as file:
            return self._same and not file.read(1)


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
