"""A relative bar and a time limit: what is shown, at what cost, and what is refused before anything runs."""

from __future__ import annotations

import re

import pytest
from climb_samples import Calls, a_task, climbed, learner, place, solver

from suffice.errors import BarError, UsageError
from suffice.ladder.climb import plan
from suffice.ladder.gate import ALWAYS
from suffice.ladder.relative import Span, paired


def like(name: str, other: float, **options):
    """A solution that is as right as "big" but for a share `other` of the inputs, where it is wrong."""
    return solver(name, lambda text: place("big", 0, text) < 0.8 and place("slip", text) >= other, **options)


BIG = {"accuracy": lambda text: place("big", 0, text) < 0.8}


def test_an_equal_solution_is_shown_to_be_no_worse(tmp_path):
    decision = climbed(a_task(test=400), [like("small", 0.0)], tmp_path, bar=None, within=0.05, of=solver("big", **BIG))
    assert decision.verdict == "PASS" and decision.claim.within == 0.05
    assert "on future inputs like these its score is at most ." in decision.sentence
    assert "worse than `big` (within .05 asked, error 2.5%, " in decision.sentence
    row = decision.rungs[0]
    assert row.against == "big" and row.dev_mean == 0.5
    assert "against big" in str(decision)


def test_a_clearly_worse_solution_is_given_up_on_dev_and_refuted_on_test(tmp_path):
    task, big = a_task(test=400), solver("big", **BIG)
    decision = climbed(task, [like("poor", 0.5)], tmp_path, bar=None, within=0.05, of=big)
    assert decision.verdict == "UNPROVEN" and decision.rungs[0].state == "dropped"
    decision = climbed(task, [like("poor", 0.5)], tmp_path, bar=None, within=0.05, of=big, rule=ALWAYS)
    assert decision.verdict == "FAIL" and "that it scores as well as `big` was refuted" in decision.sentence


def test_the_reference_is_asked_once_whoever_is_compared_with_it(tmp_path):
    calls = Calls()
    big = solver("big", **BIG, calls=calls)
    rungs = [like("near", 0.08), like("small", 0.0)]
    climbed(a_task(test=400), rungs, tmp_path, bar=None, within=0.05, of=big)
    assert calls.on("big", "dev") == 60
    assert max(calls.of.values()) <= 60 + 400
    texts = [text for name, text in calls.inputs]
    assert len(texts) == len(set(texts))


def test_the_reference_may_be_a_rung_of_the_ladder_by_name_and_may_learn(tmp_path):
    words = learner("words", 0.6)
    decision = climbed(
        a_task(train=60, test=400), [solver("best", 0.95), words], tmp_path, bar=None, within=0.1, of="words"
    )
    assert decision.verdict == "PASS" and decision.claim.of == "words" and decision.rungs[0].state == "PASS"


@pytest.mark.slow
def test_dev_evidence_of_a_rung_that_learns_is_paired_on_the_cases_that_the_reference_answered(tmp_path):
    task = a_task(train=100, test=400)
    decision = climbed(
        task, [learner("words", 0.9)], tmp_path, bar=None, within=0.1, of=solver("big", **BIG), dev_only=True
    )
    assert decision.rungs[0].dev_seen == 60  # dev alone: train would cost calls of the reference


def test_a_failed_call_of_either_is_counted_against_each_claim_in_turn():
    right, lost = Span(1.0, 1.0), Span(0.0, 1.0)
    assert paired(right, right, None).score == 0.5
    mine = paired(lost, right, None)
    assert (mine.score, mine.most) == (0.0, 0.5)
    theirs = paired(right, lost, None)
    assert (theirs.score, theirs.most) == (0.5, 1.0)


@pytest.mark.parametrize(
    "options",
    [{"within": 0.05}, {"of": "words"}, {"within": 0.05, "of": "words", "bar": 0.9}, {"within": 0.05, "of": "nobody"}],
)
def test_what_makes_no_claim_is_refused(tmp_path, options):
    with pytest.raises(UsageError):
        climbed(a_task(), [solver("good", 0.9)], tmp_path, **{"bar": None, **options})


