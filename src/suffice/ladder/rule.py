"""The rule of the climb: dev first, test when it is likely to pass, easiest PASS wins. Pure, no I/O.

`moves` is a generator: it yields what to do next and is sent what came of it, so the same rule drives the real climb
and its simulations.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Final, Literal

from suffice.values import Verdict

Judgement = Literal["go on", "drop", "test", "keep"]

PAUSES: Final = 3
"""Of one try. Then failed calls count, or whoever repeats the command picks the calls that suit him."""


@dataclass(frozen=True, slots=True)
class Rule:
    """When to give a rung up, when to send it to test, and whether to try easier rungs after the first PASS.

    All thresholds are on Q, the predicted chance of a PASS at the alpha of the next try; the `_from` fields are the
    numbers of dev cases from which a threshold counts.
    """

    drop: float = 0.02
    drop_from: int = 12
    send: float = 0.9
    send_from: int = 30
    send_at_end: float = 0.45
    way_down: float | None = 0.07  # None: the first PASS wins
    last_chance: bool = True  # when nothing passed on the way up, go down from the top all the same


QUICK = Rule(drop=0.05, send=0.8, send_at_end=0.3, way_down=None, last_chance=False)
"""Fewer calls, more misses; `bench/economy.py` says how many."""


@dataclass(frozen=True, slots=True)
class Dev:
    """Run rung `rung` on dev until `judge_dev` ends it; send back a `DevEnd`."""

    rung: int


@dataclass(frozen=True, slots=True)
class Test:
    """Try rung `rung` on the sealed test; send back its verdict."""

    __test__ = False  # not a test class, whatever pytest thinks of the name

    rung: int


@dataclass(frozen=True, slots=True)
class DevEnd:
    """How dev ended for a rung: the judgement ("drop", "test" or "keep") and Q."""

    judgement: Judgement
    chance: float


def judge_dev(chance: float, seen: int, total: int, rule: Rule) -> Judgement:
    """What to do with a rung after `seen` of `total` dev cases, at predicted chance `chance`.

    "keep" ends dev without a try: such a rung may still be tried on the way down.
    """
    if chance <= rule.drop and seen >= rule.drop_from:
        return "drop"
    if chance >= rule.send and seen >= rule.send_from:
        return "test"
    if seen < total:
        return "go on"
    return "test" if chance >= rule.send_at_end else "keep"


def least_to_judgement(
    best: Callable[[int], float], worst: Callable[[int], float], seen: int, total: int, rule: Rule, most: int = 64
) -> int:
    """The smallest number of further dev cases after which dev could end; with no more in flight none is wasted.

    `best(d)` and `worst(d)` are Q if the next d cases are all right, or all wrong. 0 when no cases are left. It looks
    at most `most` cases ahead.
    """
    ahead = min(total - seen, most)
    for further in range(1, ahead + 1):
        for chance in (best(further), worst(further)):
            if judge_dev(chance, seen + further, total, rule) != "go on":
                return further
    return ahead


def moves(count: int, rule: Rule) -> Generator[Dev | Test, DevEnd | Verdict, int | None]:
    """The climb over `count` rungs, easiest first; returns the index of the winner, None when nothing passed.

    Upwards: each rung meets dev and, if it looks likely to pass, test, until one passes. Then downwards: the untried
    easier rungs that ended dev with Q of at least `rule.way_down`, nearest first, until one does not pass. With
    `rule.last_chance` the way down is also walked when nothing passed.
    """
    kept: list[int] = []
    winner: int | None = None
    for rung in range(count):
        end = yield Dev(rung)
        if not isinstance(end, DevEnd):
            raise TypeError(f"dev of rung {rung} ends with a DevEnd, not {end!r}")
        if end.judgement == "test" and (yield Test(rung)) == "PASS":
            winner = rung
            break
        if end.judgement == "keep" and rule.way_down is not None and end.chance >= rule.way_down:
            kept.append(rung)
    if winner is None and not rule.last_chance:
        return None
    for rung in reversed(kept):
        if (yield Test(rung)) != "PASS":
            break
        winner = rung
    return winner
