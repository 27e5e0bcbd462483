"""What a route costs: each case takes what the members cost that it was put to, and the easy half stays cheap."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from suffice.evals.cost import PerCase
from suffice.ladder.evidence import evidence_of, measured
from suffice.ladder.rung import Rung
from suffice.ladder.state import Candidate, DevRun
from suffice.programs.solution import Solution
from suffice.stats.claim import Claim
from suffice.values import Answer, Case, Cost, Outcome, Score

CASES = [Case(f"{i}", f"text {i}", "a", f"{i}", f"f:{i}", f"{i:032x}", f"{i:032x}") for i in range(10)]
CLAIM = Claim(0.8, 0.05, 100, 0.025, None)


async def never(*_: Any) -> Any:
    raise AssertionError("nothing is called here")


def member(name: str, sure: list[float], cost: Cost | None, **kind: Any) -> DevRun:
    outcomes = [
        Outcome(case, Answer("a", confidence), Score(1.0), None, 0.1, cost=cost)
        for case, confidence in zip(CASES, sure, strict=True)
    ]
    solution = Solution(name, never, name, **kind)
    return DevRun(Rung(name, never), solution, evidence_of(outcomes), len(CASES), solution.free)


def cost(*members: DevRun, thresholds: list[float | None]) -> PerCase | None:
    """Without its interval."""
    found = Candidate(members, measured([m.evidence for m in members], thresholds, CLAIM)).cost
    return None if found is None else replace(found, usd_low=None, usd_high=None)


HALF = [0.9, 0.1] * 5
HARD = member("hard", [1.0] * 10, Cost(0.02, 100, 10))


def test_a_free_member_in_front_halves_the_cost_of_a_route() -> None:
    easy = member("easy", HALF, None, free=True)
    assert cost(HARD, thresholds=[None]) == PerCase(10, pytest.approx(0.02), 100, 10)
    assert cost(easy, HARD, thresholds=[0.5, None]) == PerCase(10, pytest.approx(0.01), 50, 5)
    assert cost(easy, thresholds=[None]) == PerCase(10, 0.0, 0.0, 0.0)


def test_a_case_that_is_handed_on_costs_both_members() -> None:
    cheap = member("cheap", HALF, Cost(0.002, 10, 1))
    assert cost(cheap, HARD, thresholds=[0.5, None]) == PerCase(10, pytest.approx(0.012), 60, 6)


def test_a_recording_in_a_route_leaves_its_cost_unknown() -> None:
    recorded = member("recorded", HALF, None, free=True, replays=True)
    found = cost(recorded, HARD, thresholds=[0.5, None])
    assert found is None or found.usd is None
    assert cost(recorded, thresholds=[None]) is None
