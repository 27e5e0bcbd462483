"""Labels that were flipped are ranked first, with what each rung said; sealed cases and the labels stay as they are."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from suffice.evals.task import Task
from suffice.ladder import rung
from suffice.ladder.noise import Noise, label_noise, noise_lines
from suffice.ladder.rung import Rung
from suffice.values import Case

WORDS = {"billing": "invoice", "shipping": "parcel", "account": "password"}


def task_of(n: int = 120, flipped: int = 0) -> tuple[Task, set[str]]:
    """Tickets that one word tells apart; the first train and dev cases are given another label."""
    draw = random.Random(0)
    rows: list[dict[str, Any]] = []
    for i in range(n):
        label = draw.choice(sorted(WORDS))
        rows.append({"id": f"c{i}", "text": f"the {WORDS[label]} of order {i}", "label": label})
    clean = Task(rows, inputs=["text"], expected="label")
    wrong = {c.id for c in (*clean.train[: flipped // 2], *clean.dev[: flipped - flipped // 2])}
    for row in rows:
        if row["id"] in wrong:
            row["label"] = next(label for label in sorted(WORDS) if label != row["label"])
    return Task(rows, inputs=["text"], expected="label"), wrong


def found(task: Task, *rungs: Rung) -> Noise:
    return asyncio.run(label_noise(task, rungs=rungs or None))


def test_the_flipped_labels_are_those_that_all_miss_and_come_first() -> None:
    task, wrong = task_of(flipped=6)
    noise = found(task)
    assert {s.case.id for s in noise.ranked[:6]} == wrong == {s.case.id for s in noise.suspects}
    assert len(noise.ranked) == len(task.train) + len(task.dev)  # nothing is dropped
    first = noise.suspects[0]
    assert {s.by for s in first.said} == {w.name for w in noise.witnesses} >= {"words", "nearest"}
    assert all(s.answer.value != first.case.expected for s in first.said) and first.score > 0


def test_where_the_labels_are_right_nothing_is_suspected() -> None:
    assert found(task_of()[0]).suspects == ()


def test_no_sealed_case_is_asked_about() -> None:
    task, _ = task_of(flipped=6)
    sealed = {c.id for c in task.sealed()}
    assert sealed and not sealed & {s.case.id for s in found(task).ranked}


def test_the_lines_name_file_label_and_what_each_rung_said() -> None:
    task, _ = task_of(flipped=6)
    noise = found(task)
    head, *lines = noise_lines(noise, most=2)
    assert f"6 of {len(noise.ranked)} train and dev cases" in head and len(lines) == 2
    case: Case = noise.suspects[0].case
    assert lines[0].startswith(f"  {case.source}  expected {case.expected}  | words: ") and "nearest: " in lines[0]


def test_a_rung_no_better_than_the_commonest_answer_is_no_witness() -> None:
    draw = random.Random(1)
    rows = [{"text": f"{draw.random()}", "label": draw.choice("ab")} for _ in range(60)]
    noise = found(Task(rows, inputs=["text"], expected="label"), rung.constant())
    assert noise.ranked == () and "constant" in noise.left_out
    assert "not looked for" in noise_lines(noise)[0]
