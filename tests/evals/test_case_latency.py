"""The latency of a case is what its calls take, whatever was looked up and whoever else held the money."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from upstream_faults import Ok

import suffice as sf
from suffice.evals.report import lines
from upstream import upstream

DELAY = 0.05
SAID: dict[str, Any] = {"price": (10.0, 100.0), "max_output_tokens": 50}


@pytest.fixture
def task(tmp_path: Path) -> sf.Task:
    rows = [{"text": f"ticket {i}", "label": "ok"} for i in range(40)]
    (tmp_path / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return sf.Task.load(tmp_path / "cases.jsonl", bar=0.8, kind="label")


def test_a_part_that_was_looked_up_counts_as_when_it_was_made(task: sf.Task, tmp_path: Path) -> None:
    with upstream(Ok(delay=DELAY)) as up:
        model = sf.Model(f"{up.url}#any", **SAID)

        async def plain(text: str) -> str:
            return (await model(text)).value

        async def checked(text: str) -> str:
            answer = (await model(text)).value
            await model(f"Is {answer} right for {text}?")
            return answer

        async def voted(text: str) -> str:
            replies = await asyncio.gather(*(model(text, sample=i) for i in range(2)))
            return replies[0].value

        first = sf.run(sf.evaluate(task, plain, store=tmp_path))
        assert len(up.log.served) == first.n
        both = sf.run(sf.evaluate(task, checked, store=tmp_path))
        assert len(up.log.served) == 2 * first.n
        partly = sf.run(sf.evaluate(task, voted, store=tmp_path))
    assert first.seconds is not None and DELAY <= first.seconds[0] < 2 * DELAY
    assert both.seconds is not None and 2 * DELAY <= both.seconds[0] < 4 * DELAY
    assert partly.seconds is None  # side by side with one that was looked up: nobody knows
    assert "not measured" in next(line for line in lines(partly) if "latency" in line)


def test_waiting_for_a_budget_is_no_latency_of_a_case(task: sf.Task, tmp_path: Path) -> None:
    with upstream(Ok(usage=(2, 2), delay=DELAY)) as up:
        model = sf.Model(f"{up.url}#any", **SAID)

        async def plain(text: str) -> str:
            return (await model(text)).value

        report = sf.run(sf.evaluate(task, plain, store=tmp_path, budget=sf.Budget(tokens=200)))
        assert up.log.most_in_flight < 4
    assert report.seconds is not None and report.seconds[1] < 3 * DELAY
