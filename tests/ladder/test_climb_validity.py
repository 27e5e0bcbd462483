"""Validity from end to end: how often a solution just below its claim passes in the real climb, release by release.

Every release looks perfect on dev, so that it always meets test: the worst that dev can do.
"""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from climb_samples import a_task

from suffice.ladder.climb import climb
from suffice.programs.solution import Solution
from suffice.store.database import open_store
from suffice.values import Answer

BAR, TOLERANCE, CASES = 0.85, 0.05, 200
RELEASES = 5


def memoriser(task, right: dict[str, bool], version: str, free: bool) -> Solution:
    """Right on dev; on test as drawn."""
    expected = {c.inputs: c.expected for c in (*task.dev, *task.sealed())}

    def answer(text: str) -> Answer:
        return Answer(expected[text] if right.get(text, True) else "?")

    async def ask(text) -> Answer:
        return answer(text)

    batch = (lambda many: [answer(t) for t in many]) if free else None
    return Solution("memoriser", ask, version, free=free, batch=batch)


async def history(task, folder, rate: float, rng, free: bool) -> list[str]:
    """Five releases in a row. One that passed is kept but for a tenth of its answers, one that did not is made anew:
    each uses the verdicts before it, and each is right with chance `rate` on fresh inputs."""
    texts = [c.inputs for c in task.sealed()]
    right = dict(zip(texts, rng.random(len(texts)) < rate, strict=True))
    verdicts: list[str] = []
    with open_store(folder) as store:
        for release in range(RELEASES):
            solution = memoriser(task, right, f"release {release}", free)
            decision = await climb(task, [solution], store=store, tolerance=TOLERANCE)
            assert decision.rungs[0].tested is not None  # it did meet test
            verdicts.append(decision.verdict)
            renew = 0.1 if decision.verdict == "PASS" else 1.0
            right = {t: bool(rng.random() < rate) if rng.random() < renew else r for t, r in right.items()}
    return verdicts


def false_passes(tmp_path, runs: int, free: bool, seed: int) -> int:
    """Histories of solutions just below the claim in which any release passed."""
    task, rng = a_task(bar=BAR, dev=40, test=CASES), np.random.default_rng(seed)
    just_below = BAR - TOLERANCE - 1e-6

    async def every() -> int:
        told = [await history(task, tmp_path / str(run), just_below, rng, free) for run in range(runs)]
        return sum("PASS" in verdicts for verdicts in told)

    return asyncio.run(every())


def most_by_chance(runs: int, error: float = 0.05) -> int:
    """The number that a true error of .05 exceeds once in a thousand."""
    drawn = np.random.default_rng(0).binomial(runs, error, 200_000)
    return int(np.quantile(drawn, 0.999))


@pytest.mark.parametrize(("free", "runs"), [pytest.param(True, 60, marks=pytest.mark.slow), (True, 20), (False, 10)])
def test_a_solution_just_below_its_claim_rarely_passes_in_five_releases(tmp_path, free, runs):
    assert false_passes(tmp_path, runs, free, seed=20260401) <= most_by_chance(runs)


@pytest.mark.slow
def test_a_solution_just_below_its_claim_rarely_passes_in_many_histories(tmp_path):
    runs = 1_000
    found = false_passes(tmp_path, runs, True, seed=1)
    assert found <= most_by_chance(runs)
    assert found >= 10  # and the test has teeth: the error is spent, not hoarded


def test_a_solution_well_above_its_claim_passes_every_release(tmp_path):
    task, rng = a_task(bar=BAR, dev=40, test=CASES), np.random.default_rng(5)
    verdicts = asyncio.run(history(task, tmp_path, 0.95, rng, free=False))
    assert verdicts == ["PASS"] * RELEASES
