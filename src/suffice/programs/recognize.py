"""What stands in a text: dates, amounts, numbers, codes, phone numbers, addresses of e-mail, lines, as it is written.

Every pattern here is bounded and runs on one line of at most 400 characters, so that no text can make it run away.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from suffice.programs.ngrams import split_words
from suffice.values import Json

MAX_LINES: Final = 400  # of a text that are looked at
MAX_LINE: Final = 400  # characters of a line
NEAR: Final = 8  # words before and behind a value that tell what it is

_MONTHS: Final = (
    "january januar janvier enero gennaio januari janeiro",
    "february februar fevrier febrero febbraio februari fevereiro",
    "march maerz marz mars marzo maart mrt marco",
    "april avril abril aprile",
    "may mai mayo maggio mei maio",
    "june juni juin junio giugno junho",
    "july juli juillet julio luglio julho",
    "august aout agosto augustus",
    "september septembre septiembre settembre setembro",
    "october oktober octobre octubre ottobre outubro",
    "november novembre noviembre novembro",
    "december dezember decembre diciembre dicembre desember dezembro",
)
_NAMES: Final = {name: number for number, names in enumerate(_MONTHS, 1) for name in names.split()}
_PLAIN: Final = str.maketrans("äáàâéèêëíìîïóòôöúùûüçñ", "aaaaeeeeiiiioooouuuucn")

_DIGITS: Final = re.compile(r"(?<!\d)(\d{1,4}) ?([./-]) ?(\d{1,2}) ?\2 ?(\d{4}|\d{1,2})(?!\d)")
_COMPACT: Final = re.compile(r"(?<!\d)((?:19|20)\d\d)(\d\d)(\d\d)(?!\d)")
_DAY_FIRST: Final = re.compile(
    r"(?<!\d)(\d{1,2})(?:st|nd|rd|th|er|º|\.)?[ /.-]{0,2}(?:de |of )?([^\W\d_]{3,10})[ /.,'-]{0,3}(?:de )?"
    r"(\d{4}|\d{2})(?!\d)",
    re.IGNORECASE,
)
_MONTH_FIRST: Final = re.compile(
    r"(?<![^\W_])([^\W\d_]{3,10})[ .-]{0,2}(\d{1,2})(?:st|nd|rd|th)?[ ,.'-]{1,3}(\d{4}|\d{2})(?!\d)", re.IGNORECASE
)
_SIGNS: Final = re.compile(r"(?<!\d)(\d{4}) ?[年년] ?(\d{1,2}) ?[月월] ?(\d{1,2}) ?[日일]")
_CODES: Final = (
    "EUR USD GBP CHF SEK NOK DKK ISK HUF PLN CZK RON BGN JPY CNY INR IDR MYR SGD THB PHP VND KRW TWD HKD AUD NZD CAD "
    "MXN BRL ARS CLP COP PEN ZAR KES NGN GHS EGP MAD AED SAR ILS TRY UAH"
).split()
_MARKS: Final = {
    **{code: code for code in _CODES},
    "€": "EUR", "£": "GBP", "$": "USD", "US$": "USD", "CA$": "CAD", "C$": "CAD", "AU$": "AUD", "A$": "AUD",
    "NZ$": "NZD", "HK$": "HKD", "NT$": "TWD", "S$": "SGD", "R$": "BRL", "MX$": "MXN", "RM": "MYR",
    "Ft": "HUF", "FT": "HUF",
    "zł": "PLN", "ZŁ": "PLN", "Kč": "CZK", "KČ": "CZK", "lei": "RON", "LEI": "RON", "TL": "TRY", "₺": "TRY",
    "Rp": "IDR", "Rs": "INR", "₹": "INR", "KSh": "KES", "Ksh": "KES", "¥": "JPY", "円": "JPY",
    "元": "CNY", "₩": "KRW", "원": "KRW",
    "฿": "THB", "₫": "VND", "₪": "ILS", "₱": "PHP", "₦": "NGN", "₴": "UAH", "Fr": "CHF", "kr": "", "Kr": "", "KR": "",
}  # fmt: skip
"""Signs of currencies with their ISO codes; "" where a sign stands for several."""

_CURRENCY: Final = rf"(?:{'|'.join(re.escape(mark) for mark in sorted(_MARKS, key=len, reverse=True))})\.?"
_BEFORE: Final = re.compile(rf"(?<![^\W\d_]){_CURRENCY}[ :]?$")
_BEHIND: Final = re.compile(rf" ?{_CURRENCY}(?![^\W\d_])")
_MARKED: Final = re.compile(rf"(?<![^\W\d_]){_CURRENCY}(?![^\W\d_])")
_BODY: Final = re.compile(
    r"(?<![\d.,])(?:\d{1,3}(?:[ \u00a0\u202f]\d{3}){1,3}(?:,\d{2})?|\d{1,3}(?:[.,'’]\d{3}){1,3}(?:[.,]\d{2})?"
    r"|\d{1,9}[.,]\d{2}|\d{1,9})(?!\d|[.,]\d)"
)
_NUMBER: Final = re.compile(
    r"(?<![\w.,])-?(?:\d{1,3}(?:,\d{3}){1,4}(?:\.\d{1,6})?|\d{1,12}(?:[.,]\d{1,6})?)(?!\w|[.,]\d)"
)
_GROUPED: Final = re.compile(r"-?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?")
_CODE: Final = re.compile(r"(?<![\w/-])(?=[A-Za-z/-]{0,12}\d)[A-Za-z0-9](?:[A-Za-z0-9/-]{2,28})[A-Za-z0-9](?![\w/-])")
_PHONE: Final = re.compile(r"(?<![\w.,-])\+?\(?\d{1,4}\)?(?:[ ./-]{1,2}\(?\d{2,5}\)?){1,5}(?![\w,-]|\.\d)")
_MAIL: Final = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,4}")
_TIME: Final = re.compile(r"(?<![\d:.])\d{1,2}:\d{2}(?::\d{2})?(?![\d:])(?: ?[AaPp][Mm]\b)?")
_ENDS: Final = " \t*=_~|:;,#>-"


@dataclass(frozen=True, slots=True)
class Found:
    """A value in a text: on which line (from 0), from where to where."""

    value: Json
    line: int
    start: int
    end: int


class Page:
    """A text as lines that are not blank, with what is found in them."""

    def __init__(self, text: str) -> None:
        lines = (line[:MAX_LINE].strip() for line in text.splitlines())
        self.lines = [line for line in lines if line][:MAX_LINES]
        self.fitting: dict[object, list[Found]] = {}  # by what was asked for
        self._known: dict[str, list[Found]] = {}
        self._before: dict[tuple[int, int], str] = {}
        self._behind: dict[tuple[int, int], str] = {}

    @cached_property
    def words(self) -> list[str]:
        """The words of each line, folded, with one space around each."""
        return [_padded(split_words(line)) for line in self.lines]

    @cached_property
    def all_words(self) -> str:
        """The words of all lines; a phrase that is not in here stands near nothing."""
        return "\n".join(self.words)

    def found(self, kind: str) -> list[Found]:
        """All values of a kind, in the order of the text."""
        if kind not in self._known:
            read = KINDS[kind]
            self._known[kind] = [
                Found(value, n, start, end) for n, line in enumerate(self.lines) for value, start, end in read(line)
            ]
        return self._known[kind]

    def before(self, found: Found) -> str:
        """The words before a value on its line; where there are none, those of the nearest line above that has a
        word of letters, three lines up at most."""
        place = (found.line, found.start)
        if place not in self._before:
            self._before[place] = self._words_before(found)
        return self._before[place]

    def behind(self, found: Found) -> str:
        """The words behind a value on its line; where there are none, those of the line below."""
        place = (found.line, found.end)
        if place not in self._behind:
            self._behind[place] = self._words_behind(found)
        return self._behind[place]

    def _words_before(self, found: Found) -> str:
        words = split_words(self.lines[found.line][: found.start])[-NEAR:]
        if _says(words):
            return _padded(words)
        for n in range(found.line - 1, max(-1, found.line - 4), -1):
            above = self.words[n].split()[-NEAR:]
            if _says(above):
                return _padded(above)
        return " "

    def _words_behind(self, found: Found) -> str:
        words = split_words(self.lines[found.line][found.end :])[:NEAR]
        if _says(words) or found.line + 1 >= len(self.lines):
            return _padded(words)
        return _padded(self.words[found.line + 1].split()[:NEAR])


def size(value: Json) -> float | None:
    """How large a value is: a number, or a text that is an amount or a number; None for anything else."""
    if isinstance(value, int | float):
        return float(value)
    if not isinstance(value, str) or not re.fullmatch(r"-?[\d.,'’ \u00a0\u202f]{0,30}\d", value):
        return None
    return float(_amount(value.lstrip("-"), value.startswith("-")))


Read = Callable[[str], Iterator[tuple[Json, int, int]]]


def _padded(words: list[str]) -> str:
    return f" {' '.join(words)} " if words else " "


def _says(words: list[str]) -> bool:
    return any(len(word) > 1 and word.isalpha() for word in words)


def _dates(line: str) -> Iterator[tuple[int, int, tuple[int, int, int], bool]]:
    """Where dates are, as (start, end, three numbers, whether their order is year, month, day)."""
    for m in _DIGITS.finditer(line):
        if len(m[1]) == 4 or len(m[1]) < 3:
            yield m.start(), m.end(), (int(m[1]), int(m[3]), int(m[4])), len(m[1]) == 4
    for pattern in (_COMPACT, _SIGNS):
        for m in pattern.finditer(line):
            yield m.start(), m.end(), (int(m[1]), int(m[2]), int(m[3])), True
    for pattern, day, month in ((_DAY_FIRST, 1, 2), (_MONTH_FIRST, 2, 1)):
        for m in pattern.finditer(line):
            number = _month(m[month])
            if number is not None:
                yield m.start(), m.end(), (_year(int(m[3]), len(m[3])), number, int(m[day])), True


def _month(word: str) -> int | None:
    plain = word.casefold().translate(_PLAIN)
    return next((number for name, number in _NAMES.items() if name.startswith(plain)), None)


def _year(year: int, digits: int) -> int:
    return year if digits > 2 else 2000 + year if year < 70 else 1900 + year


def _iso(parts: tuple[int, int, int], year_first: bool, day_first: bool) -> str | None:
    """The date as YYYY-MM-DD; where only the other order of day and month makes one, that is taken."""
    if year_first:
        return _real(*parts)
    one, two, year = parts[0], parts[1], _year(parts[2], 2 if parts[2] < 100 else 4)
    usual, other = ((two, one), (one, two)) if day_first else ((one, two), (two, one))
    return _real(year, *usual) or _real(year, *other)


def _real(year: int, month: int, day: int) -> str | None:
    try:
        return datetime.date(year, month, day).isoformat() if 1900 <= year < 2100 else None
    except ValueError:
        return None


def _read_dates(day_first: bool | None) -> Read:
    def read(line: str) -> Iterator[tuple[Json, int, int]]:
        taken = -1
        for start, end, parts, year_first in sorted(_dates(line)):
            iso = _iso(parts, year_first, day_first is not False)
            if iso is not None and start >= taken:
                yield (line[start:end] if day_first is None else iso), start, end
                taken = end

    return read


def _read_amounts(as_text: bool) -> Read:
    def read(line: str) -> Iterator[tuple[Json, int, int]]:
        for m in _BODY.finditer(line):
            start, end = m.span()
            before, behind = _BEFORE.search(line[max(0, start - 8) : start]), _BEHIND.match(line, end)
            cents = re.search(r"[.,]\d{2}$", m[0]) is not None
            if line[end : end + 2].lstrip()[:1] == "%" or not (cents or before or behind):
                continue
            begin = start - len(before[0]) if before else start
            minus = _minus(line, start) or _minus(line, begin) or _trailing(line, behind.end() if behind else end)
            if as_text:
                yield m[0], begin, end
            else:
                yield _amount(m[0], minus), begin, end

    return read


def _minus(line: str, start: int) -> bool:
    sign, before = line[start - 1 : start], line[max(0, start - 2) : max(0, start - 1)]
    return start > 0 and sign in "-−–(" and not before.isalnum()


def _trailing(line: str, end: int) -> bool:
    return line[end : end + 1] in ("-", "−") and not line[end + 1 : end + 2].isalnum()


def _amount(text: str, minus: bool) -> Json:
    cents = text[-2:] if text[-3:-2] in (".", ",") else ""
    whole = re.sub(r"\D", "", text[:-3] if cents else text)
    value = float(f"{whole}.{cents or 0}")
    value = -value if minus else value
    return int(value) if value == int(value) and not cents else value


def _read_numbers(as_text: bool) -> Read:
    def read(line: str) -> Iterator[tuple[Json, int, int]]:
        for m in _NUMBER.finditer(line):
            value = float(m[0].replace(",", "") if _GROUPED.fullmatch(m[0]) else m[0].replace(",", "."))
            yield (m[0] if as_text else int(value) if value == int(value) else value), m.start(), m.end()

    return read


def _read_all(pattern: re.Pattern[str]) -> Read:
    def read(line: str) -> Iterator[tuple[Json, int, int]]:
        for m in pattern.finditer(line):
            yield m[0], m.start(), m.end()

    return read


def _read_currencies(line: str) -> Iterator[tuple[Json, int, int]]:
    for m in _MARKED.finditer(line):
        code = _MARKS[m[0].removesuffix(".")]
        if code:
            yield code, m.start(), m.end()


def _read_line(line: str) -> Iterator[tuple[Json, int, int]]:
    text = line.strip(_ENDS)
    if text:
        yield text, 0, len(line)


def _read_rest(line: str) -> Iterator[tuple[Json, int, int]]:
    """What follows a colon, or the first, second or third word of the line."""
    colon = line.find(":")
    cuts = [m.end() for m in re.finditer(r"\S{1,40}", line)][:3]
    for cut in sorted({*cuts, colon + 1} - {0}):
        text = line[cut:].strip(_ENDS)
        if text:
            yield text, cut, len(line)


KINDS: Final[Mapping[str, Read]] = {
    "date": _read_dates(None),
    "date-dmy": _read_dates(True),
    "date-mdy": _read_dates(False),
    "amount": _read_amounts(False),
    "amount-text": _read_amounts(True),
    "number": _read_numbers(False),
    "number-text": _read_numbers(True),
    "currency": _read_currencies,
    "time": _read_all(_TIME),
    "phone": _read_all(_PHONE),
    "email": _read_all(_MAIL),
    "code": _read_all(_CODE),
    "line": _read_line,
    "rest": _read_rest,
}
"""What can be taken out of a text, by name: as a date in ISO form (day or month first), as a number, or as written."""
