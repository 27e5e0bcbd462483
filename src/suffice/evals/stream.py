"""A CSV, JSONL, Parquet or Arrow file row by row, whatever its size; each with the very text it was written in, if it
has one.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TextIO

from suffice.errors import DataError, UsageError
from suffice.evals import arrow
from suffice.evals.json_rows import line_rows
from suffice.evals.python_rows import row_of
from suffice.evals.read import (
    _BOMS as MARKS,  # pyright: ignore[reportPrivateUsage]
)
from suffice.evals.read import PACKED, Bad, irregular, missing, not_text
from suffice.evals.read import (
    _delimiter as delimiter_of,  # pyright: ignore[reportPrivateUsage]
)
from suffice.evals.read import (
    _header as header_of,  # pyright: ignore[reportPrivateUsage]
)
from suffice.shown import counted, one_line, shown
from suffice.values import Json

SAMPLE = 65_536  # characters from which the delimiter is told
SHOWN = 10  # bad rows in one message
ENDS = ("\r\n", "\n", "\r")


@dataclass(frozen=True, slots=True)
class Table:
    """A file after one look at all of it. `mark` is its byte order mark, `codec` how the text after it is read.

    `counts` says in how many rows each column occurs; `head` is the text of a CSV's header; `end` its line end.
    `packed`: a Parquet or Arrow file, whose rows stand as JSON lines.
    """

    path: Path
    kind: Literal["csv", "jsonl"]
    codec: str
    mark: bytes
    delimiter: str
    counts: dict[str, int]
    rows: int
    head: str
    end: str
    sha256: str
    packed: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The columns in the order met."""
        return tuple(self.counts)


@dataclass(frozen=True, slots=True)
class Record:
    """One row. `raw` is its text as written, without the line end; of a packed file its JSON."""

    values: dict[str, Json]
    raw: str
    source: str  # "new.csv:17"


def scan(path: Path, *, encoding: str | None = None) -> Table:
    """Look at every row. Raises DataError with file, line and reason of the rows that cannot be read, MissingExtra for
    Parquet without pyarrow."""
    if arrow.is_arrow(path):
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return _counted(Table(path, "jsonl", "utf-8", b"", "", {}, 0, "", "\n", sha256, packed=True))
    codec, mark = _codec(path, encoding)
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        with _text(path, codec, mark, "") as file:
            sample = file.read(SAMPLE)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", where=str(path)) from None
    except UnicodeDecodeError as error:
        raise _undecodable(path, codec, error) from None
    if not sample.strip():
        raise DataError("the file is empty", where=path.name, hint="one row for each input")
    kind = _kind(path, sample)
    return _counted(
        Table(path, kind, codec, mark, delimiter_of(sample, path.name), {}, 0, "", _end(sample, kind), sha256)
    )


def _counted(table: Table) -> Table:
    """With its rows counted and its header. Raises DataError for rows that cannot be read, or where there are none."""
    counts: Counter[str] = Counter()
    bad: list[Bad] = []
    rows = faulty = 0
    head = ""
    for item in _items(table):
        if isinstance(item, Bad):
            faulty += 1
            bad += [item] if len(bad) < SHOWN else []
        elif isinstance(item, str):
            head = item
        else:
            rows += 1
            counts.update(item.values.keys())
    if faulty:
        lines = "".join(f"\n  {b}" for b in bad) + ("\n  ..." if faulty > len(bad) else "")
        raise DataError(f"{counted(faulty, 'row')} cannot be read, so nothing was asked:{lines}", hint="mend the file")
    if not rows:
        raise DataError("the file has no rows", where=table.path.name, hint="one row for each input")
    return replace(table, counts=dict(counts), rows=rows, head=head)


def records(table: Table) -> Iterator[Record]:
    """The rows in order. Raises DataError where the file was changed meanwhile and cannot be read any more."""
    for item in _items(table):
        if isinstance(item, Bad):
            raise DataError(f"the file was changed while it was read: {item.reason}", where=item.source)
        if isinstance(item, Record):
            yield item


def csv_lines(file: TextIO, delimiter: str) -> Iterator[tuple[int, list[str] | str, str]]:
    """Each record of a CSV: its first line, its fields (a text is the reason why there are none), its own text.

    Blank lines are left out. A quotation mark that is never closed ends it with a reason.
    """
    csv.field_size_limit(max(csv.field_size_limit(), 1 << 30))
    lines = _Lines(file)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        first = reader.line_num + 1
        try:
            fields: list[str] | str = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            fields = (
                "a quotation mark opened here is never closed"
                if "unexpected end" in str(error)
                else 'text follows a closing quotation mark (write a literal one as "")'
            )
        raw = lines.take()
        if fields:
            yield first, fields, raw


def without_end(raw: str) -> str:
    """A record's text without its line end."""
    return next((raw.removesuffix(end) for end in ENDS if raw.endswith(end)), raw)


