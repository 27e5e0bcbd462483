"""`suffice trace`, `questions` and `answer`: what programs did, what they ask, and the answers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from upstream_faults import Ok, always

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
