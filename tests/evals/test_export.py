"""A report's cases for other tools: JSONL, CSV, Parquet and Inspect AI's log, each saying what the report says."""

from __future__ import annotations

import asyncio
import csv
import json
import zipfile
from pathlib import Path
from typing import Any

import pandas
import pytest

import suffice as sf
from suffice.errors import DataError
from suffice.evals.foreign.reading import read_runs
from suffice.evals.read import read_file
from suffice.evals.report import Report

TEAMS = ("billing", "shipping")


def triage(subject: str, body: str) -> Any:
    number = int(body.split()[-1])
    if number % 7 == 0:
        return sf.ABSTAIN
    if number % 11 == 0:
        raise ValueError("no such ticket")
    return sf.Answer('=HYPERLINK("http://x")' if number % 5 == 0 else TEAMS[number % 2], confidence=0.5)


@pytest.fixture(params=[1, 2], ids=["asked once", "asked twice"])
def report(request: pytest.FixtureRequest, tmp_path: Path) -> Report:
    rows = [{"subject": "=1+1", "body": f"ticket {i}", "team": TEAMS[i % 2]} for i in range(1, 240)]
    task = sf.Task(rows, inputs=["subject", "body"], name="tickets")
    return asyncio.run(sf.evaluate(task, triage, store=tmp_path / "store", repeats=request.param))


def statuses(report: Report) -> dict[str, int]:
    abstained = sum(o.abstained for o in report.calls)
    return {
        "abstained": abstained,
        "failed": len(report.errors),
        "answered": len(report.calls) - abstained - len(report.errors),
    }


def counts(values: Any) -> dict[str, int]:
    found: dict[str, int] = {}
    for value in values:
        found[value] = found.get(value, 0) + 1
    return found


def test_a_csv_has_a_row_a_call_and_no_formula(report: Report, tmp_path: Path) -> None:
    report.save(tmp_path / "cases.csv")
    with (tmp_path / "cases.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(report.calls) and counts(r["status"] for r in rows) == statuses(report)
    assert all(r["input.subject"] == "'=1+1" for r in rows)
    assert {r["answer"] for r in rows} == {"", "billing", "shipping", '\'=HYPERLINK("http://x")'}
    assert ("sample" in rows[0]) == bool(report.samples)
    assert rows[0]["source"] == report.outcomes[0].case.source
    scores = [float(r["score"]) for r in rows if r["score"]]
    assert report.score == pytest.approx(sum(scores) / len(scores))


def test_control_characters_are_visible_escapes_in_a_csv_which_our_own_reader_takes(tmp_path: Path) -> None:
    rows = [{"text": f"t{i}\x1b[2J", "team": TEAMS[i % 2]} for i in range(60)]
    report = asyncio.run(sf.evaluate(sf.Task(rows), lambda text: "bill\0ing", store=tmp_path))  # type: ignore[misc]
    report.save(tmp_path / "cases.csv")
    table = read_file(tmp_path / "cases.csv")
    assert not table.bad and {row.values["answer"] for row in table.rows} == {"bill\\x00ing"}
    assert all(str(row.values["input"]).endswith("\\x1b[2J") for row in table.rows)


def test_jsonl_and_parquet_hold_the_same_cases(report: Report, tmp_path: Path) -> None:
    report.save(tmp_path / "cases.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "cases.jsonl").read_text(encoding="utf-8").splitlines()]
    assert rows == report.to_json()["cases"]
    report.save(tmp_path / "cases.parquet")
    frame = pandas.read_parquet(tmp_path / "cases.parquet")
    assert len(frame) == len(report.calls) and counts(frame["status"]) == statuses(report)
    assert set(frame["input.subject"]) == {"=1+1"}  # no spreadsheet runs it
    assert report.score == pytest.approx(frame["score"].mean())


def test_an_inspect_log_says_the_same_mean_and_is_read_back(report: Report, tmp_path: Path) -> None:
    report.save(tmp_path / "run.eval")
    runs = read_runs(tmp_path / "run.eval")
    assert runs is not None and len(runs) == 1
    run = runs[0]
    assert (run.solution, run.metric) == ("triage", "label") and len(run.cases) == len(report.calls)
    assert run.mean("label") == pytest.approx(report.score)
    assert sum(c.error is not None for c in run.cases) == len(report.errors)
    with zipfile.ZipFile(tmp_path / "run.eval") as archive:
        header = json.loads(archive.read("header.json"))
    assert header["results"]["scores"][0]["metrics"]["mean"]["value"] == report.score
    assert header["eval"]["config"]["epochs"] == (2 if report.samples else 1)


def test_ids_that_are_no_file_names_cannot_leave_the_log(tmp_path: Path) -> None:
    rows = [{"id": f"../../{'é' if i % 2 else '/'}{i}", "text": f"t {i}", "team": TEAMS[i % 2]} for i in range(60)]
    report = asyncio.run(sf.evaluate(sf.Task(rows), lambda text: "billing", store=tmp_path))  # type: ignore[misc]
    report.save(tmp_path / "run.eval")
    with zipfile.ZipFile(tmp_path / "run.eval") as archive:
        names = [n for n in archive.namelist() if n.startswith("samples/")]
    assert len(set(names)) == report.n and all(n.count("/") == 1 and "samples/.." not in n for n in names)
    assert read_runs(tmp_path / "run.eval") is not None


def test_json_is_still_the_whole_report_and_a_place_that_is_none_is_said(report: Report, tmp_path: Path) -> None:
    for name in ("report.json", "report"):
        report.save(tmp_path / name)
        assert json.loads((tmp_path / name).read_text(encoding="utf-8"))["suffice_report"] == 1
    with pytest.raises(DataError, match="cannot write the report"):
        report.save(tmp_path / "no folder" / "cases.csv")
