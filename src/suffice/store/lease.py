"""A lease: at most one live process works on one thing, and a dead one's lease passes on by itself."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Final

from suffice.errors import StoreBusy, StoreError
from suffice.store.database import Store, beside, transaction
from suffice.store.process import Process, alive, enrol

BEAT: Final = 15.0  # seconds between heartbeats: three may be lost before others take the lease for dead


@contextmanager
def lease(store: Store, name: str) -> Generator[None]:
    """Hold `name` ("block 3") while inside.

    Raises StoreBusy, naming the holder, if a live process holds it, this one included. A holder on this machine is
    looked up by process number and start time; one elsewhere is dead when its heartbeat is a minute old.
    """
    token = _take(store, name)
    over = threading.Event()
    beats = threading.Thread(target=_beat, args=(store, over), name=f"lease {name}", daemon=True)
    beats.start()
    try:
        yield
    except BaseException:
        with suppress(StoreError):  # the error inside is the one to tell; the lease of a dead process passes on
            _release(store, name, token)
        raise
    else:
        _release(store, name, token)
    finally:
        over.set()
        beats.join()


def _take(store: Store, name: str) -> bytes:
    token = secrets.token_bytes(8)
    with transaction(store) as db:
        row = db.execute(
            "SELECT since, host, place, pid, born, beat FROM lease JOIN process ON process.id = lease.process"
            " WHERE name = ?",
            (name,),
        ).fetchone()
        if row is not None:
            since, *process, beat = row
            holder = Process(*process)
            if alive(holder, beat):
                raise _held(store, name, holder, since)
        db.execute(
            "INSERT OR REPLACE INTO lease (name, process, token, since) VALUES (?, ?, ?, ?)",
            (name, enrol(db), token, time.time()),
        )
    return token


def _held(store: Store, name: str, holder: Process, since: float) -> StoreBusy:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(since))
    return StoreBusy(
        f"{name} is in use by process {holder.pid} on {holder.host} since {when}",
        hint=f"wait until it ends, or stop process {holder.pid} on {holder.host}, then run the same command again",
        where=str(store.path),
    )


def _release(store: Store, name: str, token: bytes) -> None:
    with transaction(store) as db:
        db.execute("DELETE FROM lease WHERE name = ? AND token = ?", (name, token))


def _beat(store: Store, over: threading.Event) -> None:
    """Say every `BEAT` seconds that this process lives, over a connection of the thread's own."""
    while not over.wait(BEAT):
        with suppress(StoreError), beside(store) as own, transaction(own) as db:
            enrol(db)  # a beat that could not be written is made up by the next
