"""What the whole climb costs and how often it errs, beside exhaustive scoring and going straight to test.

    python bench/economy.py [--runs 4000] [--seed 0]

Two generators of ladders (easiest first, true rates). A: six sorted draws, a quarter U(.3, .7), the rest U(.70, .90),
bar .80. B: U(.08, .4), U(.4, .75), U(.6, .88), a = U(.78, .94), b = a + U(-.01, .06), b + U(-.01, .04), bar .90.
Every rung costs one call a case; dev calls count. "Missed": nothing as easy as the easiest rung at or above the bar
was accepted, as a share of the runs that have such a rung. "Rounds" are the steps when calls run side by side. The
climb is the product's own rule, ledger and boundaries.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from suffice.ladder.rule import QUICK, Dev, DevEnd, Judgement, Rule, judge_dev, least_to_judgement, moves
from suffice.stats.claim import Claim
from suffice.stats.exact import Floats, boundary
from suffice.stats.ledger import alpha_of_try
from suffice.stats.plan import default_tolerance
from suffice.stats.predict import chance

SPARING = Rule(drop=0.05, send_at_end=0.4, way_down=0.1, last_chance=False)
"""Drops sooner, sends likelier rungs only at the end, and never goes down when nothing passed."""

JUDGEMENTS: tuple[Judgement, ...] = ("go on", "drop", "test", "keep")


@dataclass(frozen=True)
class Setting:
    """One row of the table for one generator."""

    bar: float
    tolerance: float
    n: int
    dev: int = 120
    rule: Rule = Rule()

    def claim(self, alpha: float) -> Claim:
        return Claim(self.bar, self.tolerance, self.n, alpha)


@dataclass
class Tally:
    """Sums over the runs of one cell."""

    runs: int = 0
    calls: int = 0
    rounds: int = 0
    below_claim: int = 0
    below_bar: int = 0
    good: int = 0
    missed: int = 0

    def add(self, rates: Floats, winner: int | None, calls: int, rounds: int, setting: Setting) -> None:
        good = np.flatnonzero(rates >= setting.bar)
        self.runs += 1
        self.calls += calls
        self.rounds += rounds
        if winner is not None:
            self.below_claim += bool(rates[winner] < setting.bar - setting.tolerance)
            self.below_bar += bool(rates[winner] < setting.bar)
        self.good += bool(len(good))
        self.missed += bool(len(good)) and (winner is None or winner > int(good[0]))


def ladder_a(rng: np.random.Generator) -> Floats:
    low = rng.random(6) < 0.25
    return np.sort(np.where(low, rng.uniform(0.3, 0.7, 6), rng.uniform(0.7, 0.9, 6)))


def ladder_b(rng: np.random.Generator) -> Floats:
    a = rng.uniform(0.78, 0.94)
    b = a + rng.uniform(-0.01, 0.06)
    first = [rng.uniform(0.08, 0.4), rng.uniform(0.4, 0.75), rng.uniform(0.6, 0.88)]
    return np.minimum([*first, a, b, b + rng.uniform(-0.01, 0.04)], 0.999)


@lru_cache(maxsize=64)
def dev_table(setting: Setting, alpha: float) -> tuple[Floats, Floats]:
    """Q and the judgement (an index into JUDGEMENTS), both by [seen, right]."""
    claim, total = setting.claim(alpha), setting.dev
    q = np.zeros((total + 1, total + 1))
    judged = np.zeros((total + 1, total + 1))
    for seen in range(total + 1):
        for right in range(seen + 1):
            q[seen, right] = chance(right, seen, claim)
            judged[seen, right] = JUDGEMENTS.index(judge_dev(q[seen, right], seen, total, setting.rule))
    return q, judged


@lru_cache(maxsize=200_000)
def dev_cap(setting: Setting, alpha: float, right: int, seen: int) -> int:
    q, _ = dev_table(setting, alpha)
    best, worst = (lambda d: q[seen + d, right + d]), (lambda d: q[seen + d, right])
    return least_to_judgement(best, worst, seen, setting.dev, setting.rule)


class Run:
    """One run of one ladder: its calls, and the rounds in which they are made `width` at a time."""

    def __init__(self, rates: Floats, setting: Setting, rng: np.random.Generator, width: int, capped: bool) -> None:
        self.rates, self.setting, self.rng, self.width, self.capped = rates, setting, rng, width, capped
        self.calls = self.rounds = 0
        self.passed: list[bool] = []

    @property
    def alpha(self) -> float:
        return alpha_of_try(self.passed)

    def dev(self, rung: int) -> DevEnd:
        q, judged = dev_table(self.setting, self.alpha)
        total, alpha = self.setting.dev, self.alpha
        right = (self.rng.random(total) < self.rates[rung]).cumsum()
        ends = judged[np.arange(1, total + 1), right]
        end = int((ends > 0).argmax()) + 1
        self._count(end, total, right, lambda hits, seen: dev_cap(self.setting, alpha, hits, seen))
        return DevEnd(JUDGEMENTS[int(ends[end - 1])], float(q[end, right[end - 1]]))

    def test(self, rung: int) -> bool:
        claim = self.setting.claim(self.alpha)
        n = claim.n
        upper = boundary(claim.pass_null, n, claim.alpha)
        lower = boundary(claim.fail_null, n, claim.alpha_fail, "fail")
        right = (self.rng.random(n) < self.rates[rung]).cumsum()
        passes, ends = right >= upper, (right >= upper) | (right <= lower)
        end = int(ends.argmax()) + 1 if ends.any() else n

        def cap(hits: int, seen: int) -> int:
            further = np.arange(1, n - seen + 1)
            could = (hits + further >= upper[seen:]) | (hits <= lower[seen:])
            return int(could.argmax()) + 1 if could.any() else n - seen

        self._count(end, n, right, cap)
        self.passed.append(bool(passes[end - 1]))
        return self.passed[-1]

    def _count(self, end: int, total: int, right: Floats, cap: Callable[[int, int], int]) -> None:
        """Makes the calls in rounds of at most `width` (and at most the cap) until the end is known."""
        if self.width == 1:
            self.calls, self.rounds = self.calls + end, self.rounds + end
            return
        seen = 0
        while seen < end:
            hits = int(right[seen - 1]) if seen else 0
            seen += min(self.width, total - seen, cap(hits, seen) if self.capped else total)
            self.rounds += 1
        self.calls += seen


def climb(run: Run) -> int | None:
    """The product's climb: dev, test, and the way down."""
    steps = moves(len(run.rates), run.setting.rule)
    step = next(steps)
    while True:
        try:
            if isinstance(step, Dev):
                step = steps.send(run.dev(step.rung))
            else:
                step = steps.send("PASS" if run.test(step.rung) else "UNPROVEN")
        except StopIteration as stop:
            return stop.value


