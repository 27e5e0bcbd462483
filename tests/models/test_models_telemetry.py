"""Telemetry: a row for each served call, written aside; it may lose rows, and never a call."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from upstream_faults import Hang, Ok, Status, StreamOk, first

import suffice as sf
from suffice.errors import CallTimeout, StoreFull, UsageError
from suffice.models import telemetry
from suffice.models.belonging import Belonging, belonging
from suffice.models.concerns.retry import Retry
from suffice.models.model import Model
from suffice.models.serving import serving
from suffice.models.telemetry import kept, no_telemetry
from suffice.store.calls import CallJournal
from suffice.store.database import open_store
from suffice.store.runs import start_run
from suffice.store.telemetry import MOST, Desk, Served
from upstream import Upstream, upstream

PROGRAM = """
import asyncio, sys
from suffice.models.model import Model
for text in sys.argv[2:]:
    print(asyncio.run(Model(sys.argv[1])(text)).value)
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    """A store of its own, and a desk of its own that is closed at the end."""
    telemetry._desk().close()  # calls of tests before this one, while telemetry is still off
    monkeypatch.setenv("SUFFICE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SUFFICE_TELEMETRY", raising=False)
    telemetry._desk.cache_clear()
    yield tmp_path / "home"
    telemetry._desk().close()
    telemetry._desk.cache_clear()


def model(up: Upstream, **options: Any) -> Model:
    return Model(f"{up.url}#any", **{"price": (10, 100), "retry": Retry(base=0.001, cap=0.01), **options})


def rows(home: Path, columns: str, table: str = "served") -> list[tuple[Any, ...]]:
    """What is written once the desk has closed."""
    telemetry._desk().close()
    with sqlite3.connect(home / "store.sqlite") as db:
        found = db.execute(f"SELECT {columns} FROM {table} ORDER BY id").fetchall()
    db.close()
    return found


def test_each_served_call_is_a_row_with_its_figures_and_without_its_texts(home: Path) -> None:
    with upstream(first(Ok(usage=(12, 3)), Status(500), then=Ok(usage=(12, 3)))) as up:
        asyncio.run(model(up)("a secret question"))
        with serving("ab12"):
            asyncio.run(model(up)("again"))
    found = rows(home, "operation, model, solution, outcome, attempts, input_tokens, output_tokens, request, reply")
    name = f"{up.url}#any"
    assert found == [
        ("chat", name, None, "ok", 1, 12, 3, None, None),
        ("chat", name, "ab12", "ok", 2, 12, 3, None, None),
    ]
    (cost, seconds, at, ttft) = rows(home, "cost_usd, seconds, at, ttft")[0]
    assert cost == pytest.approx((12 * 10 + 3 * 100) / 1e6)
    assert 0 < seconds < 5 and abs(time.time() - at) < 60 and ttft is None
    assert b"secret question" not in b"".join(p.read_bytes() for p in home.iterdir())


def test_failed_and_cancelled_calls_are_rows_too(home: Path) -> None:
    async def calls(up: Upstream) -> None:
        await asyncio.gather(model(up)("refused"), return_exceptions=True)
        task = asyncio.ensure_future(model(up)("left"))
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    with upstream(first(Status(400), then=Hang())) as up:
        asyncio.run(calls(up))
    assert rows(home, "outcome, attempts") == [("refused", 1), ("cancelled", 1)]


def test_what_was_counted_is_kept_apart_from_what_is_only_a_bound(home: Path) -> None:
    """A stream that is left, a time-out, and a time-out before a good reply."""

    async def left(one: Model) -> None:
        async with one.stream("hello") as s:
            async for _ in s:
                break

    asked: dict[str, Any] = {"max_output_tokens": 50, "timeout": 0.1}
    with upstream(first(StreamOk(("a", "b"), delay=0.02), Hang(), Hang(), then=Ok(usage=(12, 3)))) as up:
        asyncio.run(left(model(up, **{**asked, "timeout": 5})))
        with pytest.raises(CallTimeout):
            asyncio.run(model(up, attempts=1, **asked)("hello"))
        reply = asyncio.run(model(up, attempts=2, **asked)("hello"))
        free = asyncio.run(model(up, **{**asked, "price": (0, 0)})("hello"))
    exact, most = (12 * 10 + 3 * 100) / 1e6, 50 * 100 / 1e6
    found = rows(home, "outcome, attempts, cost_usd, cost_usd_at_most")
    assert [row[:3] for row in found] == [
        ("cancelled", 1, 0.0),
        ("timeout", 1, 0.0),
        ("ok", 2, pytest.approx(exact)),
        ("ok", 1, 0.0),
    ]
    assert all(row[3] > most for row in found[:2]) and found[2][3] > exact + most and found[3][3] == 0.0
    assert (reply.at_most, free.at_most) == (True, False)
    assert [a.at_most for a in reply.attempts] == [True, False] and reply.cost == pytest.approx(found[2][3])


