"""A vote: several samples, the commonest answer, its share as the confidence."""

from __future__ import annotations

import pytest
from asked_samples import first_samples, said, triage
from upstream_faults import Ok, Status

import suffice as sf
from suffice.errors import BudgetError, RefusedError, UsageError
from suffice.programs.bundle import save_bundle
from suffice.programs.solution import Solution
from suffice.programs.vote import Voting, vote_solution
from upstream import upstream


def voting(url: str, n: int = 5, **options) -> Solution:
    step = triage.using(model=sf.Model(f"{url}#m", attempts=1, **options))
    return vote_solution(Voting(step.asking(), n, 0.7))


def test_the_commonest_answer_wins_and_its_share_is_the_confidence():
    with upstream(first_samples("billing", "returns", "billing", None, "billing")) as up:
        answer = sf.run(voting(up.url).reply("x"))
        assert (answer.value, answer.confidence, answer.by) == ("billing", 0.6, "triage")
        assert {a.body["temperature"] for a in up.log.asked} == {0.7} and len(up.log.served) == 5


def test_of_answers_that_are_as_common_that_of_the_earlier_sample_wins():
    def script(asked):
        return said("returns") if asked.number % 2 == 0 else said("billing")

    with upstream(script) as up:  # one at a time: the samples arrive in the order in which they were sent
        one = voting(up.url, n=2, limits=sf.models.Limits(concurrency=1))
        answers = [sf.run(one.reply(f"x {i}")) for i in range(5)]
        assert [(a.value, a.confidence) for a in answers] == [("returns", 0.5)] * 5


def test_nothing_can_win_a_vote():
    with upstream(first_samples(None, None, "billing")) as up:
        answer = sf.run(voting(up.url, n=3).reply("x"))
        assert answer.value is None and answer.confidence == pytest.approx(2 / 3)


def test_samples_that_fail_lower_the_confidence_and_all_of_them_are_an_error():
    with upstream(lambda asked: Status(400) if asked.number % 5 < 2 else said("billing")) as up:
        assert sf.run(voting(up.url).reply("x")).confidence == 0.6
    with upstream(Status(400)) as up, pytest.raises(RefusedError):
        sf.run(voting(up.url).reply("x"))


def test_a_spent_budget_ends_a_vote_with_its_own_error():
    with upstream(first_samples("billing")) as up, pytest.raises(BudgetError, match="2 of 2 calls"):
        sf.run(voting(up.url, budget=sf.Budget(calls=2)).reply("x"))
    assert len(up.log.served) == 2


def test_a_blank_input_is_voted_on_by_nobody():
    with upstream() as up:
        assert sf.run(voting(up.url).reply("  ")).value is None and not up.log.served


def test_the_samples_of_a_vote_run_side_by_side():
    with upstream(Ok('{"answer": "billing"}', delay=0.1)) as up:
        sf.run(voting(up.url, n=4).reply("x"))
    assert up.log.most_in_flight > 1


def test_a_vote_is_recorded_sample_by_sample_and_asked_once(tmp_path):
    rows = [{"ticket": f"t{i}", "team": "billing"} for i in range(40)]
    task = sf.Task(rows, inputs=["ticket"], expected="team", kind="label")
    with upstream(first_samples("billing", "billing", "returns")) as up:
        report = sf.run(sf.evaluate(task, voting(up.url, n=3), store=tmp_path))
        assert len(up.log.served) == 3 * report.n
        sf.run(sf.evaluate(task, voting(up.url, n=5), store=tmp_path))  # the first three samples are recorded
        assert len(up.log.served) == 5 * report.n


def test_a_saved_vote_is_the_same_vote(tmp_path):
    with upstream(first_samples("billing", "billing", "returns")) as up:
        vote = voting(up.url, n=3)
        loaded = sf.load(save_bundle(vote, tmp_path / "vote.suffice"))
        assert loaded.identity == vote.identity and loaded.confident
        assert sf.run(loaded.reply("x")).confidence == pytest.approx(2 / 3)
        assert len({voting(up.url, n=n).identity for n in (2, 3, 4)}) == 3


def test_a_vote_of_one_is_refused():
    with pytest.raises(UsageError, match="at least 2"):
        sf.rung.vote(triage, n=1)
