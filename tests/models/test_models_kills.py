"""Killed at random instants and started again until done: the result is that of one run, and little is asked twice."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from upstream_faults import Asked, Ok

from upstream import Upstream, upstream

CASES, CONCURRENCY = 200, 8
PROGRAM = f"""
import asyncio, json, os, sys
from typing import Literal
import suffice as sf
from suffice.evals.apply import ApplyOptions, apply

url, folder, what = sys.argv[1:]
acknowledged = os.open(folder + "/acknowledged", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

@sf.step
async def triage(ticket: str) -> Literal["billing", "shipping"]:
    "Which team?"
    ...

solution = triage.using(model=url + "#any")
rows = [{{"ticket": f"ticket {{i}}", "team": ("billing", "shipping")[i % 2]}} for i in range({CASES})]

async def evaluated():
    others = [{{"ticket": f"{{split}} {{i}}", "team": team, "split": split}} for split in ("train", "test")
              for i, team in enumerate(("billing", "shipping"))]
    task = sf.Task([{{**row, "split": "dev"}} for row in rows] + others, kind="label", name="tickets")
    told = lambda o: os.write(acknowledged, (o.case.inputs + "\\n").encode())
    report = await sf.evaluate(task, solution, store=folder, concurrency={CONCURRENCY}, on_done=told)
    said = [[o.case.id, o.answer.value, o.score.value] for o in report.outcomes]
    lines = [line for line in str(report).splitlines() if line.split()[0] not in ("latency", "spent", "note")]
    print(json.dumps([said, lines, report.possibly_paid_twice, report.spent.attempts]))

async def applied():
    with open(folder + "/new.jsonl", "w") as file:
        file.writelines(json.dumps(row) + "\\n" for row in rows)
    options = ApplyOptions(concurrency={CONCURRENCY})
    made = await apply(solution, folder + "/new.jsonl", folder + "/out.jsonl", options=options, store=folder)
    twice = sum(int(note.split()[0]) for note in made.notes if "paid twice" in note)
    print(json.dumps([open(folder + "/out.jsonl").read(), [made.answered, made.failed], twice, made.spent.attempts]))

asyncio.run(evaluated() if what == "evaluate" else applied())
"""


def judge(asked: Asked) -> Ok:
    """The same answer to the same ticket, now right and now wrong, after a while that differs."""
    number = int(asked.text.rpartition(" ")[2])
    team = "shipping" if number % 2 or number % 7 == 0 else "billing"
    return Ok(json.dumps({"answer": team}), delay=0.002 + 0.004 * (asked.number % 3))


@dataclass
class Killed:
    """A program that is killed now and then, and what was seen of it."""

    up: Upstream
    folder: Path
    what: str
    kills: int = 0
    asked: list[str] = field(default_factory=list[str])  # before the last start

    def start(self) -> subprocess.Popen[str]:
        self.asked = self.texts()
        command = [sys.executable, "-c", PROGRAM, self.up.url, str(self.folder), self.what]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def texts(self) -> list[str]:
        """The tickets that the server was asked about."""
        return [asked.text for asked in self.up.log.asked]

    def again(self) -> int:
        """How many of those asked since the last start had been asked before."""
        return sum(text in set(self.asked) for text in self.texts()[len(self.asked) :])

    def recorded(self) -> int:
        """How many replies are on disk."""
        path = self.folder / "store.sqlite"
        if not path.exists():
            return 0
        with closing(sqlite3.connect(path)) as db:
            there = db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'reply'").fetchone()[0]
            return db.execute("SELECT count(*) FROM reply").fetchone()[0] if there else 0

    def acknowledged(self) -> set[str]:
        """The tickets whose outcome the program was told of."""
        path = self.folder / "acknowledged"
        return set(path.read_text().split("\n")[:-1]) if path.exists() else set()

    def kill_once(self, draw: random.Random, most: int) -> None:
        """Start it and kill it after some requests, or, now and then, at any instant of its start."""
        done, recorded = self.acknowledged(), self.recorded()
        process = self.start()
        enough, end = len(self.asked) + draw.randint(1, most), time.monotonic() + 10
        if draw.random() < 0.2:
            end = time.monotonic() + draw.random()
        while len(self.up.log.served) < enough and time.monotonic() < end:
            assert process.poll() is None, process.communicate()
            time.sleep(0.001)
        time.sleep(draw.random() * 0.02)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        self.kills += 1
        self.nothing_recorded_was_asked(done, recorded)

    def ended(self) -> list[Any]:
        """Start it and let it end."""
        done, recorded = self.acknowledged(), self.recorded()
        process = self.start()
        out, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        self.nothing_recorded_was_asked(done, recorded)
        return json.loads(out)

    def nothing_recorded_was_asked(self, done: set[str], recorded: int) -> None:
        assert not done & set(self.texts()[len(self.asked) :]), "an acknowledged answer was asked for again"
        assert self.again() <= len(set(self.asked)) - recorded <= CONCURRENCY * self.kills


def killed_and_compared(folder: Path, what: str, kills: int, seed: int) -> None:
    with upstream(judge) as up:
        (folder / "whole").mkdir()
        whole = Killed(up, folder / "whole", what).ended()
        assert len(up.log.asked) == CASES and whole[2:] == [0, CASES]
    with upstream(judge) as up:
        (folder / "killed").mkdir()
        story, draw = Killed(up, folder / "killed", what), random.Random(seed)
        for _ in range(kills):
            story.kill_once(draw, most=2 * CASES // (3 * kills))
        *final, twice, attempts = story.ended()
        repeats = sum(n - 1 for n in Counter(story.texts()).values())
        assert final == whole[:2]
        assert set(story.texts()) == {f"ticket {i}" for i in range(CASES)}
        assert repeats <= CONCURRENCY * kills and len(story.texts()) <= attempts <= CASES + CONCURRENCY * kills
        assert story.again() <= twice <= CONCURRENCY * kills
        assert repeats <= twice


@pytest.mark.parametrize(("what", "kills"), [("evaluate", 3), ("apply", 2)])
def test_a_run_that_was_killed_ends_as_if_it_had_not_been(tmp_path: Path, what: str, kills: int) -> None:
    killed_and_compared(tmp_path, what, kills, seed=11)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("what", ["evaluate", "apply"])
def test_a_run_that_was_killed_twenty_times_ends_as_if_it_had_not_been(tmp_path: Path, what: str, seed: int) -> None:
    killed_and_compared(tmp_path, what, 20, seed)
