"""A streamed reply: its pieces in order, the whole at the end, and what becomes of one that is left or breaks."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import pytest
from one_call import model
from pydantic import BaseModel
from upstream_bodies import whole
from upstream_faults import Asked, DuplicateChunks, ErrorInside, HalfEvent, Status, StreamOk

from suffice.errors import CallError, OutputError, ServerError, Truncated, UsageError
from suffice.models.model import Model
from upstream import upstream

DIALECTS = pytest.mark.parametrize("dialect", ["openai", "anthropic"])


class Parcel(BaseModel):
    """A type of the user's."""

    id: str
    weight: float
    notes: list[str]


@DIALECTS
@pytest.mark.parametrize("piece", [0, 1, 7])
def test_pieces_come_in_order_and_the_reply_at_the_end(dialect: str, piece: int) -> None:
    good = StreamOk(("Once ", "upön ", "a ", "time."), piece=piece, usage=(9, 4))

    async def story(one: Model) -> None:
        async with one.stream("hello") as s:
            with pytest.raises(UsageError, match="has ended"):
                _ = s.reply
            assert [text async for text in s] == ["Once ", "upön ", "a ", "time."]
            assert s.reply.value == s.reply.text == "Once upön a time."
        assert (s.reply.usage.input_tokens, s.reply.usage.output_tokens) == (9, 4)
        assert len(s.reply.attempts) == 1
        assert [text async for text in s] == []  # a second loop ends at once

    with upstream(good) as up:
        asyncio.run(asyncio.wait_for(story(model(up, dialect)), 10))


def test_the_time_to_the_first_token_is_that_of_the_first_piece() -> None:
    async def story(one: Model) -> Any:
        async with one.stream("hello") as s:
            async for _ in s:
                pass
        return s.reply

    with upstream(StreamOk(("a",) * 5, delay=0.05)) as up:
        reply = asyncio.run(story(model(up)))
    assert 0.05 <= reply.ttft < 0.15
    assert reply.latency >= 0.25


@DIALECTS
def test_leaving_early_closes_the_connection_within_one_chunk(dialect: str) -> None:
    async def story(one: Model) -> None:
        async with one.stream("hello") as s:
            async for text in s:
                if text == "third ":
                    break
        with pytest.raises(UsageError, match="left before its end"):
            _ = s.reply

    chunks = ("first ", "second ", "third ", *("more ",) * 50)
    with upstream(StreamOk(chunks, delay=0.05)) as up:
        asyncio.run(story(model(up, dialect)))
        up.wait_until(lambda log: len(log.left) == 1, seconds=2.0)
        assert up.log.left[0].chunks <= 4


def test_only_an_endpoint_of_openais_dialect_may_leave_the_word_at_the_end_of_a_stream_out() -> None:
    async def story(one: Model) -> str:
        async with one.stream("hello") as s:
            async for _ in s:
                pass
            return s.reply.text

    for dialect in ("openai", "anthropic"):
        with upstream(StreamOk(("Once ", "upon "), done=False)) as up:
            if dialect == "openai":
                assert asyncio.run(story(model(up, dialect))) == "Once upon "
                continue
            with pytest.raises(CallError) as caught:
                asyncio.run(story(model(up, dialect)))
            assert caught.value.partial == "Once upon "


def test_an_error_in_the_block_is_raised_and_closes_the_connection() -> None:
    async def story(one: Model) -> None:
        async with one.stream("hello") as s:
            async for _ in s:
                raise ValueError("the caller's own")

    with upstream(StreamOk(("a ",) * 50, delay=0.05)) as up:
        with pytest.raises(ValueError, match="own"):
            asyncio.run(story(model(up)))
        up.wait_until(lambda log: len(log.left) == 1, seconds=2.0)


@DIALECTS
@pytest.mark.parametrize("fault", [ErrorInside(), HalfEvent(), HalfEvent(clean=True)])
def test_a_stream_that_breaks_raises_in_the_loop_after_its_pieces(dialect: str, fault: Any) -> None:
    pieces: list[str] = []

    async def story(one: Model) -> Any:
        async with one.stream("hello") as s:
            try:
                async for text in s:
                    pieces.append(text)
            except CallError as error:
                with pytest.raises(type(error)):
                    _ = s.reply
                return error

    with upstream(fault) as up:
        error = asyncio.run(story(model(up, dialect)))
        assert len(up.log.asked) == 1
    assert isinstance(error, CallError)
    assert pieces == ["Once ", "upon "]
    assert len(error.attempts) == 1


def test_an_error_inside_after_pieces_counts_as_possibly_billed() -> None:
    async def story(one: Model) -> Any:
        async with one.stream("hello") as s:
            async for _ in s:
                pass

    with upstream(ErrorInside()) as up, pytest.raises(ServerError) as caught:
        asyncio.run(story(model(up, price=(1.0, 1.0))))
    assert caught.value.attempts[0].cost > 4096 / 1e6  # type: ignore[attr-defined]


