"""Does betting keep its error, and what does it cost? Every figure expected of engine 2 simulated, and its traps.

    python bench/validity_betting.py [--runs 10000] [--seed 0]

The simulations drive `suffice.stats.betting` itself, thousands of runs at once.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffice.stats.betting import opening
from suffice.stats.clusters import cluster_score, most_counted
from suffice.stats.exact import Null, Side
from suffice.stats.judged import judged_null, partnered_null
from suffice.stats.paired import not_better
from suffice.stats.sequences import confidence_sequence

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Row = tuple[str, str, str]  # setting, the figure expected, ours

NEVER = 1 << 40


def crossings(x: Floats, null: Null, alpha: float, side: Side = "pass", aim: float = 1.0, told: bool = True) -> Ints:
    """The case at which each run (a row of scores) first crosses; NEVER where it does not.

    `aim` scales what STaR bets aim at: 1/2 aims at 1 / alpha instead of 2 / alpha. `told`: whether N is known.
    """
    runs, cases = x.shape
    bounds = np.repeat(np.float64(null.bound), runs)
    wealth = opening(bounds, cases if told else None, alpha / aim, side, null.finite)
    first = np.full(runs, NEVER)
    for i in range(cases):
        wealth = wealth.after(x[:, i])
        crossed = wealth.rejected if aim == 1.0 else wealth.held >= 1.0 / alpha
        first[crossed & (first == NEVER)] = i + 1
    return first


class Decided(NamedTuple):
    passes: float
    fails: float
    cases: float


def decided(won: Ints, lost: Ints, cases: int) -> Decided:
    used = np.minimum(np.minimum(won, lost), cases).mean()
    return Decided(float(((won < NEVER) & (won <= lost)).mean()), float((lost < won).mean()), float(used))


def passing(won: Ints, cases: int) -> str:
    used = np.minimum(won, cases)
    return f"PASS {(won < NEVER).mean():.1%} at {used.mean():.0f}"


def holds(x: Floats, null: Null, alpha: float = 0.05) -> str:
    """How often, and after how many cases, PASS alone is said."""
    return passing(crossings(x, null, alpha), x.shape[1])


def population(rng: np.random.Generator, runs: int) -> Iterator[Row]:
    n, alpha, null = 300, 0.05, Null(0.8)
    expected = {0.80: "false PASS about 4%", 0.85: "PASS 54-57%, 222 cases", 0.90: "PASS 99%, 92 cases"}
    expected |= {0.95: "PASS 100%, 41 cases", 0.70: "", 0.75: ""}
    for rate, figure in expected.items():
        x = (rng.random((runs, n)) < rate).astype(float)
        won, lost = crossings(x, null, alpha), crossings(x, null, 0.2, "fail")
        both = decided(won, lost, n)
        ours = f"{passing(won, n)} alone; with FAIL running {both.passes:.1%}, FAIL {both.fails:.1%}, {both.cases:.0f}"
        yield f"population, bar .80, alpha .05, N=300, true {rate:.2f}", figure, ours
    x = (rng.random((runs, n)) < 0.85).astype(float)
    low = crossings(x, null, alpha, aim=0.5)
    yield "same, true 0.85, STaR aimed at 1/alpha", "16 points fewer", passing(low, n)
    for rate in (0.8, 0.85, 0.9):
        x = (rng.random((runs, n)) < rate).astype(float)
        ours = passing(crossings(x, null, alpha, told=False), n)
        yield f"same, true {rate:.2f}, N unknown (300 came)", "<= 5% at .80", ours


def graded(rng: np.random.Generator, runs: int) -> Iterator[Row]:
    for a, b in ((8, 2), (0.8, 0.2), (8.5, 1.5), (0.85, 0.15)):
        x = rng.beta(a, b, (runs, 300))
        yield f"graded Beta({a}, {b}), bar .80, alpha .05, N=300", "<= 5% at mean .80", holds(x, Null(0.8))


def finite_set(rng: np.random.Generator, runs: int) -> Iterator[Row]:
    n, alpha, null = 300, 0.0083, Null(0.8, finite=True)
    for rate in (0.6, 0.7, 0.75, 0.85, 0.9):
        x = (rng.random((runs, n)) < rate).astype(float)
        won, lost = crossings(x, null, alpha), crossings(x, null, 0.2, "fail")
        both = decided(won, lost, n)
        wrong = ((won <= lost) & (x.sum(1) < 240)).mean()
        ours = f"{both.cases:.0f} cases, wrong PASS {wrong:.2%}, settled {both.passes + both.fails:.0%}"
        yield f"finite set, bar .80, alpha .0083, N=300, draws at {rate}", "settles by N", ours


def on_the_bar(rng: np.random.Generator, runs: int) -> Iterator[Row]:
    """A finite set whose mean is exactly the bar: FAIL must stay within its alpha."""
    n, null = 300, Null(0.8, finite=True)
    right = np.repeat([1.0, 0.0], [240, 60])
    tenths = np.repeat([0.9, 0.7, 0.8], [100, 100, 100])
    for name, scores in (("0/1", right), ("tenths", tenths)):
        x = rng.permuted(np.tile(scores, (runs, 1)), axis=1)
        failed = (crossings(x, null, 0.2, "fail") < NEVER).mean()
        yield f"mean exactly on the bar, {name}: FAIL at .2", "<= 20%", f"{failed:.1%}"
    x = rng.permuted(np.tile(right, (runs, 1)), axis=1)
    room = n * (1.0 - 0.8) - (1.0 - x).cumsum(1)[:, :-1]
    naive = (room <= 0.0).any(1).mean()  # a mean of at most 0 is all that is left to the null: called refuted
    yield "same, 0/1, FAIL called where floats leave a mean <= 0", "61%", f"{naive:.1%} by that rule alone"


def pairs(rng: np.random.Generator, runs: int, a: float, b: float, rho: float, n: int = 300) -> Floats:
    """Differences second - first of two right/wrong rows of rates `a` and `b` with correlation `rho`."""
    both = a * b + rho * np.sqrt(a * (1 - a) * b * (1 - b))
    u = rng.random((runs, n))
    return ((u < both) | ((u >= a) & (u < a + b - both))).astype(float) - (u < a)


def paired(rng: np.random.Generator, runs: int) -> Iterator[Row]:
    cells = [(0.6, 0.7, 0.4, "89% at 163"), (0.8, 0.85, 0.6, "67% at 212")]
    cells += [(0.9, 0.9, 0.6, "<= 5%"), (0.7, 0.7, 0.4, "<= 5%")]
    for a, b, rho, figure in cells:
        x = (pairs(rng, runs, a, b, rho) + 1) / 2
        yield f"paired, alpha .05, N=300, {a} -> {b} rho {rho}", figure, holds(x, not_better())
    for a, rho, alpha in ((0.8, 0.6, 0.025), (0.9, 0.6, 0.025), (0.8, 0.6, 0.05), (0.9, 0.6, 0.05)):
        x = (pairs(rng, runs, a, a, rho) + 1) / 2
        ours = holds(x, not_better(0.05), alpha)
        yield f"not worse by .05, equal at {a} rho {rho}, alpha {alpha}, N=300", "61-84%", ours
    x = (pairs(rng, runs, 0.85, 0.8, 0.6) + 1) / 2
    yield "same, worse by exactly .05, alpha .05", "<= 5%", holds(x, not_better(0.05))


class Drawn(NamedTuple):
    """Clusters of each run: summed scores and sizes, each (runs, clusters)."""

    totals: Floats
    sizes: Ints

    def thinned(self, rng: np.random.Generator, most: int | Ints) -> Drawn:
        """At most `most` randomly chosen cases of each cluster, of right/wrong scores."""
        kept = np.minimum(self.sizes, most)
        right = self.totals.astype(np.int64)
        return Drawn(rng.hypergeometric(right, self.sizes - right, kept).astype(float), kept)

    def scores(self, most: int, bound: float) -> Floats:
        return cluster_score(self.totals, self.sizes, most, bound)


def by_difficulty(rng: np.random.Generator, runs: int, n: int) -> Drawn:
    """Half of the clusters of size 1 at .95, half of size 5 at .60: case mean .658, mean of cluster means .775."""
    sizes = np.where(rng.random((runs, n)) < 0.5, 1, 5)
    return Drawn(rng.binomial(sizes, np.where(sizes == 1, 0.95, 0.60)).astype(float), sizes)


def one_huge(rng: np.random.Generator, runs: int, n: int, chance: float, good: float) -> Drawn:
    """Sizes 1 to 3 at a good rate, and with a small chance a cluster of 500 where all is wrong."""
    huge = rng.random((runs, n)) < chance
    sizes = np.where(huge, 500, rng.integers(1, 4, (runs, n)))
    return Drawn(rng.binomial(sizes, np.where(huge, 0.0, good)).astype(float), sizes)


def clusters(rng: np.random.Generator, runs: int) -> Iterator[Row]:
    case_mean = 3.95 / 6
    for n in (100, 200, 300):
        drawn = by_difficulty(rng, runs, n)
        name = f"half size 1 at .95, half size 5 at .60, {n} clusters"
        yield f"{name}, bar .70: mean of cluster means", "PASS 91%", holds(drawn.totals / drawn.sizes, Null(0.7))
        yield f"{name}, bar .70: weighted by size", "<= 5%", holds(drawn.scores(5, 0.7), Null(0.7))
        at_bar = holds(drawn.scores(5, case_mean), Null(case_mean))
        yield f"{name}, bar exactly the case mean .658: weighted by size", "<= 5%", at_bar
    n, most, bound = 200, 2, (0.95 + 2 * 0.6) / 3
    drawn = by_difficulty(rng, runs, n)
    scores = drawn.thinned(rng, most).scores(most, bound)
    yield "same, thinned to 2, bar exactly the thinned mean .717", "<= 5%", holds(scores, Null(bound))
    chosen = [most_counted(sizes.tolist()) == most for sizes in drawn.sizes]
    ours = holds(scores[chosen], Null(bound))
    yield "same, in runs whose own tested sizes chose 2 as the median", "(should be <= 5%)", ours


def largest_size(rng: np.random.Generator, runs: int) -> Iterator[Row]:
    n, good, chance, null = 300, 0.95, 0.0015, Null(0.8)
    drawn = one_huge(rng, runs, n, chance, good)
    case_mean = (1 - chance) * 2 * good / ((1 - chance) * 2 + chance * 500)
    won, largest = np.full(runs, NEVER), drawn.sizes.max(1)
    for most in np.unique(largest):
        rows = largest == most
        seen = Drawn(drawn.totals[rows], drawn.sizes[rows])
        won[rows] = crossings(seen.scores(int(most), null.bound), null, 0.05)
    name = f"rare clusters of 500, all wrong (case mean {case_mean:.2f}), bar .80"
    yield f"{name}: largest size seen", "64%", passing(won, n)
    small = (1 - chance) * (1 + 2 + 2) / 3
    thinned_mean = small * good / (small + chance * 2)
    x = drawn.thinned(rng, 2).scores(2, thinned_mean)
    yield f"same, at most 2 counted, bar the thinned mean {thinned_mean:.3f}", "<= 5%", holds(x, Null(thinned_mean))
    for most in (2, 3, 5, 10):
        x = one_huge(rng, runs, 100, 0.0, 0.9).thinned(rng, most).scores(most, null.bound)
        yield f"100 clusters of 1-3, true .90, bar .80: at most {most}", "94% median, 7% a large one", holds(x, null)


def answered(rng: np.random.Generator, runs: int) -> Iterator[Row]:
    """Clusters with abstentions: harder cases are answered less often."""
    n, most = 300, 3
    sizes = rng.integers(1, 4, (runs, n))
    hard = rng.random((runs, n)) < 0.5
    said = rng.binomial(sizes, np.where(hard, 0.4, 0.9))
    right = rng.binomial(said, np.where(hard, 0.7, 0.9)).astype(float)
    truth = (0.4 * 0.7 + 0.9 * 0.9) / 1.3
    among, share = cluster_score(right, said, most, truth), cluster_score(said.astype(float), sizes, most, 0.65)
    yield f"clusters with abstentions, rate among answered exactly {truth:.3f}", "<= 5%", holds(among, Null(truth))
    yield "same, share answered exactly .65", "<= 5%", holds(share, Null(0.65))


def reruns(rng: np.random.Generator, runs: int) -> Iterator[Row]:
    """100 cases, each asked three times, whose answers nearly always agree; the rate is exactly the bar."""
    rates = rng.beta(0.08, 0.02, (runs, 100, 1))
    x = (rng.random((runs, 100, 3)) < rates).astype(float)
    yield (
        "reruns that correlate, true .80, bar .80: counted as cases",
        "(breaks)",
        holds(x.reshape(runs, -1), Null(0.8)),
    )
    yield "same, the case's score is the mean of its reruns", "<= 5%", holds(x.mean(2), Null(0.8))


def judge(rng: np.random.Generator, shape: tuple[int, int], rate: float) -> tuple[Floats, Floats]:
    """People's scores and those of a judge with sensitivity .9 and specificity .8."""
    y = rng.random(shape) < rate
    f = rng.random(shape) < np.where(y, 0.9, 0.2)
    return y.astype(float), f.astype(float)


