"""`compare`: the same cases, pair by pair, with every flip."""

from __future__ import annotations

import asyncio
import json
import queue
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suffice.errors import SealedError, UsageError
from suffice.evals.compare import Comparison, compare, paired
from suffice.evals.evaluate import evaluate
from suffice.evals.report import Report
from suffice.evals.task import Task
from suffice.programs.constant import constant_solution
from suffice.programs.solution import Solution, from_function
from suffice.stats.intervals import exact_sign_test, tango
from suffice.values import ABSTAIN, Answer, Case, Failure, Outcome, Score, content_hash

TEAMS = ("billing", "shipping", "returns")


def rows(n: int = 90, **more: Any) -> list[dict[str, Any]]:
    return [{"text": f"ticket number {i}", "team": TEAMS[i % 3], **more} for i in range(n)]


def number(text: str) -> int:
    return int(text.rsplit(" ", 1)[1])


def compared(task: Task, before: Any, after: Any, store: Path, **options: Any) -> Comparison:
    return asyncio.run(compare(task, before, after, store=store, **options))


def report_of(marks: list[float | None], name: str = "old", **more: Any) -> Report:
    """A report of outcomes with these scores; None is a call that failed."""
    outcomes: list[Outcome] = []
    for i, mark in enumerate(marks):
        case = Case(f"c{i}", f"input {i}", "a", f"c{i}", f"t.csv:{i + 2}", content_hash(i), content_hash(i))
        if mark is None:
            outcomes.append(Outcome(case, None, None, Failure("timeout", "no answer within 2 s"), None))
        else:
            outcomes.append(Outcome(case, Answer("a" if mark == 1 else "b"), Score(mark), None, 0.1))
    return Report("t", name, name, "dev", tuple(outcomes), fingerprint=more.pop("fingerprint", "cafe"), **more)


marks = st.sampled_from([0.0, 1.0, 0.5, None])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(marks, marks), min_size=2, max_size=40))
def test_every_case_is_in_one_of_four_cells_and_each_flip_is_listed_with_its_source(
    pairs: list[tuple[float | None, float | None]],
) -> None:
    found = paired(report_of([a for a, _ in pairs]), report_of([b for _, b in pairs], "new"))
    was, now = [a == 1 for a, _ in pairs], [b == 1 for _, b in pairs]
    assert [f.source for f in found.gained] == [f"t.csv:{i + 2}" for i in range(len(pairs)) if now[i] and not was[i]]
    assert [f.source for f in found.lost] == [f"t.csv:{i + 2}" for i in range(len(pairs)) if was[i] and not now[i]]
    assert found.both + len(found.gained) + len(found.lost) <= found.n == len(pairs)
    assert found.difference == pytest.approx((sum(now) - sum(was)) / len(pairs))
    assert found.interval[0] <= found.difference <= found.interval[1]
    assert found.interval == tango(len(found.gained), len(found.lost), found.n)[1:3]
    assert found.p_value == exact_sign_test(len(found.gained), len(found.lost))
    text = str(found)
    assert f"right      {sum(now)} against {sum(was)} of {found.n}" in text and "at 95%" in text
    assert all(f.source in text for f in (*found.gained, *found.lost))
    back = paired(report_of([b for _, b in pairs]), report_of([a for a, _ in pairs], "new"))
    assert (len(back.gained), len(back.lost)) == (len(found.lost), len(found.gained))
    assert back.difference == -found.difference and back.p_value == found.p_value


def test_flips_both_ways_show_what_was_said_before_and_after(tmp_path: Path) -> None:
    task = Task(rows(), nothing=True)
    dev = task.dev
    gains, loses, breaks, hands_on = (c.inputs for c in dev[:4])

    def before(text: str) -> str | None:
        return None if text == gains else TEAMS[number(text) % 3]

    def after(text: str) -> Any:
        if text == breaks:
            raise TimeoutError("the line is slow")
        return ABSTAIN if text == hands_on else None if text == loses else TEAMS[number(text) % 3]

    found = compared(task, before, after, tmp_path)
    assert (found.before, found.after, found.n) == ("before", "after", len(dev))
    [gained], lost = found.gained, found.lost
    assert gained.source == dev[0].source and gained.gained and gained.expected == dev[0].expected
    assert [f.source for f in lost] == [c.source for c in dev[1:4]]
    text = str(found)
    assert f"+ {gained.source}  nothing -> {gained.expected}  | {gains}" in text
    assert f"- {lost[0].source}  {lost[0].expected} -> nothing  | {loses}" in text
    assert f"- {lost[1].source}  {lost[1].expected} -> raised: TimeoutError: the line is sl" in text
    assert f"- {lost[2].source}  {lost[2].expected} -> handed on  | {hands_on}" in text
    assert "flips      1 gained, 3 lost" in text and "sign test p = .625" in text


