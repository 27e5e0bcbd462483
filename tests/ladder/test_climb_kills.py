"""The climb is killed at random instants, or meets another process: it ends as if nothing had happened."""

from __future__ import annotations

import json
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from climb_samples import a_task

from suffice.store import journal
from suffice.store.database import open_store
from suffice.store.runs import list_runs
from suffice.values import content_hash, to_json

CONCURRENCY = 4
KILLS = 8
CLIMBER = f"""
import asyncio, json, os, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from climb_samples import a_task, place, said, truth
from suffice.errors import StoreBusy
from suffice.ladder.climb import climb
from suffice.programs.solution import Solution
from suffice.values import Answer

store, notes, rates, pace = sys.argv[1:]
file = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
os.write(file, b"ready\\n")

def rung(name, rate):
    async def ask(text):
        os.write(file, f"{{name}}\\t{{text}}\\n".encode())
        await asyncio.sleep(float(pace) * (.5 + place("slow", text)))
        return Answer(truth(text) if place(name, text) < rate else "?")
    return Solution(name, ask, "kill " + name)

ladder = [rung(*pair) for pair in json.loads(rates)]
task = a_task(bar=.85, dev=50, test=150)
try:
    decision = asyncio.run(climb(task, ladder, store=store, concurrency={CONCURRENCY}))
    print(json.dumps(said(decision)))
except StoreBusy as busy:
    print(json.dumps({{"busy": str(busy)}}))
"""
RATES = [["poor", 0.3], ["near", 0.84], ["good", 0.95]]


def start(store: Path, notes: Path, rates=RATES, pace: float = 0.01) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CLIMBER, str(store), str(notes), json.dumps(rates), str(pace)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> dict:
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return json.loads(out)


def until_ready(process: subprocess.Popen[str], notes: Path) -> None:
    while not (notes.exists() and notes.stat().st_size):
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)


def called(notes: Path) -> list[tuple[str, str]]:
    whole = [line for line in notes.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]
    return [(name, text) for name, tab, text in (line.rstrip("\n").partition("\t") for line in whole) if tab]


def acknowledged(store: Path, task) -> set[tuple[str, str]]:
    """(solution, text) of every call whose result is on disk."""
    found: set[tuple[str, str]] = set()
    dev = {c.inputs_hash: c.inputs for c in task.dev}
    sealed = {content_hash([c.inputs_hash, to_json(c.expected)]): c.inputs for c in task.sealed()}
    with open_store(store) as db:
        for name, _ in RATES:
            found |= {(name, dev[h]) for h in journal.lookup(db, f"kill {name}", dev)}
            scores = journal.lookup_sealed(db, f"kill {name}", task.grader.identity, sealed)
            found |= {(name, sealed[h]) for h in scores}
    return found


@pytest.mark.slow
def test_a_climb_that_is_killed_at_random_instants_ends_as_if_it_had_not_been(tmp_path):
    task, dice = a_task(bar=0.85, dev=50, test=150), random.Random(20260301)
    whole = ended(start(tmp_path / "whole", tmp_path / "whole.txt"))
    every: list[tuple[str, str]] = []
    done: set[tuple[str, str]] = set()
    store = tmp_path / "store"
    for kill in range(1, KILLS + 1):
        notes = tmp_path / f"notes-{kill}"
        process = start(store, notes)
        until_ready(process, notes)
        enough = dice.randrange(1, 16)
        while len(called(notes)) < enough:
            time.sleep(0.001)
        time.sleep(dice.random() * 0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        calls = called(notes)
        assert not done & set(calls), "a call whose result was on disk was made again"
        every += calls
        done = acknowledged(store, task) if (store / "store.sqlite").exists() else set()
        assert len(set(every) - done) <= CONCURRENCY * kill
    assert len(done) > 20  # the kills did hit the work
    with open_store(store) as db:
        assert list_runs(db)[0].state == "interrupted"
        lost = journal.in_flight(db, list_runs(db)[0].id)
    final = ended(start(store, tmp_path / "final"))
    last = called(tmp_path / "final")
    assert not done & set(last)
    again = sum(pair in set(every) for pair in last)
    assert again <= len(lost)
    reported = [int(m[1]) for a in final["advice"] if (m := re.match(r"(\d+) calls that were in flight", a))]
    assert sum(reported) >= again
    repeats = sum(n - 1 for n in Counter([*every, *last]).values())
    assert repeats <= CONCURRENCY * KILLS
    for decision in (whole, final):
        decision["advice"] = [a for a in decision["advice"] if "paid twice" not in a]
    assert final == whole


def test_the_same_climb_in_two_processes_at_once_is_refused_once_and_decided_once(tmp_path):
    first = start(tmp_path / "store", tmp_path / "one", pace=0.06)
    until_ready(first, tmp_path / "one")
    while len(called(tmp_path / "one")) < 5:
        time.sleep(0.002)
    second = ended(start(tmp_path / "store", tmp_path / "two"))
    decided = ended(first)
    assert "still running: process" in second["busy"] and "hint: wait until it ends" in second["busy"]
    assert decided["verdict"] == "PASS"
    third = ended(start(tmp_path / "store", tmp_path / "three"))
    assert third == decided and called(tmp_path / "three") == []


def test_different_climbs_in_two_processes_at_once_both_end_with_alphas_of_their_own(tmp_path):
    rates = [[["good", 0.95]], [["better", 0.97]]]
    both = [start(tmp_path / "store", tmp_path / str(i), r) for i, r in enumerate(rates)]
    decisions = [ended(p) for p in both]
    assert {d["verdict"] for d in decisions} == {"PASS"}
    assert len({d["error"] for d in decisions}) == 2
