"""The grader of lists: precision, recall and F1 of the items, in any order or in order."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Annotated, Any, cast

from suffice.arguments import Rule, validated
from suffice.evals.graders.aligning import aligned
from suffice.evals.graders.forms import as_label, jsoned, read_object
from suffice.evals.graders.grader import Grader, Inner, built, within
from suffice.evals.sequences import common_length
from suffice.shown import counted, listed
from suffice.values import Case, Json, Score

Separator = Annotated[str, Rule(lambda v: v != "", "a text that is not empty", 'separator=","')]


@validated
def list_f1(*, ordered: bool = False, separator: Separator | None = None, item: Inner | None = None) -> Grader:
    """F1 of the items of a list: twice those in common over the number expected plus the number given.

    An item that is given twice counts twice. `ordered=True` counts the longest common subsequence instead. Items are
    compared as labels, or by the grader `item`, whose score is how far an item counts. A text is read as a JSON list,
    else split at `separator`, else it is one item. Two empty lists score 1.
    """

    def fn(output: Any, case: Case) -> Score:
        want, got = _items(case.expected, separator), _items(output, separator)
        if item is None:
            left, right = [as_label(i) for i in want], [as_label(i) for i in got]
            hits = float(common_length(left, right) if ordered else (Counter(left) & Counter(right)).total())
            faults = {"missing": _only(want, left, right), "not expected": _only(got, right, left)}
        else:
            by = item

            def weigh(i: int, j: int) -> float:
                return by(got[j], dataclasses.replace(case, expected=want[i])).value

            pairs = {(i, j): weigh(i, j) for i, j in aligned(want, got, weigh, ordered=ordered)}
            hits, found = sum(pairs.values()), [pair for pair, value in pairs.items() if value > 0]
            faults = {
                "missing": [value for i, value in enumerate(want) if i not in {i for i, _ in found}],
                "not expected": [value for j, value in enumerate(got) if j not in {j for _, j in found}],
                "right in part": [got[j] for (_, j), value in pairs.items() if 0 < value < 1],
            }
        return _f1(hits, want, got, faults)

    settings = {"ordered": ordered, "separator": separator}
    made = built("list_f1", fn, graded=True, **settings, **({} if item is None else {"item": item.identity}))
    return dataclasses.replace(made, runs_code=item is not None and item.runs_code, slow=item is not None and item.slow)


def _f1(hits: float, want: list[Json], got: list[Json], faults: dict[str, list[Json]]) -> Score:
    if not want and not got:
        return Score(1.0, "both lists are empty")
    value = within(2 * hits / (len(want) + len(got)))
    figures = f"F1 {value:.3g} ({hits:.3g} of {counted(len(want), 'expected item')}, {len(got):,} given)"
    told = [f"{word}: {listed(some, 5)}" for word, some in faults.items() if some]
    return Score(value, "; ".join([figures, *(told or (["in another order"] if value < 1 else []))]))


def _items(value: Any, separator: str | None) -> list[Json]:
    form = jsoned(list(cast("set[Any]", value)) if isinstance(value, set | frozenset) else value)
    if separator is not None and isinstance(form, str) and not form.lstrip().startswith("["):
        return [part.strip() for part in form.split(separator) if part.strip()]
    form = read_object(form)
    return cast("list[Json]", form) if isinstance(form, list) else [form]


def _only(items: list[Json], mine: list[str], theirs: list[str]) -> list[Json]:
    """The items of one side that the other lacks."""
    left = Counter(mine) - Counter(theirs)
    some: list[Json] = []
    for value, name in zip(items, mine, strict=True):
        if left[name] > 0:
            left[name] -= 1
            some.append(value)
    return some
