"""`evaluate`: dev only, nothing asked twice, and it survives what users and machines do to it."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import queue
import random
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import typer

from suffice.errors import SealedError, SolutionError, StoreFull, UsageError
from suffice.evals.evaluate import evaluate
from suffice.evals.report import Report
from suffice.evals.task import Task
from suffice.programs.bridge import run as wait
from suffice.programs.constant import constant_solution
from suffice.programs.solution import Solution, from_function
from suffice.store.database import Store, open_store
from suffice.store.journal import lookup
from suffice.store.runs import list_runs
from suffice.values import Answer, Case, Outcome

TEAMS = ("billing", "shipping", "returns")


def rows(n: int = 60, **more: Any) -> list[dict[str, Any]]:
    return [{"text": f"ticket number {i}", "team": TEAMS[i % 3], **more} for i in range(n)]


@pytest.fixture
def task() -> Task:
    return Task(rows())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "store") as opened:
        yield opened


def report_of(task: Task, solution: Any, store: Store | Path, **options: Any) -> Report:
    return asyncio.run(evaluate(task, solution, store=store, **options))


def written(folder: Path, source: str) -> Any:
    """The function `solve` of a module with this source, loaded anew."""
    path = folder / "written.py"
    path.write_text(source, encoding="utf-8")
    importlib.invalidate_caches()
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    try:
        spec = importlib.util.spec_from_file_location("written", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    import linecache

    linecache.checkcache(str(path))
    return module.solve


# ---------------------------------------------------------------- dev only


def test_it_runs_dev_in_order_and_touches_no_test_case(task: Task, store: Store) -> None:
    seen: queue.SimpleQueue[str] = queue.SimpleQueue()

    async def solve(text: str) -> str:
        seen.put(text)
        await asyncio.sleep(random.Random(text).random() / 200)
        return "billing"

    report = report_of(task, solve, store)
    asked = {seen.get() for _ in range(report.n)}
    assert seen.empty() and len(asked) == report.n > 10
    wide = task
    assert [o.case for o in report.outcomes] == list(wide.dev)
    assert asked.isdisjoint(c.inputs for c in wide.sealed())
    assert report.score == sum(c.expected == "billing" for c in wide.dev) / report.n
    assert (report.split, report.task, report.solution) == ("dev", "rows", "solve")


def test_train_can_be_looked_at_too(task: Task, store: Store) -> None:
    report = report_of(task, constant_solution("billing"), store, split="train")
    assert [o.case for o in report.outcomes] == list(task.train)


@pytest.mark.parametrize("bar", [None, 0.8])
def test_the_test_split_is_refused_with_lines_that_the_command_line_takes(tmp_path: Path, bar: float | None) -> None:
    from suffice.cli.app import app

    path = tmp_path / "my tickets.csv"
    path.write_text("text,team\n" + "".join(f"{r['text']},{r['team']}\n" for r in rows()), encoding="utf-8")
    with pytest.raises(SealedError) as caught:
        report_of(Task.load(path, bar=bar), str.upper, tmp_path / "store", split="test")
    assert not (tmp_path / "store").exists()
    commands = [shlex.split(line) for line in re.findall(r"`([^`]+)`", caught.value.hint or "")]
    assert [command[:3] for command in commands] == [["suffice", "climb", str(path)], ["suffice", "unseal", str(path)]]
    group: Any = typer.main.get_command(app)
    for _, name, *arguments in commands:
        context = group.commands[name].make_context(name, list(arguments))
        assert context.params["task"] == path
        assert name != "climb" or context.params["bar"] == (0.9 if bar is None else None)


def test_cases_that_were_given_as_dev_and_went_to_splits_without_any_are_told_of(task: Task, store: Store) -> None:
    given = Task([{"text": f"case {i}", "label": "ab"[i % 2], "split": "dev"} for i in range(12)])
    report = report_of(given, lambda text: "a", store)
    assert report.n < 12
    told = [note for note in report.notes if "was drawn out of the given dev" in note]
    assert [note.split()[0] for note in told] == ["train", "test"]
    assert set(told) <= set(given.split_notes) and all(f"note       {note}" in str(report) for note in told)
    assert report_of(task, lambda text: "a", store).notes == ()


def test_the_test_split_of_rows_is_refused_with_a_line_of_python(task: Task, store: Store) -> None:
    with pytest.raises(SealedError, match=r"await sf\.climb\(task, \[solution\], bar=0\.9\)"):
        report_of(task, str.upper, store, split="test")
    with pytest.raises(UsageError, match="no split 'tset'"):
        report_of(task, str.upper, store, split="tset")


def test_a_task_without_dev_cases_is_refused(store: Store) -> None:
    with pytest.raises(UsageError, match="has no dev cases"):
        report_of(Task([{**r, "split": "test"} for r in rows(1)], kind="label"), str.upper, store)


# ---------------------------------------------------------------- solutions and rungs


@dataclass
class Majority:
    """The smallest rung that learns."""

    name: str = "majority"
    learns: bool = True
    out_of_fold: Any = None
    fitted_on: list[Sequence[Case]] = field(default_factory=list)
    unsuited: Any = None

    async def fit(self, task: Task, cases: Sequence[Case]) -> Solution:
        self.fitted_on.append(cases)
        return constant_solution(Counter(c.expected for c in cases).most_common(1)[0][0])


def test_a_rung_that_learns_is_fitted_on_train_and_meets_dev(task: Task, store: Store) -> None:
    rung = Majority(out_of_fold=lambda: None)
    report = report_of(task, rung, store)
    assert rung.fitted_on == [task.train]
    assert [o.case for o in report.outcomes] == list(task.dev)
    assert report.fitted_on == f"{len(task.train)} train cases" and report.fitted_on in str(report)


def test_a_rung_that_does_not_suit_the_task_is_refused_with_its_reason(task: Task, store: Store) -> None:
    rung = Majority(unsuited=lambda task: "there are no train cases to count answers in")
    with pytest.raises(UsageError, match="majority cannot be tried on rows: there are no train cases"):
        report_of(task, rung, store)
    assert rung.fitted_on == [] and list_runs(store) == []


@pytest.mark.parametrize("wrong", ["words", 7, None, lambda: "no parameter"])
def test_what_cannot_be_called_with_an_input_is_refused_in_one_line(task: Task, store: Store, wrong: Any) -> None:
    with pytest.raises(SolutionError) as caught:
        report_of(task, wrong, store)
    assert caught.value.hint and "\n" not in caught.value.message


def test_parameters_that_do_not_fit_several_inputs_are_refused_before_the_first_call(store: Store) -> None:
    task = Task([{"subject": f"s{i}", "body": f"b{i}", "team": TEAMS[i % 3]} for i in range(60)])

    def one_too_many(subject: str, body: str, sender: str) -> str:
        raise AssertionError("called")

    def one_too_few(subject: str, other: str = "") -> str:
        raise AssertionError("called")

    for solution, said in ((one_too_many, "it needs sender"), (one_too_few, "no parameter for body")):
        with pytest.raises(SolutionError, match=said):
            report_of(task, solution, store)
    assert list_runs(store) == []

    def fits(body: str, subject: str) -> str:
        return f"{subject} {body}"

    report = report_of(task, fits, store)
    assert [o.answer and o.answer.value for o in report.outcomes] == [
        f"{c.inputs['subject']} {c.inputs['body']}" for c in (o.case for o in report.outcomes)
    ]


# ---------------------------------------------------------------- nothing is asked twice

SOURCE = '''
import os

def helper(text):
    return "billing"

def solve(text):
    """Which team?"""
    os.write({fd}, b"x")
    return helper(text)
'''


def test_an_edited_function_is_asked_again_and_an_edited_comment_is_not(task: Task, tmp_path: Path) -> None:
    read, write = os.pipe()

    def calls(source: str, **options: Any) -> int:
        report = report_of(task, written(tmp_path, source), tmp_path / "store", **options)
        os.write(write, b".")  # so that there is something to read
        count = len(os.read(read, 10_000)) - 1
        assert sum(not o.recorded for o in report.outcomes) == count
        return count

    source = SOURCE.format(fd=write)
    n = calls(source)
    assert n > 10
    assert calls(source) == 0
    assert calls("# a comment\n\n" + source.replace("return helper(text)", "return helper( text )  # done")) == 0
    assert calls(source.replace("return helper(text)", "return helper(text) or None")) == n
    assert calls(source.replace('return "billing"', 'return "returns"')) == n  # what it calls counts, too
    assert calls(source) == 0  # and the first version is still known
    assert calls(source, fresh=True) == n
    assert calls(source, split="train") > 0
    os.close(read)
    os.close(write)


def test_failed_calls_are_asked_again_by_the_next_run_and_answers_are_not(task: Task, store: Store) -> None:
    asked: queue.SimpleQueue[str] = queue.SimpleQueue()
    down = threading.Event()
    down.set()

    def solve(text: str) -> str:
        asked.put(text)
        if down.is_set() and int(text.rsplit(" ", 1)[1]) % 4 == 0:
            raise ConnectionError("the line is down")
        return "billing"

    first = report_of(task, solve, store)
    failed = [o.case.inputs for o in first.errors]
    assert 2 <= len(failed) < first.n and first.stopped == ""
    for _ in range(asked.qsize()):
        asked.get()
    down.clear()
    second = report_of(task, solve, store)
    assert sorted(asked.get() for _ in range(asked.qsize())) == sorted(failed)
    assert second.errors == () and second.n == first.n


def test_after_an_interruption_failed_calls_are_asked_again_too(task: Task, store: Store) -> None:
    asked: queue.SimpleQueue[str] = queue.SimpleQueue()
    down = threading.Event()
    down.set()

    async def solve(text: str) -> str:
        asked.put(text)
        if down.is_set() and asked.qsize() > 1:
            raise ConnectionError("the line is down")
        return "billing"

    async def interrupted() -> None:
        def stop(_: Outcome) -> None:
            if asked.qsize() > 6:
                running.cancel()

        running = asyncio.create_task(evaluate(task, solve, store=store, concurrency=1, on_done=stop))
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(interrupted())
    assert [r.state for r in list_runs(store)] == ["interrupted"]
    down.clear()
    report = report_of(task, solve, store)
    assert report.errors == () and report.run == "eval-1" and sum(o.recorded for o in report.outcomes) == 1


def test_the_error_that_ended_a_run_is_the_one_that_is_told(task: Task, store: Store) -> None:
    def breaks(_: Outcome) -> None:
        store.connection.execute("DROP TABLE run")  # so that not even the end can be noted
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        report_of(task, lambda text: text, store, on_done=breaks)


def test_ten_failures_in_a_row_from_the_start_stop_the_run(task: Task, store: Store) -> None:
    asked: queue.SimpleQueue[str] = queue.SimpleQueue()

    async def solve(text: str) -> str:
        asked.put(text)
        raise PermissionError("no key")

    report = report_of(task, solve, store, concurrency=2)
    assert report.n == 10 and asked.qsize() <= 12
    assert report.score is None and report.interval is None
    assert "each of the first 10 calls failed" in str(report) and "no key" in str(report)
    assert "unknown: no call gave an answer" in str(report)


def test_ten_failures_later_on_do_not_stop_it(task: Task, store: Store) -> None:
    calls: list[str] = []

    class Flaky:
        async def __call__(self, text: str) -> str:
            calls.append(text)
            if len(calls) > 1:
                raise ConnectionError
            return "billing"

    report = report_of(task, Flaky(), store, concurrency=1)
    assert report.n == len(calls) > 12 and len(report.errors) == report.n - 1 and report.stopped == ""


def test_a_solution_that_floods_and_breaks_characters_is_reported_stored_and_found_again(
    task: Task, store: Store
) -> None:
    def solve(text: str) -> str:
        if text.endswith("1"):
            raise ValueError("half \ud83d of it\n" * 100)
        return f"{text} \ud83d \x1b[31m red \0" + "y" * 200_000

    report = report_of(task, solve, store)
    assert report.errors and report.failures
    for line in str(report).splitlines():
        assert line.isprintable() and len(line) < 700
    str(report).encode()
    kept = list_runs(store)[0]
    assert kept.state == "done" and kept.result["n"] == report.n
    again = report_of(task, solve, store)
    assert [o.answer for o in again.outcomes] == [o.answer for o in report.outcomes]


def test_progress_hears_of_every_case_once(task: Task, store: Store) -> None:
    def solve(text: str) -> str:
        return "billing"

    for _ in range(2):  # called, and then recorded
        heard: list[Outcome] = []
        report = report_of(task, solve, store, on_done=heard.append)
        assert sorted(o.case.id for o in heard) == sorted(o.case.id for o in report.outcomes)


def test_fifty_times_a_day_feels_instant(store: Store) -> None:
    task = Task(rows(3_000))

    async def solve(text: str) -> str:
        return "billing"

    report_of(task, solve, store, concurrency=64)
    began = time.perf_counter()
    report = report_of(task, solve, store)
    assert time.perf_counter() - began < 2.0  # .15 s on an idle machine, for 900 cases
    assert report.seconds is None and all(o.recorded for o in report.outcomes)
    assert "every answer was recorded earlier" in str(report)


# ---------------------------------------------------------------- loops and bridges


def test_it_works_from_plain_code_and_inside_a_running_loop(task: Task, tmp_path: Path) -> None:
    def solve(text: str) -> str:
        return wait(_later(text))  # a def that itself bridges to async code

    async def main() -> Report:
        return await evaluate(task, solve, store=tmp_path / "b")

    plain, inside = wait(evaluate(task, solve, store=tmp_path / "a")), asyncio.run(main())
    assert [o.answer for o in plain.outcomes] == [o.answer for o in inside.outcomes]


async def _later(text: str) -> str:
    await asyncio.sleep(0)
    return text[:3]


def test_two_at_once_on_one_store_do_not_disturb_each_other(task: Task, tmp_path: Path) -> None:
    def solver(name: str) -> Any:
        async def solve(text: str) -> str:
            await asyncio.sleep(0.001)
            return f"{name} {text}"

        return solve

    async def together() -> list[Report]:
        both = (evaluate(task, solver(name), store=tmp_path / "store", concurrency=4) for name in ("a", "b", "a"))
        return await asyncio.gather(*both)

    reports = asyncio.run(together())
    in_threads: queue.SimpleQueue[Report] = queue.SimpleQueue()
    threads = [
        threading.Thread(target=lambda n=n: in_threads.put(report_of(task, solver(n), tmp_path / "store", fresh=True)))
        for n in ("b", "c", "c")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reports += [in_threads.get() for _ in threads]
    assert len({r.run for r in reports}) == 6
    for report in reports:
        name = report.outcomes[0].answer.value[0]  # pyright: ignore[reportOptionalMemberAccess]
        assert [o.answer for o in report.outcomes] == [Answer(f"{name} {o.case.inputs}") for o in report.outcomes]


def test_an_open_store_is_left_open_and_a_path_is_closed(task: Task, tmp_path: Path, store: Store) -> None:
    report_of(task, constant_solution("billing"), store)
    assert len(list_runs(store)) == 1
    report_of(task, constant_solution("billing"), tmp_path / "other")
    assert (tmp_path / "other" / "store.sqlite").exists()


# ---------------------------------------------------------------- what machines do


def test_a_disk_that_fills_up_stops_the_run_and_keeps_what_was_recorded(task: Task, store: Store) -> None:
    asked: queue.SimpleQueue[str] = queue.SimpleQueue()

    async def solve(text: str) -> str:
        asked.put(text)
        await asyncio.sleep(0.001)
        return text * 2_000

    cases = task.dev
    (pages,) = store.connection.execute("PRAGMA page_count").fetchone()
    store.connection.execute(f"PRAGMA max_page_count = {pages + 60}")
    with pytest.raises(StoreFull, match="everything recorded before this is kept") as caught:
        report_of(task, solve, store, concurrency=3)
    assert "same command again" in (caught.value.hint or "")
    kept = lookup(store, from_function(solve).identity, [c.inputs_hash for c in cases])
    assert 0 < len(kept) < len(cases) and asked.qsize() <= len(kept) + 3
    store.connection.execute("PRAGMA max_page_count = 1000000")
    before = asked.qsize()
    assert report_of(task, solve, store).n == len(cases)
    assert asked.qsize() - before == len(cases) - len(kept)


def test_a_real_small_disk_that_fills_up(task: Task, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(disk)]
    if sys.platform != "linux" or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root on Linux")
    try:
        asked: queue.SimpleQueue[str] = queue.SimpleQueue()

        def solve(text: str) -> str:
            asked.put(text)
            return text * 3_000

        with pytest.raises(StoreFull):
            report_of(task, solve, disk / "store", concurrency=2)
        calls = asked.qsize()
        with open_store(disk / "store") as store:
            kept = lookup(store, from_function(solve).identity, [c.inputs_hash for c in (*task.train, *task.dev)])
        assert 0 < len(kept) and calls <= len(kept) + 2
    finally:
        subprocess.run(["umount", str(disk)], check=True)


# A process that evaluates, to be killed or interrupted. Its solutions note each call in a file beside.
VICTIM = """
import asyncio, hashlib, os, sys, time
from suffice.evals.evaluate import evaluate
from suffice.evals.task import Task
from suffice.programs.bridge import run

