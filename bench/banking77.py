"""The `words` model on Banking77: accuracy, calibration, time, memory, size and speed.

    python bench/banking77.py [--data ../shared/data/banking77] [--seed 0]

Trains on the 10,003 training rows and answers the 3,080 test rows. This measures the model, on a public split that
others have looked at too; it is no sealed claim of the kind that `suffice climb` makes. "Fit" includes the five
out-of-fold models. "ECE" is the expected calibration error over ten equally filled bins (Guo et al. 2017).
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from suffice.ladder.words import Fitted, fit_words
from suffice.programs.solution import Solution
from suffice.programs.words import from_form, words_solution
from suffice.stats.intervals import wilson
from suffice.values import Answer

Row = tuple[str, str]


def read(path: Path) -> tuple[list[str], list[str]]:
    """The texts and categories of one file."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [r["text"] for r in rows], [r["category"] for r in rows]


def calibration_error(confidence: Sequence[float], right: Sequence[bool], bins: int = 10) -> float:
    """The mean distance between confidence and share right, over bins of equally many answers."""
    c, r = np.array(confidence), np.array(right, dtype=float)
    order = np.argsort(c, kind="stable")
    return float(sum(abs(c[b].mean() - r[b].mean()) * len(b) for b in np.array_split(order, bins)) / len(c))


def quality(answers: Sequence[Answer], expected: Sequence[str]) -> str:
    """Accuracy with its Wilson interval, n, and calibration error."""
    right = [a.value == e for a, e in zip(answers, expected, strict=True)]
    hits = sum(right)
    span = wilson(hits, len(right))
    error = calibration_error([a.confidence or 0.0 for a in answers], right)
    return f"{hits / len(right):.4f} [{span.low:.4f}, {span.high:.4f}] of {len(right):,}, ECE {error:.4f}"


def coverage(answers: Sequence[Answer], expected: Sequence[str], least: float) -> str:
    """What is answered and how much of that is right, when answers below this confidence are handed on."""
    kept = [a.value == e for a, e in zip(answers, expected, strict=True) if (a.confidence or 0.0) >= least]
    return f"answers {len(kept) / len(answers):.3f}, {np.mean(kept):.4f} of them right"


async def one_by_one(solution: Solution, texts: Sequence[str]) -> float:
    """Single awaited calls per second."""
    start = time.perf_counter()
    for text in texts:
        await solution.ask(text)
    return len(texts) / (time.perf_counter() - start)


def speed(fitted: Fitted, texts: Sequence[str]) -> list[Row]:
    """Size on disk, form to first answer, and answers per second."""
    form = words_solution("words", fitted.model).form
    assert form is not None
    start = time.perf_counter()
    solution = from_form(form)
    assert solution.batch is not None
    solution.batch(texts[:1])
    first = time.perf_counter() - start
    start = time.perf_counter()
    solution.batch(texts)
    batch = len(texts) / (time.perf_counter() - start)
    features, labels = fitted.model.coefficients.shape
    return [
        ("features x labels", f"{features:,} x {labels}"),
        ("arrays of the bundle", f"{sum(a.nbytes for a in form.arrays.values()) / 1e6:.1f} MB"),
        ("arrays in memory to first answer", f"{first * 1e3:.0f} ms"),
        ("answers per second, one batch", f"{batch:,.0f}"),
        ("answers per second, single awaited calls", f"{asyncio.run(one_by_one(solution, texts)):,.0f}"),
    ]


def measure(data: Path, seed: int) -> list[Row]:
    """Every figure of the table."""
    texts, expected = read(data / "train.csv")
    new_texts, new_expected = read(data / "test.csv")
    start, cpu = time.perf_counter(), time.process_time()
    fitted = fit_words(texts, expected, [str(i) for i in range(len(texts))], seed)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    rows = speed(fitted, new_texts)
    answers = words_solution("words", fitted.model).batch
    assert answers is not None
    given = answers(new_texts)
    return [
        ("test rows right", quality(given, new_expected)),
        ("test rows at confidence .8 and above", coverage(given, new_expected, 0.8)),
        ("out-of-fold, training rows right", quality(fitted.out_of_fold, expected)),
        ("fit, out-of-fold models included", f"{seconds:.1f} s ({cpu:.1f} s of CPU)"),
        ("peak memory of the process", f"{peak:,.0f} MB"),
        *rows,
    ]


def main() -> None:
    """Print the table, or say why there is none."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    beside = Path(__file__).resolve().parents[2] / "shared" / "data" / "banking77"
    parser.add_argument("--data", type=Path, default=beside)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if not (options.data / "train.csv").is_file():
        print(f"skipped: no train.csv in {options.data}; pass --data FOLDER with Banking77's train.csv and test.csv")
        return
    print("| `words` on Banking77 (a benchmark of the model, not a sealed claim) | |\n|---|---|")
    for name, value in measure(options.data, options.seed):
        print(f"| {name} | {value} |")


if __name__ == "__main__":
    main()
