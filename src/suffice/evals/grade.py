"""Graders: how right an answer is, in [0, 1], with a reason that a person can read."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from suffice.arguments import validated
from suffice.errors import UsageError
from suffice.evals.graders.calls import calls as calls
from suffice.evals.graders.code import code as code
from suffice.evals.graders.dates import date as date
from suffice.evals.graders.fields import fields as fields
from suffice.evals.graders.fields import fields_f1 as fields_f1
from suffice.evals.graders.grader import Grader as Grader
from suffice.evals.graders.labels import choice as choice
from suffice.evals.graders.labels import label as label
from suffice.evals.graders.lists import list_f1 as list_f1
from suffice.evals.graders.numbers import number as number
from suffice.evals.graders.numbers import quantity as quantity
from suffice.evals.graders.overlap import bleu as bleu
from suffice.evals.graders.overlap import chrf as chrf
from suffice.evals.graders.overlap import levenshtein as levenshtein
from suffice.evals.graders.overlap import rouge as rouge
from suffice.evals.graders.sql import sql as sql
from suffice.evals.graders.texts import contains as contains
from suffice.evals.graders.texts import exact as exact
from suffice.evals.graders.texts import regex as regex
from suffice.evals.graders.texts import text as text
from suffice.evals.graders.worlds import world as world
from suffice.evals.kinds import Kind
from suffice.evals.user_grader import call_function, says_bool
from suffice.programs.identity import function_identity
from suffice.shown import listed, shown
from suffice.values import Json

GRADERS: dict[str, Callable[..., Grader]] = {
    "exact": exact, "text": text, "label": label, "choice": choice, "number": number, "contains": contains,
    "regex": regex, "fields": fields, "fields_f1": fields_f1, "list_f1": list_f1, "date": date, "quantity": quantity,
    "levenshtein": levenshtein, "rouge": rouge, "bleu": bleu, "chrf": chrf, "code": code, "sql": sql,
    "calls": calls, "world": world,
}  # fmt: skip
_INNER = ("compare", "item", "answer")  # settings that are graders themselves


@validated
def function(
    fn: Callable[..., Any], *, name: str | None = None, slow: bool = False, graded: bool | None = None
) -> Grader:
    """A Python function as a grader: `fn(output, case)`, or any of output, case, expected, inputs by name.

    It returns a bool, a number in [0, 1] or a Score; it must be a plain `def`. When it raises, or returns something
    else, grading raises a SolutionError that names the case. The identity is that of the function
    (`programs.identity`): its syntax tree and that of what it calls, without comments. A `slow` one (it waits for
    something) is called on threads, side by side. One that is annotated to return a bool is right or wrong; of any
    other a claim is about the mean score, unless `graded` says otherwise.
    """
    called = name or getattr(fn, "__qualname__", type(fn).__name__)
    run = call_function(fn, called)
    return Grader(
        called,
        run,
        {},
        f"function {function_identity(fn)}",
        slow=slow,
        graded=graded if graded is not None else not says_bool(fn),
    )


@validated
def default_grader(kind: Kind, *, labels: Sequence[Json] = (), choices: str | None = None) -> Grader:
    """The grader of a kind: label, number, choice, text or fields."""
    if kind == "label":
        return label(labels)
    if kind == "choice":
        return choice(choices or "choices")
    return GRADERS[kind]()


@validated
def named(name: str, settings: Mapping[str, Any] | None = None) -> Grader:
    """A grader by its name and settings, as in a task.toml. Raises UsageError with the nearest name or setting.

    Where a setting is a grader (`compare`, `item`), it is a name, or a table of its name under `grader` and settings.
    """
    make = GRADERS.get(name)
    if make is None:
        near = difflib.get_close_matches(name, GRADERS, n=1)
        raise UsageError(
            f"there is no grader {shown(name)}" + (f" (did you mean {near[0]}?)" if near else ""),
            hint=f"one of {', '.join(GRADERS)}, or your own: grade.py:score",
        )
    said = {key: _inner(value) if key in _INNER else value for key, value in (settings or {}).items()}
    try:
        return make(**said)
    except (TypeError, ValueError, ArithmeticError):
        raise UsageError(
            f"the {name} grader does not take these settings: {listed(settings or {})}",
            hint=f"it takes {listed(make.__annotations__.keys() - {'return'}) or 'none'}",
        ) from None


def _inner(value: Any) -> Any:
    """A grader, or several by path, out of the texts and tables of a task.toml."""
    if isinstance(value, str):
        return named(value)
    if not isinstance(value, Mapping):
        return value
    said = dict(cast("Mapping[str, Any]", value))
    name = said.pop("grader", None)
    return {path: _inner(v) for path, v in said.items()} if name is None else named(str(name), said)
