"""Errors as a durable run records them: of the same class, with the same words and place, when raised again."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, cast

from suffice import errors
from suffice.errors import PLACE, SufficeError
from suffice.values import Json

PLAIN: Final = (str, int, float, bool, type(None))


def error_json(error: Exception, inside: bool = False) -> Json:
    """An error as it is recorded; `inside`: it came out of another effect within this one."""
    message = error.message if isinstance(error, SufficeError) else str(error)
    told: dict[str, Json] = {"type": type(error).__name__, "message": message, "hint": getattr(error, "hint", None)}
    told["module"] = type(error).__module__
    if all(isinstance(part, PLAIN) for part in error.args):
        told["args"] = list(error.args)
    place: object = getattr(error, PLACE, None)
    if isinstance(place, str):
        told["place"] = place
    if inside:
        told["inside"] = True
    return told


def error_of_json(value: Json) -> Exception:
    """An error that was recorded, of its own class where the program has loaded that, else a RuntimeError."""
    told: Any = value
    error = _of_suffice(told) or _of_program(told) or RuntimeError(f"{told['type']}: {told['message']}")
    if "place" in told:
        setattr(error, PLACE, told["place"])
    return error


def described(value: Json, most: int = 200) -> str:
    """A recorded error in one line: "ConnectionError: the bank is closed"."""
    told: Any = value
    return f"{told['type']}: {told['message']}"[:most]


def says_not_done(value: Json) -> bool:
    """Whether a tool said by this error that it had done nothing; one that came from a tool inside says that of it."""
    told: Any = value
    return told["type"] == errors.NotDone.__name__ and not told.get("inside")


def _of_suffice(told: Mapping[str, Any]) -> Exception | None:
    kind = getattr(errors, str(told["type"]), None)
    if not isinstance(kind, type) or not issubclass(kind, SufficeError) or kind is errors.Waiting:
        return None
    return kind(str(told["message"]), hint=told.get("hint"))


def _of_program(told: Mapping[str, Any]) -> Exception | None:
    """By its class, which is looked up and never imported. A class that wants more than was recorded is not asked."""
    kind: Any = getattr(sys.modules.get(str(told.get("module", "builtins"))), str(told["type"]), None)
    if not isinstance(kind, type) or not issubclass(kind, Exception):
        return None
    args = tuple(cast("list[Any]", told.get("args", [told["message"]])))
    with suppress(Exception):
        return kind(*args)
    with suppress(Exception):
        made: Exception = kind.__new__(kind, *args)
        made.args = args
        return made
    return None
