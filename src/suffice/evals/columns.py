"""Which column is what: by the usual names or as the caller says, never guessed between two."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from suffice.errors import DataError
from suffice.shown import counted, listed, shown

INPUT = (
    "input", "inputs", "question", "query", "text", "prompt", "ticket", "message", "messages", "sentence",
    "utterance", "document", "content", "body", "instruction", "request", "problem", "review", "comment",
    "email", "passage", "conversation", "article", "source_text", "subject", "title", "description",
)  # fmt: skip
EXPECTED = (
    "expected", "expected_output", "expected_answer", "output", "label", "labels", "answer", "answers", "target",
    "targets", "category", "class", "intent", "team", "gold", "gold_label", "ground_truth", "ideal", "reference",
    "reference_answer", "solution", "completion", "response", "sentiment", "topic", "fields", "y",
)  # fmt: skip
ID = ("id", "case_id", "example_id", "row_id", "item_id", "uid", "uuid", "_id", "idx", "index")
CLUSTER = (
    "cluster", "cluster_id", "group", "group_id", "customer", "customer_id", "user", "user_id", "client", "client_id",
    "account", "account_id", "patient", "patient_id", "document_id", "doc_id", "template", "template_id", "thread_id",
    "conversation_id", "session_id", "author", "author_id",
)  # fmt: skip
SPLIT = ("split", "subset", "partition", "fold", "set")
CHOICES = ("choices", "options")
PAIRS = (  # columns that are one input together
    ("title", "body"), ("subject", "body"), ("title", "text"), ("title", "description"), ("title", "content"),
    ("question", "context"), ("question", "passage"), ("question", "document"), ("question", "article"),
    ("premise", "hypothesis"), ("sentence1", "sentence2"), ("instruction", "input"),
)  # fmt: skip
ROLES = {"id": ID, "cluster": CLUSTER, "split": SPLIT, "choices": CHOICES}
OFF = "none"


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns taken. `inputs` includes the choices column, `notes` says what was not by its usual name."""

    inputs: tuple[str, ...]
    expected: str
    id: str | None
    cluster: str | None
    split: str | None
    choices: str | None
    ignored: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = [f"{listed(self.inputs)} → {shown(self.expected)}"]
        parts += [f"{role} {shown(name)}" for role, name in (("id", self.id), ("cluster", self.cluster)) if name]
        parts += [f"split {shown(self.split)}"] if self.split else []
        parts += [f"ignored: {listed(self.ignored)}"] if self.ignored else []
        return "; ".join(parts)


def choose(
    names: Sequence[str], said: Mapping[str, str | Sequence[str]], *, open_names: frozenset[str] | None = None
) -> Columns:
    """Takes the columns that `said` names by role (inputs, expected, id, cluster, split, choices), else the usual.

    `cluster`, `id`, `split` and `choices` may be "none": there is no such column, whatever the names say.
    Only names in `open_names` are listed in a message. Raises DataError with the flags to type.
    """
    seen = [n for n in names if open_names is None or n in open_names]
    roles = {role: _said(said[role], names, seen) for role in ROLES if said.get(role)}
    inputs = tuple(_named(n, names, seen) for n in _several(said.get("inputs") or (), names))
    expected = _named(str(said["expected"]), names, seen) if said.get("expected") else None
    free = [n for n in names if n not in roles.values()]
    inputs, expected, notes = _main(_Search(free, seen, roles), inputs, expected)
    for role, usual in ROLES.items():
        if role not in roles:
            left = [n for n in free if n not in inputs and n != expected and n not in roles.values()]
            roles[role] = next(iter(_usual(left, usual)), None)
    choices = roles["choices"]
    if choices and choices not in inputs:
        inputs = (*inputs, choices)  # a solution cannot choose among what it is not shown
    taken = {*inputs, expected, *roles.values()}
    ignored = tuple(n for n in seen if n not in taken)
    return Columns(inputs, expected, roles["id"], roles["cluster"], roles["split"], choices, ignored, tuple(notes))


