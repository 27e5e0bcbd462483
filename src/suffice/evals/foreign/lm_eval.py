"""lm-evaluation-harness samples (`--log_samples`): JSON lines, one a document and filter. A file is one solution."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from suffice.errors import DataError
from suffice.evals.foreign.decoding import decoded
from suffice.evals.foreign.run import Run, RunCase, first_metric
from suffice.values import Json

TOOL = "lm-evaluation-harness"
KEYS = frozenset({"doc_id", "doc", "target", "resps", "filtered_resps"})
NO_SCORE = KEYS | {"arguments", "filter", "metrics", "doc_hash", "prompt_hash", "target_hash"}


class _Results(msgspec.Struct):
    model_name: str = ""
    lm_eval_version: str = ""


class _Sample(msgspec.Struct):
    doc_id: int
    doc: Any
    target: Any
    filtered_resps: list[Any]
    filter: str = "none"
    metrics: list[str] | None = None


def is_line(keys: frozenset[str]) -> bool:
    """Whether these are the keys of a line of such a file."""
    return keys >= KEYS


def runs(data: bytes, path: Path) -> list[Run]:
    """The run of a samples file; its model's name is in the results file beside it. Raises DataError with the line."""
    by: dict[int, RunCase] = {}
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        where = f"{path.name}:{number}"
        sample = decoded(line, _Sample, TOOL, where)
        scores = _scores(decoded(line, dict[str, Any], TOOL, where), sample)
        known = by.get(sample.doc_id)
        if known is None:
            by[sample.doc_id] = _case(sample, scores, where)
        elif scores.keys() & known.scores.keys():
            raise DataError("a document comes twice: several runs in one file?", where=where, hint="one run a file")
        else:  # the same answer through another filter
            by[sample.doc_id] = replace(known, scores={**known.scores, **scores})
    about = _beside(path)
    cases = tuple(by.values())
    return [Run(TOOL, about.lm_eval_version, about.model_name or path.stem, first_metric(cases), cases)]


def _case(sample: _Sample, scores: dict[str, float], where: str) -> RunCase:
    answer: Json = sample.filtered_resps[0] if sample.filtered_resps else None
    return RunCase(
        id=str(sample.doc_id),
        input=sample.doc,
        expected=sample.target,
        answer=answer if isinstance(answer, str) else None,  # of a choice: log-likelihoods
        scores=scores,
        where=where,
    )


def _scores(row: dict[str, Any], sample: _Sample) -> dict[str, float]:
    """The numbers of a line by the harness's names: METRIC, or METRIC,FILTER where a filter is named."""
    names = sample.metrics if sample.metrics is not None else [k for k in row if k not in NO_SCORE]
    tail = "" if sample.filter == "none" else f",{sample.filter}"
    return {f"{n}{tail}": float(row[n]) for n in names if isinstance(row.get(n), bool | int | float)}


def _beside(path: Path) -> _Results:
    """What results_DATE.json says of the model of samples_TASK_DATE.jsonl; nothing where it is not there."""
    date = re.search(r"\d{4}-\d\d-\d\dT[\d.-]+(?=\.jsonl$)", path.name)
    results = path.with_name(f"results_{date[0]}.json") if date else None
    if results is None or not results.is_file():
        return _Results()
    return decoded(results.read_bytes(), _Results, TOOL, results.name)
