"""A long input in pieces: each is worked on side by side, and what came of them is brought together, in a tree."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Final, cast

from pydantic_core import to_jsonable_python

from suffice.arguments import Count, Rule, validated
from suffice.errors import SolutionError, UsageError
from suffice.numbers import is_whole
from suffice.programs.workflow.made import Workflow, workflow
from suffice.programs.workflow.parallel import value_of
from suffice.programs.workflow.part import Part, part, part_called
from suffice.programs.workflow.side_by_side import Bounds, Seconds, side_by_side
from suffice.programs.workflow.splitting import pieces
from suffice.spans import span
from suffice.values import ABSTAIN, Answer

MOST: Final = 1_000  # pieces of one input

Overlap = Annotated[int, Rule(lambda v: is_whole(v, 0), "a whole number of at least 0")]


@validated
def map_reduce(
    map_step: Callable[..., Any],
    reduce_step: Callable[..., Any],
    split: Callable[[Any], Sequence[Any]] | None = None,
    *,
    most_chars: Count = 12_000,
    overlap: Overlap = 0,
    concurrency: Count = 8,
    timeout: Seconds = None,
    name: str | None = None,
) -> Workflow:
    """`map_step(piece)` for each piece of the input, then `reduce_step(results)` of the list of what they gave.

    A text is cut into pieces of at most `most_chars` characters, at ends of paragraphs, else sentences, each with the
    last `overlap` characters of the one before; `split(inputs)` does it instead. Where the results are more than
    `most_chars` as text, groups of them are reduced side by side and their results again, so `reduce_step` must take
    its own results, too. A piece that fails, or takes more than `timeout` seconds, is a `Failure` among them. Raises
    UsageError for a function that does not take one of these. When called it raises SolutionError for a `split` that
    gives no list, or more than 1,000 pieces, and the first error where all of them fail. ABSTAIN of `split` ends it.
    """
    if overlap * 2 > most_chars:
        raise UsageError(f"an overlap of {overlap} is more than half of {most_chars} characters", hint="overlap=200")
    mapper = part_called(map_step, "map_step", "piece") if split is None else part(map_step)
    reducer = part_called(reduce_step, "reduce_step", "results")
    splitter = None if split is None else part(split)
    bounds = Bounds(concurrency, timeout)

    async def body(inputs: Any) -> Answer:
        cut = pieces(_text(inputs), most_chars, overlap) if splitter is None else (await splitter(inputs)).value
        if cut is ABSTAIN:
            return Answer(ABSTAIN)
        parts = _listed(cut, "split" if splitter is None else splitter.name)
        if len(parts) > MOST:
            raise SolutionError(f"the input has {len(parts)} pieces, and at most {MOST:,} are read", hint="most_chars=")
        calls = [(f"{mapper.name} {number}", partial(mapper, one)) for number, one in enumerate(parts, 1)]
        values = list(map(value_of, await side_by_side(calls, bounds)))
        return await _reduced(values, reducer, most_chars, bounds)

    others = [] if splitter is None else [splitter]
    return workflow("map_reduce", [mapper, reducer, *others], body, (most_chars, overlap, timeout), name)


async def _reduced(values: list[Any], reducer: Part, most_chars: int, bounds: Bounds) -> Answer:
    groups = grouped(values, most_chars)
    level = 1
    while len(groups) > 1:
        calls = [
            (f"{reducer.name} {level}.{number}", partial(reducer, group)) for number, group in enumerate(groups, 1)
        ]
        values = list(map(value_of, await side_by_side(calls, bounds)))
        groups, level = grouped(values, most_chars), level + 1
    with span(reducer.name, "stage"):
        return await reducer(values)


def grouped(values: Sequence[Any], most_chars: int) -> list[list[Any]]:
    """The values in order in groups of at least two, each of at most `most_chars` of text where that allows it."""
    groups: list[list[Any]] = [[]]
    size = 0
    for value in values:
        length = len(value if isinstance(value, str) else json.dumps(to_jsonable_python(value), ensure_ascii=False))
        if len(groups[-1]) >= 2 and size + length > most_chars:
            groups.append([])
            size = 0
        groups[-1].append(value)
        size += length
    if len(groups) > 1 and len(groups[-1]) == 1:
        groups[-2].append(groups.pop()[0])
    return groups


def _listed(cut: Any, who: str) -> list[Any]:
    """The pieces. Raises SolutionError for what is no list of them: of a text each letter would be one."""
    if not isinstance(cut, Iterable) or isinstance(cut, str | bytes | Mapping):
        message = f"{who} gives a list of pieces, not a {type(cast('object', cut)).__name__}"
        raise SolutionError(message, hint="split=lambda text: text.splitlines()")
    return list(cast("Iterable[Any]", cut))


def _text(inputs: Any) -> str:
    if isinstance(inputs, str):
        return inputs
    raise SolutionError(f"a {type(inputs).__name__} is cut by nobody", hint="map_reduce(…, split=my_split)")
