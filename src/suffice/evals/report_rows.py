"""The cases of a report as rows: what `save` writes, `gate --against` reads and a DataFrame holds."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict

from suffice.values import Json, Outcome, to_json

MADE = re.compile(r"[0-9a-f]{12}(#\d+)?")
"""An id of a row that brought none: the start of a hash of its inputs."""


def called(source: str, id: str) -> str:
    """ "mails.csv:3", with its id where that was made here and so stands in no file. Commands take either."""
    return f"{source} ({id})" if MADE.fullmatch(id) else source


def row_of(outcome: Outcome) -> dict[str, Json]:
    """One case with its answer, as JSON."""
    return {
        "id": outcome.case.id,
        "key": outcome.case.key,
        "source": outcome.case.source,
        "inputs": outcome.case.inputs,
        "expected": to_json(outcome.case.expected),
        **answered(outcome),
    }


def row_of_samples(row: dict[str, Json], samples: Sequence[Outcome]) -> dict[str, Json]:
    """The row of a case that was asked several times, with `samples`: a dict for each time."""
    return {**row, "samples": [answered(o) for o in samples]}


def answered(outcome: Outcome) -> dict[str, Json]:
    """What was answered to a case, how right it was, and what it took (seconds, US dollars, tokens)."""
    answer, score, failure = outcome.answer, outcome.score, outcome.failure
    return {
        "answer": None if answer is None else to_json(answer.value),
        "confidence": None if answer is None else answer.confidence,
        "by": None if answer is None else answer.by,
        "score": None if score is None else score.value,
        "reason": "" if score is None else score.reason,
        "error": None if failure is None else f"{failure.kind}: {failure.message}",
        "seconds": outcome.seconds,
        "cost": None if outcome.cost is None else asdict(outcome.cost),
    }


def shortened(value: Json, width: int = 100) -> str:
    """One line of a value, cut at `width` characters, without control characters and terminal escapes."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    line = " ".join(text[: 20 * width].split())  # cut first: a text may have millions of characters
    line = line if len(line) <= width and len(text) <= 20 * width else f"{line[: width - 1]}…"
    return line if line.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in line)
