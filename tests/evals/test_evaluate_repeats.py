"""Repeats: independent samples, each journaled, a case's score their mean, and the variance said."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from upstream_faults import Asked, Fault, Ok

import suffice as sf
from suffice.errors import UsageError
from suffice.evals.compare import paired
from suffice.evals.repeats import merged, passes, repeats_text, spread
from suffice.evals.report import Report, lines
from suffice.ladder.page import eval_page
from suffice.programs.solution import Solution
from suffice.stats.intervals import wilson
from suffice.stats.repeats import variances
from suffice.values import ABSTAIN, Answer, Case, Failure, Outcome, Score
from upstream import upstream

ROWS = [{"text": f"ticket number {i}", "team": "billing" if i % 2 else "shipping"} for i in range(200)]


@pytest.fixture
def task() -> sf.Task:
    return sf.Task(ROWS)


class Turns:
    """A solution that is wrong every third time it is asked the same; it counts."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def solution(self) -> Solution:
        async def ask(inputs: Any) -> Answer:
            self.asked[inputs] += 1
            right = "billing" if int(inputs.rsplit(" ", 1)[1]) % 2 else "shipping"
            return Answer("other" if self.asked[inputs] % 3 == 0 else right)

        return Solution("turns", ask, identity="7" * 32)


def evaluated(task: sf.Task, solution: Any, store: Path, **how: Any) -> Report:
    return asyncio.run(sf.evaluate(task, solution, store=store, **how))


def test_a_case_is_asked_so_often_and_its_score_is_the_mean(task: sf.Task, tmp_path: Path) -> None:
    turns = Turns()
    report = evaluated(task, turns.solution(), tmp_path, repeats=3)
    assert set(turns.asked.values()) == {3} and len(turns.asked) == report.n == len(task.dev)
    assert [len(case) for case in report.samples] == [3] * report.n
    assert report.score == pytest.approx(2 / 3)
    assert all(o.score is not None and o.score.value == pytest.approx(2 / 3) for o in report.outcomes)
    assert len(report.failures) == report.n  # none was right each time
    text = "\n".join(lines(report))
    assert f"repeats    3 a case: {report.n} of {report.n} cases were answered in different ways" in text
    assert f"0 of {report.n} right each time" in text and "right 2 of 3 times: expected" in text
    assert len(report.to_json()["cases"][0]["samples"]) == 3


def test_pass_k_is_in_the_text_the_json_the_record_and_the_page(task: sf.Task, tmp_path: Path) -> None:
    report = evaluated(task, Turns().solution(), tmp_path, repeats=3)  # each case is right twice of three times
    found = {p.k: (p.estimate, p.interval) for p in passes(report.samples)}
    assert [found[k][0] for k in (1, 2, 3)] == pytest.approx([2 / 3, 1 / 3, 0])
    assert found[3][1] == wilson(0, report.n)
    text = "\n".join(lines(report))
    assert (
        "\n  pass^1     .667 (." in text
        and "\n  pass^2     .333 (." in text
        and "\n  pass^3     .000 (.000 to " in text
    )
    told = report.to_json()["repeats"]["pass_k"]
    assert told == report.to_record()["repeats"]["pass_k"]
    assert [row["k"] for row in told] == [1, 2, 3] and told[2]["interval95"] == list(wilson(0, report.n)[1:3])
    for page in (eval_page(report.to_json()), eval_page(report.to_record())):
        assert "pass^2 .333 (" in page and "pass^3 .000 (" in page
        assert f"asked 3 times; {report.n} of {report.n} were answered in different ways" in page
    assert "pass^1" not in eval_page(evaluated(task, Turns().solution(), tmp_path / "once").to_json())


def test_repeats_are_recorded_one_by_one_and_more_of_them_ask_only_for_the_rest(task: sf.Task, tmp_path: Path) -> None:
    turns = Turns()
    once = evaluated(task, turns.solution(), tmp_path)
    assert set(turns.asked.values()) == {1} and once.samples == ()
    evaluated(task, turns.solution(), tmp_path, repeats=3)
    assert set(turns.asked.values()) == {3}
    again = evaluated(task, turns.solution(), tmp_path, repeats=3)
    assert set(turns.asked.values()) == {3} and all(o.recorded for o in again.calls)
    assert again.score == pytest.approx(2 / 3)


def test_samples_are_no_cases_so_repeats_do_not_narrow_what_the_cases_leave_open(task: sf.Task, tmp_path: Path) -> None:
    def steady(text: str) -> str:
        return "billing"

    once, often = (evaluated(task, steady, tmp_path, repeats=k) for k in (1, 5))
    assert often.interval == once.interval and often.n == once.n
    found = spread(often.samples)
    assert found is not None and found.within == 0 and found.worth == 0


def test_each_sample_asks_the_model_anew_and_the_same_sample_never_twice(task: sf.Task, tmp_path: Path) -> None:
    asked: Counter[str] = Counter()

    def answering(one: Asked) -> Fault:
        text = json.dumps(one.said["messages"])
        asked[text] += 1
        return Ok("billing" if asked[text] == 1 else "shipping")

    with upstream(answering) as up:
        model = sf.Model(f"{up.url}#any")

        async def triage(text: str) -> str:
            return (await model(text)).value

        first = evaluated(task, triage, tmp_path, repeats=2)
        evaluated(task, triage, tmp_path, repeats=2)
    assert set(asked.values()) == {2} and len(asked) == first.n
    said = [[o.answer.value for o in case if o.answer] for case in first.samples]
    assert said == [["billing", "shipping"]] * first.n


