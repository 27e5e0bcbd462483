"""pydantic-evals reports as JSON: `python make_pydantic_evals.py` in an environment that has it and openai.

It has no file format: a report is a pydantic model, and its own adapter turns it into JSON.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from making import MODELS, OUT, PROMPT, broken, sanitised, tickets
from serve import serving


async def run(name: str, model: str, rows: list[dict[str, str]], repeat: int) -> None:
    """One report of `model` on `rows`, written to NAME."""
    from openai import AsyncOpenAI
    from pydantic_evals import Case, Dataset
    from pydantic_evals.evaluators import EqualsExpected
    from pydantic_evals.reporting import EvaluationReportAdapter

    cases = [Case(name=r["id"], inputs=r["ticket"], expected_output=r["team"]) for r in rows]
    data: Any = Dataset(name="tickets", cases=cases, evaluators=[EqualsExpected()])
    with serving() as url:
        async with AsyncOpenAI(base_url=url, api_key="sk-none") as client:

            async def triage(ticket: str) -> str | None:
                said: Any = [{"role": "user", "content": PROMPT.format(ticket=ticket)}]
                return (await client.chat.completions.create(model=model, messages=said)).choices[0].message.content

            report: Any = await data.evaluate(triage, name=model, max_concurrency=4, progress=False, repeat=repeat)
    said: Any = report.averages()
    averages = OUT / "pydantic_evals_averages.json"  # what it prints is not in the report
    known = json.loads(averages.read_text()) if averages.is_file() else {}
    averages.write_text(json.dumps({**known, model: said.model_dump(mode="json")}, indent=1, sort_keys=True))
    text = EvaluationReportAdapter.dump_json(report, indent=1).decode("utf-8")
    (OUT / name).write_text(sanitised(text), encoding="utf-8")


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    for one in MODELS:
        asyncio.run(run(f"pydantic_evals_{one}.json", one, tickets(), 1))
    asyncio.run(run("pydantic_evals_repeats.json", "fragile", broken(), 2))
