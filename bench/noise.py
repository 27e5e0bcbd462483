"""The label-noise finder: labels flipped on purpose, and how many of the cases that it ranks first are among them.

    python bench/noise.py [--data ../shared/data] [--seeds 3] [--only tickets,banking77]

Of the train and dev cases a share is given another label, drawn uniformly, with fixed seeds. "Precision at k" is the
share of flipped cases among the first k, k being their number, and among the first 20. Random is what a random order
has on average. "Found" is the share of flipped cases that every rung misses, "all miss" the share of all cases. Labels
that were wrong before count as misses, so real precision is no lower. The sealed cases of the tickets are not looked
at; of Banking77 3,000 rows of the public training file are used. How to rank was chosen with other seeds (100, 101).
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from suffice.evals.task import Task
from suffice.ladder.noise import Noise, Suspect, label_noise
from suffice.values import Case

ROOT = Path(__file__).resolve().parents[1]
RATES = (0.02, 0.05, 0.10)
ROWS = 3_000


def banking77(path: Path) -> tuple[Task, list[Case]]:
    """A fixed sample of the training rows as train and dev cases of a task."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [{"text": r["text"], "category": r["category"]} for r in csv.DictReader(file)]
    order = np.random.default_rng(0).permutation(len(rows))
    task = Task([rows[int(i)] for i in order], inputs=["text"], expected="category", kind="label", name="banking77")
    return task, [*task.train, *task.dev][:ROWS]


def flipped(cases: Sequence[Case], rate: float, seed: int) -> tuple[list[Case], set[str]]:
    """The cases with a share of them given another label, and the ids of these."""
    draw = np.random.default_rng([seed, round(rate * 1000)])
    labels = sorted({c.expected for c in cases}, key=str)
    chosen = set(draw.choice(len(cases), size=round(rate * len(cases)), replace=False).tolist())
    out: list[Case] = []
    for i, case in enumerate(cases):
        others = [label for label in labels if label != case.expected]
        out.append(replace(case, expected=others[int(draw.integers(len(others)))]) if i in chosen else case)
    return out, {cases[i].id for i in chosen}


def alone(suspect: Suspect) -> float:
    """The score that a case would have were only `words` asked."""
    said = next(s for s in suspect.said if s.by == "words")
    return -(said.answer.confidence or 0.0) if said.right else said.answer.confidence or 0.0


def mean(suspect: Suspect) -> float:
    """The mean over all witnesses."""
    return statistics.fmean(
        -(s.answer.confidence or 0.0) if s.right else s.answer.confidence or 0.0 for s in suspect.said
    )


def precision(ranked: Sequence[Suspect], wrong: set[str], k: int) -> float:
    """The share of flipped cases among the first k."""
    return statistics.fmean(s.case.id in wrong for s in ranked[:k])


def row(name: str, task: Task, cases: Sequence[Case], rate: float, seeds: int) -> str:
    """One row of the table: means over the seeds."""
    found: list[tuple[float, ...]] = []
    for seed in range(seeds):
        noisy, wrong = flipped(cases, rate, seed)
        noise: Noise = asyncio.run(label_noise(task, noisy))
        by_words = sorted(noise.ranked, key=alone, reverse=True)
        by_mean = sorted(noise.ranked, key=mean, reverse=True)
        flagged = noise.suspects
        hits = sum(s.case.id in wrong for s in flagged)
        found.append(
            (
                precision(noise.ranked, wrong, len(wrong)),
                precision(noise.ranked, wrong, 20),
                precision(by_words, wrong, len(wrong)),
                precision(by_words, wrong, 20),
                precision(by_mean, wrong, len(wrong)),
                precision(by_mean, wrong, 20),
                len(wrong) / len(cases),
                hits / len(wrong),
                len(flagged) / len(cases),
            )
        )
    means = [statistics.fmean(column) for column in zip(*found, strict=True)]
    k = round(rate * len(cases))
    return f"| {name} | {k} of {len(cases):,} | " + " | ".join(f"{m:.3f}" for m in means) + " |"


def main() -> None:
    """Print the table; what is not there is said and left out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default="tickets,banking77")
    options = parser.parse_args()
    tickets = Task.load(ROOT / "examples" / "tickets")
    tasks = [("tickets", tickets, [*tickets.train, *tickets.dev])]
    path = options.data / "banking77" / "train.csv"
    if "banking77" in options.only and path.is_file():
        tasks.append(("banking77", *banking77(path)))
    elif "banking77" in options.only:
        print(f"skipped: Banking77, there is no {path}; pass --data FOLDER with banking77/train.csv")
    print(
        "| cases | flipped, k | at k | at 20 | by `words` | at 20 | by the mean | at 20 | random | found | all miss |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for name, task, cases in tasks:
        for rate in RATES if name in options.only else ():
            print(row(name, task, cases, rate, options.seeds), flush=True)


if __name__ == "__main__":
    main()