@DIALECTS
def test_a_reply_that_is_cut_off_raises_truncated_after_its_pieces(dialect: str) -> None:
    pieces: list[str] = []

    async def story(one: Model) -> None:
        async with one.stream("hello") as s:
            async for text in s:
                pieces.append(text)

    with upstream(StreamOk(("Once ", "upon "), finish="length")) as up, pytest.raises(Truncated) as caught:
        asyncio.run(story(model(up, dialect)))
    assert pieces == ["Once ", "upon "]
    assert caught.value.partial == "Once upon "
    assert len(caught.value.attempts) == 1


def test_the_partial_answer_only_grows_and_ends_as_the_answer() -> None:
    text = '{"id":"p-17","weight":2.5,"notes":["left at the door","fragile"]}'
    seen: list[Any] = []

    async def story(one: Model) -> Any:
        async with one.stream("hello", output=Parcel) as s:
            assert s.partial is None
            async for _ in s:
                seen.append(copy.deepcopy(s.partial))
            return s.reply

    with upstream(StreamOk(tuple(text))) as up:
        reply = asyncio.run(story(model(up)))
    assert reply.value == Parcel(id="p-17", weight=2.5, notes=["left at the door", "fragile"])
    for before, after in zip(seen, seen[1:], strict=False):
        assert grows(before, after), (before, after)
    assert seen[-1] == {"id": "p-17", "weight": 2.5, "notes": ["left at the door", "fragile"]}


def grows(before: Any, after: Any) -> bool:
    """Whether nothing that was there is gone or different."""
    if before is None:
        return True
    if isinstance(before, dict):
        return all(k in after and grows(v, after[k]) for k, v in before.items())
    if isinstance(before, list):
        return len(after) >= len(before) and all(grows(a, b) for a, b in zip(before, after, strict=False))
    return before == after or (isinstance(before, str) and after.startswith(before))


def test_a_field_that_cannot_fit_ends_the_stream_at_once() -> None:
    async def story(one: Model) -> None:
        async with one.stream("hello", output=Parcel) as s:
            async for _ in s:
                pass

    chunks = ('{"id":17,', *(" ",) * 100, "}")
    with upstream(StreamOk(chunks, delay=0.02)) as up:
        with pytest.raises(OutputError):
            asyncio.run(story(model(up)))
        up.wait_until(lambda log: len(log.left) == 1, seconds=2.0)
        assert up.log.left[0].chunks < 20


def test_an_endpoint_that_answers_whole_though_a_stream_was_asked_for() -> None:
    async def story(one: Model) -> tuple[list[str], Any]:
        async with one.stream("hello") as s:
            return [t async for t in s], s.reply

    body = whole("openai", "any", "whole", (5, 1), "stop", None).decode()
    with upstream(Status(200, body=body)) as up:
        pieces, reply = asyncio.run(story(model(up)))
    assert up.log.asked[0].streams
    assert (pieces, reply.value, reply.usage.output_tokens) == (["whole"], "whole", 1)


def test_repeated_chunks_are_passed_on_as_they_came() -> None:
    async def story(one: Model) -> str:
        async with one.stream("hello") as s:
            async for _ in s:
                pass
        return s.reply.value

    with upstream(DuplicateChunks(("a", "b"))) as up:
        assert asyncio.run(story(model(up))) == "aabb"


def test_a_stream_that_was_not_opened_says_how() -> None:
    async def story() -> None:
        async for _ in Model("http://127.0.0.1:9#any").stream("hello"):
            pass

    with pytest.raises(UsageError, match="async with"):
        asyncio.run(story())


def test_a_stream_is_opened_once_and_one_that_was_left_says_so() -> None:
    async def story(one: Model) -> None:
        stream = one.stream("hello")
        async with stream:
            pass
        with pytest.raises(UsageError, match="left before its end"):
            [text async for text in stream]
        with pytest.raises(UsageError, match="opened once"):
            async with stream:
                pass

    with upstream(StreamOk(delay=0.05)) as up:
        asyncio.run(story(model(up)))


def test_many_streams_at_once_do_not_mix() -> None:
    def script(asked: Asked) -> StreamOk:
        return StreamOk(tuple(f"{asked.text}-{i} " for i in range(10)), delay=0.002)

    async def one_stream(one: Model, text: str) -> bool:
        async with one.stream(text) as s:
            pieces = [t async for t in s]
        return pieces == [f"{text}-{i} " for i in range(10)] and s.reply.value == "".join(pieces)

    async def story(one: Model) -> list[bool]:
        return await asyncio.gather(*(one_stream(one, f"s{i}") for i in range(30)))

    with upstream(script) as up:
        assert all(asyncio.run(story(model(up))))
