"""The options of a task, one list for keywords and task.toml; unknown ones are refused with the nearest name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, cast

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from suffice.errors import DataError, SufficeError, UsageError
from suffice.evals.shown import listed, shown
from suffice.evals.split import Shape
from suffice.evals.toml_text import toml_of, why_unfit

Columns = str | Sequence[str]
Share = Annotated[float, Field(gt=0, le=1)]


class TaskOptions(TypedDict, total=False):
    """Everything that may be said about a task; None is the same as saying nothing.

    `cluster`, `id`, `split_column` and `choices` may be "none" to take no such column.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", arbitrary_types_allowed=True)  # pyright: ignore[reportGeneralTypeIssues, reportUnannotatedClassAttribute]

    name: str | None
    inputs: Columns | None
    expected: str | None
    id: str | None
    cluster: str | None
    per_cluster: Annotated[int, Field(ge=1)] | None  # cases of a cluster that count in a claim, at most
    split_column: str | None
    choices: str | None
    kind: str | None
    labels: list[Any] | None
    output: Any  # a type: Literal, enum, model, ..., with `| None` where nothing may be the answer
    nothing: bool | None
    grader: Any  # a Grader, a function, a name, or "grade.py:score"
    grader_settings: dict[str, Any] | None
    bar: Share | None
    tolerance: Annotated[float, Field(ge=0, lt=1)] | None
    coverage: Share | Literal["max"] | None
    seed: int | None
    shape: Shape | None
    ladder: list[str] | None  # rungs by name, easiest first: what a climb without rungs tries
    encoding: str | None
    skip_bad: bool
    trust: bool


_CHECK = TypeAdapter(TaskOptions)
_SHARES = ("bar", "coverage", "tolerance")
LONGEST: Final = 255  # bytes of a file's name
_NOT_IN_FILE = {
    "output": "name the labels instead: labels = [...], nothing = true",
    "trust": "only you can say so: --trust",
    "skip_bad": "only you can say so: --skip-bad",
}


def checked(options: Mapping[str, Any]) -> TaskOptions:
    """The options said, without those that are None. Raises UsageError that names the option and its range."""
    said = {name: value for name, value in options.items() if value is not None}
    unknown = [name for name in said if name not in TaskOptions.__annotations__]
    if unknown:
        raise UsageError(f"there is no task option {shown(unknown[0])}", hint=_nearest(unknown[0]))
    try:
        return _CHECK.validate_python(said)
    except ValidationError as e:
        fault = e.errors(include_url=False)[0]
        name = str(fault["loc"][0])
        value: Any = said.get(name)
        hint = None
        if name in _SHARES:
            words = "a share between 0 and 1"
            if isinstance(value, int | float) and 10 <= value <= 100:
                hint = f"--{name} {f'{value / 100:g}'.removeprefix('0')}"
            words += ', or "max"' if name == "coverage" else ""
        else:
            words = _lower(fault["msg"].removeprefix("Input should be "))
        told = f"{value:g}" if isinstance(value, float) else shown(value)
        raise UsageError(f"{name} must be {words}, not {told}", hint=hint) from None


def read_toml(path: Path) -> tuple[dict[str, Any], str | None]:
    """The options of a task.toml and the file it names under `cases`. Raises DataError with file and line."""
    text, said = toml_of(path)
    for name, value in said.items():
        unfit = why_unfit(value)
        if unfit is not None:
            raise DataError(f"{shown(name)} {unfit}", where=_line(path, text, name))
    if "input" in said:
        if "inputs" in said:
            raise DataError("says both input and inputs", where=_line(path, text, "input"), hint="keep one")
        said["inputs"] = said.pop("input")
    cases = said.pop("cases", None)
    if cases is not None and not _is_path(cases):
        raise DataError("cases must be the name of a file", where=_line(path, text, "cases"))
    for name, hint in _NOT_IN_FILE.items():
        if name in said:
            raise DataError(f"{name} may not stand in a task.toml", where=_line(path, text, name), hint=hint)
    for name in said:
        if name not in TaskOptions.__annotations__:
            raise DataError(f"unknown key {shown(name)}", where=_line(path, text, name), hint=_nearest(name, "cases"))
        _one_by_one(path, text, name, said[name])
    return said, cases


def _is_path(value: object) -> bool:
    return isinstance(value, str) and all(len(part.encode()) <= LONGEST for part in Path(value).parts)


def _one_by_one(path: Path, text: str, name: str, value: Any) -> None:
    """Checks one key so that its fault is reported at its line."""
    if name == "grader" and not isinstance(value, str):
        raise DataError("grader must be a name", where=_line(path, text, name), hint='grader = "number"')
    try:
        checked({name: value})
    except SufficeError as e:
        raise DataError(e.message, where=_line(path, text, name), hint=e.hint) from None


def _line(path: Path, text: str, name: str) -> str:
    match = re.search(rf"(?m)^\s*\[?\s*[\"']?{re.escape(name)}[\"']?\s*[=\].]", text)
    return f"{path.name}:{text.count(chr(10), 0, match.end()) + 1}" if match else path.name


def _nearest(name: str, *more: str) -> str:
    known = [*cast(Mapping[str, object], TaskOptions.__annotations__), *more]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else f"known: {listed(known, 30)}"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
