"""Graders of closed sets: a label, or one of a case's options."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from suffice.arguments import validated
from suffice.evals.graders.forms import as_label, as_text, jsoned
from suffice.evals.graders.grader import Grader, built, right_or_wrong
from suffice.shown import counted, shown
from suffice.values import Case, Json, Score, folded

_OPTION = re.compile(r"(?m)^[ \t]*\(?([A-Z])[).:][ \t]+(.+?)[ \t]*$")
_LETTER = re.compile(r"[(\[]?([A-Za-z])[)\].:]?")
_LETTERED = re.compile(r"(?:\(([A-Za-z])\)|\[([A-Za-z])\]|([A-Za-z])[).:])\s+(\S.*)", re.DOTALL)


@validated
def label(labels: Sequence[Json] = ()) -> Grader:
    """Right where the answer is the expected label, whatever the case and white space.

    `labels` (a task fills its own in) only serve the reason of an answer that is none of them; they are no part of
    the identity because they change no score.
    """
    known = {as_label(v): v for v in labels if v is not None}

    def fn(output: Any, case: Case) -> Score:
        got, want = as_label(output), as_label(case.expected)
        if got == want or not known or got in known:
            return right_or_wrong(got == want, case.expected, output)
        near = difflib.get_close_matches(got[:200], known, n=1, cutoff=0.5)
        what = f"none of the {counted(len(known), 'label')}" + (f", nearest {shown(known[near[0]])}" if near else "")
        return Score(0.0, f"expected {shown(case.expected)}, got {shown(output)} ({what})")

    made = built("label", fn)
    return dataclasses.replace(made, settings={"labels": tuple(labels)} if labels else {}, kind="label")


@validated
def choice(choices: str = "choices") -> Grader:
    """Right where the answer names the expected option by letter ("B", "(b)", "B.") or by its text ("b) foo", "foo").

    The options come from the inputs' column `choices` (a list, or a dict by letter), else from lines "(A) foo" in the
    input. An expected whole number counts the options from 0.
    """

    def fn(output: Any, case: Case) -> Score:
        options = _options(case.inputs, choices)
        got, want = _picked(output, options), _picked(case.expected, options)
        if got is None and as_label(output) != as_label(case.expected):
            return Score(0.0, f"expected {shown(case.expected)}, got {shown(output)} (none of the choices)")
        return right_or_wrong(got == want, case.expected, output)

    return dataclasses.replace(built("choice", fn, choices=choices), kind="choice")


def _options(inputs: Json, column: str) -> dict[str, str]:
    """The options of a case by letter; empty where none are listed."""
    given: Json = cast(dict[str, Json], inputs).get(column) if isinstance(inputs, dict) else None
    if isinstance(given, dict):
        return {str(k).upper(): as_text(v) for k, v in cast(dict[str, Json], given).items()}
    if isinstance(given, list):
        return {chr(65 + i): as_text(v) for i, v in enumerate(cast(list[Json], given)[:26])}
    whole = inputs if isinstance(inputs, str) else as_text(inputs).replace("\\n", "\n")
    return {letter: option for letter, option in _OPTION.findall(whole)}


def _picked(value: Any, options: Mapping[str, str]) -> str | None:
    """The letter that a value means, else None."""
    form = jsoned(value)
    if isinstance(form, int) and not isinstance(form, bool) and str(form) not in map(str.strip, options.values()):
        letter = chr(65 + form) if 0 <= form < 26 else ""
        return letter if letter in options or not options else None
    plain = as_text(form).strip()
    by_text = {str(folded(option)): letter for letter, option in options.items()}
    if str(folded(plain)) in by_text:
        return by_text[str(folded(plain))]
    only = _LETTER.fullmatch(plain)
    if only:
        return only[1].upper() if only[1].upper() in options or not options else None
    started = _LETTERED.fullmatch(plain)
    if started is None:
        return None
    letter, rest = (started[1] or started[2] or started[3]).upper(), started[4]
    if not options:
        return letter
    meant = by_text.get(str(folded(rest)))
    return letter if letter in options and meant in (None, letter) else None
