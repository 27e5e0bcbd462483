"""What kind of answer a task expects (label, number, choice, text, fields): inferred, explained, overridable."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, cast

from suffice.errors import UsageError
from suffice.evals.json_rows import parse_json
from suffice.evals.numerals import Find, read_number
from suffice.evals.output import OutputType
from suffice.shown import counted, shown
from suffice.values import Json, canonical, folded

Kind = Literal["label", "number", "choice", "text", "fields"]
KINDS: tuple[Kind, ...] = ("label", "number", "choice", "text", "fields")
_LETTER = re.compile(r"\(?([A-Z])[).]?")
_OPTION = re.compile(r"(?m)^\s*\(?([A-Z])[).:]\s+\S|\(([A-Z])\)")
_LONGEST_LABEL = 80
_CODES = 10


def infer(values: Sequence[Json], inputs: Sequence[Json], *, choices: bool = False) -> tuple[Kind, str]:
    """The kind of the expected `values` (None left out) with the reason; the reason holds counts, never a value.

    `inputs` are looked at for listed options "(A) ..."; `choices` says that the cases have a choices column.
    """
    n = len(values)
    if choices:
        return "choice", "there is a choices column"
    if n == 0:
        return "label", "no case expects anything but nothing"
    if all(isinstance(v, dict | list) for v in values):
        return "fields", "every expected value is an object or a list"
    texts = [v for v in values if isinstance(v, str)]
    if len(texts) == n and all(v.lstrip()[:1] in ("{", "[") and _is_json(v) for v in texts):
        return "fields", "every expected value is a JSON object or list"
    letters = sum(_LETTER.fullmatch(v.strip()) is not None for v in texts)
    if letters >= 0.9 * n and _offers(inputs):
        return "choice", f"{letters:,} of {n:,} expected values are a letter, and the inputs list lettered options"
    different, repeated = _repeats(values)
    if all(isinstance(v, bool) for v in values):
        return "label", "every expected value is true or false"
    if all(read_number(v) is not None for v in values):
        if different <= _CODES and n >= 5 * different and all(_is_code(v) for v in values):
            return "label", f"{counted(different, 'small whole number')} used as codes in {counted(n, 'case')}"
        return "number", f"every expected value is a number ({different:,} different ones in {counted(n, 'case')})"
    if all(isinstance(v, str | bool | int) for v in values) and all(len(v) <= _LONGEST_LABEL for v in texts):
        one_line = not any("\n" in v for v in texts)
        if one_line and repeated >= 0.8 and different <= max(2, n // 2):
            return "label", f"{counted(different, 'short value')} repeated over {counted(n, 'case')}"
    return "text", f"{counted(different, 'different value')} in {counted(n, 'case')}, too varied for labels"


def brought(value: Json, kind: Kind, *, output: OutputType | None = None, find: Find = "whole") -> Json:
    """The expected `value` in the form of its kind or of the declared output type.

    Raises ValueError whose first argument is a reason without the value.
    """
    if output is not None and output.adapter is not None:
        return output.validated(value)
    if kind == "number":
        return _number(value, find)
    if kind == "fields":
        if isinstance(value, str):
            value = parse_json(value)
        if not isinstance(value, dict | list):
            raise ValueError("the expected value is not an object with fields")
        return cast(Json, value)
    if isinstance(value, dict | list) and kind in ("label", "choice"):
        raise ValueError(f"the expected value is an object or a list, not a {kind}")
    return cast(Json, value)


def checked_kind(word: str) -> Kind:
    """`word` as a kind. Raises UsageError that lists them."""
    for kind in KINDS:
        if word == kind:
            return kind
    raise UsageError(f"unknown kind {shown(word)}", hint=f"one of {', '.join(KINDS)}")


def labels_of(values: Sequence[Json]) -> tuple[Json, ...]:
    """The closed set that `values` are drawn from, sorted; of spellings that fold to one, the most frequent."""
    some = [v for v in values if v is not None]
    exact = [v if isinstance(v, str) else f"{type(v).__name__} {canonical(v)}" for v in some]
    counts, first = Counter(exact), dict(zip(exact, some, strict=True))
    texts = sorted(counts, key=lambda text: (-counts[text], text))
    best: dict[str, Json] = {}
    for text, fold in zip(texts, folded_texts([first[t] for t in texts]), strict=True):
        best.setdefault(fold, first[text])
    return tuple(sorted(best.values(), key=lambda v: (isinstance(v, str), str(v) if isinstance(v, str) else v)))


def folded_texts(values: Sequence[Json]) -> list[str]:
    """One text for each value, the same for values that fold to the same; each spelling is worked out once."""
    known: dict[tuple[type, object], str] = {}
    made: list[str] = []
    for value in values:
        if isinstance(value, dict | list):
            made.append(canonical(folded(cast(Json, value))))
            continue
        spelling = (type(cast(object, value)), cast(object, value))
        text = known.get(spelling)
        if text is None:
            text = known[spelling] = canonical(folded(value))
        made.append(text)
    return made


def _number(value: Json, find: Find) -> Json:
    number = read_number(value, find)
    if number is None:
        raise ValueError("the expected value is not a number")
    if number.percent:
        return f"{number.value}%"
    if isinstance(value, str):
        exact = number.value
        return int(exact) if exact == exact.to_integral_value() and abs(exact) < 10**15 else float(exact)
    return value


def _repeats(values: Sequence[Json]) -> tuple[int, float]:
    """How many different values there are, and the share of cases whose value occurs more than once."""
    counts = Counter(folded_texts(values))
    return len(counts), sum(c for c in counts.values() if c > 1) / len(values)


def _is_code(value: Json) -> bool:
    number = read_number(value)
    whole = isinstance(value, int) or (isinstance(value, str) and value.strip().isdecimal())
    return number is not None and whole and 0 <= number.value < 100


def _is_json(text: str) -> bool:
    try:
        value: Any = parse_json(text)
    except ValueError:
        return False
    return isinstance(value, dict | list)


def _offers(inputs: Sequence[Json]) -> bool:
    """Whether most of the first inputs list lettered options."""
    some = [v if isinstance(v, str) else canonical(v) for v in inputs[:50]]
    return bool(some) and sum(len(_OPTION.findall(text[:5_000])) >= 2 for text in some) > len(some) / 2