def test_a_reply_that_was_cut_off_or_filtered_is_not_ok(home: Path) -> None:
    async def calls(up: Upstream) -> None:
        for _ in range(3):
            await asyncio.gather(model(up, attempts=1)("hello"), return_exceptions=True)

    with upstream(first(Ok(finish="length"), Ok(finish="content_filter"))) as up:
        asyncio.run(calls(up))
    assert [outcome for (outcome,) in rows(home, "outcome")] == ["truncated", "filtered", "ok"]


def test_a_tape_serves_nobody(home: Path, tmp_path: Path) -> None:
    tape = tmp_path / "tape.jsonl"
    with upstream() as up, sf.models.record(tape):
        asyncio.run(model(up)("hello"))
    asyncio.run(Model(f"recorded:{tape}")("hello"))
    with sf.models.replay(tape):
        asyncio.run(model(up)("hello"))
    assert len(rows(home, "id")) == 1


def test_a_step_that_a_program_calls_is_known_by_its_name(home: Path) -> None:
    @sf.step
    async def triage(ticket: str) -> str:
        """Which team?"""
        ...

    async def chain(ticket: str) -> str:
        return await triage.using(model=served_by)(ticket)

    with upstream() as up:
        served_by = model(up)
        step = triage.using(model=served_by)
        sf.run(step("where is my parcel?"))
        sf.run(step.reply("where is my parcel?"))
        sf.run(step.as_solution()("where is my parcel?"))
        with serving("ab12"):
            asyncio.run(chain("where is my parcel?"))
    assert [solution for (solution,) in rows(home, "solution")] == [
        "triage",
        "triage",
        step.as_solution().identity,
        "ab12",
    ]


