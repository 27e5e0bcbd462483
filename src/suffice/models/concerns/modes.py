"""The mode of an output: asked for in the best way that the endpoint takes, which is found out where nobody says."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from suffice.errors import CallError, RefusedError, ReplayMiss
from suffice.exchange import Mode, OutputSpec, Reply, Request
from suffice.models.flow import Call, Flow
from suffice.models.sending.tape import is_replaying

_OF_MODES: Final = re.compile(
    r"response.?format|json.?(schema|object|mode)|structured.?output|output_config|tool.?choice|\btools?\b"
    r"|not (yet |currently )?support|unsupported|not permitted"
    r"|(unknown|unrecognized|unexpected|invalid) (field|parameter|argument|key|property|request argument)",
    re.IGNORECASE,
)
"""The words with which servers refuse a mode by its name, or any parameter that they do not know."""

AskedFor = Callable[[OutputSpec, frozenset[Mode]], OutputSpec]
"""An output as it is best asked for without some modes; the mode "text" is always left."""


@dataclass(slots=True)
class Modes:
    """The modes that an endpoint `refused` for a model. Of one that is `listed` it is known what it takes."""

    listed: bool = False
    refused: frozenset[Mode] = frozenset()


def moded(call: Call, modes: Modes, asked_for: AskedFor) -> Call:
    """`call`, for requests with an output, asked for in the best mode; its reply says what makes a value fit.

    Where the endpoint is not listed and refuses a mode, the next one is tried, each once, and what was refused is
    remembered once one was taken: a fault of another parameter, which no mode mends, teaches nothing. Each of these
    is an attempt. On a tape what was seen elsewhere does not count. Raises as `call`; where no mode is taken, the
    first refusal.
    """

    async def asked(request: Request, flow: Flow) -> Reply[str]:
        output = request.output
        assert output is not None
        refused = frozenset[Mode]() if is_replaying() else modes.refused
        first: CallError | None = None
        while True:
            spec = asked_for(output, refused)
            try:
                reply = await call(replace(request, output=spec), flow)
            except (RefusedError, ReplayMiss) as error:
                if modes.listed or flow.delivered or not _for_the_mode(error):
                    raise
                first = first or error
                if spec.mode == "text":
                    raise first from None
                refused = refused.union((spec.mode,))
                continue
            if first is not None:
                modes.refused = modes.refused.union(refused)
            return replace(reply, guarantee="native" if spec.mode == "schema" else "validated")

    return asked


def _for_the_mode(error: CallError) -> bool:
    """Whether it may be for the mode alone; what is not on a tape was asked for in another mode there."""
    if isinstance(error, ReplayMiss):
        return True
    return error.status in (400, 422) and _OF_MODES.search(error.message) is not None


def modes_of(model: str, listed: bool) -> Modes:
    """What this process knows of a model, by its endpoint and name."""
    with _lock:
        return _made.setdefault(model, Modes(listed))


_made: dict[str, Modes] = {}
_lock = threading.Lock()
