"""Runs of other tools give the means that the tools themselves say, read from files that they wrote."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from suffice.errors import DataError
from suffice.evals.foreign.reading import read_runs
from suffice.evals.foreign.run import Run

FILES = Path(__file__).parent / "files"
RUNS = Path(__file__).parents[3] / "examples" / "runs"
TICKETS = RUNS / "tickets.csv"
LM_EVAL = {model: next((FILES / "lm_eval" / model).glob("samples_*.jsonl")) for model in ("plain", "careful")}
WRITTEN = [
    RUNS / "promptfoo.json",
    FILES / "inspect_plain.eval",
    FILES / "inspect_careful.json",
    FILES / "pydantic_evals_plain.json",
    FILES / "deepeval_careful.json",
    LM_EVAL["careful"],
]


def runs_of(path: Path) -> list[Run]:
    found = read_runs(path)
    assert found is not None
    return found


def said(name: str | Path) -> Any:
    return json.loads((FILES / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", [RUNS / "promptfoo.json", FILES / "promptfoo_repeats.json"], ids=lambda p: p.name)
def test_promptfoo_says_the_same_pass_rate_and_score_of_every_provider(path: Path):
    prompts = said(path)["results"]["prompts"]
    assert [r.solution for r in runs_of(path)] == [p["provider"] for p in prompts]
    for run, prompt in zip(runs_of(path), prompts, strict=True):
        own = prompt["metrics"]
        tests = own["testPassCount"] + own["testFailCount"] + own["testErrorCount"]
        assert run.mean("pass") == own["testPassCount"] / tests
        assert run.mean("score") == own["score"] / tests
        assert sum(c.error is not None for c in run.cases) == own["testErrorCount"]
        assert sum(c.cost.input_tokens or 0 for c in run.cases) == own["tokenUsage"]["prompt"]


def test_inspect_says_the_same_accuracy_in_both_forms_of_its_logs():
    with zipfile.ZipFile(FILES / "inspect_plain.eval") as log:
        header = json.loads(log.read("header.json"))
    for path, own in ((FILES / "inspect_plain.eval", header), (FILES / "inspect_careful.json", None)):
        scores = (own or said(path.name))["results"]["scores"][0]
        (run,) = runs_of(path)
        assert run.metric == scores["name"]
        assert run.mean(scores["name"]) == scores["metrics"]["accuracy"]["value"]
        assert len(run.cases) == scores["scored_samples"]


def test_inspect_packed_with_zstandard_is_read_where_python_can_and_else_says_what_to_install():
    try:
        (run,) = runs_of(FILES / "inspect_repeats.eval")
    except DataError as error:
        assert "Zstandard" in error.message and "backports.zstd" in (error.hint or "")
        return
    assert [c.repeat for c in run.cases] == [1] * 6 + [2] * 6
    assert run.mean("match") == 1.0  # as in its header: a sample that ended in an error is not scored
    assert [c.id for c in run.cases if c.error is not None] == ["t39", "t39"]


@pytest.mark.parametrize(("name", "solution"), [("plain", "plain"), ("careful", "careful"), ("repeats", "fragile")])
def test_pydantic_evals_says_the_same_average(name: str, solution: str):
    (run,) = runs_of(FILES / f"pydantic_evals_{name}.json")
    assert run.solution == solution and run.metric == "EqualsExpected"
    assert run.mean(run.metric) == said("pydantic_evals_averages.json")[solution]["assertions"]


@pytest.mark.parametrize("model", ["plain", "careful"])
def test_lm_evaluation_harness_says_the_same_mean_and_its_results_file_names_the_model(model: str):
    path = LM_EVAL[model]
    results = json.loads(next(path.parent.glob("results_*.json")).read_text(encoding="utf-8"))
    (run,) = runs_of(path)
    assert (run.solution, run.version) == (model, results["lm_eval_version"])
    assert run.mean("exact_match") == results["results"]["tickets"]["exact_match,none"]


@pytest.mark.parametrize("model", ["plain", "careful"])
def test_deepeval_says_the_same_passes(model: str):
    own = said(f"deepeval_{model}.json")
    (run,) = runs_of(FILES / f"deepeval_{model}.json")
    assert run.mean("pass") == own["testPassed"] / (own["testPassed"] + own["testFailed"])
    assert run.mean("Exact Match") == own["metricsScores"][0]["passes"] / len(run.cases)


@pytest.mark.parametrize("path", WRITTEN, ids=lambda p: p.name.partition("_2026")[0])
def test_every_tool_gives_the_tickets_the_expected_teams_and_the_answers(path: Path):
    with TICKETS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for run in runs_of(path):
        asked = [c.input["ticket"] if isinstance(c.input, dict) else c.input for c in run.cases]
        assert sorted(asked) == sorted(r["ticket"] for r in rows)
        assert sorted(c.expected for c in run.cases) == sorted(r["team"] for r in rows)
        for case in run.cases:
            assert run.metric and case.scores[run.metric] == (case.answer == case.expected)


def test_a_file_is_told_by_what_is_in_it_whatever_its_name(tmp_path: Path):
    for i, path in enumerate(WRITTEN):
        other = tmp_path / f"{i}.txt"
        other.write_bytes(path.read_bytes())
        assert [r.tool for r in runs_of(other)] == [r.tool for r in runs_of(path)]


def test_what_no_known_tool_wrote_is_left_to_the_reader_of_tables(tmp_path: Path):
    for text in ("", "id,right\n1,1\n", '{"id": 1, "right": 1}\n{"id": 2, "right": 0}\n', '{"cases": []}', "[]", "{"):
        plain = tmp_path / "promptfoo.json"
        plain.write_text(text, encoding="utf-8")
        assert read_runs(plain) is None


def test_a_run_does_not_print_what_may_be_sealed():
    (run,) = runs_of(FILES / "inspect_careful.json")
    assert "ticket" not in repr(run) and "parcel" not in repr(run.cases[0])
