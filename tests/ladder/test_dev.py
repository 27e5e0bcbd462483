"""Dev in the climb: what it lets one expect, routes that come of it, and how little it calls."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter

import pytest
from climb_samples import Calls, a_task, climbed, learner, place, rows, solver, states, truth

from suffice.errors import UsageError
from suffice.ladder.dev import paused
from suffice.programs.solution import Solution
from suffice.stats.claim import Claim
from suffice.stats.predict import chance
from suffice.values import ABSTAIN, Answer

# Early ends.


def test_a_rung_in_the_middle_is_run_to_the_end_of_dev_and_no_further(tmp_path):
    calls = Calls()
    decision = climbed(
        a_task(bar=0.85, dev=60), [solver("so so", 0.84, calls=calls, version=2)], tmp_path, dev_only=True
    )
    row = decision.rungs[0]
    assert row.dev_seen == row.dev_total == 60 == calls.of["so so"]
    assert row.state in ("kept", "to test") and 0.05 < row.chance < 0.9


def test_the_predicted_chance_is_that_of_the_engine_at_the_alpha_of_the_next_try(tmp_path):
    decision = climbed(a_task(), [solver("good", 0.9)], tmp_path, dev_only=True)
    row, claim = decision.rungs[0], decision.claim
    at = Claim(claim.bar, claim.tolerance, claim.n, 0.025)
    assert row.chance == chance(row.dev_right, row.dev_seen, at)


def test_too_many_failed_calls_are_above_a_twentieth_and_at_least_three():
    assert [paused(f, n) for f, n in ((2, 2), (3, 3), (3, 59), (3, 60), (4, 79), (4, 80), (0, 0))] == [
        False, True, True, False, True, False, False,
    ]  # fmt: skip


def test_a_task_without_dev_cases_is_refused(tmp_path):
    task = a_task(given=rows(train=40, dev=1, test=100), shape="30/20/50")
    object.__setattr__(task, "dev", ())
    with pytest.raises(UsageError, match="no dev cases to look at"):
        climbed(task, [solver("good", 0.97)], tmp_path)


# Learners.


def test_a_learner_is_judged_out_of_fold_and_refitted_on_train_and_dev_before_test(tmp_path):
    knows: Counter = Counter()
    memoriser = learner("memoriser", 0.5, knows=knows)  # perfect on what it has seen
    task = a_task(train=60, dev=60)
    decision = climbed(task, [memoriser, solver("good", 0.97)], tmp_path)
    row = decision.rungs[0]
    assert row.out_of_fold and row.dev_seen == 120 and row.dev_right < 60
    assert row.state == "dropped" and row.calls == 0
    fine = climbed(task, [learner("fine", 1.0, (0.9, 1.0), knows=knows)], tmp_path)
    assert fine.verdict == "PASS"
    assert (knows["train"], knows["dev"], knows["test"]) == (60, 60, 0)


def test_a_learner_never_sees_a_sealed_case(tmp_path):
    seen: list[str] = []
    spy = learner("spy", 1.0, (0.9, 1.0))
    original = spy.fit

    async def fit(task, cases):
        seen.extend(c.inputs for c in cases)
        return await original(task, cases)

    climbed(a_task(), [dataclasses.replace(spy, fit=fit)], tmp_path)
    assert seen and not any(text.startswith("test") for text in seen)


def test_evidence_counts_as_many_cases_of_a_cluster_as_the_claim(tmp_path):
    given = rows(train=30, dev=60)
    for i, row in enumerate(given):
        row["customer"] = f"{row['split']} {i // 3}"
    task = a_task(given=given, cluster="customer", per_cluster=1)
    decision = climbed(task, [learner("words", 0.3), solver("poor", 0.2)], tmp_path, dev_only=True)
    assert decision.rungs[0].dev_seen == 30  # 10 clusters of train, 20 of dev
    assert decision.rungs[1].dev_total == 20
    task = a_task(given=given, cluster="customer", per_cluster=2)
    decision = climbed(task, [learner("words", 0.3), solver("poor", 0.2)], tmp_path, dev_only=True)
    assert decision.rungs[0].dev_seen == 60 and decision.rungs[1].dev_total == 40


def test_an_easier_rung_that_is_left_out_takes_no_evidence_away(tmp_path):
    """Of a customer in train and dev, the learner's evidence may hold the train case, which a function never sees."""
    given = rows(train=60, dev=60)
    for i, row in enumerate(given):
        row["customer"] = f"customer {i % 60}" if row["split"] != "test" else f"test {i}"
    task = a_task(given=given, cluster="customer")
    decision = climbed(task, [learner("words", 0.3), solver("so so", 0.8)], tmp_path, dev_only=True)
    row = decision.rungs[1]
    assert row.candidate == "so so" and row.dev_seen == row.calls >= 12


# Routes.


def test_a_confident_easy_rung_takes_its_share_and_the_route_costs_fewer_calls(tmp_path):
    calls = Calls()
    task = a_task(bar=0.85, train=150, dev=100, test=240)
    hard = solver("hard", 0.96, calls=calls)
    alone = climbed(task, [hard], tmp_path / "alone")
    used = calls.on("hard", "test")
    calls.clear()
    route = climbed(task, [learner("words", 1.0, (0.3, 1.0)), hard], tmp_path / "route")
    row = route.rungs[1]
    assert alone.verdict == route.verdict == "PASS"
    assert row.candidate == "words > hard" and row.members == ("words", "hard")
    assert row.handled[0] > 0.15 and row.thresholds[0] is not None and row.thresholds[1] is None
    assert calls.on("hard", "test") <= 0.9 * row.tested.used
    assert calls.on("hard", "test") < used + 20
    assert route.solution.name == "words > hard"


