"""Damaged, unfinished and hostile files of other tools are refused with file and place, without a value of a case."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from suffice.errors import DataError
from suffice.evals.foreign import decoding, inspect_ai
from suffice.evals.foreign.reading import read_runs

FILES = Path(__file__).parent / "files"
SECRET = "zebra-crossing-7741"
SAMPLE = {
    "id": 1,
    "epoch": 1,
    "input": SECRET,
    "target": "a",
    "output": {"completion": "a"},
    "scores": {"s": {"value": 1}},
}
HEADER = {"version": 2, "status": "success", "eval": {"model": "m", "packages": {}}, "plan": {}}
REPORT = {"name": "r", "cases": [{"name": "1", "inputs": SECRET, "output": "a"}], "failures": []}
LINE = {"doc_id": 0, "doc": {"q": SECRET}, "target": "a", "resps": [["a"]], "filtered_resps": ["a"], "exact_match": 1.0}


@pytest.fixture
def log(tmp_path: Path) -> Callable[..., Path]:
    """Writes an .eval log of these entries."""

    def written(**entries: Any) -> Path:
        path = tmp_path / "log.eval"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, value in entries.items():
                archive.writestr(name, value if isinstance(value, str | bytes) else json.dumps(value))
        return path

    return written


def refused(path: Path, *said: str) -> None:
    with pytest.raises(DataError) as caught:
        read_runs(path)
    text = str(caught.value)
    assert path.name in text and SECRET not in text, text
    for words in said:
        assert words in text, text


def put(path: Path, value: Any) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def test_a_log_is_read(log: Callable[..., Path]):
    (run,) = read_runs(log(**{"header.json": HEADER, "samples/1.json": SAMPLE})) or []
    assert run.mean("s") == 1.0


def test_a_zip_bomb_is_refused_by_what_it_says_and_never_unpacked(
    log: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
):
    path = log(**{"header.json": HEADER, "samples/1.json": b" " * 5_000_000})
    monkeypatch.setattr(inspect_ai, "MOST", 1_000_000)
    refused(path, "unpacks to 5,000,000 bytes")
    monkeypatch.setattr(inspect_ai, "MOST", 10_000_000)
    monkeypatch.setattr(inspect_ai, "MOST_TOGETHER", 1_000_000)
    refused(path, "unpacks to 5,000,")


def test_a_zip_that_lies_about_its_sizes_is_refused(log: Callable[..., Path]):
    path = log(**{"header.json": HEADER, "samples/1.json": b" " * 5_000_000})
    data, size = path.read_bytes(), (5_000_000).to_bytes(4, "little")
    path.write_bytes(data.replace(size, (50).to_bytes(4, "little")))
    refused(path)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "samples/../../x.json"])
def test_a_path_that_leaves_the_zip_is_refused(log: Callable[..., Path], name: str):
    refused(log(**{"header.json": HEADER, name: SAMPLE}), "points outside of the zip")


def test_a_log_that_did_not_finish_is_refused(log: Callable[..., Path]):
    refused(log(**{"_journal/start.json": {}, "samples/1.json": SAMPLE}), "did not finish", "inspect log recover")
    refused(log(**{"header.json": {**HEADER, "status": "error"}, "samples/1.json": SAMPLE}), "did not finish")


def test_another_zip_is_no_run(log: Callable[..., Path]):
    assert read_runs(log(**{"xl/workbook.xml": "<x/>"})) is None


def test_a_truncated_zip_is_refused(tmp_path: Path):
    path = tmp_path / "log.eval"
    path.write_bytes((FILES / "inspect_plain.eval").read_bytes()[:20_000])
    refused(path, "damaged")


def test_a_sample_of_another_shape_is_refused_with_its_place(log: Callable[..., Path], tmp_path: Path):
    refused(log(**{"header.json": HEADER, "samples/1.json": {**SAMPLE, "epoch": SECRET}}), "samples/1.json", "$.epoch")
    refused(log(**{"header.json": HEADER, "samples/1.json": '{"id": 1, "ep'}), "samples/1.json", "not whole")
    cases = [*REPORT["cases"], {"name": SECRET, "inputs": 1, "task_duration": SECRET}]
    refused(put(tmp_path / "r.json", {**REPORT, "cases": cases}), "cases[1]", "$.task_duration")
    promptfoo = {"evalId": "e", "config": {}, "results": {"results": [{"success": True, "score": SECRET}]}}
    refused(put(tmp_path / "p.json", promptfoo), "results[0]", "$.score")
    deepeval = {"testCases": [{"name": "1", "input": [SECRET]}], "metricsScores": []}
    refused(put(tmp_path / "d.json", deepeval), "testCases[0]", "$.input")


def test_a_line_that_is_cut_off_is_refused_with_its_number(tmp_path: Path):
    refused(put(tmp_path / "s.jsonl", f"{json.dumps(LINE)}\n{json.dumps(LINE)[:-9]}"), "s.jsonl:2", "not whole")


def test_two_runs_in_one_file_of_samples_are_refused(tmp_path: Path):
    refused(put(tmp_path / "s.jsonl", f"{json.dumps(LINE)}\n{json.dumps(LINE)}"), "s.jsonl:2", "comes twice")


def test_filters_of_one_document_are_scores_of_one_case(tmp_path: Path):
    strict = {**LINE, "filter": "strict-match", "metrics": ["exact_match"]}
    loose = {**LINE, "filter": "flexible-extract", "metrics": ["exact_match"], "exact_match": 0.0}
    (run,) = read_runs(put(tmp_path / "s.jsonl", f"{json.dumps(strict)}\n{json.dumps(loose)}")) or []
    assert run.metric is None  # nobody says which one counts
    assert run.cases[0].scores == {"exact_match,strict-match": 1.0, "exact_match,flexible-extract": 0.0}


def test_json_that_is_too_large_or_too_deep_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    deep = f'{{"name": "r", "failures": [], "cases": [{{"name": "1", "inputs": {"[" * 90_000}{"]" * 90_000}}}]}}'
    path = put(tmp_path / "r.json", deep)
    try:
        assert read_runs(path) is None  # nested too deeply to tell what it is
    except DataError as error:
        assert "r.json" in str(error)
    monkeypatch.setattr(decoding, "MOST", 1000)
    refused(path, "at most 1,000 are read")


def test_nan_as_python_writes_it_is_no_score(log: Callable[..., Path], tmp_path: Path):
    sample = {**SAMPLE, "scores": {"s": {"value": float("nan")}}}
    zipped = log(**{"header.json": HEADER, "samples/1.json": sample})
    for path in (zipped, put(tmp_path / "log.json", {**HEADER, "samples": [sample]})):
        (run,) = read_runs(path) or []
        assert run.metrics == ()


def test_a_run_without_a_case_is_refused(tmp_path: Path):
    refused(put(tmp_path / "r.json", {**REPORT, "cases": []}), "holds no case")
