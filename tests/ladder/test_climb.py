"""The climb from end to end: the easiest rung that suffices wins, cheaply, and the same way every time."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from pathlib import Path

import pytest
from climb_samples import Calls, a_task, climbed, place, rows, said, solver, states, truth

from suffice.errors import BarError, SolutionError, StoreBusy, UsageError
from suffice.evals.task import Task
from suffice.ladder import rung
from suffice.ladder.climb import climb, plan
from suffice.ladder.gate import ALWAYS
from suffice.store import ledger
from suffice.store.database import open_store
from suffice.store.runs import list_runs
from suffice.values import ABSTAIN, Answer


def tries_in(store: Path) -> list[ledger.Try]:
    with open_store(store) as db:
        blocks = db.connection.execute("SELECT id FROM block ORDER BY id").fetchall()
        found = [t for (b,) in blocks for t in ledger.tries(db, ledger.Block(b, frozenset(), 0, 0))]
    return found


# Which rung wins, and what that costs.


def test_the_easiest_rung_that_suffices_wins_and_a_harder_one_is_never_called(tmp_path):
    calls = Calls()
    ladder = [solver(n, a, calls=calls) for n, a in (("poor", 0.2), ("good", 0.97), ("better", 0.99))]
    decision = climbed(a_task(), ladder, tmp_path)
    assert (decision.verdict, decision.solution and decision.solution.name) == ("PASS", "good")
    assert states(decision) == {"poor": "dropped", "good": "PASS", "better": "waiting"}
    assert calls.of["better"] == 0
    assert calls.on("poor", "test") == 0


def test_a_hopeless_rung_is_dropped_after_a_dozen_dev_cases(tmp_path):
    calls = Calls()
    climbed(a_task(dev=120), [solver("poor", 0.2, calls=calls), solver("good", 0.97)], tmp_path)
    assert calls.of["poor"] == 12


def test_a_likely_rung_goes_to_test_before_the_end_of_dev(tmp_path):
    calls = Calls()
    decision = climbed(a_task(dev=120), [solver("good", 0.99, calls=calls)], tmp_path)
    assert 30 <= calls.on("good", "dev") < 60
    assert calls.on("good", "test") == decision.rungs[0].tested.used < 100
    assert decision.rungs[0].calls == calls.of["good"]
    assert decision.rungs[0].saved == 320 - calls.of["good"]


def test_on_the_way_down_an_easier_rung_that_looked_possible_is_tried(tmp_path):
    calls = Calls()
    # On dev `easy` is at the bar: kept, not sent. On test it is as good as it gets.
    easy = solver("easy", lambda t: place("e", t) < (0.8 if t.startswith("dev") else 0.99), calls=calls)
    hard = solver("hard", 0.98, calls=calls)
    decision = climbed(a_task(bar=0.85), [easy, hard], tmp_path)
    assert states(decision) == {"easy": "PASS", "hard": "PASS"}
    assert decision.solution.name == "easy"
    assert [t.number for t in tries_in(tmp_path)] == [1, 2]
    quick = climbed(a_task(bar=0.85), [easy, hard], tmp_path / "quick", quick=True)
    assert quick.rungs[0].state in ("PASS", "kept") and quick.verdict == "PASS"


def test_an_easier_rung_that_fails_on_the_way_down_leaves_the_harder_one(tmp_path):
    easy = solver("easy", lambda t: place("e", t) < (0.8 if t.startswith("dev") else 0.5))
    decision = climbed(a_task(bar=0.85), [easy, solver("hard", 0.98)], tmp_path)
    assert states(decision) == {"easy": "FAIL", "hard": "PASS"}
    assert decision.solution.name == "hard"


def test_a_rung_that_does_not_suit_is_not_tried_and_the_climb_goes_on(tmp_path):
    task = a_task(train=0, given=[r for r in rows(train=0)])
    assert task.kind == "label"
    no = rung.Rung("picky", rung.constant().fit, "picky", unsuited=lambda t: "it wants pictures")
    decision = climbed(task, [no, solver("good", 0.97)], tmp_path)
    assert states(decision) == {"picky": "not tried", "good": "PASS"}
    assert "picky: not tried (it wants pictures)" in str(decision)


def test_rungs_of_one_name_are_told_apart(tmp_path):
    ladder = [
        solver("a", 0.1),
        solver("a", 0.11, version=1),
        solver("a 2", 0.97, version=2),
        solver("a", 0.2, version=3),
    ]
    decision = climbed(a_task(), ladder, tmp_path)
    names = [r.name for r in decision.rungs]
    assert len(set(names)) == 4 and names[:2] == ["a", "a 2"]
    assert decision.solution.name == names[2]


def test_one_solution_or_a_name_will_do_for_a_ladder(tmp_path):
    assert climbed(a_task(), solver("good", 0.97), tmp_path).verdict == "PASS"
    assert climbed(a_task(), "constant", tmp_path).rungs[0].name == "constant"


# The same at any concurrency, at any speed, after any interruption.


@pytest.mark.parametrize("concurrency", [1, 3, 16])
def test_the_verdict_and_the_cases_used_do_not_depend_on_concurrency_or_speed(tmp_path, concurrency):
    dice = random.Random(concurrency)
    slow_where_wrong = {}

    def delay(text):
        wrong = place("hard", 0, text) >= 0.93
        return slow_where_wrong.setdefault(text, (0.004 if wrong else 0.0) + dice.random() * 0.002)

    task = a_task(bar=0.85, test=160)
    quiet = climbed(task, [solver("easy", 0.6), solver("hard", 0.93)], tmp_path / "quiet", concurrency=1)
    calls = Calls()
    ladder = [solver("easy", 0.6, calls=calls, delay=delay), solver("hard", 0.93, calls=calls, delay=delay)]
    busy = climbed(task, ladder, tmp_path / "busy", concurrency=concurrency)
    one, other = said(quiet), said(busy)
    one["settings"].pop("concurrency"), other["settings"].pop("concurrency")
    assert one == other
    assert calls.most <= concurrency
    if concurrency == 16:
        assert calls.most > 4  # they did run side by side


def test_calls_in_flight_never_exceed_what_could_still_change_the_outcome(tmp_path):
    calls = Calls()
    ladder = [solver("good", 0.96, calls=calls, delay=lambda t: 0.002 * place(t))]
    decision = climbed(a_task(dev=80), ladder, tmp_path, concurrency=64)
    row = decision.rungs[0]
    assert calls.of["good"] == row.dev_seen + row.tested.used  # none was started that the verdict did not use
    assert calls.most > 8


def test_an_interrupted_climb_goes_on_and_asks_nothing_again(tmp_path):
    task, calls = a_task(bar=0.85, test=160), Calls()
    whole = climbed(task, [solver("easy", 0.6), solver("hard", 0.93)], tmp_path / "whole")
    for stop_after in (5, 9, 30, 41, 60, 75, 90):

        def interrupt(text, stop_after=stop_after):
            if calls.of["easy"] + calls.of["hard"] == stop_after:
                raise KeyboardInterrupt
            return False

        ladder = [solver(n, a, calls=calls, fails=interrupt) for n, a in (("easy", 0.6), ("hard", 0.93))]
        with pytest.raises(KeyboardInterrupt):
            climbed(task, ladder, tmp_path / "cut", concurrency=1)
        with open_store(tmp_path / "cut") as db:
            assert list_runs(db)[0].state == "interrupted"
    decision = climbed(task, [solver(n, a, calls=calls) for n, a in (("easy", 0.6), ("hard", 0.93))], tmp_path / "cut",
                       resume=True, concurrency=1)  # fmt: skip
    assert decision.run == "climb-1"
    assert [r.tested and r.tested.used for r in decision.rungs] == [r.tested and r.tested.used for r in whole.rungs]
    assert (decision.sentence, states(decision)) == (whole.sentence, states(whole))
    asked = [pair for pair in calls.inputs]
    assert len(asked) - len(set(asked)) == 7  # only the calls that were cut off
    assert any("possibly paid twice" in a for a in decision.advice)
    assert len(tries_in(tmp_path / "cut")) == len(tries_in(tmp_path / "whole"))


def test_resume_without_an_interrupted_climb_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no interrupted climb"):
        climbed(a_task(), [solver("good", 0.97)], tmp_path, resume=True)
    climbed(a_task(), [solver("good", 0.97)], tmp_path)
    with pytest.raises(UsageError, match="no interrupted climb"):
        climbed(a_task(), [solver("good", 0.97)], tmp_path, resume=True)


def test_the_same_climb_again_gives_the_same_decision_calls_nothing_and_spends_nothing(tmp_path):
    task, calls = a_task(bar=0.85), Calls()
    ladder = [
        solver("easy", lambda t: place("e", t) < (0.8 if t.startswith("dev") else 0.9), calls=calls),
        solver("middle", 0.86, calls=calls),
        solver("hard", 0.97, calls=calls),
    ]
    first = climbed(task, ladder, tmp_path)
    before, made = tries_in(tmp_path), calls.of.total()
    # Others spend in between; what this climb saw is what it goes by.
    for version in range(5):
        climbed(task, [solver("other", 0.3, version=version)], tmp_path, rule=ALWAYS)
    again = climbed(task, ladder, tmp_path)
    assert said(again) == said(first)
    assert calls.of.total() == made
    assert tries_in(tmp_path)[: len(before)] == before and len(tries_in(tmp_path)) == len(before) + 5
    assert all(r.tested.known for r in again.rungs if r.tested)


def test_fresh_asks_again_on_dev_and_never_on_test(tmp_path):
    calls = Calls()
    ladder = [solver("good", 0.97, calls=calls)]
    climbed(a_task(), ladder, tmp_path)
    on_dev, on_test = calls.on("good", "dev"), calls.on("good", "test")
    climbed(a_task(), ladder, tmp_path, fresh=True)
    assert (calls.on("good", "dev"), calls.on("good", "test")) == (2 * on_dev, on_test)


# Dev alone.


def test_dev_only_spends_nothing_and_says_what_is_ready(tmp_path):
    calls = Calls()
    ladder = [solver("poor", 0.2, calls=calls), solver("good", 0.98, calls=calls)]
    decision = climbed(a_task(), ladder, tmp_path, dev_only=True)
    assert decision.verdict == "UNPROVEN" and decision.solution is None
    assert decision.sentence.startswith("`good` is ready for test (try 1: uses .025 of .05; predicted chance 9")
    assert calls.on("good", "test") == 0 and tries_in(tmp_path) == []
    made = calls.of["good"]
    assert climbed(a_task(), ladder, tmp_path).verdict == "PASS"
    assert calls.on("good", "dev") == made  # dev was not asked again


def test_dev_only_on_a_hopeless_ladder_says_what_came_closest(tmp_path):
    decision = climbed(a_task(), [solver("poor", 0.3), solver("meagre", 0.55)], tmp_path, dev_only=True)
    assert decision.sentence == "on dev, no candidate is likely enough to spend a try on."
    assert any("Closest on dev: `meagre`" in a for a in decision.advice)


def test_dev_only_looks_known_verdicts_up_and_stops_at_the_first_new_candidate(tmp_path):
    bad = solver("bad", lambda t: place(t) < (0.97 if t.startswith("dev") else 0.4))
    assert climbed(a_task(), [bad], tmp_path).verdict == "FAIL"
    decision = climbed(a_task(), [bad, solver("good", 0.98)], tmp_path, dev_only=True)
    assert decision.rungs[0].state == "FAIL" and decision.rungs[0].tested.known
    assert decision.sentence.startswith("`good` is ready for test (try 2: uses .0125 of .05;")
    assert len(tries_in(tmp_path)) == 1


# Claims and options.


def test_the_bar_tolerance_and_coverage_of_the_call_override_the_tasks(tmp_path):
    task = a_task(bar=0.99, tolerance=0.001)
    with pytest.raises(BarError):
        climbed(task, [solver("good", 0.97)], tmp_path)
    decision = climbed(task, [solver("good", 0.97)], tmp_path, bar=0.8, tolerance=0.05)
    assert (decision.claim.bar, decision.claim.tolerance, decision.verdict) == (0.8, 0.05, "PASS")
    assert decision.bound >= 0.75 and decision.error == 0.025


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"bar": 1.2}, BarError, "between 0 and 1"),
        ({"bar": float("nan")}, BarError, "between 0 and 1"),
        ({"tolerance": 0.9}, BarError, "tolerance"),
        ({"coverage": 0.0}, BarError, "coverage"),
        ({"coverage": "most"}, BarError, "coverage"),
        ({"concurency": 4}, UsageError, "did you mean concurrency"),
        ({"concurrency": 0}, UsageError, "concurrency"),
        ({"timeout": -1.0}, UsageError, "time-out"),
    ],
)
def test_impossible_options_are_refused_in_words_before_any_call(tmp_path, options, error, text):
    calls = Calls()
    with pytest.raises(error, match=text):
        climbed(a_task(), [solver("good", 0.97, calls=calls)], tmp_path, **options)
    assert calls.of.total() == 0


def test_what_is_no_ladder_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no rung"):
        climbed(a_task(), [], tmp_path)
    with pytest.raises(UsageError, match="no rung called 'wrods'"):
        climbed(a_task(), ["wrods"], tmp_path)
    with pytest.raises(SolutionError, match="not callable"):
        climbed(a_task(), [3], tmp_path)
    with pytest.raises(UsageError, match="no bar"):
        climbed(a_task(bar=None), [solver("good", 0.97)], tmp_path)


def test_a_solution_that_does_not_fit_the_inputs_is_refused_before_any_call(tmp_path):
    def two(subject: str, body: str) -> str:
        return subject

    given = [{"subject": r["input"], "text": "x", "expected": r["expected"], "split": r["split"]} for r in rows()]
    task = a_task(given=given, inputs=["subject", "text"])
    with pytest.raises(SolutionError, match="body"):
        climbed(task, [two], tmp_path)


# Two at once.


def test_the_same_climb_twice_at_once_in_one_process_is_refused_and_nothing_is_lost(tmp_path):
    task, calls = a_task(), Calls()

    async def both():
        ladder = [solver("good", 0.97, calls=calls, delay=lambda t: 0.001)]
        return await asyncio.gather(*(climb(task, ladder, store=tmp_path) for _ in range(2)), return_exceptions=True)

    one, other = asyncio.run(both())
    assert one.verdict == "PASS"
    assert isinstance(other, StoreBusy) and "wait until it ends" in str(other)
    assert climbed(task, [solver("good", 0.97, calls=calls)], tmp_path).sentence == one.sentence
    assert len(calls.inputs) == len(set(calls.inputs))


def test_different_climbs_at_once_both_end_and_never_share_an_alpha(tmp_path, capsys):
    task = a_task()

    async def both():
        ladders = [[solver(f"good {i}", 0.97, delay=lambda t: 0.001)] for i in range(3)]
        return await asyncio.gather(*(climb(task, ladder, store=tmp_path) for ladder in ladders))

    decisions = asyncio.run(both())
    assert {d.verdict for d in decisions} == {"PASS"}
    assert sorted(d.error for d in decisions) == [0.00625, 0.0125, 0.025]
    print("heard")
    assert capsys.readouterr().out == "heard\n"  # stdout is whole again after three overlapping silences


# The plan.


def test_plan_follows_the_ledger_and_runs_nothing(tmp_path):
    task = a_task()
    before = plan(task, store=tmp_path)
    assert (before.alpha, before.n, len(before.tries)) == (0.025, 200, 0)
    climbed(task, [solver("bad", 0.4)], tmp_path, rule=ALWAYS)
    after = plan(task, store=tmp_path)
    assert (after.alpha, len(after.tries)) == (0.0125, 1)
    assert "the next may spend .0125 of .05" in str(after)


def test_a_verdict_is_not_looked_up_against_what_dev_says_today(tmp_path):
    table = {"right": True}

    def answers(text: str):
        return truth(text) if table["right"] else "nobody"

    async def fit(task, cases):  # the same thing to the ledger, whatever the table holds
        return replace(await rung.function(answers).fit(task, cases), identity="held")

    held = rung.Rung("held", fit, identity="held")
    task = a_task()
    assert climbed(task, [held], tmp_path).verdict == "PASS"
    assert climbed(task, [held], tmp_path, quick=True).verdict == "PASS"  # another climb: a look-up
    table["right"] = False
    assert climbed(task, [held], tmp_path / "other", fresh=True).rungs[0].state == "dropped"
    again = climbed(task, [held], tmp_path, fresh=True, quick=True)
    assert again.verdict == "UNPROVEN" and again.rungs[0].state == "changed" and again.solution is None
    assert any("dev now contradicts that" in line for line in again.advice)
    assert climbed(task, [held], tmp_path).verdict == "UNPROVEN"  # what is recorded on dev now says so, too


def test_what_a_task_shows_is_never_sealed_later_whatever_the_ladder(tmp_path):
    given = [{"text": f"case {i}", "label": "even" if i % 2 == 0 else "odd"} for i in range(600)]
    task = Task(given, bar=0.85, coverage=0.15)
    seen = {c.inputs: c.expected for c in (*task.train, *task.dev)}

    def look_up(text: str):
        return Answer(seen[text], confidence=0.99) if text in seen else ABSTAIN

    decision = climbed(task, [look_up], tmp_path)
    assert decision.claim.n == len(task.sealed()) and decision.verdict != "PASS"
