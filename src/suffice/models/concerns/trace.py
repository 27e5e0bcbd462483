"""The trace: a call as a whole, timed, with its cost, and as an OpenTelemetry span where the program has set that up.

Attributes follow the GenAI semantic conventions of OpenTelemetry. No text of a prompt or an answer, and no key, is in
a span; a call of a sealed case has none at all. A reply that was looked up has no tokens and no cost there: viewers add
them up. A program that never imported opentelemetry pays nothing for it.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from suffice.errors import CallError, CallTimeout
from suffice.exchange import Reply, Request
from suffice.models.belonging import current
from suffice.models.concerns.deadline import in_time
from suffice.models.flow import Call, Flow
from suffice.models.places.endpoint import Address
from suffice.models.telemetry import cost_of, noted, total
from suffice.spans import kind_of

PROVIDERS: Final = {"gemini": "gcp.gemini", "mistral": "mistral_ai", "xai": "x_ai"}
"""The providers that the conventions call otherwise than we do."""


def trace(call: Call, address: Address, operation: str = "chat") -> Call:
    """`call` with its latency in seconds, time to the first token, attempts and cost on the reply or its error.

    Raises CallTimeout at the flow's deadline, wherever the call waits then. `operation` is the span's.
    """

    async def traced(request: Request, flow: Flow) -> Reply[str]:
        with _span(operation, address, request, flow) as span:
            try:
                reply = await in_time(call, request, flow, flow.left, partial(_late, flow))
            except BaseException as error:
                if isinstance(error, CallError):
                    error.attempts = tuple(flow.attempts)
                _failed(span, error, flow)
                raise
            made = whole(reply, flow)
            _ended(span, made)
            return made

    return noted(traced, address, operation)


def _late(flow: Flow) -> CallTimeout:
    n = len(flow.attempts)
    tried = f" ({n} {'attempt' if n == 1 else 'attempts'})" if n else ""
    cause = f"; the last to fail: {flow.causes[-1]}" if flow.causes else ""
    return CallTimeout(f"no reply in the time that all attempts have together{tried}{cause}", hint="total=")


def whole(reply: Reply[str], flow: Flow) -> Reply[str]:
    """`reply` with what only the whole call knows: its attempts, cost and times."""
    if reply.cached:
        return reply
    first = flow.first_delta
    return replace(
        reply,
        attempts=tuple(flow.attempts),
        cost=total(flow.attempts),
        at_most=any(a.at_most for a in flow.attempts),
        latency=flow.elapsed - flow.waited,
        ttft=None if first is None or flow.sink is None else first - flow.began - flow.waited,
    )


@contextmanager
def _span(operation: str, address: Address, request: Request, flow: Flow) -> Generator[Any]:
    api: Any = sys.modules.get("opentelemetry.trace")
    run = current()
    if api is None or (run is not None and run.sealed):
        yield None
        return
    endpoint = address.endpoint
    said = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": PROVIDERS.get(endpoint.provider, endpoint.provider),
        "gen_ai.request.model": request.model,
        "gen_ai.request.max_tokens": request.max_output_tokens or None,
        "gen_ai.request.temperature": request.temperature,
        "gen_ai.request.top_p": request.top_p,
        "gen_ai.request.seed": request.seed,
        "gen_ai.request.stop_sequences": list(request.stop) or None,
        "gen_ai.request.stream": None if flow.sink is None else True,
        "gen_ai.output.type": None if request.output is None else "json",
        "server.address": endpoint.host,
        "server.port": _port(endpoint.url),
    }
    tracer = api.get_tracer("suffice")
    with tracer.start_as_current_span(
        f"{operation} {request.model}",
        kind=api.SpanKind.CLIENT,
        attributes=_known(said),
        record_exception=False,  # its words may quote the data
        set_status_on_exception=False,
    ) as span:
        yield span


def _port(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or (80 if parts.scheme == "http" else 443)


def _known(said: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if value is not None}


def _ended(span: Any, reply: Reply[str]) -> None:
    if span is None:
        return
    said: dict[str, Any] = {
        "gen_ai.response.model": reply.model or None,
        "gen_ai.response.id": reply.request_id,
        "gen_ai.response.finish_reasons": [reply.finish_reason],
        "suffice.cached": reply.cached,
    }
    if not reply.cached:
        said |= {
            "gen_ai.usage.input_tokens": reply.usage.input_tokens,
            "gen_ai.usage.output_tokens": reply.usage.output_tokens,
            "gen_ai.usage.cache_read.input_tokens": reply.usage.cached_input_tokens,
            "gen_ai.usage.reasoning.output_tokens": reply.usage.reasoning_tokens,
            "gen_ai.response.time_to_first_chunk": reply.ttft,
            "suffice.attempts": len(reply.attempts),
            "suffice.cost_usd": reply.cost,
            "suffice.cost_at_most": reply.at_most or None,
        }
    span.set_attributes(_known(said))


def _failed(span: Any, error: BaseException, flow: Flow) -> None:
    """What may have been billed is said of a failed call, too."""
    if span is None:
        return
    api: Any = sys.modules["opentelemetry.trace"]
    cost = cost_of(error, flow.attempts)
    said = {
        "error.type": kind_of(error),
        "gen_ai.usage.input_tokens": cost.input_tokens or None,
        "gen_ai.usage.output_tokens": cost.output_tokens or None,
        "suffice.attempts": len(flow.attempts),
        "suffice.cost_usd": cost.usd,
        "suffice.cost_at_most": cost.at_most or None,
    }
    span.set_attributes(_known(said))
    span.set_status(api.Status(api.StatusCode.ERROR, kind_of(error)))
