"""Rungs that ask a language model, climbing through a real local upstream."""

from __future__ import annotations

import json
import logging
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from climb_samples import a_task, climbed, said, states
from prompting_samples import needs_examples, skilled, unsteady

import suffice as sf
from suffice.errors import BudgetError, NoModel
from suffice.ladder import prompting
from suffice.programs.prompt import messages, shown
from suffice.store.database import open_store
from suffice.store.runs import list_runs
from upstream import Upstream, upstream

LADDER = ["constant", "words", "prompt", "examples", "vote"]
CONCURRENCY = 4


@sf.step
async def sort(ticket: str) -> str:
    """Which team?"""
    ...


def on(up: Upstream) -> str:
    return f"{up.url}#m"


def bodies(up: Upstream) -> Counter[str]:
    return Counter(json.dumps(a.body, sort_keys=True) for a in up.log.asked)


def asked_of(task: sf.Task) -> tuple[str, dict]:
    """The prompt that is made of a task for its first dev case, and the schema of its answer."""
    with sf.using(model="http://127.0.0.1:1/v1#m"):
        asking = prompting.asking_for(task, "prompt")
    from suffice.programs.step_solution import named

    told = named(task.dev[0].inputs, task.columns.inputs)
    fields = (asking.typed.spec_schema or {}).get("properties", {})
    return shown(messages(asking.prompt, told)), fields.get("answer", {})


def given(*expected: object, n: int = 30, **more: object) -> list[dict]:
    return [
        {"ticket": f"case {i}", **more, "team": expected[i % len(expected)], "split": "dev" if i else "test"}
        for i in range(n)
    ]


def test_the_prompt_of_a_label_task_says_what_is_given_and_which_labels_there_are():
    text, schema = asked_of(sf.Task(given("billing", "shipping"), inputs=["ticket"], expected="team"))
    assert text == (
        "[system]\nYou are given: ticket. Answer with: team.\nChoose one of: billing; shipping.\n\n[user]\ncase 1"
    )
    assert schema["enum"] == ["billing", "shipping"]


def test_the_prompt_offers_nothing_where_the_task_has_it():
    rows = given("billing", "shipping", None)
    text, schema = asked_of(sf.Task(rows, inputs=["ticket"], expected="team", nothing=True))
    assert "Where nothing applies, the answer is null." in text
    assert {"type": "null"} in schema["anyOf"]


def test_the_prompt_of_several_inputs_names_each():
    rows = given("billing", "shipping", customer="Ada")
    text, _ = asked_of(sf.Task(rows, inputs=["ticket", "customer"], expected="team"))
    assert "You are given: ticket, customer." in text
    assert text.endswith("<ticket>\ncase 3\n</ticket>\n\n<customer>\nAda\n</customer>")


def test_the_prompts_of_codes_choices_numbers_and_texts():
    text, schema = asked_of(sf.Task(given(True, False), inputs=["ticket"], expected="team"))
    assert "Choose one of: " in text and sorted(schema["enum"]) == [False, True]
    lettered = [r | {"ticket": f"{r['ticket']}\n(A) one\n(B) two"} for r in given("A", "B")]
    text, schema = asked_of(sf.Task(lettered, inputs=["ticket"], expected="team", kind="choice"))
    assert "the letter of the right option" in text and "(A) one" in text
    text, schema = asked_of(sf.Task(given(1.5, 2), inputs=["ticket"], expected="team", kind="number"))
    assert "Answer with a number alone." in text and schema["type"] == "number"
    text, schema = asked_of(sf.Task(given("a long answer", "another"), inputs=["ticket"], expected="team", kind="text"))
    assert "as briefly as the question allows" in text and schema == {}


def test_labels_of_sealed_cases_alone_are_in_no_prompt():
    rows = [*given("billing", "shipping"), {"ticket": "x", "team": "secret", "split": "test"}]
    text, schema = asked_of(sf.Task(rows, inputs=["ticket"], expected="team", kind="label"))
    assert "secret" not in text + str(schema)


def test_a_prompt_that_suffices_is_where_the_climb_ends(tmp_path):
    with upstream(skilled(0.95)) as up:
        decision = climbed(a_task(), LADDER, tmp_path, model=on(up))
        assert decision.verdict == "PASS" and decision.solution.name == "prompt"
        n = len(up.log.served)
        again = climbed(a_task(), LADDER, tmp_path, model=on(up))
        assert said(again) == said(decision) and len(up.log.served) == n
        saved = sf.load(decision.save(tmp_path / "t.suffice"))
        assert sf.run(saved("dev ticket 5 of 0")) in ("billing", "shipping", "returns", "orders")