def test_an_easy_rung_that_does_not_help_is_left_out_of_the_route(tmp_path):
    lucky = learner("lucky", 0.5)  # right half as often as it believes
    decision = climbed(a_task(train=100, dev=80), [lucky, solver("hard", 0.96)], tmp_path)
    assert decision.rungs[1].candidate == "hard" and decision.verdict == "PASS"


def test_a_sure_function_that_dev_dropped_is_asked_again_once_a_harder_one_is_promising(tmp_path):
    calls = Calls()
    # Hopeless alone (.65), but it knows when it is right.
    easy = solver("easy", 0.65, sure=(0.3, 1.0), calls=calls)

    def certain(text):
        return place("easy", 0, "sure", text) > 0.6

    async def ask(text) -> Answer:
        answer = await easy.ask(text)
        return Answer(truth(text), 0.95) if certain(text) else Answer("?", 0.2 + answer.confidence / 10)

    sharp = Solution("sharp", ask, "sharp", confident=True)
    task = a_task(bar=0.9, dev=100, test=240)
    decision = climbed(task, [sharp, solver("hard", 0.98, calls=calls)], tmp_path)
    first, second = decision.rungs
    assert first.state == "dropped" and first.dev_seen == 12
    assert second.candidate == "sharp > hard" and second.state == "PASS"
    assert second.handled[0] == pytest.approx(0.4, abs=0.15)
    assert calls.on("easy", "dev") == first.calls == second.dev_seen
    assert calls.on("hard", "test") < 0.85 * second.tested.used


def test_a_hopeless_rung_with_useless_confidence_is_not_asked_again(tmp_path):
    calls = Calls()

    async def ask(text) -> Answer:
        calls.inputs.append(("vain", text))
        return Answer("?", place("vain", text))

    decision = climbed(a_task(dev=100), [Solution("vain", ask, "vain"), solver("hard", 0.98)], tmp_path)
    assert decision.rungs[1].candidate == "hard" and calls.on("vain", "dev") == 12


def test_abstaining_hands_on_to_the_next_member(tmp_path):
    calls = Calls()

    async def rules(text: str):
        return Answer(truth(text), 0.9) if place("rules", text) < 0.4 else ABSTAIN

    decision = climbed(a_task(dev=80), [rules, solver("hard", 0.97, calls=calls)], tmp_path)
    row = decision.rungs[1]
    assert row.candidate == "rules > hard" and row.thresholds == (None, None) and row.state == "PASS"
    assert calls.on("hard", "test") < 0.85 * row.tested.used


def test_without_coverage_the_end_of_the_route_answers_whatever_it_believes(tmp_path):
    decision = climbed(a_task(), [solver("good", 0.97, sure=(0.9, 1.0))], tmp_path)
    assert decision.rungs[0].thresholds == (None,) and decision.verdict == "PASS"


def test_with_coverage_a_person_stands_at_the_end(tmp_path):
    task = a_task(bar=0.8, train=100, dev=100, test=300)
    decision = climbed(task, [learner("words", 1.0, (0.4, 1.0))], tmp_path, coverage=0.35)
    assert decision.verdict == "PASS"
    assert decision.share >= 0.30 and decision.bound >= decision.claim.bound
    assert decision.sentence.endswith("; the others go to a person.")
    threshold = decision.rungs[0].thresholds[0]
    texts = [r["input"] for r in rows(train=0, dev=0, test=300, seed=9)]

    async def answers():
        return [await decision(t) for t in texts]

    given = asyncio.run(answers())
    handed_on = [t for t, a in zip(texts, given, strict=True) if a is ABSTAIN]
    assert handed_on and all(0.4 + 0.6 * place("words", "sure", t) < threshold for t in handed_on)


def test_the_largest_coverage_is_what_can_be_shown_at_the_bar(tmp_path):
    task = a_task(bar=0.9, train=200, dev=150, test=400)
    decision = climbed(task, [learner("words", 1.0, (0.4, 1.0))], tmp_path, coverage="max")
    assert decision.claim.coverage == 0.0 and 0.55 <= decision.rungs[0].chance
    if decision.verdict == "PASS":
        assert (
            0 < decision.share < 1 and f"answers at least {int(100 * decision.share)}% of inputs" in decision.sentence
        )


def test_a_member_with_a_threshold_that_then_gives_no_confidence_is_a_failed_call(tmp_path):
    async def ask(text) -> Answer:
        sure = 0.3 + 0.7 * place("moody", text)
        right = place("moody right", text) < sure
        vague = text.startswith("test") and place("vague", text) < 0.3
        return Answer(truth(text) if right else "?", None if vague else sure)

    moody = Solution("moody", ask, "moody", confident=True)
    decision = climbed(a_task(bar=0.8, dev=120), [moody], tmp_path, coverage=0.4)
    assert decision.rungs[0].state == "paused" and decision.rungs[0].tested.failed >= 3


def test_a_route_asks_its_members_the_same_at_test_as_it_did_on_dev(tmp_path):
    """The thresholds come from out-of-fold answers, and the refitted learner is used with them."""
    task = a_task(bar=0.85, train=150, dev=100, test=240)
    decision = climbed(task, [learner("words", 1.0, (0.3, 1.0)), solver("hard", 0.96)], tmp_path)
    legs = decision.solution.members
    assert [leg.solution.name for leg in legs] == ["words", "hard"]
    assert tuple(leg.threshold for leg in legs) == decision.rungs[1].thresholds
    assert states(decision)["hard"] == "PASS"
