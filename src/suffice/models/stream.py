"""A streamed reply: texts as they come, the whole reply at the end; leaving it early closes the connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from types import TracebackType
from typing import Any, Generic

from typing_extensions import TypeVar

from suffice.errors import UsageError
from suffice.exchange import Delta, Reply
from suffice.models.flow import Sink
from suffice.models.output.arriving import PartialOutput

T = TypeVar("T", default=str)


class Stream(Generic[T]):
    """`async with model.stream(x) as s:`, `async for text in s:`, then `s.reply`.

    `s.partial` is what is there of a structured answer: only values that are complete and fit. Errors of the call are
    raised by the loop. Leaving the block before the end cancels the call, and its connection is closed.
    """

    def __init__(self, begin: Callable[[Sink], Awaitable[Reply[T]]], partial: PartialOutput | None) -> None:
        self._begin, self._partial = begin, partial
        self._pieces: asyncio.Queue[Delta | None] = asyncio.Queue()
        self._task: asyncio.Task[Reply[T]] | None = None
        self._left = False
        self.reasoning = ""

    async def __aenter__(self) -> Stream[T]:
        if self._task is not None:
            raise UsageError("a stream is opened once", hint="model.stream(x) makes another one")
        self._task = asyncio.ensure_future(self._run())
        self._task.add_done_callback(lambda task: self._pieces.put_nowait(None))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._left = not self._task.done()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def __aiter__(self) -> AsyncGenerator[str]:
        if self._task is None:
            raise UsageError("a stream is opened first", hint="async with model.stream(x) as s: async for text in s: …")
        while (piece := await self._pieces.get()) is not None:
            self.reasoning += piece.reasoning
            if piece.text:
                if self._partial is not None:
                    self._partial.feed(piece.text)  # raises as soon as a field cannot fit
                yield piece.text
        self._pieces.put_nowait(None)  # for a second loop, which ends at once
        if self._left:
            raise _left_early()
        self._task.result()

    @property
    def partial(self) -> Any:
        """The structured answer as far as it is there, None before its first part and for a plain text."""
        return None if self._partial is None else self._partial.value

    @property
    def reply(self) -> Reply[T]:
        """The whole reply. Raises UsageError before the end, and the call's own error where it failed."""
        if self._task is None or not self._task.done():
            raise UsageError("the reply is there when the stream has ended", hint="async for text in s: … first")
        if self._task.cancelled():
            raise _left_early()
        return self._task.result()

    async def _run(self) -> Reply[T]:
        return await self._begin(self._pieces.put_nowait)


def _left_early() -> UsageError:
    return UsageError("the stream was left before its end, so there is no reply", hint="loop until it ends")
