"""Counting at most so many cases of a cluster is pointed out where it changes what is claimed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import suffice as sf
from suffice.evals.report import lines
from suffice.ladder.climb import plan


def rows(large: int = 8, per: int = 240) -> list[dict[str, Any]]:
    """Customers with one case, and customers with many; of the latter "hard" says so in the text."""
    made: list[dict[str, Any]] = []
    for c in range(per):
        size = large if c % 4 == 0 else 1
        made += [
            {"text": f"case {c} {i} {'hard' if size > 1 else ''}", "label": "a", "customer": c} for i in range(size)
        ]
    return made


async def easy(text: str) -> str:
    return "b" if "hard" in text and text.split()[2] != "0" else "a"


async def even(text: str) -> str:
    return "a"


def task(**more: Any) -> sf.Task:
    return sf.Task(
        rows(), inputs="text", expected="label", cluster="customer", kind="label", labels=["a", "b"], bar=0.7, **more
    )


def test_a_report_says_where_thinning_moves_the_score(tmp_path: Path) -> None:
    report = sf.run(sf.evaluate(task(), easy, store=tmp_path))
    assert report.shift is not None and report.shift.thinned - report.shift.full > 0.02
    [line] = [text for text in lines(report) if text.startswith("  clusters")]
    assert "counting at most 2 cases of each customer, as a claim does, it is ." in line
    told = report.to_json()["shift"]
    assert told == {"most": 2, "full": report.shift.full, "thinned": report.shift.thinned}
    assert report.shift.full == pytest.approx(report.score)


def test_nothing_is_said_where_it_does_not_or_where_no_cluster_counts(tmp_path: Path) -> None:
    for solution, asked in ((even, task()), (easy, task(per_cluster=1))):
        report = sf.run(sf.evaluate(asked, solution, store=tmp_path))
        assert report.shift is None and not any(text.startswith("  clusters") for text in lines(report))


def test_a_plan_says_what_an_evaluation_showed_and_what_would_count_more(tmp_path: Path) -> None:
    assert "instead of" not in str(plan(task(), store=tmp_path))
    sf.run(sf.evaluate(task(), easy, store=tmp_path))
    said = str(plan(task(), store=tmp_path))
    assert "the dev score of easy (eval-1): counting at most 2 cases of each customer, as a claim does, it is ." in said
    assert "; per_cluster = 8 counts more of them, and takes more customers" in said
    sf.run(sf.evaluate(task(), even, store=tmp_path))  # the latest evaluation speaks
    assert "instead of" not in str(plan(task(), store=tmp_path))


def test_a_plan_for_what_is_counted_otherwise_keeps_silent(tmp_path: Path) -> None:
    sf.run(sf.evaluate(task(), easy, store=tmp_path))
    assert "instead of" not in str(plan(task(per_cluster=8), store=tmp_path))
    assert json.dumps(sf.run(sf.evaluate(task(), easy, store=tmp_path)).to_record())
