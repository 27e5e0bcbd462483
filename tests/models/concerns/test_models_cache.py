"""Inside a run an equal request is answered from the record, every attempt is journaled, and a kill loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from one_call import ask
from pydantic import BaseModel
from upstream_faults import Asked, Fault, Hang, Ok, Status, StreamOk, first

from suffice.errors import CallError, CallTimeout, RefusedError, StoreError
from suffice.exchange import Image, Message, OutputSpec, Request, Tool, ToolCall
from suffice.models.belonging import Belonging, belonging
from suffice.models.concerns.budget import Budget
from suffice.models.concerns.retry import Retry
from suffice.models.model import Model
from suffice.models.places.address import address
from suffice.models.stack import key_of_request
from suffice.store.calls import CallJournal, spent
from suffice.store.database import Store, open_store
from suffice.store.runs import start_run
from upstream import Upstream, upstream

FAST = Retry(base=0.001, cap=0.01, attempts=4)


@contextlib.contextmanager
def run_in(folder: Path, **how: Any) -> Generator[tuple[Store, str]]:
    """A run on a real store in `folder`, to which every call inside belongs."""
    with open_store(folder) as store:
        run = start_run(store, "evaluate", "task", {})
        journal = CallJournal(store, run)
        try:
            with belonging(Belonging(journal, **how)):
                yield store, run
        finally:
            journal.close()


def model(up: Upstream, **options: Any) -> Model:
    """A model at the upstream that hardly waits between attempts."""
    return Model(f"{up.url}#any", **{"retry": FAST, **options})


def rows(store: Store, what: str) -> list[Any]:
    """Columns of the attempts in their order."""
    return store.connection.execute(f"SELECT {what} FROM attempt ORDER BY id").fetchall()


def test_the_same_request_twice_is_asked_once(tmp_path: Path) -> None:
    answer = Ok('{"answer":"yes"}', usage=(9, 3), headers=(("x-request-id", "req-1"),))
    with upstream(answer) as up, run_in(tmp_path):
        one = model(up, price=(1.0, 2.0))
        fresh, again = (ask(one, "hello", output=Literal["yes", "no"]) for _ in range(2))
    assert len(up.log.asked) == 1
    assert (fresh.cached, again.cached) == (False, True)
    assert replace(again, cached=False, attempts=fresh.attempts, latency=fresh.latency) == fresh
    assert 0 < again.latency <= fresh.latency
    assert again.attempts == ()
    assert (again.guarantee, again.request_id, again.cost) == ("native", "req-1", pytest.approx(15 / 1e6))


def test_a_recorded_reply_is_streamed_like_any_other(tmp_path: Path) -> None:
    async def streamed(one: Model) -> tuple[list[str], Any]:
        async with one.stream("hello") as s:
            return [piece async for piece in s], s.reply

    with upstream(StreamOk(("a", "b"))) as up, run_in(tmp_path):
        assert asyncio.run(streamed(model(up)))[0] == ["a", "b"]
        pieces, reply = asyncio.run(streamed(model(up)))
    assert (pieces, reply.value, reply.cached, len(up.log.asked)) == (["ab"], "ab", True, 1)


def test_outside_of_a_run_and_where_it_is_said_nothing_is_looked_up(tmp_path: Path) -> None:
    with upstream() as up:
        ask(model(up), "hello")
        ask(model(up), "hello")
        with run_in(tmp_path) as (store, _):
            ask(model(up, cache=False), "hello")
            ask(model(up, cache=False), "hello")
            assert store.connection.execute("SELECT count(*) FROM reply").fetchone() == (0,)
            assert len(rows(store, "id")) == 2
    assert len(up.log.asked) == 4


def test_sample_numbers_keep_repeats_apart(tmp_path: Path) -> None:
    with upstream() as up, run_in(tmp_path):
        for _ in range(2):
            for sample in range(3):
                ask(model(up), "hello", sample=sample)
        ask(model(up), "hello")  # is sample 0
    assert len(up.log.asked) == 3


BASE = Request("any", (Message("user", "hello"),), 100)
PLACE = address("http://127.0.0.1:8000/v1#any")
KEY = key_of_request(PLACE)
SPEC = OutputSpec("answer", {"type": "object"})
CHANGES: dict[str, list[Any]] = {
    "model": ["other"],
    "messages": [
        (Message("user", "hello "),),
        (Message("system", "hello"),),
        (Message("user", ("hello",)), Message("assistant", "x")),
        (Message("user", ("hello", Image(data=b"a"))),),
        (Message("user", ("hello", Image(data=b"b"))),),
        (Message("user", ("hello", Image(data=b"a", media_type="image/jpeg"))),),
        (Message("user", ("hello", Image(url="http://a/b"))),),
        (Message("user", "hello"), Message("assistant", "", (ToolCall("1", "f", {"a": 1}),))),
        (Message("user", "hello"), Message("assistant", "", (ToolCall("1", "f", {"a": 2}),))),
        (Message("user", "hello"), Message("tool", "x", tool_call_id="1")),
    ],
    "max_output_tokens": [101],
    "tools": [(Tool("f", "d", {}),), (Tool("f", "e", {}),), (Tool("f", "d", {"type": "object"}),)],
    "output": [SPEC, OutputSpec("other", SPEC.schema), OutputSpec("answer", {"type": "array"})],
    "temperature": [0.0, 0.1, 1.0],
    "top_p": [0.0, 0.5],
    "stop": [("a",), ("a", "b"), ("ab",)],
    "seed": [0, 1, -1],
    "logprobs": [True],
    "sample": [1, 2],
    "extra": [{"a": 1}, {"a": 2}, {"a": None}, {"b": {"c": [0]}}],
}


SCHEMA = {"type": "object", "properties": {"reasons": {"type": "string"}, "answer": {"type": "string"}}}
TURNED = {"type": "object", "properties": {"answer": {"type": "string"}, "reasons": {"type": "string"}}}


@pytest.mark.parametrize(
    "asked",
    [
        lambda schema: {"output": OutputSpec("answer", schema)},
        lambda schema: {"tools": (Tool("f", "d", schema),)},
        lambda schema: {"extra": {"response_format": schema}},
    ],
)
def test_the_order_of_a_schemas_fields_makes_another_request(asked: Callable[[Any], dict[str, Any]]) -> None:
    one, same, turned = (replace(BASE, **asked(schema)) for schema in (SCHEMA, deepcopy(SCHEMA), TURNED))
    assert KEY(one) == KEY(same) != KEY(turned)


def test_a_type_with_its_fields_turned_is_asked_anew(tmp_path: Path) -> None:
    class Reasoned(BaseModel):
        reasons: str
        answer: str

    class Judged(BaseModel):
        answer: str
        reasons: str

    Judged.__name__ = Reasoned.__name__
    with upstream(Ok('{"answer": "x", "reasons": "y"}')) as up, run_in(tmp_path):
        for tp in (Reasoned, Judged, Reasoned, Judged):
            ask(model(up), "hello", output=tp)
    assert len(up.log.asked) == 2


def test_any_changed_field_is_another_request() -> None:
    changed = [replace(BASE, **{name: value}) for name, values in CHANGES.items() for value in values]
    elsewhere = [
        key_of_request(address(f"{a}#any"))(BASE) for a in ("http://127.0.0.1:8001/v1", "http://[::1]:8000/v1")
    ]
    keys = [KEY(BASE), *map(KEY, changed), *elsewhere]
    assert len(set(keys)) == len(keys)


@settings(max_examples=200)
@given(st.fixed_dictionaries({name: st.sampled_from([None, *values]) for name, values in CHANGES.items()}), st.data())
def test_two_requests_share_a_key_only_if_they_are_equal(first: dict[str, Any], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(CHANGES)))
    value = data.draw(st.sampled_from([None, *CHANGES[name]]))
    one, other = (
        replace(BASE, **{n: v for n, v in said.items() if v is not None}) for said in (first, {**first, name: value})
    )
    assert (KEY(one) == KEY(other)) == (one == other)


def test_equal_requests_at_once_share_one_call(tmp_path: Path) -> None:
    with upstream(Ok(delay=0.1)) as up, run_in(tmp_path) as (store, run):
        one = model(up)

        async def calls() -> list[Any]:
            return await asyncio.gather(*(one("hello") for _ in range(20)), *(one("other") for _ in range(3)))

        replies = asyncio.run(calls())
        assert spent(store, run).attempts == 2
    assert [r.value for r in replies] == ["ok"] * 23
    assert len(up.log.asked) == 2
    assert sum(len(r.attempts) for r in replies) == 2


def test_a_cancelled_waiter_does_not_cancel_the_others(tmp_path: Path) -> None:
    """The call belongs to whoever began it: with that one it is closed at once, and the next one asks."""
    with upstream(Ok(delay=0.2)) as up, run_in(tmp_path):
        one = model(up)

        async def calls() -> list[str]:
            tasks = [asyncio.ensure_future(one("hello")) for _ in range(4)]
            await asyncio.sleep(0.05)
            tasks[0].cancel()  # the one whose call it is
            tasks[2].cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            return ["cancelled" if isinstance(e, BaseException) else e.value for e in ends]

        assert asyncio.run(calls()) == ["cancelled", "ok", "cancelled", "ok"]
    assert len(up.log.asked) == 2  # the first one's, whose connection was closed, and one for both that wait on
    assert len(up.log.left) == 1


def test_when_all_waiters_are_gone_the_call_is_and_a_new_one_does_not_join_it(tmp_path: Path) -> None:
    with upstream(first(Hang(), then=Ok())) as up, run_in(tmp_path):
        one = model(up, timeout=1.0)

        async def calls() -> str:
            task = asyncio.ensure_future(one("hello"))
            while not up.log.asked:
                await asyncio.sleep(0.005)
            task.cancel()
            late = asyncio.ensure_future(one("hello"))  # while the first is being cancelled
            await asyncio.gather(task, return_exceptions=True)
            return (await late).value

        assert asyncio.run(calls()) == "ok"
    assert len(up.log.asked) == 2


def test_one_waiters_short_time_is_not_the_others(tmp_path: Path) -> None:
    with upstream(Ok(delay=0.3)) as up, run_in(tmp_path):
        one = model(up)

        async def calls() -> list[Any]:
            hurried = one("hello", total=0.1)
            return await asyncio.gather(hurried, one("hello"), return_exceptions=True)

        hurried, patient = asyncio.run(calls())
    assert isinstance(hurried, CallTimeout)
    assert patient.value == "ok"
    assert len(up.log.asked) <= 2


def test_a_shared_error_says_what_was_tried_only_where_it_was(tmp_path: Path) -> None:
    with upstream(Status(400, delay=0.05)) as up, run_in(tmp_path):
        one = model(up)

        async def calls() -> list[Any]:
            return await asyncio.gather(*(one("hello") for _ in range(3)), return_exceptions=True)

        errors = asyncio.run(calls())
    assert all(isinstance(e, RefusedError) for e in errors)
    assert sorted(len(e.attempts) for e in errors) == [0, 0, 1]
    assert len(up.log.asked) == 1


def test_a_fault_is_not_recorded(tmp_path: Path) -> None:
    with upstream(first(*[Status(500)] * 4)) as up, run_in(tmp_path):
        with pytest.raises(CallError):
            ask(model(up), "hello")
        assert ask(model(up), "hello").value == "ok"


def test_two_runs_at_once_do_not_share_a_call(tmp_path: Path) -> None:
    with upstream(Ok(delay=0.1)) as up, open_store(tmp_path) as store:
        journals = [CallJournal(store, start_run(store, "evaluate", "task", {"n": n})) for n in range(2)]

        async def within(journal: CallJournal, budget: Budget) -> Any:
            with belonging(Belonging(journal, budget=budget)):
                return await model(up)("hello")

        async def both() -> list[Any]:
            return await asyncio.gather(*(within(j, b) for j, b in zip(journals, budgets, strict=True)))

        budgets = [Budget(), Budget()]
        asyncio.run(both())
        for journal in journals:
            journal.close()
    assert [b.spent_calls for b in budgets] == [1, 1]


CANARY = "zebra-quartz-7731"


def test_a_sealed_call_leaves_no_text_anywhere_and_is_accounted_all_the_same(tmp_path: Path) -> None:
    with upstream(lambda asked: Ok(f"echo {asked.text}")) as up, run_in(tmp_path, sealed=True) as (store, run):
        for _ in range(2):
            assert CANARY in ask(model(up, system=CANARY), f"what of {CANARY}?").value
        assert spent(store, run).attempts == len(up.log.asked) == 2
        assert store.connection.execute("SELECT count(*) FROM reply").fetchone() == (0,)
        written = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert CANARY.encode() not in written
    with upstream(lambda asked: Ok(f"echo {asked.text}")) as up, run_in(tmp_path):
        ask(model(up), f"what of {CANARY}?")
        written = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert CANARY.encode() in written  # so the look would have found it


def test_a_fresh_run_records_and_does_not_look_up(tmp_path: Path) -> None:
    with upstream(lambda asked: Ok(f"answer {asked.number}")) as up:
        with run_in(tmp_path):
            ask(model(up), "hello")
        with run_in(tmp_path, fresh=True):
            assert ask(model(up), "hello").value == "answer 1"
        with run_in(tmp_path):
            assert ask(model(up), "hello").value == "answer 1"


def test_an_attempt_stands_in_the_journal_before_it_is_sent_and_is_settled_after(tmp_path: Path) -> None:
    seen: list[Any] = []

    def script(asked: Asked) -> Fault:
        with open_store(tmp_path) as other:
            seen.append(rows(other, "outcome, reserved_usd > 0"))
        return Status(500) if asked.number == 0 else Ok(usage=(8, 2), headers=(("x-request-id", "req-9"),))

    with upstream(script) as up, run_in(tmp_path) as (store, run):
        ask(model(up, price=(1.0, 1.0)), "hello")
        assert rows(store, "outcome, status, input_tokens, output_tokens, cost_usd, request_id") == [
            ("server error", 500, 0, 0, 0.0, None),
            ("ok", 200, 8, 2, pytest.approx(10 / 1e6), "req-9"),
        ]
        account = spent(store, run)
    assert seen == [[(None, 1)], [("server error", 1), (None, 1)]]
    assert (account.attempts, account.open, account.usd) == (2, 0, pytest.approx(10 / 1e6))


def test_a_cancelled_attempt_is_settled_in_the_journal_as_possibly_billed(tmp_path: Path) -> None:
    with upstream(Hang()) as up, run_in(tmp_path) as (store, run):

        async def call() -> None:
            task = asyncio.ensure_future(model(up, price=(1.0, 1.0), timeout=0.5)("hello"))
            while not up.log.asked:
                await asyncio.sleep(0.005)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        asyncio.run(call())
        assert rows(store, "outcome, cost_usd = reserved_usd") == [("cancelled", 1)]
        assert spent(store, run).open == 0


@pytest.mark.parametrize("turns", range(6))
def test_a_call_cancelled_before_it_is_sent_leaves_no_intent_behind(tmp_path: Path, turns: int) -> None:
    budget = Budget()
    with upstream(Hang()) as up, run_in(tmp_path, budget=budget) as (store, run):

        async def call() -> None:
            task = asyncio.ensure_future(model(up, timeout=0.3)("hello"))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        asyncio.run(call())
        account = spent(store, run)
    assert account.open == 0
    assert account.attempts == budget.spent_calls


PROGRAM = """
import asyncio, sys
from pathlib import Path
from suffice.models.belonging import Belonging, belonging
from suffice.models.model import Model
from suffice.store.calls import CallJournal
from suffice.store.database import open_store

