"""The cache: an equal request is answered from the record, and equal requests under way share one call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

from suffice.errors import CallError
from suffice.exchange import Delta, Reply, Request
from suffice.models.belonging import Belonging
from suffice.models.concerns.reply_json import reply_from_json, reply_to_json
from suffice.models.concerns.trace import total
from suffice.models.flow import Call, Flow


@dataclass(slots=True)
class _Shared:
    """A call under way, the flow of who began it, and how many wait for it."""

    task: asyncio.Task[Reply[str]]
    flow: Flow
    waiting: int = 0


Place = tuple[int, str]
"""A journal and the hash of a request."""

_under_way: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Place, _Shared]] = WeakKeyDictionary()


def cached(call: Call, key: Callable[[Request], str], belongs: Callable[[], Belonging | None]) -> Call:
    """`call`, with replies recorded where `belongs()` says so. Exact: the key is the hash of the whole request.

    A recorded reply keeps the usage and cost of when it was made, has no attempts, and says `cached`. Raises
    StoreError where the record cannot be read or written, and what `call` raises.
    """

    async def looked_up(request: Request, flow: Flow) -> Reply[str]:
        run = belongs()
        if run is None or run.sealed or not run.cache:
            return await call(request, flow)
        name = key(request)
        known = None if run.fresh else run.journal.lookup(name)
        if known is not None:
            reply = reply_from_json(known)
            flow.deliver(Delta(reply.text, reply.reasoning or ""))
            return reply
        return await _shared(name, run, call, request, flow)

    return looked_up


async def _shared(name: str, run: Belonging, call: Call, request: Request, flow: Flow) -> Reply[str]:
    here = _under_way.setdefault(asyncio.get_running_loop(), {})
    place = (id(run.journal), name)  # another run records, and pays for, a call of its own
    found = here.get(place)
    mine = found is None
    if found is None:
        found = here[place] = _Shared(asyncio.ensure_future(_recorded(name, run, call, request, flow)), flow)
        found.task.add_done_callback(lambda task: _gone(here, place, task))
    found.waiting += 1
    try:
        reply = await asyncio.shield(found.task)
    except asyncio.CancelledError:
        if found.waiting == 1:  # nobody else waits for it: the connection is closed before this one goes
            found.task.cancel()
            _gone(here, place, found.task)
            await asyncio.gather(found.task, return_exceptions=True)
        raise
    except CallError as error:
        if mine:
            raise
        if found.flow.late and not flow.late:  # the time of whose call it was ran out, not ours
            return await _shared(name, run, call, request, flow)
        raise copy(error) from error.__cause__  # the attempts on it are those of one call
    finally:
        found.waiting -= 1
    if mine:
        return reply
    if not flow.delivered:
        flow.deliver(Delta(reply.text, reply.reasoning or ""))
    cost, seconds = total(found.flow.attempts), time.perf_counter() - found.flow.began
    return replace(reply, cost=cost, latency=seconds, cached=True)  # as if it had been looked up a moment later


def _gone(here: dict[Place, _Shared], place: Place, task: asyncio.Task[Reply[str]]) -> None:
    """Nobody joins it any more; another call may already stand in its place."""
    if place in here and here[place].task is task:
        del here[place]


async def _recorded(name: str, run: Belonging, call: Call, request: Request, flow: Flow) -> Reply[str]:
    reply = await call(request, flow)
    told = reply_to_json(reply, total(flow.attempts), time.perf_counter() - flow.began)
    await run.journal.keep(name, request.model, told)
    return reply
