"""How long a saved `words` bundle takes from nothing to its first answer, and how many answers a second it gives.

    python bench/load.py [--repeats 7] [--data ../shared/data]

The bundle is `words` fitted on Banking77's 10,003 training rows (77 labels). "First answer" is a fresh process:
interpreter, `import suffice`, load, one answer; the floor beside it is the interpreter with numpy.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import suffice as sf
from suffice.ladder.words import fit_words
from suffice.programs.bundle import save_bundle
from suffice.programs.words import words_solution

FIRST = "import suffice as sf; print(sf.run(sf.load({path!r})('how do I find my card')))"
FLOOR = "import numpy"


def timed(program: str, repeats: int) -> float:
    """The median seconds of a fresh interpreter running `program`."""
    seconds: list[float] = []
    for _ in range(repeats):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    options = parser.parse_args()
    train, test = (options.data / "banking77" / name for name in ("train.csv", "test.csv"))
    if not train.is_file():
        sys.exit(f"skipped: there is no {train}")
    rows = list(csv.DictReader(train.open(encoding="utf-8")))
    texts, labels = [r["text"] for r in rows], [r["category"] for r in rows]
    questions = [r["text"] for r in csv.DictReader(test.open(encoding="utf-8"))]
    with tempfile.TemporaryDirectory() as folder:
        model = fit_words(texts, labels, texts).model
        path = save_bundle(words_solution("words", model, ("text",)), Path(folder) / "words.suffice")
        size = sum(f.stat().st_size for f in path.iterdir())
        first, floor = timed(FIRST.format(path=str(path)), options.repeats), timed(FLOOR, options.repeats)
        began = time.perf_counter()
        loaded = sf.load(path)
        load = time.perf_counter() - began

        async def one_by_one() -> float:
            began = time.perf_counter()
            for question in questions:
                await loaded(question)
            return len(questions) / (time.perf_counter() - began)

        single = statistics.median(sf.run(one_by_one()) for _ in range(options.repeats))
        assert loaded.batch is not None
        batches: list[float] = []
        for _ in range(options.repeats):
            began = time.perf_counter()
            loaded.batch(questions)
            batches.append(len(questions) / (time.perf_counter() - began))
    print("| | |\n|---|---|")
    print(f"| bundle on disk | {size / 1e6:.1f} MB |")
    print(f"| fresh process to first answer (interpreter with numpy alone: {floor:.2f} s) | {first:.2f} s |")
    print(f"| `load` in a running program | {load * 1e3:.0f} ms |")
    print(f"| answers a second, one by one | {single:,.0f} |")
    print(f"| answers a second, in a batch | {statistics.median(batches):,.0f} |")


if __name__ == "__main__":
    main()
