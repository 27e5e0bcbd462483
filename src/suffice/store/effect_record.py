"""One effect of a durable run as it stands in the store, and its place in the program."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from suffice.spans import Address
from suffice.store.database import Store, mapped
from suffice.store.runs import reading, run_number
from suffice.strands import ASIDE, Lane, lane_of_text, lane_text
from suffice.values import Json, canonical

State = Literal["open", "held", "done", "failed", "retry", "cut"]
"""Begun and not ended, stopped by a question inside, done, ended in an error, in one that ended the run and is tried
again, or cut off by the program (a time-out), which went on."""
Places = tuple[tuple[Lane, int], ...]
"""An address without its names: lane and place at each level."""

LOAD: Final = (
    "SELECT address, number, seen, finish, name, kind, arguments, begun, ended, times, state, value FROM effect"
    " WHERE run = ? ORDER BY number"
)
SHOWN: Final = 200  # characters of a call that an error or a question quotes
LEFT: Final = "~"  # between the number and the places of what was done on the way out of an error


@dataclass(frozen=True, slots=True)
class Recorded:
    """One effect as it stands in the store. `value` is JSON: the result of one that is done, the error of one that
    failed. `times` is how often it was begun without an end, and the last time. `number` and `finish` are where its
    beginning and its end come in the order of all of them, and `seen` is the last end that the program knew of when it
    was begun (None: an older record does not say); `begun` and `ended` are in seconds since 1970. `finish` and `ended`
    are None where no end is known. `left`: it was done on the way out of an error that ended the run, and the
    program may go another way now."""

    places: Places
    number: int
    seen: int | None
    finish: int | None
    name: str
    kind: str
    arguments: str
    begun: float
    ended: float | None
    times: int
    state: State
    value: Json
    left: bool = False

    def has(self, arguments: Json) -> bool:
        """Whether these were its arguments."""
        return self.canonical == canonical(arguments)

    @property
    def canonical(self) -> str:
        """Its arguments as text, whatever order they have."""
        return canonical(json.loads(self.arguments))

    @property
    def over(self) -> bool:
        """Whether a replay does not do it again, nor what is inside."""
        return self.state in ("done", "failed", "cut")

    @property
    def aside(self) -> bool:
        """Whether it is no part of what the program does."""
        return any(lane == ASIDE for lane, _ in self.places)

    def __str__(self) -> str:
        return call_text(self.name, json.loads(self.arguments))


def load(store: Store, run: str) -> list[Recorded]:
    """The effects of a run in the order in which they were begun. Raises StoreError."""
    with mapped(store.path):
        rows = store.connection.execute(LOAD, (run_number(run),)).fetchall()
    with reading(store, run, "an effect"):
        return [_recorded(*row) for row in rows]


def _recorded(address: str, number: int, seen: int | None, finish: int | None, *rest: Any) -> Recorded:
    name, kind, arguments, begun, ended, times, state, value = rest
    told = None if value is None else json.loads(value)
    json.loads(arguments)  # who reads them later knows neither store nor run
    if state in ("open", "held"):  # of one that is begun again the end before is no end
        ended = finish = None
    left, _, text = address.rpartition(LEFT)
    where, order = places_of_text(text), (number, seen, finish)
    return Recorded(where, *order, name, kind, arguments, begun, ended, times, state, told, bool(left))


def places_of(address: Address) -> Places:
    """An address without its names."""
    return tuple((turn.lane, turn.place) for turn in address)


def places_text(places: Places) -> str:
    """Places as the store has them: "0.3/2.0"."""
    return "/".join(f"{lane_text(lane)}.{place}" for lane, place in places)


def places_of_text(text: str) -> Places:
    """The inverse of `places_text`."""
    pairs = (part.split(".") for part in text.split("/"))
    return tuple((lane_of_text(lane), int(place)) for lane, place in pairs)


def follows(later: Places, earlier: Places) -> bool:
    """Whether a program that does one thing after the other within a lane does `later` after `earlier`."""
    for one, other in zip(later, earlier, strict=False):
        if one != other:
            return one[0] == other[0] and one[1] > other[1]
    return False


def call_text(name: str, arguments: Json) -> str:
    """A call in one short line, as a person reads it: refund(order=17)."""
    if isinstance(arguments, dict):
        told = cast("dict[str, Json]", arguments)
        inside = ", ".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in told.items())
    else:
        inside = json.dumps(arguments, ensure_ascii=False)
    return f"{name}({inside if len(inside) <= SHOWN else inside[:SHOWN] + '…'})"
