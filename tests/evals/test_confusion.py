"""Which answers a table of expected and answered labels counts, and of which tasks there is none."""

from __future__ import annotations

from typing import Any

import pytest

import suffice as sf
from suffice.evals.confusion import Said, confusion, said_in_row
from suffice.evals.task import Task
from suffice.ladder.page import eval_page


def said(expected: Any, answer: Any, *scores: float) -> Said:
    return Said(expected, answer, scores)


def test_a_right_answer_stands_under_the_expected_label_however_it_was_written():
    cases = [said("Billing", "billing", 1.0), said("Billing", "BILLING ", 1.0), said(0.5, "50%", 1.0)]
    assert confusion(cases) == [["Billing", "Billing", 2], ["0.5", "0.5", 1]]


def test_what_is_wrong_stands_under_what_was_answered_and_failed_calls_and_abstentions_under_their_own():
    cases = [said("a", "b", 0.0), said("a", None, 0.0), said(None, "a", 0.0), said("a", None), said(None, None, 1.0)]
    cases += [said("a", {"abstain": True}, 0.0), said("a", {"label": "a"}, 0.0), said("a b", "a  b", 0.0)]
    assert sorted(row[:2] for row in confusion(cases)) == [
        ["(nothing)", "(nothing)"],
        ["(nothing)", "a"],
        ["a", "(error)"],
        ["a", "(nothing)"],
        ["a", "b"],
        ["a", '{"abstain": true}'],
        ["a", '{"label": "a"}'],
        ["a b", '"a  b"'],
    ]


@pytest.mark.parametrize(
    "odd",
    [
        said({"final": {}}, {"answer": "x", "final": {}}, 1.0),
        said({"final": {}}, None),
        said(["x"], ["x"], 1.0),
        said("x", "y", 0.5),
        said("x", {"team": "x"}, 1.0),
        said("x", "x", 0.0),
        said("x" * 90 + "1", "x" * 90 + "2", 0.0),
    ],
)
def test_there_is_none_where_equal_values_are_not_what_is_graded(odd: Said):
    assert confusion([said("a", "a", 1.0), odd]) == []


def test_answers_that_were_graded_elsewhere_are_counted_by_their_scores():
    assert confusion([said("a", {"graded": 1.0}, 1.0)]) == [["a", '{"graded": 1.0}', 1]]


def test_a_case_asked_several_times_is_right_where_it_always_was_and_that_is_no_degree():
    row = {"expected": "a", "answer": "b", "score": 2 / 3, "error": None}
    row["samples"] = [{"score": 1.0}, {"score": 0.0}, {"score": 1.0}, {"score": None, "error": "raised: x"}]
    assert confusion([said_in_row(row)]) == [["a", "b", 1]]


TABLES = {
    "labels": ({"kind": "label"}, ["spam", "fine"], str.upper, True),
    "numbers": ({"kind": "number"}, [3, 4], float, True),
    "fields": ({"kind": "fields"}, [{"a": 1, "b": 2}, {"a": 3, "b": 4}],
               lambda value: {"b": value["b"], "a": 1}, False),
    "a world": ({"grader": sf.grade.world()}, [{"final": 1}, {"final": 2}],
                lambda value: {"answer": "x", "violations": [], "questions": [], **value}, False),
    "lists": ({"grader": sf.grade.list_f1()}, [["a"], ["b"]], list, False),
    "degrees": ({"grader": sf.grade.levenshtein()}, ["spam", "fine"], lambda value: value[:3], False),
    "a function": ({"grader": sf.grade.function(lambda output, expected: output["team"] == expected)},
                   ["spam", "fine"], lambda value: {"team": value}, False),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_of_an_evaluation_it_agrees_with_what_is_right_or_is_left_out(name: str, tmp_path: Any):
    options, expected, answered, table = TABLES[name]
    rows = [{"text": f"case {i}", "expected": expected[i % 2], "split": "dev"} for i in range(40)]
    task = Task([*rows, {"text": "t", "expected": expected[0], "split": "test"}], name="t", **options)
    right = {f"case {i}": answered(expected[i % 2]) for i in range(40)}
    report = sf.run(sf.evaluate(task, lambda text: right[text], store=tmp_path))
    recorded = report.to_record()
    diagonal = sum(n for one, other, n in recorded["confusion"] if one == other)
    assert diagonal == (recorded["right"] if table else 0) and bool(recorded["confusion"]) == table
    for page in (eval_page(recorded), eval_page(report.to_json())):
        assert ('class="heat"' in page) == table
        assert ('id="confusion"' in page) == table
