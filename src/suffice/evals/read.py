"""Files to rows: JSONL, JSON, CSV, TSV, Parquet and Arrow, each row with the file and line where it starts."""

from __future__ import annotations

import codecs
import csv
import difflib
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from suffice.arguments import is_path
from suffice.errors import DataError, UsageError
from suffice.evals import arrow
from suffice.evals.dataset_folder import files_of
from suffice.evals.dataset_folder import spelled as spelled
from suffice.evals.json_rows import MAX_COLUMNS, array_rows, line_rows, starts_lines
from suffice.shown import counted, listed, one_line, shown
from suffice.values import Json, Split

STREAMS = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")
SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", *arrow.SUFFIXES)
_BOMS = (  # UTF-32 first: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
PACKED = (b"PK\x03\x04", b"PAR1")
"""How files begin that hold tables, but no text: .xlsx and other zips, .parquet."""


@dataclass(frozen=True, slots=True, repr=False)
class Row:
    """One row as it was read; it may be a sealed case, so it does not print.

    `typed` is False where every value is a text (CSV). `split` is what its file says.
    """

    values: dict[str, Json]
    source: str
    typed: bool = True
    split: Split | None = None


@dataclass(frozen=True, slots=True)
class Bad:
    """A row that cannot be used. `reason` holds no value of a row that is, or may be, sealed."""

    source: str
    reason: str

    def __str__(self) -> str:
        return f"{self.source}: {self.reason}"


@dataclass(frozen=True, slots=True, repr=False)
class Table:
    """All rows of a task, those that cannot be used, and the names of the columns in the order met.

    `open_columns` are the names met outside a given test split: only these may be listed in a message, because the
    "header" of a sealed file without a header is a sealed case.
    """

    rows: tuple[Row, ...]
    bad: tuple[Bad, ...]
    columns: tuple[str, ...]
    open_columns: frozenset[str]


def read_file(
    path: Path, *, encoding: str | None = None, split: Split | None = None, called: str | None = None
) -> Table:
    """All rows of one file, which their sources call by its name, or as it is `called` in a folder.

    Raises DataError where the file as a whole cannot be read, MissingExtra for Parquet without pyarrow.
    """
    name = one_line(called or path.name)
    if arrow.is_arrow(path):
        return _arrow_table(path, name, split)
    text = _text(path, encoding)
    if not text.strip():
        raise DataError("the file is empty", where=path.name, hint="a task needs cases: one row each")
    suffix, head = path.suffix.lower(), text.lstrip()[:1]
    if suffix in (".csv", ".tsv") or (suffix not in SUFFIXES and head not in "[{"):
        return gather(_csv_rows(text, name, split))
    array = suffix == ".json" or (head == "[" and not starts_lines(text))
    found = array_rows(text, name) if array else None
    if found is None:
        places = ((f"{name}:{line}", row) for line, row in line_rows(text))
    elif len({line for line, _ in found}) == len(found):
        places = ((f"{name}:{line}", row) for line, row in found)
    else:  # several rows on one line
        places = ((f"{name}[{i}]", row) for i, (_, row) in enumerate(found))
    return gather(Bad(at, row) if isinstance(row, str) else Row(row, at, True, split) for at, row in places)


def read_folder(folder: Path, *, encoding: str | None = None, cases: str | None = None) -> Table:
    """All rows of a folder: train|dev|test files, or one file `cases` (default cases.jsonl, .csv, ...); also a folder
    as `datasets` saves it or as its hub has it.

    Raises DataError where there is neither, or where a file lies outside of the folder (also by a link).
    """
    if cases is not None:
        return read_file(inside(folder, cases), encoding=encoding)
    found = files_of(folder, SUFFIXES)
    order: tuple[Split | None, ...] = (None, "train", "dev", "test")
    tables = [
        read_file(inside(folder, name), encoding=encoding, split=split, called=name)
        for split in order
        for name in (found.whole if split is None else found.splits.get(split, ()))
    ]
    return tables[0] if len(tables) == 1 else gather(item for t in tables for item in (*t.rows, *t.bad))


def _arrow_table(path: Path, name: str, split: Split | None) -> Table:
    from suffice.evals.python_rows import row_of  # which makes rows of what this file defines

    found = (
        row_of(row, f"{name}:row {number}", blank=True) for number, row in enumerate(arrow.arrow_rows(path, name), 1)
    )
    table = gather(replace(row, split=split) if isinstance(row, Row) else row for row in found)
    if not table.rows and not table.bad:
        raise DataError("the file is empty", where=name, hint="a task needs cases: one row each")
    return table


def inside(folder: Path, name: str) -> Path:
    """The file `name` of a task folder. Raises DataError where it is missing or lies outside, also by a link."""
    if not is_path(name):
        raise missing(folder / shown(name))
    root = folder.resolve()
    path = (root / name).resolve()
    if not path.is_relative_to(root):
        raise DataError(
            f"the task folder points outside of itself: {shown(name)}",
            where=str(folder),
            hint="copy the file into the folder; a folder from elsewhere may not read your other files",
        )
    if not path.is_file():
        raise missing(folder / name)
    return root / name


def is_stream(path: Path) -> bool:
    """Whether this is a pipe that this process was given: standard input, or a shell's `<(…)`. A named pipe is none:
    it may wait for ever for somebody who writes to it."""
    return str(path).startswith(STREAMS) and path.is_fifo()


def irregular(path: Path) -> DataError:
    """The error for what can be read only once, or is no file at all."""
    return DataError("this is not a regular file", where=str(path), hint="save it as a file, and give that")


def missing(path: Path) -> DataError:
    """The error for a path that is not there, with the near names of its folder; for a link, where it points to."""
    folder = path.parent
    if path.is_symlink():
        return DataError(f"is a link to {path.readlink()}, which is not there", where=str(path), hint="mend the link")
    if not folder.is_dir():
        return DataError(f"no such folder: {folder}", where=str(path), hint="check the path")
    names = [p.name for p in folder.iterdir()]
    near = difflib.get_close_matches(path.name, names, n=3, cutoff=0.5)
    data = [n for n in names if Path(n).suffix.lower() in SUFFIXES]
    hint = f"data files there: {listed(sorted(data))}" if data else "that folder has no data file"
    hint = f"did you mean {listed(near)}?" if near else hint
    return DataError("no such file", where=str(path), hint=hint)


def not_text(path: Path) -> DataError:
    """The error for a file that no encoding makes a text of."""
    return DataError("is not a text file", hint="export it as CSV or JSONL", where=path.name)


def gather(items: Iterable[Row | Bad]) -> Table:
    """A table of rows and bad rows. Raises DataError where the rows name absurdly many columns."""
    rows: list[Row] = []
    bad: list[Bad] = []
    columns: dict[str, None] = {}
    known: set[str] = set()
    shapes: set[tuple[bool, tuple[str, ...]]] = set()
    for item in items:
        if isinstance(item, Bad):
            bad.append(item)
            continue
        rows.append(item)
        shape = (item.split == "test", tuple(item.values))
        if shape in shapes:
            continue
        shapes.add(shape)
        columns.update(dict.fromkeys(shape[1]))
        if not shape[0]:
            known.update(shape[1])
        if len(columns) > MAX_COLUMNS:
            raise DataError(
                f"the rows up to here name more than {MAX_COLUMNS:,} different columns",
                where=item.source,
                hint="a row is one case with the same few columns as the others",
            )
    return Table(tuple(rows), tuple(bad), tuple(columns), frozenset(known))


def _text(path: Path, encoding: str | None) -> str:
    """The decoded text of a file: by its byte order mark, else `encoding`, else UTF-8."""
    try:
        if not path.is_file() and not is_stream(path):
            raise irregular(path) if path.exists() else missing(path)
        data = path.read_bytes()
    except OSError as e:
        raise DataError(f"cannot be read: {e.strerror or e}", where=str(path)) from None
    except ValueError:  # a NUL in the path
        raise DataError("this is not a path", where=shown(str(path))) from None
    marked = next((name for mark, name in _BOMS if data.startswith(mark)), None)
    name = encoding or marked or "utf-8"
    if data.startswith(PACKED):
        raise not_text(path)
    if name == "utf-8" and data.count(b"\0") > len(data) // 5:
        even, odd = data[::2].count(0), data[1::2].count(0)
        if min(even, odd) > max(even, odd) // 2:
            raise not_text(path)
        raise DataError(
            "every other byte of this file is NUL: it looks like UTF-16 without its mark",
            where=path.name,
            hint=f"--encoding utf-16-{'le' if odd > even else 'be'}",
        )
    try:
        text = data.decode(name)
    except LookupError:
        raise UsageError(f"unknown encoding {shown(name)}", hint="usual ones: utf-8, utf-16, cp1252, latin-1") from None
    except UnicodeDecodeError as e:
        if name == "utf-8" and b"\0" in data:
            raise not_text(path) from None
        line, at = data.count(b"\n", 0, e.start) + 1, e.start
        raise DataError(
            f"byte {data[at : at + 1].hex() or '?'} at offset {at:,} is not {name.upper()}",
            where=f"{path.name}:{line}",
            hint="save the file as UTF-8, or name its encoding: --encoding cp1252",
        ) from None
    except UnicodeError:
        raise DataError(f"the file is not {name}", where=path.name, hint="try --encoding utf-8") from None
    return text.removeprefix("\ufeff")


def _csv_rows(text: str, name: str, split: Split | None) -> Iterator[Row | Bad]:
    # The limit is the process's own; it is only ever raised, so that a long document is not an error.
    csv.field_size_limit(max(csv.field_size_limit(), 1 << 30))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text, name), strict=True)
    header: list[str] | None = None
    while True:
        line = reader.line_num + 1
        where = f"{name}:{line}"
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as e:
            if "unexpected end" in str(e):
                raise DataError(
                    "a quotation mark opened here is never closed, so the rest of the file is one field",
                    where=where,
                    hint='close it, or write a literal one as ""',
                ) from None
            yield Bad(where, 'text follows a closing quotation mark (write a literal one as "")')
            continue
        if not any(field.strip() for field in fields):
            continue  # a blank line
        if header is None:
            header = _header(fields, where, split)
        elif len(fields) != len(header):
            wide = f"{counted(len(fields), 'field')} where the header has {len(header)}"
            yield Bad(where, f"{wide} (a separator inside a text needs quotation marks)")
        elif any("\0" in field for field in fields):
            yield Bad(where, "holds a NUL byte")
        else:
            yield Row(dict(zip(header, fields, strict=True)), where, False, split)


