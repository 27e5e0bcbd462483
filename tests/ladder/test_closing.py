"""How a climb ends: the decision as an object, and what it advises when nothing passed."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
from climb_samples import Calls, a_task, climbed, learner, place, rows, solver, states

from suffice.errors import SolutionError
from suffice.ladder.closing import to_json_decision
from suffice.ladder.gate import ALWAYS
from suffice.store.database import open_store
from suffice.store.runs import get_run
from suffice.values import ABSTAIN, Answer

# The decision.


def test_a_decision_can_be_called_and_says_who_answered(tmp_path):
    decision = climbed(a_task(), [solver("good", 0.97)], tmp_path)
    texts = [f"new ticket {i}" for i in range(5)]

    async def ask():
        return [await decision(t) for t in texts], await decision.solution.reply(texts[0])

    answers, reply = asyncio.run(ask())
    assert all(isinstance(a, str) for a in answers)
    assert isinstance(reply, Answer) and reply.value == answers[0]


def test_without_a_pass_there_is_nothing_to_call_or_to_save(tmp_path):
    decision = climbed(a_task(), [solver("poor", 0.2)], tmp_path)
    assert decision.solution is None and decision.bound is None and decision.error is None
    with pytest.raises(SolutionError, match="nothing passed"):
        asyncio.run(decision("x"))
    with pytest.raises(SolutionError, match="nothing passed"):
        decision.save(tmp_path / "bundle")


def test_a_decision_prints_its_ladder(tmp_path):
    decision = climbed(a_task(), [solver("poor", 0.2), solver("good", 0.97)], tmp_path)
    first, poor, good = str(decision).splitlines()
    assert first == f"PASS: {decision.sentence}"
    assert re.fullmatch(r"  poor: dev \d of 12 right \(\.\d{3} to \.\d{3} at 95%\), predicted chance 0%: dropped", poor)
    assert re.fullmatch(
        r"  good: dev \d+ of \d+ right \(.*\), predicted chance 9\d%: PASS after \d+ sealed cases", good
    )


def test_the_run_remembers_the_decision_as_json(tmp_path):
    decision = climbed(a_task(), [solver("good", 0.97)], tmp_path)
    with open_store(tmp_path) as db:
        run = get_run(db, decision.run)
    assert run.state == "done" and run.kind == "climb"
    assert run.result == json.loads(json.dumps(to_json_decision(decision)))
    assert run.result["verdict"] == "PASS" and run.result["bound"] == decision.bound


# When nothing passed.


def test_what_came_closest_is_named_with_its_figures(tmp_path):
    decision = climbed(a_task(), [solver("poor", 0.2), solver("near", 0.6)], tmp_path)
    assert decision.verdict == "UNPROVEN"
    assert decision.sentence == "nothing looked likely enough on dev to spend a try on (.80 was asked)."
    row = decision.rungs[1]
    assert decision.advice[0] == (
        f"Closest on dev: `near`, {row.dev_right} of {row.dev_seen} right, predicted chance of a PASS {row.chance:.0%}."
    )


def test_what_would_settle_an_unproven_is_said(tmp_path):
    # Right at the bar on dev; a little below it on test.
    near = solver("near", lambda t: place(t) < (0.84 if t.startswith("dev") else 0.775))
    decision = climbed(a_task(dev=100, test=120), [near], tmp_path, tolerance=0.05, rule=ALWAYS)
    assert decision.verdict == "UNPROVEN"
    text = " ".join(decision.advice)
    found = re.search(r"About ([\d,]+) fresh test cases would settle it \(from dev, at 80%\)\.", text)
    assert found and int(found[1].replace(",", "")) > 0


@pytest.mark.parametrize("seed", [1, 5])
def test_the_coverage_that_is_advised_then_passes(tmp_path, seed):
    task = a_task(bar=0.85, train=150, dev=150, test=400, seed=seed)
    words = learner("words", 1.0, (0.55, 1.0))
    decision = climbed(task, [words], tmp_path)
    assert decision.verdict == "UNPROVEN" and decision.solution is None
    advice = next(a for a in decision.advice if a.startswith("What could be claimed"))
    found = re.search(r"`words` answers \d+% of dev with \.\d+ right; try --coverage (0?\.\d+) and hand", advice)
    assert found, advice
    followed = climbed(task, [words], tmp_path, coverage=float(found[1]))
    assert followed.verdict == "PASS" and followed.share >= float(found[1]) - 0.05
    some = asyncio.run(_answers(followed, 40))
    assert ABSTAIN in some and any(a is not ABSTAIN for a in some)


def test_a_coverage_is_advised_for_a_solution_that_abstains_by_itself(tmp_path):
    shy = solver("shy", 0.97, hands_on=lambda t: place("shy?", t) < 0.5)
    decision = climbed(a_task(dev=100, test=300), [shy], tmp_path, rule=ALWAYS)  # all of dev, not a dozen cases
    advice = next(a for a in decision.advice if a.startswith("What could be claimed"))
    coverage = float(re.search(r"--coverage ([\d.]+)", advice)[1])
    assert climbed(a_task(dev=100, test=300), [shy], tmp_path, coverage=coverage).verdict == "PASS"


async def _answers(decision, count):
    return [await decision(f"fresh ticket {i}") for i in range(count)]


def test_as_long_as_one_rung_is_undecided_nothing_is_refuted(tmp_path):
    def rung(name, rate):
        return solver(name, lambda t: place(name, t) < (0.97 if t.startswith("dev") else rate))

    task = a_task(tolerance=0.02)
    decision = climbed(task, [rung("near", 0.79), rung("bad", 0.4)], tmp_path)
    assert states(decision) == {"near": "UNPROVEN", "bad": "FAIL"}
    assert decision.verdict == "UNPROVEN" and decision.sentence.startswith("`near` is unproven")
    both = climbed(task, [rung("worse", 0.3), rung("bad", 0.4)], tmp_path)
    assert both.verdict == "FAIL" and both.sentence.startswith("`bad` does not suffice")


# The evidence for the page.


def test_the_page_shows_dev_failures_with_texts_and_calls_that_gave_no_answer(tmp_path):
    lost = next(r["input"] for r in rows() if r["split"] == "dev")
    calls = Calls()
    good = solver("good", 0.9, calls=calls, fails=lambda t: t == lost)
    decision = climbed(a_task(bar=0.85), [good], tmp_path, dev_only=True)
    row, shown = decision.rungs[0], decision.pages
    assert shown["failures_total"] == row.dev_seen - row.dev_right
    assert all(f["inputs"].startswith("dev ticket") for f in shown["failures"])
    [reason] = [f["reason"] for f in shown["failures"] if f["inputs"] == lost]
    assert reason.startswith("ConnectionError: no route to host")
    assert sum(n for _, _, n in shown["confusion"]) == row.dev_seen
    assert any(said == "(error)" for _, said, _ in shown["confusion"])


def test_the_page_says_which_member_of_a_route_answered(tmp_path):
    task = a_task(bar=0.85, train=150, dev=100, test=240)
    decision = climbed(task, [learner("words", 1.0, (0.3, 1.0)), solver("hard", 0.96)], tmp_path)
    assert decision.pages["members"] == ["words", "hard"]
    assert {f["by"] for f in decision.pages["failures"]} <= {"words", "hard"}
    row = decision.rungs[1]
    assert sum(n for _, _, n in decision.pages["confusion"]) == row.dev_seen == row.dev_answered


def test_a_person_answers_no_page(tmp_path):
    task = a_task(bar=0.8, train=100, dev=100, test=300)
    decision = climbed(task, [learner("words", 1.0, (0.4, 1.0))], tmp_path, coverage=0.35)
    row = decision.rungs[0]
    assert sum(n for _, _, n in decision.pages["confusion"]) == row.dev_answered < row.dev_seen
    curve = decision.pages["curve"]
    assert curve and all(0 <= c <= 1 and 0 <= r <= 1 for c, r, _ in curve)


def test_the_page_holds_the_dev_scores_in_their_order_and_none_of_test(tmp_path):
    decision = climbed(a_task(), [solver("good", 0.97)], tmp_path)
    scores = decision.pages["scores"]
    row = decision.rungs[0]
    assert len(scores) == row.dev_seen and sum(s for s, _ in scores) == row.dev_right
    assert all(n == 1 for _, n in scores)
