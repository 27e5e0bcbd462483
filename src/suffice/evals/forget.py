"""Forget a case of a task: everything the store recorded of its inputs or that quotes them, and its lines on tapes."""

from __future__ import annotations

import difflib
import json
import os
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from suffice.errors import DataError, UsageError
from suffice.evals.report import TEXT_KEPT, shortened
from suffice.evals.task import Task
from suffice.shown import brief
from suffice.store.database import Store
from suffice.store.forget import Forgotten, forget_inputs
from suffice.values import Case, Json, content_hash

LEAST: Final = 12  # characters that a text needs to be looked for inside of others
LONG: Final = 40  # of several texts of a case, those as long as this are looked for as well as the longest
FORGOTTEN: Final = "(forgotten)"
WORD: Final = 40  # characters of a label in a recorded confusion table


@dataclass(frozen=True, slots=True, repr=False)
class Quoted:
    """A case as it may be found again. `parts` are the texts of its inputs; `telling` those of them that are long
    enough to be looked for anywhere. It may be a sealed case, so it does not print."""

    task: str
    case: Case
    parts: tuple[str, ...]
    telling: tuple[str, ...]


def case_of(task: Task, name: str) -> Quoted:
    """The case of `task` with this id or at this place ("mails.csv:3"), also a sealed one: it is looked for, not shown.

    Raises UsageError.
    """
    cases: tuple[Case, ...] = (*task.train, *task.dev, *task.sealed())
    found = {c.source: c for c in cases} | {c.id: c for c in cases}
    if name not in found:
        near = difflib.get_close_matches(name, found, n=1)
        hint = f"did you mean {near[0]}?" if near else "its row must still be in the file: its texts are looked for"
        raise UsageError(f"{task.name} has no case {brief(name)}", hint=hint)
    case = found[name]
    parts = tuple(dict.fromkeys(_leaves(case.inputs)))
    longest = max(parts, key=len, default="")
    telling = tuple(p for p in parts if len(p) >= LONG or (p == longest and len(p) >= LEAST))
    return Quoted(task.name, case, parts, telling)


def forget_case(store: Store, quoted: Quoted, *, really: bool) -> Forgotten:
    """Remove the case from the store; counts alone unless `really`. Raises StoreBusy, StoreError."""
    texts = [form for text in quoted.telling for form in forms(text)]
    return forget_inputs(store, quoted.case.inputs_hash, texts, without(quoted, texts), really=really)


def without(quoted: Quoted, texts: Sequence[str]) -> Callable[[Json], Json]:
    """A function that gives a run's result without the case: its rows, what quotes it, and counts that only it has."""
    case = quoted.case
    shapes = {content_hash(case.inputs), content_hash(shortened(case.inputs, TEXT_KEPT))}
    expected = shortened(case.expected, WORD)

    def edited(value: Json, same: bool) -> Json:
        if isinstance(value, dict):
            told = cast("dict[str, Json]", value)
            return {k: _fewer(v, expected) if same and k == "confusion" else edited(v, same) for k, v in told.items()}
        if isinstance(value, list):
            return [edited(item, same) for item in cast("list[Json]", value) if not is_row(item)]
        return FORGOTTEN if isinstance(value, str) and any(t in value for t in texts) else value

    def is_row(item: Json) -> bool:
        return isinstance(item, dict) and "inputs" in item and content_hash(item["inputs"]) in shapes

    def whole(result: Json) -> Json:
        told = cast("dict[str, Json]", result) if isinstance(result, dict) else {}
        return edited(result, told.get("task") == quoted.task)

    return whole


def tape_without(path: Path, cases: Sequence[Quoted]) -> tuple[int, bytes]:
    """How many lines of a tape speak of one of the cases, and the tape without them. Raises DataError."""
    try:
        data = path.read_bytes()
        lines = data.decode("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read: {getattr(error, 'strerror', None) or error}", where=str(path)) from None
    kept: list[str] = []
    for number, line in enumerate(lines, 1):
        try:
            told: Any = json.loads(line) if line.strip() else {}
            spoken = "\n".join(_leaves([told["request"], told["chunks"]])) if told else ""
        except (ValueError, KeyError, TypeError):
            raise DataError("this is no line of a recording", where=f"{path}:{number}") from None
        if not any(_speaks(spoken, case) for case in cases):
            kept.append(line)
    return len(lines) - len(kept), "\n".join(kept).encode("utf-8")


def write_tape(path: Path, data: bytes) -> None:
    """Put a tape in the place of another, whole or not at all, readable by its owner alone. Raises DataError."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        number = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(number, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise DataError(f"cannot be written: {error.strerror}; the tape is as it was", where=str(path)) from None


def forms(text: str) -> list[str]:
    """A text as it stands, and as it stands in a JSON text, and in a JSON text inside of another."""
    found = {text: None}
    for _ in range(2):
        for one in list(found):
            found[json.dumps(one)[1:-1]] = None
            found[json.dumps(one, ensure_ascii=False)[1:-1]] = None
    return [one for one in found if _storable(one)]


def _storable(text: str) -> bool:
    """Half a surrogate pair is never stored as such: SQLite's UTF-8 cannot hold it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _speaks(spoken: str, quoted: Quoted) -> bool:
    """Whether the texts of a call hold a long text of the case, or all its short ones, each on its own."""
    if any(form in spoken for text in quoted.telling for form in forms(text)):
        return True
    alone = [rf"(?m)(?:^|[:>\"'])\s*{re.escape(part)}\s*(?:$|[<\"'])" for part in quoted.parts]
    return not quoted.telling and bool(alone) and all(re.search(one, spoken) for one in alone)


def _fewer(confusion: Json, expected: str) -> Json:
    """The counts without those of a single case that expects the same: its words may be those of this one."""
    rows = cast("list[list[Json]]", confusion)
    return [row for row in rows if not (row[0] == expected and row[2] == 1)]


def _leaves(value: Json) -> Iterator[str]:
    """The texts in a value, numbers included."""
    if isinstance(value, dict):
        for item in cast("dict[str, Json]", value).values():
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in cast("list[Json]", value):
            yield from _leaves(item)
    elif isinstance(value, str):
        if value.strip():
            yield value.strip()
    elif value is not None and not isinstance(value, bool):
        yield str(value)
