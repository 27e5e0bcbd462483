"""How sure a model is of its answer: the tokens of the answer, and what it says when it is asked again."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from asked_samples import triage, turns
from pydantic import BaseModel
from upstream_faults import Asked, Fault, Ok, Status

import suffice as sf
from suffice.errors import BundleError, OutputError, SolutionError, UsageError
from suffice.exchange import Reply, TokenLogprob
from suffice.programs.bundle import save_bundle
from suffice.programs.confidence import token_probability
from suffice.programs.manifest import MANIFEST, manifest_text
from suffice.programs.solution import Solution
from suffice.programs.step_solution import step_solution
from suffice.programs.vote import Voting, vote_solution
from upstream import upstream

ANSWERED = Ok('{"answer":"billing"}', tokens=(('{"answer":"', -9.0), ("bill", -0.1), ("ing", -0.2), ('"}', -9.0)))


class Order(BaseModel):
    zip: str
    amounts: list[int]


@sf.step
async def title(text: str) -> str:
    """A title for this text."""
    ...


@sf.step
async def order(text: str) -> Order:
    """What was ordered?"""
    ...


def sure(step: Any, url: str, confidence: Any, **options: Any) -> Solution:
    made = step.using(model=sf.Model(f"{url}#m", attempts=1), **options)
    return step_solution(replace(made.asking(), confidence=confidence))


def reply(text: str, *tokens: tuple[str | bytes, float]) -> Reply[Any]:
    """A reply whose tokens have these log-probabilities; bytes are a piece of a character."""
    made = [TokenLogprob(t if isinstance(t, str) else "?", p, None if isinstance(t, str) else t) for t, p in tokens]
    return Reply(text, text, logprobs=tuple(made))


def billing(word: str) -> sf.Task:
    rows = [{"ticket": f"{word} {i}", "team": "billing"} for i in range(30)]
    return sf.Task(rows, inputs=["ticket"], expected="team", kind="label")


def summed(given: Reply[Any], plain: bool = False) -> float:
    return round(math.log(token_probability(given, plain=plain)), 9)


def test_the_confidence_of_a_label_is_the_joint_probability_of_its_own_tokens():
    with upstream(ANSWERED) as up:
        answer = sf.run(sure(triage, up.url, "logprobs").reply("my invoice"))
        assert (answer.value, answer.confidence) == ("billing", pytest.approx(math.exp(-0.3)))
        assert up.log.asked[0].body["logprobs"] is True and len(up.log.served) == 1


def test_the_confidence_of_a_text_is_that_of_all_of_it():
    with upstream(Ok("A title", tokens=(("A", -0.5), (" title", -0.25)))) as up:
        assert sf.run(sure(title, up.url, "logprobs").reply("x")).confidence == pytest.approx(math.exp(-0.75))


def test_the_confidence_of_an_object_is_that_of_its_values_without_keys_and_punctuation():
    tokens = [("{", -9.0), ('"zip"', -9.0), (": ", -9.0), ('"', -9.0), ("01", -0.5), ('",', -9.0)]
    tokens += [(' "amounts":', -9.0), (" [", -9.0), ("7", -0.25), (",", -9.0), (" 12", -0.125), ("]}", -9.0)]
    with upstream(Ok('{"zip": "01", "amounts": [7, 12]}', tokens=tuple(tokens))) as up:
        answer = sf.run(sure(order, up.url, "logprobs").reply("x"))
        assert answer.value == {"zip": "01", "amounts": [7, 12]}
        assert answer.confidence == pytest.approx(math.exp(-0.875))


def test_a_token_that_holds_a_part_of_a_value_counts_whole():
    assert summed(reply('{"answer":"no"}', ('{"answer":"n', -0.5), ('o"}', -0.25))) == -0.75


@pytest.mark.parametrize("value", ['""', "[]", "{ }", "null", "-1.5e3", "true", r'"a\"b"', '"a:{b},[c]"', '"a": "b"'])
def test_each_kind_of_value_is_found_among_the_punctuation(value):
    around = '{ "answer" : ' if not value.startswith('"a":') else "{ "
    empty = value in ('""', "[]", "{ }")
    inner = value if empty or not value.startswith('"') else value.rpartition('": "')[2].removeprefix('"')[:-1]
    before, after = (around + value + " }").split(inner) if inner != '""' else (around, " }")
    assert summed(reply(before + inner + after, (before, -9.0), (inner, -0.5), (after, -9.0))) == -0.5


def test_what_stands_around_the_answer_does_not_count():
    fenced = '```json\n{"answer": "no"}\n```'
    tokens = [("```json\n", -9.0), ('{"answer": "', -9.0), ("no", -0.5), ('"}', -9.0), ("\n```", -9.0)]
    assert summed(reply(fenced, *tokens)) == -0.5
    thought = [("no? yes.", -9.0), ("</think>", -9.0), ("\n\nno", -0.5), ("<|end|>", -9.0)]
    assert summed(reply("no", *thought), plain=True) == -0.5
    assert summed(reply("s", ("s", -0.5), ("</s>", -9.0)), plain=True) == -0.5


def test_characters_that_are_split_into_tokens_are_put_together():
    first, second = "退".encode()[:1], "退".encode()[1:]
    given = reply('{"answer":"退货"}', ('{"answer":"', -9.0), (first, -0.25), (second, -0.5), ("货", 0.0), ('"}', -9.0))
    assert summed(given) == -0.75
    with upstream(Ok("退", tokens=((first, -0.25), (second, -0.5)))) as up:
        assert sf.run(sure(title, up.url, "logprobs").reply("x")).confidence == pytest.approx(math.exp(-0.75))


def test_recorded_log_probabilities_are_those_that_came(tmp_path):
    first, second = "ü".encode()[:1], "ü".encode()[1:]
    task = billing("t")
    with upstream(Ok("Tür", tokens=(("T", -0.5), (first, -0.25), (second, -0.5), ("r", 0.0)))) as up:
        solution = sure(title, up.url, "logprobs")
        report = sf.run(sf.evaluate(task, solution, store=tmp_path))
        again = sf.run(sf.evaluate(task, replace(solution, identity="another"), store=tmp_path))
        assert len(up.log.served) == report.n == again.n
        for outcome in (*report.outcomes, *again.outcomes):
            assert outcome.answer is not None and outcome.answer.confidence == pytest.approx(math.exp(-1.25))


def test_a_rounded_logarithm_above_zero_is_certain_and_no_more():
    assert token_probability(reply("no", ("no", 1e-7)), plain=True) == 1.0


def test_a_reply_without_log_probabilities_is_an_error_and_never_certain():
    with upstream(Ok('{"answer":"billing"}')) as up, pytest.raises(SolutionError, match="gave no log-prob") as found:
        sf.run(sure(triage, up.url, "logprobs").reply("x"))
    assert "self-check" in (found.value.hint or "")


def test_log_probabilities_of_another_text_are_an_error():
    for text, tokens in (("no", (("yes", 0.0),)), ("", (("", 0.0),))):
        with pytest.raises(SolutionError, match="do not spell the answer"):
            token_probability(reply(text, *tokens), plain=True)


def test_an_endpoint_known_to_give_none_is_refused_before_anything_is_sent(tmp_path):
    for name in ("openai:gpt-5-mini", "anthropic:claude-haiku-4-5", "groq:llama-3.3-70b-versatile"):
        step = triage.using(model=name)
        with pytest.raises(UsageError, match=f"{name} gives no log-probabilities.*self-check"):
            step_solution(replace(step.asking(), confidence="logprobs"))
    with upstream(ANSWERED) as up:
        with pytest.raises(UsageError, match="gives no log-probabilities"):
            mixed = triage.using(model=sf.Model(f"{up.url}#m", fallbacks=["openai:gpt-5-mini"]))
            step_solution(replace(mixed.asking(), confidence="logprobs"))
        saved = save_bundle(sure(triage, up.url, "logprobs"), tmp_path / "t.suffice")
        with pytest.raises(UsageError, match="gives no log-probabilities"):
            sf.load(saved, model="openai:gpt-5-mini")
        assert not up.log.served


def checks(said: object) -> Any:
    """Answers "billing", and `said` when it is asked how likely that is right."""

    def script(asked: Asked) -> Fault:
        again = "How likely" in asked.text
        return Ok(json.dumps({"answer": said if again else "billing"}))

    return script


def test_a_self_check_shows_the_model_its_answer_and_asks_how_likely_it_is_right():
    with upstream(checks(85)) as up:
        answer = sf.run(sure(triage, up.url, "self-check").reply("my invoice"))
        assert (answer.value, answer.confidence) == ("billing", 0.85)
        first, second = up.log.asked
        assert turns(second)[:2] == turns(first)
        assert turns(second)[2] == ("assistant", '{"answer": "billing"}')
        assert turns(second)[3][0] == "user" and "0 (certainly wrong) to 100 (certainly right)" in turns(second)[3][1]
        schema = second.body["response_format"]["json_schema"]["schema"]["properties"]["answer"]
        assert (schema["type"], schema["minimum"], schema["maximum"]) == ("integer", 0, 100)


def test_a_self_check_is_one_more_call_of_the_budget_and_asked_once_in_a_run(tmp_path):
    task, budget = billing("t"), sf.Budget(calls=1000)
    with upstream(checks(70)) as up:
        solution = sure(triage, up.url, "self-check")
        report = sf.run(sf.evaluate(task, solution, store=tmp_path, budget=budget))
        assert len(up.log.served) == 2 * report.n == budget.spent_calls
        assert "confidence self-check" in str(report)
        sf.run(sf.evaluate(task, sure(triage, up.url, None), store=tmp_path))
        assert len(up.log.served) == 2 * report.n  # the answers themselves are those of the step without


@pytest.mark.parametrize("said", [101, "very", None])
def test_a_self_check_that_is_no_percentage_is_an_error(said):
    with upstream(checks(said)) as up, pytest.raises(OutputError):
        sf.run(sure(triage, up.url, "self-check", repairs=0).reply("x"))


def test_a_blank_input_is_answered_by_rule_and_certain():
    with upstream(Status(500)) as up:
        for kind in ("logprobs", "self-check"):
            answer = sf.run(sure(triage, up.url, kind).reply("  "))
            assert (answer.value, answer.confidence) == (None, 1.0)
        assert not up.log.served


def test_a_confidence_is_saved_and_loaded_and_makes_another_solution(tmp_path):
    with upstream(ANSWERED) as up:
        made = [sure(triage, up.url, kind) for kind in (None, "logprobs", "self-check")]
        assert len({s.identity for s in made}) == 3
        assert [s.confidence_from for s in made] == [None, "log-probabilities", "self-check"]
        loaded = sf.load(save_bundle(made[1], tmp_path / "t.suffice"))
        assert loaded.identity == made[1].identity and loaded.confidence_from == "log-probabilities"
        assert sf.run(loaded.reply("x")).confidence == pytest.approx(math.exp(-0.3))


def test_a_step_without_a_confidence_is_the_same_data_as_ever():
    with upstream() as up:
        form = sure(triage, up.url, None).form
        assert form is not None and "confidence" not in form.data


def test_a_bundle_with_an_unknown_confidence_is_damaged(tmp_path):
    with upstream() as up:
        saved = save_bundle(sure(triage, up.url, "self-check"), tmp_path / "t.suffice")
    body = json.loads((saved / MANIFEST).read_text())
    body["solution"]["data"]["confidence"] = "vibes"
    body.pop("hash")
    (saved / MANIFEST).write_bytes(manifest_text(body, "step"))
    with pytest.raises(BundleError, match="vibes"):
        sf.load(saved)


def test_examples_state_a_confidence_too_and_a_misspelt_one_is_refused():
    with pytest.raises(UsageError, match="did you mean logprobs"):
        sf.rung.prompt(confidence="logprob")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match='confidence is "logprobs" or "self-check"'):
        sf.rung.examples(triage, confidence="vibes")  # type: ignore[arg-type]
    task = billing("invoice")
    with upstream(ANSWERED) as up:
        rung = sf.rung.examples(triage.using(model=f"{up.url}#m"), k=2, confidence="logprobs")
        fitted = sf.run(rung.fit(task, task.train))
        answer = sf.run(fitted.reply("an invoice"))
        assert (answer.confidence, fitted.confidence_from) == (pytest.approx(math.exp(-0.3)), "log-probabilities")
        assert len(up.log.asked[0].body["messages"]) == 6


def test_each_way_to_be_sure_has_its_name():
    assert sf.Model("recorded:nowhere.jsonl").gives_logprobs
    assert sf.Model("openai:gpt-4o-mini").gives_logprobs
    with upstream() as up:
        step = triage.using(model=f"{up.url}#m")
        assert vote_solution(Voting(step.asking(), 3, 0.7)).confidence_from == "vote share"
        assert sf.route(step, sure(triage, up.url, "self-check")).confidence_from == "self-check"