async def main(url, folder, run, n, at_once):
    model = Model(url, price=(1.0, 1.0))
    gate = asyncio.Semaphore(at_once)
    async def call(i):
        async with gate:
            reply = await model(f"case {i}")
            if not reply.cached:
                with open(Path(folder) / "answered.txt", "a") as file:
                    file.write(f"case {i}\\n")
    with open_store(folder) as store:
        with belonging(Belonging(CallJournal(store, run))):
            print("go", flush=True)
            await asyncio.gather(*(call(i) for i in range(n)))

asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])))
"""


def test_a_kill_at_any_instant_loses_no_recorded_reply_and_leaves_few_attempts_open(tmp_path: Path) -> None:
    n, at_once, kills = 150, 8, 5
    draw = random.Random(7)
    with upstream(lambda asked: Ok(delay=0.005 + 0.02 * (asked.number % 3))) as up, open_store(tmp_path) as store:
        run = start_run(store, "evaluate", "task", {})
        args = [sys.executable, "-c", PROGRAM, f"{up.url}#any", str(tmp_path), run, str(n), str(at_once)]
        answered = tmp_path / "answered.txt"
        answered.touch()
        asked_before, known, opened, done = 0, set[str](), 0, False
        for kill in range(kills + 1):
            worker = subprocess.Popen(args, stdout=subprocess.PIPE, text=True)
            assert worker.stdout is not None
            assert worker.stdout.readline() == "go\n"
            if kill < kills:
                time.sleep(draw.uniform(0.0, 0.12))
                worker.send_signal(signal.SIGKILL)
            code = worker.wait(30)
            worker.stdout.close()
            done = code == 0
            now_open = spent(store, run).open
            assert now_open - opened <= at_once
            opened = now_open
            texts = [a.text for a in up.log.asked[asked_before:]]
            assert not known & set(texts), "a recorded reply was asked for again"
            asked_before = len(up.log.asked)
            known = set(answered.read_text().split("\n")[:-1])
            if done:
                break
        assert done
        asked = [a.text for a in up.log.asked]
        assert set(asked) == {f"case {i}" for i in range(n)}
        account = spent(store, run)
        assert len(asked) - n <= account.open <= kills * at_once
        assert account.attempts >= len(asked)
        assert store.connection.execute("SELECT count(*) FROM reply").fetchone() == (n,)


def test_where_nothing_can_be_recorded_no_call_starts(tmp_path: Path) -> None:
    budget = Budget()
    with upstream() as up, run_in(tmp_path, budget=budget) as (store, _):
        one = model(up)

        async def story() -> None:
            await one("hello")
            store.path.unlink()
            for text in ("other", "third"):
                with pytest.raises(StoreError, match="deleted"):
                    await one(text)

        asyncio.run(story())
        assert len(up.log.asked) == budget.spent_calls == 1


def test_every_event_loop_gets_a_connection_and_those_of_closed_loops_are_closed(tmp_path: Path) -> None:
    with upstream() as up, run_in(tmp_path) as (store, run):
        for i in range(30):
            ask(model(up), f"case {i}")
        assert spent(store, run).attempts == 30
        open_files = [f for f in Path("/proc/self/fd").iterdir()] if Path("/proc/self/fd").exists() else []
        assert sum("store.sqlite" in _target(f) for f in open_files) < 20


def _target(file: Path) -> str:
    try:
        return str(file.readlink())
    except OSError:
        return ""


def test_a_request_repeated_at_once_after_its_reply_is_not_asked_again(tmp_path: Path) -> None:
    async def twice(one: Model) -> list[str]:
        return [(await one("hello")).value for _ in range(2)]  # no turn of the loop may lie between the two

    with upstream() as up, run_in(tmp_path):
        assert asyncio.run(twice(model(up))) == ["ok", "ok"]
    assert len(up.log.asked) == 1
