"""Runs are named, found again, and known for dead when their process is."""

from __future__ import annotations

import os
import sys

import pytest

from suffice.errors import StoreBusy, StoreError, UsageError
from suffice.store import process
from suffice.store.database import Store
from suffice.store.process import Process, alive, this_process
from suffice.store.runs import finish_run, get_run, latest, list_runs, resume_run, start_run

DIES_AT_WORK = """
import os, sys
from suffice.store.database import open_store
from suffice.store.runs import start_run
with open_store(sys.argv[1]) as store:
    print(start_run(store, "climb", "tickets", {"bar": .9}), flush=True)
    input() if len(sys.argv) > 2 else os._exit(9)
"""


def test_a_run_is_started_finished_and_listed_newest_first(store: Store) -> None:
    first = start_run(store, "climb", "tickets", {"bar": 0.9})
    second = start_run(store, "evaluate", "tickets", {})
    assert (first, second) == ("climb-1", "evaluate-2")
    begun = get_run(store, first)
    assert (begun.state, begun.settings, begun.result, begun.pid) == ("running", {"bar": 0.9}, None, os.getpid())
    finish_run(store, first, "done", {"verdict": "PASS"})
    ended = get_run(store, first)
    assert (ended.state, ended.result) == ("done", {"verdict": "PASS"})
    assert ended.finished is not None and ended.finished >= ended.started
    assert [run.id for run in list_runs(store)] == [second, first]
    assert [run.id for run in list_runs(store, kind="climb")] == [first]
    assert [run.id for run in list_runs(store, limit=1)] == [second]


def test_the_latest_run_of_an_identity_is_found(store: Store) -> None:
    start_run(store, "climb", "tickets", {"bar": 0.9})
    second = start_run(store, "climb", "tickets", {"bar": 0.9})
    start_run(store, "climb", "tickets", {"bar": 0.8})
    found = latest(store, "climb", get_run(store, second).identity)
    assert found is not None and found.id == second
    assert latest(store, "evaluate", found.identity) is None
    named = start_run(store, "climb", "tickets", {"bar": 0.7}, identity="mine")
    assert latest(store, "climb", "mine") == get_run(store, named)


@pytest.mark.parametrize(
    "wrong", ["climb-9", "evaluate-1", "climb", "", "climb-x", "climb-²", "-", "climb-" + "9" * 40]
)
def test_an_unknown_run_is_a_usage_error_that_says_where_runs_are_listed(store: Store, wrong: str) -> None:
    start_run(store, "climb", "tickets", {})
    with pytest.raises(UsageError) as caught:
        get_run(store, wrong)
    assert "suffice runs" in (caught.value.hint or "")


def test_a_run_whose_process_died_is_interrupted_and_can_be_resumed(store: Store, spawn) -> None:
    told, _ = spawn(DIES_AT_WORK, store.path.parent).communicate(timeout=30)
    assert get_run(store, told.strip()).state == "interrupted"
    resumed = resume_run(store, told.strip())
    assert (resumed.id, resumed.state, resumed.pid) == (told.strip(), "running", os.getpid())


def test_a_run_that_another_process_still_works_on_cannot_be_resumed(store: Store, spawn) -> None:
    other = spawn(DIES_AT_WORK, store.path.parent, "live")
    run = other.stdout.readline().strip()
    assert get_run(store, run).state == "running"
    with pytest.raises(StoreBusy, match=f"process {other.pid}"):
        resume_run(store, run)


def test_a_process_is_told_from_a_later_one_with_its_number() -> None:
    me = this_process()
    assert alive(me, beat=0.0)  # here nobody needs a heartbeat
    assert not alive(Process(me.host, me.place, me.pid, "earlier"), beat=1e12)


def test_a_process_elsewhere_lives_while_its_heart_beats() -> None:
    away = Process("elsewhere", "another boot", os.getpid(), this_process().born)
    now = process.time.time()
    assert alive(away, now - 30) and not alive(away, now - 90)


@pytest.mark.skipif(sys.platform == "win32", reason="needs ps")
def test_without_proc_the_start_of_a_process_comes_from_ps(spawn) -> None:
    born = process._born_ps(os.getpid())  # pyright: ignore[reportPrivateUsage]
    assert born and born == process._born_ps(os.getpid())  # pyright: ignore[reportPrivateUsage]
    gone = spawn("pass")
    gone.wait()
    assert process._born_ps(gone.pid) is None  # pyright: ignore[reportPrivateUsage]


@pytest.mark.skipif(sys.platform != "linux", reason="zombies are seen through /proc here")
def test_a_zombie_is_dead(spawn) -> None:
    child = spawn("print('up', flush=True); input()")
    child.stdout.readline()
    assert process._born(child.pid) is not None  # pyright: ignore[reportPrivateUsage]
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, and not yet taken away
    assert process._born(child.pid) is None  # pyright: ignore[reportPrivateUsage]
    assert process._born_ps(child.pid) is None  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize("column", ["settings", "result"])
@pytest.mark.parametrize("broken", ['{"bar": 0.', "", b"\xff\xff"])
def test_a_run_whose_row_is_damaged_is_named_with_what_to_do(store: Store, column: str, broken: object) -> None:
    whole, hurt = start_run(store, "climb", "tickets", {}), start_run(store, "climb", "tickets", {"bar": 0.9})
    store.connection.execute(f"UPDATE run SET {column} = ? WHERE number = 2", (broken,))
    for reads in (lambda: get_run(store, hurt), lambda: list_runs(store), lambda: resume_run(store, hurt)):
        with pytest.raises(StoreError, match=f"the store is damaged: the settings or the result of {hurt}") as error:
            reads()
        assert error.value.where == str(store.path) and "backup" in str(error.value.hint)
    assert get_run(store, whole).settings == {}
