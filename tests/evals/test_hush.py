"""Silence while sealed cases run: nothing of them is heard or written, not even late, and then all is as before."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from suffice.evals.hush import hushed
from suffice.programs.threads import in_thread

SECRET = "canary"
log = logging.getLogger("a solution's own")


def noise() -> None:
    """Every way to say something."""
    print(SECRET)
    print(SECRET, file=sys.stderr, flush=True)
    sys.stdout.write(SECRET)
    sys.stdout.buffer.write(SECRET.encode())
    os.write(1, SECRET.encode())
    os.write(2, SECRET.encode())
    subprocess.run(["echo", SECRET], check=True)
    subprocess.run(["echo", SECRET], check=True, stdout=sys.stdout, stderr=sys.stderr)
    log.critical(SECRET)
    log.log(99, SECRET)
    warnings.warn(SECRET, stacklevel=1)


def state() -> tuple[Any, ...]:
    """Everything that is to be put back."""
    descriptors = [(os.fstat(number).st_dev, os.fstat(number).st_ino) for number in (1, 2)]
    return sys.stdout, sys.stderr, descriptors, logging.getLogRecordFactory(), logging.root.manager.disable


Listen = Callable[[], Callable[[], str]]


@pytest.fixture
def listen(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Listen]:
    """Call it inside the test (pytest puts its own streams back before), then call what it returns: that was heard."""

    def said() -> str:
        sys.stdout.flush()
        sys.stderr.flush()
        return "".join(capfd.readouterr())

    def begin() -> Callable[[], str]:
        """Streams, logging and warnings as in a program: buffered, and on the process's descriptors."""
        for name, number in (("stdout", 1), ("stderr", 2)):
            monkeypatch.setattr(sys, name, open(number, "w", encoding="utf-8", closefd=False))
        monkeypatch.setattr(warnings, "showwarning", lambda message, *_: print(message, file=sys.stderr))
        monkeypatch.setattr(log, "handlers", [logging.StreamHandler(sys.stderr)])
        monkeypatch.setattr(log, "propagate", False)
        warnings.simplefilter("always")
        return said

    with warnings.catch_warnings():
        yield begin


def test_nothing_is_heard_inside_and_everything_outside(listen: Listen) -> None:
    heard = listen()
    before = state()
    noise()
    said = heard().count(SECRET)
    assert said == 11
    with hushed():
        noise()
        assert heard() == ""
    assert heard() == "" and state() == before
    noise()
    assert heard().count(SECRET) == said


def test_it_ends_with_an_exception_too(listen: Listen) -> None:
    heard = listen()
    before = state()
    for error in (ValueError, KeyboardInterrupt, SystemExit, asyncio.CancelledError):
        with pytest.raises(error), hushed():
            noise()
            raise error
        assert state() == before
    assert heard() == ""


def test_the_level_of_logging_is_put_back(listen: Listen) -> None:
    heard = listen()
    logging.disable(logging.INFO)
    try:
        with hushed():
            log.error(SECRET)
        assert logging.root.manager.disable == logging.INFO
        log.error("heard")
        assert heard() == "heard\n"
    finally:
        logging.disable(logging.NOTSET)


def test_inside_another_and_side_by_side_the_last_one_out_opens_the_streams(listen: Listen) -> None:
    heard = listen()
    before = state()
    with hushed():
        with hushed():
            noise()
        noise()
    assert state() == before
    inside, leave = threading.Barrier(3), [threading.Event(), threading.Event()]

    def one(number: int) -> None:
        with hushed():
            inside.wait()
            leave[number].wait()
            noise()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    inside.wait()
    for event, thread in zip(leave, threads, strict=True):  # the first one in is the first one out
        noise()
        event.set()
        thread.join()
    assert heard() == "" and state() == before


def test_what_waits_in_a_buffer_before_is_kept_and_what_is_left_in_one_inside_is_dropped(
    listen: Listen,
) -> None:
    heard = listen()
    outside = sys.stdout
    outside.write("before ")
    with hushed():
        outside.write(SECRET)  # somebody's own reference to the stream, not flushed
        thread = threading.Thread(target=lambda: print(SECRET))  # it knows of no context
        thread.start()
        thread.join()
    print("after")
    assert heard() == "before after\n"


def test_what_is_set_up_inside_works_outside(listen: Listen) -> None:
    heard = listen()
    with hushed():
        handler = logging.StreamHandler(sys.stderr)  # as a library does at its first call
        late = logging.getLogger("set up inside")
        late.addHandler(handler)
        late.error(SECRET)
    late.error("heard")
    assert heard() == "heard\n"
    late.removeHandler(handler)


def test_a_process_without_streams_can_be_hushed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with hushed():
        print(SECRET)
        print(SECRET, file=sys.stderr)
    assert sys.stdout is None and isinstance(sys.stderr, io.StringIO) and sys.stderr.getvalue() == ""


