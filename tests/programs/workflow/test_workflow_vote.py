"""A vote over any callables: majority, threshold, weights, ties, failures, and samples that are calls of their own."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from asked_samples import first_samples, triage
from hypothesis import given
from hypothesis import strategies as st
from workflow_samples import grown, lines

import suffice as sf
from suffice.errors import BudgetError, RateLimited, SolutionError, UsageError
from suffice.programs.counting import winner
from suffice.programs.workflow import chain, vote
from suffice.values import ABSTAIN, Answer
from upstream import upstream


def says(*values, confidence=None):
    """A voter that says these one after another; an exception is raised."""
    turn = itertools.cycle(values)

    async def voter(text):
        value = next(turn)
        if isinstance(value, Exception):
            raise value
        return value if confidence is None else Answer(value, confidence)

    return voter


def test_the_commonest_answer_wins_with_its_share_and_ties_go_to_the_first():
    assert sf.run(vote(says("a", "b", "b"), n=3).reply("x")) == Answer("b", pytest.approx(2 / 3))
    assert sf.run(vote(says("a", "b"), n=4).reply("x")) == Answer("a", 0.5)
    assert sf.run(vote(says("b"), says("a"), says("b")).reply("x")) == Answer("b", pytest.approx(2 / 3))


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=9))
def test_the_winner_is_the_first_of_the_most_frequent(values):
    best = winner(values)
    most = max(values.count(value) for value in values)
    assert best.weight == most
    assert best.place == min(i for i, value in enumerate(values) if values.count(value) == most)


def test_under_its_threshold_nothing_is_answered():
    assert sf.run(vote(says("a", "a", "b"), n=3, threshold=0.6)("x")) == "a"
    assert sf.run(vote(says("a", "a", "b"), n=3, threshold=0.7)("x")) is ABSTAIN
    assert sf.run(vote(says("a"), n=3, threshold=1.0)("x")) == "a"


def test_weights_count_by_voter_or_by_the_confidence_of_each_answer():
    voters = says("a"), says("b"), says("b")
    assert sf.run(vote(*voters, weights=[3, 1, 1]).reply("x")) == Answer("a", 0.6)
    sure = says("a", confidence=0.9), says("b", confidence=0.4), says("b", confidence=0.2)
    assert sf.run(vote(*sure, weights="confidence").reply("x")) == Answer("a", pytest.approx(0.6))
    with pytest.raises(SolutionError, match="an answer of .* has none"):
        sf.run(vote(*voters, weights="confidence")("x"))


def test_whose_call_fails_or_who_abstains_votes_for_nothing_and_lowers_the_share():
    made = vote(says("a"), says(RateLimited("ask less")), says(ABSTAIN), says("a"))
    answer, root = grown(lambda: made.reply("x"))
    assert answer == Answer("a", 0.5)
    assert lines(root)[2] == "  branch voter 1 (raised)"
    assert sf.run(vote(says(ABSTAIN), n=2)("x")) is ABSTAIN
    with pytest.raises(RateLimited):
        sf.run(vote(says(RateLimited("ask less")), n=2)("x"))


def test_a_slip_in_one_voter_is_raised_and_not_outvoted():
    begun = []

    async def counting(text):
        begun.append(text)
        return "a"

    with pytest.raises(KeyError):
        sf.run(vote(says("a"), says(KeyError("x")), says("a"))("x"))
    with pytest.raises(NameError):
        sf.run(vote(says(NameError("undefined")), *[counting] * 5, concurrency=1)("x"))
    assert begun == []


def test_a_voter_out_of_time_votes_for_nothing():
    async def slow(text):
        await asyncio.sleep(30)

    assert sf.run(vote(says("a"), slow, timeout=0.01).reply("x")) == Answer("a", 0.5)


def test_answers_that_are_equal_as_json_are_one():
    assert sf.run(vote(says((1, 2)), says([1, 2]), says([3])).reply("x")) == Answer((1, 2), pytest.approx(2 / 3))


def test_one_vote_is_no_vote_and_weights_are_one_a_voter():
    with pytest.raises(UsageError, match="at least two"):
        vote(says("a"), n=1)
    with pytest.raises(UsageError, match="2 voters need 2 weights"):
        vote(says("a"), says("b"), weights=[1])
    with pytest.raises(UsageError, match="threshold"):
        vote(says("a"), threshold=1.5)


def test_a_vote_among_steps_asks_the_model_and_a_spent_budget_ends_it():
    with upstream(first_samples("billing", "returns", "billing")) as up:
        step = triage.using(model=f"{up.url}#m", temperature=0.7)
        answer = sf.run(vote(step, n=3).reply("x"))
        assert answer == Answer("billing", pytest.approx(2 / 3)) and len(up.log.served) == 3
        poor = triage.using(model=sf.Model(f"{up.url}#m", budget=sf.Budget(calls=1), attempts=1))
        with pytest.raises(BudgetError):
            sf.run(vote(poor, n=3, concurrency=1)("x"))


def test_in_a_run_each_sample_is_a_call_of_its_own_and_is_asked_once(tmp_path):
    rows = [{"ticket": f"t{i}", "team": "billing"} for i in range(40)]
    task = sf.Task(rows, inputs=["ticket"], expected="team", kind="label")
    with upstream(first_samples("billing", "billing", "returns")) as up:
        voting = vote(chain(triage.using(model=f"{up.url}#m"), lambda team: team), n=3)
        report = sf.run(sf.evaluate(task, voting, store=tmp_path, concurrency=1))
        assert len(up.log.served) == 3 * report.n
        more = vote(chain(triage.using(model=f"{up.url}#m"), lambda team: team), n=4)
        sf.run(sf.evaluate(task, more, store=tmp_path, concurrency=1))  # three of its four samples are recorded
        assert len(up.log.served) == 4 * report.n