def test_where_only_examples_help_the_climb_ends_at_examples(tmp_path):
    with upstream(needs_examples) as up:
        decision = climbed(a_task(), LADDER, tmp_path, model=on(up))
        assert decision.verdict == "PASS" and decision.solution.name == "examples"
        assert states(decision)["prompt"] == "dropped" and states(decision)["vote"] == "waiting"
        turns = [m for m in up.log.asked[-1].body["messages"] if m["role"] == "assistant"]
        assert len(turns) == 8


def test_where_only_a_majority_is_right_the_climb_ends_at_the_vote(tmp_path):
    with upstream(unsteady(0.7)) as up:
        decision = climbed(a_task(bar=0.85, test=300), LADDER, tmp_path, model=on(up))
        assert decision.verdict == "PASS" and decision.solution.name == "vote"
        assert states(decision)["prompt"] == states(decision)["examples"] == "dropped"


def test_without_a_model_a_rung_is_not_tried_and_says_what_configures_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    decision = climbed(a_task(), [*LADDER, sort], tmp_path)
    rows = {r.name: r for r in decision.rungs}
    for name in ("prompt", "examples", "vote", "sort"):
        assert rows[name].state == "not tried" and "export SUFFICE_MODEL=" in rows[name].note
    assert rows["words"].state != "not tried"
    for alone in (["prompt"], [sort, "vote"], [sf.rung.family("both", sf.rung.prompt(), sf.rung.vote())]):
        with pytest.raises(NoModel, match="cannot be tried on .*: no model") as one:
            climbed(a_task(), alone, tmp_path / "new")
        assert (one.value.hint or "").startswith("export SUFFICE_MODEL=")
    assert not (tmp_path / "new").exists()  # no case counts as looked at
    with pytest.raises(NoModel, match="prompt cannot be tried on rows: no model") as one:
        sf.run(sf.evaluate(a_task(), sf.rung.prompt(), store=tmp_path))
    assert (one.value.hint or "").startswith("export SUFFICE_MODEL=")


def test_a_step_with_a_model_of_its_own_needs_no_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with upstream(skilled(0.95)) as up:
        labelled = sf.step(_sort).using(model=on(up))
        decision = climbed(a_task(), ["prompt", labelled], tmp_path)
        assert states(decision)["prompt"] == "not tried" and decision.solution.name == "_sort"


async def _sort(ticket: str) -> str | None:
    """Which team?"""
    ...


def test_the_same_ladder_on_another_model_is_another_climb(tmp_path):
    ladder = [sf.rung.prompt()]
    with upstream(skilled(0.3)) as poor, upstream(skilled(0.95)) as good:
        assert climbed(a_task(), ladder, tmp_path, model=on(poor)).verdict != "PASS"
        assert climbed(a_task(), ladder, tmp_path, model=on(good)).verdict == "PASS"
        assert climbed(a_task(), ladder, tmp_path, model=sf.Model(on(good), temperature=0.5)).verdict == "PASS"
    with open_store(tmp_path) as db:
        assert len({run.id for run in list_runs(db)}) == 3


@pytest.mark.parametrize("calls", [20, 75])
def test_a_spent_budget_stops_the_climb_and_with_more_it_goes_on_and_asks_nothing_again(tmp_path, calls):
    task = a_task(dev=60, test=200)
    with upstream(skilled(0.92, delay=0.01)) as up:
        whole = climbed(task, ["constant", "prompt"], tmp_path / "whole", model=on(up))
        n = len(up.log.served)
        assert n > calls
        with pytest.raises(BudgetError, match=f"{calls} of {calls} calls"):
            climbed(task, ["constant", "prompt"], tmp_path / "b", model=on(up), budget=sf.Budget(calls=calls))
        assert len(up.log.served) == n + calls
        with open_store(tmp_path / "b") as db:
            assert list_runs(db)[0].state == "failed"
        with_more = sf.Budget(calls=1000)
        decision = climbed(task, ["constant", "prompt"], tmp_path / "b", model=on(up), budget=with_more)
        assert said(decision)["verdict"] == said(whole)["verdict"] == "PASS"
        asked = Counter(json.dumps(a.body) for a in up.log.asked[n:])
        assert max(asked.values()) == 1 and with_more.spent_calls == len(up.log.served) - n


