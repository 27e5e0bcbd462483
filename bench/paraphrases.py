"""How `words` does on tickets worded with another team's vocabulary: `python bench/paraphrases.py`.

The 60 paraphrases of examples/tickets were written to lead a keyword model astray. They are measured, never learned
from and never claimed on: the claim of the climb is about inputs like the cases, and these are not like them.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import suffice as sf
from suffice.stats.intervals import wilson

FOLDER = Path(__file__).resolve().parent.parent / "examples" / "tickets"


def main() -> None:
    task = sf.Task.load(FOLDER)
    rows = [json.loads(line) for line in (FOLDER / "paraphrases.jsonl").read_text(encoding="utf-8").splitlines()]
    with tempfile.TemporaryDirectory() as store:
        decision = sf.run(sf.climb(task, store=store))
    print(decision.sentence)
    assert decision.solution is not None
    said = [sf.run(decision.solution(row["ticket"])) for row in rows]
    answered = [(row, team) for row, team in zip(rows, said, strict=True) if team is not sf.ABSTAIN]
    right = sum(row["team"] == team for row, team in answered)
    found = wilson(right, len(answered))
    print("\n| paraphrases | answered | right among answered | 95% interval |\n|---|---|---|---|")
    print(f"| {len(rows)} | {len(answered)} | {right} ({found.estimate:.3f}) | {found.low:.3f} to {found.high:.3f} |")
    print(f"\nEvery one answered: {_all(decision.solution, rows)} of {len(rows)} right.")


def _all(route: object, rows: list[dict[str, str]]) -> int:
    words = route.members[0].solution if getattr(route, "members", ()) else route  # type: ignore[attr-defined]
    return sum(sf.run(words(row["ticket"])) == row["team"] for row in rows)


if __name__ == "__main__":
    main()
