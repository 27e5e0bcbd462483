"""Rungs of two and more calls, chain and refine, and workflows as rungs: each has to earn its place on the ladder."""

from __future__ import annotations

import json

import pytest
from climb_samples import a_task, climbed, said, states, truth
from prompting_samples import said as answers
from prompting_samples import skilled
from upstream_faults import Asked, Fault, Ok

import suffice as sf
from suffice.errors import UsageError
from suffice.ladder import rung
from suffice.programs import workflow
from upstream import Upstream, upstream


def ticket_of(asked: Asked) -> str:
    """The ticket itself, which stands in the first turn of the user."""
    return next(m["content"] for m in asked.body["messages"] if m["role"] == "user")


def thinks(share_cold: float, share_reasoned: float):
    """A model that is right on one share of tickets at once, and on another once it has reasoned."""
    cold, reasoned = skilled(share_cold), skilled(share_reasoned)

    def script(asked: Asked) -> Fault:
        turns = [m["role"] for m in asked.body["messages"]]
        if "response_format" not in asked.body:
            return Ok("It speaks of a parcel, so of no invoice.")
        chosen = reasoned if "assistant" in turns else cold
        return chosen(Told(ticket_of(asked)))

    return script


class Told:
    """A request as `skilled` looks at it."""

    def __init__(self, text: str) -> None:
        self.text = text


def checks(share: float, *, finds: bool):
    """A model that is right on a share of tickets at once, and mends every wrong answer that its check finds."""

    def script(asked: Asked) -> Fault:
        ticket, turns = ticket_of(asked), asked.body["messages"]
        first = json.loads(skilled(share)(Told(ticket)).text)["answer"]
        fields = asked.body["response_format"]["json_schema"]["schema"]["properties"]
        if "right" in fields:
            last = json.loads(turns[-2]["content"])["answer"]
            fault = "It is another team's." if finds and last != truth(ticket) else None
            return Ok(json.dumps({"fault": fault, "right": fault is None}))
        return answers(truth(ticket) if len(turns) > 2 else first)

    return script


def on(up: Upstream) -> str:
    return f"{up.url}#m"


def test_a_chain_that_reasons_first_earns_its_place(tmp_path):
    with upstream(thinks(0.5, 0.97)) as up:
        decision = climbed(a_task(), ["constant", "prompt", "chain"], tmp_path, model=on(up))
        assert decision.verdict == "PASS" and decision.solution.name == "chain"
        assert states(decision)["prompt"] == "dropped"
        saved = sf.load(decision.save(tmp_path / "c.suffice"))
        n = len(up.log.served)
        assert sf.run(saved("dev ticket 5 of 0")) == truth("dev ticket 5 of 0")
        first, second = (a.body["messages"] for a in up.log.asked[n:])
        assert [m["role"] for m in first] == ["system", "user"] and "Do not answer yet" in first[0]["content"]
        assert [m["role"] for m in second] == ["system", "user", "assistant", "user"]
        assert second[2]["content"] == "It speaks of a parcel, so of no invoice."


def test_a_chain_that_adds_nothing_is_dropped(tmp_path):
    with upstream(thinks(0.5, 0.5)) as up:
        decision = climbed(a_task(), ["constant", "prompt", "chain"], tmp_path, model=on(up))
        assert decision.verdict != "PASS" and states(decision)["chain"] == "dropped"
    with upstream(thinks(0.97, 0.97)) as up:
        decision = climbed(a_task(), ["constant", "prompt", "chain"], tmp_path, model=on(up))
        assert decision.solution.name == "prompt" and states(decision)["chain"] == "waiting"
        assert all(len(a.body["messages"]) == 2 for a in up.log.asked)  # nobody reasoned


def test_a_refinement_earns_its_place_where_the_check_finds_faults_and_is_dropped_where_it_does_not(tmp_path):
    with upstream(checks(0.6, finds=True)) as up:
        decision = climbed(a_task(), ["prompt", "refine"], tmp_path, model=on(up))
        assert decision.verdict == "PASS" and decision.solution.name == "refine"
        saved = sf.load(decision.save(tmp_path / "r.suffice"))
        assert sf.run(saved("dev ticket 5 of 0")) == truth("dev ticket 5 of 0")
    with upstream(checks(0.6, finds=False)) as up:
        decision = climbed(a_task(), ["prompt", "refine"], tmp_path, model=on(up))
        assert decision.verdict != "PASS" and states(decision)["refine"] == "dropped"


@sf.step
async def sort(ticket: str) -> str:
    """Which team?"""
    ...


@pytest.mark.parametrize("most", [1, 3])
def test_an_answer_is_mended_at_most_as_often_as_is_said_and_else_the_first_stands(most):
    def never(asked: Asked) -> Fault:
        if "response_format" in asked.body:
            return Ok('{"fault": "no", "right": false}')
        return Ok(f"answer {asked.number}")

    task = a_task()
    with upstream(never) as up, sf.using(model=on(up)):
        solution = sf.run(rung.refine(sort, most=most).fit(task, task.train))
        assert sf.run(solution("a parcel")) == "answer 0"
        assert len(up.log.served) == 2 * (most + 1)  # each answer with its check
        assert [m["content"] for m in up.log.asked[-1].body["messages"][2:3]] == [f"answer {2 * most}"]
    assert rung.refine(most=most).identity != rung.refine(most=2).identity


def test_a_workflow_is_a_rung_and_is_asked_with_the_model_of_the_climb(tmp_path):
    known = workflow.chain(str.strip, lambda ticket: truth(ticket), name="known")
    decision = climbed(a_task(), ["constant", known], tmp_path)
    assert decision.verdict == "PASS" and decision.solution.name == "known"

    def script(asked: Asked) -> Fault:
        return Ok(truth(asked.text))

    with upstream(script) as up:
        asking = workflow.chain(str.strip, sort, name="asking")
        decision = climbed(a_task(), ["constant", asking], tmp_path, model=on(up))
        assert decision.verdict == "PASS" and decision.solution.name == "asking" and up.log.served


def test_without_a_model_what_asks_one_is_not_tried(tmp_path, monkeypatch):
    monkeypatch.delenv("SUFFICE_MODEL", raising=False)
    asking = workflow.chain(str.strip, sort, name="asking")
    decision = climbed(a_task(), ["constant", "chain", "refine", asking], tmp_path)
    assert {name: state for name, state in states(decision).items() if name != "constant"} == dict.fromkeys(
        ("chain", "refine", "asking"), "not tried"
    )


def test_a_step_is_wanted_where_a_step_is_asked():
    with pytest.raises(UsageError, match="step"):
        rung.chain(workflow.chain(str.strip))
    with pytest.raises(UsageError, match="most"):
        rung.refine(sort, most=0)


def test_said_twice_the_climb_is_the_same(tmp_path):
    with upstream(thinks(0.5, 0.97)) as up:
        first = climbed(a_task(), ["prompt", "chain"], tmp_path, model=on(up))
        n = len(up.log.served)
        assert said(climbed(a_task(), ["prompt", "chain"], tmp_path, model=on(up))) == said(first)
        assert len(up.log.served) == n
