"""Inside: runs a stranger's program and answers calls of its functions; the tests are in another process."""

from __future__ import annotations

import io
import linecache
import operator
import os
import sys
from collections.abc import Callable
from typing import Any, BinaryIO, Final, cast

from suffice.evals.confined.plain import from_plain, receive, send, to_plain

PROGRAM: Final = "the program"
OPERATIONS: Final[dict[str, Callable[..., Any]]] = {
    "call": operator.call,
    "attribute": getattr,
    "iter": iter,
    "next": next,
    "len": len,
    "bool": bool,
    "str": str,
    "repr": repr,
    "hash": hash,
    "int": int,
    "float": float,
    **{
        name: getattr(operator, name)
        for name in ("getitem", "setitem", "delitem", "contains", "eq", "lt", "le", "gt", "ge", "add", "sub", "mul",
                     "truediv", "floordiv", "mod", "pow", "neg", "abs", "and_", "or_", "xor", "invert")
    },
}  # fmt: skip
"""What the tests may ask of a thing that lives here."""


def main() -> None:
    """Answer requests on stdin with replies on stdout, until nobody asks. What the program prints is dropped."""
    asked, answered = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    sys.stdin, sys.stdout, sys.stderr = (io.TextIOWrapper(open(i, "r+b", 0), write_through=True) for i in (0, 1, 2))
    serve(asked, answered)


def serve(asked: BinaryIO, answered: BinaryIO) -> None:
    """The loop: the first request is {"program": source}, others {"do": operation, "of": thing, "args", "named"}."""
    things: dict[str, Any] = {}
    kept: list[Any] = []

    def refer(value: Any) -> Any:
        kept.append(value)
        return {"t": "ref", "v": len(kept) - 1, "name": type(value).__name__[:60]}

    def referred(form: dict[str, Any]) -> Any:
        at = form["v"]
        return things[at] if isinstance(at, str) else kept[at]

    while (request := receive(asked)) is not None:
        try:
            if "program" in request:
                run(request["program"], things)
                reply: dict[str, Any] = {"names": [name for name in things if not name.startswith("__")]}
            else:
                reply = _done(request, refer, referred)
        except BaseException as error:  # noqa: B036 - whatever a stranger's code raises is told to the tests
            reply = {"raised": type(error).__name__, "said": _said(error), "line": _line(error)}
        send(answered, reply)


def run(source: str, things: dict[str, Any]) -> None:
    """Execute a program; `things` are its global names. Raises what it raises."""
    things["__name__"] = "program"
    lines = source.splitlines(keepends=True)
    linecache.cache[PROGRAM] = (len(source), None, lines, PROGRAM)
    exec(compile(source, PROGRAM, "exec"), things)


def _done(request: dict[str, Any], refer: Callable[[Any], Any], referred: Callable[[Any], Any]) -> dict[str, Any]:
    args = cast("list[Any]", from_plain(request["args"], referred))
    before = [to_plain(a, refer) if isinstance(a, list | dict | set | bytearray) else None for a in args]
    value = OPERATIONS[request["do"]](referred(request["of"]), *args, **from_plain(request["named"], referred))
    after = {
        str(i): form
        for i, (arg, old) in enumerate(zip(args, before, strict=True))
        if old is not None and (form := to_plain(arg, refer)) != old
    }
    return {"value": to_plain(value, refer), "changed": after}


def _said(error: BaseException) -> str:
    try:
        return str(error)[:300]
    except BaseException:  # noqa: B036 - the text of a stranger's exception is a stranger's code
        return ""


def _line(error: BaseException) -> int | None:
    """The line of the program that an exception came from."""
    found = error.lineno if isinstance(error, SyntaxError) else None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == PROGRAM:
            found = trace.tb_lineno
        trace = trace.tb_next
    return found
