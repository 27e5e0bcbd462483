"""DeepEval's results, as `evaluate` saves them (`DisplayConfig(results_folder=…)`). A file is one solution."""

from __future__ import annotations

import msgspec

from suffice.errors import DataError
from suffice.evals.foreign.decoding import decoded
from suffice.evals.foreign.run import PASSED, Run, RunCase, numbered
from suffice.values import Cost

TOOL = "DeepEval"


class _File(msgspec.Struct):
    testCases: list[msgspec.Raw]
    identifier: str | None = None


class _Metric(msgspec.Struct):
    name: str
    score: float | None = None
    error: str | None = None


class _Case(msgspec.Struct):
    name: str
    input: str
    actualOutput: str | None = None
    expectedOutput: str | None = None
    success: bool | None = None
    metricsData: list[_Metric] | None = None
    completionTime: float | None = None
    tokenCost: float | None = None
    inputTokenCount: float | None = None
    outputTokenCount: float | None = None


def is_run(keys: frozenset[str]) -> bool:
    """Whether these are the keys of such a file."""
    return {"testCases", "metricsScores"} <= keys


def runs(data: bytes, name: str) -> list[Run]:
    """The run of a results file. Raises DataError with file and place."""
    file = decoded(data, _File, TOOL, name)
    if not file.testCases:
        raise DataError("holds no single-turn test case", where=name, hint="conversations cannot be read")
    places = [(f"{name}: testCases[{i}]", raw) for i, raw in enumerate(file.testCases)]
    cases = numbered(_case(decoded(raw, _Case, TOOL, where), where) for where, raw in places)
    return [Run(TOOL, "", file.identifier or name.rpartition(".")[0], PASSED, tuple(cases))]


def _case(case: _Case, where: str) -> RunCase:
    metrics = case.metricsData or []
    passed = {} if case.success is None else {PASSED: float(case.success)}
    spent, said = (None if n is None else int(n) for n in (case.inputTokenCount, case.outputTokenCount))
    return RunCase(
        id=case.name,
        input=case.input,
        expected=case.expectedOutput,
        answer=case.actualOutput,
        scores={**passed, **{m.name: m.score for m in metrics if m.score is not None}},
        where=where,
        error=next((m.error for m in metrics if m.error), None),
        seconds=case.completionTime,
        cost=Cost(case.tokenCost, spent, said),
    )
