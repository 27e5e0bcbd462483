"""What becomes of a call's figures when it ends: in a run they go on the meter of the case, else into the telemetry.

Telemetry has a row for each served call, without its texts unless the user keeps them. It is written where a store
is: one that `suffice` made here or in a folder above, or the one in $SUFFICE_HOME. It makes no folder in a program
that only calls a model.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import json
import os
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from suffice.errors import CallError, ContentFiltered, Truncated, UsageError
from suffice.exchange import Attempt, Reply, Request, message_json
from suffice.models.belonging import bounds, current
from suffice.models.flow import Call, Flow
from suffice.models.places.endpoint import Address
from suffice.models.places.settings import KEEPS, Keep, settings
from suffice.models.sending.tape import is_replaying
from suffice.models.serving import solution_here
from suffice.shown import brief
from suffice.store.database import Store, open_store, store_file
from suffice.store.keep import Keep as StoreKeep
from suffice.store.telemetry import Desk, Served, log, whole
from suffice.values import Cost

VARIABLE: Final = "SUFFICE_TELEMETRY"
WAYS: Final = ("input_tokens", "output_tokens")
ENDS: Final[Mapping[str, str]] = {"length": Truncated.kind, "content_filter": ContentFiltered.kind}
"""Replies that are no whole answer, by how they finished: they end as their errors do."""


class Ended(NamedTuple):
    """A call that has ended, as it is handed to the telemetry's thread: nothing is worked out before it is there."""

    at: float
    seconds: float
    address: Address
    operation: str
    request: Request
    attempts: Sequence[Attempt]
    end: Reply[Any] | BaseException
    solution: str | None


def noted(call: Call, address: Address, operation: str = "chat") -> Call:
    """`call`, whose end is noted, however it ends. Noting never raises and never waits."""

    async def noting(request: Request, flow: Flow) -> Reply[str]:
        try:
            reply = await call(request, flow)
        except BaseException as error:
            _note(address, operation, request, flow, error)
            raise
        _note(address, operation, request, flow, reply)
        return reply

    return noting


@contextmanager
def no_telemetry() -> Generator[None]:
    """While sealed cases run nothing of this process is noted: a thread of a solution's own belongs to no run."""
    with _desk().shut():
        yield


def _note(address: Address, operation: str, request: Request, flow: Flow, end: Reply[Any] | BaseException) -> None:
    run = current()
    if isinstance(end, Reply) and end.cached:  # it was paid for when it was made: what is repeated ends alike
        tokens = (end.usage.input_tokens or 0) + (end.usage.output_tokens or 0)
        for budget in bounds():
            budget.already(end.cost or 0.0, max(1, len(end.attempts)), tokens)
    if run is None:
        desk = _desk()
        if not (desk.off or is_replaying()):  # a tape serves nobody
            now = time.time()
            seconds = time.perf_counter() - flow.began
            desk.put(Ended(now, seconds, address, operation, request, flow.attempts, end, solution_here.get()))
    elif run.meter is not None:
        if isinstance(end, Reply) and end.cached:
            run.meter.add(cost_of(end, ()), flow.elapsed - end.latency, looked_up=True)
        else:
            run.meter.add(cost_of(end, flow.attempts), flow.waited)


def cost_of(end: Reply[Any] | BaseException, attempts: Sequence[Attempt]) -> Cost:
    """What a call cost: of a reply as it says, recorded or not; of a failed call what its attempts may have been
    billed."""
    if isinstance(end, Reply):
        return Cost(end.cost, end.usage.input_tokens, end.usage.output_tokens, end.at_most)
    tokens_in, tokens_out = (sum(getattr(a.usage, way) or 0 for a in attempts) for way in WAYS)
    return Cost(total(attempts), tokens_in, tokens_out, any(a.at_most for a in attempts))


def total(attempts: Iterable[Attempt]) -> float | None:
    """US dollars over all attempts, None where one of them has no known cost."""
    costs = [a.cost for a in attempts]
    return None if None in costs else sum((c for c in costs if c is not None), 0.0)


@functools.cache
def _desk() -> Desk:
    """The one desk of this process: calls of all its models, loops and threads."""
    desk = Desk(_opened, functools.partial(_row, functools.cache(kept)))
    atexit.register(desk.close)
    return desk


if hasattr(os, "register_at_fork"):  # threads do not live on in a forked process
    os.register_at_fork(after_in_child=_desk.cache_clear)


def kept() -> Keep:
    """What is kept of served calls: SUFFICE_TELEMETRY, else suffice.toml, else "on": figures without texts. Never more
    than `store.keep` allows.

    Raises UsageError for what is none of off, on and full.
    """
    told, said = settings(), os.environ.get(VARIABLE)
    if not said:
        return _at_most(told.telemetry, told.store_keep)
    for keep in KEEPS:
        if said.strip().lower() == keep:
            return _at_most(keep, told.store_keep)
    raise UsageError(f"{VARIABLE} is off, on or full (with texts), not {brief(said)}", hint=f"export {VARIABLE}=off")


def _at_most(keep: Keep, store: StoreKeep) -> Keep:
    """What is kept of served calls, where the store itself may keep less."""
    return "off" if store == "off" else "on" if store == "hashes" and keep == "full" else keep


def _opened() -> Store | None:
    """The store to write to; None where the user wants none, or where there is none and nobody named a place."""
    if kept() == "off":
        return None
    file = store_file()
    if not file.exists() and not os.environ.get("SUFFICE_HOME"):
        log.info("no telemetry: there is no store at %s, and SUFFICE_HOME names none", file)
        return None
    return open_store(file.parent)


def _row(keep: Callable[[], Keep], ended: Ended) -> Served:
    end, attempts = ended.end, ended.attempts
    full = keep() == "full"
    reply = end if isinstance(end, Reply) else None
    cost = cost_of(end, attempts)
    return Served(
        at=ended.at,
        operation=ended.operation,
        model=ended.address.text,
        answered_by=whole(reply.model) if reply else None,
        solution=ended.solution,
        outcome=_outcome(end),
        attempts=len(attempts),
        seconds=ended.seconds,
        ttft=reply.ttft if reply else None,
        input_tokens=cost.input_tokens,
        output_tokens=cost.output_tokens,
        cost_usd=None if cost.usd is None else total(a for a in attempts if not a.at_most),
        cost_usd_at_most=cost.usd,
        request_id=whole(reply.request_id if reply else getattr(end, "request_id", None)),
        request=whole(_text(ended.request)) if full else None,
        reply=whole(reply.text) if reply and full else None,
    )


def _text(request: Request) -> str:
    return json.dumps([message_json(m) for m in request.messages], ensure_ascii=False)


def _outcome(end: Reply[Any] | BaseException) -> str:
    if isinstance(end, Reply):
        return ENDS.get(end.finish_reason, "ok")
    if isinstance(end, CallError):
        return end.kind
    return "cancelled" if isinstance(end, asyncio.CancelledError) else type(end).__name__
