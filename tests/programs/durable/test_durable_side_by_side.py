"""Programs that are killed while they do things side by side: they go on as if they had not been."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from suffice.programs import durable

PROGRAMS = Path(__file__).with_name("side_by_side_programs.py")
Run = Callable[..., list[str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """What a program of that name prints, in a process of its own."""
    monkeypatch.setenv("SUFFICE_HOME", str(tmp_path / "store"))

    def printed(*words: str) -> list[str]:
        command = [sys.executable, str(PROGRAMS), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=50).stdout.splitlines()

    return printed


def test_what_is_asked_again_does_not_overtake_what_is_recorded(run: Run) -> None:
    assert run("prizes", "first") == ["paid prize 1 to A"]
    assert run("prizes") == ["paid prize 2 to B", "['A', 'B']"]
    assert run("prizes") == ["['A', 'B']"]


def test_who_waits_for_an_answer_holds_what_it_holds(run: Run) -> None:
    assert run("places", "first") == []
    paid: list[str] = []
    for _ in range(9):
        *more, end = run("places")
        paid += more
        if not end.startswith("Waiting"):
            break
        asked = durable.status("one").questions[-1]
        durable.answer("one", "done" if asked.choices else "paid", question=asked.number)
    assert end.startswith("[") and len(paid) == len(set(paid))
    order = re.findall(r"'(\w+)'", end)
    assert sorted(order) == ["b", "c", "d", "late"]
    assert [line for line in paid if ":" in line] == [f"paid {n}: {who}" for n, who in enumerate(order, 1)]


def test_what_a_group_of_tasks_cut_off_because_of_an_error_is_done_when_the_error_is_gone(run: Run) -> None:
    assert run("group", "first") == ["paid report", "ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)"]
    began = time.monotonic()
    assert run("group") == ["['seen slow', 'seen down']"]
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    ("name", "first", "said"),
    [
        ("changed_late", [], 'recorded is look(key="last"), asked for is now look(key="changed")'),
        ("left_out", ["paid a", "paid b"], "at its end: recorded is pay(what="),
        ("one_by_one", [], 'recorded is look(key="a") in another task, which did not come to it'),
    ],
)
def test_a_changed_program_is_stopped_before_anything_is_called(
    run: Run, name: str, first: list[str], said: str
) -> None:
    assert run(name, "first") == first
    for _ in range(2):
        (stopped,) = run(name)
        assert stopped.startswith("JournalDiverged") and said in stopped


def test_a_question_in_a_group_lets_what_is_beside_it_end(run: Run) -> None:
    assert run("question") == ["paid x", "Waiting: program-1 waits for an answer: Sure?"]
    assert run("question") == ["Waiting: program-1 waits for an answer: Sure?"]
    durable.answer("one", "yes")
    assert run("question") == ["['yes', 'paid x']"]
