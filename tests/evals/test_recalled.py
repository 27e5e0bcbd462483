"""An evaluation read back: the same cases and scores as when it ran, and a word on what is not as it was."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from suffice.errors import UsageError
from suffice.evals.evaluate import evaluate
from suffice.evals.grade import exact
from suffice.evals.recalled import recalled
from suffice.evals.report import Report
from suffice.evals.task import Task
from suffice.ladder.rung import from_text
from suffice.programs.solution import from_function
from suffice.store.database import Store, open_store
from suffice.store.runs import get_run, start_run
from suffice.values import ABSTAIN, Answer

TEAMS = ("billing", "shipping", "returns")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "store") as opened:
        yield opened


def file_of(folder: Path, n: int = 60, **changed: str) -> Path:
    """A file of cases; `changed` gives some of them another team, by number: `c4="returns"`."""
    teams = {i: changed.get(f"c{i}", TEAMS[i % 3]) for i in range(n)}
    path = folder / "tickets.jsonl"
    rows = [
        {"id": str(i), "text": f"ticket number {i}", "team": team, "split": SPLITS[i % 3]} for i, team in teams.items()
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


SPLITS = ("train", "dev", "test")


def somehow(text: str) -> Any:
    """Right, wrong, handed on and failing, by the number of the ticket."""
    number = int(text.split()[-1])
    if number % 5 == 0:
        return ABSTAIN
    if number % 7 == 0:
        raise ValueError("no route to host")
    return Answer(TEAMS[number % 3] if number % 2 else "returns", confidence=0.5 + number / 1000, by="first")


def report_of(task: Task, solution: Any, store: Store, **options: Any) -> Report:
    return asyncio.run(evaluate(task, solution, store=store, **options))


def rows_of(report: dict[str, Any]) -> list[dict[str, Any]]:
    return report["cases"]


def test_what_comes_back_is_what_the_report_had(tmp_path: Path, store: Store) -> None:
    report = report_of(Task.load(file_of(tmp_path)), somehow, store)
    found = recalled(store, get_run(store, report.run))
    told = report.to_json()
    assert found.pop("notes") == told.pop("notes") == []
    assert {r["error"] for r in rows_of(found)} > {None} and any(
        r["answer"] == {"abstain": True} for r in rows_of(found)
    )
    assert found == told


def test_it_comes_back_after_the_source_has_changed_and_asks_nothing(tmp_path: Path, store: Store) -> None:
    asked: list[str] = []

    def counted(text: str) -> str:
        asked.append(text)
        return "billing"

    report = report_of(Task.load(file_of(tmp_path)), counted, store)
    before = len(asked)
    assert len(rows_of(recalled(store, get_run(store, report.run)))) == report.n == before == len(asked)


def test_a_free_solution_comes_back_though_asking_it_again_costs_nothing(tmp_path: Path, store: Store) -> None:
    task = Task.load(file_of(tmp_path))
    report = report_of(task, from_text("constant", task.path), store)
    assert recalled(store, get_run(store, report.run))["cases"] == report.to_json()["cases"]


def test_the_samples_of_repeats_come_back(tmp_path: Path, store: Store) -> None:
    calls = iter(range(1_000))

    def fickle(text: str) -> str:
        return TEAMS[next(calls) % 2]

    report = report_of(Task.load(file_of(tmp_path)), fickle, store, repeats=3, concurrency=1)
    found = recalled(store, get_run(store, report.run))
    assert found["cases"] == report.to_json()["cases"] and len(found["cases"][0]["samples"]) == 3


def test_options_of_the_task_are_read_again(tmp_path: Path, store: Store) -> None:
    path = file_of(tmp_path)
    task = Task.load(path, inputs=["text", "id"], kind="text", id="none", seed=3)
    report = report_of(task, from_function(lambda text, id: "billing"), store)
    assert recalled(store, get_run(store, report.run))["fingerprint"] == task.fingerprint


def test_a_changed_label_counts_as_it_is_now_and_is_said(tmp_path: Path, store: Store) -> None:
    report = report_of(Task.load(file_of(tmp_path)), lambda text: "billing", store)
    run = get_run(store, report.run)
    before = recalled(store, run)
    file_of(tmp_path, c1="billing")
    after = recalled(store, run)
    assert after["right"] == before["right"] + 1
    assert after["notes"] == [
        f"The task has changed since {report.run}: its answers are graded by the task as it is now."
    ]


def test_cases_without_an_answer_are_left_out_and_named(tmp_path: Path, store: Store) -> None:
    report = report_of(Task.load(file_of(tmp_path)), lambda text: "billing", store)
    file_of(tmp_path, 66)
    found = recalled(store, get_run(store, report.run))
    assert found["n"] == report.n == 20
    assert found["notes"][1] == (f"2 cases without an answer of {report.run}: tickets.jsonl:62, tickets.jsonl:65.")


def test_a_task_that_is_quite_another_one_is_refused(tmp_path: Path, store: Store) -> None:
    report = report_of(Task.load(file_of(tmp_path)), lambda text: "billing", store)
    path = file_of(tmp_path)
    path.write_text(path.read_text(encoding="utf-8").replace("ticket number", "other"), encoding="utf-8")
    with pytest.raises(UsageError, match="no case of tickets has an answer of eval-1 any more"):
        recalled(store, get_run(store, report.run))


def test_answers_that_were_asked_anew_are_shown_and_said(tmp_path: Path, store: Store) -> None:
    said = ["billing"]

    def moody(text: str) -> str:
        return said[-1]

    solution = from_function(moody)
    task = Task.load(file_of(tmp_path))
    first = report_of(task, solution, store)
    said[0] = "shipping"  # what a service answers today
    report_of(task, solution, store, fresh=True)
    found = recalled(store, get_run(store, first.run))
    right = sum(o.right for o in first.outcomes)
    assert [r["answer"] for r in rows_of(found)] == ["shipping"] * 20 and found["right"] == 20 != right
    [note] = found["notes"]
    assert note.startswith(f"Some of it was asked anew since {first.run}, which had {right} right of 20")


def test_no_sealed_case_comes_back(tmp_path: Path, store: Store) -> None:
    task = Task.load(file_of(tmp_path))
    report = report_of(task, lambda text: "billing", store)
    text = json.dumps(recalled(store, get_run(store, report.run)))
    assert len(task.sealed()) == 20 and not any(f'"{case.inputs}"' in text for case in task.sealed())


def test_train_cases_come_back_where_train_was_asked(tmp_path: Path, store: Store) -> None:
    task = Task.load(file_of(tmp_path))
    report = report_of(task, lambda text: "billing", store, split="train")
    found = recalled(store, get_run(store, report.run))
    assert {r["id"] for r in rows_of(found)} == {c.id for c in task.train}


@pytest.mark.parametrize("options", [{"grader": exact()}, {"grader": lambda output, case: 1.0}])
def test_a_task_that_only_python_knows_is_refused_with_the_way_out(tmp_path: Path, store: Store, options: Any) -> None:
    report = report_of(Task.load(file_of(tmp_path), **options), lambda text: "billing", store)
    with pytest.raises(UsageError, match="does not say where its cases are") as refused:
        recalled(store, get_run(store, report.run))
    assert "report.save(FILE)" in str(refused.value.hint)


def test_a_python_grader_of_a_folder_is_run_only_where_it_is_trusted_again(tmp_path: Path, store: Store) -> None:
    folder = tmp_path / "task"
    folder.mkdir()
    file_of(folder)
    (folder / "task.toml").write_text('grader = "grade.py:score"\ncases = "tickets.jsonl"\n', encoding="utf-8")
    (folder / "grade.py").write_text("def score(output, case):\n    return 0.5\n", encoding="utf-8")
    report = report_of(Task.load(folder, trust=True), lambda text: "billing", store)
    run = get_run(store, report.run)
    with pytest.raises(UsageError) as refused:
        recalled(store, run)
    assert "--trust" in str(refused.value.hint)
    assert {r["score"] for r in rows_of(recalled(store, run, trust=True))} == {0.5}


def test_a_run_that_is_no_finished_evaluation_is_refused(tmp_path: Path, store: Store) -> None:
    climb = start_run(store, "climb", "tickets", {})
    unfinished = start_run(store, "eval", "tickets", {})
    with pytest.raises(UsageError, match="has no report: it is a climb"):
        recalled(store, get_run(store, climb))
    with pytest.raises(UsageError, match="has no report: it is running"):
        recalled(store, get_run(store, unfinished))
