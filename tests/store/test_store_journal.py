"""The journal: what is recorded comes back, is committed before it counts, and tells nothing of sealed cases."""

from __future__ import annotations

import asyncio
import random
import string
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from suffice.errors import StoreError, StoreFull, UsageError
from suffice.store.database import Store, open_store
from suffice.store.journal import (
    Recorded,
    Scored,
    Writer,
    in_flight,
    lookup,
    lookup_sealed,
    record_many,
    record_many_sealed,
)
from suffice.store.runs import start_run
from suffice.values import ABSTAIN, Answer, Cost, Failure, content_hash

A, B, C = (content_hash(name) for name in "abc")
YES = Recorded(Answer("shipping", 0.8, "words"), None, 0.25, Cost(0.001, 40, 2))
NO = Recorded(None, Failure("timeout", "no answer in 30 s"), 30.0, None)


@pytest.fixture
def run(store: Store) -> str:
    return start_run(store, "climb", "tickets", {})


def record(store: Store, run: str, *calls: tuple[str, Recorded]) -> None:
    async def main() -> None:
        writer = Writer(store, run)
        for inputs, call in calls:
            await writer.intend("words", inputs)
            await writer.record("words", inputs, call)

    asyncio.run(main())


def test_recorded_answers_come_back_to_every_run_and_unknown_inputs_are_left_out(store: Store, run: str) -> None:
    record(store, run, (A, YES), (B, Recorded(Answer(None))))
    assert lookup(store, "words", [A, B, C]) == {A: YES, B: Recorded(Answer(None))}
    assert lookup(store, "words", [A], run="climb-99") == {A: YES}
    assert lookup(store, "other", [A]) == {} and lookup(store, "words", []) == {}
    assert in_flight(store, run) == []


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(value=json, confidence=st.none() | st.floats(0, 1), seconds=st.none() | st.floats(0, 1e6), message=st.text())
def test_any_json_answer_comes_back_as_it_was(
    store: Store, value: Any, confidence: float | None, seconds: float | None, message: str
) -> None:
    run = start_run(store, "climb", "tickets", {})
    inputs = content_hash([value, message])
    call = Recorded(Answer(value, confidence), None, seconds)
    record_many(store, run, "words", [(inputs, call)])
    assert lookup(store, "words", [inputs]) == {inputs: call}
    assert list(map(repr, lookup(store, "words", [inputs]).values())) == [repr(call)]  # 1 is not 1.0 or True
    record_many(store, run, "words", [(inputs, Recorded(None, Failure("raised", message)))])
    assert lookup(store, "words", [inputs], run=run)[inputs].failure == Failure("raised", message)


def test_odd_values_come_back(store: Store, run: str) -> None:
    half = "\ud83d"  # half a surrogate pair: what a model's reply cut in the middle of an emoji leaves
    values = [ABSTAIN, half, {"b": 1, "a": [half]}, "'; DROP TABLE answer; --", "\0", 2**70]
    calls = [(content_hash(number), Recorded(Answer(value))) for number, value in enumerate(values)]
    record(store, run, *calls, (A, Recorded(None, Failure("raised", half))))
    found = lookup(store, "words", [inputs for inputs, _ in calls])
    assert [found[inputs] for inputs, _ in calls] == [call for _, call in calls]
    assert found[calls[0][0]].answer == Answer(ABSTAIN)
    assert list(found[calls[2][0]].answer.value) == ["b", "a"]  # pyright: ignore[reportOptionalMemberAccess]
    assert lookup(store, "words", [A], run=run)[A].failure == Failure("raised", r"\ud83d")


def test_a_failed_call_is_seen_by_its_own_run_only_and_hides_no_answer(store: Store, run: str) -> None:
    other = start_run(store, "climb", "tickets", {})
    record(store, run, (A, NO))
    assert lookup(store, "words", [A]) == {} == lookup(store, "words", [A], run=other)
    record(store, other, (A, YES))
    assert lookup(store, "words", [A]) == {A: YES}
    assert lookup(store, "words", [A], run=run) == {A: NO}  # a resumed run sees what it saw
    record(store, run, (A, YES))
    assert lookup(store, "words", [A], run=run) == {A: YES}


def test_an_answer_without_json_form_fails_alone(store: Store, run: str) -> None:
    async def main() -> list[Any]:
        writer = Writer(store, run)
        calls = [writer.record("words", A, YES), writer.record("words", B, Recorded(Answer(object())))]
        return await asyncio.gather(*calls, return_exceptions=True)

    first, second = asyncio.run(main())
    assert first is None and isinstance(second, TypeError)
    assert lookup(store, "words", [A, B]) == {A: YES}