@pytest.mark.parametrize("within", [0.0, 1.0, -0.1])
def test_a_margin_is_a_difference_between_0_and_1(tmp_path, within):
    with pytest.raises(BarError):
        climbed(a_task(), [solver("good", 0.9)], tmp_path, bar=None, within=within, of=solver("big", **BIG))


def test_a_margin_that_these_cases_hardly_resolve_is_refused_before_anything_runs(tmp_path):
    calls = Calls()
    with pytest.raises(BarError, match="within .02"):
        climbed(a_task(), [solver("good", 0.9, calls=calls)], tmp_path, bar=None, within=0.02, of=solver("big", **BIG))
    assert not calls.inputs


def test_a_plan_says_the_chance_of_an_equal_solution(tmp_path):
    said = str(plan(a_task(test=400), within=0.05, of=solver("big", **BIG), store=tmp_path))
    assert "at most .05 below that of big" in said
    assert "where they differ on 10% of the cases: " in said and "true rate" not in said


def test_a_time_limit_is_shown_with_the_rate(tmp_path):
    fast = climbed(a_task(test=400), [solver("fast", 0.95)], tmp_path, p95=5.0)
    assert fast.verdict == "PASS"
    assert "and 95% of calls end within 5 s, 8 side by side; bar " in fast.sentence
    assert fast.rungs[0].tested.used > 60  # as long as .95 in time takes to be shown


def test_a_solution_that_is_right_but_slow_does_not_pass(tmp_path):
    slow = solver("slow", 0.97, delay=lambda text: 0.03 if place("late", text) < 0.3 else 0.0)
    decision = climbed(a_task(), [slow], tmp_path, p95=0.02)
    assert decision.rungs[0].state == "dropped" and decision.rungs[0].tested is None  # dev shows it: no try is spent
    assert re.search(r"Closest on dev: `slow`, \d+ of \d+ right, \d+ of \d+ calls in time, ", decision.advice[0])
    decision = climbed(a_task(), [slow], tmp_path, p95=0.02, rule=ALWAYS)
    assert decision.verdict == "FAIL" and "with 95% of calls within 20 ms" in decision.sentence
    assert climbed(a_task(), [slow], tmp_path).verdict == "PASS"


def test_where_the_time_was_not_shown_the_sentence_and_the_advice_say_so(tmp_path):
    near = solver("near", 0.98, delay=lambda text: 0.3 if place("late", text) < 0.03 else 0.0)
    decision = climbed(a_task(test=120), [near], tmp_path, p95=0.15, rule=ALWAYS)
    assert decision.verdict == "UNPROVEN" and decision.rungs[0].tested.late
    assert "that 95% of calls end within 150 ms was not (bar .80, " in decision.sentence
    assert ", 95% of calls within 150 ms, 8 side by side, error 2.5%, " in decision.sentence
    text = " ".join(decision.advice)
    said = re.search(r"The time limit was not shown: (\d+) of (\d+) dev calls were in time", text)
    assert said and 0.9 < int(said[1]) / int(said[2]) < 1
    fresh = re.search(r"About ([\d,]+) fresh test cases would settle it", text)
    assert fresh is None or int(fresh[1].replace(",", "")) > 120


def test_a_rate_that_was_not_shown_is_not_put_on_the_time(tmp_path):
    near = solver("near", lambda t: place(t) < (0.84 if t.startswith("dev") else 0.775))
    decision = climbed(a_task(dev=100, test=120), [near], tmp_path, tolerance=0.05, p95=5.0, rule=ALWAYS)
    assert decision.verdict == "UNPROVEN" and not decision.rungs[0].tested.late
    assert "end within" not in decision.sentence and "The time limit" not in " ".join(decision.advice)


def test_a_time_limit_that_so_few_cases_cannot_show_is_refused(tmp_path):
    with pytest.raises(BarError, match="no p95 can be shown"):
        climbed(a_task(test=50), [solver("good", 0.97)], tmp_path, p95=1.0, tolerance=0.2)
