"""Parquet and Arrow files to rows, and columns to Parquet: the one file that speaks to pyarrow, which has no types."""

from __future__ import annotations

import importlib
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from suffice.errors import DataError, MissingExtra
from suffice.exchange import Image
from suffice.values import Json

SUFFIXES: Final = (".parquet", ".arrow", ".feather")
MAGIC: Final = (b"PAR1", b"ARROW1")
AT_ONCE: Final = 10_000  # rows brought to Python together
SOUND: Final = ("Audio", "Video")
MEDIA: Final = {b"\x89PNG": "image/png", b"\xff\xd8": "image/jpeg", b"GIF8": "image/gif", b"RIFF": "image/webp"}
MADE_BY_PANDAS: Final = re.compile(r"__index_level_\d+__")

Brought = Callable[[Any], Any]
"""From a value of a column to the value that stands for it."""


def library() -> tuple[Any, Any]:
    """pyarrow and its Parquet part. Raises MissingExtra with the command that installs them."""
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise MissingExtra("Parquet and Arrow files need pyarrow", hint="pip install 'suffice[parquet]'") from None


def is_arrow(path: Path) -> bool:
    """Whether this is a Parquet or Arrow file: by its ending, or by how it begins."""
    if path.suffix.lower() in SUFFIXES:
        return path.is_file()
    try:
        if not path.is_file():  # a pipe can be read only once, or never ends
            return False
        with path.open("rb") as file:
            return file.read(6).startswith(MAGIC)
    except (OSError, ValueError):
        return False


def arrow_rows(path: Path, name: str) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet or Arrow file (a file, or a stream as `datasets` saves them) as dicts of Python values.

    What `datasets` notes in the file is minded: class labels become their names, images data URLs. Columns of bytes
    and of sound are left out. Raises DataError, which calls the file `name`.
    """
    arrow, _ = library()
    try:
        for batch in _batches(path):
            brought = _brought(batch.schema, name)
            for begin in range(0, batch.num_rows, AT_ONCE):
                part = batch.slice(begin, AT_ONCE)
                columns = {c: _values(part.column(c), how) for c, how in brought.items()}
                yield from (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or _first_line(error)}", where=name) from None
    except (arrow.ArrowException, ValueError) as error:
        raise DataError(f"is damaged or no such file: {_first_line(error)}", where=name) from None


def parquet_bytes(columns: Mapping[str, Sequence[Json]]) -> bytes:
    """A Parquet file of these columns. A column of mixed or nested values holds JSON texts."""
    arrow, parquet = library()
    made = io.BytesIO()
    parquet.write_table(arrow.table({name: _column(arrow, values) for name, values in columns.items()}), made)
    return made.getvalue()


def _batches(path: Path) -> Iterator[Any]:
    arrow, parquet = library()
    with path.open("rb") as file:
        head = file.read(6)
        if head.startswith(b"PAR1") or (path.suffix.lower() == ".parquet" and not head.startswith(b"ARROW1")):
            yield from parquet.ParquetFile(path).iter_batches(batch_size=AT_ONCE)
            return
        file.seek(0)
        if head.startswith(b"ARROW1"):
            opened = arrow.ipc.open_file(file)
            yield from (opened.get_batch(i) for i in range(opened.num_record_batches))
        else:
            yield from arrow.ipc.open_stream(file)


def _brought(schema: Any, name: str) -> dict[str, Brought | None]:
    """The columns to read, each with what makes a plain value of its values (None: they are plain)."""
    arrow, _ = library()
    names: list[str] = list(schema.names)
    if len(set(names)) < len(names):
        raise DataError("names a column twice", where=name, hint="rename one of them")
    features = _features(schema)
    found: dict[str, Brought | None] = {}
    for column in names:
        kind, feature = schema.field(column).type, features.get(column)
        sound = isinstance(feature, dict) and cast("dict[str, Any]", feature).get("_type") in SOUND
        types = arrow.types
        bare = types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind)
        if not sound and not bare and not MADE_BY_PANDAS.fullmatch(column):
            found[column] = _of_feature(feature)
    return found


def _features(schema: Any) -> dict[str, Any]:
    """What `datasets` notes of each column; nothing where it did not write the file."""
    metadata: dict[bytes, bytes] = schema.metadata or {}
    try:
        features: Any = json.loads(metadata[b"huggingface"])["info"]["features"]
    except (ValueError, KeyError, TypeError):
        return {}
    return cast("dict[str, Any]", features) if isinstance(features, dict) else {}


def _of_feature(feature: Any) -> Brought | None:
    """How a value is brought by what is noted of it; None where nothing need be done."""
    if isinstance(feature, list) and feature:  # an older way to note a list
        inner = _of_feature(feature[0])
        return None if inner is None else _each(inner)
    if not isinstance(feature, dict):
        return None
    noted = cast("dict[str, Any]", feature)
    kind = noted.get("_type")
    if kind == "ClassLabel" and noted.get("names"):
        return _label(noted["names"])
    if kind == "Image":
        return _image
    if kind in ("Sequence", "List", "LargeList"):
        inner = _of_feature(noted.get("feature"))
        return None if inner is None else _each(inner)
    parts = {name: how for name, part in noted.items() if (how := _of_feature(part)) is not None}
    return _parts(parts) if parts and kind is None else None


def _label(names: Sequence[str]) -> Brought:
    def brought(value: Any) -> Any:
        if value is None or value == -1:  # as `datasets` marks a case without a label
            return None
        if not isinstance(value, int) or not 0 <= value < len(names):
            raise ValueError("a class label has a number without a name")
        return names[value]

    return brought


def _each(inner: Brought) -> Brought:
    def brought(value: Any) -> Any:
        if isinstance(value, dict):  # a list of dicts is stored as a dict of lists
            return {k: [inner({k: v})[k] for v in many] for k, many in cast("dict[str, list[Any]]", value).items()}
        return None if value is None else [inner(item) for item in value]

    return brought


def _parts(parts: Mapping[str, Brought]) -> Brought:
    def brought(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        found = cast("dict[str, Any]", value)
        return {k: parts[k](v) if k in parts else v for k, v in found.items()}

    return brought


def _image(value: Any) -> Any:
    """An image as `datasets` stores it, {"bytes": …, "path": …}: a data URL, or its path."""
    if not isinstance(value, dict):
        return value
    found = cast("dict[str, Any]", value)
    data = found.get("bytes")
    if data is None:
        return found.get("path")
    return Image(data=data, media_type=next((m for head, m in MEDIA.items() if data.startswith(head)), "image/png"))


def _values(column: Any, brought: Brought | None) -> list[Any]:
    arrow, _ = library()
    kind = column.type
    if arrow.types.is_timestamp(kind) and kind.unit == "ns":  # Python's times have microseconds
        column = column.cast(arrow.timestamp("us", kind.tz), safe=False)
    values: list[Any] = column.to_pylist()
    return values if brought is None else [brought(value) for value in values]


def _column(arrow: Any, values: Sequence[Json]) -> Any:
    kinds: set[type] = {type(v) for v in values if v is not None}
    if kinds in ({str}, {bool}):
        return arrow.array(values)
    if kinds and kinds <= {int, float} and all(abs(v) < 1 << 53 for v in values if isinstance(v, int)):
        return arrow.array([None if v is None else float(v) for v in values] if float in kinds else values)
    texts = [None if v is None else json.dumps(v, ensure_ascii=False) for v in values]
    return arrow.array([t and t.encode("utf-8", "backslashreplace").decode() for t in texts], arrow.string())


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
