"""Free solutions that read the text of a case: what the text is, and how answers to texts become a solution."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from suffice.errors import SolutionError
from suffice.programs.solution import Form, Solution
from suffice.values import ABSTAIN, Answer, Json, blank, canonical


def text_solution(
    name: str,
    read: Callable[[Sequence[str]], Sequence[Answer]],
    columns: Sequence[str],
    form: Form,
    identity: str,
    *,
    confidence_from: str,
    confident: bool = True,
) -> Solution:
    """`read`, which answers texts, as a solution over a bare value or a dict with these input columns.

    It hands a blank input on, unread. Raises SolutionError, when asked, where a column is missing.
    """
    fixed = tuple(columns)

    def batch(inputs: Sequence[Json]) -> list[Answer]:
        texts = [text_of(i, fixed) for i in inputs]
        asked = [place for place, i in enumerate(inputs) if not blank_inputs(i, fixed)]
        given = [Answer(ABSTAIN)] * len(texts)
        for place, answer in zip(asked, read([texts[place] for place in asked]), strict=True):
            given[place] = answer
        return given

    async def ask(inputs: Json) -> Answer:
        return batch([inputs])[0]

    return Solution(
        name=name,
        ask=ask,
        identity=identity,
        free=True,
        confident=confident,
        confidence_from=confidence_from,
        batch=batch,
        form=form,
        parameters=fixed or None,
        required=fixed,
    )


def text_of(inputs: Json, columns: Sequence[str]) -> str:
    """The text that the model reads. Raises SolutionError where a column is missing.

    One column: its value. Several: each value in the order of `columns`, after a word that names the column, so that
    the model can tell them apart. None is the empty text; anything else that is not a string is its JSON text.
    """
    if len(columns) < 2:
        inner = cast("dict[str, Json]", inputs) if isinstance(inputs, dict) else {}
        return _plain(inner[columns[0]] if columns and columns[0] in inner else inputs)
    if not isinstance(inputs, dict):
        raise SolutionError(f"words needs the columns {', '.join(columns)}, not one value", hint="pass them by name")
    values = cast("dict[str, Json]", inputs)
    missing = [c for c in columns if c not in values]
    if missing:
        raise SolutionError(f"words needs {', '.join(columns)}; missing: {', '.join(missing)}")
    return "\n".join(f"\u241f{'_'.join(c.split())} {_plain(values[c])}" for c in columns)


def blank_inputs(inputs: Json, columns: Sequence[str]) -> bool:
    """Whether every column that the model reads is blank. No test case is, so nothing was shown of such an answer."""
    given = cast("dict[str, Json]", inputs) if isinstance(inputs, dict) else {}
    return all(map(blank, [given[c] for c in columns if c in given] or [inputs]))


def _plain(value: Json) -> str:
    return value if isinstance(value, str) else "" if value is None else canonical(value)
