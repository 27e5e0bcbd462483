"""A reply as JSON and back, for the record."""

from __future__ import annotations

import base64
import struct
from dataclasses import replace
from typing import Any

from msgspec import to_builtins

from suffice.exchange import Kept, Reply, TokenLogprob, ToolCall, Usage
from suffice.values import Json


def reply_to_json(reply: Reply[str]) -> Json:
    """What of a whole call's reply is worth recording: not how it was sent."""
    return {
        "text": reply.text,
        "reasoning": reply.reasoning,
        "tool_calls": to_builtins(reply.tool_calls),
        "usage": to_builtins(reply.usage),
        "cost": reply.cost,
        "at_most": reply.at_most,
        "finish_reason": reply.finish_reason,
        "latency": reply.latency,
        "request_id": reply.request_id,
        "model": reply.model,
        "guarantee": reply.guarantee,
        "kept": to_builtins(reply.kept),
        "logprobs": [_logprob_json(p) for p in reply.logprobs],
    }


def vectors_to_json(reply: Reply[Any]) -> Json:
    """The same of a reply whose value are vectors of one length: all their numbers as doubles, bit for bit."""
    vectors: list[list[float]] = reply.value
    numbers = [number for vector in vectors for number in vector]
    packed = struct.pack(f"<{len(numbers)}d", *numbers)
    told: dict[str, Json] = reply_to_json(reply)
    return {**told, "vectors": {"n": len(vectors), "float64": base64.b64encode(packed).decode("ascii")}}


def vectors_from_json(value: Json) -> Reply[Any]:
    """The inverse of `vectors_to_json`; it says that it was recorded."""
    told: Any = value
    data, n = base64.b64decode(told["vectors"]["float64"]), told["vectors"]["n"]
    numbers = struct.unpack(f"<{len(data) // 8}d", data)
    size = len(numbers) // n
    return replace(reply_from_json(value), value=[list(numbers[i * size : (i + 1) * size]) for i in range(n)])


def _logprob_json(p: TokenLogprob) -> Json:
    """As short as it can be: most tokens show what they are, and have no others."""
    data = [p.data.hex()] if p.data else [None] if p.others else []
    return [p.token, p.logprob, *data, *([[list(other) for other in p.others]] if p.others else [])]


def _logprob(token: str, logprob: float, data: str | None = None, others: Any = ()) -> TokenLogprob:
    return TokenLogprob(token, logprob, bytes.fromhex(data) if data else None, tuple((t, p) for t, p in others))


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
        at_most=told.get("at_most", False),
        finish_reason=told["finish_reason"],
        latency=told["latency"],
        request_id=told["request_id"],
        model=told["model"],
        guarantee=told["guarantee"],
        kept=Kept(**told["kept"]) if told.get("kept") else None,
        logprobs=tuple(_logprob(*p) for p in told["logprobs"]),
        cached=True,
    )
