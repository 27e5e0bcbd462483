"""Inspect AI itself opens the logs that reports are saved as, and finds the same mean."""

from __future__ import annotations

import asyncio
import statistics
from pathlib import Path

import pytest

import suffice as sf

pytestmark = pytest.mark.peers
inspect_log = pytest.importorskip("inspect_ai.log")


@pytest.mark.parametrize("repeats", [1, 2])
def test_inspect_reads_a_saved_report_with_the_same_mean(tmp_path: Path, repeats: int) -> None:
    rows = [{"text": f"ticket {i}", "team": ("billing", "shipping")[i % 2]} for i in range(120)]

    def triage(text: str) -> str:
        return "billing" if int(text.split()[1]) % 3 else "shipping"

    report = asyncio.run(sf.evaluate(sf.Task(rows), triage, store=tmp_path, repeats=repeats))
    report.save(tmp_path / "run.eval")
    log = inspect_log.read_eval_log(str(tmp_path / "run.eval"))
    assert log.status == "success" and len(log.samples) == report.n * repeats
    assert log.results.scores[0].metrics["mean"].value == report.score
    values = [s.scores["label"].value for s in log.samples]
    assert statistics.fmean(values) == pytest.approx(report.score)
    assert len(inspect_log.read_eval_log_sample_summaries(str(tmp_path / "run.eval"))) == len(log.samples)
    one = log.samples[0]
    assert inspect_log.read_eval_log_sample(str(tmp_path / "run.eval"), id=one.id, epoch=repeats).target == one.target
