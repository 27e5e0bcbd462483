"""Which recorded strand a strand of a replay is, where the order in which tasks are made is chance.

`asyncio.as_completed` puts coroutines into a set before it makes tasks of them. So a strand whose first call is not
what is recorded under its number may be the one of another number, whose first call it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from suffice.store.effect_record import Places, Recorded
from suffice.strands import ASIDE, Lane
from suffice.values import Json, canonical

Maker = tuple[Places, Lane]
"""Where strands are made: the span, and the lane of their maker there."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A call as it is asked for now."""

    places: Places
    name: str
    kind: str
    arguments: Json


class Lanes:
    """The numbers that the strands of a replay have in the record. `claimed` is how many have one."""

    def __init__(self, recorded: Mapping[Places, Recorded]) -> None:
        """What is recorded, by its places."""
        self._recorded = recorded
        self._numbers: dict[tuple[Maker, int], int] = {}
        self._taken: set[tuple[Maker, int]] = set()
        self._index: _Index | None = None

    @property
    def claimed(self) -> int:
        return len(self._taken)

    def places(self, places: Places) -> Places:
        """The recorded form of places that were asked for before."""
        told: Places = ()
        for lane, place in places:
            new: Lane = ()
            for number in lane:
                new = (*new, number if lane == ASIDE else self._numbers.get(((told, new), number), number))
            told = (*told, (new, place))
        return told

    def settle(self, asked: Asked, last: bool = True) -> bool:
        """Give a number to each strand on the way that has none yet. False, where somebody else may still turn out to
        be the strand of that number; for the `last` time it keeps it all the same."""
        told: Places = ()
        for level, (lane, place) in enumerate(asked.places):
            new: Lane = ()
            for depth, number in enumerate(lane):
                maker = told, new
                if lane != ASIDE and (maker, number) not in self._numbers:
                    found = self._number(asked, maker, level, depth)
                    if found is None and not last:
                        return False
                    self._numbers[maker, number] = number if found is None else found
                    self._taken.add((maker, self._numbers[maker, number]))
                new = (*new, self._numbers.get((maker, number), number))
            told = (*told, (new, place))
        return True

    def _number(self, asked: Asked, maker: Maker, level: int, depth: int) -> int | None:
        """The number of a new strand, None where nobody can tell yet."""
        lane, place = asked.places[level]
        own = lane[depth]
        free = (maker, own) not in self._taken
        here = self._recorded.get((*maker[0], ((*maker[1], *lane[depth:]), place), *asked.places[level + 1 :]))
        if free and (not self._recorded or (here is not None and _call(here) == _call_of(asked))):
            return own
        self._index = self._index or _Index(self._recorded.values())
        alike = [n for n in self._index.alike(asked, maker, level, depth) if (maker, n) not in self._taken]
        if alike:
            return min(alike)
        known = self._index.numbers.get(maker, frozenset[int]())
        if free:
            return None if own in known else own
        most = len(known) + len(self._taken) + 2
        return next(n for n in range(1, most) if n not in known and (maker, n) not in self._taken)


class _Index:
    """What is recorded, by call and by maker."""

    def __init__(self, recorded: Iterable[Recorded]) -> None:
        self.numbers: dict[Maker, set[int]] = {}
        self._calls: dict[tuple[str, str, str], list[Recorded]] = {}
        for effect in recorded:
            self._calls.setdefault(_call(effect), []).append(effect)
            for level, (lane, _) in enumerate(effect.places):
                for depth, number in enumerate(lane if lane != ASIDE else ()):
                    self.numbers.setdefault((effect.places[:level], lane[:depth]), set()).add(number)

    def alike(self, asked: Asked, maker: Maker, level: int, depth: int) -> list[int]:
        """The strands of this maker that did this call, at these places in whatever lanes."""
        shape = _shape(asked.places)
        found = (e.places for e in self._calls.get(_call_of(asked), ()) if _shape(e.places) == shape)
        return [
            places[level][0][depth]
            for places in found
            if places[:level] == maker[0] and places[level][0][:depth] == maker[1]
        ]


def _call(effect: Recorded) -> tuple[str, str, str]:
    return effect.name, effect.kind, effect.canonical


def _call_of(asked: Asked) -> tuple[str, str, str]:
    return asked.name, asked.kind, canonical(asked.arguments)


def _shape(places: Places) -> list[tuple[int, int]]:
    return [(len(lane), place) for lane, place in places]