def judged(rng: np.random.Generator, runs: int) -> Iterator[Row]:
    n, alpha, w, null = 500, 0.05, 0.5, Null(0.8, finite=True)
    y, f = judge(rng, (runs, n), 0.9)
    bounds = np.array([judged_null(null, mean).bound for mean in f.mean(1)])
    corrected = many_bounds((y - w * f + w) / (1 + w), bounds, alpha, True)
    plain = crossings(y, null, alpha)
    for name, won, figure in (("with the judge", corrected, "about 46"), ("without", plain, "77")):
        ours = f"{passing(won, n)}, median {np.median(won):.0f}"
        yield f"finite N=500, bar .80, true .90, judge .9/.8: labels {name}", figure, ours
    n, truth = 300, 0.8
    for unlabelled in (0, 300, 3000):
        y, f = judge(rng, (runs, n), truth)
        extra = judge(rng, (runs, unlabelled), truth)[1]
        mean = np.concatenate([f, extra], axis=1).mean(1)
        wrong = many_bounds((y - w * f + w) / (1 + w), (truth - w * mean + w) / (1 + w), alpha, False)
        name = f"population, true .80, judge's mean over {n + unlabelled} taken as known"
        yield name, "5.5-7.6% (wrong)", passing(wrong, n)
    for rate, figure in {0.8: "<= 5%", 0.85: "PASS 78% (57% without)", 0.9: "85 labels (93 without)"}.items():
        y, f = judge(rng, (runs, n), rate)
        others = rng.binomial(10, 0.9 * rate + 0.2 * (1 - rate), (runs, n)) / 10
        won = crossings((y - w * f + w * others + w) / (1 + 2 * w), partnered_null(Null(0.8), w), alpha)
        ours = f"{passing(won, n)}; without {holds(y, Null(0.8))}"
        yield f"population, 10 unlabelled to each labelled, N=300, true {rate}", figure, ours


