"""The cache: an equal request is answered from the record, and equal requests under way share one call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

from suffice.errors import CallError
from suffice.exchange import Delta, Reply, Request
from suffice.models.belonging import Belonging
from suffice.models.concerns.reply_json import reply_from_json, reply_to_json
from suffice.models.concerns.trace import whole
from suffice.models.flow import Call, Flow
from suffice.values import content_hash


@dataclass(frozen=True, slots=True)
class _Shared:
    """A call under way and the flow of who makes it. `end` is its reply or its fault; None: ask yourself."""

    end: asyncio.Future[Reply[str] | CallError | None]
    flow: Flow


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
        name = flow.key = content_hash([name, run.sample]) if run.sample else name
        known = None if run.fresh else run.journal.lookup(name)
        if known is not None:
            reply = reply_from_json(known)
            flow.deliver(Delta(reply.text, reply.reasoning or ""))
            return reply
        return await _shared(name, run, call, request, flow)

    return looked_up


async def _shared(name: str, run: Belonging, call: Call, request: Request, flow: Flow) -> Reply[str]:
    loop = asyncio.get_running_loop()
    here = _under_way.setdefault(loop, {})
    place = (id(run.journal), name)  # another run records, and pays for, a call of its own
    found = here.get(place)
    if found is not None:
        return await _joined(found, name, run, call, request, flow)
    found = here[place] = _Shared(loop.create_future(), flow)
    end: Reply[str] | CallError | None = None
    try:
        end = await call(request, flow)
        await run.journal.keep(name, request.model, reply_to_json(whole(end, flow)), run.case)
        return end
    except CallError as error:
        end = error
        raise
    finally:
        del here[place]
        found.end.set_result(end)


async def _joined(found: _Shared, name: str, run: Belonging, call: Call, request: Request, flow: Flow) -> Reply[str]:
    """What an equal call under way gets, as if it had been looked up a moment later; asked anew where that was given
    up, or ran out of a time that was not this one's."""
    end = await asyncio.shield(found.end)
    if isinstance(end, CallError):
        if not found.flow.late or flow.late:
            raise copy(end) from end.__cause__  # the attempts on it are those of one call
        end = None
    if end is None:
        return await _shared(name, run, call, request, flow)
    flow.deliver(Delta(end.text, end.reasoning or ""))
    return replace(whole(end, found.flow), attempts=(), ttft=None, cached=True)
