"""Dates as people and models write them: "25/12/2018 8:13 PM", "Dec. 25th, 2018", "2018-12-25T10:00Z", "12/2018"."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date as calendar_day
from typing import Final, Literal

Order = Literal["DMY", "MDY", "YMD"]
ORDERS: Final[tuple[Order, ...]] = ("DMY", "MDY", "YMD")
PIVOT: Final = 69  # 69 is 1969 and 68 is 2068, as in POSIX: a rule that does not move with today's date

# English, German, French, Spanish, Italian, Portuguese, Dutch; a name may be cut to three letters or more where only
# one month begins so ("dec", "sept", "août").
_NAMES: Final = (
    "january januar janvier enero gennaio janeiro januari",
    "february februar fevrier febrero febbraio fevereiro februari",
    "march marz maerz mars marzo marco maart mrt",
    "april avril abril aprile",
    "may mai mayo maggio maio mei",
    "june juni juin junio giugno junho",
    "july juli juillet julio luglio julho",
    "august aout agosto augustus",
    "september septembre septiembre settembre setembro",
    "october oktober octobre octubre ottobre outubro",
    "november novembre noviembre novembro",
    "december dezember decembre diciembre dicembre dezembro",
)
_WEEKDAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,?\s+)?"
_CLOCK = (
    r"(?:(?:\s*,?\s+(?:at\s+)?|t)\d{1,2}(?::\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?)?\s*(?:[ap]\.?m\.?)?"
    r"\s*(?:z|utc|gmt|[+-]\d{2}:?\d{2})?)?"
)
_NTH, _GAP = r"(?:st|nd|rd|th|\.|er|o|º)?", r"[\s,./-]*"
_MONTH = r"(?P<name>[a-z]{3,12})\.?"
_DAY, _YEAR = r"(?P<d>\d{1,2})", r"(?P<y>\d{4}|'?\d{2})"
_SHORT = r"(?P<y>\d{4})"
_FORMS: Final = tuple(
    re.compile(rf"{_WEEKDAY}{form}{_CLOCK}")
    for form in (
        r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})",
        r"(?P<y>\d{4})\s*[-/.]\s*(?P<m>\d{1,2})\s*[-/.]\s*(?P<d>\d{1,2})",
        r"(?P<y>\d{4})\s*年\s*(?P<m>\d{1,2})\s*月\s*(?P<d>\d{1,2})\s*日",
        rf"(?:the\s+)?{_DAY}{_NTH}{_GAP}(?:of\s+|de\s+)?{_MONTH}{_GAP}(?:de\s+)?{_YEAR}",
        rf"{_MONTH}{_GAP}(?:the\s+)?{_DAY}{_NTH}(?:\s*,\s*|[\s./-]+){_YEAR}",
        rf"{_SHORT}{_GAP}{_MONTH}{_GAP}{_DAY}{_NTH}",
    )
)
_NUMBERS = re.compile(rf"{_WEEKDAY}(\d{{1,2}})\s*([-/. ])\s*(\d{{1,2}})\s*\2\s*(\d{{1,2}}|\d{{4}}){_CLOCK}")
_MONTHS_ONLY: Final = tuple(
    re.compile(form)
    for form in (rf"{_MONTH}{_GAP}(?:de\s+|of\s+)?{_SHORT}", rf"{_SHORT}{_GAP}{_MONTH}",
                 rf"(?P<m>\d{{1,2}})\s*[-/.]\s*{_SHORT}", rf"{_SHORT}\s*[-/.]\s*(?P<m>\d{{1,2}})")
)  # fmt: skip
_YEAR_ONLY = re.compile(_SHORT)


@dataclass(frozen=True, slots=True, order=True)
class Day:
    """A day, or a month (`day` None) or a year (`month` None, too) where no more is written."""

    year: int
    month: int | None = None
    day: int | None = None

    def __str__(self) -> str:
        """ISO 8601: "2018-12-25", "2018-12" or "2018"."""
        parts = f"{self.year:04}", *(f"{n:02}" for n in (self.month, self.day) if n is not None)
        return "-".join(parts)


def read_dates(value: object, order: Order | None = None) -> tuple[Day, ...]:
    """Every date that `value` may be: none, one, or several where the order of its numbers is not known.

    A year of four digits that comes first is followed by month and day. Other all-number dates are read in `order`;
    without one in every order that gives a date ("25/12/2018" has one reading, "03/04/2018" two, "12-01-19" three).
    Two digits of a year are 1969 to 2068. A weekday before it and a time of day after it are passed over.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # 2018, 20181225
    if not isinstance(value, str) or len(value) > 100:
        return ()
    text = _plain(value)
    for form in _FORMS:
        if found := form.fullmatch(text):
            day = _named(found)
            return (day,) if day else ()
    if found := _NUMBERS.fullmatch(text):
        return _ordered((found[1], found[3], found[4]), order)
    for form in _MONTHS_ONLY:
        if found := form.fullmatch(text):
            day = _named(found)
            return (day,) if day else ()
    return (Day(int(text)),) if _YEAR_ONLY.fullmatch(text) and text != "0000" else ()


def _plain(text: str) -> str:
    """Lower case, without accents, dashes of all kinds as "-"."""
    parts = unicodedata.normalize("NFKD", text.strip("()[]\"' \t\r\n").casefold())
    kept = "".join(c for c in parts if not unicodedata.combining(c))
    return " ".join(re.sub("[‐‑‒–—−]", "-", kept.replace("’", "'")).split()).removesuffix(".")


def _named(found: re.Match[str]) -> Day | None:
    parts = found.groupdict()
    month = _month(parts["name"]) if parts.get("name") else int(parts["m"])
    if month is None:
        return None
    return _day(_year(parts["y"]), month, int(parts["d"]) if parts.get("d") else None)


def _ordered(numbers: tuple[str, str, str], order: Order | None) -> tuple[Day, ...]:
    made: set[Day] = set()
    for this in ORDERS if order is None else (order,):
        parts = dict(zip(this, numbers, strict=True))
        if len(parts["D"]) > 2 or len(parts["M"]) > 2:
            continue
        day = _day(_year(parts["Y"]), int(parts["M"]), int(parts["D"])) if len(parts["Y"]) != 1 else None
        made |= {day} if day else set()
    return tuple(sorted(made))


def _month(name: str) -> int | None:
    meant = [i for i, names in enumerate(_NAMES, 1) if any(n.startswith(name) for n in names.split())]
    return meant[0] if len(meant) == 1 else None


def _year(text: str) -> int:
    year = int(text.removeprefix("'"))
    return year if len(text.removeprefix("'")) > 2 else year + (1900 if year >= PIVOT else 2000)


def _day(year: int, month: int, day: int | None) -> Day | None:
    try:
        calendar_day(year, month, 1 if day is None else day)
    except ValueError:
        return None
    return Day(year, month, day)
