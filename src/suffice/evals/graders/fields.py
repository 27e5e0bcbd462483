"""Graders of JSON by field: every field right, or precision, recall and F1 of the fields by path."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, cast

from suffice.arguments import NotNegative, validated
from suffice.errors import UsageError
from suffice.evals.graders.aligning import aligned
from suffice.evals.graders.forms import read_object
from suffice.evals.graders.grader import Grader, Inner, built, right_or_wrong, within
from suffice.evals.graders.places import differs_at, fault_at, listed_faults, step_to
from suffice.evals.numerals import read_number
from suffice.shown import counted, shown
from suffice.values import Case, Json, Score, folded

_STEP: Final = re.compile(r"\[\*\]|\[\"(?P<quoted>[^\"]*)\"\]|\.?(?P<name>[^.\[\]\"]+)")
Compare = Mapping[str, Inner]


@validated
def fields(
    *, tolerance: NotNegative = 0.0, partial: bool = False, extra: bool = True, compare: Compare | None = None
) -> Grader:
    """Right where every expected field is: texts by `text`, numbers within `tolerance`, lists item by item.

    `compare` gives the grader of a field by its path: {"date": sf.grade.date(order="DMY"), "items[*].price":
    sf.grade.number(0.01)}. `partial=True` scores the share of right fields at the top instead of all or nothing;
    `extra=False` counts a field that was not expected as wrong. An output that is a JSON text is read first.
    Raises UsageError for what is no path.
    """
    by = _paths(compare)
    allowed = Decimal(str(tolerance))

    def fn(output: Any, case: Case) -> Score:
        got, want = read_object(output), case.expected
        how = _How(allowed, by, case)
        if not _comparable(got, want):
            return right_or_wrong(how.leaf(want, got, "") == 1, want, output)
        pairs, surplus = _paired(got, want)
        firsts = (next(_faults(how, w, g, f"${step}", _inner("", step)), "") for step, w, g in pairs)
        faults = [fault for fault in firsts if fault]
        wrong = len(faults)
        faults += [] if extra and isinstance(want, dict) else [fault_at(f"${step}", "not expected") for step in surplus]
        if not faults:
            return Score(1.0, f"all {counted(len(pairs), 'field')} right")
        total = max(1, len(pairs) + len(faults) - wrong)
        return Score(within((total - len(faults)) / total) if partial else 0.0, listed_faults(faults))

    settings: dict[str, Any] = {"tolerance": tolerance, "partial": partial, "extra": extra}
    return _with(built("fields", _shallow(fn), graded=partial, **settings, **_identities(by)), by)


@validated
def fields_f1(*, tolerance: NotNegative = 0.0, ordered: bool = True, compare: Compare | None = None) -> Grader:
    """F1 of the fields, nested ones and those in lists of objects included: twice what is right over the number of
    values expected plus the number given.

    Null and empty lists and objects are no values: to leave a field out is the same. A value is compared as by
    `fields`, or by the grader of its path in `compare`, whose score is how far it counts. Items of a list are paired
    so that most agrees, in their order, or in any with `ordered=False`. The reason names the paths of faults.
    Raises UsageError for what is no path.
    """
    by = _paths(compare)
    allowed = Decimal(str(tolerance))

    def fn(output: Any, case: Case) -> Score:
        want, got = case.expected, read_object(output)
        how = _How(allowed, by, case)
        tally = _Walk(how, ordered).tally(want, got, "$", "")
        if not tally.wanted and not tally.given:
            return Score(1.0, "no values expected, and none given")
        value = within(2 * tally.hits / (tally.wanted + tally.given))
        shares = [f"{name} {tally.hits:.3g}/{n}" for name, n in (("precision", tally.given), ("recall", tally.wanted))]
        figures = f"F1 {value:.3g} ({', '.join(shares)})"
        return Score(value, "; ".join([figures, *([listed_faults(tally.faults)] if tally.faults else [])]))

    settings: dict[str, Any] = {"tolerance": tolerance, "ordered": ordered}
    return _with(built("fields_f1", _shallow(fn), graded=True, **settings, **_identities(by)), by)


@dataclass(frozen=True, slots=True)
class _How:
    """How two values of one path are compared."""

    allowed: Decimal
    by: Compare
    case: Case

    def own(self, path: str) -> bool:
        """Whether the path has a grader of its own."""
        return path in self.by

    def leaf(self, want: Json, got: Json, path: str) -> float:
        """1 for values that agree by their kind: null and bool exactly, numbers within the tolerance, texts folded."""
        if path in self.by:
            return self.by[path](got, dataclasses.replace(self.case, expected=want)).value
        if want is None or got is None or isinstance(want, bool) or isinstance(got, bool):
            return float(want is got)
        if isinstance(want, int | float) or isinstance(got, int | float):
            one, other = read_number(got), read_number(want)
            return float(one is not None and other is not None and abs(one.value - other.value) <= self.allowed)
        return float(folded(got) == folded(want))


def _faults(how: _How, want: Json, got: Json, place: str, path: str) -> Iterator[str]:
    """What is wrong of one expected value by `fields`, each as "$.path: …"; nothing where all is right."""
    if how.own(path) or not _holds(want):
        if how.leaf(want, got, path) < 1:
            yield differs_at(place, want, got)
        return
    if not _comparable(got, want):
        yield differs_at(place, want, got)
        return
    pairs, surplus = _paired(got, want)
    for step, w, g in pairs:
        yield from _faults(how, w, g, f"{place}{step}", _inner(path, step))
    if isinstance(want, list):
        yield from (fault_at(f"{place}{step}", "not expected") for step in surplus)


@dataclass(slots=True)
class _Tally:
    """What is right, how many values are expected and given, and what is wrong."""

    hits: float = 0.0
    wanted: int = 0
    given: int = 0
    faults: list[str] = field(default_factory=list[str])

    def add(self, other: _Tally) -> None:
        self.hits, self.wanted, self.given = (
            self.hits + other.hits, self.wanted + other.wanted, self.given + other.given,
        )  # fmt: skip
        self.faults += other.faults


class _Walk:
    """One walk over two values; what was weighed for a pairing is kept, so that each pair is weighed once."""

    def __init__(self, how: _How, ordered: bool) -> None:
        self.how, self.ordered = how, ordered
        self.weighed: dict[tuple[int, int, str], float] = {}

    def tally(self, want: Json, got: Json, place: str, path: str) -> _Tally:
        """All values below one path."""
        if want is None or got is None:
            return self._one_sided(want, got, place)
        if self.how.own(path) or not (_holds(want) or _holds(got)):
            value = self.how.leaf(want, got, path)
            return _Tally(value, 1, 1, [] if value >= 1 else [differs_at(place, want, got)])
        if isinstance(want, dict) and isinstance(got, dict):
            return self._objects(cast("dict[str, Json]", want), cast("dict[str, Json]", got), place, path)
        if isinstance(want, list) and isinstance(got, list):
            return self._lists(cast("list[Json]", want), cast("list[Json]", got), place, path)
        wanted, given = _values(want), _values(got)
        return _Tally(0.0, wanted, given, [differs_at(place, want, got)] if wanted + given else [])

    def _one_sided(self, want: Json, got: Json, place: str) -> _Tally:
        wanted, given = _values(want), _values(got)
        if not wanted and not given:
            return _Tally()
        fault = f"missing, expected {shown(want)}" if wanted else f"not expected, got {shown(got)}"
        return _Tally(0.0, wanted, given, [fault_at(place, fault)])

    def _objects(self, want: dict[str, Json], got: dict[str, Json], place: str, path: str) -> _Tally:
        total = _Tally()
        for name in dict.fromkeys((*want, *got)):
            step = step_to(name)
            total.add(self.tally(want.get(name), got.get(name), f"{place}{step}", _inner(path, step)))
        return total

    def _lists(self, want: list[Json], got: list[Json], place: str, path: str) -> _Tally:
        inner = f"{path}[*]"

        def weigh(i: int, j: int) -> float:
            key = (id(want[i]), id(got[j]), inner)
            if key not in self.weighed:
                self.weighed[key] = self.tally(want[i], got[j], place, inner).hits
            return self.weighed[key]

        total = _Tally()
        pairs = dict(aligned(want, got, weigh, ordered=self.ordered))
        for i, item in enumerate(want):
            other = got[pairs[i]] if i in pairs else None
            total.add(self.tally(item, other, f"{place}[{i}]", inner))
        for j in sorted(set(range(len(got))) - set(pairs.values())):
            total.add(self.tally(None, got[j], f"{place}[{j}]", inner))
        return total


def _values(value: Json) -> int:
    """How many values there are in one: null is none, an empty list or object neither."""
    if isinstance(value, dict):
        return sum(map(_values, cast("dict[str, Json]", value).values()))
    if isinstance(value, list):
        return sum(map(_values, cast("list[Json]", value)))
    return int(value is not None)


def _holds(value: Json) -> bool:
    return isinstance(value, dict | list)


def _comparable(got: Json, want: Json) -> bool:
    """Whether both are objects or both are lists."""
    return any(isinstance(got, kind) and isinstance(want, kind) for kind in (dict, list))


def _paired(got: Json, want: Json) -> tuple[list[tuple[str, Json, Json]], list[str]]:
    """Step, wanted and got for every expected field or item, and the steps of what came on top."""
    if isinstance(want, dict):
        wanted, have = cast("dict[str, Json]", want), cast("dict[str, Json]", got)
        return [(step_to(n), w, have.get(n)) for n, w in wanted.items()], [step_to(n) for n in have if n not in wanted]
    wants, haves = cast("list[Json]", want), cast("list[Json]", got)
    pairs = [(f"[{i}]", w, haves[i] if i < len(haves) else None) for i, w in enumerate(wants)]
    return pairs, [f"[{i}]" for i in range(len(wants), len(haves))]


def _inner(path: str, step: str) -> str:
    """The path one step down, as `compare` names it: any item of a list is [*]."""
    return f"{path}{'[*]' if step[1:-1].isdigit() else step}".removeprefix(".")


def _paths(compare: Compare | None) -> Compare:
    """The graders by path as `_inner` spells it."""
    made: dict[str, Grader] = {}
    for said, grader in (compare or {}).items():
        steps = list(_STEP.finditer(said.removeprefix("$")))
        if not steps or "".join(s[0] for s in steps) != said.removeprefix("$"):
            raise UsageError(f"{shown(said)} is no path of a field", hint='for example "total", "items[*].price"')
        names = [s["quoted"] if s["quoted"] is not None else s["name"] for s in steps]
        made["".join("[*]" if n is None else step_to(n) for n in names).removeprefix(".")] = grader
    return made


def _identities(by: Compare) -> dict[str, Any]:
    return {"compare": {path: grader.identity for path, grader in sorted(by.items())}} if by else {}


def _with(made: Grader, by: Compare) -> Grader:
    runs, slow = any(g.runs_code for g in by.values()), any(g.slow for g in by.values())
    return dataclasses.replace(made, kind="fields", runs_code=runs, slow=slow)


def _shallow(fn: Callable[[Any, Case], Score]) -> Callable[[Any, Case], Score]:
    def run(output: Any, case: Case) -> Score:
        try:
            return fn(output, case)
        except RecursionError:
            return Score(0.0, "nested too deeply to be compared")

    return run
