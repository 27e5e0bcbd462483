"""DeepEval's results as it saves them: `python make_deepeval.py` in an environment that has it and openai."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from making import MODELS, OUT, PROMPT, sanitised, tickets
from serve import serving


def run(name: str, model: str, rows: list[dict[str, str]]) -> None:
    """One evaluation of `model` on `rows`, written to NAME."""
    with serving() as url, tempfile.TemporaryDirectory() as place:
        os.environ |= {"DEEPEVAL_TELEMETRY_OPT_OUT": "YES"}
        from deepeval import evaluate
        from deepeval.evaluate.configs import AsyncConfig, CacheConfig, DisplayConfig
        from deepeval.metrics import ExactMatchMetric
        from deepeval.test_case import LLMTestCase
        from openai import OpenAI

        quiet = DisplayConfig(show_indicator=False, print_results=False, results_folder=place)
        client, cases = OpenAI(base_url=url, api_key="sk-none"), []
        for row in rows:
            said: Any = [{"role": "user", "content": PROMPT.format(ticket=row["ticket"])}]
            text = client.chat.completions.create(model=model, messages=said).choices[0].message.content
            cases.append(LLMTestCase(input=row["ticket"], actual_output=text, expected_output=row["team"],
                                     name=row["id"]))  # fmt: skip
        evaluate(cases, [ExactMatchMetric()], hyperparameters={"model": model}, identifier=model,
                 async_config=AsyncConfig(run_async=False), cache_config=CacheConfig(write_cache=False),
                 display_config=quiet)  # fmt: skip
        (written,) = Path(place).rglob("*.json")
        (OUT / name).write_text(sanitised(written.read_text(encoding="utf-8"), place), encoding="utf-8")


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    for one in MODELS:
        run(f"deepeval_{one}.json", one, tickets())
