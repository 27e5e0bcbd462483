"""pydantic-evals over n cases: `python with_pydantic_evals.py N CONCURRENCY FOLDER`. The solution is an async def."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from importlib.metadata import version

from cases import first_word, texts
from pydantic_evals import Case, Dataset
from pydantic_evals.evaluators import EqualsExpected


async def solution(text: str) -> str:
    """The instant solution."""
    return first_word(text)


def main() -> None:
    """Print {"seconds", "right", "version"}."""
    n, concurrency = int(sys.argv[1]), int(sys.argv[2])
    cases = [Case(name=f"case {i}", inputs=text, expected_output=label) for i, (text, label) in enumerate(texts(n))]
    data = Dataset(name="overhead", cases=cases, evaluators=[EqualsExpected()])
    began = time.perf_counter()
    report = asyncio.run(data.evaluate(solution, max_concurrency=concurrency, progress=False))
    seconds = time.perf_counter() - began
    right = sum(case.assertions["EqualsExpected"].value for case in report.cases)
    print(json.dumps({"seconds": seconds, "right": right, "version": version("pydantic-evals")}))


if __name__ == "__main__":
    main()
