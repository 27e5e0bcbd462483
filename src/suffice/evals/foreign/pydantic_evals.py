"""pydantic-evals reports, as its `EvaluationReportAdapter.dump_json` writes them. A report is one solution."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from suffice.evals.foreign.decoding import decoded
from suffice.evals.foreign.run import Run, RunCase, first_metric
from suffice.values import Cost

TOOL = "pydantic-evals"
_REPEAT = re.compile(r" \[(\d{1,6})/\d+\]$")


class _File(msgspec.Struct):
    name: str
    cases: list[msgspec.Raw]
    failures: list[msgspec.Raw] = []


class _Result(msgspec.Struct):
    value: float | bool


class _Case(msgspec.Struct):
    """Of a case and of a failure: a failure has an error instead of an output."""

    name: str
    inputs: Any
    expected_output: Any = None
    output: Any = None
    scores: dict[str, _Result] = {}
    assertions: dict[str, _Result] = {}
    metrics: dict[str, Any] = {}
    task_duration: float | None = None
    source_case_name: str | None = None
    error_message: str | None = None


def is_run(keys: frozenset[str]) -> bool:
    """Whether these are the keys of such a report."""
    return {"name", "cases", "failures"} <= keys


def runs(data: bytes, name: str) -> list[Run]:
    """The run of a report. Raises DataError with file and place."""
    file = decoded(data, _File, TOOL, name)
    places = [
        (f"{name}: {part}[{i}]", raw) for part in ("cases", "failures") for i, raw in enumerate(getattr(file, part))
    ]
    cases = [_case(decoded(raw, _Case, TOOL, where), where) for where, raw in places]
    cases.sort(key=lambda c: c.repeat)
    return [Run(TOOL, "", file.name, first_metric(cases), tuple(cases))]


def _case(case: _Case, where: str) -> RunCase:
    repeat = _REPEAT.search(case.name) if case.source_case_name else None
    usage = [case.metrics.get(k) for k in ("cost", "input_tokens", "output_tokens")]
    usd, tokens_in, tokens_out = (v if isinstance(v, int | float) else None for v in usage)
    return RunCase(
        id=case.source_case_name or case.name,
        input=case.inputs,
        expected=case.expected_output,
        answer=case.output,
        scores={k: float(v.value) for k, v in (*case.scores.items(), *case.assertions.items())},
        where=where,
        error=case.error_message,
        seconds=case.task_duration,
        cost=Cost(usd, None if tokens_in is None else int(tokens_in), None if tokens_out is None else int(tokens_out)),
        repeat=int(repeat[1]) if repeat else 1,
    )
