"""Whether more easy rungs in the proposed ladder cost passes: ladders climbed in simulation, the same draws for all.

    python bench/ladders.py [--runs 3000] [--seed 1]

Rates are drawn: `constant` U(.08, .4), `words` as said, `rules` .02 to .30 below it, `nearest` .12 below to .02 above,
a prompt .05 below to .15 above. N = 300, dev 120, default tolerance, the product's rule, ledger and boundaries.
"Passes" is among the runs where `words` or the prompt is at the bar.
"""

from __future__ import annotations

import argparse

import numpy as np

from economy import Run, Setting, climb
from suffice.stats.plan import default_tolerance

LADDERS = {
    "constant, words, prompt": ("constant", "words", "prompt"),
    "and `rules`": ("constant", "rules", "words", "prompt"),
    "and `rules`, `nearest`": ("constant", "rules", "words", "nearest", "prompt"),
}
PLACES = ((0.9, (0.6, 0.97)), (0.8, (0.5, 0.9)), (0.85, (0.75, 0.95)))


def drawn(rng: np.random.Generator, between: tuple[float, float]) -> dict[str, float]:
    """The true rates of the rungs of one task."""
    constant, words = rng.uniform(0.08, 0.4), rng.uniform(*between)
    return {
        "constant": constant,
        "words": words,
        "rules": max(0.05, words - rng.uniform(0.02, 0.3)),
        "nearest": min(0.999, words + rng.uniform(-0.12, 0.02)),
        "prompt": min(0.999, max(0.05, words + rng.uniform(-0.05, 0.15))),
    }


def cell(
    ladder: tuple[str, ...], bar: float, between: tuple[float, float], runs: int, seed: int
) -> tuple[float, float]:
    """The share of passes, and tries a run."""
    rng, setting = np.random.default_rng(seed), Setting(bar, default_tolerance(bar, 300), 300)
    good = passed = tries = 0
    for _ in range(runs):
        rates = drawn(rng, between)
        run = Run(np.array([rates[r] for r in ladder]), setting, np.random.default_rng(rng.integers(1 << 31)), 1, True)
        winner = climb(run)
        there = max(rates["words"], rates["prompt"]) >= bar
        good, passed, tries = good + there, passed + (there and winner is not None), tries + len(run.passed)
    return passed / good, tries / runs


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print("| ladder | bar | `words` | passes | tries a run |\n|---|--:|---|--:|--:|")
    for bar, between in PLACES:
        for name, ladder in LADDERS.items():
            share, tries = cell(ladder, bar, between, options.runs, options.seed)
            print(f"| {name} | {bar:g} | U({between[0]:g}, {between[1]:g}) | {share:.3f} | {tries:.2f} |", flush=True)


if __name__ == "__main__":
    main()
