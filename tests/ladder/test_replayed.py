"""Runs of other tools as rungs: on a task, on the task that they make, and what is said of what cannot be claimed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from suffice.errors import DataError, UsageError
from suffice.evals.evaluate import evaluate
from suffice.evals.seal import sealed_count
from suffice.evals.task import Task
from suffice.ladder.climb import climb
from suffice.ladder.closing import to_json_decision
from suffice.ladder.page import page
from suffice.ladder.replayed import replays, rungs_of, task_of_runs
from suffice.ladder.rung import replay
from suffice.store.database import open_store

FILES = Path(__file__).parents[1] / "evals" / "foreign" / "files"
RUNS = Path(__file__).parents[2] / "examples" / "runs"
TICKETS = RUNS / "tickets.csv"
PAIRS = [
    [str(RUNS / "promptfoo.json")],
    ["pydantic_evals_plain.json", "pydantic_evals_careful.json"],
    ["deepeval_plain.json", "deepeval_careful.json"],
    ["inspect_plain.eval", "inspect_careful.json"],
]


def report(tmp_path: Path, name: str = "r", **changes: Any) -> Path:
    """A report of pydantic-evals: ten cases, the first of them changed."""
    score = {"EqualsExpected": {"name": "EqualsExpected", "value": True}}
    cases = [{"name": f"{i}", "inputs": f"q {i}", "expected_output": "a", "output": "a", "assertions": score}
             for i in range(10)]  # fmt: skip
    path = tmp_path / f"{name}.json"
    path.write_text(json.dumps({"name": name, "failures": [], "cases": [cases[0] | changes, *cases[1:]]}))
    return path


def on_everything(task: Task, rung: Any) -> dict[str, Any]:
    """What the rung answers on every case, by input."""
    cases = [*task.train, *task.dev, *task.sealed()]
    solution = asyncio.run(rung.fit(task, cases))
    return {str(c.inputs): asyncio.run(solution.ask(c.inputs)).value for c in cases}


@pytest.mark.parametrize("names", PAIRS, ids=lambda n: Path(n[0]).stem)
def test_runs_alone_make_a_task_and_their_scores_are_as_recorded(names: list[str]):
    task, (plain, careful), _ = task_of_runs([str(FILES / n) for n in names])
    assert len(task) == 40 and task.shape == "10/30/60" and task.grader.name == "as recorded"
    assert sum(v.score for v in on_everything(task, plain).values()) == 31
    assert sum(v.score for v in on_everything(task, careful).values()) == 39


def climbed_runs(store: Path, **options: Any) -> Any:
    task, rungs, _ = task_of_runs([str(RUNS / "promptfoo.json")], bar=0.85)
    return asyncio.run(climb(task, rungs, store=store, **options))


def test_a_climb_of_runs_alone_claims_nothing_unless_it_is_said_that_nobody_tuned_on_them(tmp_path: Path):
    decision = climbed_runs(tmp_path)
    assert decision.verdict == "UNPROVEN" and decision.solution is None and decision.bound is None
    assert decision.sentence.startswith(
        "if nobody tuned on these cases or picked by them, it would be shown that `careful` suffices: at least .78 of"
    )
    assert "39 of 40 right" in decision.sentence and "Say so with --untouched, or" in decision.sentence
    assert {r.name: r.state for r in decision.rungs} == {"plain": "UNPROVEN", "careful": "would pass"}


def test_untouched_is_the_same_try_under_the_stated_condition(tmp_path: Path):
    before = climbed_runs(tmp_path)
    decision = climbed_runs(tmp_path, untouched=True)
    assert decision.verdict == "PASS" and decision.bound == 0.78
    assert "valid only if, as you said, nobody tuned on these cases" in decision.sentence
    tested = [(r.tested.number, r.tested.alpha) for r in decision.rungs]
    assert tested == [(r.tested.number, r.tested.alpha) for r in before.rungs]  # a look costs what a claim costs
    assert decision.rungs[1].tested.known


@pytest.mark.parametrize("untouched", [False, True])
def test_nothing_of_such_a_climb_is_called_sealed(tmp_path: Path, untouched: bool):
    task, _, said = task_of_runs([str(RUNS / "promptfoo.json")], bar=0.85)
    decision = climbed_runs(tmp_path, untouched=untouched)
    told = "\n".join([repr(task), decision.sentence, str(decision), page(to_json_decision(decision))])
    assert "sealed" not in told and "25 of 25 test cases" in told
    assert "nothing here is sealed" in said[-1]


def tickets() -> Task:
    return Task.load(TICKETS, inputs="ticket", expected="team", bar=0.8)


def test_its_cases_count_as_shown_in_every_other_task(tmp_path: Path):
    climbed_runs(tmp_path)
    with open_store(tmp_path) as store:
        assert sealed_count(store, tickets()) == 0
    with pytest.raises(UsageError, match="no sealed test cases"):
        asyncio.run(climb(tickets(), ["constant"], store=tmp_path))


def test_what_was_sealed_in_another_task_is_said_to_count_no_longer(tmp_path: Path):
    lines: list[str | None] = []
    asyncio.run(climb(tickets(), ["constant"], store=tmp_path, dev_only=True))
    climbed_runs(tmp_path, watch=lambda progress: lines.append(progress.line))
    assert any("19 cases here are sealed in tickets" in line for line in lines if line)


@pytest.mark.parametrize("claim", [{}, {"bar": 0.85, "tolerance": 0.9}, {"bar": 1.0, "tolerance": 0.001}])
def test_a_climb_of_runs_that_is_refused_costs_other_tasks_nothing(tmp_path: Path, claim: dict[str, float]):
    asyncio.run(climb(tickets(), ["constant"], store=tmp_path, dev_only=True))
    task, rungs, _ = task_of_runs([str(RUNS / "promptfoo.json")])
    with pytest.raises(UsageError):
        asyncio.run(climb(task, rungs, store=tmp_path, **claim))
    with open_store(tmp_path) as store:
        assert sealed_count(store, tickets()) == len(tickets().sealed())


def test_cases_that_were_dev_here_cannot_be_untouched(tmp_path: Path):
    asyncio.run(climb(tickets(), ["constant"], store=tmp_path, dev_only=True))
    with pytest.raises(UsageError, match=r"looked at here \(dev of tickets\)"):
        climbed_runs(tmp_path, untouched=True)


def test_untouched_speaks_of_no_task_with_sealed_cases(tmp_path: Path):
    with pytest.raises(UsageError, match="the test cases of a task are sealed"):
        asyncio.run(climb(tickets(), ["constant"], store=tmp_path, untouched=True))


def test_with_a_task_its_grader_scores_the_answers_and_a_named_score_stands_as_it_is(tmp_path: Path):
    task = Task.load(TICKETS, inputs="ticket", expected="team")
    for name in (
        f"{RUNS}/promptfoo.json#careful",
        "inspect_careful.json",
        "pydantic_evals_careful.json",
        "deepeval_careful.json",
    ):
        (rung,) = replays(str(FILES / name))
        answers = on_everything(task, rung)
        assert answers["Where is my parcel?"] == "shipping"
        assert asyncio.run(evaluate(task, rung, store=tmp_path)).failures == ()
    scores = on_everything(task, replays(str(FILES / "deepeval_careful.json#Exact Match"))[0])
    assert sum(v.score for v in scores.values()) == 39


def test_samples_of_the_harness_find_their_cases_by_the_columns_of_the_document():
    task = Task.load(TICKETS, inputs="ticket", expected="team")
    (rung,) = replays(str(next((FILES / "lm_eval" / "plain").glob("samples_*"))))
    assert on_everything(task, rung)["Where is my parcel?"] == "shipping"


def scores_by_input(path: Path) -> list[float]:
    """What is recorded of each case, by way of the task that the run makes and of the solution that replays it."""
    task, (rung, *_), _ = task_of_runs([str(path)])
    cases = [*task.train, *task.dev, *task.sealed()]
    solution = asyncio.run(rung.fit(task, cases))
    return [asyncio.run(solution.ask(c.inputs)).value.score for c in cases]


INPUTS = [{"q": "which {}"}, {"input": "which {}"}, {"input": "which {}", "language": "de"}]


def of_promptfoo(path: Path, inputs: list[Any]) -> None:
    read = json.loads((RUNS / "promptfoo.json").read_text())
    plain = [r for r in read["results"]["results"] if r["promptIdx"] == 0][: len(inputs)]
    for i, (result, given) in enumerate(zip(plain, inputs, strict=True)):
        result |= {"vars": given, "testCase": {**result["testCase"], "vars": given}, "success": i > 0, "testIdx": i}
    read["results"]["results"] = plain
    path.write_text(json.dumps(read))


def of_pydantic_evals(path: Path, inputs: list[Any]) -> None:
    said = [{"Equals": {"name": "Equals", "value": i > 0}} for i in range(len(inputs))]
    cases = [{"name": f"{i}", "inputs": given, "expected_output": "a", "output": "a", "assertions": said[i]}
             for i, given in enumerate(inputs)]  # fmt: skip
    path.write_text(json.dumps({"name": "r", "failures": [], "cases": cases}))


def of_the_harness(path: Path, inputs: list[Any]) -> None:
    lines = [{"doc_id": i, "doc": given, "target": "a", "resps": [["a"]], "filtered_resps": ["a"], "acc": float(i > 0)}
             for i, given in enumerate(inputs)]  # fmt: skip
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def of_a_table(path: Path, inputs: list[Any]) -> None:
    path.write_text("".join(json.dumps({"question": given, "right": i > 0}) + "\n" for i, given in enumerate(inputs)))


@pytest.mark.parametrize("inputs", INPUTS, ids=["one name", "the name input", "input among others"])
@pytest.mark.parametrize("write", [of_promptfoo, of_pydantic_evals, of_the_harness, of_a_table])
def test_inputs_of_one_name_or_of_the_name_input_find_their_cases(write: Any, inputs: dict[str, str], tmp_path: Path):
    path = tmp_path / ("run.json" if write in (of_promptfoo, of_pydantic_evals) else "run.jsonl")
    write(path, [{name: text.format(f"of {i}") for name, text in inputs.items()} for i in range(12)])
    assert sum(scores_by_input(path)) == 11


def test_inputs_of_one_name_replay_on_a_task_that_has_its_text_alone(tmp_path: Path):
    path, table = tmp_path / "run.json", tmp_path / "task.jsonl"
    of_pydantic_evals(path, [{"q": f"which of {i}"} for i in range(12)])
    table.write_text("".join(json.dumps({"input": f"which of {i}", "expected": "ab"[i % 2]}) + "\n" for i in range(12)))
    (rung,) = replays(str(path))
    assert on_everything(Task.load(table), rung) == {f"which of {i}": "a" for i in range(12)}


def test_of_repeats_the_first_counts_and_an_error_is_wrong():
    task, (rung,), said = task_of_runs([str(FILES / "pydantic_evals_repeats.json")])
    scores = on_everything(task, rung)
    assert len(scores) == 6 and scores["Stop the newsletter please"].score == 0.0
    assert "of 12 results for 6 cases the first repeat of each counts" in said[0]
    assert "1 case ended in an error, which counts as wrong" in said[0]


def test_a_later_repeat_that_is_right_does_not_mend_a_first_that_is_wrong(tmp_path: Path):
    path = report(tmp_path, name="r")
    read = json.loads(path.read_text())
    wrong = {"EqualsExpected": {"name": "EqualsExpected", "value": False}}
    first = read["cases"][0] | {"source_case_name": "0", "name": "0 [1/2]", "assertions": wrong}
    second = read["cases"][0] | {"source_case_name": "0", "name": "0 [2/2]"}
    path.write_text(json.dumps({**read, "cases": [second, first, *read["cases"][1:]]}))
    task, (rung,), _ = task_of_runs([str(path)])
    assert on_everything(task, rung)["q 0"].score == 0.0


def test_only_a_full_score_counts_as_right_and_that_is_said(tmp_path: Path):
    path = report(tmp_path, assertions={}, scores={"EqualsExpected": {"value": 0.5}})
    assert "only a score of 1 counts as right" in task_of_runs([str(path)])[2][0]


def test_a_score_that_is_no_share_is_refused_with_its_place(tmp_path: Path):
    path = report(tmp_path, assertions={}, scores={"EqualsExpected": {"value": 7}})
    with pytest.raises(DataError, match=r"r.json: cases\[0\].* not in \[0, 1\]"):
        task_of_runs([str(path)])


def test_several_scores_are_not_guessed_between(tmp_path: Path):
    path = report(tmp_path, scores={"other": {"value": 1.0}})
    with pytest.raises(UsageError, match="several scores") as caught:
        task_of_runs([str(path)])
    assert "#" in (caught.value.hint or "")
    assert len(task_of_runs([f"{path}#EqualsExpected"])[0]) == 10


def test_runs_of_other_cases_are_refused(tmp_path: Path):
    with pytest.raises(DataError, match="`a` has no result for 1 of 11 cases"):
        task_of_runs([str(report(tmp_path, "a", inputs="another")), str(report(tmp_path, "b"))])


def test_an_unknown_word_lists_what_there_is_and_one_rung_is_one_solution():
    with pytest.raises(UsageError) as caught:
        rungs_of(RUNS / "promptfoo.json", "nope")
    assert "solutions: plain, careful; scores: pass, score" in (caught.value.hint or "")
    with pytest.raises(UsageError, match="several solutions: plain, careful"):
        replay(RUNS / "promptfoo.json")
    assert replay(RUNS / "promptfoo.json", "careful", name="mine").name == "mine"


def test_tables_make_a_task_too_by_scores_or_by_answers(tmp_path: Path):
    table = tmp_path / "run.csv"
    table.write_text("question,expected,prediction\n" + "".join(f"q {i},a{i % 2},a0\n" for i in range(20)))
    task, (rung,), said = task_of_runs([str(table)])
    assert task.kind == "label" and on_everything(task, rung)["q 1"] == "a0"
    assert "graded here" in said[0]
    table.write_text("id,right\n" + "".join(f"{i},{i % 2}\n" for i in range(20)))
    task, (rung,), said = task_of_runs([str(table)])
    assert sum(v.score for v in on_everything(task, rung).values()) == 10 and "score right counts" in said[0]


def test_a_table_without_inputs_needs_a_task(tmp_path: Path):
    table = tmp_path / "run.csv"
    table.write_text("right\n1\n0\n")
    with pytest.raises(DataError, match="no input column"):
        task_of_runs([str(table)])


def test_cases_that_share_a_name_are_not_taken_for_repeats(tmp_path: Path):
    cases = [{"name": "mine", "input": f"q {i}", "actualOutput": "a", "success": i > 0} for i in range(12)]
    path = tmp_path / "run.json"
    path.write_text(json.dumps({"testCases": cases, "metricsScores": []}))
    task, (rung,), said = task_of_runs([str(path)])
    assert len(task) == 12 and sum(v.score for v in on_everything(task, rung).values()) == 11
    assert "repeat" not in said[0]
