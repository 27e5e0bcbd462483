"""promptfoo's JSON output (`promptfoo eval -o run.json`): every provider and prompt is a solution."""

from __future__ import annotations

from typing import Any

import msgspec

from suffice.evals.foreign.decoding import decoded
from suffice.evals.foreign.run import PASSED, Run, RunCase, numbered
from suffice.values import Cost, Json

TOOL = "promptfoo"
ERROR = 2
"""`failureReason` of a call that gave no answer; 1 is an assertion that failed."""
TEXTUAL = ("equals", "contains", "icontains", "starts-with")
"""Assertions whose value is what was expected."""


class _Results(msgspec.Struct):
    results: list[msgspec.Raw]


class _Meta(msgspec.Struct):
    promptfooVersion: str = ""


class _File(msgspec.Struct):
    results: _Results
    metadata: _Meta | None = None


class _Provider(msgspec.Struct):
    id: str = ""
    label: str | None = None


class _Prompt(msgspec.Struct):
    label: str = ""


class _Tokens(msgspec.Struct):
    prompt: int | None = None
    completion: int | None = None


class _Response(msgspec.Struct):
    output: Any = None


class _Assertion(msgspec.Struct):
    type: str = ""
    value: Any = None


class _Component(msgspec.Struct):
    assertion: _Assertion | None = None
    metadata: dict[str, Any] | None = None


class _Grading(msgspec.Struct):
    componentResults: list[_Component] | None = None


class _Result(msgspec.Struct):
    success: bool
    score: float
    vars: dict[str, Any]
    provider: _Provider | str
    prompt: _Prompt
    response: _Response | None = None
    error: str | None = None
    failureReason: int | None = None
    gradingResult: _Grading | None = None
    namedScores: dict[str, float | None] | None = None
    latencyMs: float | None = None
    cost: float | None = None
    tokenUsage: _Tokens | None = None
    metadata: dict[str, Any] | None = None


def is_run(keys: frozenset[str]) -> bool:
    """Whether these are the keys of such a file."""
    return {"evalId", "results", "config"} <= keys


def runs(data: bytes, name: str) -> list[Run]:
    """One run for each provider and prompt. Raises DataError with file and place."""
    file = decoded(data, _File, TOOL, name)
    version = file.metadata.promptfooVersion if file.metadata else ""
    by: dict[tuple[str, str], list[RunCase]] = {}
    for i, raw in enumerate(file.results.results):
        where = f"{name}: results[{i}]"
        result = decoded(raw, _Result, TOOL, where)
        by.setdefault((_name(result.provider), result.prompt.label), []).append(_case(result, where))
    prompts = list(dict.fromkeys(prompt for _, prompt in by))
    return [
        Run(TOOL, version, _called(provider, prompt, prompts), PASSED, tuple(numbered(cases)))
        for (provider, prompt), cases in by.items()
    ]


def _called(provider: str, prompt: str, prompts: list[str]) -> str:
    """The provider, with the number of its prompt where there are several."""
    return provider if len(prompts) == 1 else f"{provider}, prompt {prompts.index(prompt) + 1}"


def _name(provider: _Provider | str) -> str:
    return provider if isinstance(provider, str) else provider.label or provider.id


def _case(result: _Result, where: str) -> RunCase:
    answer = result.response.output if result.response else None
    failed = result.failureReason == ERROR or (result.failureReason is None and result.error and answer is None)
    named = {k: v for k, v in (result.namedScores or {}).items() if v is not None}
    tokens, mark = result.tokenUsage or _Tokens(), (result.metadata or {}).get("id")
    return RunCase(
        id=mark if isinstance(mark, str) else "",
        input=result.vars,
        expected=_expected(result.gradingResult),
        answer=answer,
        scores={PASSED: float(result.success), "score": result.score, **named},
        where=where,
        error=(result.error or "no answer") if failed else None,
        seconds=None if result.latencyMs is None else result.latencyMs / 1000,
        cost=Cost(result.cost or None, tokens.prompt, tokens.completion),  # it writes 0 where it knows no price
    )


def _expected(grading: _Grading | None) -> Json:
    """The value of the first assertion that holds one, as it was when the variables were filled in."""
    for part in (grading and grading.componentResults) or ():
        if part.assertion and part.assertion.type in TEXTUAL:
            return (part.metadata or {}).get("renderedAssertionValue", part.assertion.value)
    return None