class _Lines:
    """The lines of a file, kept until they are taken."""

    def __init__(self, file: TextIO) -> None:
        self.file = file
        self.kept: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = next(self.file)
        self.kept.append(line)
        return line

    def take(self) -> str:
        text = "".join(self.kept)
        self.kept.clear()
        return text


def _items(table: Table) -> Iterator[Record | Bad | str]:
    """Every row, bad row, and the header's text."""
    if table.packed:
        yield from _packed_items(table)
        return
    try:
        # A lone \r ends a line of a CSV, but is a space between two values of JSON.
        with _text(table.path, table.codec, table.mark, "" if table.kind == "csv" else "\n") as file:
            yield from _csv_items(table, file) if table.kind == "csv" else _json_items(table, file)
    except UnicodeDecodeError as error:
        raise _undecodable(table.path, table.codec, error) from None
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", where=str(table.path)) from None


def _csv_items(table: Table, file: TextIO) -> Iterator[Record | Bad | str]:
    header: list[str] | None = None
    for line, fields, raw in csv_lines(file, table.delimiter):
        where = f"{one_line(table.path.name)}:{line}"
        if isinstance(fields, str):
            yield Bad(where, fields)
        elif header is None:
            header = header_of(fields, where, None)
            yield without_end(raw)
        elif len(fields) != len(header):
            yield Bad(
                where, f"{len(fields)} fields where the header has {len(header)} (a separator in a text needs quotes)"
            )
        elif "\0" in raw:
            yield Bad(where, "holds a NUL byte")
        else:
            yield Record(dict(zip(header, fields, strict=True)), without_end(raw), where)


def _json_items(table: Table, file: TextIO) -> Iterator[Record | Bad]:
    for number, line in enumerate(file, 1):
        for _, row in line_rows(line):
            where = f"{one_line(table.path.name)}:{number}"
            yield Bad(where, row) if isinstance(row, str) else Record(row, line.strip(), where)


def _packed_items(table: Table) -> Iterator[Record | Bad]:
    name = one_line(table.path.name)
    for number, row in enumerate(arrow.arrow_rows(table.path, name), 1):
        found = row_of(row, f"{name}:row {number}", blank=True)
        if isinstance(found, Bad):
            yield found
        else:
            yield Record(found.values, json.dumps(found.values, ensure_ascii=False), found.source)


def _kind(path: Path, sample: str) -> Literal["csv", "jsonl"]:
    head = sample.lstrip()[0]
    if path.suffix.lower() in (".csv", ".tsv") or head not in "[{":
        return "csv"
    if head == "[":
        raise DataError(
            "this is one JSON array; rows are read one line each",
            hint="make JSON lines of it: jq -c '.[]' FILE > FILE.jsonl",
            where=path.name,
        )
    return "jsonl"


def _end(sample: str, kind: Literal["csv", "jsonl"]) -> str:
    """The first line's end."""
    line = next(iter(io.StringIO(sample, newline="" if kind == "csv" else "\n")))
    return next((end for end in ENDS if line.endswith(end)), "\n")


def _codec(path: Path, encoding: str | None) -> tuple[str, bytes]:
    """How the text is encoded, and the byte order mark before it. Raises DataError where there is no file."""
    try:
        if not path.is_file():
            raise irregular(path) if path.exists() else missing(path)
        with path.open("rb") as file:
            head = file.read(4)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", where=str(path)) from None
    if head.startswith(PACKED):
        raise not_text(path)
    for mark, name in MARKS:
        if head.startswith(mark):
            little = mark[:1] == b"\xff"
            return ("utf-8" if name == "utf-8-sig" else f"{name}-{'le' if little else 'be'}"), mark
    try:
        "".encode(encoding or "utf-8")
    except LookupError:
        raise UsageError(
            f"unknown encoding {shown(encoding)}", hint="usual ones: utf-8, utf-16, cp1252, latin-1"
        ) from None
    return encoding or "utf-8", b""


def _text(path: Path, codec: str, mark: bytes, newline: str) -> TextIO:
    file = path.open("rb")
    file.seek(len(mark))
    return io.TextIOWrapper(file, encoding=codec, newline=newline)


def _undecodable(path: Path, codec: str, error: UnicodeDecodeError) -> DataError:
    where = path.name
    if not codec.startswith(("utf-16", "utf-32", "utf_16", "utf_32")):
        with path.open("rb") as file:
            if b"\0" in file.read(SAMPLE):
                return not_text(path)
            file.seek(0)
            for number, line in enumerate(file, 1):
                try:
                    line.decode(codec)
                except UnicodeDecodeError as found:
                    where, error = f"{path.name}:{number}", found
                    break
    return DataError(
        f"byte {error.object[error.start : error.start + 1].hex()} is not {codec.upper()}",
        where=where,
        hint="save the file as UTF-8, or name its encoding: --encoding cp1252",
    )
