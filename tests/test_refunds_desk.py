"""The example in examples/refunds_desk: its cases can be solved, asking is scored, and a careless agent is caught."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import suffice as sf
from suffice.evals.repeats import passes
from suffice.programs.solution import from_function
from suffice.values import Case, Score

FOLDER = Path(__file__).resolve().parent.parent / "examples" / "refunds_desk"
MODULES = ("shop", "desk", "model")
TASK = sf.Task.load(FOLDER)
CASES: list[Case] = [*TASK.train, *TASK.dev, *TASK.sealed()]


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModuleType]]:
    """The modules of the example, imported as they are there."""
    monkeypatch.syspath_prepend(FOLDER)
    yield {name: importlib.import_module(name) for name in MODULES}
    for name in MODULES:
        del sys.modules[name]


def scores(program: Any, url: str, cases: list[Case]) -> list[Score]:
    """Each case tried once and graded."""

    async def tried() -> list[Score]:
        with sf.using(model=url):
            solution = from_function(program)
        answers = await asyncio.gather(*(solution.ask(case.inputs) for case in cases))
        return [TASK.grader(answer, case) for answer, case in zip(answers, cases, strict=True)]

    return sf.run(tried())


def test_there_are_cases_of_every_kind() -> None:
    asks = [case.expected["ask"] for case in CASES]
    assert len(CASES) >= 24 and len({case.inputs["email"] for case in CASES}) == 6
    assert sum(ask is False for ask in asks) >= 15 and sum(ask in (["order"], ["address"]) for ask in asks) >= 9
    assert sum(case.expected["final"] == {} for case in CASES) >= 9  # the right thing is to do nothing
    assert all(len(part) >= 2 for part in (TASK.train, TASK.dev, TASK.sealed()))


def test_a_careful_agent_solves_every_case_and_a_quick_one_breaks_the_policy(example: dict[str, ModuleType]) -> None:
    with example["model"].served() as url:
        careful = scores(example["desk"].careful, url, CASES)
        quick = scores(example["desk"].quick, url, CASES)
    assert [score.reason for score in careful if score.value < 1] == []
    assert sum(score.value for score in quick) < 9
    reasons = "\n".join(score.reason for score in quick)
    for broken in (
        "was not looked up before something was done to it",
        "is not an order of the customer who writes",
        "was cancelled when it was shipped",
        "and was not delivered in the last 30 days",
        "was refunded more than 200.00, which nobody allowed",
        "was refunded more than was paid",
    ):
        assert broken in reasons, broken
    assert "asked nobody, and should have" in reasons


def test_an_agent_that_is_careless_at_times_passes_less_often_again_and_again(
    example: dict[str, ModuleType], tmp_path: Path
) -> None:
    with example["model"].served() as url:
        report = sf.run(sf.evaluate(TASK, example["desk"].careful, model=url, repeats=3, store=tmp_path))
    first, second, third = passes(report.samples)
    assert report.score == pytest.approx(first.estimate) and 0.8 < first.estimate < 1
    assert first.estimate > second.estimate > third.estimate == sum(o.right for o in report.outcomes) / report.n
    assert "\n  pass^3     .708 (.508 to .851 at 95%)\n" in str(report)