@pytest.mark.parametrize("late", ["thread", "task"])
def test_a_call_that_goes_on_after_its_time_is_not_heard_and_everyone_else_is(listen: Listen, late: str) -> None:
    heard = listen()
    before = state()
    go, ended = threading.Event(), threading.Event()

    def python_noise() -> None:
        print(SECRET)
        print(SECRET, file=sys.stderr, flush=True)
        sys.stdout.buffer.write(SECRET.encode())
        subprocess.run(["echo", SECRET], check=True, stdout=sys.stdout)
        log.critical(SECRET)
        warnings.warn(SECRET, stacklevel=1)
        logging.StreamHandler(sys.stdout).emit(logging.makeLogRecord({"msg": SECRET}))
        ended.set()

    def in_its_thread() -> None:
        go.wait(10)
        python_noise()

    async def as_a_task() -> None:
        while not go.is_set():
            await asyncio.sleep(0.001)
        python_noise()

    async def main() -> None:
        tasks: list[asyncio.Task[None]] = []
        with hushed():
            if late == "thread":
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.01):
                        await in_thread(in_its_thread)
            else:
                tasks.append(asyncio.create_task(as_a_task()))
                await asyncio.sleep(0)
        print("heard")
        log.error("heard")
        go.set()
        await in_thread(lambda: ended.wait(10))
        print("heard", file=sys.stderr)
        await asyncio.gather(*tasks)

    asyncio.run(main())
    assert heard().split() == ["heard"] * 3
    until = time.monotonic() + 5
    while sys.stdout is not before[0] and time.monotonic() < until:  # the thread lets go of its context
        time.sleep(0.001)
    assert state() == before


