"""The climb on recorded language models, beside habits: calls, wrong acceptances on held-out items, misses.

    python bench/recordings.py [--runs 1000] [--seed 0] [--check 20] [--data ../shared/data]

GSM8K: a ladder of four models on 1,319 problems, the smallest first. BBH: one model, answering directly and then with
a chain of thought, on a workload of eight of the 27 tasks drawn anew for each run; exact match of the answer, case and
white space folded. Each run splits the items at random: dev 120, sealed N, and the rest held out as the truth. The bar
lies within .12 of the rate of one of the ladder's systems, drawn at random; tolerance as by default.

"Wrong": what was accepted is, on the held-out items, below the claim (bar - tolerance), or below the bar. "Missed":
nothing as easy as the easiest system at or above the bar was accepted, as a share of the runs that have one; "nothing":
nothing was accepted in such a run. Dev calls count. The climb is the product's rule, trial and ledger, driven on
arrays; `--check` runs of it are done again by the real `climb`, which must make the same tries, calls and decisions.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from suffice.evals.seal import dev_cases, one_per_cluster, sealed_blocks
from suffice.evals.task import Task
from suffice.ladder.climb import climb
from suffice.ladder.rule import QUICK, Dev, DevEnd, Rule, judge_dev, moves
from suffice.programs.solution import Solution
from suffice.stats.claim import Claim
from suffice.stats.ledger import alpha_of_try
from suffice.stats.plan import default_tolerance
from suffice.stats.predict import chance
from suffice.stats.trial import Trial
from suffice.store.database import open_store
from suffice.values import Answer, Graded, Json, Verdict, folded

Bools = NDArray[np.bool_]
Rng = np.random.Generator

MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
DEV = 120
TASKS = 8  # of the 27, in one workload
FIRST = 50  # cases of the first habit


@dataclass(frozen=True)
class Split:
    """One run's ladder (systems by items, easiest first) and its three parts, in the order of use."""

    bar: float
    tolerance: float
    dev: Bools
    sealed: Bools
    held_out: Bools

    def claim(self, alpha: float) -> Claim:
        return Claim(self.bar, self.tolerance, self.sealed.shape[1], alpha)


@dataclass
class Run:
    """What one rule did on one split."""

    calls: int = 0
    passed: list[bool] = field(default_factory=list[bool])
    tries: list[tuple[int, float, str, int]] = field(default_factory=list[tuple[int, float, str, int]])

    @property
    def alpha(self) -> float:
        return alpha_of_try(self.passed)


@dataclass
class Tally:
    """Sums over the runs of one rule."""

    runs: int = 0
    calls: int = 0
    accepted: int = 0
    below_claim: int = 0
    below_bar: int = 0
    good: int = 0
    missed: int = 0
    nothing: int = 0

    def add(self, split: Split, winner: int | None, calls: int) -> None:
        rates = split.held_out.mean(axis=1)
        good = np.flatnonzero(rates >= split.bar)
        self.runs, self.calls = self.runs + 1, self.calls + calls
        if winner is not None:
            self.accepted += 1
            self.below_claim += bool(rates[winner] < split.bar - split.tolerance)
            self.below_bar += bool(rates[winner] < split.bar)
        if len(good):
            self.good += 1
            self.missed += winner is None or winner > int(good[0])
            self.nothing += winner is None


def gsm8k(data: Path) -> Bools | None:
    """Right or wrong by model and problem; None where the recording is absent."""
    file = data / "gsm8k" / "example_model_solutions.jsonl"
    if not file.is_file():
        return None
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return np.array([[row[model]["is_correct"] for row in rows] for model in MODELS], dtype=np.bool_)


def bbh(data: Path) -> list[Bools] | None:
    """For each task right or wrong by way of asking (direct, chain of thought) and item; None where absent."""
    file = data / "bbh" / "codex_outputs.jsonl.gz"
    if not file.is_file():
        return None
    found: dict[str, dict[str, dict[int, bool]]] = {}
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            right = answer_of(row["prediction"], row["mode"]) == plain(row["target"])
            found.setdefault(row["task"], {"direct": {}, "cot": {}})[row["mode"]][row["i"]] = right
    return [
        np.array([[way[i] for i in sorted(ways["direct"])] for way in (ways["direct"], ways["cot"])], dtype=np.bool_)
        for _, ways in sorted(found.items())
    ]


def answer_of(prediction: str, mode: str) -> str:
    """What a recorded output answers: with a chain of thought, what follows the last "the answer is"."""
    text = prediction.rpartition("the answer is")[2] if mode == "cot" else prediction
    return plain(text)


def plain(text: str) -> str:
    return folded(text).removesuffix(".").rstrip()


def whole(right: Bools) -> Callable[[Rng], Bools]:
    return lambda rng: right


