"""Kills at random instants: no refund is ever made twice, what is paid again was in flight, and it is said."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from upstream_faults import Ok, always

from suffice.programs import durable
from upstream import upstream

PROGRAM = Path(__file__).with_name("killed_program.py")


@dataclass
class Killing:
    """What was killed, asked and done."""

    kills: int = 0
    questions: int = 0
    result: str = ""


def killed_until_done(home: Path, notes: Path, url: str, orders: int, kills: int) -> Killing:
    """Run the program over and over, killed at random until it was killed so often; a person who looks answers."""
    draw, so_far = random.Random(kills), Killing()
    while not so_far.result:
        command = [sys.executable, str(PROGRAM), str(home), str(notes), url, str(orders)]
        run = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        if so_far.kills < kills:
            before = notes.stat().st_size if notes.exists() else 0
            while run.poll() is None and (not notes.exists() or notes.stat().st_size == before):
                time.sleep(0.001)
            time.sleep(draw.random() * 0.03)
            if run.poll() is None:
                run.kill()
                so_far.kills += 1
        printed = run.communicate(timeout=60)[0]
        if run.returncode == 0 and printed.startswith("WAITING"):
            for asked in durable.status("shop", store=home).questions:
                order = re.search(r"refund\(order=(\d+)", asked.question)
                assert order is not None, asked
                done = f"refund {order[1]}\n" in notes.read_text(encoding="ascii")
                said = (
                    f'"{order[1]}:{2 * int(order[1])}"'
                    if " return " in asked.question
                    else "done"
                    if done
                    else "not done"
                )
                durable.answer("shop", said, question=asked.number, store=home)
                so_far.questions += 1
        elif run.returncode == 0:
            so_far.result = printed
    return so_far


def check(home: Path, notes: Path, up_calls: int, orders: int, killing: Killing) -> None:
    """Raise AssertionError where something was done twice that must not be, or done again and not said."""
    assert killing.result.strip() == str([f"{n}:{2 * n}:ok" for n in range(orders)])
    did = Counter(notes.read_text(encoding="ascii").split("\n"))
    assert all(did[f"refund {n}"] == 1 for n in range(orders))
    status = durable.status("shop", store=home)
    again = sum(did[f"look {n}"] - 1 for n in range(orders)) + max(0, up_calls - orders)
    assert again <= status.again <= 4 * killing.kills + killing.questions
    assert status.state == "done"


@pytest.mark.parametrize(("orders", "kills"), [(10, 2), pytest.param(90, 20, marks=pytest.mark.slow)])
def test_kills_repeat_no_refund_and_at_most_what_was_in_flight(tmp_path: Path, orders: int, kills: int) -> None:
    notes, home = tmp_path / "notes", tmp_path / "store"
    with upstream(always(Ok("ok"))) as up:
        killing = killed_until_done(home, notes, up.url, orders, kills)
        check(home, notes, len(up.log.served), orders, killing)
    assert killing.kills == kills
