"""Graders against the real thing: HumanEval's reference solutions, and the figures of rouge-score and rapidfuzz.

    python bench/graders.py [--peers VENV] [--pairs 20000]

`code`: all 164 reference solutions must pass, as continuations and as whole programs, and none of the empty ones and
of those with their last line broken may; seconds a case, eight at a time. `date`: the dates of 626 receipts that are
read, and those that have one reading without an order. With --peers, a virtual environment with rouge-score and
rapidfuzz: ROUGE-1, -2 and -L, edit distances and common subsequences of random pairs must be the same.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from suffice.evals import grade
from suffice.evals.calendar_dates import read_dates
from suffice.evals.sequences import common_length, edit_distance
from suffice.values import Case

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
WORDS = "the a cat dog sat on mat under Table 3.5 don't café naïve x-ray 2024 , . !".split()
PEER = """
import json, sys
from rapidfuzz.distance import LCSseq, Levenshtein
from rouge_score.rouge_scorer import RougeScorer
names = ["rouge1", "rouge2", "rougeL"]
scorer = RougeScorer(names)
for line in sys.stdin:
    one, other = json.loads(line)
    scores = scorer.score(one, other)
    rouge = [scores[n].fmeasure for n in names]
    print(json.dumps([*rouge, Levenshtein.distance(one, other), LCSseq.similarity(one, other)]))
"""


def main() -> None:
    """Run what there is data for, and print each figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--pairs", type=int, default=20_000)
    told = parser.parse_args()
    human_eval()
    receipts()
    if told.peers is not None:
        against_peers(told.peers, told.pairs)


def human_eval() -> None:
    """Reference, empty and broken solutions of HumanEval under `code`."""
    path = DATA / "human_eval" / "HumanEval.jsonl.gz"
    if not path.is_file():
        print("HumanEval: skipped, no ../shared/data/human_eval")
        return
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    ways = {
        "continued": lambda row: row["canonical_solution"],
        "whole programs": lambda row: f"```python\n{row['prompt']}{row['canonical_solution']}```",
        "empty": lambda row: "    pass\n",
        "last line broken": lambda row: row["canonical_solution"].rstrip() + " if 0 else 'broken'\n",
    }
    grader = grade.code()
    for name, way in ways.items():
        began = time.perf_counter()
        with ThreadPoolExecutor(8) as pool:
            scores = list(pool.map(lambda row, way=way: grader(way(row), case_of(row)), rows))
        seconds = (time.perf_counter() - began) / len(rows)
        print(f"HumanEval, {name}: {sum(s.value for s in scores):.0f} of {len(rows)} pass, {seconds:.3f} s a case")


def case_of(row: dict[str, Any]) -> Case:
    """A row of HumanEval as a case."""
    inputs = {"prompt": row["prompt"], "entry_point": row["entry_point"]}
    return Case(row["task_id"], inputs, row["test"], row["task_id"], "HumanEval", "", "")


def receipts() -> None:
    """How many dates of real receipts are read."""
    path = DATA / "sroie" / "receipts.jsonl"
    if not path.is_file():
        print("receipts: skipped, no ../shared/data/sroie")
        return
    dates = [json.loads(line)["fields"].get("date") for line in path.read_text(encoding="utf-8").splitlines()]
    day_first = [d for d in dates if len(read_dates(d, "DMY")) != 1]
    clear = sum(len(read_dates(d)) == 1 for d in dates)
    print(f"receipts: {len(dates) - len(day_first)} of {len(dates)} dates read day first, all but {day_first}")
    print(f"receipts: {clear} of {len(dates)} have one reading where no order is said")


def against_peers(venv: Path, n: int) -> None:
    """The figures of other libraries on random pairs of texts."""
    rng = random.Random(0)
    pairs = [[" ".join(rng.choices(WORDS, k=rng.randrange(30))) for _ in range(2)] for _ in range(n)]
    told = "".join(json.dumps(pair) + "\n" for pair in pairs)
    ran = subprocess.run([venv / "bin" / "python", "-c", PEER], input=told, capture_output=True, text=True, check=True)
    rouges = [grade.rouge(name) for name in ("rouge1", "rouge2", "rougeL")]
    worst, apart = 0.0, 0
    for (one, other), line in zip(pairs, ran.stdout.splitlines(), strict=True):
        *figures, distance, common = json.loads(line)
        case = Case("", "", one, "", "", "", "")
        ours = [r(other, case).value for r in rouges]
        worst = max(worst, *(abs(a - b) for a, b in zip(ours, figures, strict=True)))
        apart += (edit_distance(one, other), common_length(one, other)) != (distance, common)
    print(f"rouge-score: {n:,} pairs, largest difference {worst:.1e}")
    print(f"rapidfuzz: {apart} of {n:,} pairs with another distance or common subsequence")


if __name__ == "__main__":
    sys.exit(main())