CANARY = "zebrafinch-7731"
CANARY_CLIMBER = f"""
import asyncio, json, logging, os, signal, sys, traceback
sys.path.insert(0, {str(Path(__file__).parent)!r})
from climb_samples import rows
import suffice as sf
from suffice.ladder.closing import to_json_decision
from suffice.ladder.page import page
from suffice.store.database import open_store
from suffice.store.runs import list_runs

folder, url, kill = sys.argv[1:]
logging.basicConfig(level=logging.DEBUG)
given = rows(train=10, dev=40, test=120)
for row in given:
    row["expected"] = "right " + row["input"]
    if row["split"] == "test":
        row["input"] += " {CANARY}"
        row["expected"] += " {CANARY}"
task = sf.Task(given, bar=.7, name="canary", kind="text")

def watch(progress):
    said.append(progress)
    if kill == "kill" and any(r.state.startswith("test 1") for r in progress.rungs):
        os.kill(os.getpid(), signal.SIGKILL)

said = []
for rungs in (["prompt"], ["examples"], ["vote"]):
    try:
        with sf.models.record(folder + "/tape.jsonl"):
            decision = asyncio.run(sf.climb(task, rungs, store=folder, model=url, watch=watch))
        print(decision, repr(decision), json.dumps(to_json_decision(decision)))
        with open(folder + "/page.html", "w") as file:
            file.write(page(to_json_decision(decision)))
        print(decision.rungs[0].state, "tested" if decision.rungs[0].tested else "")
    except Exception:
        traceback.print_exc()
with open_store(folder) as db:
    print(list_runs(db))
print(said, "the end")
"""


@pytest.mark.parametrize("how", ["answers", "fails", "misfits", "kill"])
def test_nothing_of_a_sealed_case_or_of_what_a_model_said_to_it_is_seen_or_kept(tmp_path, how):
    from upstream_faults import Ok, Status

    def script(asked):
        sealed, some = CANARY in asked.text, asked.number % 20 == 0
        if sealed and some and how == "fails":
            return Status(400, body=json.dumps({"error": {"message": f"cannot say {asked.text}"}}))
        if sealed and some and how == "misfits":
            return Ok(f"{CANARY} was cut off", finish="length")
        return Ok("right " + asked.text)

    with upstream(script) as up:
        command = [sys.executable, "-c", CANARY_CLIMBER, str(tmp_path), on(up), how]
        (tmp_path / "page.html").touch()
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        if how == "kill":
            assert ran.returncode == -signal.SIGKILL
            assert any(p.name.endswith("-wal") for p in tmp_path.iterdir())
        else:
            assert ran.returncode == 0 and "the end" in ran.stdout and "tested" in ran.stdout, ran.stderr[-2000:]
        assert sum(CANARY in a.text for a in up.log.asked) > 10  # sealed cases did go to the model
        assert CANARY not in ran.stdout + ran.stderr
        for file in (p for p in tmp_path.rglob("*") if p.is_file()):
            data = file.read_bytes()
            assert CANARY.encode() not in data and CANARY.encode("utf-16-le") not in data, file.name


KILL_CLIMBER = f"""
import asyncio, json, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from climb_samples import a_task, said
import suffice as sf
decision = asyncio.run(sf.climb(a_task(bar=.85, dev=50, test=150), ["constant", "prompt"], store=sys.argv[1],
                                model=sys.argv[2], concurrency={CONCURRENCY}))
print(json.dumps(said(decision)))
"""


def test_a_climb_that_is_killed_at_random_instants_asks_again_only_what_was_in_flight(tmp_path):
    dice, kills = random.Random(20261126), 4

    def start(store: str, up: Upstream) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", KILL_CLIMBER, str(tmp_path / store), on(up)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def ended(process: subprocess.Popen[str]) -> dict:
        out, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        decision = json.loads(out)
        decision["advice"] = [a for a in decision["advice"] if "paid twice" not in a]
        return decision

    with upstream(skilled(0.93, delay=0.01)) as up:
        whole = ended(start("whole", up))
        asked = len(up.log.served)
    with upstream(skilled(0.93, delay=0.01)) as up:
        for _ in range(kills):
            process, before = start("killed", up), len(up.log.served)
            enough = before + dice.randrange(1, 12)
            while len(up.log.served) < enough:
                assert process.poll() is None, process.communicate()
                time.sleep(0.001)
            time.sleep(dice.random() * 0.02)
            process.send_signal(signal.SIGKILL)
            process.communicate()
        final = ended(start("killed", up))
        repeats = sum(n - 1 for n in bodies(up).values())
        assert final == whole
        assert repeats <= CONCURRENCY * kills and len(up.log.served) <= asked + repeats


def test_a_climb_logs_no_prompt(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    with upstream(skilled(0.95)) as up:
        climbed(a_task(), ["prompt"], tmp_path, model=on(up))
    assert "ticket" not in caplog.text
