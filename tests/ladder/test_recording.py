"""Recordings: which row answers which case, what a column holds, and what is refused, without showing a sealed row."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from suffice.errors import DataError, SufficeError
from suffice.evals.evaluate import evaluate
from suffice.evals.seal import sealed_blocks
from suffice.evals.task import Task
from suffice.ladder.climb import climb
from suffice.ladder.recording import Recording, read_recording, replay_solution
from suffice.ladder.rung import replay
from suffice.store.database import open_store
from suffice.values import ABSTAIN, Answer, Graded

SECRET = "zebra-crossing-7741"


def team(number: int) -> str:
    return ("billing", "shipping")[number % 2]


def task_of(count: int = 12, ids: bool = True, **options: Any) -> Task:
    """Tickets 0, 1, 2, ...: two teams in turn, some in each split."""
    split = ("train", "dev", "test")
    rows = [
        {"id": f"t{i}", "ticket": f"ticket {i}", "team": team(i), "split": split[i % 3]}
        | ({} if i % 3 < 2 else {"ticket": f"{SECRET} {i}"})
        for i in range(count)
    ]
    return Task(rows if ids else [{k: v for k, v in r.items() if k != "id"} for r in rows], **options)


def cases_of(task: Task) -> list[Any]:
    return [*task.train, *task.dev, *task.sealed()]


def text_of(number: int) -> str:
    return f"{SECRET} {number}" if number % 3 == 2 else f"ticket {number}"


@pytest.fixture
def write(tmp_path: Path):
    """Writes rows to a recording: CSV from a header and lines, JSONL from dicts."""

    def written(rows: Sequence[Any], name: str = "", encoding: str = "utf-8") -> Path:
        typed = isinstance(rows[0], dict)
        path = tmp_path / (name or ("run.jsonl" if typed else "run.csv"))
        path.write_text("".join(f"{json.dumps(r) if typed else r}\n" for r in rows), encoding=encoding)
        return path

    return written


def answers(path: Path, task: Task, column: str | None = None) -> list[Answer]:
    """What the replayed recording answers, in the order train, dev, test."""
    solution = replay_solution(read_recording(path, column), cases_of(task), task.columns.inputs)
    assert solution.batch is not None
    return solution.batch([c.inputs for c in cases_of(task)])


def by_number(task: Task, found: Sequence[Answer]) -> dict[int, Answer]:
    return {int(str(c.inputs).split()[-1]): a for c, a in zip(cases_of(task), found, strict=True)}


def refused(path: Path, task: Task, column: str | None = None) -> DataError:
    with pytest.raises(DataError) as caught:
        answers(path, task, column)
    return caught.value


def test_rows_name_their_case_by_id_in_any_order(write):
    task = task_of()
    path = write(["id,answer", *(f"t{i},{team(i + (i == 4))}" for i in reversed(range(12)))])
    found = by_number(task, answers(path, task))
    assert [found[i].value for i in range(12)] == [team(i + (i == 4)) for i in range(12)]


def test_rows_name_their_case_by_the_input_column(write):
    task = task_of(ids=False)
    path = write([{"ticket": text_of(i), "prediction": team(i // 2)} for i in range(12)])
    found = by_number(task, answers(path, task))
    assert [found[i].value for i in range(12)] == [team(i // 2) for i in range(12)]


def test_rows_name_their_case_by_all_of_several_input_columns(write):
    rows = [
        {"title": f"a{i % 3}", "body": f"b{i}", "team": team(i), "split": ["dev", "test", "train"][i % 3]}
        for i in range(9)
    ]
    task = Task(rows)
    assert set(task.columns.inputs) == {"title", "body"}
    path = write([{"title": r["title"], "body": r["body"], "output": i} for i, r in enumerate(rows)])
    assert sorted(a.value for a in answers(path, task)) == list(range(9))


def test_numeric_ids_of_a_csv_file_find_the_same_ids_in_jsonl(write):
    task = Task([{"id": i, "ticket": f"ticket {i}", "team": team(i)} for i in range(20)])
    path = write(["id,right", *(f"{i},1" for i in range(20))])
    assert {a.value for a in answers(path, task)} == {Graded(1.0)}


def test_rows_of_other_cases_are_ignored(write):
    task = task_of()
    path = write(["id,right", *(f"t{i},{i % 2}" for i in range(40)), "elsewhere,not even a score"])
    assert len(answers(path, task)) == 12


def test_missing_rows_are_counted_and_the_first_is_placed(write):
    path = write(["id,right", *(f"t{i},1" for i in range(12) if i not in (1, 4))])
    error = refused(path, task_of())
    assert "no row for 2 of 12 cases" in error.message and "rows[1]" in error.message
    assert error.hint is not None and "`id`" in error.hint


def test_missing_sealed_rows_are_placed_without_their_text(write):
    path = write([{"ticket": text_of(i), "answer": team(i // 2)} for i in range(12) if i % 3 < 2])
    error = refused(path, task_of())
    assert "no row for 4 of 12 cases" in error.message and "rows[2]" in error.message
    assert SECRET not in str(error)


@pytest.mark.parametrize("row", ["t2,0,1,SEALED", "t2,SEALED,1,a", "t2,1,SEALED,a", "t2,,1,a", "t2,1,1.5,a"])
def test_no_message_holds_a_value_of_a_row(write, row):
    lines = ["id,right,confidence,note", *(f"t{i},1,.5,a" for i in range(12)), row.replace("SEALED", SECRET)]
    error = refused(write(lines), task_of())
    assert SECRET not in str(error) and error.where == "run.csv:14"


def test_a_recording_does_not_print_its_rows(write):
    recording = read_recording(write([{"ticket": SECRET, "answer": "billing"}]))
    assert isinstance(recording, Recording) and SECRET not in repr(recording)


def test_rows_that_contradict_each_other_are_refused_with_both_lines(write):
    path = write(["id,right", *(f"t{i},1" for i in range(12)), "t3,0"])
    error = refused(path, task_of())
    assert error.where == "run.csv:14" and "run.csv:5" in error.message


def test_the_same_row_twice_is_no_contradiction(write):
    assert len(answers(write(["id,right", *(f"t{i},1" for i in range(12)), "t3,1"]), task_of())) == 12


def test_a_row_whose_id_and_inputs_name_different_cases_is_refused(write):
    rows = [{"id": f"t{i}", "ticket": text_of(i), "right": 1} for i in range(12)]
    rows[7]["id"], rows[8]["id"] = rows[8]["id"], rows[7]["id"]
    error = refused(write(rows), task_of())
    assert error.where == "run.jsonl:8" and "rows[8]" in error.message and SECRET not in str(error)


@pytest.mark.parametrize(
    ("words", "scores"),
    [
        (("0", "1"), (0.0, 1.0)),
        (("false", "true"), (0.0, 1.0)),
        (("False", " TRUE "), (0.0, 1.0)),
        (("wrong", "right"), (0.0, 1.0)),
        (("fail", "pass"), (0.0, 1.0)),
        (("0.25", "1.0"), (0.25, 1.0)),
    ],
)
@pytest.mark.parametrize("column", ["right", "score", "gpt_correct", "some-model"])
def test_scores_are_read_in_their_usual_spellings(write, words, scores, column):
    task = task_of()
    found = by_number(
        task, answers(write([f"id,{column}", *(f"t{i},{words[i % 2]}" for i in range(12))]), task, column)
    )
    assert [found[i].value for i in range(12)] == [Graded(scores[i % 2]) for i in range(12)]


def test_scores_of_a_jsonl_file_may_be_booleans_or_numbers(write):
    task = task_of()
    rows = [{"id": f"t{i}", "is_correct": [True, False, 1, 0.5][i % 4]} for i in range(12)]
    found = by_number(task, answers(write(rows), task))
    assert [found[i].value.score for i in range(4)] == [1.0, 0.0, 1.0, 0.5]


@pytest.mark.parametrize("value", ["2", "-0.1", "nan", "yes", ""])
def test_a_column_of_scores_holds_nothing_else(write, value):
    lines = ["id,right", *(f"t{i},{value if i == 5 else 1}" for i in range(12))]
    error = refused(write(lines), task_of())
    assert error.where == "run.csv:7" and "right must be 0 or 1" in error.message


def test_answers_are_graded_by_the_task(write, tmp_path):
    task = task_of(30)
    path = write(["id,output", *(f"t{i},{team(i + (i in (1, 4)))}" for i in range(30))])
    report = asyncio.run(evaluate(task, replay(path), store=tmp_path / "store"))
    assert report.n == 10 and sorted(f.case.id for f in report.failures) == ["t1", "t4"]


def test_a_column_by_another_name_with_one_value_that_is_no_score_holds_answers(write):
    task = task_of()
    path = write(["id,some-model", *(f"t{i},{'billing' if i == 3 else 1}" for i in range(12))])
    assert by_number(task, answers(path, task, "some-model"))[3].value == "billing"


def test_labels_that_look_like_scores_are_not_taken_for_scores(write):
    task = Task([{"id": i, "text": f"text {i}", "label": i % 2} for i in range(20)], kind="label")
    lines = [f"{i},{(i // 2) % 2}" for i in range(20)]
    error = refused(write(["id,model", *lines]), task, "model")
    assert "scores or answers" in error.message and error.hint is not None and "model_answer" in error.hint
    assert answers(write(["id,model_answer", *lines]), task, "model_answer")[0].value in ("0", "1")
    assert isinstance(answers(write(["id,model_right", *lines]), task, "model_right")[0].value, Graded)


def test_a_blank_answer_of_a_csv_file_is_the_answer_nothing(write):
    task = task_of()
    path = write(["id,output", *(f"t{i},{'' if i == 4 else 'billing'}" for i in range(12))])
    assert by_number(task, answers(path, task))[4] == Answer(None)


def test_a_row_without_the_column_is_refused(write):
    rows: list[dict[str, Any]] = [{"id": f"t{i}", "output": None} for i in range(12)]
    del rows[6]["output"]
    error = refused(write(rows), task_of())
    assert error.where == "run.jsonl:7" and "has no output" in error.message


def test_confidence_comes_along(write):
    task = task_of()
    path = write(["id,right,confidence", *(f"t{i},1,{'' if i == 2 else i / 20}" for i in range(12))])
    found = by_number(task, answers(path, task))
    assert found[5].confidence == 0.25 and found[2].confidence is None
    assert replay_solution(read_recording(path), cases_of(task), task.columns.inputs).confident


def test_each_of_several_systems_in_one_file_may_have_its_confidence(write):
    task = task_of()
    path = write(["id,a,b,b_confidence", *(f"t{i},1,0,.7" for i in range(12))])
    assert {a.confidence for a in answers(path, task, "a")} == {None}
    assert {a.confidence for a in answers(path, task, "b")} == {0.7}


@pytest.mark.parametrize("value", ["high", "1.5", "-1", "nan", True, [0.5]])
def test_a_confidence_outside_0_and_1_is_refused(write, value):
    rows = [{"id": f"t{i}", "right": 1, "confidence": value if i == 3 else 0.5} for i in range(12)]
    assert refused(write(rows), task_of()).where == "run.jsonl:4"


def test_a_recorded_system_may_have_handed_on(write):
    task = task_of()
    typed = [{"id": f"t{i}", "output": {"abstain": True} if i == 1 else "billing"} for i in range(12)]
    assert by_number(task, answers(write(typed), task))[1].value is ABSTAIN
    plain = [
        "id,output",
        *(f't{i},{chr(34)}{{""abstain"": true}}{chr(34)}' if i == 1 else f"t{i},a" for i in range(12)),
    ]
    assert by_number(task, answers(write(plain), task))[1].value is ABSTAIN
    scores = ["id,right", *(f"t{i},{'abstain' if i == 1 else 1}" for i in range(12))]
    assert by_number(task, answers(write(scores), task))[1].value is ABSTAIN


def test_an_unknown_column_lists_the_columns(write):
    path = write(["id,small,large", "t1,1,0"])
    with pytest.raises(DataError, match="there is no column medium; columns: id, small, large") as caught:
        read_recording(path, "medium")
    assert caught.value.hint == f"name it: --replay {path}#COLUMN"


def test_without_a_usual_name_the_columns_are_listed(write):
    with pytest.raises(DataError, match="no column looks like .*; columns: id, small, large"):
        read_recording(write(["id,small,large", "t1,1,0"]))


def test_a_file_without_a_header_shows_no_row(write):
    path = write([f"{SECRET},billing", "another ticket,shipping"])
    for column in (None, "right"):
        with pytest.raises(DataError, match="looks like no header") as caught:
            read_recording(path, column)
        assert SECRET not in str(caught.value)


def test_two_usual_names_are_not_guessed_between(write):
    with pytest.raises(DataError, match=r"several columns could .* \(answer, correct\)"):
        read_recording(write(["id,answer,correct", "t1,a,1"]))


def test_the_expected_column_is_not_taken_for_answers_unless_named(write):
    task = task_of()
    path = write(["id,answer,small", *(f"t{i},{team(i)},0" for i in range(12))])
    error = refused(path, task)
    assert "equals the expected value" in error.message
    assert len(answers(path, task, "answer")) == 12


def test_sealed_cases_alone_never_decide_whether_a_column_is_doubted(write):
    # On the open cases one answer is wrong; a refusal here would tell how the sealed ones went.
    task = task_of()
    path = write(["id,answer", *(f"t{i},{team(i + (i == 0))}" for i in range(12))])
    assert len(answers(path, task)) == 12


def test_a_missing_file_names_its_neighbours(write, tmp_path):
    write(["id,right", "t1,1"], "results.csv")
    with pytest.raises(DataError, match="no such file") as caught:
        read_recording(tmp_path / "result.csv")
    assert caught.value.hint == "did you mean results.csv?"


@pytest.mark.parametrize(
    ("name", "text", "where"),
    [
        ("a.jsonl", '{"id": "t1", "right": 1}\n{"id": "t2", "right": SECRET}\n', "a.jsonl:2"),
        ("a.csv", "id,right\nt1,1\nt2,1,SECRET\n", "a.csv:3"),
        ("a.csv", 'id,right\nt1,1\nt2,"SECRET\n', "a.csv:3"),
    ],
)
def test_a_malformed_file_is_refused_with_its_line(tmp_path, name, text, where):
    (tmp_path / name).write_text(text.replace("SECRET", SECRET))
    with pytest.raises(DataError) as caught:
        read_recording(tmp_path / name)
    assert caught.value.where == where and SECRET not in str(caught.value)


@pytest.mark.parametrize("text", ["", "id,right\n"])
def test_an_empty_recording_is_refused(tmp_path, text):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DataError, match="empty"):
        read_recording(tmp_path / "a.csv")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_hides_no_column(write, encoding):
    assert len(answers(write(["id,right", *(f"t{i},1" for i in range(12))], encoding=encoding), task_of())) == 12


def test_a_replayed_ladder_is_climbed_and_says_that_it_was_recorded(write, tmp_path):
    rows = [{"id": f"c{i}", "problem": f"problem {i}", "expected": "right"} for i in range(600)]
    task = Task(rows, kind="label", bar=0.8)
    path = write(["id,small,large", *(f"c{i},{int(i % 2 == 0)},{int(i % 10 > 0)}" for i in range(600))])
    ladder = [replay(path, "small"), replay(path, "large")]
    decision = asyncio.run(climb(task, ladder, store=tmp_path / "store"))
    assert decision.verdict == "PASS" and [r.state for r in decision.rungs] == ["dropped", "PASS"]
    assert "`large`" in decision.sentence and "as recorded" in decision.sentence
    assert decision.rungs[1].calls == 0


def test_a_climb_with_a_recording_that_lacks_sealed_rows_shows_and_spends_nothing(write, tmp_path):
    task = task_of(300, bar=0.8)
    path = write([{"ticket": text_of(i), "prediction": team(i // 3)} for i in range(300) if i % 3 < 2])
    with open_store(tmp_path / "store") as store:
        with pytest.raises(SufficeError) as caught:
            asyncio.run(climb(task, [replay(path)], store=store))
        (block,) = sealed_blocks(store, task)
    assert SECRET not in str(caught.value) and "100 of 300 cases" in caught.value.message
    assert block.passed == ()
