"""`suffice trace`, `questions` and `answer`: what programs did, what they ask, and the answers."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
from cli_samples import Command
from upstream_faults import Ok, always

from suffice.errors import Waiting
from suffice.evals.task import Task
from suffice.programs import durable
from suffice.programs.asking import ask_human
from upstream import upstream

PROGRAM = '''
import asyncio, sys
import suffice as sf

@sf.step
async def think(text: str) -> str:
    """Think about it."""
    ...

@sf.step
async def pick(text: str) -> str:
    """Pick a team."""
    ...

async def triage(text):
    a, b = await asyncio.gather(think(text), think(text + "!"))
    return await pick(a + b)

@sf.tool(repeat="never")
def refund(order: int) -> str:
    """Pay it back."""
    return f"refunded {order}"

async def program(order: int) -> str:
    if await sf.ask_human(f"Refund {order}?\\x1b[31m", choices=["yes", "no"]) == "no":
        return "kept"
    return await refund(order)

if __name__ == "__main__":
    print(asyncio.run(sf.durable.run(program, int(sys.argv[1]), id=f"refund {sys.argv[1]}")))
'''


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "my.py").write_text(PROGRAM, encoding="utf-8")
    rows = [
        {"id": f"c{i}", "text": f"parcel {i} is late", "team": "billing" if i == 7 else "shipping"} for i in range(60)
    ]
    (tmp_path / "cases.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SUFFICE_HOME", str(tmp_path / "store"))
    return tmp_path


def suffice(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "suffice.cli.app", *words], capture_output=True, text=True, check=False
    )


def program(order: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "my.py", order], capture_output=True, text=True, check=False)


def test_a_trace_shows_what_a_case_took_and_only_dev_cases_have_one(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with upstream(always(Ok("shipping"))) as up:
        monkeypatch.setenv("SUFFICE_MODEL", f"{up.url}#m")
        assert suffice("climb", "cases.jsonl", "my.py:triage", "--bar", ".8", "--dev").returncode == 0
        dev = json.loads(suffice("eval", "cases.jsonl", "my.py:pick", "--json").stdout)["cases"]
    shown = suffice("trace", "climb-1", dev[0]["id"])
    lines = shown.stdout.splitlines()
    names = ["triage", "think", "m", "think", "m", "pick", "m"]
    assert all(f" {name} " in line for name, line in zip(names, lines, strict=True)), lines
    assert lines[0].startswith("> triage") and lines[0].endswith(f"program, {dev[0]['source']}, {dev[0]['id']}")
    tree = json.loads(suffice("trace", "climb-1", dev[0]["id"], "--json").stdout)
    assert [c["name"] for c in tree["children"]] == ["think", "think", "pick"] and "parcel" not in json.dumps(tree)
    sealed = {f"c{i}" for i in range(60)} - {c["id"] for c in dev}
    told = [suffice("trace", "climb-1", case).returncode for case in sorted(sealed)[:4]]
    assert told == [2, 2, 2, 2]
    page = suffice("report", "climb-1")
    assert page.returncode == 0 and 'id="program"' in (place / "climb-1.html").read_text(encoding="utf-8")
    single = suffice("trace", "eval-2", dev[0]["id"])
    assert single.returncode == 2 and f"suffice trace climb-1 {dev[0]['id']}" in single.stderr
    which = suffice("trace", "climb-1")
    assert which.returncode == 2 and "suffice trace climb-1 c" in which.stderr


def test_a_question_is_listed_answered_and_gone_on_from(place: Path) -> None:
    assert suffice("questions").stderr.strip() == "nobody waits for an answer"
    stopped = program("17")
    assert stopped.returncode == 1 and "Waiting" in stopped.stderr
    listed = suffice("questions").stdout
    assert "refund 17" in listed and "Refund 17?\\x1b[31m (yes, no)" in listed and "\x1b" not in listed
    assert json.loads(suffice("questions", "--json").stdout)["choices"] == ["yes", "no"]
    wrong = suffice("answer", "refund 17", "perhaps")
    assert wrong.returncode == 2 and "yes, no" in wrong.stderr
    assert suffice("answer", "refund 17", "yes").returncode == 0
    assert program("17").stdout.strip() == "refunded 17"
    assert suffice("answer", "program-1", "yes").returncode == 2
    assert program("17").stdout.strip() == "refunded 17"
    lines = suffice("trace", "refund 17").stdout.splitlines()
    assert ["question" in lines[1], "recorded" in lines[1], "refund" in lines[2]] == [True, True, True]
    assert "program-1" in suffice("runs", "--kind", "program").stdout


@pytest.mark.parametrize("words", [("trace", "nine"), ("trace", "program-9"), ("answer", "nine", "yes")])
def test_what_is_not_there_is_said(place: Path, words: tuple[str, ...]) -> None:
    told = suffice(*words)
    assert told.returncode == 2 and "hint: " in told.stderr and "Traceback" not in told.stderr


def test_a_case_is_traced_by_where_it_stands_in_its_file(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [json.dumps({"text": f"parcel {i} is late", "team": ("shipping", "returns")[i % 2]}) for i in range(40)]
    (place / "plain.jsonl").write_text("\n".join(rows), encoding="utf-8")
    with upstream(always(Ok("billing"))) as up:
        monkeypatch.setenv("SUFFICE_MODEL", f"{up.url}#m")
        told = suffice("eval", "plain.jsonl", "my.py:triage").stdout
        dev = json.loads(suffice("eval", "plain.jsonl", "my.py:triage", "--json").stdout)["cases"]
    first = dev[0]
    assert f"{first['source']} ({first['id']})  " in told
    by_place, by_id = (suffice("trace", "eval-1", name) for name in (first["source"], first["id"]))
    assert by_place.returncode == 0 and by_place.stdout == by_id.stdout
    assert f"program, {first['source']}, {first['id']}" in by_place.stdout.splitlines()[0]
    asked = suffice("trace", "eval-1").stderr
    assert f"of eval-1 {len(dev)} cases have a trace" in asked and "hint: suffice trace eval-1 plain.jsonl:" in asked
    wrong = suffice("trace", "eval-1", "plain.jsonl:999")
    assert wrong.returncode == 2 and "eval-1 has no trace of 'plain.jsonl:999'" in wrong.stderr
    assert "sealed" not in wrong.stderr and "hint: suffice trace eval-1 plain.jsonl:" in wrong.stderr
    assert suffice("view", "eval-1").returncode == 0
    assert f"{first['source']} ({first['id']})" in (place / "eval-1.cases.html").read_text(encoding="utf-8")
    assert suffice("forget", "plain.jsonl", "--case", first["source"], "--yes").returncode == 0
    assert suffice("trace", "eval-1", first["source"]).returncode == 2


KILLED = '''
import asyncio, os, sys
import suffice as sf

@sf.step
async def think(text: str) -> str:
    """Think about it."""
    ...

@sf.tool
def look(order: int) -> int:
    """The total."""
    return 2 * order

@sf.tool
def ask_bank(order: int) -> int:
    """A closed bank."""
    raise LookupError("the bank is closed")

@sf.tool(repeat="never")
def refund(order: int) -> str:
    """Pay it back."""
    os.kill(os.getpid(), 9)

async def program(order: int) -> str:
    await think(f"of order {order}")
    try:
        await ask_bank(await look(order))
    except LookupError:
        return await refund(order)

asyncio.run(sf.durable.run(program, 17, id="claim-R801"))
'''


def test_a_killed_run_shows_what_it_did_what_failed_and_what_is_open(suffice: Command) -> None:
    file = suffice.write("killed.py", KILLED)
    with upstream(always(Ok("well"))) as up:
        settings = suffice.environment({"SUFFICE_MODEL": f"{up.url}#m"})
        killed = subprocess.run([sys.executable, str(file)], env=settings, capture_output=True, check=False)
    assert killed.returncode == -9
    lines = suffice("trace", "claim-R801").out.splitlines()
    assert lines[0].endswith("program, interrupted") and "not ended" in lines[0]
    assert "─ m " in lines[2] and lines[2].endswith('model, "of order 17"')
    assert lines[3].endswith("tool, look(order=17)")
    assert lines[4].endswith("tool, LookupError, ask_bank(order=34)")
    assert lines[5].endswith("tool, begun, no result known: refund(order=17)") and "not ended" in lines[5]
    tree = suffice("trace", "program-1", "--json").json
    assert [child["name"] for child in tree["children"]] == ["…", "look", "ask_bank", "refund"]
    assert tree["children"][2]["error"] == "LookupError" and "seconds" not in tree["children"][3]
    shown = suffice("show", "claim-R801", "--json").json
    assert shown["effects"] == {"done": 2, "failed": 1, "open": 1} and shown["state"] == "interrupted"


def test_a_waiting_run_is_shown_by_its_id_answered_and_abandoned(suffice: Command) -> None:
    async def program(order: int) -> str:
        return await ask_human(f"Refund {order}?", ["yes", "no"])

    def go(order: int) -> str:
        return asyncio.run(durable.run(program, order, id=f"claim-R{order}", store=suffice.home))

    for order in (801, 802):
        with pytest.raises(Waiting):
            go(order)
    told = suffice("show", "claim-R801").out
    for line in (
        "id         claim-R801",
        "program    program",
        "asks       Refund 801? (yes, no)",
        "effects    1 open",
    ):
        assert line in told.splitlines()
    assert "program-1, waiting" in told and "suffice answer program-1 ANSWER" in told
    assert "  waiting     program  claim-R801: Refund 801?" in suffice("runs").out
    assert "question, waits for an answer: Refund 801?" in suffice("trace", "claim-R801").out
    assert suffice("answer", "claim-R801", "yes").code == 0
    suffice("answer", "claim-R801", "no").refused("already answered: yes", "suffice answer program-1 no --replace")
    shown = suffice("show", "program-1", "--json").json
    assert (shown["state"], shown["questions"], shown["effects"]) == ("answered", [], {"done": 1})
    assert suffice("answer", "claim-R801", "no", "--replace").code == 0 and go(801) == "no"
    assert "result     no" in suffice("show", "claim-R801").out.splitlines()
    assert "  done        program  claim-R801: no" in suffice("runs").out
    suffice("report", "program-1").refused("durable run", "suffice trace program-1")

    suffice("forget", "--run", "claim-R802").refused("removes 1 recorded effect, 1 run's texts", "--yes")
    assert "removed 1 recorded effect, 1 run's texts;" in suffice("forget", "--run", "claim-R802", "--yes").out
    assert suffice("questions").err.strip() == "nobody waits for an answer"
    assert "program-2, forgotten" in suffice("show", "claim-R802").out
    suffice("trace", "claim-R802").refused("forgotten", "new id")
    suffice("forget", "--run", "claim-R803", "--yes").refused("is not a run|no run", "suffice runs")


def test_what_was_recorded_earlier_leaves_no_trace_and_its_run_is_named(suffice: Command) -> None:
    suffice.write("steps.py", PROGRAM)
    with upstream(always(Ok("billing"))) as up:
        settings = {"SUFFICE_MODEL": f"{up.url}#m"}
        assert suffice("eval", "t.csv", "steps.py:triage", **settings).code == 0
        assert suffice("climb", "t.csv", "steps.py:triage", "--bar", ".3", "--dev", **settings).code in (0, 3)
        suffice("trace", "climb-2").refused("recorded earlier, by eval-1", "suffice trace eval-1 CASE")
        assert suffice("eval", "t.csv", "steps.py:pick", **settings).code == 0
        suffice("trace", "eval-3").refused("a single call has none")


def test_a_page_of_answers_that_were_recorded_earlier_takes_the_traces_of_the_run_that_asked(suffice: Command) -> None:
    suffice.write("steps.py", PROGRAM)

    def page(run: str) -> str:
        assert suffice("report", run).code == 0
        return (suffice.folder / f"{run}.html").read_text(encoding="utf-8")

    climb = ("climb", "t.csv", "steps.py:triage", "--bar", ".3", "--dev")
    with upstream(always(Ok("billing"))) as up:
        settings = {"SUFFICE_MODEL": f"{up.url}#m"}
        assert suffice("eval", "t.csv", "steps.py:triage", "--split", "train", **settings).code == 0
        assert suffice("eval", "t.csv", "steps.py:triage", **settings).code == 0
        n = len(up.log.served)
        assert suffice(*climb, **settings).code in (0, 3)
        assert suffice("eval", "t.csv", "steps.py:triage", **settings).code == 0
        assert len(up.log.served) == n
        dev = len(Task.load(suffice.folder / "t.csv").dev)
        for run in ("climb-3", "eval-4"):
            drawn = page(run)
            assert 'class="program"' in drawn and f", {dev} cases, asked in eval-2<" in drawn, run
            assert "No graph of" not in drawn
        assert 'class="program"' in page("eval-2") and "asked in" not in page("eval-2")
        # Another program of the same name is another one.
        suffice.write("steps.py", PROGRAM.replace("Think about it", "Think twice"))
        assert suffice("eval", "t.csv", "steps.py:triage", **settings).code == 0
        assert suffice(*climb, **settings).code in (0, 3)
        assert "asked in eval-5<" in page("climb-6")
        assert suffice("forget", "--run", "eval-5", "--yes").code == 0
        assert 'class="program"' not in page("climb-6") and "No graph of" in page("climb-6")


def test_the_trees_of_a_case_that_was_asked_several_times_are_one_list(suffice: Command) -> None:
    suffice.write("steps.py", PROGRAM)
    with upstream(always(Ok("billing"))) as up:
        settings = {"SUFFICE_MODEL": f"{up.url}#m"}
        assert suffice("eval", "t.csv", "steps.py:triage", "--repeats", "2", **settings).code == 0
    case = suffice("trace", "eval-1").err.split()[-1]
    trees = suffice("trace", "eval-1", case, "--json").json
    assert [tree["name"] for tree in trees] == ["triage", "triage"]
