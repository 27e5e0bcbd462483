"""Errors as a durable run records them: of the same class, with the same words and place, when raised again."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final, cast

from suffice import errors
from suffice.errors import PLACE, SufficeError
from suffice.values import Json

PLAIN: Final = (str, int, float, bool, type(None))
NOT_DONE: Final = [errors.NotDone.__module__, errors.NotDone.__name__]


def error_json(error: Exception, inside: bool = False) -> Json:
    """An error as it is recorded; `inside`: it came out of another effect within this one.

    `kinds` are its class and those it derives from, up to Exception, by module and name: the nearest that is loaded
    catches it again. Of a group its members are recorded likewise.
    """
    hint = getattr(error, "hint", None)
    told: dict[str, Json] = {
        "type": type(error).__name__,
        "message": _words(error),
        "hint": hint if isinstance(hint, str) else None,
        "module": type(error).__module__,
        "kinds": [[kind.__module__, kind.__qualname__] for kind in _kinds(type(error))],
    }
    args = _arguments(error)
    if isinstance(error, BaseExceptionGroup):
        told["args"] = [args[0]]
        told["members"] = [error_json(one) for one in cast("ExceptionGroup[Exception]", error).exceptions]
    elif all(isinstance(part, PLAIN) for part in args):
        told["args"] = list(args)
    place: object = getattr(error, PLACE, None)
    if isinstance(place, str):
        told["place"] = place
    if isinstance(error, SufficeError) and error.where is not None:
        told["where"] = error.where
    if inside:
        told["inside"] = True
    return told


def error_of_json(value: Json) -> Exception:
    """An error that was recorded, with its words: of its own class where the program has loaded that.

    Else of a class that is made for it, of the same name, on the nearest of those it derived from that is loaded.
    A record of an older version does not say these: its error is a RuntimeError then.
    """
    told: Any = value
    error = _remade(told)
    if "place" in told:
        with suppress(Exception):  # a class that takes no attributes
            setattr(error, PLACE, told["place"])
    return error


def described(value: Json, most: int = 200) -> str:
    """A recorded error in one line: "ConnectionError: the bank is closed"."""
    told: Any = value
    return f"{told['type']}: {told['message']}"[:most]


def says_not_done(value: Json) -> bool:
    """Whether a tool said by this error that it had done nothing; one that came from a tool inside says that of it."""
    told: Any = value
    return NOT_DONE in _named(told) and not told.get("inside")


def _kinds(kind: type[Exception]) -> list[type[Exception]]:
    return [one for one in kind.__mro__ if issubclass(one, Exception) and one is not Exception]


def _words(error: Exception) -> str:
    with suppress(Exception):  # a class whose text fails in its turn
        return str(error.message) if isinstance(error, SufficeError) else str(error)
    return ""


def _arguments(error: Exception) -> tuple[Any, ...]:
    """What its class is called with to make it again."""
    if isinstance(error, OSError) and len(error.args) == 2 and error.filename is not None:
        names = (error.filename,) if error.filename2 is None else (error.filename, None, error.filename2)
        return (*error.args, *names)
    return error.args


def _named(told: Mapping[str, Any]) -> list[list[str]]:
    """Its class and those that it derived from, as far as was recorded."""
    if "kinds" in told:
        return told["kinds"]
    own = errors.__name__ if hasattr(errors, str(told["type"])) else "builtins"
    return [[str(told.get("module", own)), str(told["type"])]]


def _remade(told: Mapping[str, Any]) -> Exception:
    own, *others = _named(told)
    kind = _loaded(*own)
    made = None if kind is None else next(_of_class(kind, told), None)
    if made is not None:
        return made
    if kind is None and "kinds" not in told:
        return RuntimeError(f"{told['type']}: {told['message']}")
    for base in (kind, *(_loaded(*other) for other in others), Exception):
        if base is not None:
            with suppress(Exception):
                return _stand_in(base, told)
    return Exception(f"{told['type']}: {told['message']}")


def _loaded(module: str, name: str) -> type[Exception] | None:
    """The class, which is looked up and never imported: no module is asked, because one may import when it is."""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, "__dict__", {}).get(part)
    return found if isinstance(found, type) and issubclass(found, Exception) else None


def _of_class(kind: type[Exception], told: Mapping[str, Any]) -> Iterator[Exception]:
    """Made as it was, or else without asking its class, which may want more than was recorded; if the words are the
    same then."""
    as_it_was = () if kind.__module__ == errors.__name__ else (partial(kind, *_args(told)),)
    for make in (*as_it_was, partial(_bare, kind, told)):
        with suppress(Exception):
            made = make()
            if _words(made) == told["message"]:
                yield _with_hint(made, told)


def _stand_in(base: type[Exception], told: Mapping[str, Any]) -> Exception:
    """An error that `base` catches, of the recorded name and words: what a program shows a model must not change."""
    module, name = _named(told)[0]
    own: dict[str, Any] = {"__module__": module, "__qualname__": name}
    if not issubclass(base, SufficeError):

        def said(error: Exception) -> str:
            return str(told["message"])

        own["__str__"] = said
    return _with_hint(_bare(type(told["type"], (base,), own), told), told)


def _bare(kind: type[Exception], told: Mapping[str, Any]) -> Exception:
    """Without what its own class does to make one."""
    args = _args(told)
    made: Exception = kind.__new__(kind, *args)
    made.args = args
    if isinstance(made, SufficeError):
        family = next(k for k in kind.__mro__ if k.__module__ == errors.__name__ and k is not errors.Waiting)
        cast("Any", family).__init__(made, told["message"])
    return made


def _args(told: Mapping[str, Any]) -> tuple[Any, ...]:
    args = tuple(told.get("args", [told["message"]]))
    return (*args, [error_of_json(one) for one in told["members"]]) if "members" in told else args


def _with_hint(error: Exception, told: Mapping[str, Any]) -> Exception:
    if isinstance(error, SufficeError):
        error.hint, error.where = told.get("hint"), told.get("where")
    return error