def test_what_threads_and_finalizers_raise_is_not_told_not_even_late_and_that_of_others_is(
    listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = listen()
    monkeypatch.setattr(threading, "excepthook", lambda told: print(told.exc_value, file=sys.stderr))
    monkeypatch.setattr(sys, "unraisablehook", lambda told: print(told.exc_value, file=sys.stderr))
    go = threading.Event()

    class Dies:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            raise ValueError(SECRET)

    def dies() -> None:
        go.wait(10)
        raise ValueError(SECRET)

    def falls() -> None:
        raise ValueError("heard")

    with hushed():
        Dies()
        threads = [threading.Thread(target=dies) for _ in range(2)]
        for thread in threads:
            thread.start()
    other = threading.Thread(target=falls)
    other.start()
    other.join()
    assert heard() == "heard\n"
    go.set()
    for thread in threads:
        thread.join()
    assert heard() == ""


def test_a_warning_of_a_late_call_is_in_nobody_elses_records() -> None:
    go = threading.Event()

    def late() -> None:
        go.wait(10)
        warnings.warn(SECRET, stacklevel=1)

    async def main() -> None:
        with hushed():
            task = asyncio.create_task(in_thread(late))
            await asyncio.sleep(0)
        with warnings.catch_warnings(record=True) as records:
            warnings.simplefilter("always")
            go.set()
            await task
            warnings.warn("heard", stacklevel=1)
        assert [str(record.message) for record in records] == ["heard"]

    asyncio.run(main())


# A whole sealed run in a process of its own: all of its cases hold the canary, and its solutions do what they can.
CANARY = "Kanarienvogel-471108153926"
PROGRAM = """
import asyncio, logging, os, subprocess, sys, threading, time, traceback, warnings
from contextlib import aclosing
import numpy as np
from suffice.evals import grade
from suffice.evals.evaluate import evaluate
from suffice.evals.hush import hushed
from suffice.evals.runner import Job, outcomes
from suffice.evals.seal import sealed_blocks
from suffice.evals.task import Task
from suffice.programs.solution import Solution, from_function
from suffice.store.database import open_store
from suffice.store.runs import finish_run, start_run
from suffice.values import ABSTAIN, Answer

home, canary = sys.argv[1:]
logging.basicConfig(level=logging.DEBUG)
open_cases = [{"text": f"open {i}", "out": "x", "split": ("train", "dev")[i % 2]} for i in range(8)]
sealed = [{"text": f"{canary} in {i}", "out": f"{canary} out {i}", "split": "test"} for i in range(12)]
task = Task(open_cases + sealed, kind="text")

def says(text):
    print(text); print(text, file=sys.stderr); sys.stdout.buffer.write(text.encode()); os.write(1, text.encode())
    sys.__stdout__.write(text)
    logging.error(text); logging.debug(text); warnings.warn(text); subprocess.run(["echo", text])
    subprocess.Popen(["sh", "-c", f"sleep .4; echo '{text}'; echo '{text}' >&2"])
    thread = threading.Thread(target=lambda: (print(text), 1 / len(text.encode()[:0])))  # and dies with a traceback
    thread.start(); thread.join()
    return text
async def says_async(text):
    return says(text)
def echoes(text): return text
def right(text): return Answer(text.replace(" in ", " out "), .9)
def raises(text): raise ValueError(text)
def raises_from(text):
    try: raise KeyError(text)
    except KeyError as error: raise RuntimeError(f"no {text}") from error
def exits(text): sys.exit(text)
def warns(text): warnings.warn(text); raise UserWarning(text)
def wrong_type(text): return {text}
def wrong_confidence(text): return Answer(text, text)
def generates(text): yield text
def array(text): return np.array([text])
def hands_on(text): return ABSTAIN
def nothing(text): return None
def too_late(text):
    time.sleep(.5); says_late(text); return text
def says_late(text):
    print(text); print(text, file=sys.stderr); sys.stdout.buffer.write(text.encode())
    logging.error(text); warnings.warn(text)
async def too_late_async(text):
    try: await asyncio.sleep(9)
    finally: print(text); logging.error(text)
class Tells(Exception):
    def __str__(self): print(self.args); return f"{self.args}"
def tells(text): raise Tells(text)

async def ask(inputs): raise AssertionError(inputs)
free = Solution("free", ask, "free", free=True, batch=lambda some: [print(some) or Answer(s) for s in some])
def breaks(some): raise RuntimeError(some)
broken = Solution("broken", ask, "broken", free=True, batch=breaks)

def strict(output, case): raise ValueError(f"{output} is not {case.expected}")
def odd(output, case): return case.expected

def chain(error):
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__

async def tried(store, run, block, solution, grader):
    job = Job(solution, grader, store, run, concurrency=4, timeout=.2, sealed=True)
    try:
        with hushed():
            async with aclosing(outcomes(job, block.cases)) as line:
                out = [outcome async for outcome in line]
    except Exception as error:
        traceback.print_exception(error)
        for one in chain(error):
            print("caught", type(one).__name__, one, one.args, one.__dict__)
        return
    print(solution.name, len(out), [(o.answer, o.score, o.failure, o.right, o.abstained) for o in out])
    print(out, repr(out[0].case))

async def main():
    with open_store(home) as store:
        await evaluate(task, echoes, store=store)
        [block] = sealed_blocks(store, task)
        print(task, block, block.cases)
        run = start_run(store, "climb", task.name, {})
        names = "says says_async echoes right raises raises_from exits warns wrong_type wrong_confidence generates "
        names += "array hands_on nothing too_late too_late_async tells"
        solutions = [from_function(globals()[name]) for name in names.split()]
        for solution in [*solutions, free, broken]:
            await tried(store, run, block, solution, task.grader)
            await tried(store, run, block, solution, task.grader)  # and as recorded
        for grader in (grade.function(strict), grade.function(odd)):
            await tried(store, run, block, from_function(echoes), grader)
        finish_run(store, run, "done", {})
        store.connection.execute("DROP TABLE in_flight")
        await tried(store, run, block, from_function(lambda text: text), task.grader)
        await asyncio.sleep(.7)  # for those that come too late

asyncio.run(main())
print("the end")
"""


def test_the_canary_is_heard_nowhere_and_written_nowhere(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    command = [sys.executable, "-W", "always", str(program), str(tmp_path / "home"), CANARY]
    ran = subprocess.run(command, capture_output=True, timeout=60, check=False)
    said = ran.stdout.decode() + ran.stderr.decode()
    assert ran.stdout.decode().endswith("the end\n"), said[-2000:]
    for name in ("says", "raises", "too_late", "free"):
        assert f"{name} 12 [" in said
    assert "held back: the case is sealed" in said and said.count("caught SolutionError") == 4
    assert "caught StoreError" in said and "SealedCase(" in said
    (tmp_path / "stdout").write_bytes(ran.stdout)
    (tmp_path / "stderr").write_bytes(ran.stderr)
    looked: list[str] = []
    for path in tmp_path.rglob("*"):
        if path.is_file() and path != program:
            looked.append(path.name)
            data = path.read_bytes()
            for needle in ("Kanarienvogel", "471108153926"):
                for code in ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le"):
                    assert needle.encode(code) not in data, f"{needle} as {code} in {path.name}"
    assert {"store.sqlite", "stdout", "stderr", ".gitignore"} <= set(looked)


STRESS = """
import sys, threading, time
from suffice.evals.hush import hushed

sys.setswitchinterval(1e-6)
until = time.monotonic() + 1.5

class Slow:
    def __str__(self):
        time.sleep(0)
        return "x"

def churn():
    while time.monotonic() < until:
        with hushed():
            pass

threads = [threading.Thread(target=churn) for _ in range(2)]
for thread in threads:
    thread.start()
while time.monotonic() < until:
    print(Slow(), Slow(), Slow())
for thread in threads:
    thread.join()
"""


def test_a_print_under_way_survives_the_cover_that_comes_and_goes() -> None:
    ran = subprocess.run([sys.executable, "-c", STRESS], capture_output=True, timeout=60, check=False)
    assert ran.returncode == 0, ran  # Python's `print` holds no reference to the stream that it writes to
