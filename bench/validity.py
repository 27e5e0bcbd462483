"""Does the engine keep its error? Every figure expected of it simulated, and a planted memoriser.

    python bench/validity.py [--runs 20000] [--seed 0]

The memoriser stands below the claim and repairs only the cases that the product shows it. With the seal that is dev,
never test; the habit beside it shows the failures of the very cases that decide, corrected for the number of tries.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from suffice.stats.exact import COIN, Null, boundary
from suffice.stats.ledger import alpha_of_try

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Row = tuple[str, str, str]  # setting, the figure expected, ours

NEVER = 1 << 40


def first(crossed: Bools) -> Ints:
    """The case at which each run first crosses; NEVER where it does not."""
    return np.where(crossed.any(1), crossed.argmax(1) + 1, NEVER)


def decide(right: Ints, upper: Ints | None, lower: Ints | None) -> tuple[Bools, Bools, float]:
    """PASS and FAIL of each run of cumulated right answers, and the mean number of cases used."""
    won = first(right >= upper) if upper is not None else np.full(len(right), NEVER)
    lost = first(right <= lower) if lower is not None else np.full(len(right), NEVER)
    used = np.minimum(np.minimum(won, lost), right.shape[1]).mean()
    return (won < NEVER) & (won <= lost), lost < won, float(used)


def spent(moved: Bools, bound: float, alpha: float) -> Ints:
    """The PASS cut-offs of each run by case where only `moved` cases move: the engine's recursion for many runs."""
    runs, n = moved.shape
    mass, out = np.zeros((runs, n + 2)), np.zeros((runs, n), dtype=np.int64)
    mass[:, 0], used, rows = 1.0, np.zeros(runs), np.arange(runs)
    for i in range(n):
        rising = mass * bound * moved[:, i, None]
        mass -= rising
        mass[:, 1:] += rising[:, :-1]
        tail = mass[:, ::-1].cumsum(1)
        states = (tail <= (alpha * (i + 1) / n - used)[:, None]).sum(1)
        used += np.where(states > 0, tail[rows, np.maximum(states - 1, 0)], 0.0)
        out[:, i] = n + 2 - states
        mass[np.arange(n + 2)[None, :] >= out[:, i, None]] = 0.0
    return out


def pairs(rng: np.random.Generator, runs: int, n: int, a: float, b: float, rho: float) -> tuple[Bools, Bools]:
    """Two right/wrong rows of rates `a` and `b` with correlation `rho`."""
    both = a * b + rho * np.sqrt(a * (1 - a) * b * (1 - b))
    u = rng.random((runs, n))
    return u < a, (u < both) | ((u >= a) & (u < a + b - both))


def population(rng: np.random.Generator, runs: int) -> Iterator[Row]:
    n, alpha = 300, 0.05
    upper, lower = boundary(Null(0.8), n, alpha), boundary(Null(0.8), n, 0.2, "fail")
    expected = {0.80: "false PASS 5.0%", 0.85: "PASS 64%, 216 cases", 0.90: "PASS 99.8%, 94 cases"}
    expected |= {0.95: "PASS 100%, 45 cases", 0.70: "FAIL 99.8%, 75 cases", 0.75: "FAIL 86%, 156 cases"}
    for rate, figure in expected.items():
        right = (rng.random((runs, n)) < rate).cumsum(1)
        won, lost, used = decide(right, upper, lower)
        alone = decide(right, upper, None)[0]
        ours = f"PASS {won.mean():.1%} (alone {alone.mean():.1%}), FAIL {lost.mean():.1%}, {used:.0f} cases"
        yield f"population, bar .80, alpha .05, N=300, true {rate:.2f}", figure, ours


def finite_set(rng: np.random.Generator, runs: int) -> Iterator[Row]:
    n, alpha, null = 300, 0.0083, Null(0.8, finite=True)
    upper, lower = boundary(null, n, alpha), boundary(null, n, 0.2, "fail")
    for rate, cases in {0.6: 21, 0.7: 56, 0.75: 118, 0.85: 186, 0.9: 96}.items():
        right = (rng.random((runs, n)) < rate).cumsum(1)
        won, lost, used = decide(right, upper, lower)
        wrong = (won & (right[:, -1] < 240)).mean()
        settled = (won | lost).mean()
        ours = f"{used:.0f} cases, wrong PASS {wrong:.2%}, settled {settled:.0%}"
        yield f"finite set, bar .80, alpha .0083, N=300, draws at {rate}", f"{cases} cases, wrong PASS <= 0.2%", ours