def test_a_recorded_call_has_exactly_one_of_answer_and_failure() -> None:
    for wrong in ({"answer": None}, {"answer": Answer(1), "failure": Failure("raised", "")}):
        with pytest.raises(ValueError):
            Recorded(**wrong)  # pyright: ignore[reportArgumentType]
    for wrong in ({"pass_score": None}, {"pass_score": 1.0, "failure_kind": "raised"}):
        with pytest.raises(ValueError):
            Scored(**wrong)  # pyright: ignore[reportArgumentType]


def test_a_run_id_that_is_none_is_a_usage_error(store: Store) -> None:
    with pytest.raises(UsageError):
        Writer(store, "yesterday's")


def test_sealed_scores_come_back_and_hold_no_text(store: Store, run: str) -> None:
    secret = "the parcel of Mrs Miller"
    right = Scored(1.0, True, content_hash(secret), None, 0.5, Cost(0.002, 80, None))
    handed_on, failed = Scored(0.0, False), Scored(None, False, None, "timeout", 30.0, Cost(0.0, 0, 0))

    async def main() -> None:
        writer = Writer(store, run)
        for inputs, call in ((A, right), (B, handed_on), (C, failed)):
            await writer.intend("words", inputs)
            await writer.record_sealed("words", "exact", inputs, call)

    asyncio.run(main())
    assert lookup_sealed(store, "words", "exact", [A, B, C]) == {A: right, B: handed_on}
    assert lookup_sealed(store, "words", "exact", [A, B, C], run=run) == {A: right, B: handed_on, C: failed}
    assert lookup_sealed(store, "words", "another grading", [A]) == {} == lookup(store, "words", [A])
    assert in_flight(store, run) == []
    columns = store.connection.execute("SELECT * FROM sealed_score").description
    held = " UNION ".join(f"SELECT typeof({column[0]}) FROM sealed_score" for column in columns)
    assert {kind for (kind,) in store.connection.execute(held)} == {"integer", "real", "blob", "null"}
    assert store.connection.execute("SELECT message FROM failed").fetchall() == [("",)]
    with pytest.raises(ValueError, match="one word"):
        Scored(None, False, None, f"raised on {secret}")


def test_many_free_calls_are_recorded_at_once(store: Store, run: str) -> None:
    hashes = [content_hash(number) for number in range(2500)]
    record_many(store, run, "rules", ((inputs, YES) for inputs in hashes))
    record_many_sealed(store, run, "rules", "exact", ((inputs, Scored(1.0)) for inputs in hashes))
    assert lookup(store, "rules", hashes) == dict.fromkeys(hashes, YES)
    assert lookup_sealed(store, "rules", "exact", hashes) == dict.fromkeys(hashes, Scored(1.0))


@pytest.fixture
def commits(store: Store) -> Iterator[list[str]]:
    seen: list[str] = []
    store.connection.set_trace_callback(lambda sql: seen.append(sql) if sql == "COMMIT" else None)
    yield seen
    store.connection.set_trace_callback(None)


def test_calls_of_one_turn_of_the_loop_are_one_commit(store: Store, run: str, commits: list[str]) -> None:
    async def main() -> None:
        writer = Writer(store, run)
        await writer.intend("words", A)
        commits.clear()
        hashes = [content_hash(number) for number in range(64)]
        await asyncio.gather(*(writer.intend("words", inputs) for inputs in hashes))
        assert len(commits) == 1 and len(in_flight(store, run)) == 65
        await asyncio.gather(*(writer.record("words", inputs, YES) for inputs in hashes))
        assert len(commits) == 2 and in_flight(store, run) == [("words", A)]

    asyncio.run(main())


def test_calls_sent_again_are_counted(store: Store, run: str) -> None:
    async def main() -> list[int]:
        first = Writer(store, run)
        await asyncio.gather(*(first.intend("words", inputs) for inputs in (A, B, C)))  # and here it was killed
        again = Writer(store, run)
        await again.record("words", C, YES)
        await asyncio.gather(*(again.intend("words", inputs) for inputs in (B, C)))
        return [first.sent_again, again.sent_again]

    assert asyncio.run(main()) == [0, 1]
    assert in_flight(store, run) == sorted(("words", inputs) for inputs in (A, B, C))


