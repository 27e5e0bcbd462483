"""The rule of the climb: judgements on dev, the way up, the way down."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suffice.ladder.rule import (
    QUICK,
    Dev,
    DevEnd,
    Rule,
    Test,
    judge_dev,
    least_to_judgement,
    moves,
)
from suffice.stats.claim import Claim
from suffice.stats.predict import chance

RULE = Rule()
NO_LAST_CHANCE = Rule(last_chance=False)


@pytest.mark.parametrize(
    ("chance", "seen", "judgement"),
    [
        (0.01, 11, "go on"),
        (0.02, 12, "drop"),
        (0.03, 12, "go on"),
        (0.95, 29, "go on"),
        (0.90, 30, "test"),
        (0.89, 119, "go on"),
        (0.45, 120, "test"),
        (0.44, 120, "keep"),
        (0.01, 120, "drop"),
    ],
)
def test_dev_is_judged_as_documented(chance, seen, judgement):
    assert judge_dev(chance, seen, 120, RULE) == judgement


def test_a_short_dev_still_ends():
    assert judge_dev(0.02, 8, 8, RULE) == "keep"
    assert judge_dev(0.5, 8, 8, RULE) == "test"


def walk(devs, verdicts, rule=RULE):
    """Plays the climb: what dev says and what test says of each rung; returns the moves made and the winner."""
    steps, made = moves(len(devs), rule), []
    step = next(steps)
    while True:
        made.append(step)
        try:
            step = steps.send(devs[step.rung] if isinstance(step, Dev) else verdicts[step.rung])
        except StopIteration as stop:
            return made, stop.value


DROP, TEST, KEEP, FAINT = DevEnd("drop", 0.01), DevEnd("test", 0.95), DevEnd("keep", 0.2), DevEnd("keep", 0.05)


def test_the_climb_stops_at_the_first_pass():
    made, winner = walk([DROP, TEST, TEST], ["PASS", "PASS", "PASS"])
    assert made == [Dev(0), Dev(1), Test(1)] and winner == 1


def test_a_rung_that_does_not_pass_is_passed_over():
    made, winner = walk([TEST, TEST, TEST], ["FAIL", "UNPROVEN", "PASS"])
    assert made == [Dev(0), Test(0), Dev(1), Test(1), Dev(2), Test(2)] and winner == 2


def test_after_the_first_pass_kept_rungs_are_tried_nearest_first_until_one_does_not_pass():
    made, winner = walk([KEEP, KEEP, FAINT, DROP, KEEP, TEST], ["PASS", "FAIL", "PASS", "PASS", "PASS", "PASS"])
    assert made[-3:] == [Test(5), Test(4), Test(1)] and winner == 4


def test_a_rung_that_was_tried_on_the_way_up_is_not_tried_again():
    made, _ = walk([TEST, TEST], ["FAIL", "PASS"])
    assert made.count(Test(0)) == 1


def test_without_a_last_chance_kept_rungs_stay_untried_when_nothing_passed():
    made, winner = walk([DROP, KEEP, TEST], ["PASS", "PASS", "FAIL"], NO_LAST_CHANCE)
    assert winner is None and Test(1) not in made


def test_with_a_last_chance_kept_rungs_are_tried_even_when_nothing_passed():
    made, winner = walk([DROP, KEEP, TEST], ["PASS", "PASS", "FAIL"])
    assert winner == 1 and made[-1] == Test(1)


def test_quick_takes_the_first_pass():
    made, winner = walk([KEEP, TEST], ["PASS", "PASS"], QUICK)
    assert winner == 1 and Test(0) not in made


def test_an_empty_ladder_has_no_winner():
    with pytest.raises(StopIteration) as stop:
        next(moves(0, RULE))
    assert stop.value.value is None


def test_dev_must_end_with_a_dev_end():
    steps = moves(1, RULE)
    next(steps)
    with pytest.raises(TypeError, match="DevEnd"):
        steps.send("PASS")


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from([DROP, TEST, KEEP, FAINT]), min_size=1, max_size=7),
    st.data(),
    st.sampled_from([RULE, QUICK, NO_LAST_CHANCE]),
)
def test_the_winner_passed_and_no_rung_is_tried_twice(devs, data, rule):
    verdicts = data.draw(
        st.lists(st.sampled_from(["PASS", "FAIL", "UNPROVEN"]), min_size=len(devs), max_size=len(devs))
    )
    made, winner = walk(devs, verdicts, rule)
    tried = [step.rung for step in made if isinstance(step, Test)]
    assert len(tried) == len(set(tried))
    assert all(Dev(rung) in made and devs[rung] is not DROP for rung in tried)
    passed = [rung for rung in tried if verdicts[rung] == "PASS"]
    assert winner == (min(passed) if passed else None)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 59), st.data())
def test_dev_never_ends_before_the_least_number_told_and_can_end_then(seen, data):
    claim, total = Claim(0.8, 0.05, 120, 0.025), 60
    right = data.draw(st.integers(0, seen))

    def q(good, count):
        return chance(good, count, claim)

    told = least_to_judgement(lambda d: q(right + d, seen + d), lambda d: q(right, seen + d), seen, total, RULE)

    def ends(further):
        return any(
            judge_dev(q(right + g, seen + further), seen + further, total, RULE) != "go on" for g in range(further + 1)
        )

    assert 1 <= told <= total - seen and ends(told)
    assert not any(ends(further) for further in range(1, told))
