"""A value of unknown origin as one short printable line, safe for terminals and messages."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from suffice.numbers import is_whole
from suffice.values import ABSTAIN, Json, canonical, to_json

# Control characters of both sets but line end and tab, what turns the direction of writing, and what is no
# character: lone surrogates and two more that XML cannot hold.
HARMFUL: Final = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def shown(value: object, limit: int = 60) -> str:
    """`value` on one line of at most `limit` characters, without control characters or terminal escapes.

    Plain words stay bare; a text that is empty, padded or holds quotation marks is quoted; None is "nothing".
    """
    if value is None:
        return "nothing"
    if value is ABSTAIN:
        return "ABSTAIN"
    if isinstance(value, str):
        text = value[: limit + 1]  # cut first: a 10 MB answer must not be copied for a message
        bare = text == text.strip() and text != "" and "'" not in text and text.isprintable()
        text = _printable(text)
        return _cut(text if bare else f"'{text}'", limit)
    return _cut(_printable(_json_text(value)[: limit + 1]), limit)


def brief(value: object, limit: int = 40) -> str:
    """A wrong argument in a message, as Python writes it; where that may be long, or hold a secret, its type alone."""
    if isinstance(value, str):
        return _cut(repr(value[:limit]), limit)
    if isinstance(value, float):
        return f"{value:g}"
    if value is None or isinstance(value, bool) or (isinstance(value, int) and is_whole(value)):
        return repr(value)
    return f"such a value of type {shown(type(value).__name__)}"


def harmless(text: str) -> str:
    """`text`, of any number of lines, with what could drive or deceive a terminal as visible escapes: "\\x1b[31m"."""
    return HARMFUL.sub(_escape, text)


def one_line(text: str) -> str:
    """`harmless` with line ends and tabs escaped as well: for a name, which is shown in a line of something else."""
    return harmless(text).replace("\n", "\\n").replace("\t", "\\t")


def listed(names: Iterable[object], limit: int = 10) -> str:
    """`names` separated by commas; beyond `limit` only their number is given."""
    every = list(names)
    text = ", ".join(shown(name, 40) for name in every[:limit])
    return text + (f" and {len(every) - limit:,} more" if len(every) > limit else "")


def counted(number: int, one: str, many: str | None = None) -> str:
    """`number` with its noun: "1 case", "1,200 cases"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def with_first(number: int, most: int) -> str:
    """How a list of `number` begins that shows at most `most`: "12, the first 5:", "3:"; "3" where none is shown."""
    if not most:
        return f"{number:,}"
    return f"{number:,}, the first{f' {most}' if most > 1 else ''}:" if number > most else f"{number:,}:"


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c in "\n\r\t" else "\ufffd" for c in text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _json_text(value: object) -> str:
    try:
        form: Json = to_json(value)
        return canonical(form)
    except (TypeError, ValueError, RecursionError):
        return f"a {type(value).__name__}"