def test_texts_are_kept_where_the_user_says_so(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUFFICE_TELEMETRY", "full")
    with upstream(Ok("na\u00efve")) as up:
        asyncio.run(model(up)("a question", system="be brief"))
    ((request, reply),) = rows(home, "request, reply")
    assert [m["content"] for m in json.loads(request)] == ["be brief", "a question"] and reply == "na\u00efve"


def test_calls_of_a_run_are_in_the_journal_and_not_here(home: Path) -> None:
    with upstream() as up, open_store(home) as store:
        journal = CallJournal(store, start_run(store, "eval", "task", {}))
        with belonging(Belonging(journal)):
            asyncio.run(model(up)("inside"))
        with no_telemetry():
            asyncio.run(model(up)("beside a sealed run"))
        asyncio.run(model(up)("outside"))
        journal.close()
    assert len(rows(home, "id")) == 1


@pytest.mark.parametrize("said", ["off", "toml"])
def test_it_can_be_turned_off(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.chdir(tmp_path)
    if said == "toml":
        (tmp_path / "suffice.toml").write_text("telemetry = false\n", encoding="utf-8")
    else:
        monkeypatch.setenv("SUFFICE_TELEMETRY", said)
    with upstream() as up:
        asyncio.run(model(up)("hello"))
    telemetry._desk().close()
    assert not home.exists()


def test_the_setting_is_the_environments_then_the_files_and_figures_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SUFFICE_TELEMETRY", raising=False)
    assert kept() == "on"
    (tmp_path / "suffice.toml").write_text('telemetry = "full"\n', encoding="utf-8")
    assert kept() == "full"
    monkeypatch.setenv("SUFFICE_TELEMETRY", "OFF")
    assert kept() == "off"
    monkeypatch.setenv("SUFFICE_TELEMETRY", "texts")
    with pytest.raises(UsageError, match="off, on or full"):
        kept()
    monkeypatch.delenv("SUFFICE_TELEMETRY")
    (tmp_path / "suffice.toml").write_text('telemetry = "some"\n', encoding="utf-8")
    with pytest.raises(UsageError, match="telemetry is true, false"):
        kept()


@pytest.mark.parametrize("there", [False, True])
def test_a_program_makes_no_store_and_writes_to_one_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    monkeypatch.delenv("SUFFICE_HOME", raising=False)
    monkeypatch.delenv("SUFFICE_TELEMETRY")
    if there:
        open_store(tmp_path / ".suffice").close()
    inside = tmp_path / "inside"
    inside.mkdir()
    with upstream() as up:
        command = [sys.executable, "-c", PROGRAM, f"{up.url}#any", "one", "two"]
        ran = subprocess.run(command, cwd=inside, capture_output=True, text=True, check=True, timeout=30)
    assert (ran.stdout, ran.stderr) == ("ok\nok\n", "")
    assert not list(inside.iterdir())
    if there:
        with sqlite3.connect(tmp_path / ".suffice" / "store.sqlite") as db:
            assert db.execute("SELECT count(*) FROM served").fetchone() == (2,)  # written when the program ended
        db.close()
    else:
        assert [p.name for p in tmp_path.iterdir()] == ["inside"]


def test_a_place_that_cannot_be_written_is_said_once_and_no_call_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with upstream() as up:
        command = [sys.executable, "-c", PROGRAM, f"{up.url}#any", "one", "two"]
        environment = {"SUFFICE_HOME": str(tmp_path / "file" / "home"), "PATH": ""}
        ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30, env=environment)
    assert ran.stdout == "ok\nok\n"
    assert ran.stderr.count("telemetry of model calls cannot be written, the calls go on") == 1, ran.stderr


def served(item: Any) -> Served:
    return Served(time.time(), "chat", str(item), None, None, "ok", 1, 0.1)


def test_what_is_lost_is_counted_and_the_count_is_written(tmp_path: Path) -> None:
    desk = Desk(lambda: open_store(tmp_path), served)
    for number in range(MOST + 500):
        desk.put(number)
    desk.close(20)
    with sqlite3.connect(tmp_path / "store.sqlite") as db:
        (written,) = db.execute("SELECT count(*) FROM served").fetchone()
        (lost,) = db.execute("SELECT coalesce(sum(calls), 0) FROM served_lost").fetchone()
    db.close()
    assert written + desk.lost == MOST + 500 and written >= MOST and lost == desk.lost


def test_a_full_disk_loses_rows_and_nothing_else_and_it_goes_on_afterwards(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    full = [True]

    def opened() -> Any:
        if full[0]:
            raise StoreFull("no space left for the store")
        return open_store(tmp_path)

    desk = Desk(opened, served)
    for number in range(2):
        desk.put(number)
        wait_until(lambda number=number: desk.lost == number + 1)
    full[0] = False
    desk.put("afterwards")
    desk.close(20)
    assert [r.message for r in caplog.records].count("") == 0 and len(caplog.records) == 1
    with sqlite3.connect(tmp_path / "store.sqlite") as db:
        assert db.execute("SELECT model FROM served").fetchall() == [("afterwards",)]
        assert db.execute("SELECT calls FROM served_lost").fetchall() == [(2,)]
    db.close()


def test_a_row_that_cannot_be_made_is_lost_alone(tmp_path: Path) -> None:
    def row(item: Any) -> Served:
        return served(1 / item)

    desk = Desk(lambda: open_store(tmp_path), row)
    for item in (1, 0, 2):
        desk.put(item)
    desk.close(20)
    assert desk.lost == 1
    with sqlite3.connect(tmp_path / "store.sqlite") as db:
        assert db.execute("SELECT count(*) FROM served").fetchone() == (2,)
    db.close()


def test_handing_in_takes_microseconds() -> None:
    desk = Desk(lambda: None, served)
    desk._awake = True  # nobody takes anything out meanwhile
    best = min(timed(desk) for _ in range(5))
    assert best < 5e-6, best


def timed(desk: Desk, n: int = 1000) -> float:
    began = time.perf_counter()
    for number in range(n):
        desk.put(number)
    return (time.perf_counter() - began) / n


def wait_until(holds: Any, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize(("keep", "least"), [("full", "full"), ("hashes", "on"), ("off", "off")])
def test_telemetry_keeps_no_more_than_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: str, least: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "suffice.toml").write_text(f'telemetry = "full"\n[store]\nkeep = "{keep}"\n', encoding="utf-8")
    monkeypatch.delenv("SUFFICE_TELEMETRY", raising=False)
    assert kept() == least
    monkeypatch.setenv("SUFFICE_TELEMETRY", "full")
    assert kept() == least
