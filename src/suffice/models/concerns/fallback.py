"""Fallback: the next model answers when one cannot, in the order that was said."""

from __future__ import annotations

from collections.abc import Sequence

from suffice.errors import CallError, ContentFiltered, InputTooLong, OutputError, Truncated
from suffice.exchange import Reply, Request
from suffice.models.flow import Call, Flow

OWN = (Truncated, OutputError, ContentFiltered, InputTooLong)
"""Faults of the request or its answer, not of the endpoint: another model is no remedy for them."""


def fallback(calls: Sequence[Call]) -> Call:
    """The first of `calls` that answers. Not after a piece was delivered, and not for a fault of the request itself.

    When all fail, the error of the first is raised, with a note of the others'.
    """
    if len(calls) == 1:
        return calls[0]

    async def first(request: Request, flow: Flow) -> Reply[str]:
        errors: list[CallError] = []
        for n, call in enumerate(calls, 1):
            flow.spare = n < len(calls)
            try:
                return await call(request, flow)
            except CallError as error:
                if flow.delivered or isinstance(error, OWN):
                    raise
                errors.append(error)
        for other in errors[1:]:
            errors[0].add_note(f"a fallback failed, too: {other}")
        raise errors[0]

    return first
