"""A solution is not believed on cases that it was fitted on: how many they are is said, with the figure on the rest."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from suffice.errors import UsageError
from suffice.evals.compare import compare, paired
from suffice.evals.evaluate import evaluate
from suffice.evals.fitted import unfitted
from suffice.evals.report import Report, lines
from suffice.evals.seal import fitted_note, sealed_blocks
from suffice.evals.task import Task
from suffice.programs.constant import constant_solution
from suffice.programs.learned import case_mark, learned_from
from suffice.programs.solution import Solution, from_function
from suffice.store.database import open_store
from suffice.store.runs import get_run
from suffice.values import Answer

TEAMS = ("billing", "shipping", "returns")


def task_of(n: int = 300, **more: Any) -> Task:
    rows = [{"text": f"ticket number {i}", "team": TEAMS[i % 3], "buyer": f"C{i // 3}"} for i in range(n)]
    return Task(rows, inputs=["text"], expected="team", **more)


def remembering(task: Task, count: int) -> Solution:
    """Right, and sure, on the first `count` dev cases, which it was fitted on, and right on a third of the others."""
    fitted = task.dev[:count]
    known = {c.inputs: Answer(c.expected, 0.8 + i / 1000) for i, c in enumerate(fitted)}
    solution = from_function(lambda text: known.get(text, Answer("billing", 0.5)), "bundle")
    return learned_from(solution, (c.key for c in fitted))


def report_of(task: Task, solution: Any, store: Path, **options: Any) -> Report:
    return asyncio.run(evaluate(task, solution, store=store, **options))


def test_a_report_says_how_many_cases_it_was_fitted_on_and_gives_the_figure_on_the_others(tmp_path: Path) -> None:
    task = task_of()
    report = report_of(task, remembering(task, 20), tmp_path)
    left = report.n - 20
    right = sum(o.right for o in report.outcomes[20:])
    assert [o.case.id for o in report.unfitted] == [c.id for c in task.dev[20:]]
    assert f"fitted on  20 of these {report.n} cases, so the score flatters; on the other {left} ." in str(report)
    assert f"{right} of {left} right" in str(report)
    figures = report.to_json()
    assert (figures["fitted"], figures["unfitted"]["n"], figures["unfitted"]["right"]) == (20, left, right)
    assert figures["unfitted"]["score"] == pytest.approx(right / left)
    assert [row["fitted"] for row in figures["cases"]] == [True] * 20 + [False] * left
    with open_store(tmp_path) as store:
        assert (get_run(store, report.run).result or {})["fitted"] == 20


def test_where_no_case_is_left_it_says_so_and_shows_no_coverage(tmp_path: Path) -> None:
    task = task_of()
    report = report_of(task, remembering(task, len(task.dev)), tmp_path)
    assert f"fitted on  {report.n} of these {report.n} cases, so the score flatters; none is left to" in str(report)
    assert report.to_json()["unfitted"] == {"n": 0, "right": 0, "score": None, "interval95": None}
    assert report.curve is not None and not any("coverage" in line for line in lines(report))


def test_a_case_of_a_customer_that_it_was_fitted_on_counts_as_one_that_it_was_fitted_on(tmp_path: Path) -> None:
    task = task_of(cluster="buyer")
    first = task.dev[0]
    mates = {c.id for c in task.dev if c.cluster == first.cluster}
    report = report_of(task, remembering(task, 1), tmp_path)
    assert len(mates) == 3 and report.fitted == mates
    assert f"fitted on  3 of these {report.n} cases (counted by buyer), so the score flatters" in str(report)


def test_a_solution_that_learned_from_other_cases_or_from_none_is_reported_as_ever(tmp_path: Path) -> None:
    task = task_of()
    for solution in (constant_solution("billing"), learned_from(constant_solution("billing"), ["0" * 32])):
        report = report_of(task, solution, tmp_path)
        assert not report.fitted and "flatters" not in str(report)
        assert "fitted" not in report.to_json()["cases"][0] and report.to_json()["unfitted"] is None


class Learner:
    """A rung that learns."""

    name = "learner"
    learns = True

    async def fit(self, task: Task, cases: Any) -> Solution:
        known = {c.inputs: c.expected for c in cases}
        return from_function(lambda text: known.get(text, "billing"), "learner")


def test_a_rung_scored_on_the_train_cases_that_it_was_fitted_on_says_so(tmp_path: Path) -> None:
    task = task_of()
    assert not report_of(task, Learner(), tmp_path).fitted
    on_train = report_of(task, Learner(), tmp_path, split="train")
    assert on_train.score == 1.0 and len(on_train.fitted) == on_train.n
    assert "none is left to judge it by" in str(on_train)


def test_a_comparison_gives_the_difference_on_cases_that_neither_was_fitted_on(tmp_path: Path) -> None:
    task = task_of()
    found = asyncio.run(compare(task, constant_solution("shipping"), remembering(task, 20), store=tmp_path))
    rest = found.unfitted
    assert found.fitted == (0, 20) and rest is not None and rest.n == found.n - 20
    assert found.difference > rest.difference and rest.fitted == (0, 0)
    assert (
        f"fitted on  bundle: 20 of these {found.n} cases, so the difference flatters; on the other {rest.n}: "
        in str(found)
    )
    whole = asyncio.run(compare(task, remembering(task, 20), remembering(task, len(task.dev)), store=tmp_path))
    assert whole.fitted == (20, whole.n) and whole.unfitted is None
    assert "the first: 20 of these" in str(whole) and "too few are left to compare them by" in str(whole)


def test_a_saved_report_remembers_what_it_was_fitted_on(tmp_path: Path) -> None:
    task = task_of()
    report_of(task, remembering(task, 20), tmp_path).save(tmp_path / "r.json")
    saved = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    found = paired(saved, report_of(task, constant_solution("shipping"), tmp_path))
    assert found.fitted == (20, 0) and found.unfitted is not None


def test_sealed_cases_that_were_learned_from_are_in_no_claim(tmp_path: Path) -> None:
    task = task_of(cluster="buyer")
    with open_store(tmp_path) as store:
        [whole] = sealed_blocks(store, task)
        some = {c.cluster for c in whole.cases[:4]}
        learned = frozenset(case_mark(c.key) for c in task.sealed() if c.cluster in some)
        [left] = sealed_blocks(store, task, learned)
        assert left.n == whole.n - len(some) and not some & {c.cluster for c in left.cases}
        assert left.block.order_seed == whole.block.order_seed  # one ledger, one order
        said = f"{len(learned)} of {len(task.sealed())} sealed cases are left out: a solution here was fitted on them"
        assert fitted_note(store, task, learned) == said
        assert fitted_note(store, task, frozenset()) is None
        with pytest.raises(UsageError, match="every sealed case is one that a solution here was fitted on"):
            sealed_blocks(store, task, frozenset(case_mark(c.key) for c in task.sealed()))


def test_what_a_solution_was_not_fitted_on_keeps_its_order_and_leaves_whole_clusters_out() -> None:
    task = task_of(60, cluster="buyer")
    every = (*task.train, *task.dev)
    one = task.dev[0]
    left = unfitted(task, frozenset({case_mark(one.key)}), every)
    assert left == [case for case in every if case.cluster != one.cluster]
    assert len(every) - len(left) == sum(case.cluster == one.cluster for case in every) > 1
    assert unfitted(task, frozenset(), every) == list(every)