def _header(fields: list[str], where: str, split: Split | None) -> list[str]:
    """The names of the columns; a column without a name is called by its place."""
    names = [field.strip() or f"column {i}" for i, field in enumerate(fields, 1)]
    twice = sorted({n for n in names if names.count(n) > 1}) if len(set(names)) < len(names) else []
    if twice:
        which = "names" if split == "test" else listed(twice)
        raise DataError(f"the header names a column twice: {which}", where=where, hint="rename one of them")
    if len(names) > MAX_COLUMNS:
        raise DataError(f"{len(names):,} columns; at most {MAX_COLUMNS:,} are read", where=where)
    return names


def _delimiter(text: str, name: str) -> str:
    """The one of comma, semicolon and tab under which the first rows agree best on a width of two or more."""
    sample = text[:65_536]

    def fit(mark: str) -> tuple[float, int]:
        rows = [r for r in csv.reader(io.StringIO(sample, newline=""), delimiter=mark) if r][:50]
        width = len(rows[0]) if rows else 1
        same = sum(len(r) == width for r in rows[:-1] or rows) / max(1, len(rows[:-1] or rows))
        return (same, width) if width > 1 else (0.0, width)

    marks = "\t,;" if name.lower().endswith(".tsv") else ",;\t"
    return max(marks, key=fit)
