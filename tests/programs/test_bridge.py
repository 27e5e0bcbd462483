"""`run` from anywhere, and plain functions on threads: nothing deadlocks, nothing keeps the process alive."""

from __future__ import annotations

import asyncio
import contextvars
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import suffice as sf
from suffice.errors import UsageError
from suffice.programs.bridge import run
from suffice.programs.threads import in_thread


async def double(n: int) -> int:
    await asyncio.sleep(0.001)
    return 2 * n


def script(text: str, timeout: float = 20.0) -> subprocess.CompletedProcess[str]:
    program = textwrap.dedent(text)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=timeout)


def test_a_value_comes_back_and_an_exception_is_raised_here() -> None:
    async def fails() -> None:
        raise KeyError("total")

    assert sf.run(double(2)) == 4
    with pytest.raises(KeyError, match="total"):
        run(fails())


def test_it_works_inside_a_running_loop() -> None:
    async def main() -> int:
        return run(double(3))

    assert asyncio.run(main()) == 6


def test_it_works_between_two_loops_and_keeps_its_own() -> None:
    async def loop_id() -> int:
        return id(asyncio.get_running_loop())

    seen = [run(loop_id())]
    for _ in range(2):
        asyncio.run(double(1))
        seen.append(run(loop_id()))
    assert len(set(seen)) == 1


def test_200_threads_use_it_at_once() -> None:
    async def wait_for_all() -> None:
        await asyncio.sleep(0.05)

    began = time.perf_counter()
    with ThreadPoolExecutor(200) as pool:
        list(pool.map(lambda _: run(wait_for_all()), range(200)))
    assert time.perf_counter() - began < 5  # side by side: one after the other takes 10 s


def test_200_plain_functions_that_use_it_run_side_by_side() -> None:
    def plain(n: int) -> int:
        return run(double(n))

    async def main() -> list[int]:
        return await asyncio.gather(*(in_thread(lambda n=n: plain(n)) for n in range(200)))

    assert asyncio.run(main()) == [2 * n for n in range(200)]
    assert run(main()) == [2 * n for n in range(200)]


@pytest.mark.parametrize("depth", [1, 2, 3, 6])
def test_it_may_be_called_within_itself_to_any_depth(depth: int) -> None:
    async def nested(n: int) -> int:
        await asyncio.sleep(0)
        return n if n == 0 else 1 + run(nested(n - 1))

    async def through_threads(n: int) -> int:
        return n if n == 0 else 1 + await in_thread(lambda: run(through_threads(n - 1)))

    async def mixed(n: int) -> int:
        return n if n == 0 else 1 + run(through_threads(n))

    answers: list[Any] = []

    def work() -> None:
        answers.extend([run(nested(depth)), run(through_threads(depth)), run(mixed(depth))])

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(10)
    assert answers == [depth, depth, depth + 1]


def test_context_variables_of_the_caller_hold_inside() -> None:
    model: contextvars.ContextVar[str] = contextvars.ContextVar("model")

    async def seen() -> str:
        return await in_thread(lambda: model.get() + run(inner()))

    async def inner() -> str:
        return model.get()

    model.set("small")
    assert run(seen()) == "smallsmall"


def test_sys_exit_inside_ends_the_caller_and_not_the_bridge() -> None:
    async def leaves() -> None:
        sys.exit(3)

    async def beside() -> None:
        await asyncio.create_task(leaves())

    for way in (leaves, beside):
        with pytest.raises(SystemExit):
            run(way())
        assert run(double(1)) == 2


def test_ctrl_c_cancels_waits_for_the_cleaning_up_and_is_raised() -> None:
    program = """
        import asyncio, os, signal, threading
        from suffice.programs.bridge import run
        async def main():
            threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
            try:
                await asyncio.sleep(30)
            finally:
                await asyncio.sleep(0.1)
                print("cleaned up", flush=True)
        try:
            run(main())
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        async def after(): return "still works"
        print(run(after()))
    """
    done = script(program)
    assert (done.stdout, done.stderr) == ("cleaned up\ninterrupted\nstill works\n", "")


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no such timer there")
def test_ctrl_c_at_any_moment_is_ctrl_c() -> None:
    program = """
        import asyncio, random, signal, time
        from suffice.programs.bridge import run
        def pressed(number, frame):
            global left
            left -= 1
            if left <= 0: signal.setitimer(signal.ITIMER_REAL, 0)
            raise KeyboardInterrupt
        async def main():
            try: await asyncio.sleep(0.01)
            finally: await asyncio.sleep(0.002)
        run(main())
        signal.signal(signal.SIGALRM, pressed)
        heard = 0
        for n in range(100):
            left = 3
            try:
                try:
                    try:
                        signal.setitimer(signal.ITIMER_REAL, random.uniform(0.001, 0.005), 0.0001)
                        run(main())
                    except KeyboardInterrupt:
                        while left > 0: time.sleep(0.001)
                        raise
                except KeyboardInterrupt:
                    while left > 0: time.sleep(0.001)
                    raise
            except KeyboardInterrupt:
                heard += 1  # the third is over
        print(heard)
    """
    done = script(program)
    assert (done.stdout, done.returncode) == ("100\n", 0), done.stderr