def test_a_waiter_goes_on_only_after_the_commit(store: Store, run: str) -> None:
    async def main() -> None:
        writer = Writer(store, run)
        with open_store(store.path.parent) as reader:
            waiting = asyncio.create_task(writer.record("words", A, YES))
            assert lookup(reader, "words", [A]) == {}
            await waiting
            assert lookup(reader, "words", [A]) == {A: YES}

    asyncio.run(main())


def test_a_result_is_kept_though_its_task_is_cancelled_and_the_others_go_on(store: Store, run: str) -> None:
    async def main() -> None:
        writer = Writer(store, run)
        tasks = [asyncio.create_task(writer.record("words", inputs, YES)) for inputs in (A, B)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        assert [type(done) for done in await asyncio.gather(*tasks, return_exceptions=True)] == [
            asyncio.CancelledError,
            type(None),
        ]

    asyncio.run(main())
    assert set(lookup(store, "words", [A, B])) == {A, B}


def test_one_writer_serves_two_loops_in_a_row(store: Store, run: str) -> None:
    writer = Writer(store, run)

    async def stop_without_a_turn() -> None:
        coroutine = writer.record("words", A, YES)
        coroutine.send(None)
        coroutine.close()

    loop = asyncio.new_event_loop()
    loop.run_until_complete(stop_without_a_turn())
    loop.close()
    asyncio.run(writer.record("words", B, YES))
    assert B in lookup(store, "words", [A, B])


def test_when_the_disk_is_full_every_waiter_is_told_and_no_new_call_starts(store: Store, run: str) -> None:
    async def main() -> None:
        writer = Writer(store, run)
        await writer.record("words", A, YES)
        (pages,) = store.connection.execute("PRAGMA page_count").fetchone()
        store.connection.execute(f"PRAGMA max_page_count = {pages}")
        long = Recorded(Answer("x" * 10_000))
        calls = [writer.record("words", content_hash(number), long) for number in range(16)]
        told = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(error) for error in told] == [StoreFull] * 16
        assert len({id(error) for error in told}) == 16
        store.connection.execute("PRAGMA max_page_count = 100000")
        with pytest.raises(StoreFull, match="kept"):
            await writer.intend("words", B)
        await writer.record("words", C, YES)  # paid for already: kept if there is room by now

    asyncio.run(main())
    assert set(lookup(store, "words", [A, B, C])) == {A, C}
    assert in_flight(store, run) == []


def test_a_store_closed_under_the_writer_leaves_nobody_waiting(tmp_path: Path) -> None:
    async def main() -> None:
        store = open_store(tmp_path)
        writer = Writer(store, start_run(store, "climb", "tickets", {}))
        await writer.record("words", A, YES)
        waiting = [asyncio.create_task(writer.record("words", inputs, YES)) for inputs in (A, B)]
        await asyncio.sleep(0)
        store.close()
        async with asyncio.timeout(5):
            told = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(error, Exception) and not isinstance(error, TimeoutError) for error in told)

    asyncio.run(main())


@pytest.mark.slow
def test_the_journal_of_100_000_short_cases_stays_below_three_times_their_texts(tmp_path: Path) -> None:
    draw = random.Random(7)
    texts = ["".join(draw.choices(string.ascii_lowercase + "  ", k=60)) for _ in range(100_000)]
    hashes = [content_hash(text) for text in texts]
    with open_store(tmp_path) as store:
        run = start_run(store, "climb", "tickets", {})
        calls = ((inputs, Recorded(Answer("shipping", draw.random()), None, draw.random())) for inputs in hashes)
        record_many(store, run, "words", calls)
        size = sum(path.stat().st_size for path in tmp_path.iterdir())
        assert size < 3 * sum(map(len, texts))
        assert len(lookup(store, "words", hashes)) == 100_000


def test_memory_stays_flat_however_many_calls_are_recorded(store: Store, run: str) -> None:
    def peak(count: int) -> int:
        calls = ((content_hash(number), YES) for number in range(count))
        tracemalloc.start()
        record_many(store, run, f"rules {count}", calls)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(100)
    assert peak(16_000) < 2 * peak(4_000)


def test_a_journal_that_cannot_be_read_is_a_store_error(store: Store) -> None:
    store.connection.execute("DROP TABLE answer")
    store.connection.execute("INSERT INTO solution (name) VALUES ('words')")
    with pytest.raises(StoreError, match="SQLITE_ERROR"):
        lookup(store, "words", [A])