def test_a_free_solution_is_asked_once_and_a_recording_is_refused(task: sf.Task, tmp_path: Path) -> None:
    report = evaluated(task, sf.rung.constant(), tmp_path, repeats=3)
    assert report.samples == ()
    (tmp_path / "r.csv").write_text(
        "text,answer\n" + "".join(f"{r['text']},{r['team']}\n" for r in ROWS[:-1]) + "ticket number 199,shipping\n",
        encoding="utf-8",
    )
    with pytest.raises(UsageError, match="is a recording: it has one answer to a case"):
        evaluated(task, sf.rung.replay(tmp_path / "r.csv", "answer"), tmp_path, repeats=3)


@pytest.mark.parametrize("repeats", [0, -1, 1.5, True, 10_000])
def test_a_number_of_times_that_is_none_is_refused(task: sf.Task, tmp_path: Path, repeats: Any) -> None:
    with pytest.raises(UsageError, match="repeats are 1 to 1,000 times"):
        evaluated(task, lambda text: "billing", tmp_path, repeats=repeats)  # type: ignore[misc]


def test_reports_that_asked_unequally_often_are_not_compared(task: sf.Task, tmp_path: Path) -> None:
    once, often = (evaluated(task, Turns().solution(), tmp_path / str(k), repeats=k) for k in (1, 3))
    with pytest.raises(UsageError, match="was asked 1 times a case and turns 3 times"):
        paired(once, often)
    assert paired(often, often).n == often.n


def outcome(score: float | None, value: Any = "a", *, name: str = "1") -> Outcome:
    case = Case(name, name, "b", name, f"t.csv:{name}", name, name)
    if score is None:
        return Outcome(case, None, None, Failure("raised", "no"), 1.0)
    return Outcome(case, Answer(value), Score(score, "why"), None, 1.0)


def test_what_failed_or_was_handed_on_is_not_hidden_in_a_mean() -> None:
    found = merged([outcome(1.0, "b"), outcome(None), outcome(0.0, "c")])
    assert found.score is not None and found.score.value == 0.5 and found.answer == Answer("c")
    assert found.score.reason == "right 1 of 3 times, 1 failed: why"
    assert merged([outcome(None), outcome(None)]).failure is not None
    assert merged([outcome(0.0, ABSTAIN), outcome(0.0, ABSTAIN)]).abstained
    mixed = merged([outcome(0.0, ABSTAIN), outcome(1.0, "b")])
    assert not mixed.abstained and mixed.score is not None and mixed.score.value == 0.5
    assert found.seconds == pytest.approx(1.0)


def test_a_failed_call_is_not_right_and_pass_k_goes_as_far_as_every_case_was_asked() -> None:
    samples = (
        (outcome(1.0), outcome(1.0), outcome(1.0)),
        (outcome(1.0, name="2"), outcome(None, name="2")),
        (outcome(0.5, name="3"), outcome(1.0, name="3")),
    )
    assert [(p.k, p.estimate) for p in passes(samples)] == [(1, pytest.approx(2 / 3)), (2, pytest.approx(1 / 3))]


def test_the_variances_are_those_of_the_scores_and_unknown_with_one_case() -> None:
    samples = (
        (outcome(1.0), outcome(0.0)),
        (outcome(1.0, name="2"), outcome(1.0, name="2")),
        (outcome(0.0, name="3"),) * 2,
    )
    assert spread(samples) == variances([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    assert "variance .167 within cases, .167 between" in repeats_text(samples)
    assert spread(samples[:1]) is None and "variance" not in repeats_text(samples[:1])


@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize("every", [1, 3])  # one slip after the other stops the run
def test_the_page_counts_failed_calls_among_all_calls_as_the_terminal_does(
    tmp_path: Path, every: int, recorded: bool
) -> None:
    asked: Counter[str] = Counter()

    async def ask(inputs: Any) -> Answer:
        asked[inputs] += 1
        if asked[inputs] == 2 and int(inputs.rsplit(" ", 1)[1]) % every == 0:
            raise ValueError("out of paper")
        return Answer("billing")

    report = evaluated(sf.Task(ROWS), Solution("slips", ask, identity="6" * 32), tmp_path, repeats=3)
    failed, calls = len(report.errors), len(report.calls)
    assert failed and bool(report.stopped) == (every == 1) and report.n < calls <= 3 * report.n
    assert f"errors     {failed} of {calls}: {failed} raised" in "\n".join(lines(report))
    saved: Any = report.to_record() if recorded else report.to_json()
    text = eval_page(saved)
    assert f"{failed} of {calls} calls gave no answer: {failed} raised." in text
    assert f"of {report.n} right each time." in text and "answered calls" not in text
    if not report.stopped:
        del saved["calls"]  # as an older version wrote it
        assert eval_page(saved) == text
