"""A reply as JSON and back, for the record."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from suffice.exchange import Reply, TokenLogprob, ToolCall, Usage
from suffice.values import Json


def reply_to_json(reply: Reply[str]) -> Json:
    """What of a reply is worth recording: not how it was sent."""
    return {
        "text": reply.text,
        "reasoning": reply.reasoning,
        "tool_calls": [asdict(c) for c in reply.tool_calls],
        "usage": asdict(reply.usage),
        "cost": reply.cost,
        "finish_reason": reply.finish_reason,
        "latency": reply.latency,
        "request_id": reply.request_id,
        "model": reply.model,
        "guarantee": reply.guarantee,
        "logprobs": [[p.token, p.logprob] for p in reply.logprobs],
    }


def reply_from_json(value: Json) -> Reply[str]:
    """The inverse; it says that it was recorded."""
    told: Any = value
    return Reply(
        value=told["text"],
        text=told["text"],
        reasoning=told["reasoning"],
        tool_calls=tuple(ToolCall(**c) for c in told["tool_calls"]),
        usage=Usage(**told["usage"]),
        cost=told["cost"],
        finish_reason=told["finish_reason"],
        latency=told["latency"],
        request_id=told["request_id"],
        model=told["model"],
        guarantee=told["guarantee"],
        logprobs=tuple(TokenLogprob(token, logprob) for token, logprob in told["logprobs"]),
        cached=True,
    )
