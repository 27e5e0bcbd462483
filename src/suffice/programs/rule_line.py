"""One line of a file of rules, read piece by piece: words, quoted values, patterns between slashes, numbers."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from suffice.errors import SolutionError
from suffice.values import Json

MAX_FILE: Final = 2**22  # bytes of a file of rules
MAX_LINES: Final = 20_000

_SPACE: Final = re.compile(r"[ \t\r]*")
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z-]*")
_NUMBER: Final = re.compile(r"-?\d{1,9}(?:\.\d{1,9})?|\.\d{1,9}")
_SLASHED: Final = re.compile(r"/((?:[^/\\]|\\.)*)/")


@dataclass(slots=True)
class RuleLine:
    """A line, how far it is read, and where it stands ("rules.txt:7")."""

    text: str
    where: str
    at: int = 0

    def fault(self, message: str, hint: str) -> SolutionError:
        """The error for this line."""
        return SolutionError(message, hint=hint, where=self.where)

    def ends(self) -> bool:
        """Whether nothing but white space and a comment is left."""
        self._skip()
        return self.at >= len(self.text) or self.text[self.at] == "#"

    def rest(self) -> str:
        """What is left, shortened for a message."""
        self._skip()
        left = self.text[self.at : self.at + 40].rstrip()
        return repr(left) if left else "the end of the line"

    def takes(self, sign: str) -> bool:
        """Whether `sign`, a word or a mark, comes next; then it is read."""
        self._skip()
        if sign[:1].isalpha():
            found = _WORD.match(self.text, self.at)
            if found is None or found[0] != sign:
                return False
        elif not self.text.startswith(sign, self.at):
            return False
        self.at += len(sign)
        return True

    def word(self) -> str | None:
        """The word that comes next, None where something else does."""
        self._skip()
        found = _WORD.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return found[0]

    def number(self) -> float | None:
        """The number that comes next, None where something else does."""
        self._skip()
        found = _NUMBER.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return float(found[0])

    def whole(self) -> int | None:
        """The whole number that comes next, None where something else does."""
        before, number = self.at, self.number()
        if number is None or number != int(number):
            self.at = before
            return None
        return int(number)

    def value(self) -> Json:
        """The JSON value that comes next. Raises SolutionError where there is none."""
        self._skip()
        try:
            value, self.at = _JSON.raw_decode(self.text, self.at)
        except (ValueError, RecursionError):
            raise self.fault(
                f"here a value is missing: {self.rest()}", 'texts stand in quotes: "refunds"; others: 3, true, null'
            ) from None
        return value

    def quoted(self) -> str | None:
        """The text in double quotes that comes next, None where something else does."""
        self._skip()
        if not self.text.startswith('"', self.at):
            return None
        value: Any = self.value()
        return str(value)

    def slashed(self) -> str | None:
        """What stands between the slashes that come next (a slash in it as \\/), None where something else does."""
        self._skip()
        found = _SLASHED.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return found[1].replace("\\/", "/")

    def confidence(self) -> float | None:
        """The confidence in parentheses that comes next: "(0.93)"; None where there is none."""
        if not self.takes("("):
            return None
        sure = self.number()
        if sure is None or not 0.0 <= sure <= 1.0 or not self.takes(")"):
            raise self.fault(f"a confidence is a number from 0 to 1 in parentheses, not {self.rest()}", "(0.9)")
        return sure

    def end(self) -> None:
        """Raise SolutionError where anything but a comment is left."""
        if not self.ends():
            raise self.fault(f"this is not understood: {self.rest()}", "a comment begins with #")

    def _skip(self) -> None:
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at


def rule_lines(text: str, name: str) -> list[RuleLine]:
    """The lines of a file of rules that say something. Raises SolutionError where there are too many."""
    lines = text.removeprefix("\ufeff").split("\n")
    if len(lines) > MAX_LINES:
        raise SolutionError(f"it has {len(lines):,} lines; {MAX_LINES:,} are read at most", where=name)
    numbered = (RuleLine(line, f"{name}:{n}") for n, line in enumerate(lines, 1))
    return [line for line in numbered if not line.ends()]


def quoted(value: Json) -> str:
    """A value as it stands in a file of rules: JSON on one line, that any editor can hold."""
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(value)


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is not a number")


_JSON: Final = json.JSONDecoder(parse_constant=_refuse)
