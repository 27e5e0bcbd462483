"""A model's text to a JSON value (RFC 8259), strictly: only white space and one Markdown fence may stand around it."""

from __future__ import annotations

import json
import math
from typing import NoReturn

from suffice.errors import OutputError
from suffice.values import Json

FENCE = "```"
QUOTED = 80
"""At most this many printable characters of a model's text stand in a message."""


def printable(text: str, limit: int) -> str:
    """The start of `text` in at most `limit` printable characters; what was left out is shown by an ellipsis.

    Control characters of both sets, what turns the direction of writing and what has no width are replaced.
    """
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[: limit + 1])
    return shown if len(shown) <= limit else shown[: max(limit - 1, 0)] + "…"


def quotable(text: str, limit: int) -> str:
    """`printable`, and without a backtick: the places of faults stand between two, and are read out of a message."""
    return printable(text[: limit + 1].replace("`", "\N{REPLACEMENT CHARACTER}"), limit)


def unfenced(text: str) -> str:
    """`text` without white space and without one Markdown fence around it.

    Raises OutputError for a fence that was opened and never closed: the text was cut off.
    """
    inner = text.strip()
    if not inner.startswith(FENCE):
        return inner
    head, newline, rest = inner.partition("\n")
    rest = rest.rstrip()
    if not newline or FENCE in head[len(FENCE) :] or not rest.endswith(FENCE):
        raise OutputError("the answer is not JSON: its Markdown fence does not close", partial=text)
    return rest[: -len(FENCE)].strip()


def json_value(text: str) -> Json:
    """The value of a JSON text.

    Raises OutputError for anything else: a cut text, NaN or Infinity, a number that no float holds, too deep nesting.
    """
    try:
        return json.loads(text, parse_constant=_constant, parse_float=finite)
    except json.JSONDecodeError as error:
        reason = f"{error.msg[:1].lower()}{error.msg[1:]} at character {error.pos}"
        near = quotable(text[max(error.pos - 20, 0) : error.pos + 20], QUOTED // 2)
        cut = "" if text else "; the text is empty"
        raise OutputError(f"the answer is not JSON: {reason}{cut or f', near `{near}`'}", partial=text) from None
    except RecursionError:
        raise OutputError("the answer is not usable JSON: it is nested too deeply", partial=text) from None
    except ValueError as error:  # ours, and Python's own limit on the digits of an integer
        raise OutputError(f"the answer is not usable JSON: {quotable(str(error), QUOTED)}", partial=text) from None


def finite(text: str) -> float:
    """The float of a JSON number. Raises ValueError where it is too large."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")
