"""Which answer was given where which label was expected, counted. Only where answers can be told apart as labels.

A task may be graded otherwise than by whether two values are equal: by fields, by degrees, by what became of a world.
A table of expected and answered values would call right answers wrong there, so there is none.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from suffice.evals.report_rows import shortened
from suffice.values import Graded, Json, Outcome, from_json, to_json

KEPT: Final = 1_000  # pairs that are counted
WORD: Final = 40  # characters of a label


@dataclass(frozen=True, slots=True)
class Said:
    """What one case expects and what it was answered, as JSON. `scores`: of each time that it was asked; empty where no
    call gave an answer."""

    expected: Json
    answer: Json
    scores: tuple[float, ...]

    @property
    def right(self) -> bool:
        """Whether it was right each time."""
        return bool(self.scores) and min(self.scores) >= 1.0


def said_in(outcome: Outcome, samples: Sequence[Outcome] = ()) -> Said:
    """What an outcome says, and the `samples` that it is made of where there are several."""
    answer = None if outcome.answer is None else to_json(outcome.answer.value)
    scores = tuple(o.score.value for o in samples or (outcome,) if o.score is not None)
    return Said(to_json(outcome.case.expected), answer, () if outcome.answer is None else scores)


def said_in_row(row: Mapping[str, Json]) -> Said:
    """The same of a case as a saved report has it."""
    told: list[Any] = cast("list[Any]", row.get("samples") or [row])
    scores = tuple(float(one["score"]) for one in told if isinstance(one.get("score"), int | float))
    return Said(row.get("expected"), row.get("answer"), () if row.get("error") else scores)


def confusion(cases: Iterable[Said]) -> list[Json]:
    """[expected, answered, how often], the most frequent first; "(nothing)" is none, "(error)" a call that failed.

    A right answer stands under the expected label, however it was written. Empty where the answers are no labels: an
    object or a list is expected, a score lies between right and wrong, or what is wrong equals what was expected.
    """
    pairs = Counter[tuple[str, str]]()
    for case in cases:
        pair = _pair(case)
        if pair is None:
            return []
        pairs[pair] += 1
    return [[expected, answer, n] for (expected, answer), n in pairs.most_common(KEPT)]


def _pair(case: Said) -> tuple[str, str] | None:
    """The labels of one case; None where these are none."""
    expected, answer = _word(case.expected), _word(case.answer)
    if _unlike_a_label(case.expected) or any(0 < score < 1 for score in case.scores):
        return None
    if not case.scores:
        return expected, "(error)"
    if case.right and not _withheld(case.answer):
        return None if _unlike_a_label(case.answer) else (expected, expected)
    if expected == answer:  # cut to the same words, or told apart by white space alone
        quoted = json.dumps(case.answer, ensure_ascii=False)
        return None if case.answer == case.expected or len(quoted) > WORD or quoted == answer else (expected, quoted)
    return expected, answer


def _unlike_a_label(value: Json) -> bool:
    return isinstance(value, dict | list)


def _withheld(answer: Json) -> bool:
    """Whether there is a score in its place."""
    return isinstance(from_json(answer), Graded)


def _word(value: Json) -> str:
    return "(nothing)" if value is None else shortened(value, WORD)
