"""The options of a task, one list for keywords and task.toml; unknown ones are refused with the nearest name."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, cast, get_type_hints

from typing_extensions import TypedDict

from suffice.arguments import Count, Rule, check, is_path, rule_of
from suffice.errors import DataError, SufficeError, UsageError
from suffice.evals.split import Shape
from suffice.evals.toml_text import toml_of, why_unfit
from suffice.numbers import is_number
from suffice.shown import listed, shown

Columns = str | Sequence[str]
_SHARE = "a share between 0 and 1"
Share = Annotated[float, Rule(lambda v: 0 < v <= 1, _SHARE)]
Tolerance = Annotated[float, Rule(lambda v: 0 <= v < 1, _SHARE)]


class TaskOptions(TypedDict, total=False):
    """Everything that may be said about a task; None is the same as saying nothing.

    `cluster`, `id`, `split_column` and `choices` may be "none" to take no such column.
    """

    name: str | None
    inputs: Columns | None
    expected: str | None
    id: str | None
    cluster: str | None
    per_cluster: Count | None  # cases of a cluster that count in a claim, at most
    split_column: str | None
    choices: str | None
    kind: str | None
    labels: Sequence[Any] | None
    output: Any  # a type: Literal, enum, model, ..., with `| None` where nothing may be the answer
    nothing: bool | None
    grader: Any  # a Grader, a function, a name, or "grade.py:score"
    grader_settings: Mapping[str, Any] | None
    bar: Share | None
    tolerance: Tolerance | None
    coverage: Share | Literal["max"] | None
    seed: int | None
    shape: Shape | None
    ladder: Sequence[str] | None  # rungs by name, easiest first: what a climb without rungs tries
    encoding: str | None
    skip_bad: bool
    trust: bool


_EXAMPLES: Final = {
    "name": 'name = "tickets"',
    "inputs": 'inputs = ["title", "text"]',
    "expected": 'expected = "team"',
    "id": 'id = "ticket"',
    "cluster": 'cluster = "customer"',
    "per_cluster": "per_cluster = 1",
    "split_column": 'split_column = "split"',
    "choices": 'choices = "options"',
    "kind": 'kind = "label"',
    "labels": 'labels = ["yes", "no"]',
    "nothing": "nothing = true",
    "grader": 'grader = "number"',
    "grader_settings": "grader_settings = { tolerance = 0.01 }",
    "bar": "bar = 0.9",
    "tolerance": "tolerance = 0.05",
    "coverage": "coverage = 0.5",
    "seed": "seed = 1",
    "shape": 'shape = "10/30/60"',
    "ladder": 'ladder = ["constant", "words"]',
    "encoding": 'encoding = "latin-1"',
    "cases": 'cases = "cases.csv"',
}
"""Each option as it may stand in a task.toml."""
_SHARES = ("bar", "coverage", "tolerance")
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
    rules = _rules()
    for name, value in said.items():
        check(name, value, rules[name], _share_of(name, value) or _EXAMPLES.get(name))
    return cast("TaskOptions", said | {name: float(said[name]) for name in _SHARES if is_number(said.get(name))})


@functools.cache
def _rules() -> dict[str, Rule]:
    hints = get_type_hints(TaskOptions, include_extras=True)
    return {name: rule_of(kind, or_none=False) for name, kind in hints.items()}  # None was left out before


def _share_of(name: str, value: Any) -> str | None:
    """The flag that was meant where a share is said in percent."""
    percent = name in _SHARES and is_number(value, 10, 100)
    return f"--{name} {f'{value / 100:g}'.removeprefix('0')}" if percent else None


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
    if cases is not None and not (isinstance(cases, str) and is_path(cases)):
        raise DataError("cases must be the name of a file", where=_line(path, text, "cases"), hint=_EXAMPLES["cases"])
    for name, hint in _NOT_IN_FILE.items():
        if name in said:
            raise DataError(f"{name} may not stand in a task.toml", where=_line(path, text, name), hint=hint)
    for name in said:
        if name not in TaskOptions.__annotations__:
            raise DataError(f"unknown key {shown(name)}", where=_line(path, text, name), hint=_nearest(name, "cases"))
        _one_by_one(path, text, name, said[name])
    return said, cases


def _one_by_one(path: Path, text: str, name: str, value: Any) -> None:
    """Checks one key so that its fault is reported at its line."""
    if name == "grader" and not isinstance(value, str):
        raise DataError("grader must be a name", where=_line(path, text, name), hint=_EXAMPLES["grader"])
    try:
        checked({name: value})
    except SufficeError as e:
        raise DataError(e.message, where=_line(path, text, name), hint=e.hint) from None


def _line(path: Path, text: str, name: str) -> str:
    name = "inputs?" if name == "inputs" else re.escape(name)
    match = re.search(rf"(?m)^\s*\[?\s*[\"']?{name}[\"']?\s*[=\].]", text)
    return f"{path.name}:{text.count(chr(10), 0, match.end()) + 1}" if match else path.name


def _nearest(name: str, *more: str) -> str:
    known = [*cast(Mapping[str, object], TaskOptions.__annotations__), *more]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else f"known: {listed(known, 30)}"
