"""Ctrl-C and kill -9 in the midst of a command: the same command again completes, and says the same."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time

import pytest
from cli_samples import Command, Ran, table

SLOW = """
import os, time

def slow(text):
    with open("calls", "a") as calls:
        calls.write(text + "\\n")
    time.sleep(.004)
    return "billing" if "invoice" in text else "shipping"

def mixed(text):
    right = slow(text)
    return "shipping" if int(text.split()[2]) % 9 == 0 else right
"""
SENTENCE = "interrupted: what was recorded is kept; the same command goes on from there"
SIDE_BY_SIDE = 4


@pytest.fixture
def slowly(suffice: Command) -> Command:
    suffice.write("slow.py", SLOW)
    suffice.write("t.csv", table(260))  # dev and test are large enough to be stopped in both
    return suffice


def calls(suffice: Command) -> list[str]:
    path = suffice.folder / "calls"
    return path.read_text().splitlines() if path.exists() else []


def stopped(suffice: Command, how: signal.Signals, after: int, *command: str) -> Ran:
    """The command, stopped by a signal once it has made `after` more calls."""
    process: subprocess.Popen[str] = suffice.begin(*command)
    goal = len(calls(suffice)) + after
    while len(calls(suffice)) < goal:
        assert process.poll() is None, process.communicate()
        time.sleep(0.001)
    process.send_signal(how)
    out, err = process.communicate(timeout=30)
    return Ran(process.returncode, out, err)


def uninterrupted(suffice: Command, *command: str) -> tuple[Ran, list[str]]:
    """What the command says, and which calls it makes, in a store of its own."""
    ran = suffice(*command, SUFFICE_HOME=str(suffice.folder / "reference"))
    made = calls(suffice)
    (suffice.folder / "calls").unlink()
    for left in ("t.suffice", "out.csv"):
        path = suffice.folder / left
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return ran, made


CLIMB = ("climb", "t.csv", "slow.py:mixed", "--bar", ".85", "--concurrency", str(SIDE_BY_SIDE))


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_climb_that_was_stopped_twice_decides_the_same(slowly: Command, how: signal.Signals) -> None:
    reference, made = uninterrupted(slowly, *CLIMB)
    assert reference.out.split(":")[0] in ("PASS", "FAIL", "UNPROVEN") and len(made) > 60
    for after in (7, 50):  # on dev, then on the sealed test
        ran = stopped(slowly, how, after, *CLIMB)
        assert ran.code == (130 if how is signal.SIGINT else -9) and "Traceback" not in ran.err
        assert (SENTENCE in ran.err) == (how is signal.SIGINT)
    assert "interrupted" in slowly("runs").out
    final = slowly(*CLIMB, "--resume")
    assert final.code == reference.code and final.out.splitlines()[0] == reference.out.splitlines()[0]
    paid = calls(slowly)
    assert set(paid) == set(made) or set(made) <= set(paid)
    assert len(paid) - len(set(paid)) <= 2 * SIDE_BY_SIDE  # nothing recorded was asked again


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_eval_that_was_stopped_goes_on_and_reports_the_same(slowly: Command, how: signal.Signals) -> None:
    command = ("eval", "t.csv", "slow.py:mixed", "--concurrency", str(SIDE_BY_SIDE))
    reference, made = uninterrupted(slowly, *command)
    ran = stopped(slowly, how, 20, *command)
    assert ran.code == (130 if how is signal.SIGINT else -9) and not ran.out
    assert (SENTENCE in ran.err) == (how is signal.SIGINT)
    final = slowly(*command)
    told = [line for line in final.out.splitlines() if not line.strip().startswith(("latency", "note"))]
    assert told == [line for line in reference.out.splitlines() if not line.strip().startswith("latency")]
    assert " recorded earlier" in final.out
    assert sorted(set(calls(slowly))) == sorted(made)
    assert len(calls(slowly)) <= len(made) + SIDE_BY_SIDE


@pytest.mark.parametrize(
    ("how", "out"),
    [
        (signal.SIGKILL, ("--out", "out.csv")),
        (signal.SIGINT, ()),
        pytest.param(signal.SIGINT, ("--out", "out.csv"), marks=pytest.mark.slow),
        pytest.param(signal.SIGKILL, (), marks=pytest.mark.slow),
    ],
)
def test_an_apply_that_was_stopped_writes_the_same_rows(
    slowly: Command, how: signal.Signals, out: tuple[str, ...]
) -> None:
    slowly.write("new.csv", "text\n" + "".join(f"invoice number {i}\n" for i in range(120)))
    command = ("apply", "slow.py:mixed", "new.csv", *out, "--concurrency", str(SIDE_BY_SIDE))
    path = slowly.folder / "out.csv"
    ran = slowly(*command, SUFFICE_HOME=str(slowly.folder / "reference"))
    reference = path.read_text() if out else ran.out
    assert reference.count("\n") == 121
    path.unlink(missing_ok=True)
    (slowly.folder / "calls").unlink()
    ran = stopped(slowly, how, 30, *command)
    assert ran.code == (130 if how is signal.SIGINT else -9) and "Traceback" not in ran.err
    final = slowly(*command)
    assert final.code == 0 and (path.read_text() if out else final.out) == reference
    if out:
        assert " were there already" in final.err and not (slowly.folder / "out.csv.resume").exists()
    assert len(calls(slowly)) <= 120 + SIDE_BY_SIDE


@pytest.mark.slow
def test_ctrl_c_while_a_rung_trains_is_heard(suffice: Command) -> None:
    process = suffice.begin("climb", "t.csv", "--bar", ".9")
    time.sleep(0.9)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode in (0, 130) and "Traceback" not in err
    assert suffice("climb", "t.csv", "--bar", ".9").code == 0


@pytest.mark.slow
def test_kills_at_many_instants_change_no_verdict(slowly: Command) -> None:
    reference, made = uninterrupted(slowly, *CLIMB)
    for after in (1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6, 7):  # together fewer calls than the climb makes
        stopped(slowly, signal.SIGKILL if after % 2 else signal.SIGINT, after, *CLIMB)
    final = slowly(*CLIMB)
    assert final.out.splitlines()[0] == reference.out.splitlines()[0]
    paid = calls(slowly)
    assert set(made) <= set(paid) and len(paid) - len(set(paid)) <= 13 * SIDE_BY_SIDE