def straight(run: Run) -> int | None:
    """No dev: every rung goes to test in turn, the first PASS wins."""
    return next((rung for rung in range(len(run.rates)) if run.test(rung)), None)


def exhaustive(run: Run) -> int | None:
    """Every rung in turn on all n cases, the first point estimate at the bar wins."""
    for rung, rate in enumerate(run.rates):
        run.calls += run.setting.n
        if run.rng.binomial(run.setting.n, rate) / run.setting.n >= run.setting.bar:
            return rung
    return None


Way = Callable[[Run], int | None]
ROWS: list[tuple[str, Way, int, float | None, Rule, int, bool]] = [
    ("exhaustive, point estimate, N=240", exhaustive, 240, 0.05, Rule(), 1, True),
    ("no dev, straight to test, N=240", straight, 240, 0.05, Rule(), 1, True),
    ("the climb, N=240, dev 120", climb, 240, 0.05, Rule(), 1, True),
    ("the climb, N=300, dev 120", climb, 300, 0.05, Rule(), 1, True),
    ("same, 16 calls at once", climb, 300, 0.05, Rule(), 16, True),
    ("same, 16 at once, not capped", climb, 300, 0.05, Rule(), 16, False),
    ("the climb, N=300, default tolerance", climb, 300, None, Rule(), 1, True),
    ("the climb, N=300, `--quick`", climb, 300, 0.05, QUICK, 1, True),
    ("a more sparing rule, N=300", climb, 300, 0.05, SPARING, 1, True),
    ("same, default tolerance", climb, 300, None, SPARING, 1, True),
    ("exhaustive, point estimate, N=300", exhaustive, 300, 0.05, Rule(), 1, True),
]


def cell(
    way: Way,
    draw: Callable[[np.random.Generator], Floats],
    setting: Setting,
    runs: int,
    seed: int,
    width: int,
    capped: bool,
) -> Tally:
    rng, tally = np.random.default_rng(seed), Tally()
    for _ in range(runs):
        run = Run(draw(rng), setting, rng, width, capped)
        winner = way(run)
        tally.add(run.rates, winner, run.calls, run.rounds, setting)
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(f"{options.runs:,} runs a cell (margin: calls about 1%, shares about 1 point)\n")
    print("| rule | generator | calls | rounds | below the claim | below the bar | easiest good one missed |")
    print("|---|---|---|---|---|---|---|")
    for name, way, n, tolerance, rule, width, capped in ROWS:
        for letter, draw, bar in (("A", ladder_a, 0.8), ("B", ladder_b, 0.9)):
            setting = Setting(bar, default_tolerance(bar, n) if tolerance is None else tolerance, n, rule=rule)
            t = cell(way, draw, setting, options.runs, options.seed, width, capped)
            shares = (
                f"{100 * t.below_claim / t.runs:.2f}% | {100 * t.below_bar / t.runs:.1f}% "
                f"| {100 * t.missed / t.good:.1f}%"
            )
            label = f"{name} (tolerance {setting.tolerance})"
            print(f"| {label} | {letter} | {t.calls / t.runs:.0f} | {t.rounds / t.runs:.0f} | {shares} |", flush=True)


if __name__ == "__main__":
    main()