def many_bounds(x: Floats, bounds: Floats, alpha: float, finite: bool) -> Ints:
    wealth, first = opening(bounds, x.shape[1], alpha, "pass", finite), np.full(len(x), NEVER)
    for i in range(x.shape[1]):
        wealth = wealth.after(x[:, i])
        first[wealth.rejected & (first == NEVER)] = i + 1
    return first


def sequences(rng: np.random.Generator, runs: int) -> Iterator[Row]:
    n, runs = 200, min(runs // 10, 400)
    for name, draw, mean in (
        ("right/wrong at .9", lambda: (rng.random(n) < 0.9).astype(float), 0.9),
        ("graded Beta(4, 1)", lambda: rng.beta(4, 1, n), 0.8),
    ):
        bounds = [confidence_sequence(draw().tolist(), 0.95, n) for _ in range(runs)]
        held = np.mean([all(b.low <= mean <= b.high for b in run) for run in bounds])
        ours = f"{held:.1%}, width {np.mean([run[-1].high - run[-1].low for run in bounds]):.3f}"
        yield f"95% confidence sequence, {name}, {runs} runs of 200", ">= 95% at all times", ours


PARTS: tuple[Callable[[np.random.Generator, int], Iterator[Row]], ...] = (
    population, graded, finite_set, on_the_bar, paired, clusters, largest_size, answered, reruns, judged, sequences,
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=10_000, help="runs a cell")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    print(f"{options.runs:,} runs a cell (margin of a share: about {100 / options.runs**0.5:.1f} points at most)\n")
    print("| setting | expected | measured |\n|---|---|---|")
    for part in PARTS:
        for setting, expected, here in part(rng, options.runs):
            print(f"| {setting} | {expected} | {here} |", flush=True)


if __name__ == "__main__":
    main()