def paired(rng: np.random.Generator, runs: int) -> Iterator[Row]:
    n, alpha = 300, 0.05
    cells = [
        (0.6, 0.7, 0.4, "92% at 152"),
        (0.8, 0.85, 0.6, "74% at 198"),
        (0.9, 0.9, 0.6, "4.8% (margin .6)"),
        (0.7, 0.7, 0.4, "5.1% (margin .6)"),
    ]
    for a, b, rho, figure in cells:
        won, used = 0.0, 0.0
        chunks = np.array_split(np.arange(runs), max(1, runs // 1000))
        for chunk in chunks:
            x, y = pairs(rng, len(chunk), n, a, b, rho)
            right = (y & ~x).cumsum(1)
            crossed = first(right >= spent(x != y, COIN.bound, alpha))
            won += float((crossed < NEVER).sum()) / runs
            used += float(np.minimum(crossed, n).sum()) / runs
        yield f"paired, alpha .05, N=300, {a} -> {b} rho {rho}", figure, f"{won:.1%} at {used:.0f}"


def coverage(rng: np.random.Generator, runs: int) -> Iterator[Row]:
    n, alpha = 240, 0.025
    for rate, figure in {0.85: "PASS 2.6%", 0.93: "PASS 78%", 0.95: "PASS 97%"}.items():
        won = 0.0
        for chunk in np.array_split(np.arange(runs), max(1, runs // 1000)):
            said = rng.random((len(chunk), n)) < 0.6
            right = (said & (rng.random((len(chunk), n)) < rate)).cumsum(1)
            won += float((first(right >= spent(said, 0.85, alpha)) < NEVER).sum()) / runs
        yield f"claim .85 among answered (share .6), alpha .025, N=240, true {rate}", figure, f"PASS {won:.1%}"


def tables(rng: np.random.Generator, runs: int) -> Iterator[Row]:
    expected = {
        (0.85, 0.025): "13/33/56, 26/67/91, 43/90/99, 64/99/100, 99/100/100",
        (0.85, 0.0125): "9/27/49, 17/54/84, 32/84/99, 51/97/100, 99/100/100",
        (0.90, 0.025): "2/9/23, 2/14/39, 2/23/66, 2/34/84, 2/86/100",
    }
    for (bound, alpha), figures in expected.items():
        for n, figure in zip((60, 120, 200, 300, 1000), figures.split(", "), strict=True):
            upper, lower = boundary(Null(bound), n, alpha), boundary(Null(0.9), n, 0.2, "fail")
            alone, both = [], []
            for rate in (0.90, 0.93, 0.95):
                right = (rng.random((min(runs, 10_000), n)) < rate).cumsum(1)
                alone.append(f"{100 * decide(right, upper, None)[0].mean():.0f}")
                both.append(f"{100 * decide(right, upper, lower)[0].mean():.0f}")
            ours = f"{'/'.join(alone)}; with the FAIL side running {'/'.join(both)}"
            yield f"claim {bound}, alpha {alpha}, N={n}, PASS % at true .90/.93/.95", figure, ours


def habits(rng: np.random.Generator, runs: int) -> Iterator[Row]:
    """What others do at the first row's null."""
    n, bar = 300, 0.8
    right = (rng.random((runs, n)) < bar).cumsum(1)
    at = np.arange(1, n + 1)
    rate = right / at
    reach = 1.96 * np.sqrt(rate * (1 - rate) / at)  # 0 where all are right so far, as Wald has it
    peeking = (rate - reach > bar)[:, 9::10].any(1)
    precise = np.minimum(first((reach < 0.05) & (at >= 30)), n) - 1
    final = rate[np.arange(runs), precise]
    yield "95% CLT interval checked every 10 cases, true .80", "passes 30%", f"passes {peeking.mean():.0%}"
    yield "stop at a precision of .05, compare the point estimate", "passes 50%", f"passes {(final >= bar).mean():.0%}"


def memoriser(rng: np.random.Generator, runs: int, shows: str) -> list[float]:
    """The share of runs in which a solution of general rate .78 (bar .80, N=300, dev 120) has passed, by round.

    After each of five rounds, all under the product's ledger, it repairs half of the failures that it is shown and
    nothing else. `shows` "test": the test cases that the round used; "dev": dev, as the product does; "redrawn": dev,
    while every change also redraws the answers to unseen cases at the same general rate.
    """
    n, dev, bar, general = 300, 120, 0.8, 0.78
    test, seen = rng.random((runs, n)) < general, rng.random((runs, dev)) < general
    passed = np.zeros(runs, dtype=bool)
    out: list[float] = []
    for round_ in range(5):
        # It stops at its first PASS, so no earlier try of the ledger has passed.
        alpha = alpha_of_try([False] * round_)
        right, upper, lower = test.cumsum(1), boundary(Null(bar), n, alpha), boundary(Null(bar), n, 0.2, "fail")
        passed |= decide(right, upper, lower)[0]
        out.append(float(passed.mean()))
        if shows == "test":
            used = np.minimum(first((right >= upper) | (right <= lower)), n)
            test |= (rng.random(test.shape) < 0.5) & (np.arange(n) < used[:, None])
        else:
            seen |= rng.random(seen.shape) < 0.5
            test = rng.random((runs, n)) < general if shows == "redrawn" else test
    return out


def seal(rng: np.random.Generator, runs: int) -> Iterator[Row]:
    def line(shares: list[float]) -> str:
        return " / ".join(f"{share:.1%}" for share in shares)

    yield (
        "memoriser .78, shown the test: passed by round 1-5",
        ".6 / 70 / 97% by round 3",
        line(memoriser(rng, runs, "test")),
    )
    yield "memoriser .78, sealed: passed by round 1-5", "at most 5%", line(memoriser(rng, runs, "dev"))
    yield "same, unseen answers redrawn each round", "at most 5%", line(memoriser(rng, runs, "redrawn"))


PARTS: tuple[Callable[[np.random.Generator, int], Iterator[Row]], ...] = (
    population, finite_set, paired, coverage, tables, habits, seal,
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=20_000, help="runs a cell; the recursions by run use a fifth")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    print(f"{options.runs:,} runs a cell (margin of a share: about {100 / options.runs**0.5:.1f} points at most)\n")
    print("| setting | expected | measured |\n|---|---|---|")
    for part in PARTS:
        slow = part in (paired, coverage)
        for setting, expected, here in part(rng, max(options.runs // 5, 1) if slow else options.runs):
            print(f"| {setting} | {expected} | {here} |", flush=True)


if __name__ == "__main__":
    main()
