"""A lease is held by one live process, and passes on from a dead one."""

from __future__ import annotations

import os
import time
from importlib import import_module

import pytest

from suffice.errors import StoreBusy, StoreFull
from suffice.store.database import Store, transaction
from suffice.store.lease import lease
from suffice.store.process import enrol

HOLDER = """
import sys
from suffice.store.database import open_store
from suffice.store.lease import lease
with open_store(sys.argv[1]) as store, lease(store, "block 3"):
    print("held", flush=True)
    input()
"""


def held(store: Store) -> list[str]:
    return [name for (name,) in store.connection.execute("SELECT name FROM lease")]


def test_a_lease_is_given_back_and_can_be_taken_again(store: Store) -> None:
    for _ in range(2):
        with lease(store, "block 3"), lease(store, "block 4"):
            assert held(store) == ["block 3", "block 4"]
        assert held(store) == []
    with pytest.raises(ZeroDivisionError), lease(store, "block 3"):
        raise ZeroDivisionError
    assert held(store) == []


def test_the_same_process_cannot_take_it_twice(store: Store) -> None:
    with lease(store, "block 3"):
        with pytest.raises(StoreBusy, match=f"process {os.getpid()}"), lease(store, "block 3"):
            raise AssertionError("two at once")
        assert held(store) == ["block 3"]


def test_a_second_process_is_told_who_holds_it_until_that_one_dies(store: Store, spawn) -> None:
    other = spawn(HOLDER, store.path.parent)
    assert other.stdout.readline() == "held\n"
    with pytest.raises(StoreBusy) as caught, lease(store, "block 3"):
        raise AssertionError("two at once")
    host = os.uname().nodename
    assert f"process {other.pid} on {host} since {time.strftime('%Y')}" in caught.value.message
    assert caught.value.retryable and str(other.pid) in (caught.value.hint or "")
    other.kill()
    other.wait()
    with lease(store, "block 3"):
        assert held(store) == ["block 3"]


def hold_elsewhere(store: Store, beat: float) -> None:
    with transaction(store) as db:
        number = enrol(db)
        db.execute("UPDATE process SET place = 'another boot', beat = ? WHERE id = ?", (beat, number))
        db.execute("INSERT INTO lease VALUES ('block 3', ?, x'00', ?)", (number, beat))


def test_a_holder_elsewhere_counts_as_dead_a_minute_after_its_last_heartbeat(store: Store) -> None:
    hold_elsewhere(store, time.time() - 50)
    with pytest.raises(StoreBusy), lease(store, "block 3"):
        raise AssertionError("two at once")
    store.connection.execute("UPDATE process SET beat = beat - 20")
    with lease(store, "block 3"):
        assert held(store) == ["block 3"]


def test_one_who_lost_the_lease_does_not_take_it_from_the_next(store: Store) -> None:
    with lease(store, "block 3"):
        store.connection.execute("UPDATE lease SET token = x'00'")  # asleep for long, another took it
    assert held(store) == ["block 3"]


def test_the_heart_beats_while_the_lease_is_held(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("suffice.store.lease"), "BEAT", 0.02)

    def beat() -> float:
        return store.connection.execute("SELECT max(beat) FROM process").fetchone()[0]

    with lease(store, "block 3"):
        first, until = beat(), time.monotonic() + 5
        while beat() == first and time.monotonic() < until:
            time.sleep(0.01)
        assert beat() > first
    time.sleep(0.1)
    last = beat()
    time.sleep(0.1)
    assert beat() == last


def test_the_error_inside_is_the_one_told_though_the_lease_cannot_be_given_back(store: Store) -> None:
    with pytest.raises(StoreFull, match="inside"), lease(store, "block 3"):
        store.connection.execute("PRAGMA query_only = 1")
        raise StoreFull("inside")
