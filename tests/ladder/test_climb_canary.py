"""A canary in the sealed cases: whatever a solution does with it, it turns up nowhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CANARY = "zebrafinch-7731"
CLIMBER = f"""
import asyncio, ctypes, json, logging, os, subprocess, sys, threading, time, traceback, warnings
sys.path.insert(0, {str(Path(__file__).parent)!r})
from climb_samples import place, rows
from suffice.evals import grade
from suffice.evals.task import Task
from suffice.ladder.climb import climb
from suffice.ladder.closing import to_json_decision
from suffice.ladder.page import page
from suffice.ladder.gate import ALWAYS, gate_test, junit_xml
from suffice.store.database import open_store
from suffice.store.runs import list_runs
from suffice.values import Answer

folder, what = sys.argv[1:]
logging.basicConfig(level=logging.DEBUG)
given = rows(train=5, dev=40, test=80)
for row in given:
    if row["split"] == "test":
        row["input"] += " {CANARY}"
        row["expected"] = "{CANARY} " + row["expected"]

def known(text):
    return next(r["expected"] for r in given if r["input"] == text)

def sealed(text):
    return "{CANARY}" in text

def prints(text):
    print(text, known(text))
    sys.stderr.write(text)
    sys.__stdout__.write(text)
    os.write(1, text.encode())
    os.write(2, text.encode())
    return known(text)

def logs(text):
    logging.error("%s", text)
    logging.getLogger("mine").critical(text)
    warnings.warn(text)
    return known(text)

def child(text):
    if sealed(text) and place(text) < .1:
        subprocess.run(["echo", text])
    return known(text)

def raises(text):
    if sealed(text) and place(text) < .03:
        raise ValueError(text, known(text))
    return known(text)

def raises_always(text):
    if sealed(text):
        raise RuntimeError(known(text)) from KeyError(text)
    return known(text)

def exits(text):
    if sealed(text) and place(text) < .03:
        sys.exit(known(text))
    return known(text)

def hangs(text):
    if sealed(text) and place(text) < .05:
        time.sleep(.3)
        print("late", text)
        logging.error("late %s", text)
        warnings.warn("late " + text)
    return known(text)

async def wrong_type(text):
    if sealed(text) and place(text) < .03:
        return {{text: object()}}
    return known(text)

async def background(text):
    async def later():
        await asyncio.sleep(.05)
        print("later", text)
        raise RuntimeError(text)
    if sealed(text):
        keep.append(asyncio.create_task(later()))
    return known(text)

def answers(text):
    return known(text) if place("answers", text) < .6 else text

def bad_confidence(text):
    if sealed(text) and place(text) < .03:
        return Answer(known(text), text)
    return Answer(known(text), .5 + place(text) / 2)

keep = []
solution = answers if what == "grader" else globals()[what]

def strict(output, case):
    if sealed(str(case.inputs)):
        raise ValueError(f"cannot grade {{output}} for {{case}} {{case.inputs}}")
    return 1.0

options = dict(kind="text", grader=strict if what == "grader" else grade.exact())
task = Task(given, bar=.7, name="canary", **options)

async def main():
    said = []
    for rule in (None, ALWAYS):
        try:
            decision = await climb(task, [solution], store=folder, timeout=.1, rule=rule, watch=said.append)
            print(decision, repr(decision), json.dumps(to_json_decision(decision)), decision.pages)
            with open(folder + "/page.html", "w") as file:
                file.write(page(to_json_decision(decision)))
            print(decision.rungs[0].state)
        except Exception:
            traceback.print_exc()
    gated = await gate_test(task, solution, store=folder, timeout=.1)
    print(junit_xml(gated))
    print(said)
    await asyncio.sleep(.1)

try:
    asyncio.run(main())
except Exception:
    traceback.print_exc()
with open_store(folder) as db:
    print(list_runs(db))
print(repr(task), task.sealed()[:3])
time.sleep(.5 if what == "hangs" else 0)
print("the end")
"""

WAYS = [
    "prints", "logs", "child", "raises", "raises_always", "exits", "hangs", "wrong_type", "background", "answers",
    "bad_confidence", "grader",
]  # fmt: skip


@pytest.mark.parametrize("what", WAYS)
def test_nothing_of_a_sealed_case_is_seen_or_kept(tmp_path, what):
    command = [sys.executable, "-c", CLIMBER, str(tmp_path / "store"), what]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stderr[-2000:].replace(CANARY, "***")
    assert "the end" in ran.stdout and "canary" in ran.stdout
    assert CANARY not in ran.stdout
    assert CANARY not in ran.stderr, ran.stderr[-3000:]
    files = [p for p in (tmp_path / "store").rglob("*") if p.is_file()]
    assert any(p.name == "store.sqlite" for p in files)
    for file in files:
        data = file.read_bytes()
        assert CANARY.encode() not in data and CANARY.encode("utf-16-le") not in data, file.name
    if what != "grader":
        assert (tmp_path / "store" / "page.html").exists()
    else:
        assert "its text is held back" in ran.stderr
