"""Plain data as JSON lines between confined processes: what comes from a stranger is data, never code.

None, bool, int, float, str, list; tuple, set, frozenset, dict, bytes, bytearray, complex, range, Decimal and Fraction
as {"t": name, "v": parts}; anything else stays where it is, and a number stands for it: {"t": "ref", "v": number}.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any, BinaryIO, Final, cast

LONGEST: Final = 1 << 25  # bytes of a line
_LISTS: Final[dict[str, type]] = {"tuple": tuple, "set": set, "frozenset": frozenset}
_BIG: Final = 1 << 64
_PARTS: Final[dict[type, Callable[[Any], Any]]] = {
    bytes: lambda v: v.decode("latin-1"),
    bytearray: lambda v: v.decode("latin-1"),
    complex: lambda v: [v.real, v.imag],
    range: lambda v: [v.start, v.stop, v.step],
    Decimal: str,
    Fraction: str,
}


def to_plain(value: Any, refer: Callable[[Any], Any]) -> Any:
    """`value` for a line; `refer` says what stands for what is no plain data. Subclasses go as their base."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str | float):
        return str.__str__(value) if isinstance(value, str) else float(value)
    if isinstance(value, int):
        return int(value) if -_BIG < value < _BIG else {"t": "int", "v": hex(value)}
    if isinstance(value, list):
        return [to_plain(v, refer) for v in cast("list[Any]", value)]
    for name, kind in _LISTS.items():
        if isinstance(value, kind):
            return {"t": name, "v": [to_plain(v, refer) for v in value]}
    if isinstance(value, dict):
        pairs = cast("dict[Any, Any]", value).items()
        return {"t": "dict", "v": [[to_plain(k, refer), to_plain(v, refer)] for k, v in pairs]}
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "ndim", None) == 0:
        return to_plain(item(), refer)  # a numpy scalar
    for kind, parts in _PARTS.items():
        if isinstance(value, kind):
            return {"t": kind.__name__, "v": parts(value)}
    return refer(value)


def from_plain(form: Any, referred: Callable[[Any], Any]) -> Any:
    """The inverse; `referred` makes something of a {"t": "ref"}. Raises ValueError for what is no such form."""
    if isinstance(form, list):
        return [from_plain(v, referred) for v in cast("list[Any]", form)]
    if not isinstance(form, dict):
        return form
    told = cast("dict[str, Any]", form)
    name, parts = told.get("t"), told.get("v")
    if name == "ref":
        return referred(told)
    try:
        if name in _LISTS:
            return _LISTS[name](from_plain(v, referred) for v in cast("list[Any]", parts))
        if name == "dict":
            return {from_plain(k, referred): from_plain(v, referred) for k, v in cast("list[Any]", parts)}
        return _made(str(name), parts)
    except (TypeError, ArithmeticError) as error:
        raise ValueError(f"no plain data: {error}") from None


def _made(name: str, parts: Any) -> Any:
    if name == "int":
        return int(str(parts), 16)
    if name in ("bytes", "bytearray"):
        return (bytes if name == "bytes" else bytearray)(str(parts).encode("latin-1"))
    if name == "complex":
        return complex(*parts)
    if name == "range":
        return range(*parts)
    if name in ("Decimal", "Fraction"):
        return (Decimal if name == "Decimal" else Fraction)(str(parts)[:1000])
    raise ValueError(f"no plain data: {name[:40]}")


def send(pipe: BinaryIO, message: Any) -> None:
    """One message as a line. Raises OSError where nobody reads any more."""
    pipe.write(json.dumps(message).encode() + b"\n")
    pipe.flush()


def receive(pipe: BinaryIO) -> dict[str, Any] | None:
    """The next message, None at the end. Raises ValueError for what is no message."""
    line = pipe.readline(LONGEST)
    if not line:
        return None
    if not line.endswith(b"\n"):
        raise ValueError("a message was cut off, or longer than 32 MiB")
    try:
        message: Any = json.loads(line)
    except RecursionError:
        raise ValueError("a message is nested too deeply") from None
    if not isinstance(message, dict):
        raise ValueError("not a message")
    return cast("dict[str, Any]", message)
