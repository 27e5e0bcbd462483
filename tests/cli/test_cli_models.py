"""Commands that call a model: through a real local upstream, with a budget, a missing key, no model at all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_samples import Command
from upstream_faults import Asked, Fault, Ok, Status

from upstream import Upstream, upstream

STEP = '''
from typing import Literal
import suffice as sf

@sf.step
async def step(text: str) -> Literal["billing", "shipping"]:
    """Which team?"""
    ...
'''


def knows(asked: Asked) -> Fault:
    team = "billing" if "invoice" in asked.text else "shipping"
    return Ok(f'{{"answer": "{team}"}}' if "response_format" in asked.body else team, usage=(1000, 200))


@pytest.fixture
def up() -> Iterator[Upstream]:
    with upstream(knows) as running:
        yield running


@pytest.fixture
def stepped(suffice: Command) -> Command:
    suffice.write("step.py", STEP)
    return suffice


def test_a_climb_with_a_prompt_passes_and_the_bundle_answers_files(suffice: Command, up: Upstream):
    ran = suffice("climb", "t.csv", "prompt", "--model", f"{up.url}#m", "--bar", ".8")
    assert ran.code == 0 and ran.out.startswith("PASS: `prompt`"), ran.err
    n = len(up.log.served)
    again = suffice("climb", "t.csv", "prompt", "--model", f"{up.url}#m", "--bar", ".8")
    assert again.code == 0 and len(up.log.served) == n
    suffice.write("new.csv", "text\nmy invoice\nmy parcel\n")
    applied = suffice("apply", "t.suffice", "new.csv")
    assert [line.split(",")[1] for line in applied.out.splitlines()[1:]] == ["billing", "shipping"], applied.err


def test_a_folder_called_as_a_rung_is_does_not_hide_the_rung(suffice: Command, up: Upstream):
    (suffice.folder / "examples").mkdir()
    ran = suffice("eval", "t.csv", "examples", "--model", f"{up.url}#m")
    assert ran.code == 0 and "examples on t" in ran.out, ran.err


def test_a_step_is_evaluated_and_asked_once(stepped: Command, up: Upstream):
    ran = stepped("eval", "t.csv", "step.py:step", "--model", f"{up.url}#m")
    assert ran.code == 0 and "1.000" in ran.out, ran.err
    n = len(up.log.served)
    assert stepped("eval", "t.csv", "step.py:step", SUFFICE_MODEL=f"{up.url}#m").code == 0
    assert len(up.log.served) == n
    assert stepped("compare", "t.csv", "step.py:step", "my.py:bad", "--model", f"{up.url}#m").code == 0


def test_a_spent_budget_ends_a_command_with_what_is_left_and_more_goes_on(stepped: Command, up: Upstream):
    stepped.write("suffice.toml", f'[models]\ndefault = "{up.url}#m"\n[prices."{up.url}#m"]\ninput = 0.1\noutput = 1\n')
    ran = stepped("eval", "t.csv", "step.py:step", "--budget", "0.0003")
    ran.refused(r"the budget allows no further attempt: it may cost \$0\.00\d+, and \$0\.00\d+ of \$0\.0003 are left")
    assert not up.log.served  # one call may cost more than all of it: a label's cap is 256 tokens
    stepped("eval", "t.csv", "step.py:step", "--budget", "0.002", "--concurrency", "1").refused("no further attempt")
    n = len(up.log.served)
    assert n > 3
    whole = stepped("eval", "t.csv", "step.py:step", "--budget", "1")
    assert whole.code == 0 and "1.000" in whole.out and "paid twice" not in whole.out
    texts = [a.text for a in up.log.asked]
    assert len(set(texts)) == len(texts) > n


def test_a_cap_lets_texts_into_a_small_budget_and_is_saved_with_what_it_was_shown_of(suffice: Command, up: Upstream):
    suffice.write("suffice.toml", f'[models]\ndefault = "{up.url}#m"\n[prices."{up.url}#m"]\ninput = 0.1\noutput = 1\n')
    suffice.write("step.py", STEP.replace('Literal["billing", "shipping"]', "str"))
    told = ["climb", "t.csv", "step.py:step", "--bar", ".8", "--kind", "label"]
    suffice(*told, "--budget", "0.003").refused(r"no further attempt: it may cost \$0\.004", "lower max_output_tokens")
    assert not up.log.served
    ran = suffice(*told, "--budget", "1", "--max-tokens", "250")
    assert ran.code == 0 and ran.out.startswith("PASS"), ran.err
    assert re.search(r"^climb-\d spent \$0\.\d+: \d+ calls took \d+ attempts, [\d,]+ tokens in", ran.err, re.M), ran.err
    assert {a.body["max_tokens"] for a in up.log.asked} == {250}
    suffice.write("new.csv", "text\nmy invoice\n")
    suffice("apply", "t.suffice", "new.csv")
    assert up.log.asked[-1].body["max_tokens"] == 250
    suffice("eval", "t.csv", "step.py:step", "--max-tokens", "0").refused("--max-tokens")
    (suffice.folder / "suffice.toml").unlink()
    suffice("eval", "t.csv", "step.py:step", "--max-tokens", "9").refused("--max-tokens needs a model", "--model")


def test_a_budget_over_an_unknown_price_is_refused_with_the_line_that_sets_it(stepped: Command):
    model = "https://models.example.org/v1#m"
    ran = stepped("eval", "t.csv", "step.py:step", "--model", model, "--budget", "1")
    ran.refused("nobody knows the price", r'\[prices\."https://models\.example\.org/v1#m"\]')


@pytest.mark.parametrize(
    "command",
    [
        ["climb", "t.csv", "step.py:step", "--bar", ".8"],
        ["gate", "step.py:step", "t.csv", "--bar", ".8"],
        ["eval", "t.csv", "step.py:step"],
        ["compare", "t.csv", "my.py:bad", "step.py:step"],
        ["apply", "step.py:step", "new.csv"],
    ],
    ids=lambda command: command[0],
)
def test_an_endpoint_that_refuses_every_call_is_a_fault_of_the_set_up(stepped: Command, command: list[str]):
    stepped.write("new.csv", "text\nmy invoice\nmy parcel\n")
    body = '{"error": {"message": "there is no model m here", "code": "model_not_found"}}'
    with upstream(Status(404, body=body)) as up:
        ran = stepped(*command, "--model", f"{up.url}#m")
    ran.refused("endpoint refuses every call .*answered 404.*there is no model m here", "is the model's name right")


def test_a_budget_without_an_end_is_refused(stepped: Command):
    stepped("eval", "t.csv", "step.py:step", "--budget", "1e999").refused(
        "--budget is a number, not inf", "suffice eval --help"
    )


@pytest.mark.parametrize("command", [["eval", "t.csv", "step.py:step"], ["climb", "t.csv", "prompt", "--bar", ".8"]])
def test_a_missing_key_is_one_message_that_names_the_variable(stepped: Command, command: list[str]):
    ran = stepped(*command, "--model", "openai:gpt-5-mini", OPENAI_API_KEY="")
    ran.refused(r"\$OPENAI_API_KEY is not set", "export OPENAI_API_KEY=")


def test_without_a_model_a_step_says_where_one_may_be_named_and_a_climb_goes_on(stepped: Command):
    stepped("eval", "t.csv", "step.py:step").refused("no model|needs a model", "SUFFICE_MODEL")
    for verb in (["climb", "t.csv", "prompt", "--bar", ".8"], ["eval", "t.csv", "prompt"]):
        stepped(*verb).refused("prompt cannot be tried on t: no model", "hint: export SUFFICE_MODEL=.*--model NAME")
    ran = stepped("climb", "t.csv", "my.py:good", "prompt", "--bar", ".8")
    assert ran.code == 0, ran.err


def test_a_model_that_is_none_is_refused_before_anything_runs(stepped: Command, tmp_path: Path):
    stepped("eval", "t.csv", "step.py:step", "--model", "opnai:gpt-5-mini").refused("did you mean openai:gpt-5-mini")
