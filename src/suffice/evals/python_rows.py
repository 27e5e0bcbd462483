"""Python values to rows: a list of dicts or a DataFrame, every value brought to JSON."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import math
from collections.abc import Iterable, Mapping
from typing import Any, cast

from suffice.errors import DataError, UsageError
from suffice.evals.json_rows import MAX_DEPTH
from suffice.evals.read import Bad, Row, Table, gather
from suffice.exchange import Image
from suffice.shown import listed
from suffice.values import Json


def table_of(rows: object) -> Table:
    """The table of a list of dicts (or other mappings) or of a pandas DataFrame, whose missing values become None.

    Raises UsageError where `rows` is neither, DataError where a DataFrame names a column twice.
    """
    frame = hasattr(rows, "to_dict") and hasattr(rows, "columns")
    if isinstance(rows, str | bytes | Mapping) or not (frame or isinstance(rows, Iterable)):
        kind = type(cast(object, rows)).__name__
        raise UsageError(
            f"Task(rows) takes a list of dicts or a DataFrame, not a {kind}",
            hint="for a file: Task.load(path)",
        )
    if frame:
        table = cast(Any, rows)
        names = [str(c) for c in table.columns]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise DataError(f"the DataFrame names a column twice: {listed(twice)}", hint="rename one of them")
        return gather(row_of(r, f"rows[{i}]", blank=True) for i, r in enumerate(table.to_dict("records")))
    return gather(row_of(r, f"rows[{i}]") for i, r in enumerate(cast(Iterable[object], rows)))


def jsonable(value: object, depth: int = MAX_DEPTH) -> Json:
    """The JSON form of a Python value. Raises ValueError with a reason that names types, never values."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, enum.Enum):
        return jsonable(value.value, depth)
    if isinstance(value, int | float):
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError("holds NaN or an infinite number, which is not a JSON value")
        return value
    if depth <= 0:
        raise ValueError(f"is nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, Mapping):
        return {str(k): jsonable(v, depth - 1) for k, v in cast(Mapping[object, object], value).items()}
    if isinstance(value, list | tuple):
        return [jsonable(v, depth - 1) for v in cast(list[object], value)]
    return jsonable(_unwrapped(value), depth - 1)


def _missing(value: object) -> bool:
    """Whether a DataFrame's cell is NaN, NaT or NA: nothing else differs from itself, or will not say."""
    try:
        return bool(value != value)
    except TypeError:
        return True
    except ValueError:  # an array in a cell
        return False


def _unwrapped(value: object) -> object:
    """What a value of a library's or user's type stands for, one level down."""
    if isinstance(value, datetime.date | datetime.datetime | datetime.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, Image):
        return value.link
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    for method in ("model_dump", "tolist", "item"):  # pydantic models; numpy arrays and scalars
        call = getattr(value, method, None)
        if callable(call) and not isinstance(value, type):
            return call()
    raise ValueError(f"holds a {type(value).__name__}, which has no JSON form")


def row_of(row: object, where: str, *, blank: bool = False) -> Row | Bad:
    """A mapping as a row, its missing values None where `blank`; a Bad where one of its values has no JSON form."""
    if not isinstance(row, Mapping):
        return Bad(where, f"is of type {type(row).__name__}, not a dict with named columns")
    made: dict[str, Json] = {}
    for name, value in cast(Mapping[object, object], row).items():
        if blank and _missing(value):
            value = None
        try:
            made[str(name)] = jsonable(value)
        except ValueError as e:
            return Bad(where, f"column {listed([name])} {e}")
    return Row(made, where)