@dataclass(frozen=True, slots=True)
class _Search:
    free: list[str]
    seen: list[str]
    roles: dict[str, str | None]

    def refuse(self, what: str) -> DataError:
        """The error that lists the columns and the flags to type."""
        has = f"the columns are {listed(self.seen, 12)}" if self.seen else "none of its column names is a usual one"
        return DataError(f"{what}; {has}", hint="say which: --input subject,body --expected team")


def _main(search: _Search, inputs: tuple[str, ...], expected: str | None) -> tuple[tuple[str, ...], str, list[str]]:
    """The input and expected columns, those already said kept."""
    notes: list[str] = []
    names = [n for n in search.free if n not in inputs]
    if not expected:
        expected = _one(search, _usual(names, EXPECTED), EXPECTED[:3], "the expected answer")
    names = [n for n in names if n != expected]
    if not inputs:
        found = _usual(names, INPUT)
        pair = next((p for p in (_both(names, *p) for p in PAIRS) if p and set(found) <= set(p)), None)
        one = None if pair else _one(search, found, INPUT[:2], "the input")
        inputs = pair or ((one,) if one else ())
    if not (inputs and expected):  # one usual name and one other column: there is nothing else it could be
        auxiliary = {n for usual in ROLES.values() for n in _usual(search.free, usual)}
        rest = [n for n in search.free if n not in inputs and n != expected]
        rest = rest if len(search.free) == 2 else [n for n in rest if n not in auxiliary]
        if len(rest) == 1 and (inputs or expected):
            role = "input" if expected else "expected"
            notes.append(f"took {shown(rest[0])} as {role}: it is the only other column")
            inputs, expected = (inputs or (rest[0],)), expected or rest[0]
    if not (inputs and expected):
        what = "input and expected columns" if not inputs and not expected else "expected column"
        raise search.refuse(f"found no {what if inputs or not expected else 'input column'} by a usual name")
    return inputs, expected, notes


def _one(search: _Search, found: list[str], first: tuple[str, ...], what: str) -> str | None:
    """The only one found, or the only one whose name leaves no doubt. Raises DataError where two could be it."""
    clear = [n for n in found if n.strip().casefold() in first]
    if len(found) > 1 and len(clear) != 1:
        raise search.refuse(f"{counted(len(found), 'column')} could be {what} ({listed(found)})")
    return clear[0] if clear else found[0] if found else None


def _usual(names: Sequence[str], usual: Sequence[str]) -> list[str]:
    """Those of `names` that are usual ones, in the order of `usual`."""
    by = {n.strip().casefold().replace(" ", "_").replace("-", "_"): n for n in reversed(names)}
    return [by[u] for u in usual if u in by]


def _both(names: Sequence[str], one: str, other: str) -> tuple[str, ...] | None:
    found = _usual(names, (one, other))
    return tuple(found) if len(found) == 2 else None


def _several(word: str | Sequence[str], names: Sequence[str]) -> list[str]:
    """Column names out of a list or of "subject,body" (unless one column is really called that)."""
    if not isinstance(word, str):
        return list(word)
    return [word] if word in names else [part.strip() for part in word.split(",") if part.strip()]


def _said(word: str | Sequence[str], names: Sequence[str], seen: Sequence[str]) -> str | None:
    return None if word == OFF and OFF not in names else _named(str(word), names, seen)


def _named(word: str, names: Sequence[str], seen: Sequence[str]) -> str:
    """The column called `word`, in any case. Raises DataError with the nearest names."""
    if word in names:
        return word
    same = [n for n in names if n.strip().casefold() == word.strip().casefold()]
    if len(same) == 1:
        return same[0]
    near = difflib.get_close_matches(word, seen, n=1, cutoff=0.6)
    hint = f"did you mean {shown(near[0])}?" if near else "column names are as in the first line of the file"
    has = f"; the columns are {listed(seen, 12)}" if seen else ""
    raise DataError(f"there is no column {shown(word)}{has}", hint=hint)


def cluster_word(column: str) -> str:
    """The word for a sentence like "per customer": the column's name without a trailing id."""
    word = column.strip()
    for tail in ("_id", " id", "-id", "Id", "ID"):
        if word.endswith(tail) and len(word) > len(tail):
            word = word.removesuffix(tail)
            break
    return shown(word.replace("_", " ").strip() or column, 40)
