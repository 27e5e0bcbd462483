"""The rungs that learn without a model, side by side: how often right, how calibrated, how much work, how large.

    python bench/rungs.py [--data ../shared/data] [--only receipts,tickets,banking77,sroie]

Each rung learns from train and dev as a climb's candidate does. On tasks of this project figures are out of fold on
train and dev (the sealed test is not looked at); Banking77 has a public test split, which they are on; SROIE's are out
of fold over all receipts, by field. "Sure half" is the share right of the half with the highest confidence. These
measure the rungs; none is a sealed claim of the kind that `suffice climb` makes.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from suffice.evals.task import Task
from suffice.ladder import rung
from suffice.ladder.rung import Rung
from suffice.ladder.takes import same
from suffice.programs.bundle import save_bundle
from suffice.values import Answer, Case

ROOT = Path(__file__).resolve().parents[1]
HEAD = (
    "| task | rung | right | sure half | mean confidence | fit, CPU s | CPU µs a case | KB |\n"
    "|---|---|--:|--:|--:|--:|--:|--:|"
)


def banking77(data: Path) -> tuple[Task, list[Case], list[Case]]:
    """Banking77's rows as a task, and its train and its test rows."""
    rows = [
        {
            "id": f"{name} {i}",
            "text": row["text"],
            "category": row["category"],
        }
        for name in ("train", "test")
        for i, row in enumerate(csv.DictReader((data / "banking77" / f"{name}.csv").open(encoding="utf-8", newline="")))
    ]
    task = Task(rows, inputs=["text"], expected="category", kind="label", name="banking77")
    return task, *([c for c in everything(task) if c.id.startswith(name)] for name in ("train", "test"))


def everything(task: Task) -> list[Case]:
    """All cases of public data, in the order of their ids: no claim is made of it."""
    return sorted((*task.train, *task.dev, *task.sealed()), key=lambda case: case.id)


def sroie(data: Path) -> Task:
    """SROIE's receipts as a task."""
    lines = (data / "sroie" / "receipts.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [{k: row[k] for k in ("id", "text", "fields")} for row in map(json.loads, lines)]
    return Task(rows, inputs=["text"], expected="fields", name="sroie")


def measured(task: Task, made: Rung, cases: Sequence[Case], held: Sequence[Case] | None) -> tuple[str, list[Answer]]:
    """One row of the table, and the answers behind it."""
    start = time.process_time()
    solution = asyncio.run(made.fit(task, cases))
    seconds = time.process_time() - start
    assert solution.batch is not None
    asked = cases if held is None else held
    answers = solution.batch([c.inputs for c in asked])
    texts = [f"{next(iter(c.inputs.values())) if isinstance(c.inputs, dict) else c.inputs} zzz" for c in asked]
    start = time.process_time()
    solution.batch(texts)  # none of them a repeat of a case that was learned from
    each = (time.process_time() - start) / len(asked) * 1e6
    if held is None and made.out_of_fold is not None:
        answers = asyncio.run(made.out_of_fold(task, cases))
    with tempfile.TemporaryDirectory() as folder:
        saved = save_bundle(solution, Path(folder) / "b")
        size = sum(f.stat().st_size for f in saved.iterdir()) / 1e3
    right = np.array([task.grader(a, c).value >= 1 for a, c in zip(answers, asked, strict=True)])
    sure = np.array([a.confidence or 0.0 for a in answers])
    half = right[np.argsort(-sure, kind="stable")[: len(right) // 2]].mean()
    said = f"{sure.mean():.3f}" if sure.any() else "none"
    row = f"| {right.mean():.3f} of {len(asked):,} | {half:.3f} | {said} | {seconds:.1f} | {each:,.0f} | {size:,.0f} |"
    return row, answers


def f1(answers: Sequence[Any], cases: Sequence[Case], field: str) -> str:
    """Precision, recall and F1 of one field; null is no value."""
    pairs = [(a.value.get(field), c.expected.get(field)) for a, c in zip(answers, cases, strict=True)]
    right = sum(want is not None and same(got, want) for got, want in pairs)
    said, have = sum(got is not None for got, _ in pairs), sum(want is not None for _, want in pairs)
    return f"{right / max(1, said):.3f} | {right / max(1, have):.3f} | {2 * right / max(1, said + have):.3f}"


def commonest(cases: Sequence[Case]) -> list[Answer]:
    """The commonest value of each field in these very cases."""
    fields = {name for c in cases for name in c.expected}
    common = {
        name: max(
            sorted({str(c.expected.get(name)) for c in cases}),
            key=[str(c.expected.get(name)) for c in cases].count,
        )
        for name in fields
    }
    return [Answer(common)] * len(cases)


def by_field(name: str, answers: Sequence[Answer], cases: Sequence[Case]) -> None:
    """Print the table of fields."""
    for field in cases[0].expected:
        print(f"| {name} | {field} | {f1(answers, cases, field)} |")


def tasks(data: Path, only: Sequence[str]) -> list[tuple[Task, Sequence[Case], Sequence[Case] | None, list[Rung]]]:
    """What is measured: the task, the cases to learn from, those to answer (None: out of fold), and the rungs."""
    labels = [rung.constant(), rung.rules(), rung.words(), rung.nearest()]
    fields = [rung.constant(), rung.patterns(), rung.nearest()]
    found: list[tuple[Task, Sequence[Case], Sequence[Case] | None, list[Rung]]] = []
    for name, rungs in (("tickets", labels), ("receipts", fields)):
        if name in only:
            task = Task.load(ROOT / "examples" / name)
            found.append((task, (*task.train, *task.dev), None, rungs))
    if "banking77" in only and (data / "banking77" / "train.csv").is_file():
        task, train, test = banking77(data)
        found.append((task, train, test, labels))
    if "sroie" in only and (data / "sroie" / "receipts.jsonl").is_file():
        task = sroie(data)
        found.append((task, everything(task), None, fields))
    return found


def main() -> None:
    """Print the tables; what is not there is left out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--only", default="tickets,receipts,banking77,sroie")
    options = parser.parse_args()
    kept: list[tuple[str, list[Answer], Sequence[Case]]] = []
    print(HEAD)
    for task, cases, held, rungs in tasks(options.data, options.only.split(",")):
        for made in rungs:
            row, answers = measured(task, made, cases, held)
            print(f"| {task.name} | `{made.name}` {row}", flush=True)
            if made.name == "patterns":
                kept.append((task.name, answers, cases))
    print("\n| task, rung | field | precision | recall | F1 |\n|---|---|--:|--:|--:|")
    for name, answers, cases in kept:
        by_field(f"{name}, `patterns`", answers, cases)
        by_field(f"{name}, the commonest value", commonest(cases), cases)


if __name__ == "__main__":
    main()
