"""The output cap: a short answer is first asked for with a cap that fits it, so that little is held back for it."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, replace
from typing import Final

from suffice.errors import CallError, RefusedError, ReplayMiss
from suffice.exchange import Reply, Request
from suffice.models.flow import Call, Flow
from suffice.models.sending.tape import is_replaying

CUT: Final = 3  # short caps in a row that cut a model off before it is taken for one that reasons
_CAP: Final = re.compile(r"max\w*[ _]tokens|output limit", re.IGNORECASE)


@dataclass(slots=True)
class Reasons:
    """Whether a model spends output tokens before its answer: `known` from the start, or `seen` in its replies."""

    known: bool = False
    seen: bool = False
    cut: int = 0

    def learn(self, reply: Reply[str]) -> bool:
        """Whether a reply under the short cap was cut off. One that shows reasoning, or several cut off in a row, say
        that the model needs the whole cap; in a race of threads that is found out a call later."""
        cut = reply.finish_reason == "length"
        self.cut = self.cut + 1 if cut else 0
        self.seen = self.seen or self.cut >= CUT or bool(reply.reasoning or reply.usage.reasoning_tokens)
        return cut


def capped(call: Call, reasons: Reasons) -> Call:
    """`call`, first with the cap that is enough for an answer of its type (`Flow.enough`), and again with the whole
    cap where that cut the answer off.

    Not for a stream, which cannot start over, nor for a model that reasons first. On a tape what was seen elsewhere
    does not count: the same calls must ask the same there. Raises as `call`.
    """

    async def fitted(request: Request, flow: Flow) -> Reply[str]:
        enough = flow.enough
        if enough is None or enough >= request.max_output_tokens or flow.sink is not None or reasons.known:
            return await call(request, flow)
        if reasons.seen and not is_replaying():
            return await call(request, flow)
        try:
            reply = await call(replace(request, max_output_tokens=enough), flow)
        except (RefusedError, ReplayMiss) as error:
            if not _for_the_cap(error):
                raise
        else:
            if not reasons.learn(reply):
                return reply
        return await call(request, flow)

    return fitted


def _for_the_cap(error: CallError) -> bool:
    """Whether it was refused because the cap was too small: OpenAI says so of a model that was still reasoning, others
    of a cap below what reasoning may take."""
    return isinstance(error, ReplayMiss) or (error.status == 400 and _CAP.search(error.message) is not None)


def reasons_of(model: str, known: bool) -> Reasons:
    """What this process knows of a model, by its endpoint and name."""
    with _lock:
        return _made.setdefault(model, Reasons(known))


_made: dict[str, Reasons] = {}
_lock = threading.Lock()