def workload(tasks: Sequence[Bools]) -> Callable[[Rng], Bools]:
    """Several tasks drawn at random, as one."""
    return lambda rng: np.concatenate([tasks[i] for i in rng.choice(len(tasks), TASKS, replace=False)], axis=1)


def splits(draw: Callable[[Rng], Bools], n: int, runs: int, seed: int) -> Iterator[Split]:
    rng = np.random.default_rng(seed)
    for _ in range(runs):
        right = draw(rng)
        rate = right.mean(axis=1)[rng.integers(len(right))]
        bar = float(np.clip(np.round(rate + rng.uniform(-0.12, 0.12), 2), 0.15, 0.97))
        order = rng.permutation(right.shape[1])
        dev, sealed, rest = np.split(order, [DEV, DEV + n])
        yield Split(bar, default_tolerance(bar, n), right[:, dev], right[:, sealed], right[:, rest])


@lru_cache(maxsize=1_000_000)
def predicted(right: int, seen: int, claim: Claim) -> float:
    return chance(right, seen, claim)


def run_dev(run: Run, split: Split, rung: int, rule: Rule) -> DevEnd:
    claim, right = split.claim(run.alpha), 0
    for seen, hit in enumerate(split.dev[rung], 1):
        run.calls += 1
        right += bool(hit)
        if seen < DEV and seen < rule.drop_from:
            continue
        q = predicted(right, seen, claim)
        judgement = judge_dev(q, seen, DEV, rule)
        if judgement != "go on":
            return DevEnd(judgement, q)
    raise AssertionError("dev always ends")


def run_test(run: Run, split: Split, rung: int) -> Verdict:
    trial = Trial(split.claim(run.alpha))
    for hit in split.sealed[rung].tolist():
        if trial.observe(hit, hit) is not None:
            break
    verdict = trial.conclude()
    run.tries.append((rung, trial.claim.alpha, verdict, trial.used))
    run.calls += trial.used
    run.passed.append(verdict == "PASS")
    return verdict


def climbed(rule: Rule) -> Callable[[Run, Split], int | None]:
    """The product's climb by this rule."""

    def way(run: Run, split: Split) -> int | None:
        steps = moves(len(split.dev), rule)
        step = next(steps)
        while True:
            end = run_dev(run, split, step.rung, rule) if isinstance(step, Dev) else run_test(run, split, step.rung)
            try:
                step = steps.send(end)
            except StopIteration as stop:
                return stop.value

    return way


def first_cases(run: Run, split: Split) -> int | None:
    """50 cases and a point estimate, system by system; the first at the bar wins."""
    return estimated(run, split, FIRST)


def exhaustive(run: Run, split: Split) -> int | None:
    """All N cases and a point estimate, system by system; the first at the bar wins."""
    return estimated(run, split, split.sealed.shape[1])


def estimated(run: Run, split: Split, n: int) -> int | None:
    for rung, right in enumerate(split.sealed):
        run.calls += n
        if right[:n].mean() >= split.bar:
            return rung
    return None


def peeking(tolerant: bool) -> Callable[[Run, Split], int | None]:
    """A 95% interval (mean and standard error) looked at every 10 of N cases, system by system.

    Above what is asked it accepts; below the bar it gives the system up. Asked is the bar, or the climb's own claim.
    """

    def way(run: Run, split: Split) -> int | None:
        asked = split.bar - split.tolerance if tolerant else split.bar
        for rung, right in enumerate(split.sealed):
            for seen in range(10, len(right) + 1, 10):
                rate = right[:seen].mean()
                reach = 1.96 * np.sqrt(rate * (1 - rate) / seen)
                if rate - reach > asked:
                    run.calls += seen
                    return rung
                if rate + reach < split.bar:
                    break
            run.calls += seen
        return None

    return way


RULES: list[tuple[str, Callable[[Run, Split], int | None]]] = [
    (f"{FIRST} cases, point estimate", first_cases),
    ("exhaustive, point estimate", exhaustive),
    ("peeking at a 95% interval, above the bar", peeking(False)),
    ("peeking at a 95% interval, above the claim", peeking(True)),
    ("**the climb**", climbed(Rule())),
    ("the climb, `--quick`", climbed(QUICK)),
]


@dataclass(frozen=True)
class Real:
    """What the real climb did: the split in the orders that it used, its tries by rung, the winner, and its calls."""

    split: Split
    tries: dict[str, tuple[float, str, int]]
    winner: str | None
    reported: int
    asked: int


