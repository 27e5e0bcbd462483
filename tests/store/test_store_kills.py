"""Kills at random instants and processes at once: nothing acknowledged is lost, nothing is paid for unawares."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

from suffice.store.database import open_store
from suffice.store.journal import in_flight, lookup
from suffice.store.runs import get_run, start_run
from suffice.values import content_hash

HASHES = [content_hash(number) for number in range(20_000)]

# Works through the cases like a runner with concurrency 16, and notes in a file what it was told is on disk.
VICTIM = """
import asyncio, os, random, sys
from suffice.store.database import open_store
from suffice.store.journal import Recorded, Writer, lookup
from suffice.store.runs import resume_run
from suffice.values import Answer, content_hash

home, run, notes, seed = sys.argv[1:]
draw = random.Random(seed)
file = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
hashes = [content_hash(number) for number in range(20_000)]

def note(what, inputs):
    os.write(file, f"{what} {inputs}\\n".encode())

async def main():
    with open_store(home) as store:
        resume_run(store, run)
        known = lookup(store, "agent", hashes, run=run)
        todo = iter([inputs for inputs in hashes if inputs not in known])
        writer = Writer(store, run)
        note("ready", "")
        async def work():
            for inputs in todo:
                await writer.intend("agent", inputs)
                note("called", inputs)
                await asyncio.sleep(draw.random() * .002)
                await writer.record("agent", inputs, Recorded(Answer(inputs[:4], .5), None, .1))
                note("done", inputs)
        await asyncio.gather(*(work() for _ in range(16)))

asyncio.run(main())
"""


def test_kills_at_random_instants_lose_nothing_and_what_was_in_flight_is_known(tmp_path: Path, spawn) -> None:
    draw = random.Random(20260101)
    notes = tmp_path / "notes"
    with open_store(tmp_path / "store") as store:
        run = start_run(store, "climb", "tickets", {})
        store.connection.execute("UPDATE run SET state = 'interrupted'")
        called: list[str] = []
        maybe_twice: set[str] = set()
        for kill in range(15):
            notes.unlink(missing_ok=True)
            victim = spawn(VICTIM, tmp_path / "store", run, notes, kill)
            while not (notes.exists() and notes.stat().st_size):
                assert victim.poll() is None
                time.sleep(0.002)
            time.sleep(draw.random() * 0.12)
            victim.kill()
            victim.wait()
            lines = [
                line.split() for line in notes.read_text(encoding="ascii").splitlines(keepends=True) if line[-1] == "\n"
            ]
            called += [line[1] for line in lines if line[0] == "called"]
            done = {line[1] for line in lines if line[0] == "done"}

            recorded = lookup(store, "agent", HASHES, run=run)
            assert done <= set(recorded)
            assert all(call.answer and call.answer.value == inputs[:4] for inputs, call in recorded.items())
            lost = {inputs for _, inputs in in_flight(store, run)}
            assert len(lost) <= 16 and not lost & set(recorded)
            assert set(called) <= set(recorded) | lost  # every call that began is recorded or known to be lost
            maybe_twice |= lost
            assert get_run(store, run).state == "interrupted"
        twice = {inputs for inputs in called if called.count(inputs) > 1}
        assert twice <= maybe_twice  # nothing recorded was paid for again
        assert len(recorded) > 100 and maybe_twice  # the kills did hit the work
        assert store.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


# Opens the store together with the others, records its own answers and claims on the same block.
RIVAL = """
import asyncio, json, sys
from suffice.store.database import open_store
from suffice.store.journal import Recorded, Writer
from suffice.store.ledger import begin_try, blocks
from suffice.store.runs import start_run
from suffice.values import Answer, content_hash

home, name = sys.argv[1:]
keys = [content_hash(["case", number]) for number in range(50)]

async def main():
    with open_store(home) as store:
        run = start_run(store, "climb", name, {})
        writer = Writer(store, run)
        tries = []
        for step in range(8):
            hashes = [content_hash([name, step, number]) for number in range(16)]
            await asyncio.gather(*(writer.intend(name, inputs) for inputs in hashes))
            await asyncio.gather(*(writer.record(name, inputs, Recorded(Answer(name))) for inputs in hashes))
            [block] = blocks(store, keys)
            one = begin_try(store, block, f"{name} {step}", {"bar": .9}, lambda passed: .05 / 2 ** (len(passed) + 1))
            tries.append((one.block, one.number, one.alpha))
        print(json.dumps([run, tries]))

asyncio.run(main())
"""


def test_processes_at_once_open_record_and_claim_without_harm(tmp_path: Path, spawn) -> None:
    names = ["north", "south", "east", "west"]
    rivals = [spawn(RIVAL, tmp_path / "store", name) for name in names]
    told = [json.loads(rival.communicate(timeout=60)[0]) for rival in rivals]
    assert len({run for run, _ in told}) == 4
    tries = sorted(tuple(one) for _, tries in told for one in tries)
    assert tries == [(1, number, 0.05 / 2**number) for number in range(1, 33)]  # no alpha was given twice
    with open_store(tmp_path / "store") as store:
        for name in names:
            hashes = [content_hash([name, step, number]) for step in range(8) for number in range(16)]
            assert len(lookup(store, name, hashes)) == 128
