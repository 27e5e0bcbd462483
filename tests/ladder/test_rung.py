"""Rungs: constant, words, functions, bundles and recordings, from Python and from what is typed."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest
from climb_samples import a_task, climbed, rows, solver, truth

import suffice as sf
from suffice.errors import DataError, SolutionError, UsageError
from suffice.ladder import rung


def test_the_constant_rung_gives_the_most_frequent_answer_of_its_cases():
    given = [r | {"expected": "orders" if i % 3 else "billing"} for i, r in enumerate(rows())]
    task = a_task(given=given)
    solution = asyncio.run(rung.constant().fit(task, task.train))
    assert asyncio.run(solution("anything")) == "orders" and solution.free
    assert rung.constant().unsuited(task) is None


def test_rungs_say_why_they_do_not_suit():
    numbers = sf.Task([{"input": f"{i} + 1", "expected": i + 1.5, "split": "dev"} for i in range(30)], kind="number")
    reason = rung.words().unsuited(numbers)
    assert reason and "number" in reason
    one = a_task(given=[r | {"expected": "billing"} for r in rows()])
    assert "same answer" in (rung.words().unsuited(one) or "")


def test_the_proposed_ladder_is_the_tasks_own_or_what_suits():
    assert [r.name for r in rung.proposed(a_task())] == ["constant", "rules", "words", "prompt"]
    assert [r.name for r in rung.proposed(a_task(ladder=["words"]))] == ["words"]


def test_words_learns_what_words_can_tell(tmp_path):
    topics = {"billing": "charged twice on my invoice", "shipping": "parcel not delivered", "returns": "send it back"}
    labels = list(topics)
    splits = ["train"] * 60 + ["dev"] * 60 + ["test"] * 180
    given = [
        {"id": str(i), "input": f"{topics[labels[i % 3]]} number {i}", "expected": labels[i % 3], "split": split}
        for i, split in enumerate(splits)
    ]
    decision = climbed(sf.Task(given, bar=0.9), ["constant", "words"], tmp_path)
    assert decision.verdict == "PASS" and decision.solution.name == "words"
    assert decision.cost == 0.0 and decision.rungs[1].out_of_fold
    assert asyncio.run(decision("where is my parcel")) == "shipping"


def test_the_identity_of_a_rung_tells_other_rungs_apart():
    def one(x):
        return x

    def two(x):
        return x + 1

    same = rung.function(one).identity == rung.function(one).identity
    assert same and rung.function(one).identity != rung.function(two).identity
    assert rung.words().identity != rung.words(folds=4).identity
    assert rung.family("f", one, two).identity != rung.family("f", two, one).identity


def test_a_route_goes_to_test_as_it_is():
    assert rung.as_rung(sf.route(solver("a", 1.0), solver("b", 1.0))).as_is
    assert not rung.as_rung(solver("a", 1.0)).as_is


# From what is typed.


@pytest.fixture
def my_py(tmp_path, monkeypatch):
    (tmp_path / "typed_rungs.py").write_text(
        "from suffice.ladder import rung\n\n"
        "def triage(ticket):\n    return 'billing'\n\n"
        "def other(ticket):\n    return 'orders'\n\n"
        "both = rung.family('both', triage, other)\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    yield tmp_path / "typed_rungs.py"
    sys.modules.pop("typed_rungs", None)


def test_a_function_and_a_rung_are_found_by_file_and_name(my_py):
    assert rung.from_text("typed_rungs.py:triage").name == "triage"
    family = rung.from_text("typed_rungs.py:both")
    assert family.name == "both" and [r.name for r in family.family] == ["triage", "other"]


def test_a_name_that_is_no_rung_is_refused_with_what_there_is(my_py):
    with pytest.raises(UsageError, match="no rung called 'wrods'"):
        rung.from_text("wrods")
    with pytest.raises(SolutionError) as told:
        rung.from_text("typed_rungs.py:traige")
    assert "did you mean triage?" in str(told.value)
    with pytest.raises(SolutionError):
        rung.from_text("nowhere.py:triage")


def test_a_bundle_is_a_rung(tmp_path):
    decision = climbed(a_task(bar=0.15), ["constant"], tmp_path / "store")
    assert decision.verdict == "PASS"
    folder = decision.save(tmp_path / "constant.suffice")
    again = rung.from_text(str(folder))
    assert again.identity == decision.solution.identity


# Recordings.


def recorded(path, task_rows, rate, **column):
    lines = [{"id": r["id"], **{name: of(r, i) for name, of in column.items()}} for i, r in enumerate(task_rows)]
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return path


def test_a_recording_climbs_like_a_solution_and_the_sentence_says_so(tmp_path):
    given = rows()
    poor = recorded(tmp_path / "small.jsonl", given, 0.3, right=lambda r, i: i % 10 < 3)
    fine = recorded(tmp_path / "large.jsonl", given, 0.97, output=lambda r, i: "?" if i % 40 == 0 else r["expected"])
    decision = climbed(a_task(given=given), [f"replay:{poor}", f"replay:{fine}"], tmp_path / "store")
    assert decision.verdict == "PASS" and decision.solution.name == "large"
    assert decision.sentence.endswith("(as recorded; valid only if nobody tuned on these cases)")
    assert all(r.calls == 0 for r in decision.rungs) and decision.rungs[1].tested.used == 200
    with pytest.raises(SolutionError, match="recording"):
        decision.save(tmp_path / "bundle")


def test_a_recording_that_lacks_a_case_is_refused(tmp_path):
    given = rows()
    half = recorded(tmp_path / "half.jsonl", given[::2], 1.0, output=lambda r, i: truth(r["input"]))
    with pytest.raises(DataError, match="no row for"):
        climbed(a_task(given=given), [f"replay:{half}"], tmp_path / "store")
