"""Numbers as people and models write them, read exactly: "1,234.50", "$3", "12%", "−4", "1'000"."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Literal

Find = Literal["whole", "last"]
_DASHES = str.maketrans({c: "-" for c in "−–‒—﹣-‐‑"})
_WHOLE = re.compile(r"(?P<body>[\d.,'’_ ]*\d[\d.,'’_ ]*?)(?:[eE](?P<exp>[+-]?\d{1,3}))?")
_ANYWHERE = re.compile(r"(?<![\w.,])[+-]?\s?[^\w\s.,]?\d+(?:[.,'’_ ]\d+)*(?:[eE][+-]?\d{1,3}(?!\w))?\s?%?")
_MARKS = ",.'’_ "


@dataclass(frozen=True, slots=True)
class Number:
    """An exact value as written: "12%" is 12 with `percent`."""

    value: Decimal
    percent: bool = False


def read_number(value: object, find: Find = "whole") -> Number | None:
    """The number that `value` is, or None where it is none (a bool is none).

    The rule for "," and ".": where both occur, the last one is the decimal mark; a lone "," is a decimal mark unless
    exactly three digits follow each ("1,234" is 1234, "3,5" is 3.5, "0,123" is 0.123); a lone "." always is one
    ("1.234" is 1.234); a mark that occurs twice separates thousands. Spaces, apostrophes and "_" may separate
    thousands. A currency sign is passed over. With `find="last"` the last number in a longer text counts.
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, Decimal | int | float):
        return _finite(str(value))
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "ndim", None) == 0:
        return read_number(item())  # a numpy scalar
    if not isinstance(value, str):
        return None
    text = unicodedata.normalize("NFKC", value[-10_000:] if find == "last" else value[:200]).translate(_DASHES)
    if find == "last":
        found = _ANYWHERE.findall(text)
        return _one(found[-1]) if found else None
    return _one(text) if len(value) <= 100 else None


def _one(text: str) -> Number | None:
    text = text.strip().removesuffix(".")
    sign = ""
    for _ in range(2):  # "-$3" and "$-3"
        if text[:1] in ("-", "+") and not sign:
            sign, text = text[0], text[1:].lstrip()
        if text[:1] and unicodedata.category(text[0]) == "Sc":
            text = text[1:].lstrip()
    percent = text.endswith("%")
    text = text.removesuffix("%").rstrip()
    if text[-1:] and unicodedata.category(text[-1]) == "Sc":
        text = text[:-1].rstrip()
    match = _WHOLE.fullmatch(text)
    body = _plain(match["body"].strip()) if match else None
    if match is None or body is None:
        return None
    number = _finite(f"{sign}{body}e{match['exp'] or 0}")
    return Number(number.value, percent) if number else None


def _plain(body: str) -> str | None:
    """Digits with a point where a decimal mark was; None where the separators make no number."""
    comma, point = body.count(","), body.count(".")
    mark = ""
    if comma and point:
        mark = max(",.", key=body.rfind)
        if body.count(mark) > 1:
            return None
    elif point == 1:
        mark = "."
    elif comma == 1 and not _grouped(body):
        mark = ","
    whole, _, fraction = body.rpartition(mark) if mark else (body, "", "")
    digits = _grouped(whole) if whole else ""
    if digits is None or not (digits or fraction) or (fraction and not fraction.isdecimal()):
        return None
    return f"{digits or 0}.{fraction or 0}"


def _grouped(whole: str) -> str | None:
    """The digits of "1234" or of "1,234,567" with one and the same separator; None for anything else."""
    if whole.isdecimal():
        return whole
    marks = [c for c in whole if c in _MARKS]
    groups = whole.split(marks[0]) if marks else [whole]
    right = len(groups[0]) in (1, 2, 3) and not groups[0].startswith("0") and all(len(g) == 3 for g in groups[1:])
    return "".join(groups) if right and all(g.isdecimal() for g in groups) else None


def _finite(text: str) -> Number | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return Number(value) if value.is_finite() and abs(value.adjusted()) <= 400 else None