async def really(split: Split, concurrency: int) -> Real:
    """The real climb on the same items."""
    n = split.sealed.shape[1]
    right = np.concatenate([split.dev, split.sealed], axis=1)
    rows = [
        {"problem": f"item {i}", "expected": "right", "split": "dev" if i < DEV else "test"}
        for i in range(right.shape[1])
    ]
    rows.append({"problem": "no item", "expected": "right", "split": "train"})  # else train is drawn out of dev
    task = Task(rows, name="recorded", kind="label", bar=split.bar, tolerance=split.tolerance)
    asked: list[int] = []
    ladder = [recorded(f"system {k}", row, asked) for k, row in enumerate(right)]
    with tempfile.TemporaryDirectory() as folder, open_store(folder) as store:
        decision = await climb(task, ladder, store=store, concurrency=concurrency, timeout=None)
        (block,) = sealed_blocks(store, task)
        dev = [item(c.inputs) for c in one_per_cluster(dev_cases(store, task), 0)]
        sealed = [item(c.inputs) for c in block.cases]
    assert len(dev) == DEV and len(sealed) == n, "the task must keep the split"
    tries = {r.name: (t.alpha, t.verdict, t.used) for r in decision.rungs if (t := r.tested) is not None}
    return Real(
        Split(split.bar, split.tolerance, right[:, dev], right[:, sealed], split.held_out),
        tries,
        decision.solution.name if decision.solution is not None else None,
        sum(r.calls for r in decision.rungs),
        len(asked),
    )


def recorded(name: str, right: Bools, asked: list[int]) -> Solution:
    """A system as a solution that is called case by case and counted, unlike a replay, which is free."""

    async def ask(inputs: Json) -> Answer:
        asked.append(item(inputs))
        await asyncio.sleep(0)
        return Answer(Graded(float(right[item(inputs)])))

    return Solution(name=name, ask=ask, identity=f"{name} {right.tobytes().hex()}")


def item(inputs: Json) -> int:
    return int(str(inputs).rpartition(" ")[2])


def check(split: Split, concurrency: int) -> str | None:
    """What the real climb did otherwise than the climb on arrays; None where they agree."""
    real, run = asyncio.run(really(split, concurrency)), Run()
    winner = climbed(Rule())(run, real.split)
    tries = {f"system {rung}": (alpha, verdict, used) for rung, alpha, verdict, used in run.tries}
    if real.winner != (f"system {winner}" if winner is not None else None) or tries != real.tries:
        return f"bar {split.bar}: {tries} here, {real.tries} by climb"
    if real.reported != run.calls or real.asked != run.calls:
        return f"bar {split.bar}: {run.calls} calls here, {real.reported} reported and {real.asked} made by climb"
    return None


def table(name: str, draw: Callable[[Rng], Bools], n: int, runs: int, seed: int) -> None:
    done = list(splits(draw, n, runs, seed))
    for label, way in RULES:
        tally = Tally()
        for split in done:
            run = Run()
            winner = way(run, split)
            tally.add(split, winner, run.calls)
        t = tally
        shares = [t.below_claim / t.runs, t.below_bar / t.runs, t.missed / t.good, t.nothing / t.good]
        cells = " | ".join(f"{100 * share:.1f}%" for share in shares)
        print(f"| {name}, N={n} | {label} | {t.calls / t.runs:.0f} | {cells} |", flush=True)


def sources(data: Path) -> Iterator[tuple[str, Callable[[Rng], Bools]]]:
    models, tasks = gsm8k(data), bbh(data)
    if models is None:
        print(f"skipped GSM8K: {data}/gsm8k/example_model_solutions.jsonl is not there")
    else:
        yield "GSM8K", whole(models)
    if tasks is None:
        print(f"skipped BBH: {data}/bbh/codex_outputs.jsonl.gz is not there")
    else:
        yield "BBH", workload(tasks)


def main() -> None:
    root = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--check", type=int, default=20, help="runs a source that the real climb does again")
    parser.add_argument("--data", type=Path, default=root.parent / "shared" / "data")
    options = parser.parse_args()
    began, found = time.perf_counter(), list(sources(options.data))
    if not found:
        return
    margin = 196 * np.sqrt(0.25 / options.runs)
    print(f"{options.runs:,} random splits a row, dev {DEV} (margin of a share at most {margin:.0f} points)\n")
    print("| recordings | rule | calls | wrong: below the claim | below the bar | easiest good one missed | nothing |")
    print("|---|---|---|---|---|---|---|")
    for name, draw in found:
        for n in (200, 300):
            table(name, draw, n, options.runs, options.seed)
    print()
    for name, draw in found:
        for concurrency in (1, 8):
            some = splits(draw, 240, options.check, options.seed + 1)
            told = [fault for split in some if (fault := check(split, concurrency)) is not None]
            agree = f"{options.check - len(told)} of {options.check}"
            print(f"{name}: the real climb, {concurrency} calls at once, does the same in {agree} runs")
            print("".join(f"  differs: {fault}\n" for fault in told), end="")
    print(f"\n{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
