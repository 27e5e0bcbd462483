"""A call within a program: a leaf of the tree that is grown there, and in a durable run recorded once and for all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from suffice.exchange import Delta, Reply, Request
from suffice.models.concerns.reply_json import reply_from_json, reply_to_json
from suffice.models.concerns.trace import whole
from suffice.models.flow import Call, Flow
from suffice.models.telemetry import cost_of
from suffice.spans import here
from suffice.store.effects import Kept, durable_run, effect
from suffice.values import Json

SHOWN = 120  # characters of what was asked that a recorded call shows


def within(
    call: Call,
    key: Callable[[Request], str],
    write: Callable[[Reply[Any]], Json] = reply_to_json,
    read: Callable[[Json], Reply[Any]] = reply_from_json,
) -> Call:
    """`call`, with a span where a tree is grown. In a durable run its reply is an effect: recorded under its place in
    the program and the hash of the whole request, and given again at a replay. `write` makes JSON of it, `read` the
    reply again.

    Raises JournalDiverged where another request was recorded there, StoreError, and what `call` raises.
    """

    async def asked(request: Request, flow: Flow) -> Reply[str]:
        if here() is None:
            return await call(request, flow)
        arguments = None if durable_run() is None else {"asked": _last(request), "request": key(request)}

        async def ask() -> Reply[str]:
            end: Reply[str] | BaseException | None = None
            try:
                end = reply = await call(request, flow)
                return reply
            except BaseException as error:
                end = error
                raise
            finally:
                _account(end, flow)

        kept = Kept(lambda made: write(whole(made, flow)), read, whole=True)
        reply = await effect(request.model, "model", arguments, ask, kept)
        if reply.cached and not flow.attempts:
            flow.deliver(Delta(reply.text, reply.reasoning or ""))
        return reply

    return asked


def _account(end: Reply[str] | BaseException | None, flow: Flow) -> None:
    """Note on the span what the call cost."""
    leaf = here()
    if leaf is not None and end is not None:
        told = whole(end, flow) if isinstance(end, Reply) else end
        leaf.cost = cost_of(told, flow.attempts)
        leaf.cached = isinstance(end, Reply) and end.cached


def _last(request: Request) -> str:
    """The end of the last turn, by which a person knows the call again."""
    return request.messages[-1].text[-SHOWN:] if request.messages else ""