async def _later(value: int) -> int:
    await asyncio.sleep(0.001)
    return value


class Waits:
    def __await__(self) -> Any:
        return _later(7).__await__()


def _begun() -> Any:
    call = double(1)
    run(call)
    return call


async def _numbers() -> Any:
    yield 1


NO_CALLS: dict[str, tuple[Any, str]] = {
    "number": (lambda: 3, "not for an int"),
    "nothing": (lambda: None, "not for a NoneType"),
    "function": (lambda: double, r"double was not called\nhint: sf\.run\(double\(…\)\)"),
    "plain function": (lambda: len, "len was not called"),
    "model": (lambda: sf.Model("openai:gpt-5"), r"model was not called\nhint: sf\.run\(model\(…\)\)"),
    "stream": (lambda: sf.Model("openai:gpt-5").stream("hello"), "async with"),
    "generator": (_numbers, "looped over"),
    "list": (lambda: [Waits()], r"asyncio\.gather"),
    "begun": (_begun, r"begun already(.|\n)*sf\.run\(double\(…\)\)"),
}


@pytest.mark.parametrize("case", NO_CALLS)
def test_what_is_no_call_is_refused_with_what_to_type(case: str) -> None:
    made, said = NO_CALLS[case]
    with pytest.raises(UsageError, match=said) as caught:
        run(made())
    assert caught.value.hint


def test_a_future_of_a_loop_that_does_not_run_is_refused() -> None:
    loop = asyncio.new_event_loop()
    try:
        with pytest.raises(UsageError, match=r"async def main\(\): return await asyncio\.gather"):
            run(loop.create_future())
    finally:
        loop.close()


def test_whatever_can_be_waited_for_is_waited_for() -> None:
    async def main() -> list[int]:
        gate = asyncio.Event()
        task, done = asyncio.ensure_future(gate.wait()), asyncio.ensure_future(_later(2))
        await done
        with pytest.raises(UsageError, match="await it"):
            run(task)
        gate.set()
        return [run(done), await in_thread(lambda: run(task)), run(Waits())]

    assert asyncio.run(main()) == [2, True, 7]
    assert run(main()) == [2, True, 7]


@pytest.mark.skipif(sys.platform == "win32", reason="no fork there")
def test_a_forked_process_has_its_own_bridge_and_threads() -> None:
    program = """
        import asyncio, os, signal
        from suffice.programs.bridge import run
        from suffice.programs.threads import in_thread
        async def work(): return await in_thread(lambda: run(asyncio.sleep(0, "ok")))
        assert run(work()) == "ok"
        child = os.fork()
        if not child:
            signal.alarm(5)
            os._exit(0 if run(work()) == "ok" else 1)
        assert os.waitpid(child, 0)[1] == 0
        print(run(work()))
    """
    done = script(program)
    assert done.stdout == "ok\n", done.stderr


def test_a_plain_function_that_hangs_does_not_keep_the_process_alive() -> None:
    program = """
        import asyncio, time
        import suffice as sf
        from suffice.programs.solution import attempt, from_function
        def hangs(text): time.sleep(60)
        async def main():
            print(await attempt(from_function(hangs), "x", 0.1), flush=True)
        asyncio.run(main())
        sf.run(main())
    """
    began = time.perf_counter()
    done = script(program)
    assert done.stdout.count("timeout") == 2 and done.stderr == ""
    assert time.perf_counter() - began < 15


def test_threads_are_used_again_and_as_many_as_are_busy() -> None:
    async def one_by_one() -> None:
        for _ in range(50):
            await in_thread(lambda: None)

    before = threading.active_count()
    asyncio.run(one_by_one())
    assert threading.active_count() <= before + 2
    gate = threading.Barrier(40)

    async def together() -> None:
        await asyncio.gather(*(in_thread(lambda: gate.wait(5)) for _ in range(40)))

    asyncio.run(together())  # all of them must be running for the barrier to open


def test_what_a_thread_raises_is_raised_here_and_a_loop_that_closed_is_no_fault() -> None:
    def stops() -> None:
        raise StopIteration

    def leaves() -> None:
        sys.exit(2)

    async def main(call: Any) -> None:
        await in_thread(call)

    with pytest.raises(RuntimeError, match="StopIteration"):
        asyncio.run(main(stops))
    with pytest.raises(SystemExit):
        asyncio.run(main(leaves))

    async def leave_early() -> None:
        async with asyncio.timeout(0.01):
            await in_thread(lambda: time.sleep(0.05))

    with pytest.raises(TimeoutError):
        asyncio.run(leave_early())
    time.sleep(0.1)  # the thread ends after its loop
    assert asyncio.run(in_thread(lambda: 1)) == 1


def test_interrupting_a_script_ends_it(tmp_path: Path) -> None:
    program = (
        "import asyncio\nfrom suffice.programs.bridge import run\n"
        "async def main():\n    print('ready', flush=True)\n    await asyncio.sleep(60)\nrun(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(10) != 0