def test_equal_solutions_have_no_flips_and_p_is_one(tmp_path: Path) -> None:
    asked: queue.SimpleQueue[str] = queue.SimpleQueue()

    def solve(text: str) -> str:
        asked.put(text)
        return TEAMS[number(text) % 2]

    found = compared(Task(rows()), solve, solve, tmp_path)
    assert found.gained == found.lost == () and found.p_value == 1.0 and found.difference == 0.0
    assert found.interval[0] < 0 < found.interval[1]  # no flips are not the proof that there are none
    assert asked.qsize() == found.n


class Learner:
    """A rung that learns, as far as `compare` knows."""

    name = "learner"
    learns = True

    async def fit(self, task: Task, cases: Any) -> Solution:
        return constant_solution("billing")

    async def out_of_fold(self, task: Task, cases: Any) -> list[Answer]:
        return [Answer("billing")] * len(cases)


@pytest.mark.parametrize("learner_first", [True, False])
def test_both_meet_the_same_cases_though_one_of_them_learns(tmp_path: Path, learner_first: bool) -> None:
    task = Task(rows())

    def solve(text: str) -> str:
        return "returns"

    both = (Learner(), solve) if learner_first else (solve, Learner())
    found = compared(task, *both, store=tmp_path)
    assert found.n == len(task.dev)
    assert len(found.gained) + len(found.lost) == sum(c.expected != "shipping" for c in task.dev)


def test_the_test_split_stays_sealed(tmp_path: Path) -> None:
    with pytest.raises(SealedError, match=r"sf\.climb"):
        compared(Task(rows()), str.upper, str.lower, tmp_path / "store", split="test")
    assert not (tmp_path / "store").exists()


def test_what_is_no_task_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no task but a int"):
        compared(5, str.upper, str.lower, tmp_path / "store")


def test_reports_with_nothing_in_common_are_refused(tmp_path: Path) -> None:
    one = asyncio.run(evaluate(Task(rows()), constant_solution("billing"), store=tmp_path))
    others = [{"text": f"another thing {i}", "team": TEAMS[i % 3]} for i in range(90)]
    other = asyncio.run(evaluate(Task(others), constant_solution("billing"), store=tmp_path))
    with pytest.raises(UsageError, match="no cases in common") as caught:
        paired(one, other)
    assert "--save" in (caught.value.hint or "")
    with pytest.raises(UsageError, match="1 case in common"):
        paired(report_of([1.0]), report_of([1.0]))


def test_reports_graded_in_different_ways_are_refused(tmp_path: Path) -> None:
    strict, loose = (Task(rows(), grader=grader) for grader in ("exact", "text"))
    one, other = (asyncio.run(evaluate(t, constant_solution("Billing"), store=tmp_path)) for t in (strict, loose))
    with pytest.raises(UsageError, match="graded in different ways"):
        paired(one, other)


def test_a_saved_report_compares_as_a_live_one_and_a_grown_file_by_its_common_cases(tmp_path: Path) -> None:
    def solve(text: str) -> str:
        return TEAMS[number(text) % 2]

    old = asyncio.run(evaluate(Task(rows()), constant_solution("billing"), store=tmp_path))
    old.save(tmp_path / "old.json")
    new = asyncio.run(evaluate(Task(rows()), from_function(solve), store=tmp_path))
    saved = json.loads((tmp_path / "old.json").read_text(encoding="utf-8"))
    assert paired(saved, new) == paired(old, new)
    grown = rows(120)
    grown[0]["team"] = "returns"  # a corrected label is another case
    later = asyncio.run(evaluate(Task(grown), from_function(solve), store=tmp_path))
    found = paired(saved, later)
    known = {c["id"]: c["expected"] for c in saved["cases"]}
    assert found.n == sum(known.get(o.case.id) == o.case.expected for o in later.outcomes) > 5