NOTES, SLOW = {notes!r}, {slow}

def note(what, text):
    file = os.open(NOTES, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, f"{{what}}\\t{{text}}\\n".encode())
    os.close(file)

def pause(text):
    return SLOW * (1 + hashlib.sha256(text.encode()).digest()[0] % 8)

async def agent(text):
    note("called", text)
    await asyncio.sleep(pause(text))
    return text.upper()

def plain(text):
    note("called", text)
    time.sleep(pause(text))
    return text.upper()

def hangs(text):
    note("called", text)
    time.sleep(3600)

def task():
    return Task([{{"text": f"t{{i}}", "out": f"T{{i}}"}} for i in range(500)], kind="text")

def go(solution, bridge=asyncio.run, **options):
    return bridge(evaluate(task(), solution, on_done=lambda o: note("done", o.case.inputs), **options))
"""


@pytest.fixture
def victim(tmp_path: Path) -> Any:
    """A module as above, in the folder, with a way to run it elsewhere and one to import it here."""

    @dataclass
    class Victim:
        notes: Path

        def start(self, call: str, slow: float) -> subprocess.Popen[str]:
            self.notes.unlink(missing_ok=True)
            source = VICTIM.format(notes=str(self.notes), slow=slow)
            (tmp_path / "victim.py").write_text(source, encoding="utf-8")
            command = [sys.executable, "-c", f"import victim; print(victim.{call})"]
            env = {**os.environ, "PYTHONPATH": str(tmp_path), "SUFFICE_HOME": str(tmp_path / "home")}
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
            while not self.notes.exists() and process.poll() is None:
                time.sleep(0.002)
            return process

        def noted(self, what: str) -> list[str]:
            lines = self.notes.read_text(encoding="utf-8").splitlines(keepends=True)
            pairs = [line.rstrip("\n").split("\t") for line in lines if line.endswith("\n")]
            return [text for said, text in pairs if said == what]

        def here(self) -> Any:
            spec = importlib.util.spec_from_file_location("victim", tmp_path / "victim.py")
            assert spec is not None and spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module

    return Victim(tmp_path / "notes")


@pytest.mark.parametrize("seed", range(10))
def test_after_a_kill_nothing_acknowledged_is_called_again_and_repeats_are_told(
    victim: Any, tmp_path: Path, seed: int
) -> None:
    draw = random.Random(1000 + seed)
    name, concurrency = ("agent", "plain")[seed % 2], draw.choice([1, 4, 16])
    process = victim.start(f"go(victim.{name}, concurrency={concurrency})", slow=0.0002 * concurrency)
    time.sleep(draw.random() * 0.12)
    process.kill()
    process.communicate()
    called, acknowledged = victim.noted("called"), set(victim.noted("done"))
    module = victim.here()
    victim.notes.unlink()
    report = module.go(getattr(module, name), concurrency=concurrency, store=tmp_path / "home")
    again = victim.noted("called")
    repeats = set(called) & set(again)
    everything = {c.inputs for c in module.task().dev}
    assert set(called) | set(again) == everything and report.n == len(everything) and report.score == 1.0
    assert len(again) == len(set(again)) and not acknowledged & set(again)
    assert len(repeats) <= report.possibly_paid_twice <= concurrency
    if report.possibly_paid_twice:
        assert "possibly paid twice" in str(report)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
@pytest.mark.parametrize("call", ["go(victim.agent)", "go(victim.plain)", "go(victim.agent, bridge=victim.run)"])
def test_ctrl_c_leaves_a_journal_that_the_next_run_goes_on_with(victim: Any, tmp_path: Path, call: str) -> None:
    process = victim.start(call, slow=0.004)
    time.sleep(0.15)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert process.returncode != 0 and "KeyboardInterrupt" in errors
    with open_store(tmp_path / "home") as store:
        assert [r.state for r in list_runs(store)] == ["interrupted"]
    called, acknowledged = victim.noted("called"), set(victim.noted("done"))
    assert 0 < len(acknowledged) < 150
    module = victim.here()
    victim.notes.unlink()
    report = module.go(getattr(module, "plain" if "plain" in call else "agent"), store=tmp_path / "home")
    repeats = set(called) & set(victim.noted("called"))
    assert report.score == 1.0 and not repeats & acknowledged
    assert len(repeats) <= report.possibly_paid_twice <= 8
    with open_store(tmp_path / "home") as store:
        assert [r.state for r in list_runs(store)] == ["done"]  # it went on under its own name


def test_a_def_that_hangs_does_not_keep_the_process_alive(victim: Any) -> None:
    began = time.monotonic()
    process = victim.start("go(victim.hangs, timeout=.2, concurrency=4)", slow=0.0)
    out, errors = process.communicate(timeout=30)
    assert process.returncode == 0 and time.monotonic() - began < 20, errors
    assert "10 timeout" in out and "no answer within 0.2 s (victim.py:" in out
