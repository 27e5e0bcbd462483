"""Rungs that ask a model and say how sure they are: routes over them, and which confidence was used, on the report."""

from __future__ import annotations

import json
import math

import pytest
from climb_samples import a_task, climbed, place, said, states, truth
from prompting_samples import skilled, wrong
from upstream_faults import Asked, Fault, Ok

import suffice as sf
from suffice.errors import UsageError
from suffice.ladder.closing import to_json_decision
from suffice.ladder.page import eval_page, page
from upstream import Upstream, upstream


@sf.step
async def sort(ticket: str) -> str | None:
    """Which team?"""
    ...


def on(up: Upstream) -> str:
    return f"{up.url}#m"


def chance(text: str) -> float:
    """Of being right on a ticket: high on the six in ten that are easy, and low on the others."""
    spread = place("spread", text)
    return 0.98 + 0.02 * spread if place("easy", text) < 0.6 else 0.2 + 0.4 * spread


def honest(asked: Asked) -> Fault:
    """Right with the chance that the log-probabilities of the answer say, or the percentage when asked for it."""
    text = next(m["content"] for m in reversed(asked.body["messages"]) if "ticket" in m["content"])
    if "How likely" in asked.text:
        return Ok(json.dumps({"answer": round(100 * chance(text))}))
    answer = truth(text) if place("honest", text) < chance(text) else wrong(text)
    half = len(answer) // 2
    log = math.log(chance(text)) / 2
    tokens = (('{"answer":"', -7.0), (answer[:half], log), (answer[half:], log), ('"}', -7.0))
    return Ok(json.dumps({"answer": answer}, separators=(",", ":")), tokens=tokens)


@pytest.mark.parametrize(("kind", "words"), [("logprobs", "log-probabilities"), ("self-check", "self-check")])
def test_a_sure_prompt_answers_its_share_and_the_route_over_it_wins(tmp_path, kind, words):
    task = a_task(bar=0.92, dev=120, test=200)
    with upstream(honest) as cheap, upstream(skilled(0.97)) as dear:
        ladder = [sf.rung.prompt(confidence=kind), sf.rung.step(sort.using(model=on(dear)))]
        decision = climbed(task, ladder, tmp_path, model=on(cheap))
        assert decision.verdict == "PASS" and decision.solution is not None
        assert decision.solution.name == "prompt > sort"
        first, last = decision.solution.members
        assert 0 < first.threshold < 1 and last.threshold is None
        assert len(dear.log.served) < len(cheap.log.served) / (2 if kind == "self-check" else 1)
        assert decision.rungs[1].confidence_from == (words, None)
        assert f"confidence: {words} (prompt)" in str(decision)
        assert f"Confidence: {words} (prompt)." in page(json.loads(json.dumps(to_json_decision(decision))))
        n = len(cheap.log.served) + len(dear.log.served)
        assert climbed(task, ladder, tmp_path, model=on(cheap)).sentence == decision.sentence
        assert len(cheap.log.served) + len(dear.log.served) == n
        loaded = sf.load(decision.save(tmp_path / "t.suffice"))
        assert loaded.identity == decision.solution.identity
        assert [leg.threshold for leg in loaded.members] == [first.threshold, None]
        text = next(t for t in (f"new ticket {i}" for i in range(1000)) if chance(t) > first.threshold)
        unsure = next(t for t in (f"new ticket {i}" for i in range(1000)) if chance(t) < first.threshold - 0.01)
        assert sf.run(loaded.reply(text)).by == "prompt" and sf.run(loaded.reply(unsure)).by == "sort"


def test_with_a_coverage_the_threshold_on_a_prompt_hands_on_to_a_person(tmp_path):
    with upstream(honest) as up:
        ladder = [sf.rung.prompt(confidence="logprobs")]
        decision = climbed(a_task(dev=60, test=120), ladder, tmp_path, model=on(up), coverage=0.5)
        assert decision.verdict == "PASS" and decision.solution is not None
        assert "confidence: log-probabilities (prompt)" in str(decision)
        assert decision.pages["curve"]


def test_a_prompt_that_states_no_confidence_has_none_and_stands_in_no_route(tmp_path):
    with upstream(honest) as cheap, upstream(skilled(0.97)) as dear:
        decision = climbed(a_task(bar=0.9, test=120), ["prompt", sort.using(model=on(dear))], tmp_path, model=on(cheap))
        assert decision.verdict == "PASS" and decision.solution.name == "sort"
        assert "confidence:" not in str(decision)
        assert all("logprobs" not in a.body for a in cheap.log.asked)


def test_where_the_endpoint_is_known_to_give_no_log_probabilities_a_rung_is_not_tried(tmp_path):
    ladder = ["constant", sf.rung.prompt(confidence="logprobs"), sf.rung.examples(confidence="logprobs")]
    decision = climbed(a_task(), ladder, tmp_path, model="openai:gpt-5-mini")
    assert states(decision)["prompt"] == states(decision)["examples"] == "not tried"
    assert "openai:gpt-5-mini gives no log-probabilities" in decision.rungs[1].note
    with pytest.raises(UsageError, match="gives no log-probabilities.*self-check"):
        sf.run(sf.evaluate(a_task(), ladder[1], store=tmp_path, model="openai:gpt-5-mini"))


def test_where_replies_turn_out_to_have_none_a_rung_pauses_and_says_so(tmp_path):
    with upstream(skilled(0.95)) as up:
        decision = climbed(a_task(), [sf.rung.prompt(confidence="logprobs")], tmp_path, model=on(up), concurrency=2)
        assert decision.verdict == "UNPROVEN" and states(decision)["prompt"] == "paused"
        assert "gave no log-probabilities" in decision.rungs[0].note and len(up.log.served) < 12


def test_a_confidence_makes_another_rung_and_an_evaluation_says_which_it_was(tmp_path):
    rungs = [sf.rung.step(sort, confidence=kind) for kind in (None, "logprobs", "self-check")]
    assert len({r.identity for r in rungs}) == 3 and {r.name for r in rungs} == {"sort"}
    with upstream(honest) as up:
        report = sf.run(sf.evaluate(a_task(dev=30), rungs[1], store=tmp_path, model=on(up)))
        assert report.confidence_from == "log-probabilities" and report.curve is not None
        assert "confidence log-probabilities" in str(report)
        assert "Its confidence: log-probabilities." in eval_page(report.to_json())
        assert "log-probabilities" in eval_page(report.to_record())


def test_words_and_votes_say_where_their_confidence_comes_from(tmp_path):
    with upstream(skilled(0.9)) as up:
        decision = climbed(a_task(dev=20), [sf.rung.vote(n=2)], tmp_path, model=on(up), dev_only=True)
        assert said(decision)["rungs"][0]["confidence_from"] == ["vote share"]
    assert sf.rung.words().confidence_from == "calibrated probability"
