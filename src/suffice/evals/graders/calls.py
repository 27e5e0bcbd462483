"""The grader of tool calls: which functions a model wanted called, with which arguments, in any order.

The rules are those of the Berkeley Function Calling Leaderboard's AST check (Patil et al. 2025), but that 5.0 is the
integer 5, as in JSON.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, cast

from suffice.arguments import validated
from suffice.evals.graders.forms import jsoned, read_object, same, several
from suffice.evals.graders.grader import Grader, built
from suffice.shown import counted, shown
from suffice.values import Case, Json, Score

_PASSED_OVER: Final = re.compile(r"[ ,./\-_*^]")
LEFT_OUT: Final = ""
"""Among the possible values of an argument: it may be left out."""

Call = tuple[str, dict[str, Json]]


@validated
def calls(*, alternatives: bool = False) -> Grader:
    """Right where exactly the expected calls were made, in any order: `[{"name": …, "arguments": {…}}, …]`.

    Texts are compared without case, white space and ``,./-_*^``; numbers, booleans and lists exactly. A dot in a name
    is an underscore. With `alternatives` each expected argument is a list of the values that are right, "" among them
    where it may be left out; so are the fields of an object in it.
    """

    def fn(output: Any, case: Case) -> Score:
        want, got = _calls(case.expected), _calls(output)
        if want is None or got is None:
            which = "expected" if want is None else "given"
            return Score(0.0, f"what was {which} is no list of calls")
        if len(want) != len(got):
            return Score(0.0, f"expected {counted(len(want), 'call')}, got {len(got):,}")
        faults = [[_fault(one, made, alternatives) for made in got] for one in want]
        unmet = _unmatched(faults)
        if unmet is None:
            return Score(1.0, f"{counted(len(want), 'call')} as expected")
        return Score(
            0.0, f"no call fits {shown(want[unmet][0])}: {'; '.join(dict.fromkeys(filter(None, faults[unmet])))}"
        )

    return built("calls", fn, **({"alternatives": True} if alternatives else {}))


def _calls(value: Any) -> list[Call] | None:
    """The calls of a value, also as OpenAI writes them; None where it holds something else."""
    made: list[Call] = []
    for one in several(read_object(jsoned(value))):
        told: Any = cast("Any", one).get("function", one) if isinstance(one, dict) else None
        name: Any = told.get("name") if isinstance(told, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        arguments: Any = read_object(told.get("arguments") or {}) if isinstance(told, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        if not isinstance(name, str) or not isinstance(arguments, dict):
            return None
        made.append((name, cast("dict[str, Json]", arguments)))
    return made


def _fault(want: Call, got: Call, alternatives: bool) -> str | None:
    """What is wrong with a call, None where it is the one that was expected."""
    if want[0].replace(".", "_") != got[0].replace(".", "_"):
        return f"{shown(got[0])} was called"
    for name in got[1]:
        if name not in want[1]:
            return f"unexpected argument {shown(name)}"
    for name, right in want[1].items():
        if name not in got[1]:
            if not (alternatives and _may_be_left_out(right)):
                return f"the argument {shown(name)} is missing"
        elif not _fits(right, got[1][name], alternatives):
            return f"{shown(name)} is {shown(got[1][name])}, expected {shown(right)}"
    return None


def _fits(right: Json, value: Json, alternatives: bool) -> bool:
    """Whether an argument has the right value, or one of them."""
    if alternatives and not isinstance(right, dict):
        values = [one for one in several(right) if one != LEFT_OUT]
        if value == LEFT_OUT and LEFT_OUT in several(right):  # given as a text, where it is one: that says nothing
            return all(isinstance(one, str) for one in values)
        return any(_alike(one, value, alternatives) for one in values)
    return _alike(right, value, alternatives)


def _alike(one: Json, other: Json, alternatives: bool) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return _folded(one) == _folded(other)
    if isinstance(one, dict) and isinstance(other, dict):
        want, got = cast("dict[str, Json]", one), cast("dict[str, Json]", other)
        missing = [right for name, right in want.items() if name not in got]
        known = all(name in want and _fits(want[name], value, alternatives) for name, value in got.items())
        return known and all(alternatives and _may_be_left_out(right) for right in missing)
    if isinstance(one, list) and isinstance(other, list):
        left, right = cast("list[Json]", one), cast("list[Json]", other)
        return len(left) == len(right) and all(_alike(a, b, alternatives) for a, b in zip(left, right, strict=True))
    return same(one, other)


def _may_be_left_out(right: Json) -> bool:
    return LEFT_OUT in several(right)


def _folded(text: str) -> str:
    return _PASSED_OVER.sub("", text).lower().replace("'", '"')


def _unmatched(faults: Sequence[Sequence[str | None]]) -> int | None:
    """The first expected call that no call is left for, where each may stand for one; None where all have theirs."""
    taken: dict[int, int] = {}

    def placed(one: int, seen: set[int]) -> bool:
        for made, fault in enumerate(faults[one]):
            if fault is None and made not in seen:
                seen.add(made)
                if made not in taken or placed(taken[made], seen):
                    taken[made] = one
                    return True
        return False

    return next((one for one in range(len(faults)) if not placed(one, set())), None)
